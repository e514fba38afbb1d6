//! Reductions: sum, mean, extremes, variance, log-sum-exp over any axes.
//!
//! An axis may count from the end; an empty list names all axes. With `keepdim` the reduced axes
//! stay, with size 1, so that the result broadcasts against what it came from. Nothing depends on
//! the number of threads: the same numbers give the same bits.

mod columns;
mod kernel;
mod layout;
pub(crate) mod plain;
mod position;
mod reducer;
#[cfg(test)]
mod tests;
mod truth;

use crate::kernels::pointwise::Program;
use crate::layout::Sizes;
use crate::layout::{MAX_RANK, Shape};
use crate::machine::{Isa, Kernel, dispatch};
use crate::shapes::{self, OrPanic};
use crate::tensor::Tensor;
use crate::tensor::{Element, Float, Number};
pub(crate) use kernel::{Cut, cut, join};
use kernel::{fold, line, pieces};
pub use layout::Reduction;
use reducer::{Exps, Max, Min, Sum};

/// Sums.
impl<T: Element> Tensor<T> {
    /// Σx over these axes, all if none is named. The sum of nothing is 0.
    ///
    /// Integers and booleans (as 0 and 1) are summed exactly, and their sums are `i64`.
    ///
    /// Floating-point sums run pairwise. Over all axes of a contiguous tensor the error is at most
    /// `(16 + log2 n)·u·Σ|x|`, where `n` numbers are added and `u` is half the distance from 1 to
    /// the next number; over other axes at most `(40·r + log2 n)·u·Σ|x|`, where `r` counts the
    /// runs of neighbouring axes among them.
    ///
    /// ```
    /// use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.sum(&[0], false).to_vec(), [4.0, 6.0]);
    /// assert_eq!(x.sum(&[-1], true).shape(), [2, 1]);
    /// assert_eq!(x.sum(&[], false).item(), 10.0);
    /// assert_eq!(Tensor::from([200u8, 100]).sum(&[], false).item(), 300i64);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, one is named twice, or a sum of integers is no `i64`.
    #[track_caller]
    pub fn sum(&self, axes: &[isize], keepdim: bool) -> Tensor<T::Sum> {
        let reduced = shapes::reduce("sum", &self.shape(), axes).or_panic();
        fitting("sum", T::sum_along(self, Reduction::new(self, &reduced, keepdim)))
    }

    /// Σx over all elements, as a number. Integers and booleans are summed exactly, in `i64`.
    ///
    /// # Panics
    /// If a sum of integers is no `i64`.
    #[track_caller]
    pub fn sum_all(&self) -> T::Sum {
        match self.as_slice() {
            Some(elements) => fitting("sum_all", T::total(elements)),
            None => self.sum(&[], false).item(),
        }
    }

    /// Σx / n over all elements, as a number. The mean of nothing is NaN.
    ///
    /// Of floats the mean is computed in their type. Of integers and booleans (as 0 and 1) the sum
    /// is exact, and need not be an `i64`.
    ///
    /// ```
    /// use wengert_tensor::Tensor;
    /// let (labels, predicted) = (Tensor::from([2i64, 0, 1, 1]), Tensor::from([2i64, 0, 0, 1]));
    /// assert_eq!(predicted.eq(&labels).mean_all(), 0.75);
    /// ```
    pub fn mean_all(&self) -> f64 {
        T::mean(self)
    }

    /// The adjoint of [`broadcast_to`](Tensor::broadcast_to): sums over the axes along which a
    /// tensor of this shape would be repeated to the shape of `self`. Sums of integers and
    /// booleans are `i64`.
    ///
    /// # Panics
    /// If `shape` does not broadcast to the shape of `self`, or a sum of integers is no `i64`.
    #[track_caller]
    pub fn sum_to(&self, shape: impl Sizes) -> Tensor<T::Sum> {
        let shape = shape.shape_for("sum_to").or_panic();
        let shape = shapes::reduce_to("sum_to", &self.shape(), &shape).or_panic();
        match onto(self, shape) {
            Some(reduction) => fitting("sum_to", T::sum_along(self, reduction)),
            None => self.cast(),
        }
    }
}

/// A sum that fits its type.
#[inline]
#[track_caller]
fn fitting<S>(op: &str, sum: Option<S>) -> S {
    match sum {
        Some(sum) => sum,
        None => panic!("{op}: a sum does not fit i64: cast to f64 first"),
    }
}

/// Extremes.
impl<T: Number> Tensor<T> {
    /// The largest element over these axes, all if none is named; NaN if there is one.
    ///
    /// # Panics
    /// If there is no such axis, one is named twice, or nothing lies along them.
    #[track_caller]
    pub fn max(&self, axes: &[isize], keepdim: bool) -> Self {
        let reduction =
            Reduction::new(self, &shapes::extreme("max", &self.shape(), axes).or_panic(), keepdim);
        reduction.of(Fold::Max, self)
    }

