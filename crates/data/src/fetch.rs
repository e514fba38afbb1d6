//! Fetching files from the internet: from the first of several sources that has the right content.

use crate::fetch_error::{DownloadError, DownloadProblem, FailedAttempt};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

mod checksum;
mod sets;
use checksum::Checksums;

/// A file to fetch, with its sources and checksums.
///
/// The file is written beside its path, with the suffix `.part`. It is moved to its path when it is complete
/// and its checksums are right. A download that was interrupted goes on where it stopped, if the file has a
/// checksum and the server supports it. A program that fetches the same file at the same time waits.
///
/// ```no_run
/// use wengert::data::Download;
///
/// let path = Download::new("data/kmnist/t10k-labels-idx1-ubyte.gz")
///     .from("https://example.org/kmnist/t10k-labels-idx1-ubyte.gz")
///     .from("https://example.com/mirror/t10k-labels-idx1-ubyte.gz")
///     .md5("7320c461ea6c1c855c0b718fb2a4b134")
///     .on_progress(|progress| eprint!("\r{} bytes", progress.received))
///     .run().unwrap();
/// ```
#[derive(Debug)]
#[must_use = "`run` fetches the file"]
pub struct Download<F = fn(&DownloadProgress<'_>)> {
    path: PathBuf,
    urls: Vec<String>,
    size: Option<u64>,
    checksums: Checksums,
    patience: Duration,
    progress: F,
}

/// The state of a download. `on_progress` passes it to its function.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct DownloadProgress<'a> {
    /// The file that will be written.
    pub path: &'a Path,
    /// The address of the file.
    pub url: &'a str,
    /// The number of bytes that were received, including those of an interrupted download.
    pub received: u64,
    /// The length of the file, if it is known.
    pub total: Option<u64>,
}

/// The number of times that a source is asked for the rest after its connection was cut.
const RETRIES: usize = 3;
/// The speed below which the next source is tried, in bytes per second.
const SLOWEST: f64 = 1024.0;

impl Download {
    /// Creates a download to this path, without a source.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Download {
            path: path.into(),
            urls: Vec::new(),
            size: None,
            checksums: Checksums::default(),
            patience: Duration::from_secs(30),
            progress: |_| {},
        }
    }
}

