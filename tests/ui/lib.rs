//! An empty library. The package has only the test in `compile_errors.rs`. It is separate from `wengert`,
//! whose tests need more packages.
