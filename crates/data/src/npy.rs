//! The file formats of NumPy: an array in a `.npy` file, and several arrays with names in an `.npz` archive.
//!
//! ```
//! use wengert::data::npy;
//! use wengert::tensor::{NamedTensors, Tensor};
//!
//! let x = Tensor::from([[1.0f64, 2.0, 3.0], [4.0, 5.0, 6.0]]);
//! let bytes = npy::to_bytes(x.clone());
//! assert_eq!(npy::parse(&bytes, "an example").unwrap(), x.clone().into());
//!
//! let mut arrays = NamedTensors::new();
//! arrays.insert("x", x);
//! arrays.insert("y", Tensor::from([0i64, 1]));
//! let bytes = npy::archive_to_bytes(&arrays);
//! assert_eq!(npy::parse_archive(&bytes, "an example").unwrap(), arrays);
//! ```
//!
//! | NumPy | tensor |
//! |---|---|
//! | `float32`, `float64`, `int64`, `uint32`, `uint8`, `bool` | the same type |
//! | `float16` | `f32` |
//! | `int8`, `int16`, `int32`, `uint16` | `i64` |
//!
//! Both byte orders and both orders of axes (C and Fortran) can be read. Tensors are written little-endian in
//! C order. For any input, reading returns arrays or a [`DataError`]. Memory use is bounded by the actual
//! data, not by the sizes that a header claims.
//!
//! (NumPy Enhancement Proposal 1, R. Kern, "A simple file format for NumPy arrays", 2007.)

use crate::error::DataError;
use crate::problem::{ArchiveProblem, NpyProblem};
use crate::unpack::{Unpacked, fill, kind_of};
use crate::zip::{self, Zip};
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, Write};
use std::path::Path;
use wengert_tensor::{AnyTensor, Element, NamedTensors, Tensor, shapes, write_atomically};

mod elements;
mod header;
mod npy_type;
use header::NpyHeader;
use npy_type::NpyType;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// The maximum length of a header. NumPy itself refuses headers of more than 10,000 characters.
const LONGEST: usize = 1 << 16;
/// The suffix of the names of arrays in an archive.
const SUFFIX: &str = ".npy";

/// Reads a `.npy` file, uncompressed or compressed with gzip.
///
/// # Errors
/// If the file cannot be read or is not exactly one array of a type in the table of this module.
pub fn read(path: impl AsRef<Path>) -> Result<AnyTensor, DataError> {
    let path = path.as_ref();
    let length = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file);
    array(Unpacked::open(path)?, length.map(|it| it.len()), path)
}

/// Reads a `.npy` file whose elements are of type `T`.
///
/// # Errors
/// If the file cannot be read, is not exactly one array, or has elements of another type.
pub fn read_tensor<T: Element>(path: impl AsRef<Path>) -> Result<Tensor<T>, DataError> {
    let path = path.as_ref();
    let any = read(path)?;
    any.get::<T>().cloned().ok_or_else(|| DataError::Npy {
        path: path.into(),
        problem: NpyProblem::Mismatch { wanted: T::DTYPE, found: any.dtype() },
    })
}

/// Parses the bytes of a `.npy` file. Errors use `name` as the path.
///
/// # Errors
/// If the bytes are not exactly one array of a type in the table of this module.
pub fn parse(bytes: &[u8], name: impl AsRef<Path>) -> Result<AnyTensor, DataError> {
    array(bytes, Some(bytes.len() as u64), name.as_ref())
}

/// Returns the bytes of a `.npy` file with this tensor.
pub fn to_bytes(tensor: impl Into<AnyTensor>) -> Vec<u8> {
    let tensor = tensor.into();
    let mut header = format!(
        "{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}",
        NpyType::descr(tensor.dtype()),
        header::tuple(&tensor.shape())
    );
    // The elements begin at a multiple of 64 bytes, so that they can be mapped into memory.
    let before = MAGIC.len() + 4;
    let length = (before + header.len() + 1).next_multiple_of(64) - before;
    header.push_str(&" ".repeat(length - header.len() - 1));
    header.push('\n');
    let mut bytes = [MAGIC.as_slice(), &[1, 0], &(length as u16).to_le_bytes()].concat();
    bytes.extend_from_slice(header.as_bytes());
    elements::encode(&tensor, &mut bytes);
    bytes
}

/// Writes a `.npy` file atomically (see [`write_atomically`]).
///
/// # Errors
/// If the file cannot be written. An existing file is then unchanged.
pub fn write(path: impl AsRef<Path>, tensor: impl Into<AnyTensor>) -> Result<(), DataError> {
    let (path, bytes) = (path.as_ref(), to_bytes(tensor));
    write_atomically(path, |out| out.write_all(&bytes))
        .map_err(|source| DataError::Io { path: path.into(), source })
}

/// Reads an `.npz` archive, as `numpy.savez` and `numpy.savez_compressed` write it. The names are without
/// `.npy`.
///
/// # Errors
/// If the file cannot be read, is not a zip archive, or one of its files is not an array.
pub fn read_archive(path: impl AsRef<Path>) -> Result<NamedTensors, DataError> {
    let path = path.as_ref();
    let file = File::open(path).map_err(|source| DataError::Io { path: path.into(), source })?;
    arrays(BufReader::new(file), path)
}

