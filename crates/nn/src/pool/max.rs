//! Max-pooling layers.

use super::{pooling, with_indices};
use wengert_tensor::{Pair, Pool, Triple, VolumePool};

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
    ): max_pool2d, print_images, Pool, |sides: [(usize, usize); 2]| sides
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
    MaxPool1d(usize): max_pool1d, print_signals, Pool, |sides: (usize, usize)| [(0, 0), sides],
        .of_signals()
}

impl MaxPool1d {
    /// Sets the dilation: the distance between neighbouring elements of a window. The default is 1.
    #[must_use]
    pub fn dilation(self, dilation: usize) -> Self {
        MaxPool1d { pool: self.pool.dilation([1, dilation]) }
    }
}

pooling! {
    /// Takes the largest element of each window of volumes: [N, C, D, H, W] (or [C, D, H, W]) → [N, C, D′, H′,
    /// W′]. [`Var::max_pool3d`](wengert_autograd::Var::max_pool3d) defines the result.
    ///
    /// ```
    /// use wengert::nn::{Layer, MaxPool3d};
    /// use wengert::tensor::Tensor;
    /// let volumes = Tensor::zeros(&[2, 6, 8, 28, 20]);
    /// assert_eq!(MaxPool3d::new(2).predict(&volumes).shape(), [2, 6, 4, 14, 10]);
    /// let layer = MaxPool3d::new([1, 3, 3]).stride([1, 2, 2]).padding([0, 1, 1]);
    /// assert_eq!(layer.predict(&volumes).shape(), [2, 6, 8, 14, 10]);
    /// assert_eq!(
    ///     layer.to_string(),
    ///     "MaxPool3d(kernel: [1, 3, 3], stride: [1, 2, 2], padding: [0, 1, 1])"
    /// );
    /// ```
    MaxPool3d(
        /// `2` is 2 along D, H and W; `[1, 2, 2]` is 1 along D.
        impl Into<Triple>
    ): max_pool3d, print_volumes, VolumePool, |sides: [(usize, usize); 3]| sides
}

impl MaxPool3d {
    /// Sets the dilation: the distance between neighbouring elements of a window. The default is 1.
    #[must_use]
    pub fn dilation(self, dilation: impl Into<Triple>) -> Self {
        MaxPool3d { pool: self.pool.dilation(dilation) }
    }
}

with_indices! {
    MaxPool1d: max_pool1d_with_indices, |layer| &layer.pool, "signal", MaxUnpool1d;
    MaxPool2d: max_pool2d_with_indices, |layer| &layer.pool, "image, counted row by row", MaxUnpool2d;
    MaxPool3d: max_pool3d_with_indices, |layer| &layer.pool, "volume, counted plane by plane and row by row", MaxUnpool3d;
}
