//! The transposed convolutions of images and of signals, as layers.

use super::{ConvOptions, convolution};
use crate::check_input::check_channels;
use crate::layer::Layer;
use wengert_autograd::{Param, Var};
use wengert_nn_derive::Module;
use wengert_tensor::{Conv, Float, Padding, Pair, Tensor};

/// A transposed convolution of images: [N, C, H, W] → [N, O, H′, W′], with one bias per output
/// channel.
///
/// H′ = (H − 1)·stride − 2·padding + dilation·(kh − 1) + output padding + 1, and likewise W′.
/// [`Var::conv_transpose2d`] defines the result. With a stride above 1, the layer enlarges images
/// with trained weights. (Zeiler, Krishnan, Taylor, Fergus, "Deconvolutional networks", 2010.)
///
/// ```
/// use wengert::nn::{ConvTranspose2d, Layer};
/// use wengert::tensor::{Philox, Tensor};
/// let mut rng = Philox::new(0);
/// let layer = ConvTranspose2d::new(16, 8, 3, &mut rng).stride(2).padding(1).output_padding(1);
/// assert_eq!(layer.weight.shape(), [16, 8, 3, 3]);
/// assert_eq!(layer.predict(&Tensor::zeros(&[4, 16, 7, 5])).shape(), [4, 8, 14, 10]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct ConvTranspose2d<T: Float = f32> {
    /// The weight w: [inputs, outputs / groups, kh, kw].
    pub weight: Param<T>,
    /// The bias b: \[outputs\].
    pub bias: Option<Param<T>>,
    #[module(print_with = ConvOptions::print_images)]
    options: ConvOptions,
}

convolution! {
    /// Weight and bias are drawn uniformly from ±1/√(outputs / groups · kh · kw), PyTorch's default.
    ///
    /// # Panics
    /// If `outputs` or a size of the kernel is 0.
    ConvTranspose2d |inputs, outputs, kernel| {
        let Pair([kh, kw]) = kernel.into();
        [inputs, outputs, kh, kw]
    };
    /// `5` is 5 along H and W; `[5, 3]` is 5 along H and 3 along W.
    impl Into<Pair>, windows in the output
}

impl<T: Float> ConvTranspose2d<T> {
    /// Creates a layer from a weight [inputs, outputs / groups, kh, kw] and a bias \[outputs\]. `conv` gives
    /// stride, padding, dilation and groups.
    ///
    /// # Panics
    /// If the weight or the bias has another shape, or if the number of inputs is not a multiple of the
    /// number of groups.
    #[track_caller]
    pub fn from_tensors(weight: Tensor<T>, bias: Option<Tensor<T>>, conv: Conv) -> Self {
        check_transposed("ConvTranspose2d::from_tensors", 4, &weight, bias.as_ref(), conv.groups);
        let padding = Padding::Each(conv.padding);
        let options = ConvOptions { conv, padding, ..ConvOptions::default() };
        ConvTranspose2d { weight: weight.into(), bias: bias.map(Into::into), options }
    }

    /// Sets the padding: crops this many pixels from each side of the output. The default is 0.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Pair>) -> Self {
        self.options.padding = Padding::from(padding.into().0);
        self
    }

    /// Sets the output padding: adds this many pixels at the end of each output axis. It must be
    /// smaller than the stride or the dilation. The default is 0.
    #[must_use]
    pub fn output_padding(mut self, output_padding: impl Into<Pair>) -> Self {
        self.options.output_padding = output_padding.into().0;
        self
    }

    /// Returns the number of input channels.
    pub fn inputs(&self) -> usize {
        self.weight.shape()[0]
    }

    /// Returns the number of output channels.
    pub fn outputs(&self) -> usize {
        self.weight.shape()[1] * self.options.conv.groups
    }

    /// Returns the height and width of the kernel.
    pub fn kernel(&self) -> [usize; 2] {
        let shape = self.weight.shape();
        [shape[2], shape[3]]
    }
}

impl<T: Float> Layer<T> for ConvTranspose2d<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        check_channels("conv_transpose2d", "N, C, H, W", x, self.inputs());
        let conv = self.options.conv("conv_transpose2d", x, self.kernel());
        let bias = self.bias.as_ref().map(|bias| x.tape().param(bias));
        let weight = x.tape().param(&self.weight);
        x.conv_transpose2d(weight, bias, &conv, self.options.output_padding)
    }
}

