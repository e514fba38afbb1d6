//! Standard deviations and norms.

use super::ReducedAxes;
use crate::shapes::{self, OrPanic};
use crate::tensor::{Float, Tensor};

/// The number of channels from which the statistics of each are computed by one thread.
const CHANNELS: usize = 8;

impl<T: Float> Tensor<T> {
    /// Returns the standard deviation √(Σ(x - mean)² / (n - correction)) over these axes, or over all axes
    /// if `axes` is empty: the square root of [`var`](Tensor::var).
    ///
    /// # Panics
    /// If the tensor has no such axis, or an axis is named twice.
    #[track_caller]
    pub fn std(&self, axes: &[isize], keepdim: bool, correction: usize) -> Self {
        shapes::reduce("std", &self.shape(), axes).or_panic();
        self.var(axes, keepdim, correction).sqrt()
    }

    /// Returns the variance and the mean over these axes, or over all axes if `axes` is empty. See
    /// [`var`](Tensor::var) for `correction`.
    ///
    /// # Panics
    /// If the tensor has no such axis, or an axis is named twice.
    #[track_caller]
    pub fn var_mean(&self, axes: &[isize], keepdim: bool, correction: usize) -> (Self, Self) {
        let reduced = shapes::reduce("var_mean", &self.shape(), axes).or_panic();
        let reduction = ReducedAxes::new(self, &reduced, keepdim);
        let (Some(x), Some(sizes)) = (self.as_slice(), reduction.two_runs()) else {
            return (self.var(axes, keepdim, correction), self.mean(axes, keepdim));
        };
        let shape = if keepdim { reduced.kept } else { reduced.dropped };
        let (mut variance, mut mean) = (Tensor::empty(shape), Tensor::empty(shape));
        let divisor = reduction.count().saturating_sub(correction) as f64;
        let results = [mean.fresh_mut(), variance.fresh_mut()];
        match sizes {
            // Channels of images: there are enough of them for the threads.
            [1, n, channels, inner] if n > 1 && channels >= CHANNELS => {
                T::channel_moments(x, [n, channels, inner], divisor, results);
            }
            _ => T::moments(x, sizes, divisor, results),
        }
        (variance, mean)
    }

    /// Returns the p-norm (Σ|x|ᵖ)^(1/p) over these axes, or over all axes if `axes` is empty. `p` = ∞ gives
    /// the largest |x|, -∞ the smallest, and 0 the number of elements that are not zero. The elements are not
    /// scaled, so squares may overflow or underflow, as in PyTorch.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([3.0, -4.0]);
    /// assert_eq!(x.norm(2.0, &[], false).item(), 5.0);
    /// assert_eq!(x.norm(f64::INFINITY, &[], false).item(), 4.0);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no such axis, an axis is named twice, `p` is NaN, or `p` is infinite and a result has
    /// no elements to choose from.
    #[track_caller]
    pub fn norm(&self, p: f64, axes: &[isize], keepdim: bool) -> Self {
        shapes::norm(&self.shape(), axes, p).or_panic();
        if p == f64::INFINITY {
            self.abs().max(axes, keepdim)
        } else if p == f64::NEG_INFINITY {
            self.abs().min(axes, keepdim)
        } else if p == 0.0 {
            self.ne(0).cast::<T>().sum(axes, keepdim)
        } else if p == 1.0 {
            self.abs().sum(axes, keepdim)
        } else if p == 2.0 {
            self.square().sum(axes, keepdim).sqrt()
        } else {
            self.abs().powf(p).sum(axes, keepdim).powf(1.0 / p)
        }
    }
}
