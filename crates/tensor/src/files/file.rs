//! The errors of reading and writing files of tensors, and atomic writing.

use super::file_kind::FileKind;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The error of a file that could not be read or written.
#[derive(thiserror::Error)]
#[error("{}: {problem}", path.display())]
#[non_exhaustive]
pub struct FileError {
    /// The path of the file.
    pub path: PathBuf,
    /// The reason.
    #[source]
    pub problem: FileProblem,
}

/// The reasons why a file of tensors cannot be read or written.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum FileProblem {
    /// The operating system returned an error.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The file is of another known kind.
    #[error("not a safetensors file, but {}", Foreign(*.0))]
    Kind(FileKind),
    /// The kind of the file is not known. Its first 8 bytes are not the length of a header.
    #[error("not a safetensors file: it begins with the bytes {0:02x?}")]
    Unknown([u8; 8]),
    /// The file does not have the length that its header gives.
    #[error("cut short or damaged: expected {expected} bytes, found {found}")]
    Length {
        /// The number of bytes according to the header.
        expected: u64,
        /// The number of bytes in the file.
        found: u64,
    },
    /// The header is not valid. A valid header is JSON that gives each tensor an element type, a shape
    /// and a range of the data. The range must fit the type and the shape, and must begin at the end of the
    /// range before it.
    #[error("not a safetensors file, or a damaged one: {0}")]
    Header(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A tensor in the file has an element type that [`Dtype`](crate::Dtype) does not support.
    #[error("tensor `{name}` has elements of type {dtype:?}, which cannot be read")]
    Dtype {
        /// The name of the tensor.
        name: String,
        /// The name of the type in the file.
        dtype: String,
    },
    /// A tensor in the file has more axes or more elements than a tensor can have.
    #[error("tensor `{name}` has shape {shape:?}: more axes or elements than a tensor can have")]
    Shape {
        /// The name of the tensor.
        name: String,
        /// The sizes of the axes according to the header.
        shape: Vec<usize>,
    },
    /// The addresses of this target are too narrow for a tensor in the file, or for its position in the file. With
    /// addresses of 32 bits, a tensor must have less than 512 MiB and less than 2²⁷ elements.
    #[error(
        "tensor `{name}` of shape {shape:?} exceeds the address space of this target, whose addresses have \
         {address_bits} bits: read the file on a target with 64-bit addresses"
    )]
    AddressSpace {
        /// The name of the tensor.
        name: String,
        /// The sizes of the axes according to the header.
        shape: Vec<u64>,
        /// The number of bits of an address.
        address_bits: u32,
    },
}

impl FileProblem {
    /// Adds the path of the file.
    pub fn at(self, path: impl Into<PathBuf>) -> FileError {
        FileError { path: path.into(), problem: self }
    }

    /// Replaces an error of the length or the header by the kind of the file, if `bytes` do not begin like
    /// a safetensors file: with the length of a header, and a brace.
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

/// The largest number of bytes of a header that the format allows.
const MAX_HEADER: u64 = 100_000_000;

/// Displays the kind of a file, and how to convert the file to safetensors or how to get the right file.
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

/// Writes a file atomically: a reader sees the old content or the whole new content, never a part, even
/// if the machine stops while writing. The bytes are written to a temporary file in the same folder, which
/// is renamed to `path` once they have reached the disk.
///
/// If a file existed before, its permissions are kept, and its owner too where the system allows it. A
/// hard link to the old file keeps the old content. A symbolic link remains a link, and the file to which it
/// points is replaced. Anything other than a regular file, such as a pipe, is written to directly.
///
/// # Errors
/// If the system or `write` returns an error, or the process has no permission to write to an existing
/// file. An existing file then remains unchanged.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let before = match fs::metadata(path) {
        Ok(before) if before.is_file() => Some(before),
        // Opening a folder for writing fails.
        Ok(_) => return fill(OpenOptions::new().write(true).open(path)?, write),
        Err(_) => None,
    };
    let path = &follow_links(path)?;
    if path.file_name().is_none() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"));
    }
    if before.is_some() {
        // Renaming needs permissions on the folder only, so check that the file itself is writable.
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
    // The new name is an entry of the folder, which must reach the disk too. Not every system supports
    // this. An error is ignored, because the content of the file is on the disk already.
    #[cfg(unix)]
    if let Ok(folder) =
        File::open(path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))
    {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Writes to an open file and waits until the bytes have reached the disk.
fn fill(file: File, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let on_disk = file.metadata()?.is_file();
    let mut out = BufWriter::with_capacity(1 << 16, file);
    write(&mut out)?;
    out.flush()?;
    if on_disk { out.get_ref().sync_all() } else { Ok(()) }
}

/// Returns the path at the end of a chain of symbolic links, whether a file exists there or not.
fn follow_links(path: &Path) -> io::Result<PathBuf> {
    // The number of links that Linux follows.
    const LINKS: usize = 40;
    let mut path = path.to_path_buf();
    for _ in 0..=LINKS {
        // Fails if the path is not a link.
        let Ok(target) = fs::read_link(&path) else { return Ok(path) };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    Err(io::Error::other("too many symbolic links"))
}

/// Creates a file with a new name in the folder of `path`.
fn create_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // A killed process with the same process id may have left files with these names.
    const TRIES: usize = 1000;
    // WebAssembly has no process ids: `id` panics there.
    let process = if cfg!(target_family = "wasm") { 0 } else { std::process::id() };
    let mut tries = 0;
    loop {
        // The name of the target is left out, because it may be as long as the system allows already.
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!(".wengert.{process}.{count}.tmp");
        let temporary = path.with_file_name(name);
        tries += 1;
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < TRIES => {}
            Err(error) => return Err(error),
        }
    }
}

/// Gives a new file the permissions of the file that it replaces, and its owner if the system allows it.
/// It is called before the first byte is written, so that private content is never readable by others.
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
    // WASI has no permissions.
    if cfg!(target_os = "wasi") { Ok(()) } else { file.set_permissions(before.permissions()) }
}

crate::debug_is_display!(FileError, FileProblem);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_keeps_the_old_file_and_leaves_no_temporary_file() {
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
    fn writing_into_a_missing_folder_is_an_error() {
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
        fn a_replaced_file_keeps_its_permissions() {
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
        fn writing_through_a_link_keeps_the_link_and_writes_its_target() {
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
            // The file to which a link points may not exist yet; then it is created.
            symlink("store/v2", at("next")).unwrap();
            put(&at("next"), "three").unwrap();
            assert_eq!(fs::read_to_string(at("store/v2")).unwrap(), "three");
            assert!(fs::symlink_metadata(at("next")).unwrap().is_symlink());
            // A failed write changes nothing.
            assert!(write_atomically(&at("far"), |_| Err(io::Error::other("no"))).is_err());
            assert_eq!(fs::read_to_string(at("far")).unwrap(), "two");
            symlink("round", at("round")).unwrap();
            assert!(put(&at("round"), "").is_err());
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5);
            assert_eq!(fs::read_dir(at("store")).unwrap().count(), 2);
        }

        #[test]
        fn a_device_is_written_and_not_replaced() {
            use std::os::unix::fs::FileTypeExt;
            put(Path::new("/dev/null"), "gone").unwrap();
            assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
            let folder = tempfile::tempdir().unwrap();
            assert!(put(folder.path(), "").is_err());
            assert!(folder.path().is_dir());
        }

        #[test]
        fn long_names_and_leftover_temporary_files_do_not_prevent_writing() {
            let folder = tempfile::tempdir().unwrap();
            put(&folder.path().join("x".repeat(255)), "").unwrap();
            // Create files with the names that the next calls would use.
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
