//! Files: named tensors in safetensors files, files written as a whole or not at all, and the errors of
//! reading and writing.
//!
//! It knows tensors by their public methods. No other room knows files.
mod error_text;
mod file;
mod file_kind;
mod named;
mod safetensors;

pub use file::{FileError, FileProblem, write_atomically};
pub use file_kind::FileKind;
pub use named::NamedTensors;
