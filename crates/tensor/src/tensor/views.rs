//! Views: other ways to read the same numbers. Only [`Tensor::reshape`] and [`Tensor::flatten`]
//! ever copy, and only where no strides can say what is wanted.

use crate::kernels;
use crate::layout::{Collapsed, MAX_RANK, Shape, Sizes, Strides};
use crate::shapes::{self, OrPanic};
use crate::tensor::{Element, Tensor};
use std::cmp::Reverse;

/// The strides with which elements that lie in layout `old` are read under shape `new` in the same
/// order; `None` if there are none and only a copy helps.
fn reshaped_strides(old: &Collapsed, new: &[usize]) -> Option<Strides> {
    let mut out = Strides::row_major(new);
    if new.contains(&0) {
        return Some(out);
    }
    // Collapsed axes cannot be merged further, so each new axis must come out of a single one.
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
    /// The same elements in the same (row-major) order under another shape, written in any of the
    /// ways of [`Sizes`]. One size may be -1: what the others leave. A view wherever strides can say
    /// it (always if the elements lie in reading order, often otherwise); else a copy.
    ///
    /// ```
    /// use wengert_tensor::Tensor;
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
    /// If the numbers of elements differ, or more than one size is -1.
    #[track_caller]
    pub fn reshape(&self, shape: impl Sizes) -> Self {
        self.with_shape(shapes::reshape(&self.shape(), &shape.sizes()).or_panic())
    }

    /// [`Tensor::reshape`] to a shape that is known to fit.
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
        unsafe { kernels::copy(self.ptr(), self.collapsed(), out.fresh_mut()) }
        out
    }

    /// Merges the axes from `start` to `end`, both included, into one. A scalar becomes a vector.
    ///
    /// # Panics
    /// If there is no such axis, or `end` comes before `start`.
    #[track_caller]
    pub fn flatten(&self, start: isize, end: isize) -> Self {
        self.with_shape(shapes::flatten(&self.shape(), start, end).or_panic())
    }

    /// Puts the axes in another order: axis `i` of the result is axis `axes[i]` of `self`.
    ///
    /// # Panics
    /// If `axes` does not name every axis once.
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

    /// Exchanges two axes.
    ///
    /// # Panics
    /// If there is no such axis.
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

    /// Exchanges the last two axes: each matrix of a stack transposed.
    ///
    /// # Panics
    /// With fewer than two axes.
    #[track_caller]
    pub fn t(&self) -> Self {
        shapes::t(&self.shape()).or_panic();
        self.transpose(-2, -1)
    }

    /// Removes an axis of size 1.
    ///
    /// # Panics
    /// If there is no such axis, or its size is not 1.
    #[track_caller]
    pub fn squeeze(&self, axis: isize) -> Self {
        self.with_shape(shapes::squeeze(&self.shape(), axis).or_panic())
    }

    /// Puts an axis of size 1 in front of position `axis`; -1 makes it the last.
    ///
    /// # Panics
    /// If there is no such position.
    #[track_caller]
    pub fn unsqueeze(&self, axis: isize) -> Self {
        self.with_shape(shapes::unsqueeze(&self.shape(), axis).or_panic())
    }

    /// The `len` indices from `start` on along one axis.
    ///
    /// # Panics
    /// If there is no such axis, or it is shorter than `start + len`.
    #[track_caller]
    pub fn narrow(&self, axis: isize, start: usize, len: usize) -> Self {
        let (at, shape) = shapes::narrow(&self.shape(), axis, start, len).or_panic();
        self.stepped(at, start, 1, shape)
    }

    /// The indices from `start` to before `end`, `step` apart, along one axis, as Python's
    /// `[start:end:step]`: negative bounds count from the end, bounds outside are moved to the
    /// nearest end, `None` is the end of the axis, a negative step walks backwards (see
    /// [`shapes::slice_range`]).
    ///
    /// ```
    /// use wengert_tensor::Tensor;
    /// let x = Tensor::arange(0.0, 6.0, 1.0);
    /// assert_eq!(x.slice(0, 1, -1, 2).to_vec(), [1.0, 3.0]);
    /// assert_eq!(x.slice(0, -2, None, 1).to_vec(), [4.0, 5.0]);
    /// assert_eq!(x.slice(0, None, None, -2).to_vec(), [5.0, 3.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, or `step` is zero.
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

    /// The indices `start, start + step, …` along one axis, `len` of them: a slice whose range is
    /// resolved already. The adjoint is [`Tensor::unslice`].
    ///
    /// # Panics
    /// If there is no such axis, or an index leads outside.
    #[doc(hidden)]
    #[track_caller]
    pub fn slice_steps(&self, axis: isize, start: usize, step: isize, len: usize) -> Self {
        let steps = shapes::slice_steps(&self.shape(), axis, start, step, len);
        let (at, shape) = steps.or_panic();
        self.stepped(at, start, step, shape)
    }

    /// A slice whose indices are known to lie within the axis; `shape` is that of the result.
    fn stepped(&self, axis: usize, start: usize, step: isize, shape: Shape) -> Self {
        let mut strides = self.strides();
        // Of nothing, no element need be found: the start may lie behind the last one.
        let offset = if shape.contains(&0) { 0 } else { start as isize * strides[axis] };
        if shape[axis] > 1 {
            strides[axis] *= step;
        }
        // SAFETY: every index lies within the axis, so every element is one of `self`.
        unsafe { self.view(shape, strides, offset) }
    }

    /// Repeats to a larger shape without a copy: axes are matched from the last; new axes and axes
    /// of size 1 are repeated.
    ///
    /// # Panics
    /// If an axis that is not of size 1 would change.
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl Sizes) -> Self {
        let shape = shape.shape_for("broadcast_to").or_panic();
        let to = shapes::broadcast_to(&self.shape(), &shape).or_panic();
        // SAFETY: repeated axes do not step, the others are those of `self`. A target without
        // elements reads none.
        unsafe { self.view(to, self.broadcast_strides(&to), 0) }
    }

    /// Reverses the order along one axis.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn flip(&self, axis: isize) -> Self {
        let shape = self.shape();
        let at = shapes::axis("flip", axis, &shape).or_panic();
        self.stepped(at, shape[at].saturating_sub(1), -1, shape)
    }
}

impl<T: Element> Tensor<T> {
    pub(crate) fn collapsed(&self) -> Collapsed {
        Collapsed::new(&self.shape(), &self.strides())
    }

    /// The layout this tensor has when it is repeated to `shape`: repeated axes do not step.
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

/// The same elements in memory of their own, with the axes in the order that they have in this tensor's
/// memory. What depends on that order, as the rounding of sums does, is the same for the copy.
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
