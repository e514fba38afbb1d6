//! The options of a pooling operation, with the names and defaults of PyTorch.

use super::Pair;

/// The options of a pooling operation: the size and the positions of its windows, as (height, width).
///
/// Along an axis of size n there are
/// ⌊(n + before + after - dilation·(kernel - 1) - 1) / stride⌋ + 1 windows, where before and after are the padding. With `ceil_mode` the
/// quotient is rounded up, but a last window that would start in the padding after the image is left
/// out. One-dimensional pooling uses the second number of each pair.
///
/// ```
/// use wengert::tensor::{Pool, Tensor};
/// let image = Tensor::arange(0.0, 24.0, 1.0).reshape(&[1, 1, 4, 6]);
/// assert_eq!(image.max_pool2d(&Pool::new(2)).to_vec(), [7.0, 9.0, 11.0, 19.0, 21.0, 23.0]);
/// let wide = Pool::new([1, 3]).stride([2, 1]).padding([0, 1]);
/// assert_eq!(image.max_pool2d(&wide).shape(), [1, 1, 2, 6]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pool {
    /// The size of a window.
    pub kernel: [usize; 2],
    /// The distance from one window to the next. The default is the size of a window.
    pub stride: [usize; 2],
    /// The padding before and after each axis: of -∞ for the maximum, of 0 for the average.
    pub padding: [(usize, usize); 2],
    /// The distance from one element of a window to the next. Average pooling requires 1.
    pub dilation: [usize; 2],
    /// Whether a last window may reach beyond the end of the padded axis.
    pub ceil_mode: bool,
    /// Whether the padding counts as elements of an average. Positions beyond the padding never count.
    pub count_include_pad: bool,
}

impl Pool {
    /// Returns a pool with windows of this size side by side: the stride is the size of a window, without
    /// padding, dilation or `ceil_mode`, and averages count padding.
    pub fn new(kernel: impl Into<Pair>) -> Self {
        let kernel = kernel.into().0;
        Pool {
            kernel,
            stride: kernel,
            padding: [(0, 0); 2],
            dilation: [1; 2],
            ceil_mode: false,
            count_include_pad: true,
        }
    }

    /// Sets the stride: the distance from one window to the next.
    #[must_use]
    pub fn stride(mut self, stride: impl Into<Pair>) -> Self {
        self.stride = stride.into().0;
        self
    }

    /// Sets the padding on both sides of an axis.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Pair>) -> Self {
        self.padding = padding.into().0.map(|padding| (padding, padding));
        self
    }

    /// Sets the padding before and after each axis: `[(top, bottom), (left, right)]`.
    ///
    /// ```
    /// use wengert::tensor::{Pool, Tensor};
    /// let x = Tensor::from([1.0, 2.0, 3.0]).reshape([1, 1, 3]);
    /// let pool = Pool::new(2).padding_each([(0, 0), (0, 1)]);
    /// assert_eq!(x.max_pool1d(&pool).to_vec(), [2.0, 3.0]);
    /// ```
    #[must_use]
    pub fn padding_each(mut self, padding: [(usize, usize); 2]) -> Self {
        self.padding = padding;
        self
    }

    /// Sets the dilation: the distance from one element of a window to the next.
    #[must_use]
    pub fn dilation(mut self, dilation: impl Into<Pair>) -> Self {
        self.dilation = dilation.into().0;
        self
    }

    /// Sets whether a last window may reach beyond the end of the padded axis.
    #[must_use]
    pub fn ceil_mode(mut self, ceil_mode: bool) -> Self {
        self.ceil_mode = ceil_mode;
        self
    }

    /// Sets whether the padding counts as elements of an average.
    #[must_use]
    pub fn count_include_pad(mut self, count: bool) -> Self {
        self.count_include_pad = count;
        self
    }

    /// Returns the options for signals, treated as images of height 1: the options along the height are set
    /// to kernel 1, stride 1, no padding and dilation 1.
    #[must_use]
    pub fn of_signals(mut self) -> Self {
        (self.kernel[0], self.stride[0], self.padding[0], self.dilation[0]) = (1, 1, (0, 0), 1);
        self
    }
}