/// Panics if the weight of a transposed convolution does not have the axes, or the bias does not have
/// one value per output.
#[track_caller]
fn check_transposed<T: Float>(
    op: &str,
    rank: usize,
    weight: &Tensor<T>,
    bias: Option<&Tensor<T>>,
    groups: usize,
) {
    let shape = weight.shape();
    let kernel = if rank == 3 { "k" } else { "kh, kw" };
    assert!(
        shape.rank() == rank && groups > 0 && shape[0].is_multiple_of(groups),
        "{op}: expected a weight [inputs, outputs / groups, {kernel}] with inputs a multiple of groups, got \
         {shape} and {groups} groups"
    );
    let outputs = shape[1] * groups;
    if let Some(got) = bias.map(Tensor::shape).filter(|got| **got != [outputs]) {
        panic!("{op}: a weight {shape} requires a bias [{outputs}], got {got}")
    }
}

/// A transposed convolution of signals: [N, C, L] → [N, O, L′], with one bias per output channel.
///
/// L′ = (L − 1)·stride − 2·padding + dilation·(k − 1) + output padding + 1.
/// [`Var::conv_transpose1d`] defines the result.
///
/// ```
/// use wengert::nn::{ConvTranspose1d, Layer};
/// use wengert::tensor::{Philox, Tensor};
/// let mut rng = Philox::new(0);
/// let layer = ConvTranspose1d::new(16, 8, 3, &mut rng).stride(2).padding(1).output_padding(1);
/// assert_eq!(layer.weight.shape(), [16, 8, 3]);
/// assert_eq!(layer.predict(&Tensor::zeros(&[4, 16, 7])).shape(), [4, 8, 14]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct ConvTranspose1d<T: Float = f32> {
    /// The weight w: [inputs, outputs / groups, k].
    pub weight: Param<T>,
    /// The bias b: \[outputs\].
    pub bias: Option<Param<T>>,
    #[module(print_with = ConvOptions::print_signals)]
    options: ConvOptions,
}

convolution! {
    /// Weight and bias are drawn uniformly from ±1/√(outputs / groups · kernel), PyTorch's default.
    ///
    /// # Panics
    /// If `outputs` or `kernel` is 0.
    ConvTranspose1d |inputs, outputs, kernel| [inputs, outputs, kernel];
    usize, windows in the output, .of_signals()
}

impl<T: Float> ConvTranspose1d<T> {
    /// Creates a layer from a weight [inputs, outputs / groups, k] and a bias \[outputs\]. `conv` gives
    /// stride, padding, dilation and groups; its second entries apply.
    ///
    /// # Panics
    /// If the weight or the bias has another shape, or if the number of inputs is not a multiple of the
    /// number of groups.
    #[track_caller]
    pub fn from_tensors(weight: Tensor<T>, bias: Option<Tensor<T>>, conv: Conv) -> Self {
        check_transposed("ConvTranspose1d::from_tensors", 3, &weight, bias.as_ref(), conv.groups);
        let padding = Padding::Each([(0, 0), conv.padding[1]]);
        let options = ConvOptions { conv: conv.of_signals(), padding, ..ConvOptions::default() };
        ConvTranspose1d { weight: weight.into(), bias: bias.map(Into::into), options }
    }

    /// Sets the padding: crops this many elements from each side of the output. The default is 0.
    #[must_use]
    pub fn padding(mut self, padding: usize) -> Self {
        self.options.padding = Padding::Each([(0, 0), (padding, padding)]);
        self
    }

    /// Sets the output padding: adds this many elements at the end of the output. It must be smaller
    /// than the stride or the dilation. The default is 0.
    #[must_use]
    pub fn output_padding(mut self, output_padding: usize) -> Self {
        self.options.output_padding = [0, output_padding];
        self
    }

    /// Returns the number of input channels.
    pub fn inputs(&self) -> usize {
        self.weight.shape()[0]
    }

    /// Returns the number of output channels.
    pub fn outputs(&self) -> usize {
        self.weight.shape()[1] * self.options.conv.groups
    }

    /// Returns the size of the kernel.
    pub fn kernel(&self) -> usize {
        self.weight.shape()[2]
    }
}

impl<T: Float> Layer<T> for ConvTranspose1d<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        check_channels("conv_transpose1d", "N, C, L", x, self.inputs());
        let conv = self.options.conv("conv_transpose1d", x, [1, self.kernel()]);
        let bias = self.bias.as_ref().map(|bias| x.tape().param(bias));
        let weight = x.tape().param(&self.weight);
        x.conv_transpose1d(weight, bias, &conv, self.options.output_padding[1])
    }
}
