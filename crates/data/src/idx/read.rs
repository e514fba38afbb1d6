//! Reading IDX files: parsing the header, and checking the length of the data.

use super::{FromIdx, IdxArray, IdxType};
use crate::error::DataError;
use crate::unpack::{GZIP, Gunzip, failure, fill, magic};
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;
use wengert_tensor::{FileKind, MAX_RANK, Tensor, shapes};

/// Reads an IDX file, uncompressed or compressed with gzip. Compression is detected from the first bytes,
/// not from the name.
///
/// # Errors
/// If the file cannot be read or is not exactly one IDX array.
pub fn read(path: impl AsRef<Path>) -> Result<IdxArray, DataError> {
    let path = path.as_ref();
    let io_error = |source| DataError::Io { path: path.into(), source };
    let file = File::open(path).map_err(io_error)?;
    let metadata = file.metadata().map_err(io_error)?;
    parse_reader(file, metadata.is_file().then_some(metadata.len()), path)
}

/// Reads an IDX file as a tensor of a type that holds its elements exactly; see [`FromIdx`].
///
/// # Errors
/// If the file cannot be read, is not exactly one IDX array, or has elements that `T` cannot represent
/// exactly.
pub fn read_tensor<T: FromIdx>(path: impl AsRef<Path>) -> Result<Tensor<T>, DataError> {
    let path = path.as_ref();
    let array = read(path)?;
    let found = array.element();
    array.into_tensor().ok_or_else(|| DataError::ElementType {
        path: path.into(),
        wanted: T::NAME,
        found,
    })
}

/// Parses the bytes of an IDX file, uncompressed or compressed with gzip. Errors use `name` as the path.
///
/// # Errors
/// If the bytes are not exactly one IDX array.
pub fn parse(bytes: &[u8], name: impl AsRef<Path>) -> Result<IdxArray, DataError> {
    parse_reader(bytes, Some(bytes.len() as u64), name.as_ref())
}

/// Parses the source, after decompression if its first bytes are those of gzip. `length` is the length of
/// the whole source.
fn parse_reader(
    mut source: impl Read,
    length: Option<u64>,
    path: &Path,
) -> Result<IdxArray, DataError> {
    let (magic, found) = magic(&mut source).map_err(|error| failure(path, false, 0, error))?;
    let source = Cursor::new(magic).take(found as u64).chain(source);
    if magic == GZIP {
        Body { source: Gunzip::new(source), gzip: true, length, path }.read()
    } else {
        Body { source, gzip: false, length, path }.read()
    }
}

/// The decompressed content of a file, with the properties of the file.
struct Body<'a, R> {
    source: R,
    gzip: bool,
    /// The length of the file, before decompression.
    length: Option<u64>,
    path: &'a Path,
}

