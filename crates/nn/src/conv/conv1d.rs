//! The convolution of signals, as a layer.

use super::{ConvOptions, check_tensors, convolution};
use crate::check_input::check_channels;
use crate::layer::Layer;
use wengert_autograd::{Param, Var};
use wengert_nn_derive::Module;
use wengert_tensor::{Conv, Float, Padding, Tensor, Triple};

/// A convolution of signals: [N, C, L] → [N, O, L′], with one kernel per pair of channels and one
/// bias per output channel.
///
/// [`Var::conv1d`] defines the result. The defaults are stride 1, no padding, dilation 1 and one
/// group; builder methods change them.
///
/// ```
/// use wengert::nn::{Conv1d, Layer};
/// use wengert::tensor::{Padding, Philox, Tensor};
/// let mut rng = Philox::new(0);
/// let signals = Tensor::zeros(&[8, 2, 100]);
/// let layer = Conv1d::new(2, 16, 9, &mut rng).stride(2).padding(4);
/// assert_eq!(layer.predict(&signals).shape(), [8, 16, 50]);
/// let layer = Conv1d::new(2, 16, 4, &mut rng).dilation(3).padding(Padding::Same);
/// assert_eq!(layer.predict(&signals).shape(), [8, 16, 100]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct Conv1d<T: Float = f32> {
    /// The weight w: [outputs, inputs / groups, k].
    pub weight: Param<T>,
    /// The bias b: \[outputs\].
    pub bias: Option<Param<T>>,
    #[module(print_with = ConvOptions::print_signals)]
    options: ConvOptions,
}

convolution! {
    /// Weight and bias are drawn uniformly from ±1/√(inputs / groups · kernel), PyTorch's default.
    ///
    /// # Panics
    /// If `inputs` or `kernel` is 0.
    Conv1d |inputs, outputs, kernel| [outputs, inputs, kernel];
    usize, windows in the input, |size| Triple([1, 1, size])
}

impl<T: Float> Conv1d<T> {
    /// Creates a layer from a weight [outputs, inputs / groups, k] and a bias \[outputs\]. `conv` gives
    /// stride, padding, dilation and groups; its second entries apply.
    ///
    /// # Panics
    /// If the weight or the bias has another shape, or if the number of outputs is not a multiple of
    /// the number of groups.
    #[track_caller]
    pub fn from_tensors(weight: Tensor<T>, bias: Option<Tensor<T>>, conv: Conv) -> Self {
        let op = "Conv1d::from_tensors";
        check_tensors(op, 3, false, &weight, bias.as_ref(), conv.groups);
        let options = ConvOptions::of(conv.of_signals());
        Conv1d { weight: weight.into(), bias: bias.map(Into::into), options }
    }

    /// Sets the padding: the number of zeros on both sides, or [`Padding::Same`]. If the padding
    /// has two pairs, the second one applies: (before, after). The default is no padding.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Padding>) -> Self {
        self.options.padding = match padding.into() {
            Padding::Each([_, along]) => Padding::Each([(0, 0), along]),
            other => other,
        }
        .into();
        self
    }

    /// Returns the size of the kernel.
    pub fn kernel(&self) -> usize {
        self.weight.shape()[2]
    }
}

impl<T: Float> Layer<T> for Conv1d<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        check_channels("conv1d", "N, C, L", x, self.inputs());
        let (x, conv) = self.options.padded("conv1d", x, [1, 1, self.kernel()]);
        let bias = self.bias.as_ref().map(|bias| x.tape().param(bias));
        x.conv1d(x.tape().param(&self.weight), bias, &conv.of_images())
    }
}
