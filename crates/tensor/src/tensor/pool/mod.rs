//! Pooling: the maximum or the average of each window that slides over an image. Max pooling finds the
//! position of an element and reads the element there. Average pooling applies a linear map along one axis
//! after the other.

#[cfg(test)]
mod tests;

use crate::axis_maps::{
    adaptive_average_maps, adaptive_volume_average_maps, average_maps, volume_average_maps,
};
use crate::geometry::{Pair, Pool, Triple, VolumePool, Windows};
use crate::kernels::pool::{PoolSizes, pick, unpool};
use crate::layout::Shape;
use crate::shapes::{self, OrPanic};
use crate::tensor::{Float, Tensor};

/// Pooling over the last two axes, which are height and width.
impl<T: Float> Tensor<T> {
    /// Computes the maximum of each window (max pooling): `[…, C, H, W]` → `[…, C, H', W']`. Padding counts
    /// as -∞ and is never the result. NaN counts as the greatest element.
    ///
    /// ```
    /// use wengert::tensor::{Pool, Tensor};
    /// let x = Tensor::from([[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]]).unsqueeze(0);
    /// assert_eq!(x.max_pool2d(&Pool::new(2)).to_vec(), [5.0]);
    /// assert_eq!(x.max_pool2d(&Pool::new(2).stride(1)).to_vec(), [5.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has fewer than three axes, or the windows do not fit: see [`Pool`].
    #[track_caller]
    pub fn max_pool2d(&self, pool: &Pool) -> Self {
        let shape = shapes::pool2d("max_pool2d", &self.shape(), pool).or_panic();
        let [_, rows, columns] = Windows::sliding(*pool);
        let sizes = self.pool_sizes([rows, columns], shape);
        if shape.numel() == 0 || !sizes.is_two_by_two() {
            return self.maxima([rows, columns], shape).0;
        }
        let mut values = Self::empty(shape);
        let x = self.contiguous();
        T::max_pool(x.as_slice().unwrap_or_default(), sizes, values.fresh_mut(), None);
        values
    }

    /// Returns the result of [`max_pool2d`](Tensor::max_pool2d) and the position of each maximum in its
    /// image, counted row by row. Of equal elements the first counts.
    ///
    /// ```
    /// use wengert::tensor::{Pool, Tensor};
    /// let x = Tensor::from([[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]]).unsqueeze(0);
    /// let (y, positions) = x.max_pool2d_with_indices(&Pool::new(2).stride(1));
    /// assert_eq!(positions.to_vec(), [1, 5]);
    /// assert_eq!(y.max_unpool2d(&positions, [2, 3]).to_vec(), [0.0, 5.0, 0.0, 0.0, 0.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// As [`max_pool2d`](Tensor::max_pool2d).
    #[track_caller]
    pub fn max_pool2d_with_indices(&self, pool: &Pool) -> (Self, Tensor<i64>) {
        let shape = shapes::pool2d("max_pool2d", &self.shape(), pool).or_panic();
        let [_, rows, columns] = Windows::sliding(*pool);
        self.maxima([rows, columns], shape)
    }

    /// Computes the maximum of each of a given number of windows that together cover an image, and the
    /// position of each maximum: `[…, C, H, W]` → `[…, C, H', W']`, where `size` is H' and W'. Along an axis
    /// of n elements, window o of m goes from ⌊o·n/m⌋ to before ⌈(o + 1)·n/m⌉.
    ///
    /// # Panics
    /// If the tensor has fewer than three axes, or height or width is 0.
    #[track_caller]
    pub fn adaptive_max_pool2d_with_indices(&self, size: impl Into<Pair>) -> (Self, Tensor<i64>) {
        let op = "adaptive_max_pool2d";
        let shape = shapes::adaptive_pool2d(op, &self.shape(), size.into().0).or_panic();
        self.maxima([Windows::Adaptive; 2], shape)
    }

    /// Computes the maximum of each of a given number of windows that together cover an image, without the
    /// positions that
    /// [`adaptive_max_pool2d_with_indices`](Tensor::adaptive_max_pool2d_with_indices) returns.
    ///
    /// # Panics
    /// If the tensor has fewer than three axes, or height or width is 0.
    #[track_caller]
    pub fn adaptive_max_pool2d(&self, size: impl Into<Pair>) -> Self {
        self.adaptive_max_pool2d_with_indices(size).0
    }

