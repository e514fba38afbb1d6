//! What a pooling operation is told: sizes per axis, with PyTorch's names and defaults.

use super::Pair;

/// The windows of a pooling operation, as (height, width).
///
/// Along an axis of size n there are
/// ⌊(n + 2·padding - dilation·(kernel - 1) - 1) / stride⌋ + 1 of them; with `ceil_mode` the
/// quotient is rounded up, but a last window that would start behind the image and its padding in
/// front is left out. One-dimensional pooling takes the second number of each pair.
///
/// ```
/// use wengert_tensor::{Pool, Tensor};
/// let image = Tensor::arange(0.0, 24.0, 1.0).reshape(&[1, 1, 4, 6]);
/// assert_eq!(image.max_pool2d(&Pool::new(2)).to_vec(), [7.0, 9.0, 11.0, 19.0, 21.0, 23.0]);
/// let wide = Pool::new([1, 3]).stride([2, 1]).padding([0, 1]);
/// assert_eq!(image.max_pool2d(&wide).shape(), [1, 1, 2, 6]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pool {
    /// The size of a window.
    pub kernel: [usize; 2],
    /// From one window to the next; the size of a window if not given.
    pub stride: [usize; 2],
    /// On both sides of an axis: of -∞ for the maximum, of 0 for the average.
    pub padding: [usize; 2],
    /// From one element of a window to the next. Averages have no dilation.
    pub dilation: [usize; 2],
    /// Whether a last window may hang over the far end.
    pub ceil_mode: bool,
    /// Whether an average counts padding among its elements; what hangs over the padding it never
    /// counts.
    pub count_include_pad: bool,
}

impl Pool {
    /// Windows of this size side by side.
    pub fn new(kernel: impl Into<Pair>) -> Self {
        let kernel = kernel.into().0;
        Pool {
            kernel,
            stride: kernel,
            padding: [0; 2],
            dilation: [1; 2],
            ceil_mode: false,
            count_include_pad: true,
        }
    }

    /// With this distance between windows.
    #[must_use]
    pub fn stride(mut self, stride: impl Into<Pair>) -> Self {
        self.stride = stride.into().0;
        self
    }

    /// With this padding on both sides.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Pair>) -> Self {
        self.padding = padding.into().0;
        self
    }

    /// With this distance between the elements of a window.
    #[must_use]
    pub fn dilation(mut self, dilation: impl Into<Pair>) -> Self {
        self.dilation = dilation.into().0;
        self
    }

    /// With a last window that may hang over the far end.
    #[must_use]
    pub fn ceil_mode(mut self, ceil_mode: bool) -> Self {
        self.ceil_mode = ceil_mode;
        self
    }

    /// With averages that count padding or do not.
    #[must_use]
    pub fn count_include_pad(mut self, count: bool) -> Self {
        self.count_include_pad = count;
        self
    }

    /// The same for signals that are images of height 1: only the numbers along the width are left.
    #[must_use]
    pub fn of_signals(mut self) -> Self {
        (self.kernel[0], self.stride[0], self.padding[0], self.dilation[0]) = (1, 1, 0, 1);
        self
    }
}
