//! Tests of the public interface, in one program: each program of its own would compile the library's
//! generic code again. `cargo test -p wengert-data --test all FILE::` runs those of one file.

mod augment;
mod cifar10;
mod common;
mod idx;
mod loader;
mod mnist;
mod stratified;
mod zipcode;
