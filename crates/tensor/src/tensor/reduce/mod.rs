//! Reductions over any axes: sum, mean, extremes, variance, log-sum-exp.
//!
//! A negative axis counts from the end. An empty list of axes reduces all axes. With `keepdim` the
//! reduced axes are kept with size 1, so that the result broadcasts against the operand. Results do not
//! depend on the number of threads: the same numbers give the same bits.

mod axes;
mod norms;
#[cfg(test)]
mod tests;
mod truth;

use super::{Element, Float, Number, Tensor};
use crate::kernels::reduce::{self, Extremum, plain};
use crate::kernels::{Binary, Program};
use crate::layout::{MAX_RANK, Shape, Sizes};
use crate::shapes::{self, OrPanic};
pub use axes::ReducedAxes;

/// Sums.
impl<T: Element> Tensor<T> {
    /// Returns the sum Σx over these axes, or over all axes if `axes` is empty. The sum of no elements is 0.
    /// `keepdim` keeps the reduced axes with size 1.
    ///
    /// Integers and booleans (as 0 and 1) are summed exactly, and their sums are `i64`.
    ///
    /// Floating-point numbers are summed pairwise. Over all axes of a contiguous tensor the error is at most
    /// `(16 + log2 n)·u·Σ|x|`, where `n` numbers are added and `u` is half the distance from 1 to
    /// the next number. Over other axes the error is at most `(40·r + log2 n)·u·Σ|x|`, where `r` is the
    /// number of runs of neighbouring axes among the reduced axes.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.sum(&[0], false).to_vec(), [4.0, 6.0]);
    /// assert_eq!(x.sum(&[-1], true).shape(), [2, 1]);
    /// assert_eq!(x.sum(&[], false).item(), 10.0);
    /// assert_eq!(Tensor::from([200u8, 100]).sum(&[], false).item(), 300i64);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no such axis, an axis is named twice, or a sum of integers does not fit `i64`.
    #[track_caller]
    pub fn sum(&self, axes: &[isize], keepdim: bool) -> Tensor<T::Sum> {
        let reduced = shapes::reduce("sum", &self.shape(), axes).or_panic();
        fitting("sum", T::sum_along(self, ReducedAxes::new(self, &reduced, keepdim)))
    }

    /// Returns the sum Σx of all elements as a number. Integers and booleans are summed exactly, in `i64`.
    ///
    /// # Panics
    /// If a sum of integers does not fit `i64`.
    #[track_caller]
    pub fn sum_all(&self) -> T::Sum {
        match self.as_slice() {
            Some(elements) => fitting("sum_all", T::total(elements)),
            None => self.sum(&[], false).item(),
        }
    }

    /// Returns the mean Σx / n of all elements as a number. The mean of no elements is NaN.
    ///
    /// The mean of floats is computed in their type. The sum of integers and booleans (as 0 and 1) is
    /// exact and may exceed `i64`.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let (labels, predicted) = (Tensor::from([2i64, 0, 1, 1]), Tensor::from([2i64, 0, 0, 1]));
    /// assert_eq!(predicted.eq(&labels).mean_all(), 0.75);
    /// ```
    pub fn mean_all(&self) -> f64 {
        T::mean(self)
    }

    /// Sums to a smaller shape: over the axes along which a tensor of this shape would be repeated to the
    /// shape of `self`. Sums of integers and booleans are `i64`. It is the adjoint of
    /// [`broadcast_to`](Tensor::broadcast_to).
    ///
    /// # Panics
    /// If `shape` does not broadcast to the shape of `self`, or a sum of integers does not fit `i64`.
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

/// Returns the sum, or panics if it does not fit its type.
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
    /// Returns the largest element over these axes, or over all axes if `axes` is empty. The result is NaN
    /// if an element is NaN. `keepdim` keeps the reduced axes with size 1.
    ///
    /// # Panics
    /// If the tensor has no such axis, an axis is named twice, or a result has no elements to choose from.
    #[track_caller]
    pub fn max(&self, axes: &[isize], keepdim: bool) -> Self {
        let reduction = ReducedAxes::new(
            self,
            &shapes::extreme("max", &self.shape(), axes).or_panic(),
            keepdim,
        );
        T::reduce(Extremum::Max, self, reduction)
    }