    fn maxima(&self, windows: [Windows; 2], shape: Shape) -> (Self, Tensor<i64>) {
        let (mut values, mut positions) = (Self::empty(shape), Tensor::empty(shape));
        if values.numel() > 0 {
            let (x, sizes) = (self.contiguous(), self.pool_sizes(windows, shape));
            let x = x.as_slice().unwrap_or_default();
            T::max_pool(x, sizes, values.fresh_mut(), Some(positions.fresh_mut()));
        }
        (values, positions)
    }

    fn pool_sizes(&self, windows: [Windows; 2], shape: Shape) -> PoolSizes {
        let [from, to] = [self.shape(), shape].map(|s| [s[s.rank() - 2], s[s.rank() - 1]]);
        PoolSizes { windows, from, to }
    }

    /// Computes the maximum of each window of volumes: `[…, C, D, H, W]` → `[…, C, D', H', W']`. Padding counts
    /// as -∞ and is never the result. NaN counts as the greatest element.
    ///
    /// ```
    /// use wengert::tensor::{Tensor, VolumePool};
    /// let x = Tensor::arange(0.0, 16.0, 1.0).reshape([1, 1, 2, 2, 4]);
    /// assert_eq!(x.max_pool3d(&VolumePool::new(2)).to_vec(), [13.0, 15.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has fewer than four axes, or the windows do not fit: see [`VolumePool`].
    #[track_caller]
    pub fn max_pool3d(&self, pool: &VolumePool) -> Self {
        self.max_pool3d_with_indices(pool).0
    }

    /// Returns the result of [`max_pool3d`](Tensor::max_pool3d) and the position of each maximum in its volume,
    /// counted plane by plane, and row by row. Of equal elements the first counts.
    ///
    /// ```
    /// use wengert::tensor::{Tensor, VolumePool};
    /// let x = Tensor::from([3.0, 1.0, 2.0, 5.0]).reshape([1, 2, 1, 2]);
    /// let (y, positions) = x.max_pool3d_with_indices(&VolumePool::new([2, 1, 1]));
    /// assert_eq!((y.to_vec(), positions.to_vec()), (vec![3.0, 5.0], vec![0, 3]));
    /// assert_eq!(y.max_unpool3d(&positions, [2, 1, 2]).to_vec(), [3.0, 0.0, 0.0, 5.0]);
    /// ```
    ///
    /// # Panics
    /// As [`max_pool3d`](Tensor::max_pool3d).
    #[track_caller]
    pub fn max_pool3d_with_indices(&self, pool: &VolumePool) -> (Self, Tensor<i64>) {
        let shape = shapes::pool3d("max_pool3d", &self.shape(), pool).or_panic();
        self.volume_maxima(Windows::sliding(*pool), shape)
    }

    /// Computes the maximum of each of a given number of windows that together cover a volume:
    /// `[…, C, D, H, W]` → `[…, C, D', H', W']`, where `size` is D', H' and W'. The windows are those of
    /// [`adaptive_max_pool2d_with_indices`](Tensor::adaptive_max_pool2d_with_indices).
    ///
    /// # Panics
    /// If the tensor has fewer than four axes, or depth, height or width is 0.
    #[track_caller]
    pub fn adaptive_max_pool3d(&self, size: impl Into<Triple>) -> Self {
        self.adaptive_max_pool3d_with_indices(size).0
    }

    /// Returns the result of [`adaptive_max_pool3d`](Tensor::adaptive_max_pool3d) and the position of each
    /// maximum in its volume.
    ///
    /// # Panics
    /// As [`adaptive_max_pool3d`](Tensor::adaptive_max_pool3d).
    #[track_caller]
    pub fn adaptive_max_pool3d_with_indices(&self, size: impl Into<Triple>) -> (Self, Tensor<i64>) {
        let (op, size) = ("adaptive_max_pool3d", size.into().0);
        let shape = shapes::adaptive_pool3d(op, &self.shape(), size).or_panic();
        self.volume_maxima([Windows::Adaptive; 3], shape)
    }

