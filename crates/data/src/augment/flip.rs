//! Random horizontal flips.

use super::{Augmentation, Image};
use wengert_tensor::Philox;

/// Flips images horizontally at random.
///
/// ```
/// use wengert::data::{Dataset, Digits, RandomHorizontalFlip};
/// let digits = Digits::load().dataset().augment(RandomHorizontalFlip::new(1.0), 0);
/// assert_eq!(digits.batch(&[7]).0, digits.dataset().batch(&[7]).0.flip(-1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomHorizontalFlip {
    p: f64,
}

impl RandomHorizontalFlip {
    /// Creates a flip that is applied to each image with this probability (PyTorch's default is 0.5).
    ///
    /// # Panics
    /// If the probability is not from 0 to 1.
    #[track_caller]
    pub fn new(p: f64) -> Self {
        assert!((0.0..=1.0).contains(&p), "RandomHorizontalFlip: p must be from 0 to 1, got {p}");
        RandomHorizontalFlip { p }
    }
}

impl Augmentation for RandomHorizontalFlip {
    fn apply(&self, image: &mut Image<'_>, rng: &mut Philox) {
        let [_, _, width] = image.shape();
        if Image::uniform(0.0, 1.0, rng) < self.p {
            image.pixels_mut().chunks_exact_mut(width).for_each(<[f32]>::reverse);
        }
    }
}
