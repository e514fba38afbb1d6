//! The convolution of signals.

use super::{bordered, draw, module, outline, regroup};
use crate::expect::check_channels;
use crate::layer::Layer;
use rand::Rng;
use wengert_autograd::{Outline, Param, Var};
use wengert_tensor::{Conv, Float, PadMode, Padding};

/// The convolution of signals [N, C, L] with a kernel per pair of channels, plus a bias per channel:
/// [N, O, L′], as [`Var::conv1d`] defines it.
///
/// ```
/// use wengert_nn::{Conv1d, Layer};
/// use wengert_tensor::{Padding, Philox, Tensor};
/// let mut rng = Philox::new(0);
/// let signals = Tensor::zeros(&[8, 2, 100]);
/// let layer = Conv1d::new(2, 16, 9, &mut rng).stride(2).padding(4);
/// assert_eq!(layer.predict(&signals).shape(), [8, 16, 50]);
/// let layer = Conv1d::new(2, 16, 4, &mut rng).dilation(3).padding(Padding::Same);
/// assert_eq!(layer.predict(&signals).shape(), [8, 16, 100]);
/// ```
#[derive(Clone, Debug)]
pub struct Conv1d<T: Float = f32> {
    /// w: [outputs, inputs / groups, k].
    pub weight: Param<T>,
    /// b: \[outputs\].
    pub bias: Option<Param<T>>,
    /// Of its pairs the second counts, and so of the padding's.
    conv: Conv,
    padding: Padding,
    mode: PadMode,
}
module! { Conv1d }

impl Conv1d {
    /// A layer of `f32` from `inputs` channels to `outputs`, with a kernel of this size. Weight and
    /// bias are uniform in ±1/√(inputs / groups · kernel), PyTorch's default.
    ///
    /// # Panics
    /// If there are no inputs, or the kernel is empty.
    #[track_caller]
    pub fn new(
        inputs: usize,
        outputs: usize,
        kernel: usize,
        rng: &mut (impl Rng + ?Sized),
    ) -> Self {
        Self::of(inputs, outputs, kernel, rng)
    }
}

impl<T: Float> Conv1d<T> {
    /// [`Conv1d::new`] for any element type: `Conv1d::<f64>::of(…)`.
    ///
    /// # Panics
    /// If there are no inputs, or the kernel is empty.
    #[track_caller]
    pub fn of(inputs: usize, outputs: usize, kernel: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        let (weight, bias) = draw("Conv1d", &[outputs, inputs, kernel], outputs, rng);
        Conv1d { weight, bias, conv: Conv::new(), padding: Padding::Valid, mode: PadMode::Zeros }
    }

    /// With so many elements between neighbouring windows.
    #[must_use]
    pub fn stride(self, stride: usize) -> Self {
        Conv1d { conv: self.conv.stride([1, stride]), ..self }
    }

    /// With so many zeros on both sides, or [`Padding::Same`]. Of a padding with two pairs the second
    /// counts: (before, after).
    #[must_use]
    pub fn padding(self, padding: impl Into<Padding>) -> Self {
        let padding = match padding.into() {
            Padding::Each([_, along]) => Padding::Each([(0, 0), along]),
            other => other,
        };
        Conv1d { padding, ..self }
    }

    /// With this where the padding is, in place of zeros: the signal mirrored, its last element
    /// repeated, or the signal again as on a circle.
    #[must_use]
    pub fn padding_mode(self, mode: PadMode) -> Self {
        Conv1d { mode, ..self }
    }

    /// With so many elements between neighbouring taps of the kernel.
    #[must_use]
    pub fn dilation(self, dilation: usize) -> Self {
        Conv1d { conv: self.conv.dilation([1, dilation]), ..self }
    }

    /// With so many groups of channels that do not see each other. Of a new layer: a part of its
    /// weights stays.
    ///
    /// # Panics
    /// If inputs and outputs do not both divide into them, or there are groups already.
    #[must_use]
    #[track_caller]
    pub fn groups(mut self, groups: usize) -> Self {
        regroup("Conv1d", &mut self.weight, &mut self.bias, &mut self.conv, groups);
        self
    }

    /// Without bias: before a normalisation, which would take it away again.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Conv1d { bias: None, ..self }
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
    pub fn kernel(&self) -> usize {
        self.weight.shape()[2]
    }

    fn shown(&self) -> Outline {
        let fields = Outline::new("Conv1d").field("weight", &self.weight).field("bias", &self.bias);
        let (conv, along) = (&self.conv, |padding| match padding {
            Padding::Each([_, (before, after)]) if before == after => before.to_string(),
            Padding::Each([_, both]) => format!("{both:?}"),
            other => other.to_string(),
        });
        let padding = along(self.padding);
        let none = padding == "valid" || padding == "0";
        outline(
            fields,
            vec![
                ("stride", conv.stride[1].to_string(), conv.stride[1] == 1),
                ("padding", padding, none),
                ("dilation", conv.dilation[1].to_string(), conv.dilation[1] == 1),
                ("groups", conv.groups.to_string(), conv.groups == 1),
                ("padding_mode", format!("{:?}", self.mode), self.mode == PadMode::Zeros),
            ],
        )
    }
}

impl<T: Float> Layer<T> for Conv1d<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        check_channels("conv1d", "N, C, L", x, self.inputs());
        let (tape, kernel) = (x.tape(), [1, self.kernel()]);
        let (x, conv) = bordered(x, &self.conv, self.padding, self.mode, kernel);
        let bias = self.bias.as_ref().map(|bias| tape.param(bias));
        x.conv1d(tape.param(&self.weight), bias, &conv)
    }
}
