//! A folder for the files of a test.

use std::path::PathBuf;

/// A folder for the files of a test. It is deleted when the value is dropped, unless the environment
/// variable `PICTURES` names it.
pub struct Folder {
    pub path: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Folder {
    pub fn new() -> Self {
        if let Some(folder) = std::env::var_os("PICTURES") {
            return Folder { path: folder.into(), _temporary: None };
        }
        let folder = tempfile::tempdir().unwrap();
        Folder { path: folder.path().join("new/pictures"), _temporary: Some(folder) }
    }
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
    pub fn svg(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.file(name)).unwrap();
        assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"), "{name}");
        assert_eq!(text.matches("<svg").count(), 1);
        text
    }
    /// Returns the width and the height of a PNG file.
    pub fn png(&self, name: &str) -> (u32, u32) {
        let bytes = std::fs::read(self.file(name)).unwrap();
        assert_eq!(bytes[1..4], *b"PNG", "{name}");
        let size = |at: usize| u32::from_be_bytes(*bytes[at..].first_chunk().unwrap());
        (size(16), size(20))
    }
}
