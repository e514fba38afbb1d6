//! Tests of the public interface, in one program. Each further program would compile the generic code of the
//! library again. `cargo test -p wengert-tensor --test all FILE::` runs the tests of one file.

mod geometry;
mod messages;
mod rooms;
mod scan;
mod threads;
