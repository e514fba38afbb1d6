//! Tests of the public interface, in one program: each program of its own would compile the library's
//! generic code again. `cargo test -p wengert-plot --test all FILE::` runs those of one file.

mod charts;
mod common;
mod images;
