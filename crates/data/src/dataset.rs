//! The trait of data sets, and a data set of tensors.

use crate::augment::{Augmentation, Augmented};
use crate::feature::{Feature, Normalization};
use std::sync::Arc;
use wengert_tensor::{Element, Tensor};

/// A finite set of examples that can be read in batches.
///
/// ```
/// use wengert::data::{DataLoader, Dataset};
/// use wengert::tensor::Tensor;
///
/// /// x and sin(x) on a grid, computed when asked for.
/// struct Sine;
/// impl Dataset for Sine {
///     type Batch = (Tensor, Tensor);
///     fn len(&self) -> usize {
///         1000
///     }
///     fn batch(&self, indices: &[usize]) -> Self::Batch {
///         let x: Vec<f32> = indices.iter().map(|&i| i as f32 * 0.01).collect();
///         let y = x.iter().map(|x| x.sin()).collect();
///         let shape = [x.len(), 1];
///         (Tensor::from_vec(x, &shape), Tensor::from_vec(y, &shape))
///     }
/// }
/// let loader = DataLoader::new(Sine, 100).shuffle(1);
/// assert_eq!(loader.epoch(0).map(|(x, _)| x.numel()).sum::<usize>(), 1000);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a data set",
    label = "not a `Dataset`",
    note = "create a data set from tensors with `TensorDataset::new(inputs, targets)`; the loaded \
         data sets have the parts `train` and `test`"
)]
pub trait Dataset {
    /// The type of a batch, usually a pair of tensors whose first axis is the batch axis.
    type Batch;

    /// Returns the number of examples.
    fn len(&self) -> usize;

    /// Returns the examples with these indices, in this order. An index may occur more than once.
    ///
    /// # Panics
    /// If an index is not below [`len`](Dataset::len).
    fn batch(&self, indices: &[usize]) -> Self::Batch;

    /// Returns whether the data set has no examples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the examples with these indices in a given epoch. Loaders call this method.
    ///
    /// The default calls [`batch`](Dataset::batch). Implement it only for a data set whose examples differ
    /// between epochs.
    ///
    /// # Panics
    /// If an index is not below [`len`](Dataset::len).
    #[track_caller]
    fn batch_in_epoch(&self, indices: &[usize], _epoch: u64) -> Self::Batch {
        self.batch(indices)
    }

    /// Returns whether examples differ between epochs. The default is `false`.
    fn varies(&self) -> bool {
        false
    }

    /// Returns the normalised value, as it appears in batches, of an input value (bytes are scaled to 0..=1).
    /// Augmentations use it for the value of the background.
    fn normalized(&self, value: f32, _channel: usize) -> f32 {
        value
    }

