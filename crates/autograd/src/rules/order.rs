//! What follows from the order of the elements along an axis. The positions are integers without a
//! derivative. The values are gathered there, so their derivatives are those of `gather`: an element that
//! was chosen gets the whole cotangent, also if others are equal to it.

use crate::graph::{Index, IndexOp, IntegerOp, Var, View};
use wengert_tensor::{Float, LinePick, shapes, shapes::Reduced};

impl<'t, T: Float> Var<'t, T> {
    /// Returns the positions of elements along a resolved axis. `k` is the number of elements that are
    /// wanted, or which one.
    #[track_caller]
    fn positions(self, by: LinePick, axis: usize, k: usize) -> Index<'t, T> {
        let own = self.shape();
        let shape = own.with(axis, by.count(own[axis], k));
        let op = IntegerOp::Positions { axis: axis as u8, by, k: k as u32 };
        self.tape.integers(op, &[self.id], shape)
    }

    /// Returns the elements at the positions of a kept axis, and the positions.
    #[track_caller]
    fn at_positions(self, at: Index<'t, T>, axis: usize) -> (Self, Index<'t, T>) {
        (self.indexed(IndexOp::Gather { axis: axis as u8 }, at, at.shape()), at)
    }

    /// [`at_positions`](Var::at_positions) for one position per line.
    #[track_caller]
    fn one_at(
        self,
        at: Index<'t, T>,
        (axis, reduced): (usize, Reduced),
        keepdim: bool,
    ) -> (Self, Index<'t, T>) {
        let (values, at) = self.at_positions(at, axis);
        if keepdim {
            return (values, at);
        }
        (values.view(View::Reshape, reduced.dropped), at.reshaped(reduced.dropped))
    }

    #[track_caller]
    fn sorted(self, axis: usize, descending: bool) -> Index<'t, T> {
        let by = if descending { LinePick::Descending } else { LinePick::Ascending };
        self.positions(by, axis, self.shape()[axis])
    }

    /// Returns the elements in ascending or descending order along an axis, and their positions before.
    /// Equal elements stay in their order. NaN counts as the largest.
    ///
    /// # Panics
    /// If the axis does not exist.
    #[track_caller]
    pub fn sort(self, axis: isize, descending: bool) -> (Self, Index<'t, T>) {
        let axis = self.fits(shapes::axis("sort", axis, &self.shape()));
        self.at_positions(self.sorted(axis, descending), axis)
    }

    /// Returns the positions that sort the elements along an axis: the second result of
    /// [`sort`](Var::sort).
    ///
    /// # Panics
    /// If the axis does not exist.
    #[track_caller]
    pub fn argsort(self, axis: isize, descending: bool) -> Index<'t, T> {
        let axis = self.fits(shapes::axis("argsort", axis, &self.shape()));
        self.sorted(axis, descending)
    }

    /// Returns the `k` largest elements along an axis in descending order, or the `k` smallest in ascending
    /// order, and their positions. Of equal elements the first count. NaN counts as the largest.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([1.0, 5.0, 3.0]));
    /// let (largest, _) = x.topk(0, 2, true);
    /// assert_eq!(largest.value().to_vec(), [5.0, 3.0]);
    /// assert_eq!(largest.sum_all().grad(&[x])[0].value().to_vec(), [0.0, 1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the axis does not exist, or has fewer than `k` elements.
    #[track_caller]
    pub fn topk(self, axis: isize, k: usize, largest: bool) -> (Self, Index<'t, T>) {
        let (axis, _) = self.fits(shapes::topk(&self.shape(), axis, k));
        let by = if largest { LinePick::Descending } else { LinePick::Ascending };
        self.at_positions(self.positions(by, axis, k), axis)
    }

    /// Returns the `k`-th smallest element along an axis, counted from 1, and its position. NaN counts as
    /// the largest.
    ///
    /// # Panics
    /// If the axis does not exist, or `k` is not from 1 to its size.
    #[track_caller]
    pub fn kthvalue(self, axis: isize, k: usize, keepdim: bool) -> (Self, Index<'t, T>) {
        let along = self.fits(shapes::kthvalue(&self.shape(), axis, k));
        self.one_at(self.positions(LinePick::Kth, along.0, k), along, keepdim)
    }

    /// Returns the median along an axis, and its position. Of an even number of elements it is the lower of
    /// the two in the middle. If an element is NaN, it is the first NaN.
    ///
    /// # Panics
    /// If the axis does not exist or is empty.
    #[track_caller]
    pub fn median(self, axis: isize, keepdim: bool) -> (Self, Index<'t, T>) {
        let along = self.fits(shapes::one_along("median", &self.shape(), axis));
        self.one_at(self.positions(LinePick::Median, along.0, 0), along, keepdim)
    }

    /// Returns the most frequent element along an axis, and its last position. Of equally frequent elements
    /// the smallest counts.
    ///
    /// # Panics
    /// If the axis does not exist or is empty.
    #[track_caller]
    pub fn mode(self, axis: isize, keepdim: bool) -> (Self, Index<'t, T>) {
        let along = self.fits(shapes::one_along("mode", &self.shape(), axis));
        self.one_at(self.positions(LinePick::Mode, along.0, 0), along, keepdim)
    }

    /// Returns the largest element along an axis, and its position. Of equal elements the first counts and
    /// gets the gradient, and so does the first NaN. [`max`](Var::max) returns the element alone, for several
    /// axes, and equal elements share the gradient.
    ///
    /// # Panics
    /// If the axis does not exist or is empty.
    #[track_caller]
    pub fn max_with_indices(self, axis: isize, keepdim: bool) -> (Self, Index<'t, T>) {
        let along = self.fits(shapes::one_along("max_with_indices", &self.shape(), axis));
        self.one_at(self.argmax(axis, true), along, keepdim)
    }

    /// Returns the smallest element along an axis, and its position. Of equal elements the first counts and
    /// gets the gradient, and so does the first NaN.
    ///
    /// # Panics
    /// If the axis does not exist or is empty.
    #[track_caller]
    pub fn min_with_indices(self, axis: isize, keepdim: bool) -> (Self, Index<'t, T>) {
        let along = self.fits(shapes::one_along("min_with_indices", &self.shape(), axis));
        self.one_at(self.argmin(axis, true), along, keepdim)
    }

    /// Returns the running maximum along an axis, and its position. Of equal elements the last counts. From
    /// the first NaN on the results are NaN.
    ///
    /// # Panics
    /// If the axis does not exist.
    #[track_caller]
    pub fn cummax(self, axis: isize) -> (Self, Index<'t, T>) {
        let axis = self.fits(shapes::axis("cummax", axis, &self.shape()));
        self.at_positions(self.positions(LinePick::RunningMax, axis, 0), axis)
    }

    /// Returns the running minimum along an axis, and its position. Of equal elements the last counts. From
    /// the first NaN on the results are NaN.
    ///
    /// # Panics
    /// If the axis does not exist.
    #[track_caller]
    pub fn cummin(self, axis: isize) -> (Self, Index<'t, T>) {
        let axis = self.fits(shapes::axis("cummin", axis, &self.shape()));
        self.at_positions(self.positions(LinePick::RunningMin, axis, 0), axis)
    }

    /// Returns the quantile q along an axis: the number below which the share q of the elements lies.
    /// Between two elements it is interpolated linearly. `q` is from 0 to 1. If an element is NaN, the
    /// result is NaN.
    ///
    /// # Panics
    /// If the axis does not exist or is empty, or `q` is not from 0 to 1.
    #[track_caller]
    pub fn quantile(self, axis: isize, q: f64, keepdim: bool) -> Self {
        let (at, reduced, place) = self.fits(shapes::quantile(&self.shape(), axis, q));
        let out = self.sort(axis, false).0.between(at, place);
        if keepdim { out } else { out.view(View::Reshape, reduced.dropped) }
    }

    /// Returns several quantiles along an axis as [`quantile`](Var::quantile) does, from one sorting. They lie
    /// along a new first axis.
    ///
    /// # Panics
    /// As [`quantile`](Var::quantile), or if `qs` is empty.
    #[track_caller]
    pub fn quantiles(self, axis: isize, qs: &[f64], keepdim: bool) -> Self {
        let (at, reduced, places) = self.fits(shapes::quantiles(&self.shape(), axis, qs, keepdim));
        let sorted = self.sort(axis, false).0;
        let shape = if keepdim { reduced.kept } else { reduced.dropped };
        let mut parts = Vec::with_capacity(places.len());
        for place in places {
            parts.push(sorted.between(at, place).view(View::Reshape, shape));
        }
        Var::stack(&parts, 0)
    }

    /// Returns the numbers at a place between the sorted elements along an axis, or NaN if one is NaN.
    #[track_caller]
    fn between(self, at: usize, place: f64) -> Self {
        let (low, high, weight) = (place.floor() as usize, place.ceil() as usize, place.fract());
        let (a, b) = (self.narrow(at as isize, low, 1), self.narrow(at as isize, high, 1));
        let between = if weight == 0.0 {
            a
        } else if weight < 0.5 {
            (b - a) * weight + a
        } else {
            b - (b - a) * (1.0 - weight)
        };
        let last = self.narrow(at as isize, self.shape()[at] - 1, 1);
        Var::where_(last.ne(last), last, between)
    }

    /// Returns the places at which values would be inserted into sorted numbers: for each value the number
    /// of sorted elements that are less, or with `right` those that are not greater. The sorted numbers lie
    /// along the last axis of `self`: a vector for all values, or one row for each row of the values.
    ///
    /// # Panics
    /// If `self` is not a vector and its axes but the last differ from those of the values, or the
    /// variables are on different tapes.
    #[track_caller]
    pub fn searchsorted(self, values: Self, right: bool) -> Index<'t, T> {
        self.tape.same_tape("searchsorted", values.tape);
        let shape = self.fits(shapes::searchsorted(&self.shape(), &values.shape()));
        self.tape.integers(IntegerOp::SearchSorted { right }, &[self.id, values.id], shape)
    }
}
