//! Zip archives: files that are stored or compressed with deflate.
//!
//! (PKWARE, ".ZIP file format specification", version 6.3.)

use crate::problem::ArchiveProblem::{self, Bounds, Damaged, Format, Unsupported};
use flate2::read::{DeflateDecoder, DeflateEncoder};
use flate2::{Compression, Crc};
use std::io::{self, Read, Seek, SeekFrom};

/// A file of an archive, as the directory at the end of the archive describes it.
#[derive(Clone, Debug)]
pub(crate) struct ZipEntry {
    pub name: String,
    /// The number of bytes in the archive.
    pub packed: u64,
    /// The number of bytes of the file, according to the directory.
    pub size: u64,
    flags: u16,
    method: u16,
    crc: u32,
    /// The position of the header of the file.
    offset: u64,
}

/// An open archive.
pub(crate) struct Zip<R> {
    source: R,
    entries: Vec<ZipEntry>,
}

/// The lengths of the records, without names and comments.
const END: usize = 22;
const CENTRAL: usize = 46;
const LOCAL: usize = 30;
/// The longest comment behind the directory.
const COMMENT: usize = u16::MAX as usize;

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u16_at(bytes, at) as u32 | (u16_at(bytes, at + 2) as u32) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u32_at(bytes, at) as u64 | (u32_at(bytes, at + 4) as u64) << 32
}

fn bounds(part: &'static str) -> ArchiveProblem {
    Bounds { format: "zip", part }
}

impl<R: Read + Seek> Zip<R> {
    /// Reads the directory of an archive.
    pub fn open(mut source: R) -> Result<Self, ArchiveProblem> {
        let directory = |source| Damaged { entry: "the directory".into(), source };
        let length = source.seek(SeekFrom::End(0)).map_err(directory)?;
        let tail = length.min((END + COMMENT + 20) as u64);
        let mut bytes = vec![0; tail as usize];
        source.seek(SeekFrom::Start(length - tail)).map_err(directory)?;
        source.read_exact(&mut bytes).map_err(directory)?;
        let end = (0..=bytes.len().saturating_sub(END))
            .rev()
            .find(|&at| bytes.len() >= END && bytes[at..].starts_with(b"PK\x05\x06"))
            .ok_or(Format("zip"))?;
        let (mut size, mut offset) =
            (u64::from(u32_at(&bytes, end + 12)), u64::from(u32_at(&bytes, end + 16)));
        // Archives of more than 4 GiB have a second record of the end, with numbers of 64 bits.
        let locator = end.checked_sub(20).filter(|&at| bytes[at..].starts_with(b"PK\x06\x07"));
        if let Some(locator) = locator
            && (size == u64::from(u32::MAX) || offset == u64::from(u32::MAX))
        {
            let mut record = [0; 56];
            let at = u64_at(&bytes, locator + 8);
            source.seek(SeekFrom::Start(at.min(length))).map_err(directory)?;
            source.read_exact(&mut record).map_err(|_| bounds("its directory"))?;
            (size, offset) = (u64_at(&record, 40), u64_at(&record, 48));
        }
        if offset.checked_add(size).is_none_or(|end| end > length) {
            return Err(bounds("its directory"));
        }
        let mut bytes = Vec::new();
        source.seek(SeekFrom::Start(offset)).map_err(directory)?;
        source.by_ref().take(size).read_to_end(&mut bytes).map_err(directory)?;
        Ok(Zip { source, entries: entries(&bytes)? })
    }

    /// Returns the files, in the order of the directory.
    pub fn entries(&self) -> &[ZipEntry] {
        &self.entries
    }

    /// Returns the content of a file. A read error follows if the content is damaged.
    pub fn read(&mut self, index: usize) -> Result<impl Read + '_, ArchiveProblem> {
        let entry = &self.entries[index];
        let unsupported = |property| Unsupported { entry: entry.name.clone(), property };
        if entry.flags & 1 != 0 {
            return Err(unsupported("encrypted"));
        }
        let damaged = |source| Damaged { entry: entry.name.clone(), source };
        let mut local = [0; LOCAL];
        self.source.seek(SeekFrom::Start(entry.offset)).map_err(damaged)?;
        self.source.read_exact(&mut local).map_err(|_| bounds("the header of a file"))?;
        if !local.starts_with(b"PK\x03\x04") {
            return Err(bounds("the header of a file"));
        }
        let skipped = i64::from(u16_at(&local, 26)) + i64::from(u16_at(&local, 28));
        self.source.seek(SeekFrom::Current(skipped)).map_err(damaged)?;
        let packed = self.source.by_ref().take(entry.packed);
        let content: Box<dyn Read> = match entry.method {
            0 => Box::new(packed),
            8 => Box::new(DeflateDecoder::new(packed)),
            _ => return Err(unsupported("compressed by another method than deflate")),
        };
        Ok(Checked { content, crc: Crc::new(), size: entry.size, expected: entry.crc })
    }
}

