//! The data sets CIFAR-10 and CIFAR-100, in their binary and their Python form.

use crate::dataset::TensorDataset;
use crate::error::DataError;
use crate::locate::{Files, Surroundings};
use std::path::{Path, PathBuf};
use wengert_tensor::Tensor;

mod batches;
mod rows;

const CHANNELS: usize = 3;
const SIDE: usize = 32;
const PIXELS: usize = CHANNELS * SIDE * SIDE;

/// Images, and one list of labels for each kind of label.
struct Examples<const L: usize> {
    pixels: Vec<u8>,
    labels: [Vec<i64>; L],
}

/// The labels of a data set.
struct Labels<const L: usize> {
    /// The numbers of classes, in the order of the bytes of a row.
    classes: [usize; L],
    /// The keys of the lists in a pickle.
    keys: [&'static str; L],
}

impl<const L: usize> Labels<L> {
    /// Reads files of either form, one after the other.
    fn read(&self, paths: &[PathBuf]) -> Result<Examples<L>, DataError> {
        let mut examples = Examples { pixels: Vec::new(), labels: [(); L].map(|()| Vec::new()) };
        for path in paths {
            if path.extension().is_some_and(|it| it == "bin") || is_binary_gz(path) {
                rows::read(path, self, &mut examples)?;
            } else {
                batches::read(path, self, &mut examples)?;
            }
        }
        Ok(examples)
    }
}

fn is_binary_gz(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "gz")
        && path
            .file_stem()
            .is_some_and(|stem| Path::new(stem).extension().is_some_and(|it| it == "bin"))
}

fn images(pixels: Vec<u8>) -> Tensor<u8> {
    let n = pixels.len() / PIXELS;
    Tensor::from_vec(pixels, &[n, CHANNELS, SIDE, SIDE])
}

/// Finds the files in their binary form, or else in their Python form.
fn either<const N: usize>(
    find: impl Fn(&Files<N>) -> Result<[PathBuf; N], DataError>,
    [binary, python]: [&Files<N>; 2],
) -> Result<[PathBuf; N], DataError> {
    find(binary).or_else(|error| find(python).map_err(|_| error))
}

/// The CIFAR-10 data set: small colour photographs of ten classes of objects, with 50,000 training images and
/// 10,000 test images.
///
/// Images are bytes `[n, 3, 32, 32]` with channels red, green and blue. In batches they are `f32` in `0..=1`.
/// Labels are `i64` from 0 to 9; [`Cifar10::CLASSES`] has the names of the classes.
///
/// ```no_run
/// use wengert::data::{Cifar10, DataLoader, Dataset, RandomCrop, RandomHorizontalFlip};
/// let cifar = Cifar10::load().unwrap().normalize_channels(&Cifar10::MEAN, &Cifar10::STD);
/// let train = cifar.train.augment(RandomCrop::padding(4), 0).then(RandomHorizontalFlip::new(0.5));
/// for (images, labels) in DataLoader::new(train, 128).shuffle(0).epoch(0) {
///     assert_eq!(images.shape()[1..], [3, 32, 32]);
/// }
/// ```
///
/// The files are those of the "binary version", in which each row has 3,073 bytes, the label and the pixels, or
/// those of the "Python version", which are pickles. Pickles are read without executing anything.
///
/// A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Cifar10 {
    /// The training images and their labels.
    pub train: TensorDataset<u8>,
    /// The test images and their labels.
    pub test: TensorDataset<u8>,
}

impl Cifar10 {
    const LABELS: Labels<1> = Labels { classes: [10], keys: ["labels"] };
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
    const PYTHON: Files<6> = Files {
        folder: "cifar-10-batches-py",
        names: [
            "data_batch_1",
            "data_batch_2",
            "data_batch_3",
            "data_batch_4",
            "data_batch_5",
            "test_batch",
        ],
        ..Self::FILES
    };
    /// Mean of each channel of the training pixels, scaled to `0..=1`.
    pub const MEAN: [f32; CHANNELS] = [0.491400, 0.482158, 0.446531];
    /// Standard deviation of each channel of the training pixels, scaled to `0..=1`.
    pub const STD: [f32; CHANNELS] = [0.247032, 0.243485, 0.261588];
    /// The names of the classes.
    pub const CLASSES: [&str; 10] =
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
    /// `test_batch.bin`, and may be compressed (`.gz`). If they are not found, the files of the Python version
    /// are looked for in the same folders, with `cifar-10-batches-py` in place of `cifar-10-batches-bin`:
    /// `data_batch_1` to `data_batch_5` and `test_batch`.
    ///
    /// # Errors
    /// If no folder contains all six files (the message lists the folders and says where to get the files),
    /// or a file is invalid.
    pub fn load() -> Result<Self, DataError> {
        let around = Surroundings::of_process();
        Self::read(&either(|files| files.find(&around), [&Self::FILES, &Self::PYTHON])?)
    }

