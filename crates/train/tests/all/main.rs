//! Tests of the public interface. All files form one program, because each additional program would
//! compile the library's generic code again. `cargo test -p wengert-train --test all FILE::` runs
//! the tests of one file.

mod abort;
mod callbacks;
mod callers;
mod checkpoint;
mod common;
mod custom;
mod error_text;
mod files;
mod fit;
#[path = "../../../tensor/tests/all/modules.rs"]
mod modules;
mod plots;
mod refusals;
#[path = "../../../tensor/tests/all/scan/mod.rs"]
mod scan;
mod scores;
