//! Tests of the public interface, in one program. Each further program would compile the generic code of the
//! library again. `cargo test -p wengert-plot --test all FILE::` runs the tests of one file.

mod charts;
mod common;
mod images;
#[path = "../../../tensor/tests/all/modules.rs"]
mod modules;
#[path = "../../../tensor/tests/all/scan/mod.rs"]
mod scan;
