//! The transposed convolution of images.

use super::{draw, module, options, outline, pair, regroup};
use crate::expect::check_channels;
use crate::layer::Layer;
use rand::Rng;
use wengert_autograd::{Outline, Param, Var};
use wengert_tensor::{Conv, Float, PadMode, Padding, Pair};

/// The transposed convolution of images [N, C, H, W], as [`Var::conv_transpose2d`] defines it:
/// [N, O, H′, W′] with H′ = (H − 1)·stride − 2·padding + dilation·(kh − 1) + output padding + 1. With a
/// stride it enlarges images, with trained weights. (Zeiler, Krishnan, Taylor, Fergus,
/// "Deconvolutional networks", 2010.)
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
    /// w: [inputs, outputs / groups, kh, kw].
    pub weight: Param<T>,
    /// b: \[outputs\].
    pub bias: Option<Param<T>>,
    conv: Conv,
    output_padding: [usize; 2],
}
module! { ConvTranspose2d }

impl ConvTranspose2d {
    /// A layer of `f32` from `inputs` channels to `outputs`, with a kernel of this size. Weight and
    /// bias are uniform in ±1/√(outputs / groups · kh · kw), PyTorch's default.
    ///
    /// # Panics
    /// If there are no outputs, or the kernel is empty.
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
    /// [`ConvTranspose2d::new`] for any element type: `ConvTranspose2d::<f64>::of(…)`.
    ///
    /// # Panics
    /// If there are no outputs, or the kernel is empty.
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

    /// With so many pixels of the result between the windows of neighbouring pixels.
    #[must_use]
    pub fn stride(self, stride: impl Into<Pair>) -> Self {
        ConvTranspose2d { conv: self.conv.stride(stride), ..self }
    }

    /// Without so many pixels on each side of the result: those that the convolution would pad.
    #[must_use]
    pub fn padding(self, padding: impl Into<Pair>) -> Self {
        ConvTranspose2d { conv: self.conv.padding(padding), ..self }
    }

    /// With so many pixels more at the end of the result; fewer than the stride or the dilation.
    #[must_use]
    pub fn output_padding(self, output_padding: impl Into<Pair>) -> Self {
        ConvTranspose2d { output_padding: output_padding.into().0, ..self }
    }

    /// With so many pixels between neighbouring taps of the kernel.
    #[must_use]
    pub fn dilation(self, dilation: impl Into<Pair>) -> Self {
        ConvTranspose2d { conv: self.conv.dilation(dilation), ..self }
    }

    /// With so many groups of channels that do not see each other. Of a new layer: a part of its
    /// weights stays.
    ///
    /// # Panics
    /// If inputs and outputs do not both divide into them, or there are groups already.
    #[must_use]
    #[track_caller]
    pub fn groups(mut self, groups: usize) -> Self {
        regroup("ConvTranspose2d", &mut self.weight, &mut self.bias, &mut self.conv, groups);
        self
    }

    /// Without bias: before a normalisation, which would take it away again.
    #[must_use]
    pub fn without_bias(self) -> Self {
        ConvTranspose2d { bias: None, ..self }
    }

    /// The channels that come in.
    pub fn inputs(&self) -> usize {
        self.weight.shape()[0]
    }

    /// The channels that go out.
    pub fn outputs(&self) -> usize {
        self.weight.shape()[1] * self.conv.groups
    }

    /// The size of the kernel.
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
