//! Average-pooling layers.

use super::pooling;
use wengert_tensor::{Pair, Pool, Triple, VolumePool};

pooling! {
    /// Takes the mean of each window of images: [N, C, H, W] (or [C, H, W]) → [N, C, H′, W′].
    /// [`Var::avg_pool2d`](wengert_autograd::Var::avg_pool2d) defines the result.
    ///
    /// ```
    /// use wengert::nn::{AvgPool2d, Layer};
    /// use wengert::tensor::Tensor;
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
    AvgPool2d(
        /// `2` is 2 along H and W; `[3, 2]` is 3 along H and 2 along W.
        impl Into<Pair>
    ): avg_pool2d, print_images, Pool, |sides: [(usize, usize); 2]| sides
}

impl AvgPool2d {
    /// Sets whether a mean counts padded positions as elements. The default is `true`.
    #[must_use]
    pub fn count_include_pad(self, count: bool) -> Self {
        AvgPool2d { pool: self.pool.count_include_pad(count) }
    }
}

pooling! {
    /// Takes the mean of each window of signals: [N, C, L] (or [C, L]) → [N, C, L′].
    /// [`Var::avg_pool1d`](wengert_autograd::Var::avg_pool1d) defines the result.
    ///
    /// ```
    /// use wengert::nn::{AvgPool1d, Layer};
    /// use wengert::tensor::Tensor;
    /// let layer = AvgPool1d::new(2);
    /// assert_eq!(layer.predict(&Tensor::from([[1.0, 3.0, 4.0, 8.0, 0.0]])).to_vec(), [2.0, 6.0]);
    /// assert_eq!(layer.to_string(), "AvgPool1d(kernel: 2)");
    /// ```
    AvgPool1d(usize): avg_pool1d, print_signals, Pool, |sides: (usize, usize)| [(0, 0), sides],
        .of_signals()
}

impl AvgPool1d {
    /// Sets whether a mean counts padded positions as elements. The default is `true`.
    #[must_use]
    pub fn count_include_pad(self, count: bool) -> Self {
        AvgPool1d { pool: self.pool.count_include_pad(count) }
    }
}

pooling! {
    /// Takes the mean of each window of volumes: [N, C, D, H, W] (or [C, D, H, W]) → [N, C, D′, H′, W′].
    /// [`Var::avg_pool3d`](wengert_autograd::Var::avg_pool3d) defines the result.
    ///
    /// ```
    /// use wengert::nn::{AvgPool3d, Layer};
    /// use wengert::tensor::Tensor;
    /// let volumes = Tensor::ones(&[2, 6, 8, 28, 20]);
    /// let layer = AvgPool3d::new([1, 2, 2]);
    /// assert_eq!(layer.predict(&volumes).shape(), [2, 6, 8, 14, 10]);
    /// assert_eq!(layer.to_string(), "AvgPool3d(kernel: [1, 2, 2])");
    /// ```
    AvgPool3d(
        /// `2` is 2 along D, H and W; `[1, 2, 2]` is 1 along D.
        impl Into<Triple>
    ): avg_pool3d, print_volumes, VolumePool, |sides: [(usize, usize); 3]| sides
}

impl AvgPool3d {
    /// Sets whether a mean counts padded positions as elements. The default is `true`.
    #[must_use]
    pub fn count_include_pad(self, count: bool) -> Self {
        AvgPool3d { pool: self.pool.count_include_pad(count) }
    }
}
