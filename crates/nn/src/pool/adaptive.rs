//! Pooling layers with a given output size.

use super::with_indices;
use crate::layer::Layer;
use wengert_autograd::Var;
use wengert_nn_derive::Module;
use wengert_tensor::{Float, Pair, Triple};

/// Defines layers: the documentation and the name; the documentation of an output size, with its
/// type; the type and the value of the field; and the operation.
macro_rules! adaptive {
    ($(
        $(#[$doc:meta])*
        $Layer:ident($(#[$new:meta])* $size:ident: $Size:ty => $Field:ty: $value:expr): $op:ident;
    )*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Module)]
        #[module(crate = "wengert_autograd")]
        pub struct $Layer {
            size: $Field,
        }

        impl $Layer {
            $(#[$new])*
            pub fn new($size: $Size) -> Self {
                $Layer { size: $value }
            }
        }

        impl<T: Float> Layer<T> for $Layer {
            #[track_caller]
            fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
                x.$op(self.size)
            }
        }
    )* };
}
adaptive! {
    /// Averages over windows that together cover each image: [N, C, H, W] (or [C, H, W]) → [N, C,
    /// size], for any H and W.
    ///
    /// Along an axis of length n, window o of m covers the positions from ⌊o·n/m⌋ to ⌈(o + 1)·n/m⌉,
    /// the end excluded. With size 1, the layer returns the mean of each channel ("global average
    /// pooling").
    ///
    /// ```
    /// use wengert::nn::{AdaptiveAvgPool2d, Layer};
    /// use wengert::tensor::Tensor;
    /// let layer = AdaptiveAvgPool2d::new([3, 4]);
    /// assert_eq!(layer.predict(&Tensor::zeros(&[64, 6, 28, 20])).shape(), [64, 6, 3, 4]);
    /// assert_eq!(layer.predict(&Tensor::zeros(&[6, 9, 7])).shape(), [6, 3, 4]);
    /// assert_eq!(layer.to_string(), "AdaptiveAvgPool2d(size: [3, 4])");
    /// ```
    AdaptiveAvgPool2d(
        /// Creates a layer with this output size: `1`, or `[7, 5]` for height 7 and width 5.
        size: impl Into<Pair> => [usize; 2]: size.into().0
    ): adaptive_avg_pool2d;
    /// Takes the largest element of each of `size` windows that together cover an image. The
    /// windows are those of [`AdaptiveAvgPool2d`].
    ///
    /// ```
    /// use wengert::nn::{AdaptiveMaxPool2d, Layer};
    /// use wengert::tensor::Tensor;
    /// let image = Tensor::arange(0.0, 15.0, 1.0).reshape(&[1, 3, 5]);
    /// assert_eq!(AdaptiveMaxPool2d::new([1, 2]).predict(&image).to_vec(), [12.0, 14.0]);
    /// ```
    AdaptiveMaxPool2d(
        /// Creates a layer with this output size: `1`, or `[7, 5]` for height 7 and width 5.
        size: impl Into<Pair> => [usize; 2]: size.into().0
    ): adaptive_max_pool2d;
    /// Averages over windows that together cover each signal: [N, C, L] (or [C, L]) → [N, C, size].
    /// The windows are those of [`AdaptiveAvgPool2d`].
    ///
    /// ```
    /// use wengert::nn::{AdaptiveAvgPool1d, Layer};
    /// use wengert::tensor::Tensor;
    /// let layer = AdaptiveAvgPool1d::new(2);
    /// assert_eq!(layer.predict(&Tensor::from([[1.0, 2.0, 6.0]])).to_vec(), [1.5, 4.0]);
    /// ```
    AdaptiveAvgPool1d(
        /// Creates a layer with this output length.
        size: usize => usize: size
    ): adaptive_avg_pool1d;
    /// Takes the largest element of each of `size` windows that together cover a signal. The
    /// windows are those of [`AdaptiveAvgPool2d`].
    ///
    /// ```
    /// use wengert::nn::{AdaptiveMaxPool1d, Layer};
    /// use wengert::tensor::Tensor;
    /// let layer = AdaptiveMaxPool1d::new(2);
    /// assert_eq!(layer.predict(&Tensor::from([[1.0, 2.0, 6.0]])).to_vec(), [2.0, 6.0]);
    /// ```
    AdaptiveMaxPool1d(
        /// Creates a layer with this output length.
        size: usize => usize: size
    ): adaptive_max_pool1d;
    /// Averages over windows that together cover each volume: [N, C, D, H, W] (or [C, D, H, W]) → [N, C,
    /// size]. The windows are those of [`AdaptiveAvgPool2d`].
    ///
    /// ```
    /// use wengert::nn::{AdaptiveAvgPool3d, Layer};
    /// use wengert::tensor::Tensor;
    /// let volumes = Tensor::ones(&[2, 6, 7, 28, 20]);
    /// assert_eq!(AdaptiveAvgPool3d::new(1).predict(&volumes).shape(), [2, 6, 1, 1, 1]);
    /// assert_eq!(AdaptiveAvgPool3d::new([2, 3, 4]).predict(&volumes).shape(), [2, 6, 2, 3, 4]);
    /// ```
    AdaptiveAvgPool3d(
        /// Creates a layer with this output size: `1`, or `[2, 7, 5]` for depth 2, height 7 and width 5.
        size: impl Into<Triple> => [usize; 3]: size.into().0
    ): adaptive_avg_pool3d;
    /// Takes the largest element of each of `size` windows that together cover a volume. The windows are
    /// those of [`AdaptiveAvgPool2d`].
    AdaptiveMaxPool3d(
        /// Creates a layer with this output size: `1`, or `[2, 7, 5]` for depth 2, height 7 and width 5.
        size: impl Into<Triple> => [usize; 3]: size.into().0
    ): adaptive_max_pool3d;
}

with_indices! {
    AdaptiveMaxPool1d: adaptive_max_pool1d_with_indices, |layer| layer.size, "signal", MaxUnpool1d;
    AdaptiveMaxPool2d: adaptive_max_pool2d_with_indices, |layer| layer.size, "image, counted row by row", MaxUnpool2d;
    AdaptiveMaxPool3d: adaptive_max_pool3d_with_indices, |layer| layer.size, "volume, counted plane by plane and row by row", MaxUnpool3d;
}
