//! Views: tensors that share their elements with another tensor and have their own shape and strides.
//! Only [`Tensor::reshape`] and [`Tensor::flatten`] may copy, and only where no strides can describe the
//! result.

use crate::layout::{Collapsed, MAX_RANK, Shape, Sizes, Strides};
use crate::shapes::{self, OrPanic};
use crate::tensor::{Element, Tensor};
use std::cmp::Reverse;

/// Returns the strides with which the elements of layout `old` are read in the same order under shape
/// `new`; `None` if no such strides exist, so that a copy is needed.
fn reshaped_strides(old: &Collapsed, new: &[usize]) -> Option<Strides> {
    let mut out = Strides::row_major(new);
    if new.contains(&0) {
        return Some(out);
    }
    // Collapsed axes cannot be merged further, so each new axis must be a part of a single one.
    let mut pieces = old.axes().rev();
    let (mut rest, mut step) = (1, 0);
    for (axis, &size) in new.iter().enumerate().rev() {
        if size == 1 {
            continue;
        }
        if rest == 1 {
            (rest, step) = pieces.next()?;
        }
        if rest % size != 0 {
            return None;
        }
        out[axis] = step;
        step *= size as isize;
        rest /= size;
    }
    Some(out)
}

impl<T: Element> Tensor<T> {
    /// Returns a tensor with the same elements in the same (row-major) order and another shape, written in
    /// any of the ways of [`Sizes`]. One size may be -1; it is inferred from the other sizes.
    ///
    /// The result is a view where strides can describe it: always if the tensor is contiguous, often
    /// otherwise. Else the elements are copied.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::arange(0.0, 12.0, 1.0).reshape([2, -1]);
    /// assert_eq!(x.shape(), [2, 6]);
    /// let (n, l) = (x.size(0), 3);
    /// assert_eq!(x.reshape((n, l, -1)).shape(), [2, 3, 2]);
    /// let s = x.shape();
    /// assert_eq!(x.reshape([s[1], s[0]]).shape(), [6, 2]);
    /// assert!(x.slice(1, 1, 5, 1).reshape(&[2, 2, 2]).shares_storage(&x));
    /// ```
    ///
    /// # Panics
    /// If the new shape has another number of elements, or more than one size is -1.
    #[track_caller]
    pub fn reshape(&self, shape: impl Sizes) -> Self {
        self.with_shape(shapes::reshape(&self.shape(), &shape.sizes()).or_panic())
    }

    /// Does the same as [`Tensor::reshape`] for a shape that was checked before.
    pub(crate) fn with_shape(&self, shape: Shape) -> Self {
        debug_assert_eq!(shape.numel(), self.numel());
        let strides = if self.is_contiguous() {
            Some(Strides::row_major(&shape))
        } else {
            reshaped_strides(&self.collapsed(), &shape)
        };
        if let Some(strides) = strides {
            // SAFETY: these strides lead to the same elements in the same order.
            return unsafe { self.view(shape, strides, 0) };
        }
        let mut out = Self::empty(shape);
        // SAFETY: the layout is that of `self`.
        unsafe { T::copy(self.ptr(), self.collapsed(), out.fresh_mut()) }
        out
    }

    /// Merges the axes from `start` to `end`, both included, into one. A scalar becomes a vector.
    ///
    /// # Panics
    /// If the tensor has no such axis, or `end` comes before `start`.
    #[track_caller]
    pub fn flatten(&self, start: isize, end: isize) -> Self {
        self.with_shape(shapes::flatten(&self.shape(), start, end).or_panic())
    }

    /// Returns a view with the axes in another order: axis `i` of the result is axis `axes[i]` of `self`.
    ///
    /// # Panics
    /// If `axes` does not name every axis exactly once.
    #[track_caller]
    pub fn permute(&self, axes: &[isize]) -> Self {
        let (old, steps) = (self.shape(), self.strides());
        let order = shapes::permutation(&old, axes).or_panic();
        let (mut shape, mut strides) = (old, steps);
        for axis in 0..old.rank() {
            shape[axis] = old[order[axis]];
            strides[axis] = steps[order[axis]];
        }
        // SAFETY: the same elements in another order.
        unsafe { self.view(shape, strides, 0) }
    }

    /// Returns a view with two axes exchanged.
    ///
    /// # Panics
    /// If the tensor has no such axis.
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Self {
        let (mut shape, mut strides) = (self.shape(), self.strides());
        let a = shapes::axis("transpose", a, &shape).or_panic();
        let b = shapes::axis("transpose", b, &shape).or_panic();
        shape.swap(a, b);
        strides.swap(a, b);
        // SAFETY: the same elements in another order.
        unsafe { self.view(shape, strides, 0) }
    }

    /// Returns a view with the last two axes exchanged: it transposes a matrix, or each matrix of a stack.
    ///
    /// # Panics
    /// If the tensor has fewer than two axes.
    #[track_caller]
    pub fn t(&self) -> Self {
        shapes::t(&self.shape()).or_panic();
        self.transpose(-2, -1)
    }

    /// Returns a view without this axis, whose size must be 1.
    ///
    /// # Panics
    /// If the tensor has no such axis, or its size is not 1.
    #[track_caller]
    pub fn squeeze(&self, axis: isize) -> Self {
        self.with_shape(shapes::squeeze(&self.shape(), axis).or_panic())
    }