    /// Returns the smallest element over these axes, or over all axes if `axes` is empty. The result is NaN
    /// if an element is NaN. `keepdim` keeps the reduced axes with size 1.
    ///
    /// # Panics
    /// If the tensor has no such axis, an axis is named twice, or a result has no elements to choose from.
    #[track_caller]
    pub fn min(&self, axes: &[isize], keepdim: bool) -> Self {
        let reduction = ReducedAxes::new(
            self,
            &shapes::extreme("min", &self.shape(), axes).or_panic(),
            keepdim,
        );
        T::reduce(Extremum::Min, self, reduction)
    }

    /// Returns the index of the largest element along this axis. Of equal elements the first counts. NaN
    /// counts as the largest.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let scores = Tensor::from([[0.1, 0.7, 0.2], [0.5, 0.0, 0.5]]);
    /// assert_eq!(scores.argmax(-1, false).to_vec(), [1, 0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no such axis, or a result has no elements to choose from.
    #[track_caller]
    pub fn argmax(&self, axis: isize, keepdim: bool) -> Tensor<i64> {
        position_along("argmax", Extremum::Max, self, axis, keepdim)
    }

    /// Returns the index of the smallest element along this axis. Of equal elements the first counts. NaN
    /// counts as the smallest.
    ///
    /// # Panics
    /// If the tensor has no such axis, or a result has no elements to choose from.
    #[track_caller]
    pub fn argmin(&self, axis: isize, keepdim: bool) -> Tensor<i64> {
        position_along("argmin", Extremum::Min, self, axis, keepdim)
    }

    /// Returns the largest elements over the axes to which `shape`, of the same rank, gives the size 1.
    ///
    /// # Panics
    /// If `shape` does not broadcast to the shape of `self`, or a result has no elements to choose from.
    #[doc(hidden)]
    #[track_caller]
    pub fn max_to(&self, shape: &[usize]) -> Self {
        let shape = shapes::extreme_to("max_to", &self.shape(), shape).or_panic();
        match onto(self, shape) {
            Some(reduction) => T::reduce(Extremum::Max, self, reduction),
            None => self.clone(),
        }
    }

    /// Returns the smallest elements over the axes to which `shape`, of the same rank, gives the size 1.
    ///
    /// # Panics
    /// If `shape` does not broadcast to the shape of `self`, or a result has no elements to choose from.
    #[doc(hidden)]
    #[track_caller]
    pub fn min_to(&self, shape: &[usize]) -> Self {
        let shape = shapes::extreme_to("min_to", &self.shape(), shape).or_panic();
        match onto(self, shape) {
            Some(reduction) => T::reduce(Extremum::Min, self, reduction),
            None => self.clone(),
        }
    }
}

/// Reductions of floating-point numbers.
impl<T: Float> Tensor<T> {
    /// Returns the mean Σx / n over these axes, or over all axes if `axes` is empty. The mean of no elements
    /// is NaN. `keepdim` keeps the reduced axes with size 1.
    ///
    /// # Panics
    /// If the tensor has no such axis, or an axis is named twice.
    #[track_caller]
    pub fn mean(&self, axes: &[isize], keepdim: bool) -> Self {
        let reduction = ReducedAxes::new(
            self,
            &shapes::reduce("mean", &self.shape(), axes).or_panic(),
            keepdim,
        );
        let count = reduction.count() as f64;
        let mut out = fitting("mean", T::sum_along(self, reduction));
        divide(&mut out, count);
        out
    }

    /// Returns the variance Σ(x - mean)² / (n - correction) over these axes, or over all axes if `axes` is
    /// empty. `keepdim` keeps the reduced axes with size 1.
    ///
    /// `correction` 1 gives the unbiased estimate, the default of `PyTorch`. `correction` 0 gives the
    /// variance of the numbers themselves. If `n - correction` is not positive, the result is NaN where all
    /// numbers are equal (a single number is), else infinity.
    ///
    /// The mean is computed in a first pass and the squares in a second, which avoids cancellation where
    /// the mean is large (Chan, Golub and `LeVeque`, Algorithms for Computing the Sample Variance, 1983).
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([1.0, 2.0, 3.0, 4.0]);
    /// assert_eq!(x.var(&[], false, 0).item(), 1.25);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no such axis, or an axis is named twice.
    #[track_caller]
    pub fn var(&self, axes: &[isize], keepdim: bool, correction: usize) -> Self {
        let reduced = shapes::reduce("var", &self.shape(), axes).or_panic();
        let reduction = ReducedAxes::new(self, &reduced, true);
        let count = reduction.count();
        let mean = self.mean(axes, true);
        let mut out = if let Some(sizes) = reduction.one_run(self) {
            // Without a program, which would repeat the means to the length of the rows.
            let mut out = Tensor::empty(reduced.kept);
            let (x, mean) = (self.as_slice(), mean.as_slice());
            T::squares(x.unwrap_or_default(), sizes, mean.unwrap_or_default(), out.fresh_mut());
            out
        } else {
            let squares = Program::new(|[x, mean]| [(x - mean).powi(2)]);
            squares.sum_to(&[self, &mean], &self.shape(), &reduced.kept)
        };
        divide(&mut out, count.saturating_sub(correction) as f64);
        if keepdim { out } else { out.with_shape(reduced.dropped) }
    }

