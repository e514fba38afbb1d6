//! Random changes of images, different in each epoch.

mod affine;
mod angle;
mod crop;
mod flip;

pub use affine::{RandomAffine, Span};
pub use crop::RandomCrop;
pub use flip::RandomHorizontalFlip;

use crate::dataset::Dataset;
use crate::stratified::Labeled;
use rand::Rng;
use rayon::prelude::*;
use std::fmt::Debug;
use std::sync::Arc;
use wengert_tensor::{Philox, Tensor};

/// A random change of an image.
///
/// ```
/// use wengert::data::{Augmentation, Dataset, Digits, Image};
/// use wengert::tensor::Philox;
///
/// /// Some light, some dark.
/// #[derive(Debug)]
/// struct RandomBrightness;
/// impl Augmentation for RandomBrightness {
///     fn apply(&self, image: &mut Image<'_>, rng: &mut Philox) {
///         let light = Image::uniform(0.5, 1.5, rng) as f32;
///         image.pixels_mut().iter_mut().for_each(|x| *x *= light);
///     }
/// }
/// let digits = Digits::load().dataset().augment(RandomBrightness, 0);
/// assert_ne!(digits.batch(&[0]).0, digits.dataset().batch(&[0]).0);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an augmentation",
    label = "not an `Augmentation`",
    note = "to define an augmentation, implement `Augmentation` for a type; a closure cannot be an \
         augmentation"
)]
pub trait Augmentation: Debug + Send + Sync {
    /// Changes an image in place. All random numbers must come from `rng`.
    fn apply(&self, image: &mut Image<'_>, rng: &mut Philox);

    /// Returns the value of pixels outside of the image, before normalisation. The default is 0. [`Image::fill`]
    /// returns the normalised value.
    fn fill(&self) -> f32 {
        0.0
    }
}

/// An image of a batch, while it is augmented.
#[derive(Debug)]
pub struct Image<'a> {
    pixels: &'a mut [f32],
    shape: [usize; 3],
    fill: &'a [f32],
    scratch: &'a mut Vec<f32>,
}

impl Image<'_> {
    /// Returns the numbers of channels, rows and columns.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Returns all pixels, channel by channel and row by row.
    pub fn pixels_mut(&mut self) -> &mut [f32] {
        self.pixels
    }

    /// Returns the normalised value of pixels outside of a channel; see [`Augmentation::fill`].
    pub fn fill(&self, channel: usize) -> f32 {
        self.fill[channel]
    }

    /// Draws a number uniformly from `low` to `high`, with 53 random bits.
    pub fn uniform(low: f64, high: f64, rng: &mut Philox) -> f64 {
        const STEP: f64 = 1.0 / (1u64 << 53) as f64;
        low + (high - low) * ((rng.next_u64() >> 11) as f64 * STEP)
    }

    /// Calls `f` for each channel, with a copy that has `before` and `after` rows and columns of fill around
    /// it, and with the pixels to write.
    fn for_channels(&mut self, before: usize, after: usize, mut f: impl FnMut(&[f32], &mut [f32])) {
        let [_, height, width] = self.shape;
        let wide = width + before + after;
        if height * width == 0 {
            return;
        }
        for (pixels, &fill) in self.pixels.chunks_exact_mut(height * width).zip(self.fill) {
            self.scratch.clear();
            self.scratch.resize((height + before + after) * wide, fill);
            let rows = self.scratch.chunks_exact_mut(wide).skip(before);
            for (to, from) in rows.zip(pixels.chunks_exact(width)) {
                to[before..before + width].copy_from_slice(from);
            }
            f(self.scratch, pixels);
        }
    }
}

/// A data set whose images are changed at random, created by [`Dataset::augment`].
///
/// The change of an image depends only on the seed, the epoch index, and the index of the image in the
/// augmented data set. It depends neither on the batch nor on the number of threads. A
/// [`DataLoader`](crate::DataLoader) passes the epoch index, so that epochs differ and each epoch can be
/// repeated.
///
/// ```
/// use wengert::data::{DataLoader, Dataset, Digits, RandomAffine, RandomCrop, random_split};
///
/// // Split first: the validation images must not be changed.
/// let [train, valid] = random_split(Digits::load().dataset(), [1500, 297], 0);
/// let affine = RandomAffine::new().degrees(10.0).translate(0.1, 0.1).scale(0.9..=1.1).shear(5.0);
/// let train = train.augment(affine, 42).then(RandomCrop::padding(1));
/// let train = DataLoader::new(train, 50).shuffle(42);
/// let images = |epoch| train.epoch(epoch).next().unwrap().0;
/// assert_eq!(images(3), images(3));
/// assert_ne!(images(3), images(4));
/// ```
#[derive(Debug, Clone)]
pub struct Augmented<D> {
    dataset: D,
    steps: Vec<Arc<dyn Augmentation>>,
    seed: u64,
}

