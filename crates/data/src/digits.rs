//! A small data set that is part of the crate.

use crate::dataset::TensorDataset;
use flate2::read::GzDecoder;
use std::io::Read;
use wengert_tensor::Tensor;

/// A data set of 1,797 handwritten digits of 8×8 pixels, included in this crate for tests, documentation and
/// first experiments.
///
/// It is the test set of the UCI repository's "Optical Recognition of Handwritten Digits" (E. Alpaydin
/// and C. Kaynak, 1998), as distributed with scikit-learn; see `assets/README.md` for source and licence.
///
/// ```
/// use wengert::data::Digits;
/// let digits = Digits::load();
/// assert_eq!(digits.images.shape(), [1797, 8, 8]);
/// assert_eq!(digits.labels.to_vec()[..5], [0, 1, 2, 3, 4]);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Digits {
    /// The images, `[1797, 8, 8]`, pixels from 0 (background) to 16 (ink).
    pub images: Tensor<f32>,
    /// The digits, `[1797]`, from 0 to 9.
    pub labels: Tensor<i64>,
}

const FILE: &[u8] = include_bytes!("../assets/digits.csv.gz");
const SIDE: usize = 8;

impl Digits {
    /// The number of images.
    pub const LEN: usize = 1797;

    /// Loads the digits. Loading cannot fail, because the file is compiled into the program and a test reads
    /// it.
    pub fn load() -> Self {
        let mut text = String::new();
        GzDecoder::new(FILE).read_to_string(&mut text).expect("the embedded file is sound");
        let mut images = Vec::with_capacity(Self::LEN * SIDE * SIDE);
        let mut labels = Vec::with_capacity(Self::LEN);
        for line in text.lines() {
            let mut numbers = line
                .split(',')
                .map(|n| n.parse::<u8>().expect("the embedded file has small numbers"));
            images.extend(numbers.by_ref().take(SIDE * SIDE).map(f32::from));
            labels.extend(numbers.map(i64::from));
        }
        Digits {
            images: Tensor::from_vec(images, &[Self::LEN, SIDE, SIDE]),
            labels: Tensor::from_vec(labels, &[Self::LEN]),
        }
    }

    /// Returns the images with pixels scaled to 0 to 1.
    pub fn scaled_images(&self) -> Tensor<f32> {
        let scaled = self.images.to_vec().into_iter().map(|x| x / 16.0).collect();
        Tensor::from_vec(scaled, &self.images.shape())
    }

    /// Returns the images, with pixels scaled to 0 to 1, and the labels as a data set.
    pub fn dataset(&self) -> TensorDataset<f32> {
        TensorDataset::new(self.scaled_images(), self.labels.clone())
    }
}
