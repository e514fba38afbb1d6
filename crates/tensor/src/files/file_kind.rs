//! Finds the kind of a file from its first bytes.

use std::fmt;

/// The kind of a file, found from its first bytes. Errors use it to name a file that is not of the kind that
/// the caller expected.
///
/// ```
/// use wengert::tensor::FileKind;
/// assert_eq!(FileKind::of(b"<!DOCTYPE html><title>404</title>"), Some(FileKind::Html));
/// assert_eq!(FileKind::of(&[3, 1, 4]), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileKind {
    /// An empty file.
    Empty,
    /// At least 16 bytes, and only zeros where [`FileKind::of`] looks.
    Zeros,
    /// A pointer of Git LFS in place of the file itself.
    GitLfs,
    /// A web page.
    Html,
    /// A text in XML.
    Xml,
    /// A text in JSON.
    Json,
    /// A text in UTF-16.
    Utf16,
    /// A text in UTF-8 or ASCII.
    Text,
    /// A file of `torch.save` or `torch.jit.save`: a zip archive, or the pickle of versions before 1.6.
    Torch,
    /// A Python pickle.
    Pickle,
    /// An array of NumPy.
    Npy,
    /// Arrays of NumPy in a zip archive.
    Npz,
    /// A zip archive of another kind.
    Zip,
    /// A tar archive.
    Tar,
    /// A compressed file, with the name of its format.
    Compressed(&'static str),
    /// HDF5: Keras, netCDF and MATLAB write it.
    Hdf5,
    /// A model in ONNX.
    Onnx,
    /// A model of llama.cpp.
    Gguf,
    /// A picture, with the name of its format.
    Picture(&'static str),
    /// A document in PDF.
    Pdf,
}

use FileKind::{
    Compressed, Empty, Gguf, GitLfs, Hdf5, Html, Json, Npy, Npz, Onnx, Pdf, Pickle, Picture, Tar,
    Text, Torch, Utf16, Xml, Zeros, Zip,
};

/// The position and the bytes by which each format is recognised.
const SIGNATURES: [(usize, &[u8], FileKind); 21] = [
    (0, b"\x1f\x8b", Compressed("gzip")),
    (0, b"BZh", Compressed("bzip2")),
    (0, b"\xfd7zXZ\0", Compressed("xz")),
    (0, b"\x28\xb5\x2f\xfd", Compressed("Zstandard")),
    (0, b"\x04\x22\x4d\x18", Compressed("LZ4")),
    (0, b"7z\xbc\xaf\x27\x1c", Compressed("7-Zip")),
    (0, b"Rar!\x1a\x07", Compressed("RAR")),
    (0, b"PK\x05\x06", Zip),
    (257, b"ustar", Tar),
    (0, b"\x89HDF\r\n\x1a\n", Hdf5),
    (0, b"\x93NUMPY", Npy),
    (0, b"GGUF", Gguf),
    (0, b"\x89PNG\r\n\x1a\n", Picture("PNG")),
    (0, b"\xff\xd8\xff", Picture("JPEG")),
    (0, b"GIF8", Picture("GIF")),
    (0, b"%PDF-", Pdf),
    (0, b"version https://git-lfs.github.com/spec/", GitLfs),
    (0, b"version https://hawser.github.com/spec/", GitLfs),
    // A number of 10 bytes with which no other pickle begins: torch.save before 1.6.
    (2, b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", Torch),
    (0, b"\xff\xfe", Utf16),
    (0, b"\xfe\xff", Utf16),
];

impl FileKind {
    /// The number of bytes that [`FileKind::of`] reads.
    pub const HEAD: usize = 512;

    /// Returns the kind of a file that begins with these bytes, or `None` if the kind is not known. It reads
    /// only the first [`FileKind::HEAD`] bytes.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let head = &bytes[..bytes.len().min(Self::HEAD)];
        let at = |place: usize, signature: &[u8]| {
            head.get(place..).is_some_and(|rest| rest.starts_with(signature))
        };
        if head.is_empty() {
            return Some(Empty);
        }
        if head.len() >= 16 && head.iter().all(|&byte| byte == 0) {
            return Some(Zeros);
        }
        if at(0, b"PK\x03\x04") {
            return Some(zip(head));
        }
        let known = SIGNATURES.iter().find(|&&(place, signature, _)| at(place, signature));
        if let Some(&(.., kind)) = known {
            return Some(kind);
        }
        if pickle(head) {
            return Some(Pickle);
        }
        if onnx(head) {
            return Some(Onnx);
        }
        text(head)
    }

    /// Returns advice for a user who gave a file of this kind instead of data. The text is empty if the
    /// advice depends on the content of the file.
    pub fn remedy(self) -> &'static str {
        match self {
            Empty | Zeros => "fetch the file again: the download did not finish",
            GitLfs => "fetch the file that it names with `git lfs pull`",
            Html => {
                "fetch the file again: the server sent a page, such as a login, an error or a preview"
            }
            Xml => "fetch the file again: servers send errors as XML",
            Zip | Tar | Compressed(_) => "unpack it first",
            Utf16 => "save it as UTF-8",
            _ => "",
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Empty => "an empty file",
            Zeros => "a file that begins with zeros",
            GitLfs => "a pointer of Git LFS",
            Html => "a web page (HTML)",
            Xml => "a text in XML",
            Json => "a text in JSON",
            Utf16 => "a text in UTF-16",
            Text => "a text",
            Torch => "a file of torch.save",
            Pickle => "a Python pickle",
            Npy => "an array of NumPy (npy)",
            Npz => "an archive of NumPy (npz)",
            Zip => "a zip archive",
            Tar => "a tar archive",
            Hdf5 => "an HDF5 file",
            Onnx => "a model in ONNX",
            Gguf => "a model in GGUF",
            Pdf => "a document in PDF",
            Compressed(format) => return write!(f, "a file compressed with {format}"),
            Picture(format) => return write!(f, "a picture ({format})"),
        })
    }
}

