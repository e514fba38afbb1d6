//! Tests of the public interface, in one program: each program of its own would compile the library's
//! generic code again. `cargo test -p wengert --test all FILE::` runs those of one file.

mod api;
mod from_pytorch;
mod graph;
mod historic;
mod lenet;
mod modes;
mod observers;
mod reproducible;
mod summaries;
mod vocabulary;
