//! Max-pooling layers.

use super::pooling;
use wengert_tensor::{Pair, Pool};

pooling! {
    /// Takes the largest element of each window of images: [N, C, H, W] (or [C, H, W]) → [N, C, H′,
    /// W′]. [`Var::max_pool2d`](wengert_autograd::Var::max_pool2d) defines the result.
    ///
    /// ```
    /// use wengert::nn::{Layer, MaxPool2d};
    /// use wengert::tensor::Tensor;
    /// let images = Tensor::zeros(&[64, 6, 28, 20]);
    /// let layer = MaxPool2d::new(2);
    /// assert_eq!(layer.predict(&images).shape(), [64, 6, 14, 10]);
    /// assert_eq!(layer.to_string(), "MaxPool2d(kernel: 2)");
    ///
    /// let layer = MaxPool2d::new([3, 2]).stride(2).padding([1, 0]).ceil_mode(true);
    /// assert_eq!(layer.predict(&images).shape(), [64, 6, 15, 10]);
    ///
    /// let error = Layer::<f32>::summary(&layer, &[64, 784]).unwrap_err().to_string();
    /// assert!(error.starts_with("max_pool2d: ") && error.contains("[64, 784]"));
    /// ```
    MaxPool2d(
        /// `2` is 2 along H and W; `[3, 2]` is 3 along H and 2 along W.
        impl Into<Pair>
    ): max_pool2d, print_images
}

impl MaxPool2d {
    /// Sets the dilation: the distance between neighbouring elements of a window. The default is 1.
    #[must_use]
    pub fn dilation(self, dilation: impl Into<Pair>) -> Self {
        MaxPool2d { pool: self.pool.dilation(dilation) }
    }
}

pooling! {
    /// Takes the largest element of each window of signals: [N, C, L] (or [C, L]) → [N, C, L′].
    /// [`Var::max_pool1d`](wengert_autograd::Var::max_pool1d) defines the result.
    ///
    /// ```
    /// use wengert::nn::{Layer, MaxPool1d};
    /// use wengert::tensor::Tensor;
    /// let layer = MaxPool1d::new(3).stride(2).padding(1);
    /// assert_eq!(layer.predict(&Tensor::zeros(&[8, 2, 100])).shape(), [8, 2, 50]);
    /// assert_eq!(layer.to_string(), "MaxPool1d(kernel: 3, stride: 2, padding: 1)");
    /// ```
    MaxPool1d(usize): max_pool1d, print_signals, .of_signals()
}

impl MaxPool1d {
    /// Sets the dilation: the distance between neighbouring elements of a window. The default is 1.
    #[must_use]
    pub fn dilation(self, dilation: usize) -> Self {
        MaxPool1d { pool: self.pool.dilation([1, dilation]) }
    }
}
