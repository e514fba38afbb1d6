//! Sorting, and what follows from the order of the elements along an axis. Each method determines positions,
//! and reads the elements there.

use super::{Element, Float, Number, Tensor};
use crate::kernels::{LinePick, order};
use crate::number::Dtype;
use crate::shapes::{self, OrPanic, Reduced};

impl<T: Element> Tensor<T> {
    /// Returns the positions of elements along a resolved axis, by their order. `k` is the number of elements
    /// that are wanted, or which one.
    #[doc(hidden)]
    pub fn positions(&self, by: LinePick, axis: usize, k: usize) -> Tensor<i64> {
        let shape = self.shape();
        let n = shape[axis];
        let mut out = Tensor::empty(shape.with(axis, by.count(n, k)));
        if out.numel() == 0 {
            return out;
        }
        let x = self.contiguous();
        let x = x.as_slice().unwrap_or_default();
        let nan = matches!(T::DTYPE, Dtype::F32 | Dtype::F64).then_some(u64::MAX);
        let keys = |start: usize, step: usize, keys: &mut [u64]| {
            for (i, key) in keys.iter_mut().enumerate() {
                *key = x[start + i * step].key();
            }
        };
        order::positions(by, shape.around(axis), k, nan, &keys, out.fresh_mut());
        out
    }

    /// Returns the elements at the positions of a kept axis, and the positions.
    fn at_positions(&self, at: Tensor<i64>, axis: usize) -> (Self, Tensor<i64>) {
        (self.gather(axis as isize, &at), at)
    }

    /// [`at_positions`](Tensor::at_positions) for one position per line.
    fn one_at(
        &self,
        at: Tensor<i64>,
        (axis, reduced): (usize, Reduced),
        keepdim: bool,
    ) -> (Self, Tensor<i64>) {
        let (values, at) = self.at_positions(at, axis);
        if keepdim {
            return (values, at);
        }
        (values.with_shape(reduced.dropped), at.with_shape(reduced.dropped))
    }

    /// Returns the elements in ascending or descending order along an axis, and their positions before.
    /// Equal elements stay in their order. NaN counts as the largest.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let (sorted, positions) = Tensor::from([2.0, 3.0, 1.0]).sort(0, true);
    /// assert_eq!(sorted.to_vec(), [3.0, 2.0, 1.0]);
    /// assert_eq!(positions.to_vec(), [1, 0, 2]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no such axis.
    #[track_caller]
    pub fn sort(&self, axis: isize, descending: bool) -> (Self, Tensor<i64>) {
        let axis = shapes::axis("sort", axis, &self.shape()).or_panic();
        self.at_positions(self.sorted(axis, descending), axis)
    }

    /// Returns the positions that sort the elements along an axis: the second result of
    /// [`sort`](Tensor::sort).
    ///
    /// # Panics
    /// If the tensor has no such axis.
    #[track_caller]
    pub fn argsort(&self, axis: isize, descending: bool) -> Tensor<i64> {
        let axis = shapes::axis("argsort", axis, &self.shape()).or_panic();
        self.sorted(axis, descending)
    }

    fn sorted(&self, axis: usize, descending: bool) -> Tensor<i64> {
        let by = if descending { LinePick::Descending } else { LinePick::Ascending };
        self.positions(by, axis, self.shape()[axis])
    }

    /// Returns the `k` largest elements along an axis in descending order, or the `k` smallest in ascending
    /// order, and their positions. Of equal elements the first count. NaN counts as the largest.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let (largest, positions) = Tensor::from([[1.0, 5.0, 3.0]]).topk(1, 2, true);
    /// assert_eq!((largest.to_vec(), positions.to_vec()), (vec![5.0, 3.0], vec![1, 2]));
    /// ```
    ///
    /// # Panics
    /// If the tensor has no such axis, or the axis has fewer than `k` elements.
    #[track_caller]
    pub fn topk(&self, axis: isize, k: usize, largest: bool) -> (Self, Tensor<i64>) {
        let (axis, _) = shapes::topk(&self.shape(), axis, k).or_panic();
        let by = if largest { LinePick::Descending } else { LinePick::Ascending };
        self.at_positions(self.positions(by, axis, k), axis)
    }

