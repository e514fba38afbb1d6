//! The convolution of signals, as a layer.

use super::{bordered, draw, module, outline, regroup};
use crate::expect::check_channels;
use crate::layer::Layer;
use rand::Rng;
use wengert_autograd::{Outline, Param, Var};
use wengert_tensor::{Conv, Float, PadMode, Padding};

/// A convolution of signals: [N, C, L] → [N, O, L′], with one kernel per pair of channels and one
/// bias per output channel.
///
/// [`Var::conv1d`] defines the result. The defaults are stride 1, no padding, dilation 1 and one
/// group; builder methods change them.
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
    /// The weight w: [outputs, inputs / groups, k].
    pub weight: Param<T>,
    /// The bias b: \[outputs\].
    pub bias: Option<Param<T>>,
    /// A convolution of images of height 1: the second entry of each pair applies to the signal.
    /// The same holds for `padding`.
    conv: Conv,
    padding: Padding,
    mode: PadMode,
}
module! { Conv1d }

impl Conv1d {
    /// Creates a layer of `f32` from `inputs` to `outputs` channels with this kernel size. Weight
    /// and bias are drawn uniformly from ±1/√(inputs / groups · kernel), PyTorch's default.
    ///
    /// # Panics
    /// If `inputs` or `kernel` is 0.
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
    /// Creates a layer of any element type, as [`Conv1d::new`] does for `f32`:
    /// `Conv1d::<f64>::of(…)`.
    ///
    /// # Panics
    /// If `inputs` or `kernel` is 0.
    #[track_caller]
    pub fn of(inputs: usize, outputs: usize, kernel: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        let (weight, bias) = draw("Conv1d", &[outputs, inputs, kernel], outputs, rng);
        Conv1d { weight, bias, conv: Conv::new(), padding: Padding::Valid, mode: PadMode::Zeros }
    }

    /// Sets the stride: the distance between neighbouring windows. The default is 1.
    #[must_use]
    pub fn stride(self, stride: usize) -> Self {
        Conv1d { conv: self.conv.stride([1, stride]), ..self }
    }

    /// Sets the padding: the number of zeros on both sides, or [`Padding::Same`]. If the padding
    /// has two pairs, the second one applies: (before, after). The default is no padding.
    #[must_use]
    pub fn padding(self, padding: impl Into<Padding>) -> Self {
        let padding = match padding.into() {
            Padding::Each([_, along]) => Padding::Each([(0, 0), along]),
            other => other,
        };
        Conv1d { padding, ..self }
    }

    /// Sets what the padding contains instead of zeros: the mirrored signal, its repeated last
    /// element, or the signal continued as on a circle. The default is zeros.
    #[must_use]
    pub fn padding_mode(self, mode: PadMode) -> Self {
        Conv1d { mode, ..self }
    }

    /// Sets the dilation: the distance between neighbouring kernel elements. The default is 1.
    #[must_use]
    pub fn dilation(self, dilation: usize) -> Self {
        Conv1d { conv: self.conv.dilation([1, dilation]), ..self }
    }

    /// Sets the number of groups. An output channel is connected to the input channels of its group
    /// only. Call it on a newly created layer: it keeps a part of the weights and rescales them.
    ///
    /// # Panics
    /// If `inputs` or `outputs` is not a multiple of `groups`, or if the layer already has groups.
    #[must_use]
    #[track_caller]
    pub fn groups(mut self, groups: usize) -> Self {
        regroup("Conv1d", &mut self.weight, &mut self.bias, &mut self.conv, groups);
        self
    }

    /// Removes the bias. Use it before a normalisation layer, which would cancel the bias.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Conv1d { bias: None, ..self }
    }

    /// Returns the number of input channels.
    pub fn inputs(&self) -> usize {
        self.weight.shape()[1] * self.conv.groups
    }

    /// Returns the number of output channels.
    pub fn outputs(&self) -> usize {
        self.weight.shape()[0]
    }

    /// Returns the size of the kernel.
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
