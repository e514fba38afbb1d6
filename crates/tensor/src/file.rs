//! Files with tensors in them: what can be wrong with one, and how to write one safely.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A file that could not be read or written, and why.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub problem: FileProblem,
}

/// What can be wrong with a file of tensors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileProblem {
    /// The system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The file is not as long as it says.
    #[error("cut short or damaged: {expected} bytes expected, there are {found}")]
    Length {
        /// The bytes that the file speaks of.
        expected: u64,
        /// The bytes that it has.
        found: u64,
    },
    /// The header is not what it should be: text in JSON that gives each tensor an element type, a shape
    /// and a place in the data that fits both and follows on the one before.
    #[error("not a safetensors file, or a damaged one: {0}")]
    Header(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An element type that no tensor has.
    #[error("tensor `{name}` has elements of type {dtype:?}, which cannot be read")]
    Dtype {
        /// The tensor.
        name: String,
        /// The type, as the file calls it.
        dtype: String,
    },
    /// A shape that no tensor has.
    #[error("tensor `{name}` has shape {shape:?}: more axes or elements than a tensor can have")]
    Shape {
        /// The tensor.
        name: String,
        /// The claimed sizes.
        shape: Vec<usize>,
    },
}

impl FileProblem {
    /// With the name of the file.
    pub fn at(self, path: impl Into<PathBuf>) -> FileError {
        FileError { path: path.into(), problem: self }
    }
}

/// Writes a file in one step: others see what was there before or all of the new, never a part, even
/// if the machine stops halfway. The bytes go to a temporary file beside it, which takes its name
/// once they have reached the disk.
///
/// # Errors
/// What the system or `write` says; the file is then as it was.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"));
    };
    let unique = format!(".{}.{}.tmp", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let mut temporary_name = std::ffi::OsString::from(".");
    temporary_name.push(name);
    temporary_name.push(unique);
    let temporary = path.with_file_name(temporary_name);

    let result = (|| {
        let file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        let mut out = BufWriter::with_capacity(1 << 16, file);
        write(&mut out)?;
        out.flush()?;
        out.get_ref().sync_all()?;
        drop(out);
        fs::rename(&temporary, path)
    })();
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
        return result;
    }
    // The new name is an entry of the folder, which has to reach the disk too. Not every system can
    // do that; the file itself is safe by now.
    #[cfg(unix)]
    if let Ok(folder) =
        File::open(path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))
    {
        let _ = folder.sync_all();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        write_atomically(&path, |out| out.write_all(b"old")).unwrap();
        let failed = write_atomically(&path, |out| {
            out.write_all(b"half of the n")?;
            Err(io::Error::other("no more"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "no more");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        write_atomically(&path, |out| out.write_all(b"new")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn no_folder_no_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write_atomically(&folder.path().join("missing/model"), |_| Ok(())).is_err());
        assert!(write_atomically(Path::new(".."), |_| Ok(())).is_err());
    }
}
