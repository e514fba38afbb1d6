//! Normalisation. All of it is built alike: statistics by reductions that keep their axes, then one
//! chain of pointwise operations, (x − mean)·(1/√(variance + ε)·weight) + bias, which takes one pass over
//! memory, together with a rectifier or a residual sum that follows.

mod batch;
mod group;
mod instance;
mod layer;
mod response;
mod rms;
mod running;

pub use batch::{BatchNorm1d, BatchNorm2d};
pub use group::GroupNorm;
pub use instance::{InstanceNorm1d, InstanceNorm2d};
pub use layer::LayerNorm;
pub use response::LocalResponseNorm;
pub use rms::RmsNorm;

use wengert_autograd::{Param, Var};
use wengert_tensor::Float;

/// Numbers with mean 0, and the mean of their squares.
#[derive(Clone, Copy)]
struct Centred<'t, T: Float> {
    x: Var<'t, T>,
    mean: Var<'t, T>,
    /// That of the numbers at hand: not corrected for being a sample.
    variance: Var<'t, T>,
}

impl<'t, T: Float> Centred<'t, T> {
    /// Over these axes, which stay with size 1.
    fn over(x: Var<'t, T>, axes: &[isize]) -> Self {
        let mean = x.mean(axes, true);
        let centred = x - mean;
        Centred { x: centred, mean, variance: centred.square().mean(axes, true) }
    }

    /// Scaled to variance 1, then by the weight, and shifted by the bias; both broadcast.
    fn scaled(self, eps: f64, weight: Option<Var<'t, T>>, bias: Option<Var<'t, T>>) -> Var<'t, T> {
        let scale = times((self.variance + eps).sqrt().recip(), weight);
        let y = self.x * scale;
        bias.map_or(y, |bias| y + bias)
    }
}

fn times<'t, T: Float>(scale: Var<'t, T>, weight: Option<Var<'t, T>>) -> Var<'t, T> {
    weight.map_or(scale, |weight| scale * weight)
}

/// A parameter per channel, on axis 1 of an input of this rank.
fn per_channel<'t, T: Float>(
    param: Option<&Param<T>>,
    x: Var<'t, T>,
    rank: usize,
) -> Option<Var<'t, T>> {
    let shape = channels_of_rank(rank);
    param.map(|param| x.tape().param(param).reshape(&shape))
}

/// A vector of channels reshaped so that it stands on axis 1: [-1, 1, …].
fn channels_of_rank(rank: usize) -> Vec<isize> {
    let mut shape = vec![1; rank - 1];
    shape[0] = -1;
    shape
}
