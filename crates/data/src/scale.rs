//! Transforms that are fitted to the training examples and saved with the model.

use crate::dataset::Dataset;
use crate::stored::{Stored, stored};
use std::sync::Arc;
use wengert_tensor::{Element, Tensor};

mod fit;
mod one_hot;
pub use fit::InputBatch;
use fit::{Statistics, columns};
pub use one_hot::OneHot;

/// A transform of inputs that does not depend on the batch, such as [`Standardize`].
pub trait Transform {
    /// Transforms a batch of inputs `[n, features, …]`.
    ///
    /// # Panics
    /// If the number of features is not that of the transform.
    fn transform(&self, inputs: &Tensor) -> Tensor;

    /// Returns the number of features.
    fn features(&self) -> usize;
}

/// A data set whose inputs are transformed in each batch. [`Standardize::on`] and [`MinMax::on`] create it.
#[derive(Debug, Clone)]
pub struct Transformed<D, T> {
    dataset: D,
    transform: T,
}

impl<D: Dataset<Batch: InputBatch>, T: Transform> Transformed<D, T> {
    /// Creates the data set of the examples of `dataset` with transformed inputs.
    pub fn new(dataset: D, transform: T) -> Self {
        Transformed { dataset, transform }
    }
}

impl<D: Dataset<Batch: InputBatch>, T: Transform> Dataset for Transformed<D, T> {
    type Batch = D::Batch;

    fn len(&self) -> usize {
        self.dataset.len()
    }

    #[track_caller]
    fn batch(&self, indices: &[usize]) -> D::Batch {
        let batch = self.dataset.batch(indices);
        batch.map_inputs(&|inputs| self.transform.transform(inputs))
    }

    #[track_caller]
    fn batch_in_epoch(&self, indices: &[usize], epoch: u64) -> D::Batch {
        let batch = self.dataset.batch_in_epoch(indices, epoch);
        batch.map_inputs(&|inputs| self.transform.transform(inputs))
    }

    fn varies(&self) -> bool {
        self.dataset.varies()
    }

    fn normalized(&self, value: f32, channel: usize) -> f32 {
        let mut row = Tensor::zeros([1, self.transform.features()]);
        row.make_mut()[channel] = self.dataset.normalized(value, channel);
        self.transform.transform(&row).at(&[0, channel])
    }
}

impl<D: crate::Labeled<Batch: InputBatch>, T: Transform> crate::Labeled for Transformed<D, T> {
    #[track_caller]
    fn labels(&self) -> Vec<i64> {
        self.dataset.labels()
    }
}

macro_rules! forward {
    ($($handle:ty),*) => {
        $(impl<T: Transform + ?Sized> Transform for $handle {
            #[track_caller]
            fn transform(&self, inputs: &Tensor) -> Tensor {
                (**self).transform(inputs)
            }

            fn features(&self) -> usize {
                (**self).features()
            }
        })*
    };
}
forward!(&T, Box<T>, Arc<T>);

/// Standardises each feature: `(x - mean) / std`, with the mean and the standard deviation of the training
/// examples.
///
/// Features are along axis 1: the columns of `[n, features]`, the channels of `[n, channels, height, width]`.
/// The standard deviation is that of all examples (the sum of squares is divided by their number). A feature
/// that is constant is only shifted.
///
/// Fit it on the training part alone, and use it for all parts: statistics of the test examples must not
/// reach the model.
///
/// ```
/// use wengert::data::{Dataset, Iris, Standardize, random_split};
///
/// let [train, test] = random_split(Iris::load().dataset(), [120, 30], 0);
/// let scale = Standardize::fit(&train);
/// let (inputs, _) = scale.on(&train).batch(&(0..120).collect::<Vec<_>>());
/// assert!(inputs.mean(&[0], false).to_vec().iter().all(|mean| mean.abs() < 1e-5));
/// let (inputs, _) = test.batch(&[0]);
/// let restored = scale.inverse(&scale.transform(&inputs));
/// assert!((restored.at(&[0, 0]) - inputs.at(&[0, 0])).abs() < 1e-5);
/// ```
///
/// It is a module: as a field of a model, its state is saved and loaded with the model, under the names `mean` and
/// `std`. [`Standardize::new`] creates one to load into.
#[derive(Debug, Clone)]
pub struct Standardize {
    mean: Stored,
    std: Stored,
}
stored!(Standardize: mean, std);

