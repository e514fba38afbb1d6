//! Data sets and loaders for wengert.
//!
//! - [`Mnist`] (from files) and [`Digits`] (in the crate): real handwritten digits;
//! - [`Dataset`], what a loader asks of a data set, and [`TensorDataset`], which holds tensors;
//! - [`DataLoader`]: shuffled batches, the same for the same seed on every machine;
//! - [`random_split`]: parts for training and validation;
//! - [`idx`]: the file format of MNIST and its relatives.
//!
//! ```
//! use wengert_data::{DataLoader, Digits, random_split};
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

mod dataset;
mod digits;
mod error;
pub mod idx;
mod loader;
mod locate;
mod mnist;
mod permutation;
mod split;

pub use dataset::{Dataset, Feature, TensorDataset};
pub use digits::Digits;
pub use error::{DataError, Place};
pub use loader::{DataLoader, Epoch};
pub use mnist::Mnist;
pub use split::{Subset, random_split};
