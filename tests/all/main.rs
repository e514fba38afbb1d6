//! Tests of the public interface. All files form one program, because each additional program would
//! compile the library's generic code again. `cargo test -p wengert --test all FILE::` runs the
//! tests of one file.

mod api;
mod element_types;
mod from_pytorch;
mod graph;
mod historic;
mod lenet;
#[cfg(feature = "linalg")]
mod linalg;
mod models;
mod modes;
#[path = "../../crates/tensor/tests/all/modules.rs"]
mod modules;
mod observers;
mod pages;
mod prepared;
mod reproducible;
#[path = "../../crates/tensor/tests/all/scan/mod.rs"]
mod scan;
mod summaries;
mod vocabulary;
