//! MNIST and Fashion-MNIST, which has the same file format.

use crate::dataset::TensorDataset;
use crate::error::DataError;
use crate::idx;
use crate::locate::{Files, Surroundings};
use std::ops::Range;
use std::path::{Path, PathBuf};

const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
];
const SIDE: usize = 28;
const CLASSES: usize = 10;

/// The MNIST data set of handwritten digits: 60,000 training images and 10,000 test images.
///
/// Images are bytes `[n, 28, 28]` (0 is background, 255 is ink). In batches they are `f32` in `0..=1`. Labels
/// are `i64` from 0 to 9.
///
/// ```no_run
/// use wengert::data::{DataLoader, Mnist};
/// let mnist = Mnist::load().unwrap();
/// let loader = DataLoader::new(&mnist.train, 128).shuffle(0);
/// for (images, labels) in loader.epoch(0) {
///     assert_eq!(images.shape()[1..], [28, 28]);
/// }
/// ```
///
/// Data sets with the same file names and format, such as KMNIST, can be loaded with
/// [`Mnist::from_folder`].
///
/// Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
/// recognition", Proc. IEEE 86(11), 1998.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Mnist {
    /// The training images and their labels.
    pub train: TensorDataset<u8>,
    /// The test images and their labels.
    pub test: TensorDataset<u8>,
}

impl Mnist {
    const FILES: Files<4> = Files {
        set: "MNIST",
        folder: "mnist",
        source: concat!("They are in data/mnist of ", env!("CARGO_PKG_REPOSITORY"), "."),
        // The sub-folder that torchvision uses.
        elsewhere: &["MNIST/raw"],
        // Other sets have the same file names. A folder named by the user is taken for MNIST all the same.
        ambiguous: false,
        names: NAMES,
    };
    /// Mean of the training pixels, scaled to `0..=1`.
    pub const MEAN: f32 = 0.130660;
    /// Standard deviation of the training pixels, scaled to `0..=1`.
    pub const STD: f32 = 0.308108;

    /// Loads MNIST from the first of these folders that contains the files:
    ///
    /// 1. if the environment variable `WENGERT_DATA` is set: only the folder that it names, or its sub-folder
    ///    `mnist` or `MNIST/raw`;
    /// 2. `data/mnist` in the current folder or one above it;
    /// 3. `data/mnist` in the clone of the repository that this crate was built from;
    /// 4. `wengert/mnist` in the user's cache: `$XDG_CACHE_HOME` or `~/.cache`,
    ///    `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows.
    ///
    /// The files must have their original names, such as `train-images-idx3-ubyte` or
    /// `train-images.idx3-ubyte`, and may be compressed (`.gz`).
    ///
    /// # Errors
    /// If no folder contains all four files (the message lists the folders), or a file is invalid.
    pub fn load() -> Result<Self, DataError> {
        Self::read(&Self::FILES.find(&Surroundings::of_process())?)
    }

    /// Loads the four files from this folder or its sub-folder `mnist` or `MNIST/raw`.
    ///
    /// # Errors
    /// If a file is missing or invalid.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self, DataError> {
        Self::read(&Self::FILES.in_folder(folder.as_ref())?)
    }
}

/// The Fashion-MNIST data set: pictures of ten kinds of clothing in the format of [`Mnist`], with 60,000
/// training images and 10,000 test images, 6,000 and 1,000 per class.
///
/// The data set is harder to classify than MNIST. Images are bytes `[n, 28, 28]` (0 is background). In
/// batches they are `f32` in `0..=1`. Labels are `i64` from 0 to 9; [`FashionMnist::CLASSES`] has the names
/// of the classes.
///
/// ```no_run
/// use wengert::data::{DataLoader, FashionMnist};
/// let fashion = FashionMnist::load().unwrap().normalize(FashionMnist::MEAN, FashionMnist::STD);
/// for (images, labels) in DataLoader::new(&fashion.train, 128).shuffle(0).epoch(0) {
///     println!("{:?}: {}", images.shape(), FashionMnist::CLASSES[labels.at(&[0]) as usize]);
/// }
/// ```
///
/// H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
/// learning algorithms", 2017.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FashionMnist {
    /// The training images and their labels.
    pub train: TensorDataset<u8>,
    /// The test images and their labels.
    pub test: TensorDataset<u8>,
}

impl FashionMnist {
    const FILES: Files<4> = Files {
        set: "Fashion-MNIST",
        folder: "fashion-mnist",
        source: "They are in data/fashion of https://github.com/zalandoresearch/fashion-mnist.",
        // The sub-folder that torchvision uses.
        elsewhere: &["FashionMNIST/raw"],
        ambiguous: true,
        names: NAMES,
    };
    /// Mean of the training pixels, scaled to `0..=1`.
    pub const MEAN: f32 = 0.286041;
    /// Standard deviation of the training pixels, scaled to `0..=1`.
    pub const STD: f32 = 0.353024;
    /// The names of the classes.
    pub const CLASSES: [&str; CLASSES] = [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ];

