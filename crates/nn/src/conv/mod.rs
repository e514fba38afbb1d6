//! Convolutional layers, and the code that they share: constructors, builder methods, printing.

mod conv1d;
mod conv2d;
mod conv3d;
mod transpose;

pub use conv1d::Conv1d;
pub use conv2d::Conv2d;
pub use conv3d::Conv3d;
pub use transpose::{ConvTranspose1d, ConvTranspose2d, ConvTranspose3d};

use crate::print::{changed, sides, sizes};
use rand::Rng;
use wengert_autograd::{Outline, Param, Var};
use wengert_tensor::{Float, PadMode, Tensor, Triple, VolumeConv, VolumePadding};

/// The options of a convolutional layer, along D, H and W. Layers of images use the last two, and layers
/// of signals the last.
#[derive(Clone, Copy, Debug, Default)]
struct ConvOptions {
    /// Stride, dilation and groups. The padding in it is not used.
    conv: VolumeConv,
    padding: VolumePadding,
    mode: PadMode,
    output_padding: [usize; 3],
}

impl ConvOptions {
    fn of(conv: impl Into<VolumeConv>) -> Self {
        let conv = conv.into();
        ConvOptions { conv, padding: VolumePadding::Each(conv.padding), ..Self::default() }
    }

    /// Returns stride, dilation and groups, with the padding in numbers.
    #[track_caller]
    fn conv<T: Float>(&self, op: &str, x: Var<'_, T>, kernel: [usize; 3]) -> VolumeConv {
        let Ok(padding) = self.padding.around(kernel, &self.conv) else {
            x.tape().shape_error(format!(
                "{op}: `Padding::Same` requires stride 1, got stride {}: give the padding in numbers",
                sizes(&self.conv.stride[5 - x.shape().rank()..])
            ))
        };
        VolumeConv { padding, ..self.conv }
    }

    /// Returns the input and the options of its convolution. Zero padding is left to the
    /// convolution; for any other mode, the input returned here is already padded and the options
    /// have padding 0.
    #[track_caller]
    fn padded<'t, T: Float>(
        &self,
        op: &str,
        x: Var<'t, T>,
        kernel: [usize; 3],
    ) -> (Var<'t, T>, VolumeConv) {
        let conv = self.conv(op, x, kernel);
        if self.mode == PadMode::Zeros {
            return (x, conv);
        }
        let mut each = vec![(0, 0); 2];
        each.extend(&conv.padding[5 - x.shape().rank()..]);
        (x.pad_mode(&each, self.mode), conv.padding(0))
    }

    /// Adds the options of a layer of images to its printed form.
    fn print_images(&self, outline: Outline) -> Outline {
        self.print(outline, 2)
    }

    /// Adds the options of a layer of signals to its printed form.
    fn print_signals(&self, outline: Outline) -> Outline {
        self.print(outline, 1)
    }

    /// Adds the options of a layer of volumes to its printed form.
    fn print_volumes(&self, outline: Outline) -> Outline {
        self.print(outline, 3)
    }

    /// Adds the options along the last axes.
    fn print(&self, outline: Outline, axes: usize) -> Outline {
        let show = |numbers: [usize; 3]| sizes(&numbers[3 - axes..]);
        let padding = match self.padding {
            VolumePadding::Valid => "0".into(),
            VolumePadding::Same => "same".into(),
            VolumePadding::Each(each) => sides(&each[3 - axes..]),
        };
        let options = [
            ("stride", show(self.conv.stride), "1"),
            ("padding", padding, "0"),
            ("dilation", show(self.conv.dilation), "1"),
            ("groups", self.conv.groups.to_string(), "1"),
            ("padding_mode", format!("{:?}", self.mode), "Zeros"),
            ("output_padding", show(self.output_padding), "0"),
        ];
        changed(outline, &options)
    }
}

