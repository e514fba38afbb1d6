//! The binary step, with a choice of derivatives.

use super::activations;
use std::f64::consts::{FRAC_PI_2, PI};
use wengert_nn_derive::Module;

/// Selects the derivative that replaces that of a step, which is 0 almost everywhere.
///
/// With a surrogate, derivatives of every order are those of the surrogate function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Module)]
#[module(crate = "wengert_autograd")]
#[non_exhaustive]
pub enum Surrogate {
    /// The derivative is 0.
    #[default]
    None,
    /// The derivative is 1, as if the step were the identity. (Bengio, Léonard, Courville, "Estimating
    /// or propagating gradients through stochastic neurons for conditional computation", 2013.)
    StraightThrough,
    /// The derivative is that of σ(k · x); the field is k, the steepness. (Zenke, Ganguli, "SuperSpike:
    /// supervised learning in multilayer spiking neural networks", 2018, with a fast sigmoid.)
    Sigmoid(f64),
    /// The derivative is that of arctan(½πk · x) / π + ½, a step of the same height; the field is k. At 0 the
    /// derivative is k/2. (Fang, Yu, Chen, Masquelier, Huang, Tian, "Incorporating learnable membrane time
    /// constant to enhance learning of spiking neural networks", 2021, with k = 2.)
    Arctan(f64),
}

activations! {
    /// Computes 1 where x is at least 0, and 0 elsewhere. The field selects the derivative. NaN gives
    /// 0 without a surrogate and NaN with one. An infinite x gives NaN with
    /// [`Surrogate::StraightThrough`].
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::nn::{BinaryStep, Layer, Surrogate};
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([-0.5, 0.0, 2.0]));
    /// let y = BinaryStep(Surrogate::StraightThrough).forward(x);
    /// assert_eq!(y.value().to_vec(), [0.0, 1.0, 1.0]);
    /// assert_eq!(y.sum_all().grad(&[x])[0].value().to_vec(), [1.0; 3]);
    /// ```
    BinaryStep(surrogate: Surrogate) as binary_step: |x| {
        let step = x.ge(0).cast();
        let smooth = match surrogate {
            // A constant that depends on x: `grad` refuses results that do not.
            Surrogate::None => x.powi(0),
            Surrogate::StraightThrough => x,
            Surrogate::Sigmoid(k) => (k * x).sigmoid(),
            Surrogate::Arctan(k) => (FRAC_PI_2 * k * x).atan() / PI,
        };
        step + (smooth - smooth.detach())
    };
}
