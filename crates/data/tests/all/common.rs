//! What several tests need.

#![allow(dead_code)] // none needs all of it

use flate2::Compression;
use flate2::write::GzEncoder;
use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The folder of a real data set that the repository does not have: in `WENGERT_DATA`, or in
/// `shared/data` beside the repository. `None` where it is missing; tests that need it pass then.
pub fn real(folder: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    let places =
        [env::var_os("WENGERT_DATA").map(PathBuf::from), Some(root.join("../shared/data"))];
    let found = places.into_iter().flatten().map(|place| place.join(folder)).find(|p| p.is_dir());
    if found.is_none() {
        eprintln!("no {folder}: nothing tested");
    }
    found
}

/// Counts of 0 to 9.
pub fn histogram(labels: &[i64]) -> [usize; 10] {
    let mut counts = [0; 10];
    for &label in labels {
        counts[label as usize] += 1;
    }
    counts
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
