//! Tests of the public interface. All files form one program, because each additional program would
//! compile the library's generic code again. `cargo test -p wengert-random --test all FILE::` runs
//! the tests of one file.

mod draws;
mod functions;
#[path = "../../../tensor/tests/all/modules.rs"]
mod modules;
mod parameters;
mod pathwise;
#[path = "../../../autograd/tests/all/reference_file.rs"]
mod reference_file;
#[path = "../../../tensor/tests/all/scan/mod.rs"]
mod scan;
