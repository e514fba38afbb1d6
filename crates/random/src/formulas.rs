//! Parts that the formulas of several distributions share.

use wengert_autograd::{Mask, Var};
use wengert_tensor::Float;

/// Euler's constant.
pub const EULER: f64 = 0.577_215_664_901_532_9;

/// Computes `f` of the values inside of the support and gives −∞ outside. `f` gets the number `inner` in the place of
/// a value outside, so that no derivative is NaN.
#[track_caller]
pub fn within<'t, T: Float>(
    x: Var<'t, T>,
    outside: Mask<'t, T>,
    inner: f64,
    f: impl FnOnce(Var<'t, T>) -> Var<'t, T>,
) -> Var<'t, T> {
    f(x.masked_fill(outside, inner)).masked_fill(outside, f64::NEG_INFINITY)
}

/// Returns c·ln(1 + x), which is 0 where c = 0 and x = -1.
#[track_caller]
pub fn xlog1py<'t, T: Float>(c: Var<'t, T>, x: Var<'t, T>) -> Var<'t, T> {
    let flat = c.eq(0) & x.le(-1);
    c * x.masked_fill(flat, 0).log1p()
}

/// Returns whether a value is not a count: negative, infinite or not whole. NaN is not counted among them, so that it
/// remains visible.
pub fn no_count<'t, T: Float>(x: Var<'t, T>) -> Mask<'t, T> {
    (x.lt(0) | x.ne(x.floor()) | x.isinf()) & !x.isnan()
}

/// Returns ln B(a, b), B being the beta function.
pub fn log_beta<'t, T: Float>(a: Var<'t, T>, b: Var<'t, T>) -> Var<'t, T> {
    a.lgamma() + b.lgamma() - (a + b).lgamma()
}

/// A probability, given directly or by its logit.
#[derive(Clone, Copy)]
pub struct Odds<'t, T: Float> {
    pub x: Var<'t, T>,
    pub logits: bool,
}

impl<'t, T: Float> Odds<'t, T> {
    pub fn probs(self) -> Var<'t, T> {
        if self.logits { self.x.sigmoid() } else { self.x }
    }

    /// Returns 1 - p.
    pub fn failure(self) -> Var<'t, T> {
        if self.logits { (-self.x).sigmoid() } else { 1.0 - self.x }
    }

    /// Returns c·ln p, which is 0 where both factors are 0.
    #[track_caller]
    pub fn times_log(self, c: Var<'t, T>) -> Var<'t, T> {
        if self.logits { -(c * (-self.x).softplus()) } else { c.xlogy(self.x) }
    }

    /// Returns c·ln(1 - p), which is 0 where c = 0 and p = 1.
    #[track_caller]
    pub fn times_log_failure(self, c: Var<'t, T>) -> Var<'t, T> {
        if self.logits { -(c * self.x.softplus()) } else { xlog1py(c, -self.x) }
    }

    /// Returns -p ln p - (1 - p) ln(1 - p). A probability of 0 or 1 contributes nothing to the derivative, which is infinite
    /// there.
    #[track_caller]
    pub fn entropy(self) -> Var<'t, T> {
        if self.logits {
            let x = self.x;
            return x.sigmoid() * (-x).softplus() + (-x).sigmoid() * x.softplus();
        }
        let certain = self.x.le(0) | self.x.ge(1);
        let p = self.x.masked_fill(certain, 0.5);
        let entropy = -(p * p.ln() + (1.0 - p) * (-p).log1p());
        entropy.masked_fill(certain, 0)
    }
}
