//! Files.
mod error_text;
mod file;
mod file_kind;
mod named;
mod safetensors;

pub use file::{FileError, FileProblem, write_atomically};
pub use file_kind::FileKind;
pub use named::NamedTensors;