    /// Returns a view with a new axis of size 1, which becomes axis `axis` of the result. -1 makes it the
    /// last axis.
    ///
    /// # Panics
    /// If the result has no such axis.
    #[track_caller]
    pub fn unsqueeze(&self, axis: isize) -> Self {
        self.with_shape(shapes::unsqueeze(&self.shape(), axis).or_panic())
    }

    /// Returns a view of the indices from `start` to `start + len - 1` along one axis.
    ///
    /// # Panics
    /// If the tensor has no such axis, or the axis is shorter than `start + len`.
    #[track_caller]
    pub fn narrow(&self, axis: isize, start: usize, len: usize) -> Self {
        let (at, shape) = shapes::narrow(&self.shape(), axis, start, len).or_panic();
        self.stepped(at, start, 1, shape)
    }

    /// Returns a view of the indices `start, start + step, …` before `end` along one axis, as Python's
    /// `[start:end:step]`.
    ///
    /// A negative bound counts from the end of the axis. A bound outside the axis is moved to the nearest
    /// end. `None` stands for the end of the axis on that side. A negative step reads the axis backwards (see
    /// [`shapes::slice_range`]).
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::arange(0.0, 6.0, 1.0);
    /// assert_eq!(x.slice(0, 1, -1, 2).to_vec(), [1.0, 3.0]);
    /// assert_eq!(x.slice(0, -2, None, 1).to_vec(), [4.0, 5.0]);
    /// assert_eq!(x.slice(0, None, None, -2).to_vec(), [5.0, 3.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no such axis, or `step` is zero.
    #[track_caller]
    pub fn slice(
        &self,
        axis: isize,
        start: impl Into<Option<isize>>,
        end: impl Into<Option<isize>>,
        step: isize,
    ) -> Self {
        let shape = self.shape();
        let at = shapes::axis("slice", axis, &shape).or_panic();
        let range = shapes::slice_range(shape[at], start.into(), end.into(), step);
        let (start, step, len) = range.or_panic();
        self.stepped(at, start, step, shape.with(at, len))
    }

    /// Returns a view of the `len` indices `start, start + step, …` along one axis: a slice whose bounds are
    /// resolved already. The adjoint is [`Tensor::unslice`].
    ///
    /// # Panics
    /// If the tensor has no such axis, or an index lies outside it.
    #[doc(hidden)]
    #[track_caller]
    pub fn slice_steps(&self, axis: isize, start: usize, step: isize, len: usize) -> Self {
        let steps = shapes::slice_steps(&self.shape(), axis, start, step, len);
        let (at, shape) = steps.or_panic();
        self.stepped(at, start, step, shape)
    }

    /// Does the same as [`Tensor::slice_steps`] with checked indices and the shape of the result.
    fn stepped(&self, axis: usize, start: usize, step: isize, shape: Shape) -> Self {
        let mut strides = self.strides();
        // An empty result reads no element, so `start` may lie behind the end of the axis.
        let offset = if shape.contains(&0) { 0 } else { start as isize * strides[axis] };
        if shape[axis] > 1 {
            strides[axis] *= step;
        }
        // SAFETY: every index lies within the axis, so every element is one of `self`.
        unsafe { self.view(shape, strides, offset) }
    }

    /// Returns a view that repeats the elements to a larger shape. Axes are matched from the last. New axes
    /// and axes of size 1 are repeated with stride 0, without a copy.
    ///
    /// # Panics
    /// If the size of an axis would change that is not 1.
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl Sizes) -> Self {
        let shape = shape.shape_for("broadcast_to").or_panic();
        let to = shapes::broadcast_to(&self.shape(), &shape).or_panic();
        // SAFETY: repeated axes have stride 0, the others have the strides of `self`. A target
        // without elements reads none.
        unsafe { self.view(to, self.broadcast_strides(&to), 0) }
    }

    /// Returns a view with the order of the indices reversed along these axes: `flip(0)`, `flip([0, -1])`.
    ///
    /// # Panics
    /// If the tensor has no such axis, or an axis is named twice.
    #[track_caller]
    pub fn flip(&self, axes: impl Sizes) -> Self {
        let shape = self.shape();
        let axes = shapes::flip(&shape, &axes.sizes()).or_panic();
        let back = |x: Self, &at: &usize| x.stepped(at, shape[at].saturating_sub(1), -1, shape);
        axes.iter().fold(self.clone(), back)
    }
}

impl<T: Element> Tensor<T> {
    /// Returns the strides of this tensor repeated to `shape`. Repeated axes have stride 0.
    pub(crate) fn broadcast_strides(&self, shape: &Shape) -> Strides {
        let (own, strides) = (self.shape(), self.strides());
        let lead = shape.rank() - own.rank();
        let mut out = Strides::new(&[0; MAX_RANK][..shape.rank()]);
        for axis in 0..own.rank() {
            out[lead + axis] = if own[axis] == shape[lead + axis] { strides[axis] } else { 0 };
        }
        out
    }
}

#[cfg(test)]
mod tests;

/// Returns a copy that shares no memory with `x` and whose axes have the same order in memory as those of
/// `x`. The rounding of a sum depends on that order, so sums of the copy and of `x` have the same bits.
pub fn copied_in_order<T: Element>(x: &Tensor<T>) -> Tensor<T> {
    let strides = x.strides();
    let mut order: Vec<isize> = (0..x.rank() as isize).collect();
    order.sort_by_key(|&axis| Reverse(strides[axis as usize].unsigned_abs()));
    let mut back = order.clone();
    for (to, &from) in order.iter().enumerate() {
        back[from as usize] = to as isize;
    }
    x.permute(&order).copied().permute(&back)
}