    /// Loads Fashion-MNIST from the first of these folders that contains the files:
    ///
    /// 1. if the environment variable `WENGERT_DATA` is set: only the folder that it names, if that is called
    ///    `fashion-mnist` or `FashionMNIST/raw`, or its sub-folder with one of these names;
    /// 2. `data/fashion-mnist` in the current folder or one above it, or in the clone of the
    ///    repository that this crate was built from (the repository does not contain the files);
    /// 3. `wengert/fashion-mnist` in the user's cache: `$XDG_CACHE_HOME` or `~/.cache`,
    ///    `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows.
    ///
    /// The files have the same names as those of MNIST and may be compressed (`.gz`). Only the name of the
    /// folder distinguishes the two data sets.
    ///
    /// # Errors
    /// If no folder contains all four files (the message lists the folders and says where to get the files),
    /// or a file is invalid.
    pub fn load() -> Result<Self, DataError> {
        Self::read(&Self::FILES.find(&Surroundings::of_process())?)
    }

    /// Loads the four files from this folder or its sub-folder `fashion-mnist` or
    /// `FashionMNIST/raw`.
    ///
    /// # Errors
    /// If a file is missing or invalid.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self, DataError> {
        Self::read(&Self::FILES.in_folder(folder.as_ref())?)
    }
}

/// Implements preparing for the data sets with images in the format of MNIST.
macro_rules! prepare_images {
    ($Set:ident) => {
        impl $Set {
            /// Normalises the images of batches to `(x - mean) / std`; see [`TensorDataset::normalize`].
            ///
            /// # Panics
            /// If `std` is zero or negative, or `mean` or `std` is not finite.
            #[track_caller]
            pub fn normalize(self, mean: f32, std: f32) -> Self {
                $Set {
                    train: self.train.normalize(mean, std),
                    test: self.test.normalize(mean, std),
                }
            }

            /// Reshapes the images to `[n, 1, 28, 28]`, the shape that convolutions expect; see
            /// [`TensorDataset::with_channel`].
            ///
            /// # Panics
            /// If the images already have a channel axis.
            #[track_caller]
            pub fn with_channel(self) -> Self {
                $Set { train: self.train.with_channel(), test: self.test.with_channel() }
            }
        }
    };
}
pub(crate) use prepare_images;

/// Implements reading and preparing for the data sets that have four files in the format of MNIST.
macro_rules! mnist_format {
    ($($Set:ident),*) => { $(
        prepare_images!($Set);

        impl $Set {
            fn read(paths: &[PathBuf; 4]) -> Result<Self, DataError> {
                let [train_images, train_labels, test_images, test_labels] = paths;
                Ok($Set {
                    train: pair(train_images, train_labels, 0..CLASSES)?,
                    test: pair(test_images, test_labels, 0..CLASSES)?,
                })
            }
        }
    )* };
}
mnist_format!(Mnist, FashionMnist);

/// Reads images and labels, and checks them. The labels must be in `classes`.
pub(crate) fn pair(
    images_path: &Path,
    labels_path: &Path,
    classes: Range<usize>,
) -> Result<TensorDataset<u8>, DataError> {
    let wrong_shape = |path: &Path, expected, found: &[usize]| DataError::WrongShape {
        path: path.into(),
        expected,
        found: found.into(),
    };
    // Read the labels first: the file is small, so that an error in it is found quickly.
    let labels = idx::read_tensor::<u8>(labels_path)?;
    if labels.rank() != 1 {
        return Err(wrong_shape(labels_path, "labels of shape [n]", &labels.shape()));
    }
    let values = labels.to_vec();
    let is_class = |&label: &u8| classes.contains(&usize::from(label));
    if let Some(position) = values.iter().position(|label| !is_class(label)) {
        let label = values[position];
        return Err(DataError::LabelOutOfRange {
            path: labels_path.into(),
            position,
            label,
            classes: classes.end,
        });
    }
    let images = idx::read_tensor::<u8>(images_path)?;
    if images.rank() != 3 || images.shape()[1..] != [SIDE, SIDE] {
        return Err(wrong_shape(images_path, "images of shape [n, 28, 28]", &images.shape()));
    }
    if images.shape()[0] == 0 {
        return Err(DataError::Empty { path: images_path.into() });
    }
    if images.shape()[0] != values.len() {
        return Err(DataError::CountMismatch {
            path: labels_path.into(),
            labels: values.len(),
            images_path: images_path.into(),
            images: images.shape()[0],
        });
    }
    Ok(TensorDataset::new(images, labels.cast()))
}