impl<R: Read> Body<'_, R> {
    fn read(mut self) -> Result<IdxArray, DataError> {
        let (element, shape) = self.header()?;
        let path = self.path;
        // Refuses a shape that no tensor can have. `[0, 2³², 2³²]` is such a shape, although it has no
        // elements.
        let Ok(sizes) = shapes::shape_of("idx", &shape) else {
            return Err(DataError::TooLarge { path: path.into(), shape, element });
        };
        let expected = sizes.numel() * element.size();
        let bytes = self.elements(expected, 4 + 4 * shape.len())?;
        let found = bytes.len();
        if found < expected {
            return Err(DataError::Truncated {
                path: path.into(),
                shape,
                element,
                expected,
                found,
            });
        }
        if found > expected {
            return Err(DataError::TrailingBytes { path: path.into(), shape, element, expected });
        }
        Ok(IdxArray { shape: sizes, data: element.decode(bytes) })
    }

    fn header(&mut self) -> Result<(IdxType, Vec<usize>), DataError> {
        let mut magic = [0; 4];
        let found = self.fill(&mut magic, 0)?;
        if magic[..2] != [0, 0] {
            let mut head = magic[..found].to_vec();
            // The bytes read before an error are enough to detect the kind of the file.
            let _ = self.source.by_ref().take(FileKind::HEAD as u64).read_to_end(&mut head);
            let path = self.path.into();
            return Err(match FileKind::of(&head) {
                Some(kind) => DataError::Kind { path, expected: "an IDX file", kind },
                None => DataError::NotIdx { path, found: magic },
            });
        }
        self.require(4, found)?;
        let [_, _, code, rank] = magic;
        let element = IdxType::from_code(code)
            .ok_or_else(|| DataError::UnknownType { path: self.path.into(), code })?;
        let rank = rank as usize;
        if rank > MAX_RANK {
            return Err(DataError::TooManyAxes { path: self.path.into(), rank, max: MAX_RANK });
        }
        let mut sizes = [0; 4 * MAX_RANK];
        let sizes = &mut sizes[..4 * rank];
        let found = self.fill(sizes, 4)?;
        self.require(4 + 4 * rank, 4 + found)?;
        let (sizes, _) = sizes.as_chunks::<4>();
        Ok((element, sizes.iter().map(|size| u32::from_be_bytes(*size) as usize).collect()))
    }

    /// Reads the data after the header, up to one byte more than expected. The additional byte reveals
    /// trailing data; if there is none, the decompressor reaches the end and verifies its checksum.
    fn elements(&mut self, expected: usize, header: usize) -> Result<Vec<u8>, DataError> {
        // Reserve at most what the file can hold. For a compressed file, assume a ratio of at most 16,
        // which is enough for typical images; more memory is allocated as data is read.
        let most = match self.length {
            Some(length) if self.gzip => length.saturating_mul(16),
            Some(length) => length.saturating_sub(header as u64),
            None => 0,
        };
        let mut bytes = Vec::new();
        // If the reservation fails, reading fails too and returns the error.
        let _ = bytes.try_reserve_exact(expected.min(usize::try_from(most).unwrap_or(usize::MAX)));
        let result = self.source.by_ref().take(expected as u64 + 1).read_to_end(&mut bytes);
        match result {
            Ok(_) => Ok(bytes),
            Err(error) => Err(failure(self.path, self.gzip, header + bytes.len(), error)),
        }
    }

    fn fill(&mut self, buffer: &mut [u8], before: usize) -> Result<usize, DataError> {
        fill(&mut self.source, buffer).map_err(|error| failure(self.path, self.gzip, before, error))
    }

    fn require(&self, expected: usize, found: usize) -> Result<(), DataError> {
        if found < expected {
            return Err(DataError::ShortHeader { path: self.path.into(), expected, found });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    /// An endless source of zeros that counts the requested bytes.
    struct Endless<'a>(&'a mut usize);
    impl Read for Endless<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(0);
            *self.0 += buffer.len();
            Ok(buffer.len())
        }
    }

    #[test]
    fn reading_stops_one_byte_after_the_promised_length() {
        let header = [0, 0, 8, 1, 0, 0, 0, 10];
        let mut read = 0;
        let result =
            parse_reader(header.as_slice().chain(Endless(&mut read)), None, Path::new("endless"));
        assert!(matches!(result, Err(DataError::TrailingBytes { expected: 10, .. })));
        assert_eq!(read, 11);
    }

    #[test]
    fn reading_reserves_at_most_the_memory_that_the_file_can_fill() {
        // The header claims 2^31 bytes and none follow, uncompressed and compressed. `elements` makes the
        // reservation, so check its result.
        for gzip in [false, true] {
            let mut body =
                Body { source: io::empty(), gzip, length: Some(100), path: Path::new("small") };
            let bytes = body.elements(1 << 31, 8).unwrap();
            assert!(bytes.is_empty() && bytes.capacity() <= 1600, "{}", bytes.capacity());
        }
    }
}
