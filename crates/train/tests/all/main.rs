//! Tests of the public interface, in one program: each program of its own would compile the library's
//! generic code again. `cargo test -p wengert-train --test all FILE::` runs those of one file.

mod abort;
mod callbacks;
mod checkpoint;
mod common;
mod custom;
mod error_text;
mod files;
mod fit;
mod plots;
mod refusals;
mod scores;