/// Batches with fewer pixels are processed on the calling thread.
const PARALLEL: usize = 1 << 14;
/// The first random stream of the seed that augmentation uses. A shuffle with the same seed uses other
/// streams.
const FIRST_STREAM: u64 = 0b101 << 61;

impl<D> Augmented<D> {
    pub(crate) fn new(dataset: D, step: impl Augmentation + 'static, seed: u64) -> Self {
        Augmented { dataset, steps: vec![Arc::new(step)], seed }
    }

    /// Adds another change, which is applied after the previous ones.
    pub fn then(mut self, step: impl Augmentation + 'static) -> Self {
        self.steps.push(Arc::new(step));
        self
    }

    /// Returns the data set without the changes.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }
}

impl<D: Dataset<Batch = (Tensor<f32>, Y)>, Y> Augmented<D> {
    #[track_caller]
    fn change(&self, images: &mut Tensor<f32>, indices: &[usize], epoch: u64) {
        let dims = images.shape();
        let shape = match dims[..] {
            [_, height, width] => [1, height, width],
            [_, channels, height, width] => [channels, height, width],
            _ => panic!(
                "augment: expected batches [n, height, width] or [n, channels, height, width], \
                 got {dims}: reshape the inputs with `TensorDataset::map_inputs`"
            ),
        };
        let size: usize = shape.iter().product();
        if size == 0 {
            return;
        }
        let in_batches =
            |value: f32| (0..shape[0]).map(|c| self.dataset.normalized(value, c)).collect();
        let fills: Vec<Vec<f32>> = self.steps.iter().map(|step| in_batches(step.fill())).collect();
        let key = Philox::with_stream(self.seed, FIRST_STREAM ^ epoch).next_u64();
        let steps = &self.steps;
        let change = |scratch: &mut Vec<f32>, (pixels, &index): (&mut [f32], &usize)| {
            let mut rng = Philox::with_stream(key, index as u64);
            for (step, fill) in steps.iter().zip(&fills) {
                let mut image = Image { pixels: &mut *pixels, shape, fill, scratch };
                step.apply(&mut image, &mut rng);
            }
        };
        let pixels = images.make_mut();
        if pixels.len() < PARALLEL {
            let mut scratch = Vec::new();
            pixels.chunks_exact_mut(size).zip(indices).for_each(|pair| change(&mut scratch, pair));
        } else {
            pixels
                .par_chunks_exact_mut(size)
                .zip(indices)
                .with_min_len(PARALLEL.div_ceil(4 * size))
                .for_each_init(Vec::new, change);
        }
    }
}

impl<D: Dataset<Batch = (Tensor<f32>, Y)>, Y> Dataset for Augmented<D> {
    type Batch = (Tensor<f32>, Y);

    fn len(&self) -> usize {
        self.dataset.len()
    }

    /// Returns the examples as in epoch 0.
    #[track_caller]
    fn batch(&self, indices: &[usize]) -> Self::Batch {
        self.batch_in_epoch(indices, 0)
    }

    #[track_caller]
    fn batch_in_epoch(&self, indices: &[usize], epoch: u64) -> Self::Batch {
        let (mut images, targets) = self.dataset.batch_in_epoch(indices, epoch);
        self.change(&mut images, indices, epoch);
        (images, targets)
    }

    fn varies(&self) -> bool {
        true
    }

    fn normalized(&self, value: f32, channel: usize) -> f32 {
        self.dataset.normalized(value, channel)
    }
}

impl<D: Labeled + Dataset<Batch = (Tensor<f32>, Y)>, Y> Labeled for Augmented<D> {
    #[track_caller]
    fn labels(&self) -> Vec<i64> {
        self.dataset.labels()
    }
}