impl<F: FnMut(&DownloadProgress<'_>)> Download<F> {
    /// Adds a source, an `https` or `http` address. Sources are tried in the order in which they were added.
    pub fn from(mut self, url: impl Into<String>) -> Self {
        self.urls.push(url.into());
        self
    }

    /// Sets the length of the file. A source that sends more bytes is then given up at once.
    pub fn size(mut self, bytes: u64) -> Self {
        self.size = Some(bytes);
        self
    }

    /// Sets the MD5 checksum, as 32 hexadecimal digits. MD5 detects damage. It does not protect against a
    /// publisher who makes two files with the same checksum; [`sha256`](Self::sha256) does.
    ///
    /// # Panics
    /// If `digits` are not 32 hexadecimal digits.
    #[track_caller]
    pub fn md5(mut self, digits: &str) -> Self {
        self.checksums.md5 = Some(checksum::digits("md5", digits, 32));
        self
    }

    /// Sets the SHA-256 checksum, as 64 hexadecimal digits.
    ///
    /// # Panics
    /// If `digits` are not 64 hexadecimal digits.
    #[track_caller]
    pub fn sha256(mut self, digits: &str) -> Self {
        self.checksums.sha256 = Some(checksum::digits("sha256", digits, 64));
        self
    }

    /// Sets how long to wait for a connection, for an answer and for further bytes. The default is 30 seconds. A
    /// source that sends less than 1 KiB per second over this time is given up.
    pub fn patience(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }

    /// Sets a function that is called at the start and then after each piece that was received.
    pub fn on_progress<G: FnMut(&DownloadProgress<'_>)>(self, progress: G) -> Download<G> {
        let Download { path, urls, size, checksums, patience, .. } = self;
        Download { path, urls, size, checksums, patience, progress }
    }

    /// Fetches the file, and creates its folder if necessary. Returns its path. A file that exists and has
    /// the right checksum is not fetched again. Without a checksum, it is replaced.
    ///
    /// # Errors
    /// If no source has the file with the right length and checksum, or a file cannot be written. The error
    /// lists the attempts. A file at the path is then unchanged.
    pub fn run(mut self) -> Result<PathBuf, DownloadError> {
        let mut attempts = Vec::new();
        let done = self.attempts(&mut attempts);
        match done {
            Ok(true) => Ok(self.path),
            Ok(false) => Err(DownloadError { path: self.path, attempts }),
            Err(problem) => {
                let url = self.urls.first().cloned().unwrap_or_default();
                attempts.push(FailedAttempt { url, problem });
                Err(DownloadError { path: self.path, attempts })
            }
        }
    }

    /// Tries the sources. Returns whether the file is at its path. Errors are those of this machine, which
    /// no other source can mend.
    fn attempts(&mut self, failed: &mut Vec<FailedAttempt>) -> Result<bool, DownloadProblem> {
        if self.complete() {
            return Ok(true);
        }
        let part = part_of(&self.path);
        let write = |source| DownloadProblem::Write { path: part.clone(), source };
        if let Some(folder) = part.parent() {
            fs::create_dir_all(folder).map_err(write)?;
        }
        let open =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&part);
        let mut file = open.map_err(write)?;
        // Another program may be fetching the same file. Not every file system can lock.
        let _ = file.lock();
        if self.complete() {
            return Ok(true);
        }
        if self.checksums.is_empty() {
            // The rest of another version would not be noticed.
            file.set_len(0).map_err(write)?;
        }
        let agent = self.agent();
        for index in 0..self.urls.len() {
            let url = self.urls[index].clone();
            match self.source(&agent, &url, &mut file) {
                Ok(()) => {
                    file.sync_all().map_err(write)?;
                    fs::rename(&part, &self.path).map_err(write)?;
                    return Ok(true);
                }
                Err(problem @ DownloadProblem::Write { .. }) => return Err(problem),
                Err(problem) => failed.push(FailedAttempt { url, problem }),
            }
        }
        Ok(false)
    }

    /// Returns whether the file exists with the right checksums.
    fn complete(&self) -> bool {
        !self.checksums.is_empty()
            && File::open(&self.path).is_ok_and(|mut file| self.checksums.check(&mut file).is_ok())
    }

    fn agent(&self) -> ureq::Agent {
        let patience = Some(self.patience);
        ureq::Agent::config_builder()
            .timeout_connect(patience)
            .timeout_recv_response(patience)
            .timeout_per_read(patience)
            .http_status_as_error(false)
            .user_agent(concat!("wengert/", env!("CARGO_PKG_VERSION")))
            .build()
            .into()
    }

    /// Fetches the file from one source, in several requests if the connection is cut.
    fn source(
        &mut self,
        agent: &ureq::Agent,
        url: &str,
        file: &mut File,
    ) -> Result<(), DownloadProblem> {
        let write = |path: &Path| {
            let path = part_of(path);
            move |source| DownloadProblem::Write { path: path.clone(), source }
        };
        let write = write(&self.path);
        let mut resumed = file.metadata().map_err(&write)?.len() > 0;
        let mut retries = RETRIES;
        loop {
            let before = file.metadata().map_err(&write)?.len();
            // A part that is complete already needs no request.
            let complete = before > 0 && self.size == Some(before);
            let result = if complete { Ok(()) } else { self.request(agent, url, file) };
            let problem = match result {
                Ok(()) => match self.checksums.check(file) {
                    Ok(()) => return Ok(()),
                    Err(checksum::Failure::Read(source)) => return Err(write(source)),
                    Err(checksum::Failure::Differs(problem)) => {
                        file.set_len(0).map_err(&write)?;
                        // The first part was perhaps of another version of the file.
                        if std::mem::take(&mut resumed) {
                            continue;
                        }
                        return Err(problem);
                    }
                },
                Err(problem) => problem,
            };
            let after = file.metadata().map_err(&write)?.len();
            match problem {
                DownloadProblem::Cut { .. } | DownloadProblem::Connection(_)
                    if after > before && retries > 0 =>
                {
                    retries -= 1;
                }
                DownloadProblem::Size { .. } => {
                    file.set_len(0).map_err(&write)?;
                    return Err(problem);
                }
                _ => {
                    if self.checksums.is_empty() {
                        file.set_len(0).map_err(&write)?;
                    }
                    return Err(problem);
                }
            }
        }
    }

    /// Makes one request, for the rest of the file if there is a part.
    fn request(
        &mut self,
        agent: &ureq::Agent,
        url: &str,
        file: &mut File,
    ) -> Result<(), DownloadProblem> {
        let path = part_of(&self.path);
        let write = |source| DownloadProblem::Write { path: path.clone(), source };
        let connection = |error: ureq::Error| DownloadProblem::Connection(error.into());
        let have = file.metadata().map_err(write)?.len();
        let request = agent.get(url).header("Accept-Encoding", "identity");
        let ranged = have > 0;
        let request =
            if ranged { request.header("Range", format!("bytes={have}-")) } else { request };
        let mut answer = request.call().map_err(connection)?;
        let header = |name: &str| answer.headers().get(name)?.to_str().ok().map(str::to_string);
        let length = header("Content-Length").and_then(|length| length.parse::<u64>().ok());
        let start = match answer.status().as_u16() {
            200 => 0,
            // `bytes 100-199/200`: the range begins where this part ends.
            206 if header("Content-Range").is_some_and(|range| {
                range.trim_start_matches("bytes").trim_start().starts_with(&format!("{have}-"))
            }) =>
            {
                have
            }
            // The part is not a beginning of this file. Begin again.
            206 | 416 if ranged => {
                file.set_len(0).map_err(write)?;
                drop(answer);
                return self.request(agent, url, file);
            }
            status => return Err(DownloadProblem::Status(status)),
        };
        file.set_len(start).map_err(write)?;
        file.seek(SeekFrom::Start(start)).map_err(write)?;
        let announced = length.map(|length| start.saturating_add(length));
        if let (Some(expected), Some(found)) = (self.size, announced)
            && expected != found
        {
            return Err(DownloadProblem::Size { expected, found });
        }
        let total = self.size.or(announced);
        let mut body = answer.body_mut().as_reader();
        let (mut received, mut chunk) = (start, vec![0; 1 << 16]);
        let (mut window, mut window_start) = (Instant::now(), start);
        loop {
            (self.progress)(&DownloadProgress { path: &self.path, url, received, total });
            let n = match body.read(&mut chunk) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let cut = total.filter(|&total| {
                        received < total && error.kind() == io::ErrorKind::UnexpectedEof
                    });
                    return Err(match cut {
                        Some(expected) => DownloadProblem::Cut { received, expected },
                        None => DownloadProblem::Connection(error.into()),
                    });
                }
            };
            received += n as u64;
            if let Some(expected) = total.filter(|&total| received > total) {
                return Err(DownloadProblem::Size { expected, found: received });
            }
            file.write_all(&chunk[..n]).map_err(write)?;
            let seconds = window.elapsed().as_secs_f64();
            if seconds >= self.patience.as_secs_f64() {
                let received = received - window_start;
                if (received as f64) < SLOWEST * seconds {
                    return Err(DownloadProblem::TooSlow { received, seconds });
                }
                (window, window_start) = (Instant::now(), window_start + received);
            }
        }
        match total.filter(|&total| received < total) {
            Some(expected) => Err(DownloadProblem::Cut { received, expected }),
            None => Ok(()),
        }
    }
}

/// Returns the path of the incomplete file.
fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(".part");
    name.into()
}
