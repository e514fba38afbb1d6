//! Handwritten zip-code digits (USPS).

use crate::dataset::TensorDataset;
use crate::error::{DataError, LineProblem};
use crate::locate::{Files, Surroundings};
use crate::unpack::{Lines, Unpacked, kind};
use std::path::{Path, PathBuf};
use wengert_tensor::{FileKind, Tensor};

const SIDE: usize = 16;
const CLASSES: usize = 10;
/// The maximum length of a line: 257 numbers of at most 30 characters, each followed by a blank.
const LONGEST: usize = 8192;

/// The data set of handwritten digits from envelopes of the U.S. Postal Service: 7,291 training images and
/// 2,007 test images.
///
/// These are the zip-code digits of LeCun et al. 1989, often called USPS. Images are `f32` `[n, 16, 16]` from
/// -1 (background) to 1 (ink), deslanted and scaled to the same size. Labels are `i64` from 0 to 9. People
/// misread about 2.5 % of the test images.
///
/// ```no_run
/// use wengert::data::{DataLoader, Zipcode};
/// let zipcode = Zipcode::load().unwrap().with_channel();
/// for (images, labels) in DataLoader::new(&zipcode.train, 10).shuffle(0).epoch(0) {
///     assert_eq!(images.shape()[1..], [1, 16, 16]);
/// }
/// ```
///
/// Each line of a file is one image: its label, then 256 numbers, row by row, separated by blanks. Blank
/// lines, Windows line ends and a byte-order mark are ignored.
///
/// Y. LeCun, B. Boser, J. S. Denker, D. Henderson, R. E. Howard, W. Hubbard, L. D. Jackel,
/// "Backpropagation applied to handwritten zip code recognition", Neural Computation 1(4), 1989.
/// T. Hastie, R. Tibshirani, J. Friedman, "The elements of statistical learning", 2009, section
/// 11.7.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Zipcode {
    /// The training images and their labels.
    pub train: TensorDataset<f32>,
    /// The test images and their labels.
    pub test: TensorDataset<f32>,
}

impl Zipcode {
    const FILES: Files<2> = Files {
        set: "Zipcode (USPS)",
        folder: "usps",
        source: "They are among the data of \"The elements of statistical learning\": \
                 https://hastie.su.domains/ElemStatLearn/data.html.",
        elsewhere: &["zipcode"],
        ambiguous: false,
        names: ["zip.train.gz", "zip.test.gz"],
    };

    /// Loads the digits from the first of these folders that contains the files:
    ///
    /// 1. if the environment variable `WENGERT_DATA` is set: only the folder that it names, or its sub-folder
    ///    `usps` or `zipcode`;
    /// 2. `data/usps` in the current folder or one above it, or in the clone of the repository that
    ///    this crate was built from (the repository does not contain the files);
    /// 3. `wengert/usps` in the user's cache: `$XDG_CACHE_HOME` or `~/.cache`, `~/Library/Caches` on
    ///    macOS, `%LOCALAPPDATA%` on Windows.
    ///
    /// The files are `zip.train` and `zip.test`, and may be compressed (`.gz`).
    ///
    /// # Errors
    /// If no folder contains both files (the message lists the folders and says where to get the files), or a
    /// file is invalid.
    pub fn load() -> Result<Self, DataError> {
        Self::read(&Self::FILES.find(&Surroundings::of_process())?)
    }

    /// Loads the two files from this folder or its sub-folder `usps` or `zipcode`.
    ///
    /// # Errors
    /// If a file is missing or invalid.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self, DataError> {
        Self::read(&Self::FILES.in_folder(folder.as_ref())?)
    }

    /// Reshapes the images to `[n, 1, 16, 16]`, the shape that convolutions expect; see
    /// [`TensorDataset::with_channel`].
    ///
    /// # Panics
    /// If the images already have a channel axis.
    #[track_caller]
    pub fn with_channel(self) -> Self {
        Zipcode { train: self.train.with_channel(), test: self.test.with_channel() }
    }

    fn read([train, test]: &[PathBuf; 2]) -> Result<Self, DataError> {
        // Read the smaller file first, so that an error in it is found sooner.
        let test = images(test)?;
        Ok(Zipcode { train: images(train)?, test })
    }
}

fn images(path: &Path) -> Result<TensorDataset<f32>, DataError> {
    let mut lines = Lines::new(Unpacked::open(path)?);
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    let mut number = 0;
    while let Some(mut line) = lines.next(LONGEST)? {
        number += 1;
        if number == 1 {
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        if line.len() < LONGEST && line.trim_ascii().is_empty() {
            continue;
        }
        match image(line, &mut pixels) {
            Ok(label) => labels.push(label),
            Err(problem) => return Err(wrong(path, number, problem)),
        }
    }
    if labels.is_empty() {
        return Err(DataError::Empty { path: path.into() });
    }
    let n = labels.len();
    Ok(TensorDataset::new(
        Tensor::from_vec(pixels, &[n, SIDE, SIDE]),
        Tensor::from_vec(labels, &[n]),
    ))
}

/// The byte-order mark that editors on Windows write at the start of UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Returns the error for a line, or for the whole file if it is of another kind.
fn wrong(path: &Path, line: usize, problem: LineProblem) -> DataError {
    let path = path.to_path_buf();
    match kind(&path).filter(|&kind| kind != FileKind::Text) {
        Some(kind) => {
            let expected = "lines of a label and 256 numbers";
            DataError::Kind { path, expected, kind }
        }
        None => DataError::Line { path, line, problem },
    }
}

/// Appends the pixels of a line to `pixels`. Returns the label.
fn image(line: &[u8], pixels: &mut Vec<f32>) -> Result<i64, LineProblem> {
    if line.len() >= LONGEST {
        return Err(LineProblem::TooLong { limit: LONGEST });
    }
    // Check the count first: it reveals a truncated line, or a file of another kind.
    let words = || line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (found, expected) = (words().count(), 1 + SIDE * SIDE);
    if found != expected {
        return Err(LineProblem::Count { found, expected });
    }
    let mut label = 0;
    for (i, word) in words().enumerate() {
        let position = i + 1;
        let text = || String::from_utf8_lossy(word).chars().take(20).collect::<String>();
        let Some(value) = std::str::from_utf8(word).ok().and_then(|word| word.parse::<f32>().ok())
        else {
            return Err(LineProblem::NotANumber { position, text: text() });
        };
        if i == 0 {
            // A label is written as 6 or 6.0000.
            if value.fract() != 0.0 || !(0.0..CLASSES as f32).contains(&value) {
                return Err(LineProblem::Label { text: text(), classes: CLASSES });
            }
            label = value as i64;
        } else if (-1.0..=1.0).contains(&value) {
            pixels.push(value);
        } else {
            return Err(LineProblem::OutOfRange { position, text: text(), low: -1.0, high: 1.0 });
        }
    }
    Ok(label)
}
