//! The transposed convolution of images, as a layer.

use super::{draw, module, options, outline, pair, regroup};
use crate::expect::check_channels;
use crate::layer::Layer;
use rand::Rng;
use wengert_autograd::{Outline, Param, Var};
use wengert_tensor::{Conv, Float, PadMode, Padding, Pair};

/// A transposed convolution of images: [N, C, H, W] → [N, O, H′, W′], with one bias per output
/// channel.
///
/// H′ = (H − 1)·stride − 2·padding + dilation·(kh − 1) + output padding + 1, and likewise W′.
/// [`Var::conv_transpose2d`] defines the result. With a stride above 1, the layer enlarges images
/// with trained weights. (Zeiler, Krishnan, Taylor, Fergus, "Deconvolutional networks", 2010.)
///
/// ```
/// use wengert_nn::{ConvTranspose2d, Layer};
/// use wengert_tensor::{Philox, Tensor};
/// let mut rng = Philox::new(0);
/// let layer = ConvTranspose2d::new(16, 8, 3, &mut rng).stride(2).padding(1).output_padding(1);
/// assert_eq!(layer.weight.shape(), [16, 8, 3, 3]);
/// assert_eq!(layer.predict(&Tensor::zeros(&[4, 16, 7, 5])).shape(), [4, 8, 14, 10]);
/// ```
#[derive(Clone, Debug)]
pub struct ConvTranspose2d<T: Float = f32> {
    /// The weight w: [inputs, outputs / groups, kh, kw].
    pub weight: Param<T>,
    /// The bias b: \[outputs\].
    pub bias: Option<Param<T>>,
    conv: Conv,
    output_padding: [usize; 2],
}
module! { ConvTranspose2d }

impl ConvTranspose2d {
    /// Creates a layer of `f32` from `inputs` to `outputs` channels with this kernel size. Weight
    /// and bias are drawn uniformly from ±1/√(outputs / groups · kh · kw), PyTorch's default.
    ///
    /// # Panics
    /// If `outputs` or a size of the kernel is 0.
    #[track_caller]
    pub fn new(
        inputs: usize,
        outputs: usize,
        kernel: impl Into<Pair>,
        rng: &mut (impl Rng + ?Sized),
    ) -> Self {
        Self::of(inputs, outputs, kernel, rng)
    }
}

impl<T: Float> ConvTranspose2d<T> {
    /// Creates a layer of any element type, as [`ConvTranspose2d::new`] does for `f32`:
    /// `ConvTranspose2d::<f64>::of(…)`.
    ///
    /// # Panics
    /// If `outputs` or a size of the kernel is 0.
    #[track_caller]
    pub fn of(
        inputs: usize,
        outputs: usize,
        kernel: impl Into<Pair>,
        rng: &mut (impl Rng + ?Sized),
    ) -> Self {
        let Pair([kh, kw]) = kernel.into();
        let (weight, bias) = draw("ConvTranspose2d", &[inputs, outputs, kh, kw], outputs, rng);
        ConvTranspose2d { weight, bias, conv: Conv::new(), output_padding: [0, 0] }
    }

    /// Sets the stride: the distance, in the output, between the windows of neighbouring input
    /// pixels. The default is 1.
    #[must_use]
    pub fn stride(self, stride: impl Into<Pair>) -> Self {
        ConvTranspose2d { conv: self.conv.stride(stride), ..self }
    }

    /// Sets the padding: crops this many pixels from each side of the output. The default is 0.
    #[must_use]
    pub fn padding(self, padding: impl Into<Pair>) -> Self {
        ConvTranspose2d { conv: self.conv.padding(padding), ..self }
    }

    /// Sets the output padding: adds this many pixels at the end of each output axis. It must be
    /// smaller than the stride or the dilation. The default is 0.
    #[must_use]
    pub fn output_padding(self, output_padding: impl Into<Pair>) -> Self {
        ConvTranspose2d { output_padding: output_padding.into().0, ..self }
    }

    /// Sets the dilation: the distance between neighbouring kernel elements. The default is 1.
    #[must_use]
    pub fn dilation(self, dilation: impl Into<Pair>) -> Self {
        ConvTranspose2d { conv: self.conv.dilation(dilation), ..self }
    }

    /// Sets the number of groups. An output channel is connected to the input channels of its group
    /// only. Call it on a newly created layer: it keeps a part of the weights and rescales them.
    ///
    /// # Panics
    /// If `inputs` or `outputs` is not a multiple of `groups`, or if the layer already has groups.
    #[must_use]
    #[track_caller]
    pub fn groups(mut self, groups: usize) -> Self {
        regroup("ConvTranspose2d", &mut self.weight, &mut self.bias, &mut self.conv, groups);
        self
    }

    /// Removes the bias. Use it before a normalisation layer, which would cancel the bias.
    #[must_use]
    pub fn without_bias(self) -> Self {
        ConvTranspose2d { bias: None, ..self }
    }

    /// Returns the number of input channels.
    pub fn inputs(&self) -> usize {
        self.weight.shape()[0]
    }

    /// Returns the number of output channels.
    pub fn outputs(&self) -> usize {
        self.weight.shape()[1] * self.conv.groups
    }

    /// Returns the height and width of the kernel.
    pub fn kernel(&self) -> [usize; 2] {
        let shape = self.weight.shape();
        [shape[2], shape[3]]
    }

    fn shown(&self) -> Outline {
        let fields =
            Outline::new("ConvTranspose2d").field("weight", &self.weight).field("bias", &self.bias);
        let mut options = options(&self.conv, Padding::Each(self.conv.padding), PadMode::Zeros);
        let more = self.output_padding;
        options.push(("output_padding", pair(more), more == [0, 0]));
        outline(fields, options)
    }
}

impl<T: Float> Layer<T> for ConvTranspose2d<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        check_channels("conv_transpose2d", "N, C, H, W", x, self.inputs());
        let bias = self.bias.as_ref().map(|bias| x.tape().param(bias));
        let weight = x.tape().param(&self.weight);
        x.conv_transpose2d(weight, bias, &self.conv, self.output_padding)
    }
}
