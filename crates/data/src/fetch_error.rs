//! Errors of fetching files from the internet.

use std::fmt::Write;
use std::io;
use std::path::PathBuf;

/// The error for a file that could not be fetched from any of its sources.
#[derive(thiserror::Error)]
#[error("{} could not be fetched:{}", path.display(), list(attempts))]
#[non_exhaustive]
pub struct DownloadError {
    /// The file that was to be written.
    pub path: PathBuf,
    /// The attempts, in order.
    pub attempts: Vec<FailedAttempt>,
}

/// An attempt to fetch a file that failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct FailedAttempt {
    /// The address of the file.
    pub url: String,
    /// The reason.
    pub problem: DownloadProblem,
}

/// A reason why a file cannot be fetched.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum DownloadProblem {
    /// There is no connection to the server, or it was lost.
    #[error("{0}")]
    Connection(Box<dyn std::error::Error + Send + Sync>),
    /// The server answered with a status that is not a success.
    #[error("the server answered with status {0}")]
    Status(u16),
    /// The connection ended before the end of the file, again and again.
    #[error("the connection was cut after {received} of {expected} bytes")]
    Cut {
        /// The number of bytes that were received.
        received: u64,
        /// The number of bytes that the server announced.
        expected: u64,
    },
    /// The file is longer than expected, or has another length.
    #[error("expected {expected} bytes, the server sends {found}")]
    Size {
        /// The length of the file.
        expected: u64,
        /// The number of bytes that were received or announced.
        found: u64,
    },
    /// The server sends too slowly.
    #[error("the server sent only {received} bytes in {seconds} seconds")]
    TooSlow {
        /// The number of bytes that were received in this time.
        received: u64,
        /// The time.
        seconds: f64,
    },
    /// The content is not that of the published file.
    #[error("the content has the {kind} checksum {found}, expected {expected}")]
    Checksum {
        /// The kind of the checksum.
        kind: &'static str,
        /// The published checksum.
        expected: String,
        /// The checksum of the bytes that were received.
        found: String,
    },
    /// A file on this machine cannot be written.
    #[error("{}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

wengert_tensor::debug_is_display!(DownloadError, DownloadProblem);

fn list(attempts: &[FailedAttempt]) -> String {
    let mut text = String::new();
    if attempts.is_empty() {
        text.push_str(" it has no source");
    }
    for FailedAttempt { url, problem } in attempts {
        let _ = write!(text, "\n  {url}: {problem}");
    }
    text
}
