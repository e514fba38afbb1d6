//! Functions that several tests use.

#![allow(dead_code)] // none needs all of it

use flate2::Compression;
use flate2::write::GzEncoder;
use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Returns the folder of a real data set that is not in the repository. It is searched for in the folder
/// that `WENGERT_DATA` names, then in `shared/data` beside the repository. Returns `None` if it is missing;
/// the tests that need it then pass without testing anything.
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

/// Returns the path of a file that a script in `tests/reference` wrote.
pub fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(name)
}

/// Returns how often each of the labels 0 to 9 occurs.
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