    /// Loads the six files from this folder or its sub-folder `cifar-10-batches-bin`, `cifar-10` or
    /// `cifar10`.
    ///
    /// # Errors
    /// If a file is missing or invalid.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self, DataError> {
        let folder = folder.as_ref();
        Self::read(&either(|files| files.in_folder(folder), [&Self::FILES, &Self::PYTHON])?)
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
        let read = |paths: &[PathBuf]| -> Result<_, DataError> {
            let Examples { pixels, labels: [classes] } = Self::LABELS.read(paths)?;
            Ok(TensorDataset::new(images(pixels), classes.into()))
        };
        let test = read(std::slice::from_ref(test))?;
        Ok(Cifar10 { train: read(train)?, test })
    }
}

/// The CIFAR-100 data set: small colour photographs of a hundred classes of objects, with 50,000 training images
/// and 10,000 test images. The classes belong to twenty superclasses of five classes each.
///
/// Images are bytes `[n, 3, 32, 32]` with channels red, green and blue. In batches they are `f32` in `0..=1`.
/// Labels are `i64` from 0 to 99; [`Cifar100::CLASSES`] has the names of the classes.
///
/// ```no_run
/// use wengert::data::{Cifar100, DataLoader};
/// let cifar = Cifar100::load().unwrap().normalize_channels(&Cifar100::MEAN, &Cifar100::STD);
/// for (images, labels) in DataLoader::new(&cifar.train, 128).shuffle(0).epoch(0) {
///     println!("{:?}: {}", images.shape(), Cifar100::CLASSES[labels.at(&[0]) as usize]);
/// }
/// ```
///
/// The files are those of the "binary version", in which each row has 3,074 bytes, the superclass, the class and
/// the pixels, or those of the "Python version", which are pickles. Pickles are read without executing
/// anything.
///
/// A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Cifar100 {
    /// The training images and their classes.
    pub train: TensorDataset<u8>,
    /// The test images and their classes.
    pub test: TensorDataset<u8>,
    /// The superclasses of the training images, `[n]`, from 0 to 19.
    pub train_superclasses: Tensor<i64>,
    /// The superclasses of the test images, `[n]`, from 0 to 19.
    pub test_superclasses: Tensor<i64>,
}

impl Cifar100 {
    const LABELS: Labels<2> = Labels { classes: [20, 100], keys: ["coarse_labels", "fine_labels"] };
    const FILES: Files<2> = Files {
        set: "CIFAR-100",
        folder: "cifar-100-binary",
        source: "They are in cifar-100-binary.tar.gz of https://www.cs.toronto.edu/~kriz/cifar.html.",
        elsewhere: &["cifar-100", "cifar100"],
        ambiguous: true,
        names: ["train.bin", "test.bin"],
    };
    const PYTHON: Files<2> =
        Files { folder: "cifar-100-python", names: ["train", "test"], ..Self::FILES };
    /// Mean of each channel of the training pixels, scaled to `0..=1`.
    pub const MEAN: [f32; CHANNELS] = [0.507075, 0.486549, 0.440918];
    /// Standard deviation of each channel of the training pixels, scaled to `0..=1`.
    pub const STD: [f32; CHANNELS] = [0.267334, 0.256438, 0.276150];
    /// The names of the classes.
    pub const CLASSES: [&str; 100] = [
        "apple",
        "aquarium_fish",
        "baby",
        "bear",
        "beaver",
        "bed",
        "bee",
        "beetle",
        "bicycle",
        "bottle",
        "bowl",
        "boy",
        "bridge",
        "bus",
        "butterfly",
        "camel",
        "can",
        "castle",
        "caterpillar",
        "cattle",
        "chair",
        "chimpanzee",
        "clock",
        "cloud",
        "cockroach",
        "couch",
        "crab",
        "crocodile",
        "cup",
        "dinosaur",
        "dolphin",
        "elephant",
        "flatfish",
        "forest",
        "fox",
        "girl",
        "hamster",
        "house",
        "kangaroo",
        "keyboard",
        "lamp",
        "lawn_mower",
        "leopard",
        "lion",
        "lizard",
        "lobster",
        "man",
        "maple_tree",
        "motorcycle",
        "mountain",
        "mouse",
        "mushroom",
        "oak_tree",
        "orange",
        "orchid",
        "otter",
        "palm_tree",
        "pear",
        "pickup_truck",
        "pine_tree",
        "plain",
        "plate",
        "poppy",
        "porcupine",
        "possum",
        "rabbit",
        "raccoon",
        "ray",
        "road",
        "rocket",
        "rose",
        "sea",
        "seal",
        "shark",
        "shrew",
        "skunk",
        "skyscraper",
        "snail",
        "snake",
        "spider",
        "squirrel",
        "streetcar",
        "sunflower",
        "sweet_pepper",
        "table",
        "tank",
        "telephone",
        "television",
        "tiger",
        "tractor",
        "train",
        "trout",
        "tulip",
        "turtle",
        "wardrobe",
        "whale",
        "willow_tree",
        "wolf",
        "woman",
        "worm",
    ];
    /// The names of the superclasses.
    pub const SUPERCLASSES: [&str; 20] = [
        "aquatic_mammals",
        "fish",
        "flowers",
        "food_containers",
        "fruit_and_vegetables",
        "household_electrical_devices",
        "household_furniture",
        "insects",
        "large_carnivores",
        "large_man-made_outdoor_things",
        "large_natural_outdoor_scenes",
        "large_omnivores_and_herbivores",
        "medium_mammals",
        "non-insect_invertebrates",
        "people",
        "reptiles",
        "small_mammals",
        "trees",
        "vehicles_1",
        "vehicles_2",
    ];