    /// The smallest element over these axes, all if none is named; NaN if there is one.
    ///
    /// # Panics
    /// If there is no such axis, one is named twice, or nothing lies along them.
    #[track_caller]
    pub fn min(&self, axes: &[isize], keepdim: bool) -> Self {
        let reduction =
            Reduction::new(self, &shapes::extreme("min", &self.shape(), axes).or_panic(), keepdim);
        reduction.of(Fold::Min, self)
    }

    /// Where along this axis the largest element is: the first of several; a NaN counts as the
    /// largest.
    ///
    /// ```
    /// use wengert_tensor::Tensor;
    /// let scores = Tensor::from([[0.1, 0.7, 0.2], [0.5, 0.0, 0.5]]);
    /// assert_eq!(scores.argmax(-1, false).to_vec(), [1, 0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, or nothing lies along it.
    #[track_caller]
    pub fn argmax(&self, axis: isize, keepdim: bool) -> Tensor<i64> {
        position::along("argmax", Fold::Max, self, axis, keepdim)
    }

    /// Where along this axis the smallest element is: the first of several; a NaN counts as the
    /// smallest.
    ///
    /// # Panics
    /// If there is no such axis, or nothing lies along it.
    #[track_caller]
    pub fn argmin(&self, axis: isize, keepdim: bool) -> Tensor<i64> {
        position::along("argmin", Fold::Min, self, axis, keepdim)
    }

    /// The largest elements over the axes that `shape`, of the same rank, gives the size 1.
    ///
    /// # Panics
    /// If `shape` does not broadcast to the shape of `self`, or nothing lies along such an axis.
    #[doc(hidden)]
    #[track_caller]
    pub fn max_to(&self, shape: &[usize]) -> Self {
        let shape = shapes::extreme_to("max_to", &self.shape(), shape).or_panic();
        match onto(self, shape) {
            Some(reduction) => reduction.of(Fold::Max, self),
            None => self.clone(),
        }
    }

    /// The smallest elements over the axes that `shape`, of the same rank, gives the size 1.
    ///
    /// # Panics
    /// If `shape` does not broadcast to the shape of `self`, or nothing lies along such an axis.
    #[doc(hidden)]
    #[track_caller]
    pub fn min_to(&self, shape: &[usize]) -> Self {
        let shape = shapes::extreme_to("min_to", &self.shape(), shape).or_panic();
        match onto(self, shape) {
            Some(reduction) => reduction.of(Fold::Min, self),
            None => self.clone(),
        }
    }
}

/// Reductions of floating-point numbers.
impl<T: Float> Tensor<T> {
    /// Σx / n over these axes, all if none is named. The mean of nothing is NaN.
    ///
    /// # Panics
    /// If there is no such axis, or one is named twice.
    #[track_caller]
    pub fn mean(&self, axes: &[isize], keepdim: bool) -> Self {
        let reduction =
            Reduction::new(self, &shapes::reduce("mean", &self.shape(), axes).or_panic(), keepdim);
        let count = T::of(reduction.count() as f64);
        let mut out = fitting("mean", T::sum_along(self, reduction));
        divide(out.make_mut(), count);
        out
    }

    /// The variance Σ(x - mean)² / (n - correction) over these axes, all if none is named.
    ///
    /// `correction` 1 gives the unbiased estimate, `PyTorch`'s default; 0 the variance of the
    /// numbers themselves. In two passes, so that a large mean cancels nothing (Chan, Golub and
    /// `LeVeque`, Algorithms for Computing the Sample Variance, 1983). Where `n - correction` is not
    /// positive: NaN if all numbers are equal, as with a single one, else infinity.
    ///
    /// ```
    /// use wengert_tensor::Tensor;
    /// let x = Tensor::from([1.0, 2.0, 3.0, 4.0]);
    /// assert_eq!(x.var(&[], false, 0).item(), 1.25);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, or one is named twice.
    #[track_caller]
    pub fn var(&self, axes: &[isize], keepdim: bool, correction: usize) -> Self {
        let reduced = shapes::reduce("var", &self.shape(), axes).or_panic();
        let count = Reduction::new(self, &reduced, true).count();
        let squares = Program::new(|[x, mean]| [(x - mean).powi(2)]);
        let inputs = [self, &self.mean(axes, true)];
        let mut out = squares.sum_to(&inputs, &self.shape(), &reduced.kept);
        divide(out.make_mut(), T::of(count.saturating_sub(correction) as f64));
        if keepdim { out } else { out.with_shape(reduced.dropped) }
    }

    /// ln Σ exp(x) over these axes, all if none is named: the smooth maximum.
    ///
    /// Shifted by the largest element, so that nothing overflows:
    /// `m + ln Σ exp(x - m)`. A row of negative infinities gives negative infinity, as does an
    /// empty one; an infinity gives infinity; a NaN gives NaN.
    ///
    /// ```
    /// use wengert_tensor::Tensor;
    /// let x = Tensor::from([1e4f64, 1e4]);
    /// assert_eq!(x.logsumexp(&[], false).item(), 1e4 + 2f64.ln());
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, or one is named twice.
    #[track_caller]
    pub fn logsumexp(&self, axes: &[isize], keepdim: bool) -> Self {
        let reduced = shapes::reduce("logsumexp", &self.shape(), axes).or_panic();
        T::logsumexp(self, Reduction::new(self, &reduced, keepdim))
    }

