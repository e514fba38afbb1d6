//! Operations of one operand.

use crate::graph::{Call, Op, Reads, Var};
use Unary::{
    Abs, ClampMax, ClampMin, Cos, DivScalar, Eq, Erf, Exp, Ge, Gt, Le, Ln, Lt, Ne, Neg, Powf, Powi,
    Recip, Relu, ScalarDiv, Scale, Shift, Sigmoid, Sign, Sin, Softplus, Sqrt, Tanh,
};
use std::f64::consts::FRAC_2_SQRT_PI;
use wengert_tensor::{Float, Opcode, Unary};

/// Returns whether the derivative can differ from zero.
pub(super) fn is_differentiable(op: Unary) -> bool {
    !matches!(op, Sign | Gt(_) | Ge(_) | Lt(_) | Le(_) | Eq(_) | Ne(_))
}

/// Returns the values that the rule reads.
pub(super) fn reads(op: Unary) -> Reads {
    match op {
        Abs | Ln | Sin | Cos | Softplus | Erf | Powi(_) | Powf(_) | ClampMin(_) | ClampMax(_) => {
            Reads::X0
        }
        Exp | Sqrt | Recip | Tanh | Sigmoid | Relu => Reads::Y0,
        ScalarDiv(_) => Reads::X0.and(Reads::Y0),
        Neg | Scale(_) | Shift(_) | DivScalar(_) => Reads::NOTHING,
        Sign | Gt(_) | Ge(_) | Lt(_) | Le(_) | Eq(_) | Ne(_) => Reads::NOTHING,
    }
}

/// Returns the cotangent of the operand.
#[inline]
pub(crate) fn vjp<'t, T: Float>(op: Unary, c: &Call<'_, 't, T>) -> Var<'t, T> {
    let (gy, x, y) = (c.gy(), c.x(0), c.y(0));
    let zero = || c.tape.zeros(&gy.shape());
    match op {
        Neg => -gy,
        Abs => x.eq(0.0).gate(gy * x.sign()),
        Exp => gy * y,
        Ln => gy / x,
        Sqrt => 0.5 * gy / y,
        Recip => -gy * (y * y),
        Sin => gy * x.cos(),
        Cos => -gy * x.sin(),
        Tanh => gy * (1.0 - y * y),
        Sigmoid => gy * (y * (1.0 - y)),
        Softplus => gy * x.sigmoid(),
        Erf => FRAC_2_SQRT_PI * gy * (-x.square()).exp(),
        Relu => y.eq(0.0).gate(gy),
        Scale(k) => k * gy,
        Shift(_) => gy,
        DivScalar(k) => gy / k,
        ScalarDiv(_) => -gy * y / x,
        // x⁰ is constant, also at 0, where the formula would give 0 · x⁻¹ = NaN.
        Powi(0) | Powf(0.0) => zero(),
        // Avoids a power with exponent 1.
        Powi(2) => 2.0 * gy * x,
        Powi(i32::MIN) => f64::from(i32::MIN) * gy * x.powf(f64::from(i32::MIN) - 1.0),
        Powi(n) => f64::from(n) * gy * x.powi(n - 1),
        Powf(p) => p * gy * x.powf(p - 1.0),
        ClampMin(k) => x.lt(k).gate(gy),
        ClampMax(k) => x.gt(k).gate(gy),
        Sign | Gt(_) | Ge(_) | Lt(_) | Le(_) | Eq(_) | Ne(_) => zero(),
    }
}

macro_rules! methods {
    ($($(#[$doc:meta])* $Op:ident $(($n:tt))? as $method:ident $(($c:ident: $C:ty))?;)*) => {
        /// Elementwise functions.
        impl<T: Float> Var<'_, T> { $(
            $(#[$doc])*
            #[inline]
            #[track_caller]
            pub fn $method(self $(, $c: $C)?) -> Self {
                self.unary($Op $(($n))? $(($c))?)
            }
        )* }
    };
}
methods! {
    /// Returns |x|, elementwise.
    Abs as abs;
    /// Returns the sign of x: -1, 0 or 1. Its derivative is zero.
    Sign as sign;
    /// Returns eˣ.
    Exp as exp;
    /// Returns the natural logarithm.
    Ln as ln;
    /// Returns √x.
    Sqrt as sqrt;
    /// Returns 1 / x.
    Recip as recip;
    /// Returns the sine of an angle in radians.
    Sin as sin;
    /// Returns the cosine of an angle in radians.
    Cos as cos;
    /// Returns the hyperbolic tangent.
    Tanh as tanh;
    /// Returns the logistic function, 1 / (1 + e⁻ˣ).
    Sigmoid as sigmoid;
    /// Returns ln(1 + eˣ), computed without overflow.
    Softplus as softplus;
    /// Returns the error function, 2/√π ∫₀ˣ exp(-t²) dt.
    Erf as erf;
    /// Returns max(x, 0).
    Relu as relu;
    /// Returns xⁿ.
    Powi as powi(n: i32);
    /// Returns xᵖ. The result is NaN for negative x unless p is an integer.
    Powf as powf(p: f64);
    /// Returns x².
    Powi(2) as square;
    /// Returns max(x, k).
    ClampMin as clamp_min(k: f64);
    /// Returns min(x, k).
    ClampMax as clamp_max(k: f64);
}

impl<T: Float> Var<'_, T> {
    /// Returns min(max(x, low), high).
    ///
    /// # Panics
    /// If `low > high`.
    #[track_caller]
    pub fn clamp(self, low: f64, high: f64) -> Self {
        assert!(low <= high, "clamp: the lower bound {low} is greater than the upper bound {high}");
        self.clamp_min(low).clamp_max(high)
    }

    #[inline]
    #[track_caller]
    pub(crate) fn unary(self, op: Unary) -> Self {
        let id = self.tape.pointwise(Op::Unary(op), Opcode::Unary(op), [self.id]);
        Var { id, ..self }
    }
}

/// The intervals on which each derivative is checked: the derivative is large there, and kinks are
/// farther away than the finite differences reach. `None` if the derivative is zero everywhere.
#[cfg(test)]
pub(super) fn domain(op: Unary) -> Option<Vec<(f64, f64)>> {
    let apart = |k: f64| vec![(k - 1.5, k - 0.2), (k + 0.2, k + 1.5)];
    match op {
        Neg | Scale(_) | Shift(_) | DivScalar(_) => Some(vec![(-2.0, 2.0)]),
        Abs | Relu => Some(apart(0.0)),
        Sign => None,
        Exp | Tanh | Sigmoid | Softplus | Erf => Some(vec![(-1.5, 1.5)]),
        Ln | Sqrt => Some(vec![(0.3, 2.5)]),
        Recip | ScalarDiv(_) => Some(vec![(-2.0, -0.5), (0.5, 2.0)]),
        Sin | Cos => Some(vec![(-3.0, 3.0)]),
        Powi(_) => Some(vec![(-1.5, -0.4), (0.4, 1.5)]),
        Powf(_) => Some(vec![(0.4, 2.0)]),
        ClampMin(k) | ClampMax(k) => Some(apart(k)),
        Gt(_) | Ge(_) | Lt(_) | Le(_) | Eq(_) | Ne(_) => None,
    }
}
