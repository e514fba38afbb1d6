//! Normalisation. All of it is built alike: statistics by reductions that keep their axes, then one
//! chain of pointwise operations, (x − c)·scale + shift, which takes one pass over memory, together with
//! a rectifier or a residual sum that follows.

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

/// x, and the statistics to normalise it by, which broadcast to it.
///
/// A number c stands for the mean: x − mean = (x − c) − (mean − c), and the variance is the mean of
/// (x − c)² less (mean − c)². Both hold for any c, so it is no variable: gradients of every order are
/// exact without passing through it, which saves a sum over x on the way back. As c has the value of
/// the mean, mean − c is 0 but for its derivative, and nothing cancels.
#[derive(Clone, Copy)]
struct Normal<'t, T: Float> {
    /// x − c
    x: Var<'t, T>,
    c: Var<'t, T>,
    mean: Var<'t, T>,
    /// That of the numbers at hand: not corrected for being a sample.
    variance: Var<'t, T>,
}

impl<'t, T: Float> Normal<'t, T> {
    /// By the statistics over these axes, which stay with size 1.
    fn over(x: Var<'t, T>, axes: &[isize]) -> Self {
        let mean = x.mean(axes, true);
        let c = mean.detach();
        let x = x - c;
        let variance = x.square().mean(axes, true) - (mean - c).square();
        Normal { x, c, mean, variance }
    }

    /// With variance 1, scaled by the weight and shifted by the bias: (x − mean) / √(variance + ε) ·
    /// weight + bias. These are of the size of the statistics.
    fn scaled(self, eps: f64, weight: Option<Var<'t, T>>, bias: Option<Var<'t, T>>) -> Var<'t, T> {
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
