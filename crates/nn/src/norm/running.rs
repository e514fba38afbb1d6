//! Means and variances gathered in training, for use in evaluation.

use super::{Normal, channels_of_rank};
use wengert_autograd::{Buffer, Var};
use wengert_tensor::Float;

/// The buffers of a layer.
pub(super) struct Running<'a, T: Float> {
    pub mean: &'a Buffer<T>,
    pub variance: &'a Buffer<T>,
    pub batches: &'a Buffer<i64>,
    /// How much of a new value is taken; `None`: the mean of all so far.
    pub momentum: Option<f64>,
}

impl<T: Float> Running<'_, T> {
    /// Instead of the statistics of `x`.
    pub fn normal<'t>(&self, x: Var<'t, T>) -> Normal<'t, T> {
        let shape = channels_of_rank(x.shape().rank());
        let constant = |buffer: &Buffer<T>| x.tape().buffer(buffer).reshape(&shape);
        let (mean, variance) = (constant(self.mean), constant(self.variance));
        Normal { x: x - mean, c: mean, mean, variance }
    }

    /// Records new ones, [1, C, 1, …], taken of `n` numbers each, as results of the run. The variance
    /// is corrected: it estimates that of all data from a sample.
    pub fn record<'t>(&self, mean: Var<'t, T>, variance: Var<'t, T>, n: usize) {
        let tape = mean.tape();
        let correction = n as f64 / (n as f64 - 1.0);
        let [mean, variance] =
            [mean.detach(), variance.detach() * correction].map(|value| value.reshape(&[-1]));
        for (buffer, value) in [(self.mean, mean), (self.variance, variance)] {
            if let Some(momentum) = self.momentum {
                tape.update_buffer(buffer, 1.0 - momentum, momentum * value);
            } else {
                tape.average_buffer(buffer, self.batches, value);
            }
        }
    }
}
