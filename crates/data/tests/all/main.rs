//! Tests of the public interface, in one program. Each further program would compile the generic code of the
//! library again. `cargo test -p wengert-data --test all FILE::` runs the tests of one file.

mod augment;
mod cifar10;
mod common;
mod idx;
mod loader;
mod mnist;
mod modules;
#[path = "../../../tensor/tests/all/scan.rs"]
mod scan;
mod stratified;
mod zipcode;
