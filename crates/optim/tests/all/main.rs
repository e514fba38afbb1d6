//! Tests of the public interface. All files form one program, because each additional program would
//! compile the library's generic code again. `cargo test -p wengert-optim --test all FILE::` runs
//! the tests of one file.

#[path = "../../../autograd/tests/all/common.rs"]
mod common;
mod groups;
#[path = "../../../tensor/tests/all/modules.rs"]
mod modules;
mod plateau;
mod pytorch;
#[path = "../../../tensor/tests/all/scan/mod.rs"]
mod scan;
mod schedule;
mod state;
mod step;
mod versions;
