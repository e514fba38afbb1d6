//! The convolution of images, as a layer.

use super::{ConvOptions, check_tensors, convolution};
use crate::check_input::check_channels;
use crate::layer::Layer;
use wengert_autograd::{Param, Var};
use wengert_nn_derive::Module;
use wengert_tensor::{Conv, Float, Padding, Pair, Tensor, Triple};

/// A convolution of images: [N, C, H, W] → [N, O, H′, W′], with one kernel per pair of channels and
/// one bias per output channel.
///
/// [`Var::conv2d`] defines the result. (LeCun, Boser, Denker, Henderson, Howard, Hubbard, Jackel,
/// "Backpropagation applied to handwritten zip code recognition", 1989.)
///
/// The defaults are stride 1, no padding, dilation 1 and one group. Builder methods change them:
///
/// ```
/// use wengert::nn::{Conv2d, Layer};
/// use wengert::tensor::{Padding, Philox, Tensor};
/// let mut rng = Philox::new(0);
/// let images = Tensor::zeros(&[64, 3, 28, 20]);
///
/// let layer = Conv2d::new(3, 6, 5, &mut rng).padding(2);
/// assert_eq!(layer.predict(&images).shape(), [64, 6, 28, 20]);
/// assert_eq!(layer.to_string(), "Conv2d(weight: [6, 3, 5, 5], bias: [6], padding: 2)");
///
/// let layer = Conv2d::new(3, 12, [3, 1], &mut rng).stride(2).groups(3).without_bias();
/// assert_eq!(layer.predict(&images).shape(), [64, 12, 13, 10]);
///
/// let layer = Conv2d::new(3, 6, 4, &mut rng).padding(Padding::Same);
/// assert_eq!(layer.predict(&images).shape(), [64, 6, 28, 20]);
///
/// let error = layer.summary(&[64, 1, 28, 20]).unwrap_err();
/// assert_eq!(error.to_string(), "conv2d: expected [N, 3, H, W], got [64, 1, 28, 20]");
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct Conv2d<T: Float = f32> {
    /// The weight w: [outputs, inputs / groups, kh, kw].
    pub weight: Param<T>,
    /// The bias b: \[outputs\].
    pub bias: Option<Param<T>>,
    #[module(print_with = ConvOptions::print_images)]
    options: ConvOptions,
}

convolution! {
    /// Weight and bias are drawn uniformly from ±1/√(inputs / groups · kh · kw), PyTorch's default.
    /// For the weight, this equals [`kaiming_uniform`](crate::init::kaiming_uniform) with gain √⅓.
    ///
    /// # Panics
    /// If `inputs` or a size of the kernel is 0.
    Conv2d |inputs, outputs, kernel| {
        let Pair([kh, kw]) = kernel.into();
        [outputs, inputs, kh, kw]
    };
    /// `5` is 5 along H and W; `[5, 3]` is 5 along H and 3 along W.
    impl Into<Pair>, windows in the input, |size| Triple::from(size.into())
}

impl<T: Float> Conv2d<T> {
    /// Creates a layer from a weight [outputs, inputs / groups, kh, kw] and a bias \[outputs\].
    /// `conv` gives stride, padding, dilation and groups.
    ///
    /// # Panics
    /// If the weight or the bias has another shape, or if the number of outputs is not a multiple
    /// of the number of groups.
    #[track_caller]
    pub fn from_tensors(weight: Tensor<T>, bias: Option<Tensor<T>>, conv: Conv) -> Self {
        let op = "Conv2d::from_tensors";
        check_tensors(op, 4, false, &weight, bias.as_ref(), conv.groups);
        let options = ConvOptions::of(conv);
        Conv2d { weight: weight.into(), bias: bias.map(Into::into), options }
    }

    /// Sets the padding: numbers of pixels, or [`Padding::Same`]. The default is no padding.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Padding>) -> Self {
        self.options.padding = padding.into().into();
        self
    }

    /// Returns the height and width of the kernel.
    pub fn kernel(&self) -> [usize; 2] {
        let shape = self.weight.shape();
        [shape[2], shape[3]]
    }
}

impl<T: Float> Layer<T> for Conv2d<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        check_channels("conv2d", "N, C, H, W", x, self.inputs());
        let [kh, kw] = self.kernel();
        let (x, conv) = self.options.padded("conv2d", x, [1, kh, kw]);
        let bias = self.bias.as_ref().map(|bias| x.tape().param(bias));
        x.conv2d(x.tape().param(&self.weight), bias, &conv.of_images())
    }
}
