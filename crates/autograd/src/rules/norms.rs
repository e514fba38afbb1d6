//! Standard deviations and norms. Where a root is 0 its derivative is infinite; here it is 0.

use crate::graph::Var;
use wengert_tensor::{Float, shapes};

impl<T: Float> Var<'_, T> {
    /// Returns a power of elements that are not negative, with derivative 0 at 0, where the power is
    /// `at_zero`. The operand is replaced there, because a gate after the power would multiply its infinite
    /// derivative by 0.
    #[track_caller]
    fn apart_from_zero(self, at_zero: f64, power: impl Fn(Self) -> Self) -> Self {
        let zero = self.eq(0);
        Var::where_(zero, at_zero, power(Var::where_(zero, 1, self)))
    }

    /// Returns the standard deviation over axes: the square root of [`var`](Var::var). Where it is 0, its
    /// derivatives are 0, as in PyTorch.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn std(self, axes: &[isize], keepdim: bool, correction: usize) -> Self {
        self.fits(shapes::reduce("std", &self.shape(), axes));
        self.var(axes, keepdim, correction).apart_from_zero(0.0, Var::sqrt)
    }

    /// Returns the p-norm (Σ|x|ᵖ)^(1/p) over axes. `p` = ∞ gives the largest |x|, -∞ the smallest, and 0 the
    /// number of elements that are not zero, whose derivative is zero. Where a norm is 0, and by elements
    /// that are 0, the derivatives are 0. For `p` = ±∞ equal elements share the gradient.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([[0.0, -4.0], [0.0, 0.0]]));
    /// let y = x.norm(2.0, &[1], false);
    /// assert_eq!(y.value().to_vec(), [4.0, 0.0]);
    /// assert_eq!(y.sum_all().grad(&[x])[0].value().to_vec(), [0.0, -1.0, 0.0, 0.0]);
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
            self.square().sum(axes, keepdim).apart_from_zero(0.0, Var::sqrt)
        } else {
            let [whole, root] =
                [p, 1.0 / p].map(|p| move |x: Self| x.apart_from_zero(0f64.powf(p), |x| x.powf(p)));
            root(whole(self.abs()).sum(axes, keepdim))
        }
    }
}
