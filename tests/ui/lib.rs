//! Nothing: the package is its test, apart from `wengert`, whose other tests need more packages.
