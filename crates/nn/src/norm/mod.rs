//! Normalisation layers.
//!
//! Layer normalisation is one operation, since its rows stay in a cache. The others have the same
//! structure: one operation computes mean and variance and keeps the reduced axes; then one chain of
//! pointwise operations computes (x − c)·scale + shift. This chain takes one pass over memory,
//! together with a rectifier or a residual sum that follows. In training, batch normalisation of channels with
//! enough positions is one operation with a fused kernel.

mod batch;
mod channel;
mod group;
mod instance;
mod layer;
mod response;
mod rms;
mod running;

pub use batch::{BatchNorm1d, BatchNorm2d, BatchNorm3d};
pub use group::GroupNorm;
pub use instance::{InstanceNorm1d, InstanceNorm2d, InstanceNorm3d};
pub use layer::LayerNorm;
pub use response::LocalResponseNorm;
pub use rms::RmsNorm;

use wengert_autograd::{Param, Var};
use wengert_tensor::Float;

/// The input x, and the statistics to normalise it with, which broadcast to x.
///
/// `c` is a detached copy of the mean. For every constant c, x − mean = (x − c) − (mean − c). Detaching
/// c therefore changes no derivative of any order, and it saves a sum over x in the backward pass:
/// the gradients of mean and bias are one sum. Since c equals the mean, the value of mean − c is 0 (its
/// derivative is not), and no digits cancel.
#[derive(Clone, Copy)]
struct Normalizer<'t, T: Float> {
    /// x − c
    x: Var<'t, T>,
    c: Var<'t, T>,
    mean: Var<'t, T>,
    /// The variance with the factor 1 / n, without correction for the sample size.
    variance: Var<'t, T>,
}

impl<'t, T: Float> Normalizer<'t, T> {
    /// Computes the statistics over `axes`; these axes keep size 1.
    fn over(x: Var<'t, T>, axes: &[isize]) -> Self {
        let (variance, mean) = x.var_mean(axes, true, 0);
        let c = mean.detach();
        Normalizer { x: x - c, c, mean, variance }
    }

    /// Returns (x − mean) / √(variance + ε) · weight + bias. Weight and bias have one value per channel.
    fn scaled(self, eps: f64, affine: [Option<&Param<T>>; 2]) -> Var<'t, T> {
        let [weight, bias] = affine.map(|param| per_channel(param, self.x));
        let scale = times((self.variance + eps).sqrt().recip(), weight);
        let y = self.x * scale;
        if !self.mean.is_active() {
            return plus(y, bias);
        }
        let shift = (self.c - self.mean) * scale;
        y + plus(shift, bias)
    }
}

fn plus<'t, T: Float>(shift: Var<'t, T>, bias: Option<Var<'t, T>>) -> Var<'t, T> {
    bias.map_or(shift, |bias| shift + bias)
}

fn times<'t, T: Float>(scale: Var<'t, T>, weight: Option<Var<'t, T>>) -> Var<'t, T> {
    weight.map_or(scale, |weight| scale * weight)
}

/// Reshapes a parameter with one value per channel so that its values lie on axis 1 of an input of
/// the rank of `x`.
fn per_channel<'t, T: Float>(param: Option<&Param<T>>, x: Var<'t, T>) -> Option<Var<'t, T>> {
    let shape = channels_of_rank(x.shape().rank());
    param.map(|param| x.tape().param(param).reshape(&shape))
}

/// Returns the shape [-1, 1, …] that puts a vector of channels on axis 1 of an input of this rank.
fn channels_of_rank(rank: usize) -> Vec<isize> {
    let mut shape = vec![1; rank - 1];
    shape[0] = -1;
    shape
}
