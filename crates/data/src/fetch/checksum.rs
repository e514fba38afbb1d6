//! Checksums of files.

use crate::fetch_error::DownloadProblem;
use md5::{Digest, Md5};
use sha2::Sha256;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// The published checksums of a file, as hexadecimal digits.
#[derive(Clone, Debug, Default)]
pub(super) struct Checksums {
    pub md5: Option<String>,
    pub sha256: Option<String>,
}

pub(super) enum Failure {
    Read(io::Error),
    Differs(DownloadProblem),
}

impl Checksums {
    pub fn is_empty(&self) -> bool {
        self.md5.is_none() && self.sha256.is_none()
    }

    /// Compares the checksums with those of a whole file.
    pub fn check(&self, file: &mut File) -> Result<(), Failure> {
        if self.is_empty() {
            return Ok(());
        }
        file.seek(SeekFrom::Start(0)).map_err(Failure::Read)?;
        let (mut md5, mut sha256) = (Md5::new(), Sha256::new());
        let mut chunk = vec![0; 1 << 16];
        loop {
            let n = file.read(&mut chunk).map_err(Failure::Read)?;
            if n == 0 {
                break;
            }
            if self.md5.is_some() {
                md5.update(&chunk[..n]);
            }
            if self.sha256.is_some() {
                sha256.update(&chunk[..n]);
            }
        }
        differs("SHA-256", self.sha256.as_deref(), &sha256.finalize())?;
        differs("MD5", self.md5.as_deref(), &md5.finalize())
    }
}

fn differs(kind: &'static str, expected: Option<&str>, found: &[u8]) -> Result<(), Failure> {
    let found: Vec<String> = found.iter().map(|byte| format!("{byte:02x}")).collect();
    let found = found.concat();
    match expected {
        Some(expected) if expected != found => {
            let expected = expected.to_string();
            Err(Failure::Differs(DownloadProblem::Checksum { kind, expected, found }))
        }
        _ => Ok(()),
    }
}

/// Returns the digits in lower case.
#[track_caller]
pub(super) fn digits(what: &str, digits: &str, count: usize) -> String {
    assert!(
        digits.len() == count && digits.bytes().all(|digit| digit.is_ascii_hexdigit()),
        "{what}: expected {count} hexadecimal digits, got {digits:?}"
    );
    digits.to_ascii_lowercase()
}
