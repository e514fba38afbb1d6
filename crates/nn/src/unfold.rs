//! Windows of images as columns, and back, as layers.

use crate::layer::Layer;
use wengert_autograd::Var;
use wengert_nn_derive::Module;
use wengert_tensor::{Conv, Float, Pair};

/// The fields of both, as methods.
macro_rules! windows {
    ($Name:ident) => {
        impl $Name {
            /// With so many pixels between neighbouring windows.
            #[must_use]
            pub fn stride(self, stride: impl Into<Pair>) -> Self {
                $Name { stride: stride.into().0, ..self }
            }

            /// With so many zeros on both sides of the image.
            #[must_use]
            pub fn padding(self, padding: impl Into<Pair>) -> Self {
                $Name { padding: padding.into().0, ..self }
            }

            /// With so many pixels between neighbouring elements of a window.
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

/// The windows of images as columns: [N, C, H, W] becomes [N, C·kh·kw, L] with L windows, as
/// [`Var::unfold`] defines it.
///
/// ```
/// use wengert_nn::{Layer, Unfold};
/// use wengert_tensor::Tensor;
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
    /// Windows of this size at every place: stride 1, no padding, no gaps.
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

/// Images as sums of windows: [N, C·kh·kw, L] becomes [N, C, H, W], as [`Var::fold`] defines it. It
/// undoes [`Unfold`] where windows do not overlap.
///
/// ```
/// use wengert_nn::{Fold, Layer, Unfold};
/// use wengert_tensor::Tensor;
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
    /// To images of this size, from windows of this size at every place: stride 1, no padding, no
    /// gaps.
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
