//! The transposed convolutions of images, of signals and of volumes, as layers.

use super::{ConvOptions, check_tensors, convolution};
use crate::check_input::check_channels;
use crate::layer::Layer;
use wengert_autograd::{Param, Var};
use wengert_nn_derive::Module;
use wengert_tensor::{Conv, Float, Pair, Tensor, Triple, VolumeConv};

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
    impl Into<Pair>, windows in the output, |size| Triple::from(size.into())
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
        let op = "ConvTranspose2d::from_tensors";
        check_tensors(op, 4, true, &weight, bias.as_ref(), conv.groups);
        let options = ConvOptions::of(conv);
        ConvTranspose2d { weight: weight.into(), bias: bias.map(Into::into), options }
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
        let [kh, kw] = self.kernel();
        let conv = self.options.conv("conv_transpose2d", x, [1, kh, kw]);
        let bias = self.bias.as_ref().map(|bias| x.tape().param(bias));
        let weight = x.tape().param(&self.weight);
        let [_, above, beside] = self.options.output_padding;
        x.conv_transpose2d(weight, bias, &conv.of_images(), [above, beside])
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
    usize, windows in the output, |size| Triple([1, 1, size])
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
        let op = "ConvTranspose1d::from_tensors";
        check_tensors(op, 3, true, &weight, bias.as_ref(), conv.groups);
        let options = ConvOptions::of(conv.of_signals());
        ConvTranspose1d { weight: weight.into(), bias: bias.map(Into::into), options }
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
        let conv = self.options.conv("conv_transpose1d", x, [1, 1, self.kernel()]);
        let bias = self.bias.as_ref().map(|bias| x.tape().param(bias));
        let weight = x.tape().param(&self.weight);
        x.conv_transpose1d(weight, bias, &conv.of_images(), self.options.output_padding[2])
    }
}

/// A transposed convolution of volumes: [N, C, D, H, W] → [N, O, D′, H′, W′], with one bias per output
/// channel.
///
/// D′ = (D − 1)·stride − 2·padding + dilation·(kd − 1) + output padding + 1, and likewise H′ and W′.
/// [`Var::conv_transpose3d`] defines the result.
///
/// ```
/// use wengert::nn::{ConvTranspose3d, Layer};
/// use wengert::tensor::{Philox, Tensor};
/// let mut rng = Philox::new(0);
/// let layer = ConvTranspose3d::new(16, 8, 3, &mut rng).stride(2).padding(1).output_padding([1, 1, 0]);
/// assert_eq!(layer.weight.shape(), [16, 8, 3, 3, 3]);
/// assert_eq!(layer.predict(&Tensor::zeros(&[1, 16, 4, 7, 5])).shape(), [1, 8, 8, 14, 9]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct ConvTranspose3d<T: Float = f32> {
    /// The weight w: [inputs, outputs / groups, kd, kh, kw].
    pub weight: Param<T>,
    /// The bias b: \[outputs\].
    pub bias: Option<Param<T>>,
    #[module(print_with = ConvOptions::print_volumes)]
    options: ConvOptions,
}

convolution! {
    /// Weight and bias are drawn uniformly from ±1/√(outputs / groups · kd · kh · kw), PyTorch's default.
    ///
    /// # Panics
    /// If `outputs` or a size of the kernel is 0.
    ConvTranspose3d |inputs, outputs, kernel| {
        let Triple([kd, kh, kw]) = kernel.into();
        [inputs, outputs, kd, kh, kw]
    };
    /// `5` is 5 along D, H and W; `[3, 5, 5]` is 3 along D.
    impl Into<Triple>, windows in the output, |size| size.into()
}

impl<T: Float> ConvTranspose3d<T> {
    /// Creates a layer from a weight [inputs, outputs / groups, kd, kh, kw] and a bias \[outputs\]. `conv`
    /// gives stride, padding, dilation and groups.
    ///
    /// # Panics
    /// If the weight or the bias has another shape, or if the number of inputs is not a multiple of the
    /// number of groups.
    #[track_caller]
    pub fn from_tensors(weight: Tensor<T>, bias: Option<Tensor<T>>, conv: VolumeConv) -> Self {
        let op = "ConvTranspose3d::from_tensors";
        check_tensors(op, 5, true, &weight, bias.as_ref(), conv.groups);
        let options = ConvOptions::of(conv);
        ConvTranspose3d { weight: weight.into(), bias: bias.map(Into::into), options }
    }

    /// Returns the depth, height and width of the kernel.
    pub fn kernel(&self) -> [usize; 3] {
        let shape = self.weight.shape();
        [shape[2], shape[3], shape[4]]
    }
}

impl<T: Float> Layer<T> for ConvTranspose3d<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        check_channels("conv_transpose3d", "N, C, D, H, W", x, self.inputs());
        let conv = self.options.conv("conv_transpose3d", x, self.kernel());
        let bias = self.bias.as_ref().map(|bias| x.tape().param(bias));
        let weight = x.tape().param(&self.weight);
        x.conv_transpose3d(weight, bias, &conv, self.options.output_padding)
    }
}