/// Draws the weight and bias of a new layer uniformly from ±1/√(number of connections into a unit).
#[track_caller]
fn draw<T: Float>(
    layer: &str,
    shape: &[usize],
    outputs: usize,
    rng: &mut (impl Rng + ?Sized),
) -> (Param<T>, Option<Param<T>>) {
    let connections: usize = shape[1..].iter().product();
    assert!(
        connections > 0,
        "{layer}: the sizes after the first of the weight must be at least 1, got {shape:?} (they set the \
         range of the initial values)"
    );
    let bound = 1.0 / (connections as f64).sqrt();
    let weight = Tensor::uniform_of(shape, -bound, bound, rng);
    let bias = Tensor::uniform_of(&[outputs], -bound, bound, rng);
    (weight.into(), Some(bias.into()))
}

/// Divides the channels of a new layer into groups. Each unit keeps its connections to one group,
/// and weights and biases are multiplied by √groups. The result has the distribution of values
/// drawn for the smaller number of connections.
#[track_caller]
fn regroup<T: Float>(
    layer: &str,
    weight: &mut Param<T>,
    bias: &mut Option<Param<T>>,
    conv: &mut VolumeConv,
    groups: usize,
) {
    let shape = weight.shape();
    assert!(
        conv.groups == 1,
        "{layer}::groups: the layer must not have groups yet, got {groups} for a layer with {} groups: call \
         groups once, on a new layer",
        conv.groups
    );
    for channels in &shape[..2] {
        assert!(
            groups > 0 && channels.is_multiple_of(groups),
            "{layer}::groups: the number of channels must be a multiple of groups, got {channels} channels \
             and {groups} groups (weight {shape})"
        );
    }
    conv.groups = groups;
    let growth = (groups as f64).sqrt();
    // The shape of a parameter cannot change, so a new parameter replaces it. It is frozen if the
    // old one was.
    let frozen = weight.frozen();
    *weight = (weight.value().narrow(1, 0, shape[1] / groups) * growth).into();
    if frozen {
        weight.freeze();
    }
    if let Some(bias) = bias {
        bias.update(|b| *b = &*b * growth);
    }
}

/// Panics if the weight does not have this number of axes, or does not fit the groups, or if the bias does not have one
/// number per output. The weight is [outputs, inputs / groups, …], or [inputs, outputs / groups, …] of a `transposed`
/// convolution.
#[track_caller]
fn check_tensors<T: Float>(
    op: &str,
    rank: usize,
    transposed: bool,
    weight: &Tensor<T>,
    bias: Option<&Tensor<T>>,
    groups: usize,
) {
    let shape = weight.shape();
    let kernel = ["k", "kh, kw", "kd, kh, kw"][rank - 3];
    let (whole, divided) = if transposed { ("inputs", "outputs") } else { ("outputs", "inputs") };
    assert!(
        shape.rank() == rank && groups > 0 && shape[0].is_multiple_of(groups),
        "{op}: expected a weight [{whole}, {divided} / groups, {kernel}] with {whole} a multiple of groups, got \
         {shape} and {groups} groups"
    );
    let outputs = if transposed { shape[1] * groups } else { shape[0] };
    if let Some(got) = bias.map(Tensor::shape).filter(|got| **got != [outputs]) {
        panic!("{op}: a weight {shape} requires a bias [{outputs}], got {got}")
    }
}

