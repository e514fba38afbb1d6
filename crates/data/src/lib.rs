//! Data sets and loaders for wengert.
//!
//! - [`Digits`] (part of the crate), [`Mnist`] and [`Zipcode`] (read from files): real handwritten digits;
//!   [`FashionMnist`]: pictures of clothes in the format of MNIST; [`Cifar10`]: photographs;
//! - [`Dataset`]: the trait of data sets; [`TensorDataset`]: a data set of inputs and targets. A tensor or a
//!   tuple of tensors is also a data set: `DataLoader::new((questions, hints, answers), 32)`;
//! - [`DataLoader`]: shuffled batches, the same for the same seed on every machine;
//! - [`random_split`] and [`stratified_split`]: parts for training and validation;
//! - [`Dataset::augment`]: random rotations, shifts and flips of images, different in each epoch;
//! - [`idx`]: the file format of MNIST and similar data sets.
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
//! # let _ = valid;
//! ```

#![allow(clippy::doc_markdown)] // LeCun is a name

mod augment;
mod cifar10;
mod dataset;
mod digits;
mod error;
mod feature;
pub mod idx;
mod idx_types;
mod loader;
mod locate;
mod mnist;
mod permutation;
mod split;
mod stratified;
mod tensors;
mod unpack;
mod zipcode;

pub use augment::{
    Augmentation, Augmented, Image, RandomAffine, RandomCrop, RandomHorizontalFlip, Span,
};
pub use cifar10::Cifar10;
pub use dataset::{Dataset, TensorDataset};
pub use digits::Digits;
pub use error::{DataError, LineProblem, SearchedFolder};
pub use feature::Feature;
pub use loader::{DataLoader, Epoch};
pub use mnist::{FashionMnist, Mnist};
pub use split::{Subset, random_split};
pub use stratified::{Labeled, Share, stratified_split};
pub use zipcode::Zipcode;