    /// Returns the `k`-th smallest element along an axis, counted from 1, and its position. NaN counts as the
    /// largest. `keepdim` keeps the axis with size 1.
    ///
    /// # Panics
    /// If the tensor has no such axis, or `k` is not from 1 to the size of the axis.
    #[track_caller]
    pub fn kthvalue(&self, axis: isize, k: usize, keepdim: bool) -> (Self, Tensor<i64>) {
        let along = shapes::kthvalue(&self.shape(), axis, k).or_panic();
        self.one_at(self.positions(LinePick::Kth, along.0, k), along, keepdim)
    }

    /// Returns the median along an axis, and its position. Of an even number of elements it is the lower of
    /// the two in the middle. If an element is NaN, it is the first NaN. `keepdim` keeps the axis with size 1.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let (median, position) = Tensor::from([4.0, 1.0, 3.0, 2.0]).median(0, false);
    /// assert_eq!((median.item(), position.item()), (2.0, 3));
    /// ```
    ///
    /// # Panics
    /// If the tensor has no such axis, or a result has no elements to choose from.
    #[track_caller]
    pub fn median(&self, axis: isize, keepdim: bool) -> (Self, Tensor<i64>) {
        let along = shapes::one_along("median", &self.shape(), axis).or_panic();
        self.one_at(self.positions(LinePick::Median, along.0, 0), along, keepdim)
    }

    /// Returns the most frequent element along an axis, and its last position. Of equally frequent elements
    /// the smallest counts. `keepdim` keeps the axis with size 1.
    ///
    /// # Panics
    /// If the tensor has no such axis, or a result has no elements to choose from.
    #[track_caller]
    pub fn mode(&self, axis: isize, keepdim: bool) -> (Self, Tensor<i64>) {
        let along = shapes::one_along("mode", &self.shape(), axis).or_panic();
        self.one_at(self.positions(LinePick::Mode, along.0, 0), along, keepdim)
    }

    /// Returns the running maximum along an axis, and its position. Of equal elements the last counts. From
    /// the first NaN on the results are NaN.
    ///
    /// # Panics
    /// If the tensor has no such axis.
    #[track_caller]
    pub fn cummax(&self, axis: isize) -> (Self, Tensor<i64>) {
        let axis = shapes::axis("cummax", axis, &self.shape()).or_panic();
        self.at_positions(self.positions(LinePick::RunningMax, axis, 0), axis)
    }

    /// Returns the running minimum along an axis, and its position. Of equal elements the last counts. From
    /// the first NaN on the results are NaN.
    ///
    /// # Panics
    /// If the tensor has no such axis.
    #[track_caller]
    pub fn cummin(&self, axis: isize) -> (Self, Tensor<i64>) {
        let axis = shapes::axis("cummin", axis, &self.shape()).or_panic();
        self.at_positions(self.positions(LinePick::RunningMin, axis, 0), axis)
    }

    /// Returns the places at which values would be inserted into sorted numbers: for each value the number of
    /// sorted elements that are less, or with `right` those that are not greater. The sorted numbers lie
    /// along the last axis of `self`: a vector for all values, or one row for each row of the values. NaN
    /// counts as the largest.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let edges = Tensor::from([1.0, 2.0, 4.0]);
    /// let values = Tensor::from([0.5, 2.0, 9.0]);
    /// assert_eq!(edges.searchsorted(&values, false).to_vec(), [0, 1, 3]);
    /// assert_eq!(edges.searchsorted(&values, true).to_vec(), [0, 2, 3]);
    /// ```
    ///
    /// # Panics
    /// If `self` is not a vector, and its axes but the last differ from those of the values.
    #[track_caller]
    pub fn searchsorted(&self, values: &Self, right: bool) -> Tensor<i64> {
        let own = self.shape();
        let shape = shapes::searchsorted(&own, &values.shape()).or_panic();
        let (sorted, values) = (self.contiguous(), values.contiguous());
        let sorted: Vec<u64> =
            sorted.as_slice().unwrap_or_default().iter().map(|x| x.key()).collect();
        let values = values.as_slice().unwrap_or_default();
        let n = own[own.rank() - 1];
        let row = if own.rank() == 1 { usize::MAX } else { shape[shape.rank() - 1].max(1) };
        Tensor::from_fn(&shape, |i| {
            let key = values[i].key();
            let sorted = &sorted[i / row * n..][..n];
            sorted.partition_point(|&x| x < key || right && x == key) as i64
        })
    }
}

