//! Standard deviations and norms. Where a root is 0 its derivative is infinite; here it is 0.

use crate::graph::Var;
use wengert_tensor::{Float, shapes};

impl<T: Float> Var<'_, T> {
    /// Returns self^p for elements that are not negative, with derivative 0 at 0. The operand is replaced
    /// where it is 0, because a gate after the power would multiply its infinite derivative by 0.
    #[track_caller]
    fn power_apart_from_zero(self, p: f64) -> Self {
        let zero = self.eq(0);
        let safe = Var::where_(zero, 1, self);
        Var::where_(zero, 0f64.powf(p), if p == 0.5 { safe.sqrt() } else { safe.powf(p) })
    }

    /// Returns the standard deviation over axes: the square root of [`var`](Var::var). Where it is 0, its
    /// derivatives are 0, as in PyTorch.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn std(self, axes: &[isize], keepdim: bool, correction: usize) -> Self {
        self.fits(shapes::reduce("std", &self.shape(), axes));
        self.var(axes, keepdim, correction).power_apart_from_zero(0.5)
    }

    /// Returns the variance and the mean over axes. See [`var`](Var::var) for `correction`.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn var_mean(self, axes: &[isize], keepdim: bool, correction: usize) -> (Self, Self) {
        self.fits(shapes::reduce("var_mean", &self.shape(), axes));
        (self.var(axes, keepdim, correction), self.mean(axes, keepdim))
    }

    /// Returns the p-norm (Σ|x|ᵖ)^(1/p) over axes. `p` = ∞ gives the largest |x|, -∞ the smallest, and 0 the
    /// number of elements that are not zero, whose derivative is zero. Where a norm is 0, and by elements
    /// that are 0, the derivatives are 0. For `p` = ±∞ equal elements share the gradient.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([[3.0, -4.0], [0.0, 0.0]]));
    /// let y = x.norm(2.0, &[1], false);
    /// assert_eq!(y.value().to_vec(), [5.0, 0.0]);
    /// assert_eq!(y.sum_all().grad(&[x])[0].value().to_vec(), [0.6, -0.8, 0.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice, `p` is NaN, or `p` is infinite and a reduced axis is
    /// empty.
    #[track_caller]
    pub fn norm(self, p: f64, axes: &[isize], keepdim: bool) -> Self {
        self.fits(shapes::norm(&self.shape(), axes, p));
        if p == f64::INFINITY {
            self.abs().max(axes, keepdim)
        } else if p == f64::NEG_INFINITY {
            self.abs().min(axes, keepdim)
        } else if p == 0.0 {
            self.ne(0).cast().sum(axes, keepdim)
        } else if p == 1.0 {
            self.abs().sum(axes, keepdim)
        } else if p == 2.0 {
            self.square().sum(axes, keepdim).power_apart_from_zero(0.5)
        } else {
            let powers = self.abs().power_apart_from_zero(p);
            powers.sum(axes, keepdim).power_apart_from_zero(1.0 / p)
        }
    }
}
