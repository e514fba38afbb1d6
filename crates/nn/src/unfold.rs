//! The [`Unfold`] and [`Fold`] layers, which turn windows of images into columns and back.

use crate::layer::Layer;
use wengert_autograd::Var;
use wengert_nn_derive::Module;
use wengert_tensor::{Conv, Float, Pair};

/// Adds the options that `Unfold` and `Fold` share.
macro_rules! windows {
    ($Name:ident) => {
        impl $Name {
            /// Sets the stride: the distance between neighbouring windows. The default is 1.
            #[must_use]
            pub fn stride(self, stride: impl Into<Pair>) -> Self {
                $Name { stride: stride.into().0, ..self }
            }

            /// Sets the padding: the number of zeros on both sides of the image. The default is 0.
            #[must_use]
            pub fn padding(self, padding: impl Into<Pair>) -> Self {
                $Name { padding: padding.into().0, ..self }
            }

            /// Sets the dilation: the distance between neighbouring elements of a window. The
            /// default is 1.
            #[must_use]
            pub fn dilation(self, dilation: impl Into<Pair>) -> Self {
                $Name { dilation: dilation.into().0, ..self }
            }

            fn conv(&self) -> Conv {
                Conv::new().stride(self.stride).padding(self.padding).dilation(self.dilation)
            }
        }
    };
}

/// Extracts the windows of images as columns: [N, C, H, W] → [N, C·kh·kw, L] with L windows.
/// [`Var::unfold`] defines the result.
///
/// ```
/// use wengert::nn::{Layer, Unfold};
/// use wengert::tensor::Tensor;
/// let layer = Unfold::new([3, 2]).stride(2).padding([1, 0]);
/// assert_eq!(layer.predict(&Tensor::zeros(&[8, 3, 7, 6])).shape(), [8, 18, 12]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Module)]
#[module(crate = "wengert_autograd")]
pub struct Unfold {
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
}
windows! { Unfold }

impl Unfold {
    /// Creates a layer with windows of this size, stride 1, no padding and dilation 1.
    pub fn new(kernel: impl Into<Pair>) -> Self {
        Unfold { kernel: kernel.into().0, stride: [1; 2], padding: [0; 2], dilation: [1; 2] }
    }
}

impl<T: Float> Layer<T> for Unfold {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.unfold(self.kernel, &self.conv())
    }
}

/// Sums windows into images: [N, C·kh·kw, L] → [N, C, H, W]. It inverts [`Unfold`] where windows do
/// not overlap. [`Var::fold`] defines the result.
///
/// ```
/// use wengert::nn::{Fold, Layer, Unfold};
/// use wengert::tensor::Tensor;
/// let images = Tensor::arange(0.0, 48.0, 1.0).reshape(&[2, 1, 4, 6]);
/// let columns = Unfold::new(2).stride(2).predict(&images);
/// assert_eq!(Fold::new([4, 6], 2).stride(2).predict(&columns), images);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Module)]
#[module(crate = "wengert_autograd")]
pub struct Fold {
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
}
windows! { Fold }

impl Fold {
    /// Creates a layer for images and windows of these sizes, with stride 1, no padding and
    /// dilation 1.
    pub fn new(size: impl Into<Pair>, kernel: impl Into<Pair>) -> Self {
        let (size, kernel) = (size.into().0, kernel.into().0);
        Fold { size, kernel, stride: [1; 2], padding: [0; 2], dilation: [1; 2] }
    }
}

impl<T: Float> Layer<T> for Fold {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.fold(self.size, self.kernel, &self.conv())
    }
}