    /// Computes the maxima within each plane, and then those of the windows along the depth.
    fn volume_maxima(&self, windows: [Windows; 3], shape: Shape) -> (Self, Tensor<i64>) {
        let own = self.shape();
        let at = own.rank() - 3;
        let [deep, rows, columns] = windows;
        let (depth, plane) = (own[at], own[at + 1] * own[at + 2]);
        let (values, in_plane) = self.maxima([rows, columns], shape.with(at, depth));
        let area = shape[at + 1] * shape[at + 2];
        let flat = Shape::new(&[&own[..=at], &[area]].concat());
        let out = flat.with(at, shape[at]);
        let (values, at_depth) = values.with_shape(flat).maxima([deep, Windows::ELEMENTS], out);
        let mut positions = Tensor::empty(shape);
        if positions.numel() > 0 {
            // A position in the stack of planes names its depth, and one of the maxima within the plane there.
            let (in_plane, at_depth) = (in_plane.contiguous(), at_depth.contiguous());
            let [in_plane, at_depth] =
                [&in_plane, &at_depth].map(|x| x.as_slice().unwrap_or_default());
            let volumes = in_plane.chunks_exact(depth * area);
            let found = volumes.zip(at_depth.chunks_exact(shape[at] * area));
            let found = found.flat_map(|(planes, deep)| {
                let position = |&at: &i64| planes[at as usize] + at / area as i64 * plane as i64;
                deep.iter().map(position)
            });
            positions.fresh_mut().iter_mut().zip(found).for_each(|(to, at)| *to = at);
        }
        (values.with_shape(shape), positions)
    }

    /// Computes the mean of each window (average pooling): `[…, C, H, W]` → `[…, C, H', W']`.
    ///
    /// ```
    /// use wengert::tensor::{Pool, Tensor};
    /// let x = Tensor::from([[1.0, 5.0, 1.0], [4.0, 2.0, 6.0]]).unsqueeze(0);
    /// assert_eq!(x.avg_pool2d(&Pool::new(2)).to_vec(), [3.0]);
    /// let pool = Pool::new([1, 3]).stride([1, 2]).padding([0, 1]);
    /// assert_eq!(x.avg_pool2d(&pool).narrow(1, 0, 1).to_vec(), [2.0, 2.0]);
    /// let inside = pool.count_include_pad(false);
    /// assert_eq!(x.avg_pool2d(&inside).narrow(1, 0, 1).to_vec(), [3.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has fewer than three axes, the pool has a dilation, or its windows do not fit: see
    /// [`Pool`].
    #[track_caller]
    pub fn avg_pool2d(&self, pool: &Pool) -> Self {
        self.map_axes(&average_maps("avg_pool2d", &self.shape(), pool).or_panic())
    }

    /// Computes the mean of each of a given number of windows that together cover an image:
    /// `[…, C, H, W]` → `[…, C, H', W']`, where `size` is H' and W'. Along an axis of n elements, window o
    /// of m goes from ⌊o·n/m⌋ to before ⌈(o + 1)·n/m⌉.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::arange(0.0, 15.0, 1.0).reshape(&[1, 3, 5]);
    /// assert_eq!(x.adaptive_avg_pool2d([1, 2]).to_vec(), [6.0, 8.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has fewer than three axes, or height or width is 0.
    #[track_caller]
    pub fn adaptive_avg_pool2d(&self, size: impl Into<Pair>) -> Self {
        let size = size.into().0;
        let maps = adaptive_average_maps("adaptive_avg_pool2d", &self.shape(), size).or_panic();
        match size {
            [1, 1] => self.mean(&[-2, -1], true), // one pass
            _ => self.map_axes(&maps),
        }
    }

    /// Computes the mean of each window of volumes: `[…, C, D, H, W]` → `[…, C, D', H', W']`.
    ///
    /// ```
    /// use wengert::tensor::{Tensor, VolumePool};
    /// let x = Tensor::arange(0.0, 16.0, 1.0).reshape([1, 1, 2, 2, 4]);
    /// assert_eq!(x.avg_pool3d(&VolumePool::new(2)).to_vec(), [6.5, 8.5]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has fewer than four axes, the pool has a dilation, or its windows do not fit: see
    /// [`VolumePool`].
    #[track_caller]
    pub fn avg_pool3d(&self, pool: &VolumePool) -> Self {
        self.map_axes(&volume_average_maps("avg_pool3d", &self.shape(), pool).or_panic())
    }

