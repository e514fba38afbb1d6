//! Views: other ways to read the same numbers. Only [`Tensor::reshape`] and [`Tensor::flatten`]
//! ever copy, and only where no strides can say what is wanted.
//!
//! The functions that are not methods compute shapes and positions without a tensor: whoever
//! only needs to know what a view will look like asks them.

use crate::element::Element;
use crate::shape::{MAX_RANK, Shape, Strides, broadcasts_to, resolve_axis, resolve_reshape};
use crate::strided::{self, Collapsed};
use crate::tensor::Tensor;

/// Resolves `[start:end:step]` on an axis of this size as Python does: negative bounds count from
/// the end, bounds outside are moved to the nearest end, and a negative step walks backwards, from
/// `start` down to what comes before `end` is reached. A bound that is `None` is the end of the
/// axis on its side. Returns the first index, the step and how many indices there are.
///
/// ```
/// use wengert_tensor::slice_range;
/// assert_eq!(slice_range(10, Some(2), Some(8), 3), (2, 3, 2)); // 2 5
/// assert_eq!(slice_range(10, Some(-3), None, 1), (7, 1, 3)); // 7 8 9
/// assert_eq!(slice_range(10, None, None, -4), (9, -4, 3)); // 9 5 1
/// assert_eq!(slice_range(10, Some(4), Some(99), 1), (4, 1, 6)); // 4 5 6 7 8 9
/// ```
///
/// # Panics
/// If `step` is zero.
#[track_caller]
pub fn slice_range(
    size: usize,
    start: Option<isize>,
    end: Option<isize>,
    step: isize,
) -> (usize, isize, usize) {
    assert!(step != 0, "slice: the step must not be 0");
    let n = size as isize;
    // Where a walk in this direction may begin, and the first place behind its last.
    let (lowest, highest) = if step > 0 { (0, n) } else { (-1, n - 1) };
    let (first, last) = if step > 0 {
        (lowest, highest)
    } else {
        (highest, lowest)
    };
    let position = |index: isize| if index < 0 { index + n } else { index }.clamp(lowest, highest);
    let start = start.map_or(first, position);
    let end = end.map_or(last, position);
    let distance = (end - start) * step.signum();
    if distance <= 0 {
        return (0, step, 0);
    }
    (
        start as usize,
        step,
        (distance as usize - 1) / step.unsigned_abs() + 1,
    )
}

/// Resolves an axis that is about to be put in front of position `axis`: there is one more place
/// than there are axes, and -1 is the last.
///
/// # Panics
/// If there is no such place.
#[track_caller]
pub fn resolve_new_axis(op: &str, axis: isize, shape: &[usize]) -> usize {
    let places = shape.len() as isize + 1;
    let resolved = if axis < 0 { axis + places } else { axis };
    assert!(
        (0..places).contains(&resolved),
        "{op}: no place {axis} for a new axis in shape {shape:?}: it has places {}..{places}",
        -places
    );
    resolved as usize
}

/// Resolves an order of axes: position `i` of the result names the axis that comes to stand there.
///
/// # Panics
/// If it does not name every axis once.
#[track_caller]
pub fn resolve_permutation(axes: &[isize], shape: &[usize]) -> [usize; MAX_RANK] {
    assert!(
        axes.len() == shape.len(),
        "permute: {} axes given, a tensor of shape {shape:?} has {}",
        axes.len(),
        shape.len()
    );
    let mut order = [0; MAX_RANK];
    let mut seen = [false; MAX_RANK];
    for (to, &axis) in order.iter_mut().zip(axes) {
        let from = resolve_axis("permute", axis, shape);
        assert!(
            !seen[from],
            "permute: axis {axis} is named twice in {axes:?} (shape {shape:?})"
        );
        seen[from] = true;
        *to = from;
    }
    order
}

