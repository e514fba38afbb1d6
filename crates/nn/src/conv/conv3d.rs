//! The convolution of volumes, as a layer.

use super::{ConvOptions, check_tensors, convolution};
use crate::check_input::check_channels;
use crate::layer::Layer;
use wengert_autograd::{Param, Var};
use wengert_nn_derive::Module;
use wengert_tensor::{Float, Tensor, Triple, VolumeConv, VolumePadding};

/// A convolution of volumes: [N, C, D, H, W] → [N, O, D′, H′, W′], with one kernel per pair of channels
/// and one bias per output channel. D is the depth of a scan, or the time of a video.
///
/// [`Var::conv3d`] defines the result. The defaults are stride 1, no padding, dilation 1 and one group;
/// builder methods change them. (Ji, Xu, Yang, Yu, "3D convolutional neural networks for human action
/// recognition", 2010.)
///
/// ```
/// use wengert::nn::{Conv3d, Layer};
/// use wengert::tensor::{Philox, Tensor, VolumePadding};
/// let mut rng = Philox::new(0);
/// let volumes = Tensor::zeros(&[2, 3, 10, 14, 12]);
///
/// let layer = Conv3d::new(3, 6, [3, 5, 5], &mut rng).stride([1, 2, 2]).padding([1, 2, 2]);
/// assert_eq!(layer.predict(&volumes).shape(), [2, 6, 10, 7, 6]);
/// assert_eq!(
///     layer.to_string(),
///     "Conv3d(weight: [6, 3, 3, 5, 5], bias: [6], stride: [1, 2, 2], padding: [1, 2, 2])"
/// );
///
/// let layer = Conv3d::new(3, 6, 4, &mut rng).padding(VolumePadding::Same).without_bias();
/// assert_eq!(layer.predict(&volumes).shape(), [2, 6, 10, 14, 12]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct Conv3d<T: Float = f32> {
    /// The weight w: [outputs, inputs / groups, kd, kh, kw].
    pub weight: Param<T>,
    /// The bias b: \[outputs\].
    pub bias: Option<Param<T>>,
    #[module(print_with = ConvOptions::print_volumes)]
    options: ConvOptions,
}

convolution! {
    /// Weight and bias are drawn uniformly from ±1/√(inputs / groups · kd · kh · kw), PyTorch's default.
    ///
    /// # Panics
    /// If `inputs` or a size of the kernel is 0.
    Conv3d |inputs, outputs, kernel| {
        let Triple([kd, kh, kw]) = kernel.into();
        [outputs, inputs, kd, kh, kw]
    };
    /// `5` is 5 along D, H and W; `[3, 5, 5]` is 3 along D.
    impl Into<Triple>, windows in the input, |size| size.into()
}

impl<T: Float> Conv3d<T> {
    /// Creates a layer from a weight [outputs, inputs / groups, kd, kh, kw] and a bias \[outputs\].
    /// `conv` gives stride, padding, dilation and groups.
    ///
    /// # Panics
    /// If the weight or the bias has another shape, or if the number of outputs is not a multiple
    /// of the number of groups.
    #[track_caller]
    pub fn from_tensors(weight: Tensor<T>, bias: Option<Tensor<T>>, conv: VolumeConv) -> Self {
        let op = "Conv3d::from_tensors";
        check_tensors(op, 5, false, &weight, bias.as_ref(), conv.groups);
        let options = ConvOptions::of(conv);
        Conv3d { weight: weight.into(), bias: bias.map(Into::into), options }
    }

    /// Sets the padding: numbers of elements, or [`VolumePadding::Same`]. The default is no padding.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<VolumePadding>) -> Self {
        self.options.padding = padding.into();
        self
    }

    /// Returns the depth, height and width of the kernel.
    pub fn kernel(&self) -> [usize; 3] {
        let shape = self.weight.shape();
        [shape[2], shape[3], shape[4]]
    }
}

impl<T: Float> Layer<T> for Conv3d<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        check_channels("conv3d", "N, C, D, H, W", x, self.inputs());
        let (x, conv) = self.options.padded("conv3d", x, self.kernel());
        let bias = self.bias.as_ref().map(|bias| x.tape().param(bias));
        x.conv3d(x.tape().param(&self.weight), bias, &conv)
    }
}
