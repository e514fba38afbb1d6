//! Reading and adding at positions that are data: index tensors and masks.
//!
//! The adjoint of each function that reads is a function that adds: `index_select` ↔
//! `index_add_zeros`, `gather` ↔ `scatter_add`, `slice` ↔ `unslice`. Elements that are added to the same
//! position are added in row-major order, so results do not depend on the number of threads.
//!
//! Indices count from 0 and must lie within the axis. Unlike axes and the bounds of a slice, negative
//! negative indices are not allowed. A negative number in an index tensor is most often a label that means
//! "no class".

use crate::kernels::index;
use crate::kernels::row_sums::{MIN_WIDTH, sum_rows};
use crate::layout::{Collapsed, MAX_RANK, Shape, Strides};
use crate::machine::Shared;
use crate::shapes::{self, OrPanic};
use crate::tensor::{Element, Number, Operand, Tensor};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// Returns the indices as a contiguous tensor. Panics if an index lies outside the axis.
#[track_caller]
fn checked(op: &str, index: &Tensor<i64>, axis: isize, shape: &[usize]) -> Tensor<i64> {
    let index = index.contiguous();
    shapes::index_range(op, indices(&index), axis, shape).or_panic();
    index
}

/// Returns the numbers of an index tensor that [`checked`] returned.
fn indices(index: &Tensor<i64>) -> &[i64] {
    index.as_slice().unwrap_or_default()
}

impl<T: Element> Tensor<T> {
    /// Selects the indices `index[0], index[1], …` along one axis: `out[…, k, …] = self[…, index[k], …]`.
    /// An index may occur more than once. Use it to look up rows of an embedding or to take a batch from a
    /// data set. If `index` has several axes, they replace the axis: `out[…, j, k, …] = self[…, index[j, k], …]`
    /// (NumPy: `take`; PyTorch's `index_select` takes a vector). The adjoint is `index_add_zeros`.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// let rows = x.index_select(0, &Tensor::from([1, 0, 1]));
    /// assert_eq!(rows, Tensor::from([[3.0, 4.0], [1.0, 2.0], [3.0, 4.0]]));
    /// ```
    ///
    /// # Panics
    /// If the tensor has no such axis, `index` has no axes, or an index is negative or not below the size of the
    /// axis.
    #[track_caller]
    pub fn index_select(&self, axis: isize, index: &Tensor<i64>) -> Self {
        let shape = self.shape();
        let (at, out) = shapes::index_select(&shape, axis, &index.shape()).or_panic();
        let index = checked("index_select", index, axis, &shape);
        let axis = at;
        let mut out = Self::empty(out);
        if out.numel() == 0 {
            return out;
        }
        let strides = self.strides();
        let outer = Collapsed::new(&shape[..axis], &strides[..axis]);
        let rows = Collapsed::new(&shape[axis + 1..], &strides[axis + 1..]);
        // SAFETY: the index was checked, and the layouts are those of the axes of `self`.
        unsafe {
            index::select(
                self.ptr(),
                [outer, rows],
                strides[axis],
                indices(&index),
                out.fresh_mut(),
            );
        }
        out
    }

    /// Reads one element for each number of `index`, which gives the position along `axis`. The positions
    /// along the other axes are those of the number itself: for three axes and axis 1,
    /// `out[i, j, k] = self[i, index[i, j, k], k]`.
    ///
    /// The result has the shape of `index`, which may be shorter than `self` along the other axes.
    /// The adjoint is `scatter_add_zeros`.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let scores = Tensor::from([[0.1, 0.9], [0.8, 0.2]]);
    /// let of_labels = scores.gather(1, &Tensor::from([[1], [0]]));
    /// assert_eq!(of_labels, Tensor::from([[0.9], [0.8]]));
    /// ```
    ///
    /// # Panics
    /// If the tensor has no such axis, `index` has another number of axes than `self` or is longer than
    /// `self` along another axis than `axis`, or a number in `index` is negative or not below the size of
    /// the axis.
    #[track_caller]
    pub fn gather(&self, axis: isize, index: &Tensor<i64>) -> Self {
        let shape = self.shape();
        let (at, out) = shapes::gather(&shape, axis, &index.shape()).or_panic();
        let index = checked("gather", index, axis, &shape);
        let axis = at;
        let mut out = Self::empty(out);
        let of_index = index.shape();
        // SAFETY: the index was checked along `axis`, its shape along the other axes.
        unsafe {
            let strides = self.strides();
            index::gather(self.ptr(), &strides, of_index, axis, indices(&index), out.fresh_mut());
        }
        out
    }

