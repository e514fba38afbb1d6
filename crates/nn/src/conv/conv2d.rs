//! The convolution of images.

use super::{bordered, draw, module, options, outline, regroup};
use crate::expect::check_channels;
use crate::layer::Layer;
use rand::Rng;
use wengert_autograd::{Outline, Param, Var};
use wengert_tensor::{Conv, Float, PadMode, Padding, Pair, Tensor};

/// The convolution of images [N, C, H, W] with a kernel per pair of channels, plus a bias per
/// channel: [N, O, H′, W′], as [`Var::conv2d`] defines it. (LeCun, Boser, Denker, Henderson, Howard,
/// Hubbard, Jackel, "Backpropagation applied to handwritten zip code recognition", 1989.)
///
/// What differs from stride 1, no padding, dilation 1 and one group is said after `new`:
///
/// ```
/// use wengert_nn::{Conv2d, Layer};
/// use wengert_tensor::{Padding, Philox, Tensor};
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
#[derive(Clone, Debug)]
pub struct Conv2d<T: Float = f32> {
    /// w: [outputs, inputs / groups, kh, kw].
    pub weight: Param<T>,
    /// b: \[outputs\].
    pub bias: Option<Param<T>>,
    conv: Conv,
    padding: Padding,
    mode: PadMode,
}
module! { Conv2d }

impl Conv2d {
    /// A layer of `f32` from `inputs` channels to `outputs`, with a kernel of this size (`5`, or
    /// `[5, 3]` for 5 along H and 3 along W). Weight and bias are uniform in
    /// ±1/√(inputs / groups · kh · kw): PyTorch's default, which is
    /// [`kaiming_uniform`](crate::init::kaiming_uniform) with the gain √⅓ for the weight.
    ///
    /// # Panics
    /// If there are no inputs, or the kernel is empty.
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

impl<T: Float> Conv2d<T> {
    /// [`Conv2d::new`] for any element type: `Conv2d::<f64>::of(…)`.
    ///
    /// # Panics
    /// If there are no inputs, or the kernel is empty.
    #[track_caller]
    pub fn of(
        inputs: usize,
        outputs: usize,
        kernel: impl Into<Pair>,
        rng: &mut (impl Rng + ?Sized),
    ) -> Self {
        let Pair([kh, kw]) = kernel.into();
        let (weight, bias) = draw("Conv2d", &[outputs, inputs, kh, kw], outputs, rng);
        Conv2d { weight, bias, conv: Conv::new(), padding: Padding::Valid, mode: PadMode::Zeros }
    }

    /// A layer with this weight [outputs, inputs / groups, kh, kw] and bias \[outputs\].
    ///
    /// # Panics
    /// If they have other shapes, or the outputs do not divide into the groups.
    #[track_caller]
    pub fn from_tensors(weight: Tensor<T>, bias: Option<Tensor<T>>, conv: Conv) -> Self {
        let shape = weight.shape();
        assert!(
            shape.rank() == 4 && conv.groups > 0 && shape[0].is_multiple_of(conv.groups),
            "Conv2d: a weight [outputs, inputs / groups, kh, kw] wanted, got {shape} with {} groups",
            conv.groups
        );
        if let Some(bias) = &bias {
            let got = bias.shape();
            assert!(
                *got == shape[..1],
                "Conv2d: a weight {shape} wants a bias [{}], got {got}",
                shape[0]
            );
        }
        let (padding, mode) = (Padding::Each(conv.padding), PadMode::Zeros);
        Conv2d { weight: weight.into(), bias: bias.map(Into::into), conv, padding, mode }
    }

    /// With so many pixels between neighbouring windows.
    #[must_use]
    pub fn stride(self, stride: impl Into<Pair>) -> Self {
        Conv2d { conv: self.conv.stride(stride), ..self }
    }

    /// With this around the images: numbers, or [`Padding::Same`].
    #[must_use]
    pub fn padding(self, padding: impl Into<Padding>) -> Self {
        Conv2d { padding: padding.into(), ..self }
    }

    /// With this where the padding is, in place of zeros: the image mirrored, its last pixels
    /// repeated, or the image again as on a circle.
    #[must_use]
    pub fn padding_mode(self, mode: PadMode) -> Self {
        Conv2d { mode, ..self }
    }

    /// With so many pixels between neighbouring taps of the kernel.
    #[must_use]
    pub fn dilation(self, dilation: impl Into<Pair>) -> Self {
        Conv2d { conv: self.conv.dilation(dilation), ..self }
    }

    /// With so many groups of channels that do not see each other: as many as inputs is a depthwise
    /// convolution. Of a new layer: a part of its weights stays.
    ///
    /// # Panics
    /// If inputs and outputs do not both divide into them, or there are groups already.
    #[must_use]
    #[track_caller]
    pub fn groups(mut self, groups: usize) -> Self {
        regroup("Conv2d", &mut self.weight, &mut self.bias, &mut self.conv, groups);
        self
    }

    /// Without bias: before a normalisation, which would take it away again.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Conv2d { bias: None, ..self }
    }

    /// The channels that come in.
    pub fn inputs(&self) -> usize {
        self.weight.shape()[1] * self.conv.groups
    }

    /// The channels that go out.
    pub fn outputs(&self) -> usize {
        self.weight.shape()[0]
    }

    /// The size of the kernel.
    pub fn kernel(&self) -> [usize; 2] {
        let shape = self.weight.shape();
        [shape[2], shape[3]]
    }

    fn shown(&self) -> Outline {
        let fields = Outline::new("Conv2d").field("weight", &self.weight).field("bias", &self.bias);
        outline(fields, options(&self.conv, self.padding, self.mode))
    }
}

impl<T: Float> Layer<T> for Conv2d<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        check_channels("conv2d", "N, C, H, W", x, self.inputs());
        let (tape, kernel) = (x.tape(), self.kernel());
        let (x, conv) = bordered(x, &self.conv, self.padding, self.mode, kernel);
        let bias = self.bias.as_ref().map(|bias| tape.param(bias));
        x.conv2d(tape.param(&self.weight), bias, &conv)
    }
}