    /// Computes the mean of each of a given number of windows that together cover a volume:
    /// `[…, C, D, H, W]` → `[…, C, D', H', W']`, where `size` is D', H' and W'. The windows are those of
    /// [`adaptive_avg_pool2d`](Tensor::adaptive_avg_pool2d).
    ///
    /// # Panics
    /// If the tensor has fewer than four axes, or depth, height or width is 0.
    #[track_caller]
    pub fn adaptive_avg_pool3d(&self, size: impl Into<Triple>) -> Self {
        let (op, size) = ("adaptive_avg_pool3d", size.into().0);
        let maps = adaptive_volume_average_maps(op, &self.shape(), size).or_panic();
        match size {
            [1, 1, 1] => self.mean(&[-3, -2, -1], true), // one pass
            _ => self.map_axes(&maps),
        }
    }

    /// Computes the maximum of each window of signals, as [`max_pool2d`](Tensor::max_pool2d) does of images:
    /// `[…, C, L]` → `[…, C, L']`. It uses the second number of each pair of the pool.
    ///
    /// # Panics
    /// If the tensor has fewer than two axes, or the windows do not fit: see [`Pool`].
    #[track_caller]
    pub fn max_pool1d(&self, pool: &Pool) -> Self {
        self.max_pool1d_with_indices(pool).0
    }

    /// Returns the result of [`max_pool1d`](Tensor::max_pool1d) and the position of each maximum in its signal.
    /// Of equal elements the first counts.
    ///
    /// ```
    /// use wengert::tensor::{Pool, Tensor};
    /// let x = Tensor::from([[1.0, 5.0, 2.0, 4.0]]);
    /// let (y, positions) = x.max_pool1d_with_indices(&Pool::new(2));
    /// assert_eq!((y.to_vec(), positions.to_vec()), (vec![5.0, 4.0], vec![1, 3]));
    /// ```
    ///
    /// # Panics
    /// As [`max_pool1d`](Tensor::max_pool1d).
    #[track_caller]
    pub fn max_pool1d_with_indices(&self, pool: &Pool) -> (Self, Tensor<i64>) {
        shapes::pool1d("max_pool1d", &self.shape(), pool).or_panic();
        let (y, at) = self.unsqueeze(-2).max_pool2d_with_indices(&pool.of_signals());
        (y.squeeze(-2), at.squeeze(-2))
    }

    /// Computes the mean of each window of signals, as [`avg_pool2d`](Tensor::avg_pool2d) does of images:
    /// `[…, C, L]` → `[…, C, L']`. It uses the second number of each pair of the pool.
    ///
    /// # Panics
    /// If the tensor has fewer than two axes, the pool has a dilation, or its windows do not fit: see
    /// [`Pool`].
    #[track_caller]
    pub fn avg_pool1d(&self, pool: &Pool) -> Self {
        shapes::no_dilation("avg_pool1d", &pool.of_signals().dilation).or_panic();
        shapes::pool1d("avg_pool1d", &self.shape(), pool).or_panic();
        self.unsqueeze(-2).avg_pool2d(&pool.of_signals()).squeeze(-2)
    }

    /// Computes the mean of each of `size` windows that together cover a signal:
    /// `[…, C, L]` → `[…, C, size]`.
    ///
    /// # Panics
    /// If the tensor has fewer than two axes, or the last axis is empty.
    #[track_caller]
    pub fn adaptive_avg_pool1d(&self, size: usize) -> Self {
        shapes::adaptive_pool1d("adaptive_avg_pool1d", &self.shape(), size).or_panic();
        self.unsqueeze(-2).adaptive_avg_pool2d([1, size]).squeeze(-2)
    }

    /// Computes the maximum of each of `size` windows that together cover a signal:
    /// `[…, C, L]` → `[…, C, size]`.
    ///
    /// # Panics
    /// If the tensor has fewer than two axes, or the last axis is empty.
    #[track_caller]
    pub fn adaptive_max_pool1d(&self, size: usize) -> Self {
        self.adaptive_max_pool1d_with_indices(size).0
    }