    /// Returns zeros of this size along one axis, with the elements of `self` at the indices
    /// `start, start + step, …`. It is the adjoint of `slice_steps`.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([1.0, 2.0]).unslice(0, 4, -2, 6);
    /// assert_eq!(x.to_vec(), [0.0, 0.0, 2.0, 0.0, 1.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no such axis, or an index lies outside the axis.
    #[doc(hidden)]
    #[track_caller]
    pub fn unslice(&self, axis: isize, start: usize, step: isize, size: usize) -> Self {
        let shape = self.shape();
        let (at, out) = shapes::unslice(&shape, axis, start, step, size).or_panic();
        let len = shape[at];
        if step == 1 || len <= 1 {
            let mut padding = [(0, 0); MAX_RANK];
            padding[at] = (start, (size - len).saturating_sub(start));
            if start + len <= size {
                return self.padded(&padding[..shape.rank()], T::default());
            }
        }
        let mut out = Self::zeros_of(&out);
        if self.numel() == 0 {
            return out;
        }
        let source = self.contiguous();
        let from = source.as_slice().unwrap_or_default();
        let width = shape.around(at)[2];
        index::put_steps(from, len * width, (start, step), width, size * width, out.fresh_mut());
        out
    }

    /// Returns `value` where the mask is true, else the element of `self`. `value` is a tensor or a number.
    /// The mask, `value` and `self` broadcast.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([3.0, -1.0, 2.0]);
    /// assert_eq!(x.masked_fill(&x.lt(0), 0).to_vec(), [3.0, 0.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast, or `value` is a number that does not fit the integer type.
    #[track_caller]
    #[allow(clippy::needless_pass_by_value)] // numbers and sums are written in place
    pub fn masked_fill(&self, mask: &Tensor<bool>, value: impl Operand<T>) -> Self {
        let value = value.operand().tensor("masked_fill");
        let shape = shapes::broadcast("masked_fill", &mask.shape(), &self.shape()).or_panic();
        let shape = shapes::broadcast("masked_fill", &shape, &value.shape()).or_panic();
        choose(shape, mask, &value, self)
    }

    /// Returns the element of `a` where the condition is true, else the element of `b`. `a` and `b` are
    /// tensors or numbers. The condition, `a` and `b` broadcast.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let which = Tensor::from([[true], [false]]);
    /// let x = Tensor::where_(&which, &Tensor::from([1.0, 2.0]), 0.0);
    /// assert_eq!(x, Tensor::from([[1.0, 2.0], [0.0, 0.0]]));
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast, or a number does not fit the integer type.
    #[track_caller]
    #[allow(clippy::needless_pass_by_value)] // numbers and sums are written in place
    pub fn where_(condition: &Tensor<bool>, a: impl Operand<T>, b: impl Operand<T>) -> Self {
        let (a, b) = (a.operand().tensor("where_"), b.operand().tensor("where_"));
        let shape = shapes::select("where_", &condition.shape(), &a.shape(), &b.shape());
        choose(shape.or_panic(), condition, &a, &b)
    }
}

impl<T: Number> Tensor<T> {
    /// Returns zeros of size `len` along one axis, to which the rows of `self` are added:
    /// `out[…, index[k], …] += self[…, k, …]`. It is the adjoint of [`Tensor::index_select`].
    ///
    /// # Panics
    /// If the tensor has no such axis, the axes of `index` are not the axes of `self` from that axis on, a number in
    /// `index` is negative or not below `len`, or a sum of integers does not fit their type.
    #[doc(hidden)]
    #[track_caller]
    pub fn index_add_zeros(&self, axis: isize, index: &Tensor<i64>, len: usize) -> Self {
        let shape = self.shape();
        let (at, out) = shapes::index_add(&shape, axis, &index.shape(), len).or_panic();
        if let Some(sums) = self.summed_rows(at, index, out) {
            return sums;
        }
        let mut out = Self::zeros_of(&out);
        out.index_add_in_place(at as isize, index, self);
        out
    }

    /// Computes [`Tensor::index_add_zeros`] where rows are long enough for a kernel that writes each sum once. Returns
    /// `None` for other rows, and if a sum of integers was wrapped on the way.
    #[track_caller]
    fn summed_rows(&self, axis: usize, index: &Tensor<i64>, out: Shape) -> Option<Self> {
        let (shape, behind) = (self.shape(), axis + index.rank());
        let [_, len, width] = out.around(axis);
        if width < MIN_WIDTH || self.numel() == 0 || u32::try_from(index.numel()).is_err() {
            return None;
        }
        let strides = self.strides();
        let row = Collapsed::new(&shape[behind..], &strides[behind..]);
        let x = if row.inner() == (width, 1) { self.clone() } else { self.contiguous() };
        let rows = Collapsed::new(&shape[..behind], &x.strides()[..behind]);
        let index = checked("index_add", index, axis as isize, &out);
        let mut sums = Self::empty(out);
        // SAFETY: the index was checked, and `rows` leads to rows of neighbouring elements of x.
        let wrapped =
            unsafe { sum_rows(x.ptr(), rows, width, indices(&index), len, sums.fresh_mut()) };
        (!wrapped).then_some(sums)
    }

