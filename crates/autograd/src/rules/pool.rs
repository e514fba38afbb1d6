//! Pooling. The maximum of a window is one of its elements: one kernel returns values and positions as
//! two outputs, and the cotangent goes to the positions. An average is a linear map along each axis. In the maximum
//! of volumes, the height and the width are one axis, so that positions count within the last two axes as in images.

use crate::graph::{
    Call, Index, IndexOp, IntoIndex, MaxPool, Op, PoolWindows, Reads, Var, View, place_in,
};
use IndexOp::{Pick, Unpool};
use wengert_tensor::axis_maps::{
    adaptive_average_maps, adaptive_volume_average_maps, average_maps, volume_average_maps,
};
use wengert_tensor::{Float, Pair, Pool, Shape, Tensor, Triple, VolumePool, shapes};

impl MaxPool {
    pub const READS: Reads = Reads::Y1;

    /// Returns the maxima, and their positions if `positions` is true.
    pub fn eval<T: Float>(
        x: &Tensor<T>,
        windows: PoolWindows,
        shape: Shape,
        positions: bool,
    ) -> (Tensor<T>, Option<Tensor<i64>>) {
        let size = [shape[shape.rank() - 2], shape[shape.rank() - 1]];
        let both = |(values, at): (Tensor<T>, Tensor<i64>)| (values, Some(at));
        match (windows, positions) {
            (PoolWindows::Sliding(pool), true) => both(x.max_pool2d_with_indices(&pool)),
            (PoolWindows::Sliding(pool), false) => (x.max_pool2d(&pool), None),
            (PoolWindows::Adaptive, true) => both(x.adaptive_max_pool2d_with_indices(size)),
            (PoolWindows::Adaptive, false) => (x.adaptive_max_pool2d(size), None),
            (PoolWindows::Volumes(pool, plane), _) => {
                flat(volumes(x, plane).max_pool3d_with_indices(&pool), shape)
            }
            (PoolWindows::AdaptiveVolumes(size, plane), _) => {
                flat(volumes(x, plane).adaptive_max_pool3d_with_indices(size), shape)
            }
        }
    }

    pub fn vjp<'t, T: Float>(c: &Call<'_, 't, T>) -> Var<'t, T> {
        c.gy().indexed(Unpool, c.positions(), c.x_shape(0))
    }

    /// Returns the tangent of the maxima: the tangent of the operand at their positions.
    pub fn jvp<'t, T: Float>(t: Var<'t, T>, positions: Index<'t, T>) -> Var<'t, T> {
        t.indexed(Pick, positions, positions.shape())
    }
}

/// Returns volumes […, D, H, W] whose planes were flat: […, D, H·W].
fn volumes<T: Float>(x: &Tensor<T>, plane: [usize; 2]) -> Tensor<T> {
    let shape = x.shape();
    x.reshape(&[&shape[..shape.rank() - 1], &plane].concat())
}

/// Returns the maxima of volumes and their positions with flat planes.
fn flat<T: Float>(
    (values, at): (Tensor<T>, Tensor<i64>),
    shape: Shape,
) -> (Tensor<T>, Option<Tensor<i64>>) {
    (values.reshape(&shape[..]), Some(at.reshape(&shape[..])))
}

/// Returns the height and the width of volumes.
fn plane(shape: &[usize]) -> [usize; 2] {
    [shape[shape.len() - 2], shape[shape.len() - 1]]
}

/// Returns the shape of volumes with flat planes.
fn flat_planes(shape: &[usize]) -> Shape {
    let (lead, plane) = shape.split_at(shape.len() - 2);
    Shape::new(&[lead, &[plane.iter().product()]].concat())
}

