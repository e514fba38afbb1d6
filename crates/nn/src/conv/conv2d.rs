//! The convolution of images, as a layer.

use super::{bordered, draw, module, options, outline, regroup};
use crate::expect::check_channels;
use crate::layer::Layer;
use rand::Rng;
use wengert_autograd::{Outline, Param, Var};
use wengert_tensor::{Conv, Float, PadMode, Padding, Pair, Tensor};

/// A convolution of images: [N, C, H, W] → [N, O, H′, W′], with one kernel per pair of channels and
/// one bias per output channel.
///
/// [`Var::conv2d`] defines the result. (LeCun, Boser, Denker, Henderson, Howard, Hubbard, Jackel,
/// "Backpropagation applied to handwritten zip code recognition", 1989.)
///
/// The defaults are stride 1, no padding, dilation 1 and one group. Builder methods change them:
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
    /// The weight w: [outputs, inputs / groups, kh, kw].
    pub weight: Param<T>,
    /// The bias b: \[outputs\].
    pub bias: Option<Param<T>>,
    conv: Conv,
    padding: Padding,
    mode: PadMode,
}
module! { Conv2d }

impl Conv2d {
    /// Creates a layer of `f32` from `inputs` to `outputs` channels with this kernel size (`5`, or
    /// `[5, 3]` for 5 along H and 3 along W). Weight and bias are drawn uniformly from ±1/√(inputs
    /// / groups · kh · kw), PyTorch's default. For the weight, this equals
    /// [`kaiming_uniform`](crate::init::kaiming_uniform) with gain √⅓.
    ///
    /// # Panics
    /// If `inputs` or a size of the kernel is 0.
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
    /// Creates a layer of any element type, as [`Conv2d::new`] does for `f32`:
    /// `Conv2d::<f64>::of(…)`.
    ///
    /// # Panics
    /// If `inputs` or a size of the kernel is 0.
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

    /// Creates a layer from a weight [outputs, inputs / groups, kh, kw] and a bias \[outputs\].
    /// `conv` gives stride, padding, dilation and groups.
    ///
    /// # Panics
    /// If the weight or the bias has another shape, or if the number of outputs is not a multiple
    /// of the number of groups.
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

    /// Sets the stride: the distance between neighbouring windows. The default is 1.
    #[must_use]
    pub fn stride(self, stride: impl Into<Pair>) -> Self {
        Conv2d { conv: self.conv.stride(stride), ..self }
    }

    /// Sets the padding: numbers of pixels, or [`Padding::Same`]. The default is no padding.
    #[must_use]
    pub fn padding(self, padding: impl Into<Padding>) -> Self {
        Conv2d { padding: padding.into(), ..self }
    }

    /// Sets what the padding contains instead of zeros: the mirrored image, its repeated border
    /// pixels, or the image continued as on a circle. The default is zeros.
    #[must_use]
    pub fn padding_mode(self, mode: PadMode) -> Self {
        Conv2d { mode, ..self }
    }

    /// Sets the dilation: the distance between neighbouring kernel elements. The default is 1.
    #[must_use]
    pub fn dilation(self, dilation: impl Into<Pair>) -> Self {
        Conv2d { conv: self.conv.dilation(dilation), ..self }
    }

    /// Sets the number of groups. An output channel is connected to the input channels of its group
    /// only; `groups` equal to `inputs` gives a depthwise convolution. Call it on a newly created
    /// layer: it keeps a part of the weights and rescales them.
    ///
    /// # Panics
    /// If `inputs` or `outputs` is not a multiple of `groups`, or if the layer already has groups.
    #[must_use]
    #[track_caller]
    pub fn groups(mut self, groups: usize) -> Self {
        regroup("Conv2d", &mut self.weight, &mut self.bias, &mut self.conv, groups);
        self
    }

    /// Removes the bias. Use it before a normalisation layer, which would cancel the bias.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Conv2d { bias: None, ..self }
    }

    /// Returns the number of input channels.
    pub fn inputs(&self) -> usize {
        self.weight.shape()[1] * self.conv.groups
    }

    /// Returns the number of output channels.
    pub fn outputs(&self) -> usize {
        self.weight.shape()[0]
    }

    /// Returns the height and width of the kernel.
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