    /// ln (eˣ / Σ eˣ) along an axis. The maximum is subtracted first, so that the small differences
    /// that count are not rounded away beside large numbers.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn log_softmax(&self, axis: isize) -> Self {
        shapes::axis("log_softmax", axis, &self.shape()).or_panic();
        if self.numel() == 0 {
            return self.clone();
        }
        let shifted = self - self.max(&[axis], true);
        let norm = shifted.logsumexp(&[axis], true);
        shifted - norm
    }

    /// eˣ / Σ eˣ along an axis: numbers from 0 to 1 whose sum is 1.
    ///
    /// ```
    /// use wengert_tensor::Tensor;
    /// let x = Tensor::from([1e4, 1e4]);
    /// assert_eq!(x.softmax(0).to_vec(), [0.5, 0.5]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn softmax(&self, axis: isize) -> Self {
        shapes::axis("softmax", axis, &self.shape()).or_panic();
        self.log_softmax(axis).exp()
    }

    /// [`logsumexp`](Tensor::logsumexp) over the axes that `shape`, of the same rank, gives the
    /// size 1.
    ///
    /// # Panics
    /// If `shape` does not broadcast to the shape of `self`.
    #[doc(hidden)]
    #[track_caller]
    pub fn logsumexp_to(&self, shape: &[usize]) -> Self {
        let shape = shapes::reduce_to("logsumexp_to", &self.shape(), shape).or_panic();
        match onto(self, shape) {
            Some(reduction) => T::logsumexp(self, reduction),
            None => self.clone(),
        }
    }
}

/// The reduction that leads to this shape, which fits; `None` if it is the tensor's own.
fn onto<T: Element>(x: &Tensor<T>, shape: Shape) -> Option<Reduction> {
    let own = x.shape();
    if own == shape {
        return None;
    }
    let lead = own.rank() - shape.rank();
    let mut chosen = [false; MAX_RANK];
    for axis in 0..own.rank() {
        chosen[axis] = axis < lead || own[axis] != shape[axis - lead];
    }
    Some(Reduction::onto(x, chosen, shape))
}

fn divide<T: Float>(numbers: &mut [T], by: T) {
    for x in numbers {
        *x = *x / by;
    }
}

/// Which element along the reduced axes is taken.
#[derive(Clone, Copy)]
pub enum Fold {
    Max,
    Min,
}

impl Reduction {
    fn of<T: Number>(self, op: Fold, x: &Tensor<T>) -> Tensor<T> {
        T::reduce(op, x, self)
    }
}

/// The extremes, for each number type behind [`Kernels`](crate::kernels::compiled::Kernels).
pub(crate) fn fold_axes<T: Float>(op: Fold, x: &Tensor<T>, reduction: Reduction) -> Tensor<T> {
    match op {
        Fold::Max => reduction.staged::<T, Max>(x),
        Fold::Min => reduction.staged::<T, Min>(x),
    }
}

pub(crate) fn sum_axes<T: Float>(x: &Tensor<T>, reduction: Reduction) -> Tensor<T> {
    reduction.staged::<T, Sum>(x)
}

/// `[outer, n, inner] → [outer, inner]`.
pub(crate) fn sum_middle<T: Float>(x: &[T], sizes: [usize; 3], out: &mut [T]) {
    fold::<T, Sum>(x, sizes, &[], out);
}

pub(crate) fn total<T: Float>(x: &[T]) -> T {
    line::<T, Sum>(x, T::default())
}

pub(crate) fn position_along<T: Float>(
    op: Fold,
    x: &Tensor<T>,
    reduction: Reduction,
) -> Tensor<i64> {
    match op {
        Fold::Min => position::find::<T, Min>(x, reduction),
        Fold::Max => position::find::<T, Max>(x, reduction),
    }
}

pub(crate) fn log_sum_exp<T: Float>(x: &Tensor<T>, reduction: Reduction) -> Tensor<T> {
    if x.numel() == 0 {
        return reduction.empty(T::NEG_INFINITY);
    }
    if let Some(alone) = reduction.of_single_numbers(x) {
        return alone;
    }
    reduction.whole(x, |x, sizes, out| {
        pieces(x, sizes, out, &|x, sizes, out| {
            fold::<T, Max>(x, sizes, &[], out);
            let mut shifts = out.to_vec();
            for m in &mut shifts {
                // Infinity less itself would be NaN; without a shift an infinity comes out right.
                if *m == T::INFINITY || *m == T::NEG_INFINITY {
                    *m = T::default();
                }
            }
            fold::<T, Exps>(x, sizes, &shifts, out);
            dispatch(ShiftedLn { shifts: &shifts, out });
        });
    })
}

struct ShiftedLn<'a, T> {
    shifts: &'a [T],
    out: &'a mut [T],
}

impl<T: Float> Kernel for ShiftedLn<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        for (out, &shift) in self.out.iter_mut().zip(self.shifts) {
            *out = shift + out.ln::<I>();
        }
    }
}