    /// Returns a data set whose images are changed at random, differently in each epoch; see [`Augmented`].
    fn augment(self, step: impl Augmentation + 'static, seed: u64) -> Augmented<Self>
    where
        Self: Sized,
    {
        Augmented::new(self, step, seed)
    }
}

macro_rules! forward {
    ($($handle:ty),*) => {
        $(impl<D: Dataset + ?Sized> Dataset for $handle {
            type Batch = D::Batch;
            fn len(&self) -> usize {
                (**self).len()
            }
            #[track_caller]
            fn batch(&self, indices: &[usize]) -> D::Batch {
                (**self).batch(indices)
            }
            #[track_caller]
            fn batch_in_epoch(&self, indices: &[usize], epoch: u64) -> D::Batch {
                (**self).batch_in_epoch(indices, epoch)
            }
            fn varies(&self) -> bool {
                (**self).varies()
            }
            fn normalized(&self, value: f32, channel: usize) -> f32 {
                (**self).normalized(value, channel)
            }
        })*
    };
}
forward!(&D, Box<D>, Arc<D>);

/// A data set of two tensors, inputs and targets, with one example per index of the first axis.
///
/// A batch is a pair of inputs as `f32` and targets in their own type (`i64` class indices, or `f32` values
/// for regression). Inputs may be stored as bytes, which takes a quarter of the memory. They are converted
/// to `f32` batch by batch: a byte `b` becomes `b / 255`. With [`normalize`](TensorDataset::normalize), `x`
/// becomes `(x - mean) / std`.
///
/// ```
/// use wengert::data::{Dataset, TensorDataset};
/// use wengert::tensor::Tensor;
///
/// let images = Tensor::from_vec(vec![0u8, 51, 102, 255], &[2, 1, 2]);
/// let labels = Tensor::from_vec(vec![3i64, 7], &[2]);
/// let set = TensorDataset::new(images, labels);
/// let (x, y) = set.batch(&[1, 0]);
/// assert_eq!(x.to_vec(), [0.4, 1.0, 0.0, 0.2]);
/// assert_eq!(x.shape(), [2, 1, 2]);
/// assert_eq!(y.to_vec(), [7, 3]);
/// ```
#[derive(Debug, Clone)]
pub struct TensorDataset<X: Feature = f32, Y: Element = i64> {
    inputs: Tensor<X>,
    targets: Tensor<Y>,
    normalization: Normalization<X>,
}

impl<X: Feature, Y: Element> TensorDataset<X, Y> {
    /// Creates the data set of the pairs `inputs[i]`, `targets[i]`. The data set shares the tensors' memory.
    ///
    /// # Panics
    /// If a tensor has no axis, or the first axes of the tensors differ in length.
    #[track_caller]
    #[allow(clippy::needless_pass_by_value)] // `contiguous` borrows; the data set owns its tensors all the same
    pub fn new(inputs: Tensor<X>, targets: Tensor<Y>) -> Self {
        let (x, y) = (inputs.shape(), targets.shape());
        assert!(
            !x.is_empty() && !y.is_empty() && x[0] == y[0],
            "TensorDataset::new: inputs and targets must have the same size along axis 0, one \
             index per example, got {x} and {y}"
        );
        TensorDataset {
            inputs: inputs.contiguous(),
            targets: targets.contiguous(),
            normalization: Normalization::new(vec![(0.0, 1.0)]),
        }
    }

    /// Normalises the inputs of batches to `(x - mean) / std`. For bytes, `x` is in `0..=1`: MNIST has
    /// mean 0.1307 and standard deviation 0.3081. A second call replaces the first.
    ///
    /// # Panics
    /// If `std` is zero or negative, or `mean` or `std` is not finite.
    #[track_caller]
    pub fn normalize(mut self, mean: f32, std: f32) -> Self {
        check_normalization("normalize", mean, std);
        self.normalization = Normalization::new(vec![(mean, std)]);
        self
    }

    /// Normalises the inputs of batches with a mean and a standard deviation for each channel. Inputs are
    /// `[n, channels, …]`. See [`normalize`](TensorDataset::normalize).
    ///
    /// ```
    /// use wengert::data::{Dataset, TensorDataset};
    /// use wengert::tensor::Tensor;
    ///
    /// let images = Tensor::from_vec(vec![1.0, 2.0, 30.0, 40.0], &[1, 2, 1, 2]);
    /// let set = TensorDataset::new(images, Tensor::from_vec(vec![0i64], &[1]));
    /// let set = set.normalize_channels(&[1.0, 20.0], &[1.0, 10.0]);
    /// assert_eq!(set.batch(&[0]).0.to_vec(), [0.0, 1.0, 1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the inputs have another number of channels, a standard deviation is zero or negative, or a number
    /// is not finite.
    #[track_caller]
    pub fn normalize_channels(mut self, means: &[f32], stds: &[f32]) -> Self {
        let shape = self.inputs.shape();
        assert!(
            shape.len() > 1 && shape[1] == means.len() && shape[1] == stds.len(),
            "normalize_channels: expected one mean and one standard deviation for each channel \
             (axis 1), got {} means and {} standard deviations for inputs {shape}",
            means.len(),
            stds.len()
        );
        let numbers = means.iter().copied().zip(stds.iter().copied());
        numbers
            .clone()
            .for_each(|(mean, std)| check_normalization("normalize_channels", mean, std));
        // Zero channels: the inputs are empty, and no value must be converted.
        if !means.is_empty() {
            self.normalization = Normalization::new(numbers.collect());
        }
        self
    }

