//! Tests of the public interface, in one program. Each further program would compile the generic code of the
//! library again. `cargo test -p wengert-data --test all FILE::` runs the tests of one file.

mod augment;
mod cifar10;
mod cifar_forms;
mod common;
#[cfg(feature = "csv")]
mod csv;
#[cfg(feature = "download")]
mod download;
mod emnist;
#[cfg(feature = "images")]
mod folder;
mod idx;
mod loader;
mod mnist;
mod modules;
mod mutated;
mod npy;
mod scale;
#[path = "../../../tensor/tests/all/scan/mod.rs"]
mod scan;
mod stratified;
mod text;
mod toys;
mod zipcode;
