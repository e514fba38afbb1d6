//! The statistics of the features of a data set.

use super::BATCH;
use crate::dataset::Dataset;
use wengert_tensor::{Element, Tensor};

/// A batch that consists of inputs, or that begins with them: a tensor, or a tuple of tensors.
#[diagnostic::on_unimplemented(
    message = "a batch `{Self}` has no inputs `Tensor<f32>`",
    label = "expected a `Tensor<f32>`, or a tuple that begins with one"
)]
pub trait InputBatch: Sized {
    /// Returns the inputs.
    fn inputs(&self) -> &Tensor;

    /// Returns the batch with other inputs.
    fn map_inputs(self, f: &dyn Fn(&Tensor) -> Tensor) -> Self;
}

impl InputBatch for Tensor {
    fn inputs(&self) -> &Tensor {
        self
    }

    #[track_caller]
    fn map_inputs(self, f: &dyn Fn(&Tensor) -> Tensor) -> Self {
        f(&self)
    }
}

macro_rules! tuples {
    ($(($($E:ident $x:ident),*);)*) => {
        $(impl<$($E: Element),*> InputBatch for (Tensor, $(Tensor<$E>),*) {
            fn inputs(&self) -> &Tensor {
                &self.0
            }

            #[track_caller]
            fn map_inputs(self, f: &dyn Fn(&Tensor) -> Tensor) -> Self {
                let (inputs, $($x),*) = self;
                (f(&inputs), $($x),*)
            }
        })*
    };
}
tuples! {
    (A a);
    (A a, B b);
    (A a, B b, C c);
}

/// The statistics of a feature.
#[derive(Clone, Copy)]
pub(super) struct Statistics {
    count: f64,
    pub mean: f64,
    /// The sum of the squared distances from the mean.
    squares: f64,
    pub min: f32,
    pub max: f32,
}

impl Statistics {
    const EMPTY: Statistics = Statistics {
        count: 0.0,
        mean: 0.0,
        squares: 0.0,
        min: f32::INFINITY,
        max: f32::NEG_INFINITY,
    };

    /// Adds a number (B. P. Welford, "Note on a method for calculating corrected sums of squares and
    /// products", 1962).
    fn add(&mut self, x: f32) {
        self.count += 1.0;
        let distance = f64::from(x) - self.mean;
        self.mean += distance / self.count;
        self.squares += distance * (f64::from(x) - self.mean);
        (self.min, self.max) = (self.min.min(x), self.max.max(x));
    }

    /// Returns the standard deviation, or 1 if all numbers are equal or it is too small for `f32`.
    pub fn std(&self) -> f64 {
        let std = (self.squares / self.count).sqrt();
        if self.max > self.min && std as f32 > 0.0 { std } else { 1.0 }
    }
}

/// Returns the statistics of each feature of the inputs.
#[track_caller]
pub(super) fn columns<D: Dataset<Batch: InputBatch>>(what: &str, train: &D) -> Vec<Statistics> {
    let n = train.len();
    assert!(n > 0, "{what}: the data set must have at least one example, got none");
    let mut columns = Vec::new();
    for start in (0..n).step_by(BATCH) {
        let indices: Vec<usize> = (start..n.min(start + BATCH)).collect();
        let batch = train.batch(&indices);
        let inputs = batch.inputs();
        let shape = inputs.shape();
        assert!(shape.len() > 1, "{what}: expected inputs [n, features, …], got {shape}");
        columns.resize(shape[1], Statistics::EMPTY);
        let size = shape[2..].iter().product::<usize>();
        let numbers = inputs.to_vec();
        for (example, numbers) in numbers.chunks(size.max(1) * shape[1].max(1)).enumerate() {
            for (feature, numbers) in numbers.chunks(size.max(1)).enumerate() {
                for &x in numbers {
                    assert!(
                        x.is_finite(),
                        "{what}: feature {feature} of example {} is {x}: replace missing values first",
                        start + example
                    );
                    columns[feature].add(x);
                }
            }
        }
    }
    columns
}