    /// Returns `self` with the rows of `source` added at these indices of an axis:
    /// `out[…, index[k], …] += source[…, k, …]`. If `index` names a row twice, both rows are added. If `index` has several
    /// axes, `source` has them in place of the axis: `out[…, index[j, k], …] += source[…, j, k, …]`.
    ///
    /// # Panics
    /// If the tensor has no such axis, `source` and `self` differ along another axis, `source` does not have the axes
    /// of `index` in place of `axis`, a number in `index` is negative or not below the size of the axis, or a sum of
    /// integers does not fit their type.
    #[track_caller]
    pub fn index_add(&self, axis: isize, index: &Tensor<i64>, source: &Self) -> Self {
        let mut out = self.copied();
        out.index_add_in_place(axis, index, source);
        out
    }

    /// Adds the rows of `source` to rows of `self`, in place: `self[…, index[k], …] +=
    /// source[…, k, …]`. If `index` names a row twice, both rows are added. The cost depends on the size of
    /// `source`, not on that of `self`.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let mut table = Tensor::from([[1.0, 1.0], [2.0, 2.0]]);
    /// table.index_add_in_place(0, &Tensor::from([1, 1]), &Tensor::from([[0.5, 0.0], [0.5, 1.0]]));
    /// assert_eq!(table, Tensor::from([[1.0, 1.0], [3.0, 3.0]]));
    /// ```
    ///
    /// # Panics
    /// As [`Tensor::index_add`].
    #[doc(hidden)]
    #[track_caller]
    pub fn index_add_in_place(&mut self, axis: isize, index: &Tensor<i64>, source: &Self) {
        let (shape, own) = (source.shape(), self.shape());
        let at = shapes::axis("index_add", axis, &own).or_panic();
        let [_, len, width] = own.around(at);
        let (_, wanted) = shapes::index_add(&shape, axis, &index.shape(), len).or_panic();
        shapes::part_fits("index_add", &own, &shape, &wanted).or_panic();
        let index = checked("index_add", index, axis, &own);
        if source.numel() == 0 {
            return;
        }
        let source = source.contiguous();
        let from = source.as_slice().unwrap_or_default();
        let (to, index) = (self.make_mut(), indices(&index));
        let wrapped = index::add_rows(to, len * width, width, index, from);
        if wrapped {
            let row = |k: usize| {
                let (block, i) = (k / index.len(), index[k % index.len()] as usize);
                (block * len + i) * width
            };
            let place = |(n, &x)| (row(n / width) + n % width, x);
            totals_fit("index_add", to, from.iter().enumerate().map(place));
        }
    }

    /// Adds `part` to the elements at the indices `start, start + step, …` along one axis, in place.
    /// The cost depends on the size of `part`, not on that of `self`.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let mut x = Tensor::zeros(&[6]);
    /// x.slice_add_in_place(0, 4, -2, &Tensor::from([1.0, 2.0]));
    /// assert_eq!(x.to_vec(), [0.0, 0.0, 2.0, 0.0, 1.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no such axis, `part` and `self` differ along another axis, an index lies outside
    /// the axis, or a sum of integers does not fit their type.
    #[doc(hidden)]
    #[track_caller]
    pub fn slice_add_in_place(&mut self, axis: isize, start: usize, step: isize, part: &Self) {
        let (shape, own) = (part.shape(), self.shape());
        let size = shapes::axis("slice_add", axis, &own).map(|at| own[at]).or_panic();
        let (at, wanted) =
            shapes::steps_to("slice_add", &shape, axis, start, step, size).or_panic();
        shapes::part_fits("slice_add", &own, &shape, &wanted).or_panic();
        if part.numel() == 0 {
            return;
        }
        let source = part.contiguous();
        let from = source.as_slice().unwrap_or_default();
        let width = shape.around(at)[2];
        let rows = shape[at];
        let to = self.make_mut();
        // Each position gets exactly one number, so a sum that overflows is the final sum.
        let too_large =
            index::add_steps(from, rows * width, (start, step), width, size * width, to);
        assert!(!too_large, "{}", no_sum::<T>("slice_add"));
    }

