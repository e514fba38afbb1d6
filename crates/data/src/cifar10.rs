//! The CIFAR-10 data set.

use crate::dataset::TensorDataset;
use crate::error::DataError;
use crate::locate::{Files, Surroundings};
use crate::unpack::{Unpacked, kind};
use std::path::{Path, PathBuf};
use wengert_tensor::Tensor;

const CHANNELS: usize = 3;
const SIDE: usize = 32;
const CLASSES: usize = 10;
/// The number of bytes of a row: a label and an image.
const ROW: usize = 1 + CHANNELS * SIDE * SIDE;
/// The number of rows that are read at a time.
const ROWS: usize = 256;

/// The CIFAR-10 data set: small colour photographs of ten classes of objects, with 50,000 training images and
/// 10,000 test images.
///
/// Images are bytes `[n, 3, 32, 32]` with channels red, green and blue. In batches they are `f32` in `0..=1`.
/// Labels are `i64` from 0 to 9; [`Cifar10::CLASSES`] has the names of the classes.
///
/// ```no_run
/// use wengert::data::{Cifar10, DataLoader, Dataset, RandomCrop, RandomHorizontalFlip};
/// let cifar = Cifar10::load()?.normalize_channels(&Cifar10::MEAN, &Cifar10::STD);
/// let train = cifar.train.augment(RandomCrop::padding(4), 0).then(RandomHorizontalFlip::new(0.5));
/// for (images, labels) in DataLoader::new(train, 128).shuffle(0).epoch(0) {
///     assert_eq!(images.shape()[1..], [3, 32, 32]);
/// }
/// # Ok::<(), wengert::data::DataError>(())
/// ```
///
/// The files are those of the "binary version": each row has 3,073 bytes, the label and the pixels.
///
/// A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
#[derive(Debug, Clone)]
pub struct Cifar10 {
    /// The training images and their labels.
    pub train: TensorDataset<u8>,
    /// The test images and their labels.
    pub test: TensorDataset<u8>,
}

impl Cifar10 {
    const FILES: Files<6> = Files {
        set: "CIFAR-10",
        folder: "cifar-10-batches-bin",
        source: "They are in cifar-10-binary.tar.gz of https://www.cs.toronto.edu/~kriz/cifar.html.",
        elsewhere: &["cifar-10", "cifar10"],
        ambiguous: false,
        names: [
            "data_batch_1.bin",
            "data_batch_2.bin",
            "data_batch_3.bin",
            "data_batch_4.bin",
            "data_batch_5.bin",
            "test_batch.bin",
        ],
    };
    /// Mean of each channel of the training pixels, scaled to `0..=1`.
    pub const MEAN: [f32; CHANNELS] = [0.491400, 0.482158, 0.446531];
    /// Standard deviation of each channel of the training pixels, scaled to `0..=1`.
    pub const STD: [f32; CHANNELS] = [0.247032, 0.243485, 0.261588];
    /// The names of the classes.
    pub const CLASSES: [&str; CLASSES] =
        ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

    /// Loads CIFAR-10 from the first of these folders that contains the files:
    ///
    /// 1. if the environment variable `WENGERT_DATA` is set: only the folder that it names, or its sub-folder
    ///    `cifar-10-batches-bin`, `cifar-10` or `cifar10`;
    /// 2. `data/cifar-10-batches-bin` in the current folder or one above it, or in the clone of the
    ///    repository that this crate was built from (the repository does not contain the files);
    /// 3. `wengert/cifar-10-batches-bin` in the user's cache: `$XDG_CACHE_HOME` or `~/.cache`,
    ///    `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows.
    ///
    /// The files must have their original names, `data_batch_1.bin` to `data_batch_5.bin` and
    /// `test_batch.bin`, and may be compressed (`.gz`).
    ///
    /// # Errors
    /// If no folder contains all six files (the message lists the folders and says where to get the files),
    /// or a file is invalid.
    pub fn load() -> Result<Self, DataError> {
        Self::read(&Self::FILES.find(&Surroundings::of_process())?)
    }

    /// Loads the six files from this folder or its sub-folder `cifar-10-batches-bin`, `cifar-10` or
    /// `cifar10`.
    ///
    /// # Errors
    /// If a file is missing or invalid.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self, DataError> {
        Self::read(&Self::FILES.in_folder(folder.as_ref())?)
    }

    /// Normalises the images of batches to `(x - mean) / std` per channel; see
    /// [`TensorDataset::normalize_channels`].
    ///
    /// # Panics
    /// If there are not three means and three standard deviations, if a standard deviation is zero or
    /// negative, or if a number is not finite.
    #[track_caller]
    pub fn normalize_channels(self, means: &[f32], stds: &[f32]) -> Self {
        Cifar10 {
            train: self.train.normalize_channels(means, stds),
            test: self.test.normalize_channels(means, stds),
        }
    }

    fn read(paths: &[PathBuf; 6]) -> Result<Self, DataError> {
        let [train @ .., test] = paths;
        let test = images(std::slice::from_ref(test))?;
        Ok(Cifar10 { train: images(train)?, test })
    }
}

/// Reads the rows of these files, one file after the other.
fn images(paths: &[PathBuf]) -> Result<TensorDataset<u8>, DataError> {
    // If the file is of another kind, report the kind and not the invalid labels or rows.
    let expected = "rows of a label and 3,072 pixels";
    let wrong = |path: &PathBuf, error| match kind(path) {
        Some(kind) => DataError::Kind { path: path.clone(), expected, kind },
        None => error,
    };
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for path in paths {
        let mut unpacked = Unpacked::open(path)?;
        let (before, mut rows) = (labels.len(), Vec::with_capacity(ROWS * ROW));
        while unpacked.read_up_to(ROWS * ROW, &mut rows)? > 0 {
            let whole = rows.chunks_exact(ROW);
            if !whole.remainder().is_empty() {
                let found = (labels.len() - before) * ROW + rows.len();
                let error = DataError::Rows { path: path.clone(), row: ROW, found };
                return Err(wrong(path, error));
            }
            for row in whole {
                let label = row[0];
                if usize::from(label) >= CLASSES {
                    let error = DataError::LabelOutOfRange {
                        path: path.clone(),
                        position: labels.len() - before,
                        label,
                        classes: CLASSES,
                    };
                    return Err(wrong(path, error));
                }
                labels.push(i64::from(label));
                pixels.extend_from_slice(&row[1..]);
            }
            rows.clear();
        }
        if labels.len() == before {
            return Err(DataError::Empty { path: path.clone() });
        }
    }
    let n = labels.len();
    Ok(TensorDataset::new(
        Tensor::from_vec(pixels, &[n, CHANNELS, SIDE, SIDE]),
        Tensor::from_vec(labels, &[n]),
    ))
}
