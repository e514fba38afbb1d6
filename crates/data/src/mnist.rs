//! MNIST and the sets made in its image: the same files with other pictures.

use crate::dataset::TensorDataset;
use crate::error::DataError;
use crate::idx;
use crate::locate::{Files, Surroundings};
use std::path::{Path, PathBuf};

const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
];
const SIDE: usize = 28;
const CLASSES: usize = 10;

/// The MNIST database of handwritten digits: 60,000 images to train on and 10,000 to test with.
///
/// Images are bytes `[n, 28, 28]` (0 is background, 255 ink) that become `f32` in `0..=1` batch by
/// batch; labels are `i64` from 0 to 9.
///
/// ```no_run
/// use wengert_data::{DataLoader, Mnist};
/// let mnist = Mnist::load()?;
/// let loader = DataLoader::new(&mnist.train, 128).shuffle(0);
/// for (images, labels) in loader.epoch(0) {
///     assert_eq!(images.shape()[1..], [28, 28]);
/// }
/// # Ok::<(), wengert_data::DataError>(())
/// ```
///
/// Sets with the same files, such as KMNIST, load with [`Mnist::from_folder`].
///
/// Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
/// recognition", Proc. IEEE 86(11), 1998.
#[derive(Debug, Clone)]
pub struct Mnist {
    /// The images to train on.
    pub train: TensorDataset<u8>,
    /// The images to test with.
    pub test: TensorDataset<u8>,
}

impl Mnist {
    const FILES: Files<4> = Files {
        set: "MNIST",
        folder: "mnist",
        source: concat!("They are in data/mnist of ", env!("CARGO_PKG_REPOSITORY"), "."),
        // Where torchvision puts it.
        elsewhere: &["MNIST/raw"],
        // Whoever names a folder with such files means these, unless another set is asked for.
        ambiguous: false,
        names: NAMES,
    };
    /// Mean of the training pixels, scaled to `0..=1`.
    pub const MEAN: f32 = 0.130660;
    /// Standard deviation of the training pixels, scaled to `0..=1`.
    pub const STD: f32 = 0.308108;

    /// Loads MNIST from the first of these places that has it:
    ///
    /// 1. if the environment variable `WENGERT_DATA` is set, that folder or its sub-folder `mnist`
    ///    or `MNIST/raw`, and no other;
    /// 2. `data/mnist` in the current folder or one above it;
    /// 3. `data/mnist` in the clone of the repository that this crate was built from;
    /// 4. `wengert/mnist` in the user's cache: `$XDG_CACHE_HOME` or `~/.cache`,
    ///    `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows.
    ///
    /// The files keep their names, `train-images-idx3-ubyte` or `train-images.idx3-ubyte` &c., and
    /// may be compressed (`.gz`) or not.
    ///
    /// # Errors
    /// If no place has all four files (the message lists the places), or a file is not as it
    /// should be.
    pub fn load() -> Result<Self, DataError> {
        Self::read(&Self::FILES.find(&Surroundings::of_process())?)
    }

    /// Loads the four files from this folder or its sub-folder `mnist` or `MNIST/raw`.
    ///
    /// # Errors
    /// If a file is missing or not as it should be.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self, DataError> {
        Self::read(&Self::FILES.in_folder(folder.as_ref())?)
    }
}

/// Fashion-MNIST: pictures of ten kinds of clothing in the form of [`Mnist`], and harder: 60,000 to
/// train on and 10,000 to test with, 6,000 and 1,000 of each kind.
///
/// Images are bytes `[n, 28, 28]` (0 is background) that become `f32` in `0..=1` batch by batch;
/// labels are `i64` from 0 to 9, whose names are [`FashionMnist::CLASSES`].
///
/// ```no_run
/// use wengert_data::{DataLoader, FashionMnist};
/// let fashion = FashionMnist::load()?.normalize(FashionMnist::MEAN, FashionMnist::STD);
/// for (images, labels) in DataLoader::new(&fashion.train, 128).shuffle(0).epoch(0) {
///     println!("{:?}: {}", images.shape(), FashionMnist::CLASSES[labels.at(&[0]) as usize]);
/// }
/// # Ok::<(), wengert_data::DataError>(())
/// ```
///
/// H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
/// learning algorithms", 2017.
#[derive(Debug, Clone)]
pub struct FashionMnist {
    /// The images to train on.
    pub train: TensorDataset<u8>,
    /// The images to test with.
    pub test: TensorDataset<u8>,
}

