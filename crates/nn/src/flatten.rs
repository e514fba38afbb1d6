//! The [`Flatten`] layer, which merges axes.

use crate::layer::Layer;
use wengert_autograd::Var;
use wengert_nn_derive::Module;
use wengert_tensor::Float;

/// Merges axes into one. The default is all axes but the first, which is the batch axis.
///
/// ```
/// use wengert::nn::{Flatten, Layer};
/// use wengert::tensor::Tensor;
/// let images = Tensor::zeros(&[32, 1, 28, 28]);
/// assert_eq!(Flatten::new().predict(&images).shape(), [32, 784]);
/// assert_eq!(Flatten::axes(-2, -1).predict(&images).shape(), [32, 1, 784]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Module)]
#[module(crate = "wengert_autograd")]
pub struct Flatten {
    start: isize,
    end: isize,
}

impl Flatten {
    /// Creates a layer that merges all axes but the first.
    pub fn new() -> Self {
        Self::axes(1, -1)
    }

    /// Creates a layer that merges the axes from `start` to `end`, both included. Negative axes
    /// count from the end.
    pub fn axes(start: isize, end: isize) -> Self {
        Flatten { start, end }
    }
}

impl Default for Flatten {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Float> Layer<T> for Flatten {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.flatten(self.start, self.end)
    }
}
