//! The transposed convolution of images, as a layer.

use super::{ConvOptions, convolution};
use crate::check_input::check_channels;
use crate::layer::Layer;
use wengert_autograd::{Param, Var};
use wengert_nn_derive::Module;
use wengert_tensor::{Float, Padding, Pair};

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