    /// Returns ln Σ exp(x), a smooth maximum, over these axes, or over all axes if `axes` is empty.
    /// `keepdim` keeps the reduced axes with size 1.
    ///
    /// The largest element m is subtracted first, so that nothing overflows: `m + ln Σ exp(x - m)`.
    /// The result is negative infinity if all elements are negative infinity or there are none, infinity
    /// if an element is infinity, and NaN if an element is NaN.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([1e4f64, 1e4]);
    /// assert_eq!(x.logsumexp(&[], false).item(), 1e4 + 2f64.ln());
    /// ```
    ///
    /// # Panics
    /// If the tensor has no such axis, or an axis is named twice.
    #[track_caller]
    pub fn logsumexp(&self, axes: &[isize], keepdim: bool) -> Self {
        let reduced = shapes::reduce("logsumexp", &self.shape(), axes).or_panic();
        T::log_sum_exp(self, ReducedAxes::new(self, &reduced, keepdim))
    }

    /// Computes [`logsumexp`](Tensor::logsumexp) over the axes to which `shape`, of the same rank, gives the
    /// size 1.
    ///
    /// # Panics
    /// If `shape` does not broadcast to the shape of `self`.
    #[doc(hidden)]
    #[track_caller]
    pub fn logsumexp_to(&self, shape: &[usize]) -> Self {
        let shape = shapes::reduce_to("logsumexp_to", &self.shape(), shape).or_panic();
        match onto(self, shape) {
            Some(reduction) => T::log_sum_exp(self, reduction),
            None => self.clone(),
        }
    }
}

/// Returns the reduction to this shape, which must broadcast to the shape of `x`; `None` if the shapes
/// are equal.
fn onto<T: Element>(x: &Tensor<T>, shape: Shape) -> Option<ReducedAxes> {
    let own = x.shape();
    if own == shape {
        return None;
    }
    let lead = own.rank() - shape.rank();
    let mut chosen = [false; MAX_RANK];
    for axis in 0..own.rank() {
        chosen[axis] = axis < lead || own[axis] != shape[axis - lead];
    }
    Some(ReducedAxes::onto(x, chosen, shape))
}

fn divide<T: Float>(numbers: &mut Tensor<T>, by: f64) {
    /// From this many numbers on, a pass with vectors is worth its preparation.
    const MANY: usize = 64;
    if numbers.numel() >= MANY {
        return T::assign_number(Binary::Div, numbers, by);
    }
    let by = T::of(by);
    for x in numbers.make_mut() {
        *x = *x / by;
    }
}

#[track_caller]
fn position_along<T: Number>(
    op: &str,
    which: Extremum,
    x: &Tensor<T>,
    axis: isize,
    keepdim: bool,
) -> Tensor<i64> {
    let reduced = shapes::extreme(op, &x.shape(), &[axis]).or_panic();
    let reduction = ReducedAxes::new(x, &reduced, keepdim);
    if x.numel() == 0 {
        return reduction.empty(0);
    }
    T::position(which, x, reduction)
}

/// Sums of every element type, compiled once for each.
pub trait Sums: Sized {
    /// Returns the mean of all elements.
    #[doc(hidden)]
    fn mean(x: &Tensor<Self>) -> f64
    where
        Self: Element;
    /// Sums along axes; `None` if a sum does not fit the type of sums.
    #[doc(hidden)]
    fn sum_along(x: &Tensor<Self>, reduction: ReducedAxes) -> Option<Tensor<Self::Sum>>
    where
        Self: Element;
    /// Sums all elements; `None` if the sum does not fit the type of sums.
    #[doc(hidden)]
    fn total(x: &[Self]) -> Option<Self::Sum>
    where
        Self: Element;
}