    /// Loads CIFAR-100 from the first of these folders that contains the files:
    ///
    /// 1. if the environment variable `WENGERT_DATA` is set: only the folder that it names, if that is called
    ///    `cifar-100-binary`, `cifar-100` or `cifar100`, or its sub-folder with one of these names;
    /// 2. `data/cifar-100-binary` in the current folder or one above it, or in the clone of the
    ///    repository that this crate was built from (the repository does not contain the files);
    /// 3. `wengert/cifar-100-binary` in the user's cache: `$XDG_CACHE_HOME` or `~/.cache`,
    ///    `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows.
    ///
    /// The files are `train.bin` and `test.bin`, and may be compressed (`.gz`). If they are not found, the files
    /// `train` and `test` of the Python version are looked for in the same folders, with `cifar-100-python`
    /// in place of `cifar-100-binary`.
    ///
    /// # Errors
    /// If no folder contains both files (the message lists the folders and says where to get the files), or a
    /// file is invalid.
    pub fn load() -> Result<Self, DataError> {
        let around = Surroundings::of_process();
        Self::read(&either(|files| files.find(&around), [&Self::FILES, &Self::PYTHON])?)
    }

    /// Loads the two files from this folder or its sub-folder `cifar-100-binary`, `cifar-100-python`,
    /// `cifar-100` or `cifar100`.
    ///
    /// # Errors
    /// If a file is missing or invalid.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self, DataError> {
        let folder = folder.as_ref();
        Self::read(&either(|files| files.in_folder(folder), [&Self::FILES, &Self::PYTHON])?)
    }

    /// Normalises the images of batches to `(x - mean) / std` per channel; see
    /// [`TensorDataset::normalize_channels`].
    ///
    /// # Panics
    /// If there are not three means and three standard deviations, if a standard deviation is zero or
    /// negative, or if a number is not finite.
    #[track_caller]
    pub fn normalize_channels(self, means: &[f32], stds: &[f32]) -> Self {
        Cifar100 {
            train: self.train.normalize_channels(means, stds),
            test: self.test.normalize_channels(means, stds),
            ..self
        }
    }

    fn read(paths: &[PathBuf; 2]) -> Result<Self, DataError> {
        let read = |path: &PathBuf| -> Result<_, DataError> {
            let Examples { pixels, labels } = Self::LABELS.read(std::slice::from_ref(path))?;
            let [superclasses, classes] = labels;
            Ok((TensorDataset::new(images(pixels), classes.into()), superclasses.into()))
        };
        let (test, test_superclasses) = read(&paths[1])?;
        let (train, train_superclasses) = read(&paths[0])?;
        Ok(Cifar100 { train, test, train_superclasses, test_superclasses })
    }
}