/// The number of examples that are read at a time.
const BATCH: usize = 1024;

impl Standardize {
    /// Computes mean and standard deviation of each feature of the examples: of a data set whose batches are
    /// inputs with or without targets, such as a `TensorDataset`, a part of it, or a tensor.
    ///
    /// # Panics
    /// If there are no examples, if the inputs have no axis 1, or if a value is not finite.
    #[track_caller]
    pub fn fit<D: Dataset<Batch: InputBatch>>(train: &D) -> Self {
        let columns = columns("Standardize::fit", train);
        let of = |f: fn(&Statistics) -> f64| columns.iter().map(|it| f(it) as f32).collect();
        Self::of(of(|column| column.mean), of(Statistics::std))
    }

    /// Creates a transform that changes nothing, for this number of features: to load a saved state into.
    pub fn new(features: usize) -> Self {
        Self::of(vec![0.0; features], vec![1.0; features])
    }

    fn of(mean: Vec<f32>, std: Vec<f32>) -> Self {
        let [mean, std] = [mean, std].map(|numbers| Stored::new(numbers.into()));
        Standardize { mean, std }
    }

    /// Returns the means, `[features]`.
    pub fn mean(&self) -> &Tensor {
        self.mean.value()
    }

    /// Returns the standard deviations, `[features]`; 1 for constant features.
    pub fn std(&self) -> &Tensor {
        self.std.value()
    }

    /// Returns `(x - mean) / std`, for inputs `[n, features, …]`.
    ///
    /// # Panics
    /// If the number of features is not that of the training examples.
    #[track_caller]
    pub fn transform(&self, inputs: &Tensor) -> Tensor {
        let [mean, std] = beside("Standardize::transform", inputs, [self.mean(), self.std()]);
        &(inputs - &mean) / &std
    }

    /// Returns `x · std + mean`, the inverse of [`transform`](Standardize::transform).
    ///
    /// # Panics
    /// If the number of features is not that of the training examples.
    #[track_caller]
    pub fn inverse(&self, outputs: &Tensor) -> Tensor {
        let [mean, std] = beside("Standardize::inverse", outputs, [self.mean(), self.std()]);
        &(outputs * &std) + &mean
    }

    /// Returns a data set whose inputs are transformed in each batch. It has a copy of this transform.
    pub fn on<D: Dataset<Batch: InputBatch>>(&self, dataset: D) -> Transformed<D, Standardize> {
        Transformed::new(dataset, self.clone())
    }
}

impl Transform for Standardize {
    #[track_caller]
    fn transform(&self, inputs: &Tensor) -> Tensor {
        self.transform(inputs)
    }

    fn features(&self) -> usize {
        self.mean().numel()
    }
}

/// Scales each feature linearly, so that the training examples lie between 0 and 1:
/// `(x - min) / (max - min)`.
///
/// Features are along axis 1, as for [`Standardize`]. Other examples may lie outside of 0 to 1. A feature that
/// is constant is only shifted, to 0.
///
/// ```
/// use wengert::data::MinMax;
/// use wengert::tensor::Tensor;
/// let train = Tensor::from([[1.0f32, 10.0], [3.0, 30.0]]);
/// let scale = MinMax::fit(&train);
/// assert_eq!(scale.transform(&train).to_vec(), [0.0, 0.0, 1.0, 1.0]);
/// let other = Tensor::from([[2.0f32, 50.0]]);
/// assert_eq!(scale.transform(&other).to_vec(), [0.5, 2.0]);
/// assert_eq!(scale.inverse(&scale.transform(&other)), other);
/// ```
///
/// It is a module: as a field of a model, its state is saved and loaded with the model, under the names `min` and
/// `max`. [`MinMax::new`] creates one to load into.
#[derive(Debug, Clone)]
pub struct MinMax {
    min: Stored,
    max: Stored,
}
stored!(MinMax: min, max);

