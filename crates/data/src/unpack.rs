//! Reading files that may be compressed with gzip.

use crate::error::DataError;
use flate2::bufread::GzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use wengert_tensor::FileKind;

/// The decompressed content of a file.
pub(crate) struct Unpacked<'a> {
    source: Box<dyn Read + 'a>,
    gzip: bool,
    /// The number of decompressed bytes that were read so far.
    read: usize,
    path: &'a Path,
}

impl<'a> Unpacked<'a> {
    /// Opens a file. Compression is detected from its first bytes, not from its name.
    pub fn open(path: &'a Path) -> Result<Self, DataError> {
        let mut file = File::open(path).map_err(|error| failure(path, false, 0, error))?;
        let (magic, found) = magic(&mut file).map_err(|error| failure(path, false, 0, error))?;
        let source = Cursor::new(magic).take(found as u64).chain(file);
        let gzip = magic == GZIP;
        let source: Box<dyn Read> =
            if gzip { Box::new(Gunzip::new(source)) } else { Box::new(source) };
        Ok(Unpacked { source, gzip, read: 0, path })
    }

    /// Appends up to `limit` bytes to `bytes` and returns their number, which is less than `limit` only at
    /// the end of the file. Memory grows with the bytes that are read, not with `limit`.
    pub fn read_up_to(&mut self, limit: usize, bytes: &mut Vec<u8>) -> Result<usize, DataError> {
        let result = self.source.by_ref().take(limit as u64).read_to_end(bytes);
        self.count(result)
    }

    /// Returns all bytes.
    pub fn read_all(mut self) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        self.read_up_to(usize::MAX, &mut bytes)?;
        Ok(bytes)
    }

    fn count(&mut self, result: io::Result<usize>) -> Result<usize, DataError> {
        let found = result.map_err(|error| failure(self.path, self.gzip, self.read, error))?;
        self.read += found;
        Ok(found)
    }
}

impl Read for Unpacked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.source.read(buffer)
    }
}

/// Returns the kind of a file with unexpected content, after decompression. Returns `None` if the content is
/// empty or begins with zeros, because pixels are often zero.
pub(crate) fn kind(path: &Path) -> Option<FileKind> {
    let mut head = Vec::new();
    Unpacked::open(path).ok()?.read_up_to(FileKind::HEAD, &mut head).ok()?;
    FileKind::of(&head).filter(|kind| !matches!(kind, FileKind::Empty | FileKind::Zeros))
}

/// Returns the kind of a file that begins with these bytes and goes on with `rest`.
pub(crate) fn kind_of(head: &[u8], rest: &mut impl Read) -> Option<FileKind> {
    let mut head = head.to_vec();
    // The bytes read before an error are enough to detect the kind of the file.
    let _ = rest.take(FileKind::HEAD as u64).read_to_end(&mut head);
    FileKind::of(&head)
}

/// The decompressed content of a gzip stream with one or more members. Zeros after a member are padding, as
/// for `gzip`; other bytes are an error.
pub(crate) struct Gunzip<R> {
    /// The current member; `None` after the last one.
    part: Option<GzDecoder<BufReader<R>>>,
}

impl<R: Read> Gunzip<R> {
    pub fn new(source: R) -> Self {
        Gunzip { part: Some(GzDecoder::new(BufReader::new(source))) }
    }
}

impl<R: Read> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(part) = self.part.as_mut().filter(|_| !buffer.is_empty()) {
            let n = part.read(buffer)?;
            if n > 0 {
                return Ok(n);
            }
            let rest = self.part.take().map(GzDecoder::into_inner);
            self.part = rest.map(next_part).transpose()?.flatten();
        }
        Ok(0)
    }
}

fn next_part<R: Read>(mut source: BufReader<R>) -> io::Result<Option<GzDecoder<BufReader<R>>>> {
    loop {
        let bytes = match source.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
        let (end, more) = (bytes.is_empty(), zeros < bytes.len());
        source.consume(zeros);
        if end || more {
            return Ok(more.then(|| GzDecoder::new(source)));
        }
    }
}