/// Adds the methods that depend on the side on which windows lie: in the input of a convolution, or in the output of a
/// transposed one.
macro_rules! on_side {
    (input, $(#[$size:meta])* $Size:ty, |$any:ident| $deep:expr) => {
        /// Sets what the padding contains instead of zeros: the mirrored input, its repeated border
        /// elements, or the input continued as on a circle. The default is zeros.
        #[must_use]
        pub fn padding_mode(mut self, mode: wengert_tensor::PadMode) -> Self {
            self.options.mode = mode;
            self
        }

        /// Returns the number of input channels.
        pub fn inputs(&self) -> usize {
            self.weight.shape()[1] * self.options.conv.groups
        }

        /// Returns the number of output channels.
        pub fn outputs(&self) -> usize {
            self.weight.shape()[0]
        }
    };
    (output, $(#[$size:meta])* $Size:ty, |$any:ident| $deep:expr) => {
        /// Sets the padding: crops this many elements from each side of the output. The default is 0.
        $(#[$size])*
        #[must_use]
        pub fn padding(mut self, padding: $Size) -> Self {
            let $any = padding;
            let each = super::along(self.weight.shape().rank() - 2, $deep);
            self.options.padding = wengert_tensor::VolumePadding::from(each);
            self
        }

        /// Sets the output padding: adds this many elements at the end of each output axis. It must be
        /// smaller than the stride or the dilation. The default is 0.
        $(#[$size])*
        #[must_use]
        pub fn output_padding(mut self, output_padding: $Size) -> Self {
            let $any = output_padding;
            self.options.output_padding = super::along(self.weight.shape().rank() - 2, $deep);
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
    };
}
use on_side;

/// Returns the numbers along the last axes, and 0 along the others.
fn along(axes: usize, Triple(mut each): Triple) -> [usize; 3] {
    each[..3 - axes].fill(0);
    each
}

/// Adds the constructors and the builder methods that convolutional layers share, to a layer with
/// the fields `weight`, `bias` and `options`.
///
/// The arguments are: the documentation of `new` and `of`; the name of the layer; the arguments of
/// its constructors, with the shape of the weight; the documentation of a size, with its type; the
/// side on which windows lie; and a size along D, H and W.
macro_rules! convolution {
    (
        $(#[$new:meta])*
        $Layer:ident |$inputs:ident, $outputs:ident, $kernel:ident| $shape:expr;
        $(#[$size:meta])*
        $Size:ty, windows in the $side:ident, |$any:ident| $deep:expr
    ) => {
        impl $Layer {
            /// Creates a layer of `f32` from `inputs` to `outputs` channels with this kernel size.
            $(#[$size])*
            $(#[$new])*
            #[track_caller]
            pub fn new(
                $inputs: usize,
                $outputs: usize,
                $kernel: $Size,
                rng: &mut (impl rand::Rng + ?Sized),
            ) -> Self {
                Self::of($inputs, $outputs, $kernel, rng)
            }
        }

        impl<T: Float> $Layer<T> {
            #[doc = concat!(
                "Creates a layer of any element type, as [`", stringify!($Layer), "::new`] does for \
                 `f32`: `", stringify!($Layer), "::<f64>::of(…)`."
            )]
            $(#[$size])*
            $(#[$new])*
            #[track_caller]
            pub fn of(
                $inputs: usize,
                $outputs: usize,
                $kernel: $Size,
                rng: &mut (impl rand::Rng + ?Sized),
            ) -> Self {
                let (weight, bias) = super::draw(stringify!($Layer), &$shape, $outputs, rng);
                $Layer { weight, bias, options: super::ConvOptions::default() }
            }

            #[doc = concat!(
                "Sets the stride: the distance between neighbouring windows in the ",
                stringify!($side), ". The default is 1."
            )]
            $(#[$size])*
            #[must_use]
            pub fn stride(mut self, stride: $Size) -> Self {
                let $any = stride;
                let each: wengert_tensor::Triple = $deep;
                self.options.conv = self.options.conv.stride(each);
                self
            }

            /// Sets the dilation: the distance between neighbouring kernel elements. The default is
            /// 1.
            $(#[$size])*
            #[must_use]
            pub fn dilation(mut self, dilation: $Size) -> Self {
                let $any = dilation;
                let each: wengert_tensor::Triple = $deep;
                self.options.conv = self.options.conv.dilation(each);
                self
            }

            /// Sets the number of groups. An output channel is connected to the input channels of
            /// its group only; `groups` equal to `inputs` gives a depthwise convolution. The default
            /// is 1.
            ///
            /// Call it on a newly created layer: it keeps a part of the weights and rescales them.
            ///
            /// # Panics
            /// If `inputs` or `outputs` is not a multiple of `groups`, or if the layer already has
            /// groups.
            #[must_use]
            #[track_caller]
            pub fn groups(mut self, groups: usize) -> Self {
                let (weight, bias) = (&mut self.weight, &mut self.bias);
                super::regroup(stringify!($Layer), weight, bias, &mut self.options.conv, groups);
                self
            }

            /// Removes the bias. Use it before a normalisation layer, which would cancel the bias.
            #[must_use]
            pub fn without_bias(self) -> Self {
                $Layer { bias: None, ..self }
            }

            super::on_side! { $side, $(#[$size])* $Size, |$any| $deep }
        }
    };
}
use convolution;
