//! An empty library. The package contains only its test, which is separate from the tests of
//! `wengert` because those need more packages.