/// The shape after merging the axes from `start` to `end`, both included. A scalar becomes a
/// vector of one element.
///
/// # Panics
/// If there is no such axis, or `end` comes before `start`.
#[track_caller]
pub fn flattened_shape(start: isize, end: isize, shape: &[usize]) -> Shape {
    if shape.is_empty() && [0, -1].contains(&start) && [0, -1].contains(&end) {
        return Shape::from([1]);
    }
    let first = resolve_axis("flatten", start, shape);
    let last = resolve_axis("flatten", end, shape);
    assert!(
        first <= last,
        "flatten: axis {end} comes before axis {start} in shape {shape:?}"
    );
    let mut sizes: smallvec::SmallVec<[usize; MAX_RANK]> = shape[..=first].into();
    sizes[first] = shape[first..=last].iter().product();
    sizes.extend_from_slice(&shape[last + 1..]);
    Shape::new(&sizes)
}

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
    /// The same elements in the same (row-major) order under another shape. One size may be -1:
    /// what the others leave. A view wherever strides can say it (always if the elements lie in
    /// reading order, often otherwise); else a copy.
    ///
    /// ```
    /// use wengert_tensor::Tensor;
    /// let x = Tensor::arange(0.0, 12.0, 1.0).reshape(&[2, -1]);
    /// assert_eq!(x.shape(), [2, 6]);
    /// assert!(x.slice(1, 1, 5, 1).reshape(&[2, 2, 2]).shares_storage(&x));
    /// ```
    ///
    /// # Panics
    /// If the numbers of elements differ, or more than one size is -1.
    #[track_caller]
    pub fn reshape(&self, shape: &[isize]) -> Self {
        let shape = resolve_reshape(&self.shape(), shape);
        self.with_shape(shape)
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
        strided::copy(self, out.fresh_mut());
        out
    }

    /// Merges the axes from `start` to `end`, both included, into one. A scalar becomes a vector.
    ///
    /// # Panics
    /// If there is no such axis, or `end` comes before `start`.
    #[track_caller]
    pub fn flatten(&self, start: isize, end: isize) -> Self {
        self.with_shape(flattened_shape(start, end, &self.shape()))
    }

    /// Puts the axes in another order: axis `i` of the result is axis `axes[i]` of `self`.
    ///
    /// # Panics
    /// If `axes` does not name every axis once.
    #[track_caller]
    pub fn permute(&self, axes: &[isize]) -> Self {
        let (old, steps) = (self.shape(), self.strides());
        let order = resolve_permutation(axes, &old);
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
        let a = resolve_axis("transpose", a, &self.shape());
        let b = resolve_axis("transpose", b, &self.shape());
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
        let shape = self.shape();
        assert!(
            shape.rank() >= 2,
            "t: two axes needed, shape {shape} has {}; \
             a vector becomes a column with unsqueeze(-1), a row with unsqueeze(0)",
            shape.rank()
        );
        self.transpose(-2, -1)
    }

    /// Removes an axis of size 1.
    ///
    /// # Panics
    /// If there is no such axis, or its size is not 1.
    #[track_caller]
    pub fn squeeze(&self, axis: isize) -> Self {
        let shape = self.shape();
        let at = resolve_axis("squeeze", axis, &shape);
        assert!(
            shape[at] == 1,
            "squeeze: axis {axis} of shape {shape} has size {}, not 1",
            shape[at]
        );
        self.with_shape(shape.removed(at))
    }

    /// Puts an axis of size 1 in front of position `axis`; -1 makes it the last.
    ///
    /// # Panics
    /// If there is no such position.
    #[track_caller]
    pub fn unsqueeze(&self, axis: isize) -> Self {
        let at = resolve_new_axis("unsqueeze", axis, &self.shape());
        self.with_shape(self.shape().inserted(at, 1))
    }

    /// The `len` indices from `start` on along one axis.
    ///
    /// # Panics
    /// If there is no such axis, or it is shorter than `start + len`.
    #[track_caller]
    pub fn narrow(&self, axis: isize, start: usize, len: usize) -> Self {
        let shape = self.shape();
        let at = resolve_axis("narrow", axis, &shape);
        assert!(
            start.checked_add(len).is_some_and(|end| end <= shape[at]),
            "narrow: {len} indices from {start} on do not lie within axis {axis} of size {} \
             (shape {shape})",
            shape[at]
        );
        self.stepped(at, start, 1, len)
    }

    /// The indices from `start` to before `end`, `step` apart, along one axis, as Python's
    /// `[start:end:step]`: negative bounds count from the end, bounds outside are moved to the
    /// nearest end, `None` is the end of the axis, a negative step walks backwards (see
    /// [`slice_range`]).
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
        let at = resolve_axis("slice", axis, &self.shape());
        let (start, step, len) = slice_range(self.shape()[at], start.into(), end.into(), step);
        self.stepped(at, start, step, len)
    }

    /// The indices `start, start + step, …` along one axis, `len` of them: a slice whose range is
    /// resolved already. The adjoint is [`Tensor::unslice`].
    ///
    /// # Panics
    /// If there is no such axis, or an index leads outside.
    #[track_caller]
    pub fn slice_steps(&self, axis: isize, start: usize, step: isize, len: usize) -> Self {
        let shape = self.shape();
        let at = resolve_axis("slice_steps", axis, &shape);
        assert!(
            steps_fit(start, step, len, shape[at]),
            "slice_steps: {len} indices from {start} in steps of {step} do not lie within \
             axis {axis} of size {} (shape {shape})",
            shape[at]
        );
        self.stepped(at, start, step, len)
    }

    /// A slice whose indices are known to lie within the axis.
    fn stepped(&self, axis: usize, start: usize, step: isize, len: usize) -> Self {
        let shape = self.shape().with(axis, len);
        let mut strides = self.strides();
        debug_assert!(steps_fit(start, step, len, self.shape()[axis]));
        // Of nothing, no element need be found: the start may lie behind the last one.
        let offset = if shape.contains(&0) {
            0
        } else {
            start as isize * strides[axis]
        };
        if len > 1 {
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
    pub fn broadcast_to(&self, shape: &[usize]) -> Self {
        let to = Shape::new(shape);
        assert!(
            broadcasts_to(&self.shape(), shape),
            "broadcast_to: shape {} cannot be repeated to {to}: \
             axes are matched from the last, and only size 1 repeats",
            self.shape()
        );
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
        let at = resolve_axis("flip", axis, &self.shape());
        let size = self.shape()[at];
        self.stepped(at, size.saturating_sub(1), -1, size)
    }
}

/// Whether all of `start, start + step, …` (`len` of them) are indices of an axis of this size.
pub(crate) fn steps_fit(start: usize, step: isize, len: usize, size: usize) -> bool {
    let last = len
        .checked_sub(1)
        .map(|n| (n as i128) * (step as i128) + start as i128);
    last.is_none_or(|last| start < size && (0..size as i128).contains(&last))
}

#[cfg(test)]
mod tests;
