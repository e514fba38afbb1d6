//! Named tensors in safetensors files, atomic writing of files, and the errors of reading and writing.
//!
//! This module uses the public methods of tensors only. No other module imports it.
mod address_space;
mod file;
mod file_kind;
mod named;
mod safetensors;

pub use file::{FileError, FileProblem, write_atomically};
pub use file_kind::FileKind;
pub use named::NamedTensors;
