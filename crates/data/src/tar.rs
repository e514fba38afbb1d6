//! Tar archives: the content of files with given names.
//!
//! (POSIX.1-1988, the format ustar; long names of GNU tar and of POSIX.1-2001 are skipped.)

use crate::problem::ArchiveProblem::{self, Bounds, Damaged, Format, Missing};
use std::io::{self, Read};

const BLOCK: usize = 512;

/// Calls `extract` with the index in `names` and the content of each regular file whose last part of the path is in
/// `names`. Each must occur.
pub(crate) fn extract(
    mut source: impl Read,
    names: &[&str],
    mut extract: impl FnMut(usize, &mut dyn Read) -> io::Result<()>,
) -> Result<(), ArchiveProblem> {
    let damaged = |source| Damaged { entry: "a header".into(), source };
    let mut found = vec![false; names.len()];
    let mut first = true;
    loop {
        let mut header = [0; BLOCK];
        let filled = fill(&mut source, &mut header).map_err(damaged)?;
        // Two blocks of zeros end an archive. Some programs omit them.
        if filled == 0 || header.iter().all(|&byte| byte == 0) {
            break;
        }
        let size = checked(&header).and_then(|()| octal(&header[124..136]));
        let Some(size) = size.filter(|_| filled == BLOCK) else {
            let format = "tar";
            return Err(if first {
                Format(format)
            } else {
                Bounds { format, part: "the header of a file" }
            });
        };
        first = false;
        let name = &header[..100];
        let name = &name[..name.iter().position(|&byte| byte == 0).unwrap_or(100)];
        let name =
            String::from_utf8_lossy(name.rsplit(|&byte| byte == b'/').next().unwrap_or(name));
        let regular = matches!(header[156], 0 | b'0');
        let wanted = names.iter().position(|wanted| regular && *wanted == name);
        let mut content = source.by_ref().take(size);
        let damaged = |source| Damaged { entry: name.to_string(), source };
        if let Some(index) = wanted {
            extract(index, &mut content).map_err(damaged)?;
            found[index] = true;
        }
        io::copy(&mut content, &mut io::sink()).map_err(damaged)?;
        let short = content.limit() > 0;
        let padding = size.next_multiple_of(BLOCK as u64) - size;
        let copied = io::copy(&mut source.by_ref().take(padding), &mut io::sink());
        if short || copied.map_err(damaged)? < padding {
            return Err(Bounds { format: "tar", part: "a file" });
        }
    }
    match found.iter().position(|found| !found) {
        Some(index) => Err(Missing(names[index].into())),
        None => Ok(()),
    }
}

/// Returns `Some` if the checksum of a header is right: the sum of its bytes, with blanks in place of the
/// checksum.
fn checked(header: &[u8; BLOCK]) -> Option<()> {
    let sum: u64 = header.iter().map(|&byte| u64::from(byte)).sum();
    let own: u64 = header[148..156].iter().map(|&byte| u64::from(byte)).sum();
    (octal(&header[148..156])? == sum - own + 8 * 32).then_some(())
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok().filter(|&size| size < 1 << 40)
}

fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    crate::unpack::fill(source, buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut header = [0u8; BLOCK];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
        header[156] = kind;
        header[148..156].fill(b' ');
        let sum: u64 = header.iter().map(|&byte| u64::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let mut bytes = header.to_vec();
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>, ArchiveProblem> {
        let mut files = vec![Vec::new(); 2];
        extract(bytes, &["a", "b"], |index, content| {
            content.read_to_end(&mut files[index]).map(drop)
        })?;
        Ok(files)
    }

    #[test]
    fn files_by_name_and_nothing_else() {
        let sound = [
            entry("folder/", b'5', b""),
            entry("folder/b", b'0', &[7; 600]),
            entry("other", b'0', &[9; 512]),
            entry("folder/a", 0, b"xyz"),
            vec![0; 2 * BLOCK],
        ]
        .concat();
        assert_eq!(read(&sound).unwrap(), [b"xyz".to_vec(), vec![7; 600]]);
        assert_eq!(read(&sound[..sound.len() - 2 * BLOCK]).unwrap().len(), 2);
        // A link of that name is no file.
        let link = [entry("a", b'2', b""), entry("b", b'0', b"")].concat();
        assert!(matches!(read(&link), Err(Missing(name)) if name == "a"));
        assert!(matches!(read(b"no archive"), Err(Format("tar"))));
        assert!(matches!(read(&sound[..3 * BLOCK]), Err(Bounds { part: "a file", .. })));
        let mut wrong = sound.clone();
        wrong[BLOCK + 130] ^= 1;
        assert!(matches!(read(&wrong), Err(Bounds { .. })));
    }

    /// Changed archives give files or errors. A claimed size of 2³³ bytes takes no memory.
    #[test]
    fn mutated_archives() {
        use crate::permutation::below;
        let sound = [entry("a", 0, b"xyz"), entry("b", 0, &[7; 600])].concat();
        let mut rng = wengert_tensor::Philox::new(3);
        for _ in 0..1000 {
            let mut bytes = sound.clone();
            for _ in 0..=below(&mut rng, 3) {
                let at = below(&mut rng, bytes.len() as u64) as usize;
                bytes[at] = below(&mut rng, 256) as u8;
            }
            bytes.truncate(bytes.len() - below(&mut rng, 300) as usize);
            let _ = read(&bytes);
        }
        let mut huge = entry("a", 0, b"xyz");
        huge[124..136].copy_from_slice(b"77777777777\0");
        huge[148..156].fill(b' ');
        let sum: u64 = huge[..BLOCK].iter().map(|&byte| u64::from(byte)).sum();
        huge[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        assert!(matches!(read(&huge), Err(Bounds { part: "a file", .. })));
    }
}
