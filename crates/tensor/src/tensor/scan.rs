//! Running results along an axis: sums, products, log-sum-exp.

use super::{Element, Float, Number, Tensor};
use crate::kernels::{Scan, ScanKernel, scan::ScanSizes};
use crate::shapes::{self, OrPanic};

/// Scans along an axis, and the same loops for the second operand of a linear recurrence. Returns `None` if
/// a result does not fit the type.
fn scanned<S: Number + ScanKernel>(
    op: Scan,
    reverse: bool,
    x: [&Tensor<S>; 2],
    axis: usize,
    last_counts: bool,
) -> Option<Tensor<S>> {
    let shape = x[0].shape();
    let mut out = Tensor::empty(shape);
    if out.numel() == 0 {
        return Some(out);
    }
    let x = x.map(Tensor::contiguous);
    let how = ScanSizes { sizes: shape.around(axis), reverse, last_counts };
    let x = x.each_ref().map(|x| x.as_slice().unwrap_or_default());
    S::scan(op, how, x, out.fresh_mut()).then_some(out)
}

impl<T: Element> Tensor<T> {
    /// Returns the running sums along an axis: yᵢ = x₀ + … + xᵢ. Running sums of integers and booleans are
    /// exact, of type `i64`. Floats are added in `f64`, one after the other; lines of 65,536 or more elements are
    /// added in blocks.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0, 3.0]).cumsum(0).to_vec(), [1.0, 3.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no such axis, or a sum of integers does not fit `i64`.
    #[track_caller]
    pub fn cumsum(&self, axis: isize) -> Tensor<T::Sum> {
        self.running("cumsum", Scan::Sum, axis)
    }

    /// Returns the running products along an axis: yᵢ = x₀ · … · xᵢ. Products of integers and booleans are
    /// exact, of type `i64`. Floats are multiplied in `f64`, one after the other.
    ///
    /// # Panics
    /// If the tensor has no such axis, or a product of integers does not fit `i64`.
    #[track_caller]
    pub fn cumprod(&self, axis: isize) -> Tensor<T::Sum> {
        self.running("cumprod", Scan::Product, axis)
    }

    #[track_caller]
    fn running(&self, name: &str, op: Scan, axis: isize) -> Tensor<T::Sum> {
        let axis = shapes::axis(name, axis, &self.shape()).or_panic();
        let x = self.cast::<T::Sum>();
        let Some(out) = scanned(op, false, [&x, &x], axis, false) else {
            panic!("{name}: a result does not fit i64: cast to f64 first")
        };
        out
    }

    /// Returns the product Πx over these axes, or over all axes if `axes` is empty. The product of no
    /// elements is 1. `keepdim` keeps the reduced axes with size 1. Products of integers and booleans are
    /// exact, of type `i64`.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.prod(&[0], false).to_vec(), [3.0, 8.0]);
    /// assert_eq!(x.prod(&[], false).item(), 24.0);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no such axis, an axis is named twice, or a product of integers does not fit `i64`.
    #[track_caller]
    pub fn prod(&self, axes: &[isize], keepdim: bool) -> Tensor<T::Sum> {
        let reduced = shapes::reduce("prod", &self.shape(), axes).or_panic();
        let shape = if keepdim { reduced.kept } else { reduced.dropped };
        let (order, lines) = shapes::lines(&self.shape(), &reduced);
        let [.., n] = lines[..] else { unreachable!("the last axis is the reduced one") };
        if n == 0 {
            return Tensor::ones_of(&shape);
        }
        let x = self.permute(&order).with_shape(lines).cast::<T::Sum>();
        let Some(products) = scanned(Scan::Product, false, [&x, &x], lines.rank() - 1, true) else {
            panic!("prod: a product does not fit i64: cast to f64 first")
        };
        products.narrow(-1, n - 1, 1).copied().with_shape(shape)
    }

    /// Returns the number of elements that are not zero over these axes, or over all axes if `axes` is
    /// empty. NaN is not zero. `keepdim` keeps the reduced axes with size 1.
    ///
    /// # Panics
    /// If the tensor has no such axis, or an axis is named twice.
    #[track_caller]
    pub fn count_nonzero(&self, axes: &[isize], keepdim: bool) -> Tensor<i64> {
        shapes::reduce("count_nonzero", &self.shape(), axes).or_panic();
        self.cast::<bool>().sum(axes, keepdim)
    }
}

impl<T: Float> Tensor<T> {
    /// Returns the running log-sum-exp along an axis: yᵢ = ln (exp x₀ + … + exp xᵢ), computed without
    /// overflow, in `f64`.
    ///
    /// # Panics
    /// If the tensor has no such axis.
    #[track_caller]
    pub fn logcumsumexp(&self, axis: isize) -> Self {
        let axis = shapes::axis("logcumsumexp", axis, &self.shape()).or_panic();
        self.scan(Scan::LogSumExp, axis, false, self)
    }

    /// Scans along a resolved axis. [`Scan::Linear`] reads the factors from `self` and the summands from
    /// `other`, which has the same shape; other scans do not read `other`.
    #[doc(hidden)]
    pub fn scan(&self, op: Scan, axis: usize, reverse: bool, other: &Self) -> Self {
        scanned(op, reverse, [self, other], axis, false).expect("floats fit")
    }
}