/// Pooling over the last axes: `[…, C, H, W]` → `[…, C, H', W']`.
impl<'t, T: Float> Var<'t, T> {
    /// Returns the maximum of each window of an image. Padding counts as -∞ and is never the result. NaN
    /// counts as the maximum. Among equal elements the first gets the gradient.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::{Pool, Tensor};
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]]).unsqueeze(0));
    /// let y = x.max_pool2d(&Pool::new(2).stride(1));
    /// assert_eq!(y.value().to_vec(), [5.0, 6.0]);
    /// let slope = y.sum_all().grad(&[x])[0];
    /// assert_eq!(slope.value().to_vec(), [0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than three axes, or the windows do not fit: see [`Pool`].
    #[track_caller]
    pub fn max_pool2d(self, pool: &Pool) -> Self {
        self.max_pool2d_with_indices(pool).0
    }

    /// Returns the result of [`max_pool2d`](Var::max_pool2d), and the position of each maximum in its
    /// image. Positions count row by row, as [`max_unpool2d`](Var::max_unpool2d) expects them.
    ///
    /// # Panics
    /// Under the conditions of [`max_pool2d`](Var::max_pool2d).
    #[track_caller]
    pub fn max_pool2d_with_indices(self, pool: &Pool) -> (Self, Index<'t, T>) {
        let shape = self.fits(shapes::pool2d("max_pool2d", &self.shape(), pool));
        self.pooled(PoolWindows::Sliding(*pool), shape)
    }

    /// Returns the maxima of windows that together cover each image, `size` windows per axis. Of m
    /// windows along an axis of size n, window o covers ⌊o·n/m⌋ to ⌈(o + 1)·n/m⌉.
    ///
    /// # Panics
    /// If there are fewer than three axes, or height or width is 0.
    #[track_caller]
    pub fn adaptive_max_pool2d(self, size: impl Into<Pair>) -> Self {
        self.adaptive_max_pool2d_with_indices(size).0
    }

    /// Returns the result of [`adaptive_max_pool2d`](Var::adaptive_max_pool2d), and the position of each
    /// maximum in its image, counted row by row.
    ///
    /// # Panics
    /// Under the conditions of [`adaptive_max_pool2d`](Var::adaptive_max_pool2d).
    #[track_caller]
    pub fn adaptive_max_pool2d_with_indices(self, size: impl Into<Pair>) -> (Self, Index<'t, T>) {
        let size = size.into().0;
        let rule = shapes::adaptive_pool2d("adaptive_max_pool2d", &self.shape(), size);
        let shape = self.fits(rule);
        self.pooled(PoolWindows::Adaptive, shape)
    }

    #[track_caller]
    fn pooled(self, windows: PoolWindows, shape: Shape) -> (Self, Index<'t, T>) {
        let op = {
            let arena = &mut *self.tape.arena.borrow_mut();
            arena.integers.push(None); // the place of the positions, which are not computed yet
            let windows = place_in(&mut arena.pools, windows);
            MaxPool { windows, positions: arena.integers.len() as u32 - 1 }
        };
        let id = self.tape.apply_outputs(Op::MaxPool(op), &[self], &[shape, shape], 1);
        (Var { tape: self.tape, id }, Index { tape: self.tape, id: id + 1 })
    }

    /// Returns the maximum of each window of a volume: `[…, C, D, H, W]` → `[…, C, D', H', W']`. Padding counts as
    /// -∞ and is never the result. NaN counts as the maximum. Among equal elements the first gets the gradient.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::{Tensor, VolumePool};
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::arange(0.0, 16.0, 1.0).reshape([1, 1, 2, 2, 4]));
    /// assert_eq!(x.max_pool3d(&VolumePool::new(2)).value().to_vec(), [13.0, 15.0]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than four axes, or the windows do not fit: see [`VolumePool`].
    #[track_caller]
    pub fn max_pool3d(self, pool: &VolumePool) -> Self {
        self.max_pool3d_with_indices(pool).0
    }

    /// Returns the result of [`max_pool3d`](Var::max_pool3d), and the position of each maximum in its volume,
    /// counted plane by plane, and row by row.
    ///
    /// # Panics
    /// Under the conditions of [`max_pool3d`](Var::max_pool3d).
    #[track_caller]
    pub fn max_pool3d_with_indices(self, pool: &VolumePool) -> (Self, Index<'t, T>) {
        let own = self.shape();
        let shape = self.fits(shapes::pool3d("max_pool3d", &own, pool));
        self.pooled_volumes(PoolWindows::Volumes(*pool, plane(&own)), shape)
    }

    /// Returns the maxima of windows that together cover each volume, `size` windows per axis. The windows are
    /// those of [`adaptive_max_pool2d`](Var::adaptive_max_pool2d).
    ///
    /// # Panics
    /// If there are fewer than four axes, or depth, height or width is 0.
    #[track_caller]
    pub fn adaptive_max_pool3d(self, size: impl Into<Triple>) -> Self {
        self.adaptive_max_pool3d_with_indices(size).0
    }

    /// Returns the result of [`adaptive_max_pool3d`](Var::adaptive_max_pool3d), and the position of each maximum
    /// in its volume.
    ///
    /// # Panics
    /// Under the conditions of [`adaptive_max_pool3d`](Var::adaptive_max_pool3d).
    #[track_caller]
    pub fn adaptive_max_pool3d_with_indices(self, size: impl Into<Triple>) -> (Self, Index<'t, T>) {
        let (own, size) = (self.shape(), size.into().0);
        let shape = self.fits(shapes::adaptive_pool3d("adaptive_max_pool3d", &own, size));
        self.pooled_volumes(PoolWindows::AdaptiveVolumes(size, plane(&own)), shape)
    }

    #[track_caller]
    fn pooled_volumes(self, windows: PoolWindows, shape: Shape) -> (Self, Index<'t, T>) {
        let flat = self.view(View::Reshape, flat_planes(&self.shape()));
        let (values, at) = flat.pooled(windows, flat_planes(&shape));
        (values.view(View::Reshape, shape), at.reshaped(shape))
    }

    /// Returns images of zeros of this size, with each element added at its position. With the indices
    /// of [`max_pool2d_with_indices`](Var::max_pool2d_with_indices) it is the partial inverse of that
    /// function.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::{Pool, Tensor};
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([[1.0, 5.0], [4.0, 3.0]]).unsqueeze(0));
    /// let (y, index) = x.max_pool2d_with_indices(&Pool::new(2));
    /// assert_eq!(y.max_unpool2d(index, [2, 2]).value().to_vec(), [0.0, 5.0, 0.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the shape of the index differs, or a position is negative or outside the image.
    #[track_caller]
    pub fn max_unpool2d(self, index: impl IntoIndex<'t, T>, size: impl Into<Pair>) -> Self {
        let index = index.into_index(self.tape);
        let rule = shapes::max_unpool2d(&self.shape(), &index.shape(), size.into().0);
        let shape = self.fits(rule);
        self.indexed(Unpool, index, shape)
    }

    /// Returns signals of zeros of this size, with each element added at its position:
    /// [`max_unpool2d`](Var::max_unpool2d) of signals.
    ///
    /// # Panics
    /// If the shape of the index differs, or a position is negative or outside the signal.
    #[track_caller]
    pub fn max_unpool1d(self, index: impl IntoIndex<'t, T>, size: usize) -> Self {
        let index = index.into_index(self.tape);
        let own = self.shape();
        let shape = self.fits(shapes::max_unpool1d(&own, &index.shape(), size));
        self.unpooled(
            index,
            own.inserted(own.rank() - 1, 1),
            shape.inserted(own.rank() - 1, 1),
            shape,
        )
    }

    /// Returns volumes of zeros of this size, with each element added at its position:
    /// [`max_unpool2d`](Var::max_unpool2d) of volumes.
    ///
    /// # Panics
    /// If the shape of the index differs, or a position is negative or outside the volume.
    #[track_caller]
    pub fn max_unpool3d(self, index: impl IntoIndex<'t, T>, size: impl Into<Triple>) -> Self {
        let index = index.into_index(self.tape);
        let own = self.shape();
        let shape = self.fits(shapes::max_unpool3d(&own, &index.shape(), size.into().0));
        self.unpooled(index, flat_planes(&own), flat_planes(&shape), shape)
    }

    /// Adds elements at their positions in images, which are then given another shape.
    #[track_caller]
    fn unpooled(self, index: Index<'t, T>, own: Shape, images: Shape, shape: Shape) -> Self {
        let x = self.view(View::Reshape, own);
        x.indexed(Unpool, index.reshaped(own), images).view(View::Reshape, shape)
    }

    /// Returns the maximum of each window of a signal: `[…, C, L]` → `[…, C, L']`. The second number of
    /// each pair of the pool applies.
    ///
    /// # Panics
    /// If there are fewer than two axes, or the windows do not fit: see [`Pool`].
    #[track_caller]
    pub fn max_pool1d(self, pool: &Pool) -> Self {
        self.max_pool1d_with_indices(pool).0
    }

    /// Returns the result of [`max_pool1d`](Var::max_pool1d), and the position of each maximum in its signal.
    ///
    /// # Panics
    /// Under the conditions of [`max_pool1d`](Var::max_pool1d).
    #[track_caller]
    pub fn max_pool1d_with_indices(self, pool: &Pool) -> (Self, Index<'t, T>) {
        self.fits(shapes::pool1d("max_pool1d", &self.shape(), pool));
        let (y, at) = self.unsqueeze(-2).max_pool2d_with_indices(&pool.of_signals());
        (y.squeeze(-2), at.squeeze(-2))
    }

    /// Returns the mean of each window of an image.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::{Pool, Tensor};
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([[1.0, 5.0, 2.0], [4.0, 2.0, 6.0]]).unsqueeze(0));
    /// assert_eq!(x.avg_pool2d(&Pool::new(2)).value().to_vec(), [3.0]);
    /// let pool = Pool::new([1, 3]).stride([1, 2]).padding([0, 1]);
    /// assert_eq!(x.avg_pool2d(&pool.count_include_pad(false)).shape(), [1, 2, 2]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than three axes, the pool has a dilation, or its windows do not fit: see
    /// [`Pool`].
    #[track_caller]
    pub fn avg_pool2d(self, pool: &Pool) -> Self {
        let maps = self.fits(average_maps("avg_pool2d", &self.shape(), pool));
        self.map_axes(&maps)
    }

    /// Returns the mean of each window of a signal: `[…, C, L]` → `[…, C, L']`. The second number of
    /// each pair of the pool applies.
    ///
    /// # Panics
    /// If there are fewer than two axes, the pool has a dilation, or its windows do not fit: see
    /// [`Pool`].
    #[track_caller]
    pub fn avg_pool1d(self, pool: &Pool) -> Self {
        self.fits(shapes::no_dilation("avg_pool1d", &pool.of_signals().dilation));
        self.fits(shapes::pool1d("avg_pool1d", &self.shape(), pool));
        self.unsqueeze(-2).avg_pool2d(&pool.of_signals()).squeeze(-2)
    }

    /// Returns the means of windows that together cover each image, `size` windows per axis. Of m
    /// windows along an axis of size n, window o covers ⌊o·n/m⌋ to ⌈(o + 1)·n/m⌉. With size 1 the result
    /// is the mean of the image.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::arange(0.0, 15.0, 1.0).reshape(&[1, 3, 5]));
    /// assert_eq!(x.adaptive_avg_pool2d([1, 2]).value().to_vec(), [6.0, 8.0]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than three axes, or height or width is 0.
    #[track_caller]
    pub fn adaptive_avg_pool2d(self, size: impl Into<Pair>) -> Self {
        let (op, size) = ("adaptive_avg_pool2d", size.into().0);
        let maps = self.fits(adaptive_average_maps(op, &self.shape(), size));
        match size {
            [1, 1] => self.mean(&[-2, -1], true), // one pass
            _ => self.map_axes(&maps),
        }
    }

    /// Returns the mean of each window of a volume: `[…, C, D, H, W]` → `[…, C, D', H', W']`.
    ///
    /// # Panics
    /// If there are fewer than four axes, the pool has a dilation, or its windows do not fit: see
    /// [`VolumePool`].
    #[track_caller]
    pub fn avg_pool3d(self, pool: &VolumePool) -> Self {
        let maps = self.fits(volume_average_maps("avg_pool3d", &self.shape(), pool));
        self.map_axes(&maps)
    }

    /// Returns the means of windows that together cover each volume, `size` windows per axis. The windows are
    /// those of [`adaptive_avg_pool2d`](Var::adaptive_avg_pool2d).
    ///
    /// # Panics
    /// If there are fewer than four axes, or depth, height or width is 0.
    #[track_caller]
    pub fn adaptive_avg_pool3d(self, size: impl Into<Triple>) -> Self {
        let (op, size) = ("adaptive_avg_pool3d", size.into().0);
        let maps = self.fits(adaptive_volume_average_maps(op, &self.shape(), size));
        match size {
            [1, 1, 1] => self.mean(&[-3, -2, -1], true), // one pass
            _ => self.map_axes(&maps),
        }
    }

    /// Returns the means of `size` windows that together cover each signal:
    /// `[…, C, L]` → `[…, C, size]`.
    ///
    /// # Panics
    /// If there are fewer than two axes, or the last axis is empty.
    #[track_caller]
    pub fn adaptive_avg_pool1d(self, size: usize) -> Self {
        self.fits(shapes::adaptive_pool1d("adaptive_avg_pool1d", &self.shape(), size));
        self.unsqueeze(-2).adaptive_avg_pool2d([1, size]).squeeze(-2)
    }

    /// Returns the maxima of `size` windows that together cover each signal:
    /// `[…, C, L]` → `[…, C, size]`.
    ///
    /// # Panics
    /// If there are fewer than two axes, or the last axis is empty.
    #[track_caller]
    pub fn adaptive_max_pool1d(self, size: usize) -> Self {
        self.adaptive_max_pool1d_with_indices(size).0
    }

    /// Returns the result of [`adaptive_max_pool1d`](Var::adaptive_max_pool1d), and the position of each maximum
    /// in its signal.
    ///
    /// # Panics
    /// Under the conditions of [`adaptive_max_pool1d`](Var::adaptive_max_pool1d).
    #[track_caller]
    pub fn adaptive_max_pool1d_with_indices(self, size: usize) -> (Self, Index<'t, T>) {
        self.fits(shapes::adaptive_pool1d("adaptive_max_pool1d", &self.shape(), size));
        let (y, at) = self.unsqueeze(-2).adaptive_max_pool2d_with_indices([1, size]);
        (y.squeeze(-2), at.squeeze(-2))
    }
}