impl<T: Number> Tensor<T> {
    /// Returns the largest element along an axis, and its position. Of equal elements the first counts, and
    /// so does the first NaN. `keepdim` keeps the axis with size 1. [`max`](Tensor::max) returns the element
    /// alone, for several axes.
    ///
    /// # Panics
    /// If the tensor has no such axis, or a result has no elements to choose from.
    #[track_caller]
    pub fn max_with_indices(&self, axis: isize, keepdim: bool) -> (Self, Tensor<i64>) {
        let along = shapes::one_along("max_with_indices", &self.shape(), axis).or_panic();
        self.one_at(self.argmax(axis, true), along, keepdim)
    }

    /// Returns the smallest element along an axis, and its position. Of equal elements the first counts, and
    /// so does the first NaN. `keepdim` keeps the axis with size 1.
    ///
    /// # Panics
    /// If the tensor has no such axis, or a result has no elements to choose from.
    #[track_caller]
    pub fn min_with_indices(&self, axis: isize, keepdim: bool) -> (Self, Tensor<i64>) {
        let along = shapes::one_along("min_with_indices", &self.shape(), axis).or_panic();
        self.one_at(self.argmin(axis, true), along, keepdim)
    }
}

impl<T: Float> Tensor<T> {
    /// Returns the quantile q along an axis: the number below which the share q of the elements lies. Between
    /// two elements it is interpolated linearly. `q` is from 0 to 1. If an element is NaN, the result is NaN.
    /// `keepdim` keeps the axis with size 1.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// assert_eq!(Tensor::from([4.0, 1.0, 3.0, 2.0]).quantile(0, 0.5, false).item(), 2.5);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no such axis, a result has no elements to choose from, or `q` is not from 0 to 1.
    #[track_caller]
    pub fn quantile(&self, axis: isize, q: f64, keepdim: bool) -> Self {
        let (at, reduced, place) = shapes::quantile(&self.shape(), axis, q).or_panic();
        let out = self.sort(axis, false).0.between(at, place);
        if keepdim { out } else { out.with_shape(reduced.dropped) }
    }

    /// Returns several quantiles along an axis as [`quantile`](Tensor::quantile) does, from one sorting. They
    /// lie along a new first axis.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let quartiles = Tensor::from([4.0, 1.0, 3.0, 2.0, 5.0]).quantiles(0, &[0.25, 0.5, 0.75], false);
    /// assert_eq!(quartiles.to_vec(), [2.0, 3.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// As [`quantile`](Tensor::quantile), or if `qs` is empty.
    #[track_caller]
    pub fn quantiles(&self, axis: isize, qs: &[f64], keepdim: bool) -> Self {
        let (at, reduced, places) = shapes::quantiles(&self.shape(), axis, qs, keepdim).or_panic();
        let sorted = self.sort(axis, false).0;
        let shape = if keepdim { reduced.kept } else { reduced.dropped };
        let one = |&place: &f64| sorted.between(at, place).with_shape(shape);
        Tensor::stack(&places.iter().map(one).collect::<Vec<_>>(), 0)
    }

    /// Returns the numbers at a place between the sorted elements along an axis, or NaN if one is NaN.
    fn between(&self, at: usize, place: f64) -> Self {
        let (low, weight) = (place.floor(), place.fract());
        let element = |i: usize| self.narrow(at as isize, i, 1);
        let (a, b) = (element(low as usize), element(place.ceil() as usize));
        let between = if weight == 0.0 {
            a
        } else if weight < 0.5 {
            (&b - &a) * weight + &a
        } else {
            &b - (&b - &a) * (1.0 - weight)
        };
        let last = element(self.shape()[at] - 1);
        Tensor::where_(&last.ne(&last), &last, &between)
    }
}

#[cfg(test)]
mod tests;
