//! Random crops of padded images.

use super::{Augmentation, Image};
use crate::permutation::below;
use wengert_tensor::Philox;

/// Pads images on all sides and crops them to their original size at a random position. It equals
/// torchvision's `RandomCrop(size, padding)`, where `size` is the size of the images.
///
/// ```
/// use wengert::data::{Dataset, Digits, RandomCrop};
/// let digits = Digits::load().dataset().augment(RandomCrop::padding(2), 0);
/// assert_eq!(digits.batch(&[7]).0.shape(), [1, 8, 8]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomCrop {
    padding: usize,
    fill: f32,
}

impl RandomCrop {
    /// Creates a crop with `padding` pixels on each side. CIFAR-10 is usually trained with a padding of 4.
    pub fn padding(padding: usize) -> Self {
        RandomCrop { padding, fill: 0.0 }
    }

    /// Sets the value of the padding, before normalisation (bytes are scaled to 0..=1). The default is 0.
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