/// Returns the kind of a zip archive, found from the name of its first entry. The name is at byte 30, its
/// length at byte 26.
fn zip(head: &[u8]) -> FileKind {
    let Some(&[low, high]) = head.get(26..28) else { return Zip };
    let end = 30 + usize::from(u16::from_le_bytes([low, high]));
    let name = head.get(30..end).unwrap_or_default();
    let (folder, file) = match name.iter().position(|&byte| byte == b'/') {
        Some(slash) => (&name[..slash], &name[slash + 1..]),
        None => (&[][..], name),
    };
    let torch = [b"data.pkl".as_slice(), b"constants.pkl", b"version", b"byteorder", b"data/0"];
    if !folder.is_empty() && (torch.contains(&file) || file.starts_with(b"code/")) {
        Torch
    } else if name.ends_with(b".npy") {
        Npz
    } else {
        Zip
    }
}

/// Returns whether these bytes begin a pickle of protocol 2 to 5: the number of the protocol and then an
/// instruction, which is never a zero byte.
fn pickle(head: &[u8]) -> bool {
    matches!(head, [0x80, 2..=5, instruction, _, ..] if *instruction != 0)
}

/// Returns whether these bytes begin an ONNX model: field 1 of the message is the version, a small number,
/// and field 2 is the name of the program that wrote it.
fn onnx(head: &[u8]) -> bool {
    let &[0x08, 1..=30, 0x12, length, ref rest @ ..] = head else { return false };
    let name = rest.get(..usize::from(length)).unwrap_or_default();
    !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

/// Returns the kind of text that begins with these bytes, or `None` if they are not text.
fn text(head: &[u8]) -> Option<FileKind> {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The last character may be incomplete.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    if text.is_empty() || text.contains(|c: char| c.is_control() && !"\t\n\r\u{c}".contains(c)) {
        return None;
    }
    let text = text.trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    let has = |word: &str| text.contains(word);
    Some(match text.as_bytes().first() {
        Some(b'{' | b'[') => Json,
        Some(b'<') if has("<!doctype html") || has("<html") || has("<head") => Html,
        Some(b'<') if text.starts_with("<?xml") => Xml,
        _ => Text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the beginning of a zip archive with one stored file.
    fn zip_with(name: &str) -> Vec<u8> {
        let mut bytes = b"PK\x03\x04\x00\x00\x08\x08\x00\x00".to_vec();
        bytes.resize(26, 0);
        bytes.extend((name.len() as u16).to_le_bytes());
        bytes.extend([0, 0]);
        bytes.extend(name.as_bytes());
        bytes
    }

    #[test]
    fn every_file_format_is_recognised_by_its_first_bytes() {
        let mut tar = b"folder/file".to_vec();
        tar.resize(257, 0);
        tar.extend(b"ustar\x0000");
        let files: Vec<(Vec<u8>, FileKind)> = vec![
            (vec![], Empty),
            (vec![0; 16], Zeros),
            (vec![0; 5000], Zeros),
            (
                b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n".into(),
                GitLfs,
            ),
            (b"<!DOCTYPE html>\n<html lang=\"en\">".into(), Html),
            (b"\xef\xbb\xbf  <html><head>".into(), Html),
            (b"<!-- saved -->\n<HTML>".into(), Html),
            (
                b"<?xml version=\"1.0\"?><!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0\">".into(),
                Html,
            ),
            (b"<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code>".into(), Xml),
            (b"{\"weight_map\": {}}".into(), Json),
            (b"[1, 2]".into(), Json),
            (b"not a model".into(), Text),
            ("Zürich é".repeat(100).into(), Text),
            (b"\xff\xfeh\0i\0".into(), Utf16),
            (zip_with("archive/data.pkl"), Torch),
            (zip_with("lenet/data.pkl"), Torch),
            (zip_with("model/code/__torch__.py"), Torch),
            (zip_with("weight.npy"), Npz),
            (zip_with("metadata.json"), Zip),
            (zip_with(""), Zip),
            (b"PK\x03\x04".into(), Zip),
            (b"PK\x05\x06\0\0\0\0".into(), Zip),
            (b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.".into(), Torch),
            (b"\x80\x04\x95\x10\0\0\0\0\0\0\0}".into(), Pickle),
            (b"\x80\x02}q\0X\x06".into(), Pickle),
            (b"\x93NUMPY\x01\0v\0{'descr'".into(), Npy),
            (tar, Tar),
            (b"\x1f\x8b\x08\0\0\0\0\0\0\x03".into(), Compressed("gzip")),
            (b"BZh91AY&SY".into(), Compressed("bzip2")),
            (b"\xfd7zXZ\0\0\x04".into(), Compressed("xz")),
            (b"\x28\xb5\x2f\xfd\x04\x58".into(), Compressed("Zstandard")),
            (b"\x89HDF\r\n\x1a\n\0\0\0\0".into(), Hdf5),
            (b"\x08\x08\x12\x07pytorch\x1a\x05".into(), Onnx),
            (b"GGUF\x03\0\0\0".into(), Gguf),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".into(), Picture("PNG")),
            (b"\xff\xd8\xff\xe0".into(), Picture("JPEG")),
            (b"%PDF-1.7".into(), Pdf),
        ];
        for (bytes, kind) in files {
            assert_eq!(FileKind::of(&bytes), Some(kind), "{:?}", String::from_utf8_lossy(&bytes));
            assert!(!kind.to_string().is_empty());
        }
    }

    #[test]
    fn unknown_bytes_have_no_file_format() {
        for bytes in [&[0u8][..], &[0; 15], &[3, 1, 4], &[0x80, 2, 0, 0, 0, 0, 0, 0], b"\x01ab\xff"]
        {
            assert_eq!(FileKind::of(bytes), None, "{bytes:?}");
        }
    }
}
