//! The EMNIST data set.

use crate::dataset::TensorDataset;
use crate::error::DataError;
use crate::locate::{Files, Surroundings};
use crate::mnist;
use std::path::{Path, PathBuf};

/// A split of [`Emnist`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EmnistSplit {
    /// 814,255 digits, capital and small letters of 62 classes, as frequent as in the forms.
    ByClass,
    /// The same images with 47 classes: 15 small letters that look like their capitals are in the classes of
    /// these.
    ByMerge,
    /// 131,600 images of the 47 classes of `ByMerge`, equally many of each.
    Balanced,
    /// 145,600 letters of 26 classes, capital and small together.
    Letters,
    /// 280,000 digits, equally many of each.
    Digits,
    /// 70,000 digits, made like the images of MNIST.
    Mnist,
}

/// The characters of the classes with digits, capital letters and all small letters.
const ALL: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The characters of the classes without the small letters that look like their capitals.
const MERGED: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt";

impl EmnistSplit {
    /// Returns the characters of the classes, in the order of the labels.
    ///
    /// ```
    /// use wengert::data::EmnistSplit;
    /// assert_eq!(EmnistSplit::Balanced.classes().len(), 47);
    /// assert_eq!(EmnistSplit::ByClass.classes()[61], 'z');
    /// ```
    pub fn classes(self) -> Vec<char> {
        let text = match self {
            EmnistSplit::ByClass => ALL,
            EmnistSplit::ByMerge | EmnistSplit::Balanced => MERGED,
            EmnistSplit::Letters => &ALL[36..],
            EmnistSplit::Digits | EmnistSplit::Mnist => &ALL[..10],
        };
        text.chars().collect()
    }

    fn names(self) -> [&'static str; 4] {
        macro_rules! names {
            ($split:literal) => {
                [
                    concat!("emnist-", $split, "-train-images-idx3-ubyte.gz"),
                    concat!("emnist-", $split, "-train-labels-idx1-ubyte.gz"),
                    concat!("emnist-", $split, "-test-images-idx3-ubyte.gz"),
                    concat!("emnist-", $split, "-test-labels-idx1-ubyte.gz"),
                ]
            };
        }
        match self {
            EmnistSplit::ByClass => names!("byclass"),
            EmnistSplit::ByMerge => names!("bymerge"),
            EmnistSplit::Balanced => names!("balanced"),
            EmnistSplit::Letters => names!("letters"),
            EmnistSplit::Digits => names!("digits"),
            EmnistSplit::Mnist => names!("mnist"),
        }
    }
}

/// The EMNIST data set: handwritten letters and digits in the format of MNIST, in six splits.
///
/// Images are bytes `[n, 28, 28]` (0 is background), upright: the files contain them transposed. In batches they
/// are `f32` in `0..=1`. Labels are `i64` from 0, also those of the letters, which the files count from 1.
/// [`EmnistSplit::classes`] returns the characters.
///
/// ```no_run
/// use wengert::data::{DataLoader, Emnist, EmnistSplit};
/// let emnist = Emnist::load(EmnistSplit::Balanced).unwrap();
/// let classes = EmnistSplit::Balanced.classes();
/// for (images, labels) in DataLoader::new(&emnist.train, 128).shuffle(0).epoch(0) {
///     println!("{:?}: {}", images.shape(), classes[labels.at(&[0]) as usize]);
/// }
/// ```
///
/// G. Cohen, S. Afshar, J. Tapson, A. van Schaik, "EMNIST: an extension of MNIST to handwritten letters", 2017.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Emnist {
    /// The training images and their labels.
    pub train: TensorDataset<u8>,
    /// The test images and their labels.
    pub test: TensorDataset<u8>,
}

mnist::prepare_images!(Emnist);

impl Emnist {
    fn files(split: EmnistSplit) -> Files<4> {
        Files {
            set: "EMNIST",
            folder: "emnist",
            source: "They are in gzip.zip of https://www.nist.gov/itl/products-and-services/emnist-dataset.",
            elsewhere: &["EMNIST/raw"],
            ambiguous: false,
            names: split.names(),
        }
    }

    /// Loads a split of EMNIST from the first of these folders that contains its files:
    ///
    /// 1. if the environment variable `WENGERT_DATA` is set: only the folder that it names, or its sub-folder
    ///    `emnist` or `EMNIST/raw`;
    /// 2. `data/emnist` in the current folder or one above it, or in the clone of the repository that this
    ///    crate was built from (the repository does not contain the files);
    /// 3. `wengert/emnist` in the user's cache: `$XDG_CACHE_HOME` or `~/.cache`,
    ///    `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows.
    ///
    /// The files must have their original names, such as `emnist-balanced-train-images-idx3-ubyte`, and may
    /// be compressed (`.gz`).
    ///
    /// # Errors
    /// If no folder contains all four files (the message lists the folders and says where to get the files),
    /// or a file is invalid.
    pub fn load(split: EmnistSplit) -> Result<Self, DataError> {
        Self::read(split, &Self::files(split).find(&Surroundings::of_process())?)
    }

    /// Loads the four files of a split from this folder or its sub-folder `emnist` or `EMNIST/raw`.
    ///
    /// # Errors
    /// If a file is missing or invalid.
    pub fn from_folder(split: EmnistSplit, folder: impl AsRef<Path>) -> Result<Self, DataError> {
        Self::read(split, &Self::files(split).in_folder(folder.as_ref())?)
    }

    fn read(split: EmnistSplit, paths: &[PathBuf; 4]) -> Result<Self, DataError> {
        let first = u8::from(split == EmnistSplit::Letters);
        let classes = first as usize..split.classes().len() + first as usize;
        let [train_images, train_labels, test_images, test_labels] = paths;
        let read = |images: &Path, labels: &Path| -> Result<_, DataError> {
            let set = mnist::pair(images, labels, classes.clone())?;
            let upright = set.inputs().transpose(1, 2).contiguous();
            let targets = set.targets() - f64::from(first);
            Ok(TensorDataset::new(upright, targets))
        };
        let test = read(test_images, test_labels)?;
        Ok(Emnist { train: read(train_images, train_labels)?, test })
    }
}
