//! Tests of the public interface, in one program: each program of its own would compile the library's
//! generic code again. `cargo test -p wengert-optim --test all FILE::` runs those of one file.

#[path = "../../../autograd/tests/all/common.rs"]
mod common;
mod groups;
mod plateau;
mod pytorch;
mod schedule;
mod state;
mod step;
mod versions;
