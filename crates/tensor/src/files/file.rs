//! Files with tensors in them: what can be wrong with one, and how to write one safely.

use super::file_kind::FileKind;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A file that could not be read or written, and why.
#[derive(thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub problem: FileProblem,
}

/// What can be wrong with a file of tensors.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum FileProblem {
    /// The system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A file of another kind.
    #[error("not a safetensors file, but {}", Foreign(*.0))]
    Kind(FileKind),
    /// A file of a kind that is not known. The first 8 bytes are no length of a header.
    #[error("not a safetensors file: it begins with the bytes {0:02x?}")]
    Unknown([u8; 8]),
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

    /// Replaces a problem with the length or the header by the kind of the file where `bytes` do
    /// not begin as a safetensors file does: with the length of a header, and a brace.
    pub(crate) fn explained_by(self, bytes: &[u8]) -> Self {
        let length = bytes.first_chunk().map(|length| u64::from_le_bytes(*length));
        let is_length = length.is_none_or(|length| length <= MAX_HEADER);
        let begins = length.is_some() && is_length && matches!(bytes.get(8), None | Some(b'{'));
        if begins || !matches!(self, FileProblem::Length { .. } | FileProblem::Header(_)) {
            return self;
        }
        match (FileKind::of(bytes), bytes.first_chunk()) {
            (Some(kind), _) => FileProblem::Kind(kind),
            (None, Some(first)) if !is_length => FileProblem::Unknown(*first),
            (None, _) => self,
        }
    }
}

/// The most bytes of a header that the format allows.
const MAX_HEADER: u64 = 100_000_000;

/// What a file is, and how to make a safetensors file of it or to get the one that was meant.
struct Foreign(FileKind);
impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            FileKind::Torch => {
                "export it in Python with `from safetensors.torch import save_file; \
                 save_file(torch.load(\"model.pt\", map_location=\"cpu\"), \"model.safetensors\")`, or, if it \
                 holds a whole model, with its `state_dict()` in place of what `torch.load` returns"
            }
            FileKind::Npz | FileKind::Npy => {
                "export it in Python with `from safetensors.numpy import save_file; \
                 save_file(dict(numpy.load(\"model.npz\")), \"model.safetensors\")`; give the array of an \
                 npy file a name: `save_file({\"x\": numpy.load(\"x.npy\")}, …)`"
            }
            FileKind::Pickle => {
                "load it in Python, if you trust it, and write its arrays with \
                 `safetensors.numpy.save_file`"
            }
            FileKind::Hdf5 => {
                "load it in Python with Keras or h5py, and write its arrays with \
                 `safetensors.numpy.save_file`"
            }
            FileKind::Onnx => {
                "load it in Python, and write its initializers with `safetensors.numpy.save_file`, \
                 each as `onnx.numpy_helper.to_array` gives it"
            }
            FileKind::Json => {
                "if it is the index of a model in several files, load those that it names"
            }
            kind => kind.remedy(),
        };
        let colon = if text.is_empty() { "" } else { ": " };
        write!(f, "{}{colon}{text}", self.0)
    }
}

/// Writes a file in one step: others see what was there before or all of the new, never a part, even
/// if the machine stops halfway. The bytes go to a temporary file beside it, which takes its name
/// once they have reached the disk.
///
/// A file that was there before keeps its permissions and, where the system allows it, its owner; a
/// hard link to it keeps the old content. A symbolic link stays a link, and the file that it names
/// is replaced. What is no file of a disk, such as a pipe, is written to as it is.
///
/// # Errors
/// What the system or `write` says; the file is then as it was. A file that the process may not
/// write to is not replaced.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let before = match fs::metadata(path) {
        Ok(before) if before.is_file() => Some(before),
        // A folder refuses.
        Ok(_) => return fill(OpenOptions::new().write(true).open(path)?, write),
        Err(_) => None,
    };
    let path = &follow_links(path)?;
    if path.file_name().is_none() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"));
    }
    if before.is_some() {
        // To take the place of a file asks for rights on its folder alone.
        drop(OpenOptions::new().write(true).open(path)?);
    }
    let (temporary, file) = create_beside(path)?;
    let result = before
        .map_or(Ok(()), |before| take_over(&before, &file))
        .and_then(|()| fill(file, write))
        .and_then(|()| fs::rename(&temporary, path));
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

/// Writes into an open file, up to the disk.
fn fill(file: File, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let on_disk = file.metadata()?.is_file();
    let mut out = BufWriter::with_capacity(1 << 16, file);
    write(&mut out)?;
    out.flush()?;
    if on_disk { out.get_ref().sync_all() } else { Ok(()) }
}

