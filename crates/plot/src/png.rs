//! A PNG encoder: a header chunk, a chunk of pixels compressed with zlib, and an end chunk, each with a
//! checksum. "Portable Network Graphics (PNG) Specification", W3C, third edition, 2025.

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use std::io::Write;

/// Encodes a picture whose rows have `width` pixels of three bytes: red, green and blue.
pub(crate) fn encode(width: usize, height: usize, rgb: &[u8]) -> Vec<u8> {
    assert_eq!(rgb.len(), 3 * width * height, "png: expected three bytes for each pixel");
    let mut header = Vec::new();
    for size in [width, height] {
        header.extend((size as u32).to_be_bytes());
    }
    // Bit depth 8, colour type RGB, compression method 0, filter method 0, not interlaced.
    header.extend([8, 2, 0, 0, 0]);

    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    for row in rgb.chunks(3 * width.max(1)) {
        // Each row begins with its filter type: 0, none.
        let written = packed.write_all(&[0]).and_then(|()| packed.write_all(row));
        written.expect("a vector accepts all bytes");
    }
    let pixels = packed.finish().expect("a vector accepts all bytes");

    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, content) in [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", vec![])] {
        out.extend((content.len() as u32).to_be_bytes());
        let mut sum = Crc::new();
        for part in [&name[..], &content] {
            sum.update(part);
            out.extend(part);
        }
        out.extend(sum.sum().to_be_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::ZlibDecoder;
    use std::io::Read;

    #[test]
    fn a_png_file_has_the_chunks_of_the_specification() {
        let rgb: Vec<u8> = (0..18).collect();
        let file = encode(3, 2, &rgb);
        assert_eq!(file[..8], *b"\x89PNG\r\n\x1a\n");
        assert_eq!(file[8..16], *b"\0\0\0\x0dIHDR");
        assert_eq!(file[16..29], [0, 0, 0, 3, 0, 0, 0, 2, 8, 2, 0, 0, 0]);
        // The end chunk is the same in every file.
        assert_eq!(file[file.len() - 12..], *b"\0\0\0\0IEND\xae\x42\x60\x82");
        let start = 8 + 25;
        let length = u32::from_be_bytes(*file[start..].first_chunk().unwrap()) as usize;
        let mut rows = Vec::new();
        ZlibDecoder::new(&file[start + 8..][..length]).read_to_end(&mut rows).unwrap();
        assert_eq!(rows.len(), 20);
        assert_eq!((rows[0], &rows[1..10], rows[10], &rows[11..]), (0, &rgb[..9], 0, &rgb[9..]));
    }
}