/// The lines of a decompressed file.
pub(crate) struct Lines<'a> {
    unpacked: Unpacked<'a>,
    bytes: Vec<u8>,
    start: usize,
}

/// The number of bytes that are read at a time.
const CHUNK: usize = 1 << 16;

impl<'a> Lines<'a> {
    pub fn new(unpacked: Unpacked<'a>) -> Self {
        Lines { unpacked, bytes: Vec::new(), start: 0 }
    }

    /// Returns the next line without its line end, or `None` after the last line. A line longer than `limit`
    /// bytes is returned in pieces of at most `limit` bytes.
    pub fn next(&mut self, limit: usize) -> Result<Option<&[u8]>, DataError> {
        let mut searched = self.start;
        let (stop, next) = loop {
            if let Some(at) = self.bytes[searched..].iter().position(|&byte| byte == b'\n') {
                break (searched + at, searched + at + 1);
            }
            searched = self.bytes.len();
            if searched - self.start >= limit {
                break (searched, searched);
            }
            self.bytes.drain(..self.start);
            (searched, self.start) = (searched - self.start, 0);
            if self.unpacked.read_up_to(CHUNK, &mut self.bytes)? == 0 {
                if self.bytes.is_empty() {
                    return Ok(None);
                }
                break (searched, searched);
            }
        };
        let line = self.start..stop.min(self.start.saturating_add(limit));
        self.start = if line.end < stop { line.end } else { next };
        Ok(Some(&self.bytes[line]))
    }
}

/// The first bytes of a gzip stream.
pub(crate) const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Returns the first two bytes, and how many of them exist.
pub(crate) fn magic(source: &mut impl Read) -> io::Result<([u8; 2], usize)> {
    let mut magic = [0; 2];
    let found = fill(source, &mut magic)?;
    Ok((magic, found))
}

/// Reads until the buffer is full or the source ends. Returns the number of bytes read.
pub(crate) fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Converts an I/O error of the operating system or of the decompressor. Errors of the decompressor have no
/// OS error code.
pub(crate) fn failure(path: &Path, gzip: bool, read: usize, source: io::Error) -> DataError {
    let damage =
        gzip && source.raw_os_error().is_none() && source.kind() != io::ErrorKind::OutOfMemory;
    if damage {
        DataError::Gzip { path: path.into(), read, source }
    } else {
        DataError::Io { path: path.into(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, limit: usize) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        std::fs::write(&path, text).unwrap();
        let mut lines = Lines::new(Unpacked::open(&path).unwrap());
        let mut out = Vec::new();
        while let Some(line) = lines.next(limit).unwrap() {
            out.push(String::from_utf8(line.to_vec()).unwrap());
        }
        out
    }

    #[test]
    fn lines_of_any_length_are_split_at_line_breaks() {
        assert_eq!(lines("", 10), [""; 0]);
        assert_eq!(lines("\n", 10), [""]);
        assert_eq!(lines("a", 10), ["a"]);
        assert_eq!(lines("a\n\nbc\nd", 10), ["a", "", "bc", "d"]);
        assert_eq!(lines("a\n\nbc\nd\n", 10), ["a", "", "bc", "d"]);
        for length in [CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let long = "x".repeat(length);
            assert_eq!(lines(&format!("{long}\n{long}"), usize::MAX), [long.clone(), long]);
        }
        assert_eq!(lines("abc\nde", 2), ["ab", "c", "de"]);
    }

    /// An endless line does not fill the memory.
    #[test]
    fn a_line_above_the_limit_is_read_only_in_part() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        std::fs::write(&path, vec![b'x'; 20 * CHUNK]).unwrap();
        let mut lines = Lines::new(Unpacked::open(&path).unwrap());
        assert_eq!(lines.next(100).unwrap().map(<[u8]>::len), Some(100));
        assert!(lines.bytes.capacity() <= 4 * CHUNK);
    }
}
