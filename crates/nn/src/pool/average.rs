//! Average-pooling layers.

use super::{layer, options};
use wengert_tensor::{Pair, Pool};

/// Takes the mean of each window of images: [N, C, H, W] (or [C, H, W]) → [N, C, H′, W′].
/// [`Var::avg_pool2d`](wengert_autograd::Var::avg_pool2d) defines the result.
///
/// ```
/// use wengert_nn::{AvgPool2d, Layer};
/// use wengert_tensor::Tensor;
/// let images = Tensor::ones(&[64, 6, 28, 20]);
/// assert_eq!(AvgPool2d::new(2).predict(&images).shape(), [64, 6, 14, 10]);
///
/// let layer = AvgPool2d::new(3).stride(2).padding(1);
/// assert_eq!(layer.predict(&images).at(&[0, 0, 0, 1]), 6.0 / 9.0);
/// let layer = layer.count_include_pad(false);
/// assert_eq!(layer.predict(&images).at(&[0, 0, 0, 0]), 1.0);
/// assert_eq!(
///     layer.to_string(),
///     "AvgPool2d(kernel: 3, stride: 2, padding: 1, count_include_pad: false)"
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvgPool2d {
    pool: Pool,
}
layer! { AvgPool2d, false, avg_pool2d }
options! { AvgPool2d, impl Into<Pair>, numbers => numbers }

impl AvgPool2d {
    /// Creates a layer with windows of this size (`2`, or `[3, 2]` for 3 along H and 2 along W),
    /// side by side.
    pub fn new(kernel: impl Into<Pair>) -> Self {
        AvgPool2d { pool: Pool::new(kernel) }
    }

    /// Sets whether a mean counts padded positions as elements. The default is `true`.
    #[must_use]
    pub fn count_include_pad(self, count: bool) -> Self {
        AvgPool2d { pool: self.pool.count_include_pad(count) }
    }
}

/// Takes the mean of each window of signals: [N, C, L] (or [C, L]) → [N, C, L′].
/// [`Var::avg_pool1d`](wengert_autograd::Var::avg_pool1d) defines the result.
///
/// ```
/// use wengert_nn::{AvgPool1d, Layer};
/// use wengert_tensor::Tensor;
/// let layer = AvgPool1d::new(2);
/// assert_eq!(layer.predict(&Tensor::from([[1.0, 3.0, 4.0, 8.0, 0.0]])).to_vec(), [2.0, 6.0]);
/// assert_eq!(layer.to_string(), "AvgPool1d(kernel: 2)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvgPool1d {
    pool: Pool,
}
layer! { AvgPool1d, true, avg_pool1d }
options! { AvgPool1d, usize, number => [1, number] }

impl AvgPool1d {
    /// Creates a layer with windows of this size, side by side.
    pub fn new(kernel: usize) -> Self {
        AvgPool1d { pool: Pool::new([1, kernel]) }
    }

    /// Sets whether a mean counts padded positions as elements. The default is `true`.
    #[must_use]
    pub fn count_include_pad(self, count: bool) -> Self {
        AvgPool1d { pool: self.pool.count_include_pad(count) }
    }
}