/// Parses the directory. Its bytes bound the number of entries.
fn entries(mut bytes: &[u8]) -> Result<Vec<ZipEntry>, ArchiveProblem> {
    let mut entries = Vec::new();
    while bytes.starts_with(b"PK\x01\x02") {
        let end = |parts: &[u64]| usize::try_from(parts.iter().sum::<u64>()).ok();
        let header = bytes.get(..CENTRAL).ok_or_else(|| bounds("its directory"))?;
        let [name, extra, comment] = [28, 30, 32].map(|at| u64::from(u16_at(header, at)));
        let base = CENTRAL as u64;
        let slice = |from, to| bytes.get(end(from)?..end(to)?);
        let (Some(text), Some(extra_bytes), Some(rest)) = (
            slice(&[base], &[base, name]),
            slice(&[base, name], &[base, name, extra]),
            slice(&[base, name, extra, comment], &[bytes.len() as u64]),
        ) else {
            return Err(bounds("its directory"));
        };
        let mut entry = ZipEntry {
            name: String::from_utf8_lossy(text).into_owned(),
            flags: u16_at(header, 8),
            method: u16_at(header, 10),
            crc: u32_at(header, 16),
            packed: u64::from(u32_at(header, 20)),
            size: u64::from(u32_at(header, 24)),
            offset: u64::from(u32_at(header, 42)),
        };
        widen(&mut entry, extra_bytes);
        entries.push(entry);
        bytes = rest;
    }
    Ok(entries)
}

/// Replaces numbers that do not fit into 32 bits by those of the field of type 1, which has 64 bits.
fn widen(entry: &mut ZipEntry, mut extra: &[u8]) {
    while let Some(&[a, b, c, d]) = extra.first_chunk() {
        let (kind, length) = (u16::from_le_bytes([a, b]), usize::from(u16::from_le_bytes([c, d])));
        let Some(mut field) = extra.get(4..4 + length) else { return };
        if kind == 1 {
            for number in [&mut entry.size, &mut entry.packed, &mut entry.offset] {
                if *number == u64::from(u32::MAX)
                    && let Some((wide, rest)) = field.split_first_chunk()
                {
                    (*number, field) = (u64::from_le_bytes(*wide), rest);
                }
            }
            return;
        }
        extra = &extra[4 + length..];
    }
}

/// Compares length and checksum at the end of the content.
struct Checked<'a> {
    content: Box<dyn Read + 'a>,
    crc: Crc,
    size: u64,
    expected: u32,
}

impl Read for Checked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.content.read(buffer)?;
        self.crc.update(&buffer[..n]);
        let wrong = |text| Err(io::Error::new(io::ErrorKind::InvalidData, text));
        // The count of `Crc` has 32 bits.
        if n > 0 || buffer.is_empty() {
            Ok(n)
        } else if self.crc.amount() != self.size as u32 {
            wrong("its length is not that of the directory")
        } else if self.crc.sum() != self.expected {
            wrong("its checksum is not that of the directory")
        } else {
            Ok(0)
        }
    }
}

/// Returns an archive of these files, compressed, or `None` if a number does not fit into 32 bits.
pub(crate) fn to_bytes(files: impl Iterator<Item = (String, Vec<u8>)>) -> Option<Vec<u8>> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    let mut count = 0u16;
    for (name, content) in files {
        let mut crc = Crc::new();
        crc.update(&content);
        let mut packed = Vec::new();
        let encoder = DeflateEncoder::new(content.as_slice(), Compression::default());
        { encoder }.read_to_end(&mut packed).ok()?;
        let offset = u32::try_from(bytes.len()).ok()?;
        let mut shared = Vec::new();
        // The version 2.0 of the format, names in UTF-8, deflate, and the first day of the calendar.
        for number in [20u16, 0x0800, 8, 0, 0x21] {
            shared.extend(number.to_le_bytes());
        }
        let sizes = [u32::try_from(packed.len()).ok()?, u32::try_from(content.len()).ok()?];
        for number in [crc.sum(), sizes[0], sizes[1]] {
            shared.extend(number.to_le_bytes());
        }
        shared.extend(u16::try_from(name.len()).ok()?.to_le_bytes());
        shared.extend([0; 2]);
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&shared);
        bytes.extend(name.as_bytes());
        bytes.extend(packed);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&shared);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
        count = count.checked_add(1)?;
    }
    let (offset, size) = (u32::try_from(bytes.len()).ok()?, u32::try_from(directory.len()).ok()?);
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend(count.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend(size.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes.extend([0; 2]);
    Some(bytes)
}
