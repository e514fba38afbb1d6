//! Running means and variances: recorded in training, used in evaluation.

use super::{Normalizer, channels_of_rank};
use wengert_autograd::{Buffer, Var};
use wengert_tensor::Float;

/// The running statistics of a layer.
pub(super) struct RunningStatistics<'a, T: Float> {
    pub mean: &'a Buffer<T>,
    pub variance: &'a Buffer<T>,
    pub batches: &'a Buffer<i64>,
    /// The weight of the new value in the update; `None` keeps the mean over all batches.
    pub momentum: Option<f64>,
}

impl<T: Float> RunningStatistics<'_, T> {
    /// Returns `x` with the running statistics in place of its own.
    pub fn normalizer<'t>(&self, x: Var<'t, T>) -> Normalizer<'t, T> {
        let shape = channels_of_rank(x.shape().rank());
        let constant = |buffer: &Buffer<T>| x.tape().buffer(buffer).reshape(&shape);
        let (mean, variance) = (constant(self.mean), constant(self.variance));
        Normalizer { x: x - mean, c: mean, mean, variance }
    }

    /// Records new statistics of shape [1, C, 1, …], taken over `n` values each, as buffer updates
    /// of the tape. The variance is multiplied by n / (n − 1), which makes it the unbiased
    /// estimate.
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