/// Returns the path that a chain of symbolic links ends at, whether there is a file or not.
fn follow_links(path: &Path) -> io::Result<PathBuf> {
    // As many as Linux follows.
    const LINKS: usize = 40;
    let mut path = path.to_path_buf();
    for _ in 0..=LINKS {
        // Fails where the path is no link.
        let Ok(target) = fs::read_link(&path) else { return Ok(path) };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    Err(io::Error::other("too many symbolic links"))
}

/// Creates a file of a new name in the folder of `path`.
fn create_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // A run that was killed may have had the same process number, and left its file.
    const TRIES: usize = 1000;
    let mut tries = 0;
    loop {
        // Without the name of the file, which may be as long as the system allows.
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!(".wengert.{}.{count}.tmp", std::process::id());
        let temporary = path.with_file_name(name);
        tries += 1;
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < TRIES => {}
            Err(error) => return Err(error),
        }
    }
}

/// Gives a new file the permissions of the one that it replaces, and its owner if the system allows
/// it. That comes before the first byte: what is private was never readable.
fn take_over(before: &fs::Metadata, file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let now = file.metadata()?;
        if (now.uid(), now.gid()) != (before.uid(), before.gid())
            && fchown(file, Some(before.uid()), Some(before.gid())).is_err()
        {
            let _ = fchown(file, None, Some(before.gid()));
        }
    }
    file.set_permissions(before.permissions())
}

crate::debug_is_display!(FileError, FileProblem);

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

    #[cfg(unix)]
    mod unix {
        use super::*;
        use std::os::unix::fs::{PermissionsExt, symlink};

        fn mode(path: &Path) -> u32 {
            fs::metadata(path).unwrap().permissions().mode() & 0o7777
        }

        fn put(path: &Path, text: &str) -> io::Result<()> {
            write_atomically(path, |out| out.write_all(text.as_bytes()))
        }

        #[test]
        fn a_file_keeps_its_mode() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("model");
            put(&path, "new").unwrap();
            let plain = folder.path().join("plain");
            fs::write(&plain, "").unwrap();
            assert_eq!(mode(&path), mode(&plain), "a new file has the mode of any new file");
            for bits in [0o600, 0o640, 0o664, 0o755, 0o666] {
                fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
                let during = std::cell::Cell::new(0);
                write_atomically(&path, |out| {
                    during.set(out.get_ref().metadata()?.permissions().mode() & 0o7777);
                    out.write_all(format!("{bits}").as_bytes())
                })
                .unwrap();
                assert_eq!((mode(&path), during.get()), (bits, bits));
                assert_eq!(fs::read_to_string(&path).unwrap(), bits.to_string());
            }
        }

        #[test]
        fn a_link_stays_a_link() {
            let folder = tempfile::tempdir().unwrap();
            let at = |name: &str| folder.path().join(name);
            fs::create_dir(at("store")).unwrap();
            fs::write(at("store/v1"), "old").unwrap();
            fs::set_permissions(at("store/v1"), fs::Permissions::from_mode(0o640)).unwrap();
            symlink("store/v1", at("near")).unwrap();
            symlink(at("near"), at("far")).unwrap();
            for (link, text) in [("near", "one"), ("far", "two")] {
                put(&at(link), text).unwrap();
                assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink());
                assert!(!fs::symlink_metadata(at("store/v1")).unwrap().is_symlink());
                assert_eq!(fs::read_to_string(at("store/v1")).unwrap(), text);
                assert_eq!(mode(&at("store/v1")), 0o640);
            }
            // The file that a link names may not be there yet; then it is made.
            symlink("store/v2", at("next")).unwrap();
            put(&at("next"), "three").unwrap();
            assert_eq!(fs::read_to_string(at("store/v2")).unwrap(), "three");
            assert!(fs::symlink_metadata(at("next")).unwrap().is_symlink());
            // What fails changes nothing.
            assert!(write_atomically(&at("far"), |_| Err(io::Error::other("no"))).is_err());
            assert_eq!(fs::read_to_string(at("far")).unwrap(), "two");
            symlink("round", at("round")).unwrap();
            assert!(put(&at("round"), "").is_err());
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5);
            assert_eq!(fs::read_dir(at("store")).unwrap().count(), 2);
        }

        #[test]
        fn a_device_stays_a_device() {
            use std::os::unix::fs::FileTypeExt;
            put(Path::new("/dev/null"), "gone").unwrap();
            assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
            let folder = tempfile::tempdir().unwrap();
            assert!(put(folder.path(), "").is_err());
            assert!(folder.path().is_dir());
        }

        #[test]
        fn names_of_any_length_and_files_of_a_killed_run() {
            let folder = tempfile::tempdir().unwrap();
            put(&folder.path().join("x".repeat(255)), "").unwrap();
            // Names that the next calls would have taken.
            let (last, _) = create_beside(&folder.path().join("model")).unwrap();
            let name = last.file_name().unwrap().to_str().unwrap();
            let count: u64 = name.split('.').rev().nth(1).unwrap().parse().unwrap();
            for next in count + 1..count + 20 {
                let name = format!(".wengert.{}.{next}.tmp", std::process::id());
                fs::write(folder.path().join(name), "left").unwrap();
            }
            put(&folder.path().join("model"), "new").unwrap();
            assert_eq!(fs::read_to_string(folder.path().join("model")).unwrap(), "new");
        }
    }
}