impl FashionMnist {
    const FILES: Files<4> = Files {
        set: "Fashion-MNIST",
        folder: "fashion-mnist",
        source: "They are in data/fashion of https://github.com/zalandoresearch/fashion-mnist.",
        // Where torchvision puts it.
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

    /// Loads Fashion-MNIST from the first of these places that has it:
    ///
    /// 1. if the environment variable `WENGERT_DATA` is set, that folder if it is named
    ///    `fashion-mnist` or `FashionMNIST/raw`, or its sub-folder of such a name, and no other;
    /// 2. `data/fashion-mnist` in the current folder or one above it, or in the clone of the
    ///    repository that this crate was built from (which does not bring the files);
    /// 3. `wengert/fashion-mnist` in the user's cache: `$XDG_CACHE_HOME` or `~/.cache`,
    ///    `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows.
    ///
    /// The files have the names of MNIST's, and may be compressed (`.gz`) or not. Since the names
    /// are the same, only the folder's name tells one set from the other.
    ///
    /// # Errors
    /// If no place has all four files (the message lists the places and says where to get them), or
    /// a file is not as it should be.
    pub fn load() -> Result<Self, DataError> {
        Self::read(&Self::FILES.find(&Surroundings::of_process())?)
    }

    /// Loads the four files from this folder or its sub-folder `fashion-mnist` or
    /// `FashionMNIST/raw`.
    ///
    /// # Errors
    /// If a file is missing or not as it should be.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self, DataError> {
        Self::read(&Self::FILES.in_folder(folder.as_ref())?)
    }
}

macro_rules! in_the_image_of_mnist {
    ($($Set:ident),*) => {
        $(impl $Set {
            /// Batches with `(x - mean) / std` in place of `x`, see [`TensorDataset::normalize`].
            ///
            /// # Panics
            /// If `std` is zero or negative, or one of the two is not finite.
            #[track_caller]
            pub fn normalize(self, mean: f32, std: f32) -> Self {
                $Set { train: self.train.normalize(mean, std), test: self.test.normalize(mean, std) }
            }

            /// Images `[n, 1, 28, 28]`, as convolutions take them; see
            /// [`TensorDataset::with_channel`].
            ///
            /// # Panics
            /// If they have a channel already.
            #[track_caller]
            pub fn with_channel(self) -> Self {
                $Set { train: self.train.with_channel(), test: self.test.with_channel() }
            }

            fn read(paths: &[PathBuf; 4]) -> Result<Self, DataError> {
                let [train_images, train_labels, test_images, test_labels] = paths;
                Ok($Set {
                    train: pair(train_images, train_labels)?,
                    test: pair(test_images, test_labels)?,
                })
            }
        })*
    };
}
in_the_image_of_mnist!(Mnist, FashionMnist);

/// Images with their labels, checked.
fn pair(images_path: &Path, labels_path: &Path) -> Result<TensorDataset<u8>, DataError> {
    let wrong_shape = |path: &Path, expected, found: &[usize]| DataError::WrongShape {
        path: path.into(),
        expected,
        found: found.into(),
    };
    // The labels first: they are small, and an error in them shows at once.
    let labels = idx::read_tensor::<u8>(labels_path)?;
    if labels.rank() != 1 {
        return Err(wrong_shape(labels_path, "labels of shape [n]", &labels.shape()));
    }
    let values = labels.to_vec();
    if let Some(position) = values.iter().position(|&label| usize::from(label) >= CLASSES) {
        let label = values[position];
        return Err(DataError::LabelOutOfRange {
            path: labels_path.into(),
            position,
            label,
            classes: CLASSES,
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