/// Parses the bytes of an `.npz` archive. Errors use `name` as the path.
///
/// # Errors
/// If the bytes are not a zip archive, or one of its files is not an array.
pub fn parse_archive(bytes: &[u8], name: impl AsRef<Path>) -> Result<NamedTensors, DataError> {
    arrays(Cursor::new(bytes), name.as_ref())
}

/// Returns the bytes of an `.npz` archive with these tensors, compressed as by `numpy.savez_compressed`. The
/// metadata of the tensors are not written.
///
/// # Panics
/// If a tensor or the archive needs 4 GiB or more, or if there are 65,535 tensors or more: the limits of a
/// zip archive.
#[track_caller]
pub fn archive_to_bytes(tensors: &NamedTensors) -> Vec<u8> {
    let entries =
        tensors.iter().map(|(name, tensor)| (format!("{name}{SUFFIX}"), to_bytes(tensor.clone())));
    match zip::to_bytes(entries) {
        Some(bytes) => bytes,
        None => panic!(
            "npy: the tensors are larger than a zip archive can be (4 GiB): write files with npy::write"
        ),
    }
}

/// Writes an `.npz` archive atomically (see [`write_atomically`]); see [`archive_to_bytes`].
///
/// # Errors
/// If the file cannot be written. An existing file is then unchanged.
///
/// # Panics
/// As [`archive_to_bytes`].
#[track_caller]
pub fn write_archive(path: impl AsRef<Path>, tensors: &NamedTensors) -> Result<(), DataError> {
    let (path, bytes) = (path.as_ref(), archive_to_bytes(tensors));
    write_atomically(path, |out| out.write_all(&bytes))
        .map_err(|source| DataError::Io { path: path.into(), source })
}

fn arrays(source: impl Read + Seek, path: &Path) -> Result<NamedTensors, DataError> {
    let failed = |problem| DataError::Archive { path: path.into(), problem };
    let mut zip = Zip::open(source).map_err(failed)?;
    let mut tensors = NamedTensors::new();
    for index in 0..zip.entries().len() {
        let entry = zip.entries()[index].clone();
        if entry.name.ends_with('/') {
            continue;
        }
        let name = entry.name.strip_suffix(SUFFIX).unwrap_or(&entry.name);
        // safetensors reserves the name, so a list of tensors cannot have it.
        if name == "__metadata__" || tensors.get(name).is_some() {
            return Err(failed(ArchiveProblem::Name(name.into())));
        }
        let inside = path.join(&entry.name);
        let length = entry.size.min(entry.packed.saturating_mul(16));
        let mut reader = zip.read(index).map_err(failed)?;
        let tensor = array(&mut reader, Some(length), &inside).map_err(|error| match error {
            DataError::Io { source, .. } => {
                failed(ArchiveProblem::Damaged { entry: entry.name.clone(), source })
            }
            error => error,
        })?;
        tensors.insert(name, tensor);
    }
    Ok(tensors)
}

/// Reads one array. `length` is the number of bytes of the source, as far as it is known.
fn array(mut source: impl Read, length: Option<u64>, path: &Path) -> Result<AnyTensor, DataError> {
    let header = NpyHeader::read(&mut source, path)?;
    let failed = |problem| DataError::Npy { path: path.into(), problem };
    let shape: Option<Vec<usize>> =
        header.shape.iter().map(|&size| usize::try_from(size).ok()).collect();
    let claimed = || failed(NpyProblem::Shape { shape: header.shape.clone() });
    let shape = shape.ok_or_else(claimed)?;
    let numel = shapes::shape_of("npy", &shape).map_err(|_| claimed())?.numel();
    let expected = numel.checked_mul(header.kind.size()).ok_or_else(claimed)?;
    let mut bytes = Vec::new();
    // If the reservation fails, reading fails too and returns the error.
    let most = usize::try_from(length.unwrap_or(0)).unwrap_or(usize::MAX);
    let _ = bytes.try_reserve_exact(expected.min(most));
    // The additional byte reveals trailing data. If there is none, a decompressor reaches the end of its
    // stream and compares checksums.
    let result = source.by_ref().take(expected as u64 + 1).read_to_end(&mut bytes);
    result.map_err(|source| DataError::Io { path: path.into(), source })?;
    let found = bytes.len();
    if found != expected {
        return Err(failed(NpyProblem::Length { shape, expected, found }));
    }
    Ok(elements::decode(&bytes, &header, &shape))
}

/// Reads until the buffer is full or the source ends.
fn fill_from(source: &mut impl Read, buffer: &mut [u8], path: &Path) -> Result<usize, DataError> {
    fill(source, buffer).map_err(|source| DataError::Io { path: path.into(), source })
}

/// Returns the error for a file that does not begin like an array.
fn not_npy(head: Vec<u8>, rest: &mut impl Read, path: &Path) -> DataError {
    let path = path.to_path_buf();
    match kind_of(&head, rest) {
        Some(kind) => DataError::Kind { path, expected: "an array of NumPy (npy)", kind },
        None => DataError::Npy { path, problem: NpyProblem::NotNpy { found: head } },
    }
}
