//! Files of plots.

use std::io::{self, Write};
use std::path::Path;
use wengert_tensor::{FileError, FileProblem, write_atomically};

/// Writes a plot to a file. Creates missing folders and replaces an existing file atomically.
pub(crate) fn save(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let write = || -> io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        write_atomically(path, |out| out.write_all(bytes))
    };
    write().map_err(|error| FileProblem::from(error).at(path))
}