    /// Returns a data set whose inputs are computed from all inputs by a function, for example padded,
    /// cropped or reshaped.
    ///
    /// ```
    /// use wengert::data::{Dataset, Digits};
    /// // Add a channel axis, and two pixels of background on each side.
    /// let set = Digits::load().dataset();
    /// let set = set.map_inputs(|x| x.unsqueeze(1).pad(&[(0, 0), (0, 0), (2, 2), (2, 2)], 0.0));
    /// assert_eq!(set.batch(&[0, 1]).0.shape(), [2, 1, 12, 12]);
    /// ```
    ///
    /// # Panics
    /// If the number of examples changes, or if the number of channels changes after
    /// [`normalize_channels`](TensorDataset::normalize_channels).
    #[track_caller]
    pub fn map_inputs(mut self, f: impl FnOnce(&Tensor<X>) -> Tensor<X>) -> Self {
        let inputs = f(&self.inputs);
        let (before, after) = (self.inputs.shape(), inputs.shape());
        assert!(
            !after.is_empty() && before[0] == after[0],
            "map_inputs: the number of inputs must not change, got {before} before and {after} \
             after"
        );
        let channels = self.normalization.channels();
        assert!(
            channels.is_none_or(|channels| after.get(1) == Some(&channels)),
            "map_inputs: the number of channels must not change after normalize_channels, got \
             {before} before and {after} after: call map_inputs first"
        );
        self.inputs = inputs.contiguous();
        self
    }

    /// Returns the data set with images `[n, height, width]` reshaped to `[n, 1, height, width]`, the shape
    /// that convolutions expect. The images are not copied.
    ///
    /// # Panics
    /// If the inputs do not have three axes.
    #[track_caller]
    pub fn with_channel(self) -> Self {
        let shape = self.inputs.shape();
        assert!(shape.len() == 3, "with_channel: expected inputs [n, height, width], got {shape}");
        self.map_inputs(|inputs| inputs.unsqueeze(1))
    }

    /// Returns all inputs as stored: not normalised, bytes as bytes.
    pub fn inputs(&self) -> &Tensor<X> {
        &self.inputs
    }

    /// Returns all targets.
    pub fn targets(&self) -> &Tensor<Y> {
        &self.targets
    }

    /// Returns the number of examples.
    pub fn len(&self) -> usize {
        self.inputs.shape()[0]
    }

    /// Returns whether the data set has no examples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<X: Feature, Y: Element> Dataset for TensorDataset<X, Y> {
    type Batch = (Tensor<f32>, Tensor<Y>);

    fn len(&self) -> usize {
        self.len()
    }

    #[track_caller]
    fn batch(&self, indices: &[usize]) -> Self::Batch {
        let n = self.len();
        if let Some(index) = indices.iter().find(|&&index| index >= n) {
            panic!("batch: index {index} is out of range for a data set of {n} examples");
        }
        let inputs = gather(&self.inputs, indices, |from, to| self.normalization.convert(from, to));
        let targets = gather(&self.targets, indices, |from, to| to.copy_from_slice(from));
        (inputs, targets)
    }

    fn normalized(&self, value: f32, channel: usize) -> f32 {
        self.normalization.normalize(value, channel)
    }
}

#[track_caller]
fn check_normalization(what: &str, mean: f32, std: f32) {
    assert!(
        mean.is_finite() && std.is_finite() && std > 0.0,
        "{what}: mean must be finite, and std finite and above 0, got mean {mean} and std {std}"
    );
}

/// Returns the rows with these indices, each converted by `convert`.
fn gather<A: Element, B: Element>(
    rows: &Tensor<A>,
    indices: &[usize],
    convert: impl Fn(&[A], &mut [B]),
) -> Tensor<B> {
    let mut shape = rows.shape();
    shape[0] = indices.len();
    let width = shape[1..].iter().product();
    let mut out = Tensor::<B>::zeros_of(&shape);
    if width > 0 {
        let rows = rows.as_slice().expect("a data set keeps its tensors contiguous");
        for (to, &index) in out.make_mut().chunks_exact_mut(width).zip(indices) {
            convert(&rows[index * width..][..width], to);
        }
    }
    out
}
