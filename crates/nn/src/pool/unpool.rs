//! Partial inverses of max pooling.

use wengert_autograd::{IntoIndex, Var};
use wengert_nn_derive::Module;
use wengert_tensor::{Float, Pair, Triple, VolumePool};

/// Defines layers: the documentation and the name; the documentation of a size, with its type; a size along D,
/// H and W; the number of axes; the operation; the function that prints the options; and the size of the
/// result as the operation takes it.
macro_rules! unpooling {
    ($(
        $(#[$doc:meta])*
        $Layer:ident($(#[$size:meta])* $Size:ty, |$any:ident| $deep:expr): $axes:literal, $op:ident, $print:ident,
        |$out:ident| $to:expr;
    )*) => { $(
        $(#[$doc])*
        ///
        /// The default size of the result along an axis of n elements is (n − 1) · stride − 2 · padding + kernel.
        /// Pooling maps several sizes to n; `forward_to` selects one of them, less than one stride away from the
        /// default. Elements with the same position are added; PyTorch keeps one of them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Module)]
        #[module(crate = "wengert_autograd")]
        pub struct $Layer {
            #[module(print_with = super::$print)]
            pool: VolumePool,
        }

        impl $Layer {
            /// Creates a layer with windows of this size, side by side.
            $(#[$size])*
            pub fn new(kernel: $Size) -> Self {
                let $any = kernel;
                let kernel: Triple = $deep;
                $Layer { pool: VolumePool::new(kernel) }
            }

            /// Sets the stride of the pool. The default is the kernel size.
            $(#[$size])*
            #[must_use]
            pub fn stride(self, stride: $Size) -> Self {
                let $any = stride;
                let stride: Triple = $deep;
                $Layer { pool: self.pool.stride(stride) }
            }

            /// Sets the padding of the pool on both sides. The default is 0.
            $(#[$size])*
            #[must_use]
            pub fn padding(self, padding: $Size) -> Self {
                let $any = padding;
                let mut padding: Triple = $deep;
                padding.0[..3 - $axes].fill(0);
                $Layer { pool: self.pool.padding(padding) }
            }

            /// Returns zeros of the default size, with each element of `x` at its position in `index`, the second
            /// result of `forward_with_indices`.
            ///
            /// # Panics
            /// If the index has another shape than `x`, or a position is outside the result.
            #[track_caller]
            pub fn forward<'t, T: Float>(
                &self,
                x: Var<'t, T>,
                index: impl IntoIndex<'t, T>,
            ) -> Var<'t, T> {
                let scope = x.tape().open(self);
                let $out = size_of(stringify!($op), x, &self.pool, $axes, None);
                scope.close(x.$op(index, $to))
            }

            /// Returns the same as [`forward`](Self::forward), for this size of the result. PyTorch:
            /// `output_size`.
            $(#[$size])*
            ///
            /// # Panics
            /// If the size is a stride or more away from the default, the index has another shape than `x`, or
            /// a position is outside the result.
            #[track_caller]
            pub fn forward_to<'t, T: Float>(
                &self,
                x: Var<'t, T>,
                index: impl IntoIndex<'t, T>,
                size: $Size,
            ) -> Var<'t, T> {
                let scope = x.tape().open(self);
                let $any = size;
                let wanted: Triple = $deep;
                let $out = size_of(stringify!($op), x, &self.pool, $axes, Some(wanted));
                scope.close(x.$op(index, $to))
            }
        }
    )* };
}
unpooling! {
    /// The partial inverse of [`MaxPool1d`](crate::MaxPool1d): [N, C, L] (or [C, L]) and positions → [N, C, L′].
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::nn::{MaxPool1d, MaxUnpool1d};
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.constant(Tensor::from([[1.0, 5.0, 2.0, 4.0, 3.0]]));
    /// let (y, index) = MaxPool1d::new(2).forward_with_indices(x);
    /// let layer = MaxUnpool1d::new(2);
    /// assert_eq!(layer.forward(y, index).value().to_vec(), [0.0, 5.0, 0.0, 4.0]);
    /// assert_eq!(layer.forward_to(y, index, 5).value().to_vec(), [0.0, 5.0, 0.0, 4.0, 0.0]);
    /// ```
    MaxUnpool1d(usize, |n| Triple([1, 1, n])): 1, max_unpool1d, print_unpooled_signals, |out| out[2];
    /// The partial inverse of [`MaxPool2d`](crate::MaxPool2d): [N, C, H, W] (or [C, H, W]) and positions → [N, C,
    /// H′, W′]. (Zeiler, Fergus, "Visualizing and understanding convolutional networks", 2014.)
    MaxUnpool2d(
        /// `2` is 2 along H and W; `[3, 2]` is 3 along H and 2 along W.
        impl Into<Pair>, |size| Triple::from(size.into())
    ): 2, max_unpool2d, print_unpooled_images, |out| [out[1], out[2]];
    /// The partial inverse of [`MaxPool3d`](crate::MaxPool3d): [N, C, D, H, W] (or [C, D, H, W]) and positions →
    /// [N, C, D′, H′, W′].
    MaxUnpool3d(
        /// `2` is 2 along D, H and W; `[1, 2, 2]` is 1 along D.
        impl Into<Triple>, |size| size.into()
    ): 3, max_unpool3d, print_volumes, |out| out;
}

/// Returns the size of the result along D, H and W: `wanted`, or that of pools side by side.
#[track_caller]
fn size_of<T: Float>(
    op: &str,
    x: Var<'_, T>,
    pool: &VolumePool,
    axes: usize,
    wanted: Option<Triple>,
) -> [usize; 3] {
    let shape = x.shape();
    let mut size = [0; 3];
    if shape.rank() <= axes {
        return size; // The operation refuses this shape.
    }
    for side in 3 - axes..3 {
        let axis = shape.rank() + side - 3;
        let (stride, kernel) = (pool.stride[side] as i128, pool.kernel[side] as i128);
        let steps = (shape[axis] as i128 - 1) * stride;
        let usual = steps + kernel - 2 * pool.padding[side].0 as i128;
        let chosen = wanted.map_or(usual, |Triple(wanted)| wanted[side] as i128);
        if (chosen - usual).abs() >= stride.max(1) || chosen < 0 {
            x.tape().shape_error(format!(
                "{op}: the size of axis {axis} must be less than one stride, {stride}, away from {usual} for an \
                 input {shape}, got {chosen}"
            ))
        }
        size[side] = chosen as usize;
    }
    size
}
