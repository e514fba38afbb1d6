//! The SVG elements for pictures with text.

use std::fmt::Write;

pub(crate) const FONT: &str = "system-ui, 'DejaVu Sans', Arial, sans-serif";

/// Returns the start of an SVG file: the root element and a white background. [`end`] closes it.
pub(crate) fn begin(width: usize, height: usize) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"{FONT}\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
    )
}

pub(crate) fn end(mut svg: String) -> String {
    svg.push_str("</svg>\n");
    svg
}

/// Adds a line of text, centred on `x`.
pub(crate) fn text(svg: &mut String, (x, y): (usize, usize), size: usize, words: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" text-anchor=\"middle\" fill=\"#222\">{}</text>",
        escaped(words)
    );
}

/// Adds a PNG file as an embedded image.
pub(crate) fn image(
    svg: &mut String,
    (x, y): (usize, usize),
    (width, height): (usize, usize),
    png: &[u8],
) {
    let _ = writeln!(
        svg,
        "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" \
         href=\"data:image/png;base64,{}\"/>",
        base64(png)
    );
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Encodes bytes in Base64: three bytes become four letters. RFC 4648, 2006.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for part in bytes.chunks(3) {
        let byte = |i: usize| part.get(i).map_or(0, |&byte| u32::from(byte));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= part.len() { letter.into() } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vectors of RFC 4648, section 10.
    #[test]
    fn base64_agrees_with_the_vectors_of_the_standard() {
        let pairs = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (bytes, letters) in pairs {
            assert_eq!(base64(bytes.as_bytes()), letters);
        }
    }

    #[test]
    fn texts_are_escaped_in_svg() {
        let mut svg = begin(10, 10);
        text(&mut svg, (1, 2), 3, "a < b & c > d");
        assert!(end(svg).contains(">a &lt; b &amp; c &gt; d</text>\n</svg>"));
    }
}