/// Extremes of every number type, compiled once for each.
pub trait ReduceKernels: Sized {
    /// Returns the extremes along axes.
    #[doc(hidden)]
    fn reduce(op: Extremum, x: &Tensor<Self>, reduction: ReducedAxes) -> Tensor<Self>
    where
        Self: Element;
    /// Returns the indices of the extremes along an axis, which must have elements.
    #[doc(hidden)]
    fn position(op: Extremum, x: &Tensor<Self>, reduction: ReducedAxes) -> Tensor<i64>
    where
        Self: Element;
}

/// Reductions for floating-point types only, compiled once for each type.
pub trait FloatReduceKernels: Sized {
    /// Computes the sums of the squares of the distances from these means, along the middle axis.
    #[doc(hidden)]
    fn squares(x: &[Self], sizes: [usize; 3], means: &[Self], out: &mut [Self]);
    /// Returns the log-sum-exp along axes.
    #[doc(hidden)]
    fn log_sum_exp(x: &Tensor<Self>, reduction: ReducedAxes) -> Tensor<Self>
    where
        Self: Element;
}

macro_rules! floats {
    ($($t:ident)*) => { $(
        impl Sums for $t {
            fn mean(x: &Tensor<Self>) -> f64 {
                (x.sum_all() / x.numel() as $t).into()
            }
            fn sum_along(x: &Tensor<Self>, reduction: ReducedAxes) -> Option<Tensor<Self>> {
                Some(reduction.staged(x, 0.0, &reduce::sum_middle))
            }
            fn total(x: &[Self]) -> Option<Self> {
                Some(reduce::total(x))
            }
        }
        impl ReduceKernels for $t {
            fn reduce(op: Extremum, x: &Tensor<$t>, reduction: ReducedAxes) -> Tensor<$t> {
                let of_nothing = match op {
                    Extremum::Max => $t::NEG_INFINITY,
                    Extremum::Min => $t::INFINITY,
                };
                reduction.staged(x, of_nothing, &|x, sizes, out| reduce::extremes(op, x, sizes, out))
            }
            fn position(op: Extremum, x: &Tensor<$t>, reduction: ReducedAxes) -> Tensor<i64> {
                reduction.in_one_call(x, &mut |x, sizes, out| reduce::positions(op, x, sizes, out))
            }
        }
        impl FloatReduceKernels for $t {
            fn squares(x: &[$t], sizes: [usize; 3], means: &[$t], out: &mut [$t]) {
                reduce::squares(x, sizes, means, out);
            }
            fn log_sum_exp(x: &Tensor<$t>, reduction: ReducedAxes) -> Tensor<$t> {
                if x.numel() == 0 {
                    return reduction.empty($t::NEG_INFINITY);
                }
                match reduction.of_single_numbers(x) {
                    Some(alone) => alone,
                    None => reduction.in_one_call(x, &mut reduce::log_sum_exp),
                }
            }
        }
    )* };
}
floats! { f32 f64 }

macro_rules! sums_in_i64 {
    ($($t:ident)*) => { $(
        impl Sums for $t {
            fn mean(x: &Tensor<Self>) -> f64 {
                let all = x.contiguous();
                plain::exact(all.as_slice().unwrap_or_default()) as f64 / x.numel() as f64
            }
            fn sum_along(x: &Tensor<Self>, reduction: ReducedAxes) -> Option<Tensor<i64>> {
                reduction.integer_sums(x)
            }
            fn total(x: &[Self]) -> Option<i64> {
                plain::total(x)
            }
        }
    )* };
}
sums_in_i64! { i64 u32 u8 bool }

macro_rules! integers {
    ($($t:ident)*) => { $(
        impl ReduceKernels for $t {
            fn reduce(op: Extremum, x: &Tensor<$t>, reduction: ReducedAxes) -> Tensor<$t> {
                if x.numel() == 0 {
                    return reduction.empty(0);
                }
                reduction.in_one_call(x, &mut |x, sizes, out| plain::extremes(op, x, sizes, out))
            }
            fn position(op: Extremum, x: &Tensor<$t>, reduction: ReducedAxes) -> Tensor<i64> {
                reduction.in_one_call(x, &mut |x, sizes, out| plain::positions(op, x, sizes, out))
            }
        }
    )* };
}
integers! { i64 u32 u8 }
