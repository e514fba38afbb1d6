//! Tests of the public interface, in one program, because each separate program would compile the library's
//! generic code again. `cargo test -p wengert-autograd --test all FILE::` runs the tests of one file.

mod anomaly;
mod buffers;
mod checkpoint;
mod common;
mod contractions;
mod elementwise;
mod engine;
mod failures;
mod faults;
mod graph;
mod hooks;
mod masks;
mod norms;
mod parts;
mod per_sample;
mod profile;
mod programs;
mod reference_file;
mod references;
mod replay;
mod report;
mod rooms;
mod rules;
mod scalars;
#[path = "../../../tensor/tests/all/scan/mod.rs"]
mod scan;
mod shapes;
mod targets;
mod testing;
mod transforms;
mod twins;
mod versions;
mod wrt;