impl MinMax {
    /// Computes minimum and maximum of each feature of the examples: of a data set whose batches are inputs
    /// with or without targets, such as a `TensorDataset`, a part of it, or a tensor.
    ///
    /// # Panics
    /// If there are no examples, if the inputs have no axis 1, or if a value is not finite.
    #[track_caller]
    pub fn fit<D: Dataset<Batch: InputBatch>>(train: &D) -> Self {
        let columns = columns("MinMax::fit", train);
        let of = |f: fn(&Statistics) -> f32| columns.iter().map(f).collect();
        Self::of(of(|column| column.min), of(|column| column.max))
    }

    /// Creates a transform that changes nothing, for this number of features: to load a saved state into.
    pub fn new(features: usize) -> Self {
        Self::of(vec![0.0; features], vec![1.0; features])
    }

    fn of(min: Vec<f32>, max: Vec<f32>) -> Self {
        let [min, max] = [min, max].map(|numbers| Stored::new(numbers.into()));
        MinMax { min, max }
    }

    /// Returns the minima, `[features]`.
    pub fn min(&self) -> &Tensor {
        self.min.value()
    }

    /// Returns the maxima, `[features]`.
    pub fn max(&self) -> &Tensor {
        self.max.value()
    }

    /// Returns the differences of the extrema; 1 for constant features.
    fn width(&self) -> Tensor {
        let (min, max) = (self.min().to_vec(), self.max().to_vec());
        Tensor::from_fn(&[min.len()], |i| if max[i] > min[i] { max[i] - min[i] } else { 1.0 })
    }

    /// Returns `(x - min) / (max - min)`, for inputs `[n, features, …]`.
    ///
    /// # Panics
    /// If the number of features is not that of the training examples.
    #[track_caller]
    pub fn transform(&self, inputs: &Tensor) -> Tensor {
        let [min, width] = beside("MinMax::transform", inputs, [self.min(), &self.width()]);
        &(inputs - &min) / &width
    }

    /// Returns `x · (max - min) + min`, the inverse of [`transform`](MinMax::transform).
    ///
    /// # Panics
    /// If the number of features is not that of the training examples.
    #[track_caller]
    pub fn inverse(&self, outputs: &Tensor) -> Tensor {
        let [min, width] = beside("MinMax::inverse", outputs, [self.min(), &self.width()]);
        &(outputs * &width) + &min
    }

    /// Returns a data set whose inputs are transformed in each batch. It has a copy of this transform.
    pub fn on<D: Dataset<Batch: InputBatch>>(&self, dataset: D) -> Transformed<D, MinMax> {
        Transformed::new(dataset, self.clone())
    }
}

impl Transform for MinMax {
    #[track_caller]
    fn transform(&self, inputs: &Tensor) -> Tensor {
        self.transform(inputs)
    }

    fn features(&self) -> usize {
        self.min().numel()
    }
}

/// Returns numbers per feature in a shape that broadcasts over the inputs: `[features, 1, …]`.
#[track_caller]
fn beside<const N: usize>(what: &str, inputs: &Tensor, of: [&Tensor; N]) -> [Tensor; N] {
    let (shape, features) = (inputs.shape(), of[0].numel());
    assert!(
        shape.get(1) == Some(&features),
        "{what}: expected inputs [n, {features}, …] with the {features} features of the training \
         examples along axis 1, got {shape}"
    );
    let mut to = vec![1; shape.len() - 1];
    to[0] = features;
    of.map(|numbers| numbers.reshape(&to))
}

/// Returns the elements of a tensor with one axis, or `None` if it has another number of axes.
fn list<T: Element>(of: &Tensor<T>) -> Option<Vec<T>> {
    (of.rank() == 1).then(|| of.to_vec())
}