    /// Returns the result of [`adaptive_max_pool1d`](Tensor::adaptive_max_pool1d) and the position of each maximum
    /// in its signal.
    ///
    /// # Panics
    /// As [`adaptive_max_pool1d`](Tensor::adaptive_max_pool1d).
    #[track_caller]
    pub fn adaptive_max_pool1d_with_indices(&self, size: usize) -> (Self, Tensor<i64>) {
        shapes::adaptive_pool1d("adaptive_max_pool1d", &self.shape(), size).or_panic();
        let (y, at) = self.unsqueeze(-2).adaptive_max_pool2d_with_indices([1, size]);
        (y.squeeze(-2), at.squeeze(-2))
    }

    /// Reads one element of an image for each position in `index`: `y[…, o] = self[…, index[…, o]]`, where
    /// the last two axes count as one. The adjoint is [`Tensor::max_unpool2d`].
    ///
    /// # Panics
    /// If the shapes differ in an axis before the last two, or a position is negative or lies outside the
    /// image.
    #[doc(hidden)]
    #[track_caller]
    pub fn pick2d(&self, index: &Tensor<i64>) -> Self {
        let own = self.shape();
        let shape = shapes::pick2d("pick2d", &own, &index.shape()).or_panic();
        let index = index.contiguous();
        let numbers = index.as_slice().unwrap_or_default();
        let mut out = Self::empty(shape);
        if out.numel() > 0 {
            let [size, area] = [own, shape].map(|s| s[s.rank() - 2..].iter().product());
            let x = self.contiguous();
            let x = x.as_slice().unwrap_or_default();
            if !pick(x, size, numbers, area, out.fresh_mut()) {
                shapes::pick2d_range("pick2d", numbers, &own).or_panic();
            }
        }
        out
    }

    /// Returns images of zeros of this size, to which each element of `self` is added at its position in
    /// `index`. Elements with the same position are summed.
    ///
    /// With the positions that [`max_pool2d_with_indices`](Tensor::max_pool2d_with_indices) returns, it is a
    /// partial inverse of max pooling. It is the adjoint of [`Tensor::pick2d`].
    ///
    /// # Panics
    /// If the index has another shape than `self`, or a position is negative or lies outside the image.
    #[track_caller]
    pub fn max_unpool2d(&self, index: &Tensor<i64>, size: impl Into<Pair>) -> Self {
        let own = self.shape();
        let shape = shapes::max_unpool2d(&own, &index.shape(), size.into().0).or_panic();
        self.unpooled("max_unpool2d", index, shape, 2)
    }

    /// Returns signals of zeros of this size, to which each element of `self` is added at its position in `index`:
    /// [`max_unpool2d`](Tensor::max_unpool2d) of signals.
    ///
    /// # Panics
    /// If the index has another shape than `self`, or a position is negative or lies outside the signal.
    #[track_caller]
    pub fn max_unpool1d(&self, index: &Tensor<i64>, size: usize) -> Self {
        let shape = shapes::max_unpool1d(&self.shape(), &index.shape(), size).or_panic();
        self.unpooled("max_unpool1d", index, shape, 1)
    }

    /// Returns volumes of zeros of this size, to which each element of `self` is added at its position in `index`:
    /// [`max_unpool2d`](Tensor::max_unpool2d) of volumes.
    ///
    /// # Panics
    /// If the index has another shape than `self`, or a position is negative or lies outside the volume.
    #[track_caller]
    pub fn max_unpool3d(&self, index: &Tensor<i64>, size: impl Into<Triple>) -> Self {
        let shape = shapes::max_unpool3d(&self.shape(), &index.shape(), size.into().0).or_panic();
        self.unpooled("max_unpool3d", index, shape, 3)
    }

    /// Adds each element at its position in the last axes of zeros, which count as one.
    #[track_caller]
    fn unpooled(&self, op: &str, index: &Tensor<i64>, shape: Shape, axes: usize) -> Self {
        let index = index.contiguous();
        let numbers = index.as_slice().unwrap_or_default();
        let range = || shapes::unpool_range(op, numbers, &shape, axes);
        if self.numel() == 0 || shape.numel() == 0 {
            range().or_panic();
            return Self::zeros_of(&shape);
        }
        let mut out = Self::empty(shape);
        let [size, area] = [shape, self.shape()].map(|s| s[s.rank() - axes..].iter().product());
        let x = self.contiguous();
        let x = x.as_slice().unwrap_or_default();
        if !unpool(x, area, numbers, size, out.fresh_mut()) {
            range().or_panic();
        }
        out
    }
}
