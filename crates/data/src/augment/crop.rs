//! Shifted by whole pixels.

use super::{Augmentation, Image};
use crate::permutation::below;
use wengert_tensor::Philox;

/// Pads images on all sides, and cuts a piece of the old size from a random place: torchvision's
/// `RandomCrop(size, padding)` with the size that the images have.
///
/// ```
/// use wengert_data::{Dataset, Digits, RandomCrop};
/// let digits = Digits::load().dataset().augment(RandomCrop::padding(2), 0);
/// assert_eq!(digits.batch(&[7]).0.shape(), [1, 8, 8]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomCrop {
    padding: usize,
    fill: f32,
}

impl RandomCrop {
    /// With this many pixels on each side: CIFAR-10 is trained with 4.
    pub fn padding(padding: usize) -> Self {
        RandomCrop { padding, fill: 0.0 }
    }

    /// What the padding is, in the values of pixels before they are normalised (bytes from 0 to
    /// 1); default 0.
    pub fn fill(self, fill: f32) -> Self {
        RandomCrop { fill, ..self }
    }
}

impl Augmentation for RandomCrop {
    fn apply(&self, image: &mut Image<'_>, rng: &mut Philox) {
        let [_, _, width] = image.shape();
        let RandomCrop { padding, .. } = *self;
        let places = 2 * padding as u64 + 1;
        let (left, top) = (below(rng, places) as usize, below(rng, places) as usize);
        image.for_channels(padding, padding, |old, new| {
            let rows = old.chunks_exact(width + 2 * padding).skip(top);
            for (new, old) in new.chunks_exact_mut(width).zip(rows) {
                new.copy_from_slice(&old[left..left + width]);
            }
        });
    }

    fn fill(&self) -> f32 {
        self.fill
    }
}
