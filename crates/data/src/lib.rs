//! Data sets and loaders for wengert.
//!
//! - [`Digits`] (part of the crate), [`Mnist`], [`Emnist`] and [`Zipcode`] (read from files): real handwritten digits
//!   and letters; [`FashionMnist`]: pictures of clothes in the format of MNIST; [`Cifar10`], [`Cifar100`]:
//!   photographs. With the feature `download`, they are fetched on request: `Mnist::load_or_download()`;
//! - [`Iris`], [`Wine`], [`BreastCancer`], [`Diabetes`]: small tables, part of the crate;
//! - `Csv` (feature `csv`): tables in text files; `ImageFolder` (feature `images`): folders of PNG and JPEG pictures;
//! - [`Vocabulary`] and [`SequenceWindows`]: text by characters or by words, and its sequences;
//! - [`Dataset`]: the trait of data sets; [`TensorDataset`]: a data set of inputs and targets. A tensor or a
//!   tuple of tensors is also a data set: `DataLoader::new((questions, hints, answers), 32)`;
//! - [`DataLoader`]: shuffled batches, the same for the same seed on every machine;
//! - [`random_split`] and [`stratified_split`]: parts for training and validation;
//! - [`Dataset::augment`]: random rotations, shifts and flips of images, different in each epoch;
//! - [`Standardize`], [`MinMax`], [`OneHot`]: transforms that are fitted to the training part and saved with the model;
//! - [`idx`]: the file format of MNIST and similar data sets; [`npy`]: the file formats of NumPy.
//!
//! ```
//! use wengert::data::{DataLoader, Digits, random_split};
//!
//! let [train, valid] = random_split(Digits::load().dataset(), [1500, 297], 0);
//! let loader = DataLoader::new(train, 64).shuffle(42);
//! for epoch in 0..2 {
//!     for (images, labels) in loader.epoch(epoch) {
//!         assert_eq!(images.shape()[1..], [8, 8]);
//!         assert_eq!(images.shape()[0], labels.numel());
//!     }
//! }
//! ```
//!
//! # Features
//! None is enabled by default. The package `wengert` has features of the same names.
//!
//! | feature | |
//! |---|---|
//! | `download` | `Download`, and the methods `download`, `download_to` and `load_or_download` of the data sets |
//! | `csv` | `Csv` and `Table` |
//! | `images` | `ImageFolder`; enables `csv` |
//! | `module` | [`Standardize`], [`MinMax`] and [`OneHot`] are modules; `wengert` enables it |

#![allow(clippy::doc_markdown)] // LeCun is a name

mod augment;
mod cifar;
#[cfg(feature = "csv")]
mod csv;
mod dataset;
mod digits;
mod emnist;
mod error;
mod feature;
#[cfg(feature = "download")]
mod fetch;
#[cfg(feature = "download")]
mod fetch_error;
#[cfg(feature = "images")]
mod folder;
pub mod idx;
mod idx_types;
mod loader;
mod locate;
mod mnist;
pub mod npy;
mod permutation;
mod pickle;
mod problem;
mod scale;
mod split;
mod stored;
mod stratified;
#[cfg(feature = "download")]
mod tar;
mod tensors;
mod text;
mod toys;
mod unpack;
mod zip;
mod zipcode;

pub use augment::{
    Augmentation, Augmented, Image, RandomAffine, RandomCrop, RandomHorizontalFlip, Span,
};
pub use cifar::{Cifar10, Cifar100};
#[cfg(feature = "csv")]
pub use csv::{ColumnKey, Csv, Missing, Table, TableColumn};
pub use dataset::{Dataset, TensorDataset};
pub use digits::Digits;
pub use emnist::{Emnist, EmnistSplit};
pub use error::{DataError, LineProblem, SearchedFolder};
pub use feature::Feature;
#[cfg(feature = "download")]
pub use fetch::{Download, DownloadProgress};
#[cfg(feature = "download")]
pub use fetch_error::{DownloadError, DownloadProblem, FailedAttempt};
#[cfg(feature = "images")]
pub use folder::ImageFolder;
pub use loader::{DataLoader, Epoch};
pub use mnist::{FashionMnist, Mnist};
pub use problem::{ArchiveProblem, CellProblem, NpyProblem, PickleProblem};
pub use scale::{InputBatch, MinMax, OneHot, Standardize, Transform, Transformed};
pub use split::{Subset, random_split};
pub use stratified::{Labeled, Share, stratified_split};
pub use text::{SequenceWindows, UnknownUnit, Vocabulary, split_sequence};
pub use toys::{BreastCancer, Diabetes, Iris, Wine};
pub use zipcode::Zipcode;