    /// Returns `self` with one element of `source` added for each number of `index`, which gives the position
    /// along `axis`. The positions along the other axes are those of the number itself: for three axes and
    /// axis 1, `out[i, index[i, j, k], k] += source[i, j, k]`.
    ///
    /// # Panics
    /// If the tensor has no such axis, the numbers of axes differ, `index` is longer than `source` along any
    /// axis or longer than `self` along another axis than `axis`, a number in `index` is negative or not
    /// below the size of the axis, or a sum of integers does not fit their type.
    #[track_caller]
    pub fn scatter_add(&self, axis: isize, index: &Tensor<i64>, source: &Self) -> Self {
        let mut out = self.copied();
        out.scatter_add_in_place(axis, index, source);
        out
    }

    /// Computes [`Tensor::scatter_add`] in place. The cost depends on the size of `index`, not on that of
    /// `self`.
    ///
    /// # Panics
    /// As [`Tensor::scatter_add`].
    #[doc(hidden)]
    #[track_caller]
    pub fn scatter_add_in_place(&mut self, axis: isize, index: &Tensor<i64>, source: &Self) {
        let shape = self.shape();
        let (of_index, of_source) = (index.shape(), source.shape());
        let at = shapes::scatter_add(&shape, axis, &of_index, &of_source).or_panic();
        let index = checked("scatter_add", index, axis, &shape);
        let axis = at;
        let mut part = source.clone();
        for (d, (&wanted, &size)) in of_index.iter().zip(of_source.iter()).enumerate() {
            if wanted < size {
                part = part.narrow(d as isize, 0, wanted);
            }
        }
        let part = part.contiguous();
        let strides = Strides::row_major(&shape);
        let to = self.make_mut();
        let (index, from) = (indices(&index), part.as_slice().unwrap_or_default());
        let wrapped = AtomicBool::new(false);
        let (sums, size, over_any) = (Shared(to.as_mut_ptr()), to.len(), &wrapped);
        let add = move |place: usize, x: T| {
            debug_assert!(place < size);
            // SAFETY: the index was checked, and one thread at a time has the sum at this place.
            let to = unsafe { &mut *sums.get().add(place) };
            let (sum, over) = to.adding(x);
            *to = sum;
            if over {
                over_any.store(true, Ordering::Relaxed);
            }
        };
        index::each_place_in_parallel(to.len(), of_index, axis, &strides, index, from, add);
        if wrapped.into_inner() {
            let mut added = Vec::with_capacity(from.len());
            index::each_place(of_index, axis, &strides, index, from, |place, x| {
                added.push((place, x));
            });
            totals_fit("scatter_add", to, added);
        }
    }

    /// Adds elements of `self` to zeros of this shape, as [`Tensor::scatter_add`] does. It is the adjoint of
    /// [`Tensor::gather`] from a tensor of this shape.
    ///
    /// # Panics
    /// As [`Tensor::scatter_add`].
    #[doc(hidden)]
    #[track_caller]
    pub fn scatter_add_zeros(&self, axis: isize, index: &Tensor<i64>, shape: &[usize]) -> Self {
        // The broadcast zeros need no memory of their own; `scatter_add` makes the only copy.
        Tensor::scalar_of(T::default()).broadcast_to(shape).scatter_add(axis, index, self)
    }
}

fn no_sum<T: Element>(op: &str) -> String {
    format!("{op}: a sum does not fit {}: cast to a wider type first", T::DTYPE)
}

/// Panics at the caller's line if a total of integers does not fit their type. `to` holds the results of
/// adding the numbers of `added` one by one; intermediate sums that did not fit were wrapped.
#[cold]
#[track_caller]
fn totals_fit<T: Number>(op: &str, to: &[T], added: impl IntoIterator<Item = (usize, T)>) {
    let mut totals = HashMap::<usize, i128>::new();
    for (place, x) in added {
        *totals.entry(place).or_default() += i128::from(x.cast_::<i64>());
    }
    let fit = totals.into_iter().all(|(place, total)| to[place].holds(total));
    assert!(fit, "{}", no_sum::<T>(op));
}

/// Returns `a` where the mask is true, else `b`, all broadcast to `shape`.
#[track_caller]
fn choose<T: Element>(
    shape: Shape,
    mask: &Tensor<bool>,
    a: &Tensor<T>,
    b: &Tensor<T>,
) -> Tensor<T> {
    let mut out = Tensor::<T>::empty(shape);
    let (mask, a, b) = (mask.near(), a.near(), b.near());
    let (mask, a, b) = (mask.source(&shape), a.source(&shape), b.source(&shape));
    // SAFETY: each source has the elements of its tensor, broadcast to `shape`.
    unsafe { T::choose(&mask, [&a, &b], out.fresh_mut()) }
    out
}

#[cfg(test)]
mod tests;
