//! Operations of two operands, and selection. The operands of a node have equal shapes: broadcasting is
//! a separate operation that the methods here insert, so no rule needs to handle it.

use crate::graph::{Call, Cotangents, Given, Mask, Operand, Reads, Tape, Var, two};
use Binary::{
    Add, Atan2, Copysign, Div, Eq, Fmod, Gate, Ge, Gt, Hypot, Le, Logaddexp, Lt, Maximum, Minimum,
    Mul, Ne, Pow, Remainder, Sub, Xlogy,
};
use smallvec::smallvec;
use wengert_tensor::Unary::{DivScalar, Neg, ScalarDiv, Scale, Shift};
use wengert_tensor::{Binary, Figure, Float, Unary, shapes};

/// Returns whether the derivative can differ from zero.
pub(super) fn is_differentiable(op: Binary) -> bool {
    !matches!(op, Gt | Ge | Lt | Le | Eq | Ne)
}

/// Returns the values that the rule reads for the gradient of this argument.
pub(super) fn reads(op: Binary, arg: usize) -> Reads {
    match (op, arg) {
        (Mul, 0) | (Div, 0) => Reads::X1,
        (Mul, _) => Reads::X0,
        (Div, _) => Reads::X1.and(Reads::Y0),
        (Maximum | Minimum | Atan2 | Xlogy | Logaddexp, _) | (Pow, 0) => Reads::X0.and(Reads::X1),
        (Pow, _) | (Fmod | Remainder, 1) => Reads::X0.and(Reads::X1).and(Reads::Y0),
        (Hypot | Copysign, 0) => Reads::X0.and(Reads::Y0),
        (Hypot, _) => Reads::X1.and(Reads::Y0),
        (Fmod | Remainder | Copysign, _) => Reads::NOTHING,
        (Gate, 1) => Reads::X0,
        (Gate, _) => Reads::NOTHING,
        (Add | Sub | Gt | Ge | Lt | Le | Eq | Ne, _) => Reads::NOTHING,
    }
}

/// Returns the cotangents of both operands.
#[inline]
pub(super) fn vjp<'t, T: Float>(op: Binary, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
    let (gy, a, b, y) = (c.gy(), c.x(0), c.x(1), c.y(0));
    let (wants_a, wants_b) = (c.wants(0), c.wants(1));
    // Equal operands get half of the gradient each. The operand that was not chosen is behind a gate,
    // closed by a comparison that is false for NaN.
    let share = || a.eq(b).choose("where_", 0.5 * gy, gy);
    match op {
        Add => two(Some(gy), Some(gy)),
        Sub => two(Some(gy), wants_b.then(|| -gy)),
        Mul => two(wants_a.then(|| gy * b), wants_b.then(|| gy * a)),
        Div => two(wants_a.then(|| gy / b), wants_b.then(|| -gy * y / b)),
        Pow => {
            // Whether the mixed derivative may be requested. Without it the simpler formula gives the
            // same result.
            let bent = c.tape.recording.get() && a.is_active() && b.is_active();
            two(
                wants_a.then(|| pow_by_base(gy, a, b, bent)),
                wants_b.then(|| pow_by_power(gy, a, b, y, bent)),
            )
        }
        Maximum => {
            two(wants_a.then(|| a.lt(b).gate(share())), wants_b.then(|| b.lt(a).gate(share())))
        }
        Minimum => {
            two(wants_a.then(|| a.gt(b).gate(share())), wants_b.then(|| b.gt(a).gate(share())))
        }
        Atan2 => {
            // In two quotients, so that the squares do not overflow. At the origin b is replaced, as in
            // `pow_by_base`.
            let origin = a.eq(0.0) & b.eq(0.0);
            let b = Var::where_(origin, 1, b);
            let r = a.hypot(b);
            two(
                wants_a.then(|| origin.gate(gy * (b / r) / r)),
                wants_b.then(|| origin.gate(-gy * (a / r) / r)),
            )
        }
        Hypot => two(wants_a.then(|| gy * (a / y)), wants_b.then(|| gy * (b / y))),
        // The quotient is an integer: a = quotient · b + y.
        Fmod | Remainder => two(Some(gy), wants_b.then(|| -gy * ((a - y) / b).round())),
        Copysign => {
            let turned = || a.eq(0.0).gate(gy * (a.sign() * y.sign()));
            two(wants_a.then(turned), wants_b.then(|| c.tape.zeros(&gy.shape())))
        }
        Xlogy => {
            // The function is 0 along a = 0. There the base is replaced, as in `pow_by_base`.
            let zero = a.eq(0.0);
            let by_a = || {
                let flat = zero & b.le(0.0);
                flat.gate(gy * Var::where_(flat, 1, b).ln())
            };
            let by_b = || {
                let flat = zero & b.eq(0.0);
                flat.gate(gy * a / Var::where_(flat, 1, b))
            };
            two(wants_a.then(by_a), wants_b.then(by_b))
        }
        Logaddexp => {
            two(wants_a.then(|| gy * (a - b).sigmoid()), wants_b.then(|| gy * (b - a).sigmoid()))
        }
        Gate => {
            two(wants_a.then(|| c.tape.zeros(&gy.shape())), wants_b.then(|| a.binary(Gate, gy)))
        }
        Gt | Ge | Lt | Le | Eq | Ne => {
            let zero = c.tape.zeros(&gy.shape());
            two(Some(zero), Some(zero))
        }
    }
}

/// Computes gy b aᵇ⁻¹. At a = b = 0, where a⁰ = 1 is constant, the formula gives 0 · ∞. The base is
/// replaced before the singular power. Masking the product afterwards would not be enough: the
/// derivative of the masked value would still be computed and be NaN.
///
/// The derivative of b aᵇ⁻¹ by b is aᵇ⁻¹ (1 + b ln a), which tends to -∞ as a tends to 0, if 0 < b ≤ 1.
/// The product rule would give ∞ - ∞, or 1. If `bent`, the factor b at a = 0 is therefore replaced by a
/// factor with the same product: by ±1 for b < 1, where the power is infinite, and by 1 - √(b - 1),
/// whose derivative is -∞, for b = 1.
fn pow_by_base<'t, T: Float>(
    gy: Var<'t, T>,
    a: Var<'t, T>,
    b: Var<'t, T>,
    bent: bool,
) -> Var<'t, T> {
    let zero = a.eq(0.0);
    let flat = zero & b.eq(0.0);
    let safe = Var::where_(flat, 1, a);
    let less = b - 1.0;
    let factor = if bent {
        let steep = zero & b.le(1.0);
        let root = Var::where_(steep, less.clamp_min(0.0), 1).sqrt();
        Var::where_(steep, b.sign() - root, b)
    } else {
        b
    };
    flat.gate(gy * factor * safe.pow(less))
}

/// Computes gy aᵇ ln a. At a = 0 the result is 0 for b > 0 (the limit) and for b = 0 (as in `PyTorch`).
///
/// The derivative of aᵇ ln a by a is aᵇ⁻¹ (1 + b ln a), as above. If `bent` and 0 < b ≤ 1, the term -√a
/// is added at a = 0: its value is 0, and its derivative is -∞. The factor of the term is only the sign
/// of gy, because gy may be infinite. The power is computed from the replaced base: y would get a
/// cotangent of 0 and turn it into 0 · ∞.
fn pow_by_power<'t, T: Float>(
    gy: Var<'t, T>,
    a: Var<'t, T>,
    b: Var<'t, T>,
    y: Var<'t, T>,
    bent: bool,
) -> Var<'t, T> {
    let zero = a.eq(0.0);
    let flat = zero & b.ge(0.0);
    let safe = Var::where_(flat, 1, a);
    if !bent {
        return flat.gate(gy) * y * safe.ln();
    }
    let steep = zero & b.gt(0.0) & b.le(1.0);
    let root = Var::where_(steep, Var::where_(steep, a, 1).sqrt(), 0);
    flat.gate(gy) * safe.pow(b) * safe.ln() - gy.sign() * root
}

/// Each side gets the gradient where it was selected. The condition gets none.
pub(super) fn select_vjp<'t, T: Float>(c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
    let (gy, condition) = (c.gy(), c.x_mask(0));
    Cotangents(smallvec![
        c.wants(0).then(|| c.tape.zeros(&gy.shape())),
        c.wants(1).then(|| condition.not().gate(gy)),
        c.wants(2).then(|| condition.gate(gy)),
    ])
}

impl<T: Float> Tape<T> {
    /// Returns an operand as a variable. A number becomes a constant without axes.
    #[track_caller]
    pub(crate) fn operand<'t>(&'t self, op: &str, given: Given<'t, T>) -> Var<'t, T> {
        match given {
            Given::Var(x) => {
                self.same_tape(op, x.tape);
                x
            }
            Given::Number(c) => self.full((), c.nearest::<T>()),
        }
    }
}

impl<'t, T: Float> Var<'t, T> {
    #[inline]
    #[track_caller]
    pub(crate) fn binary(self, op: Binary, other: Self) -> Self {
        let tape = self.tape;
        tape.same_tape(op.name(), other.tape);
        let (mut a, mut b) = (self, other);
        let equal = {
            let arena = tape.arena.borrow();
            let [sa, sb] = [a, b].map(|v| arena.nodes[v.id as usize].shape as usize);
            sa == sb || arena.shapes[sa] == arena.shapes[sb]
        };
        if !equal {
            let shape = self.fits(shapes::broadcast(op.name(), &a.shape(), &b.shape()));
            (a, b) = (a.broadcast_shape(shape), b.broadcast_shape(shape));
        }
        let id = tape.binary(op, [a.id, b.id]);
        Var { tape, id }
    }

    /// Returns the elementwise maximum of this variable and a variable or number. The result is NaN if
    /// either is NaN. Equal elements share the gradient evenly.
    ///
    /// # Panics
    /// If the shapes do not broadcast, or the variables are on different tapes.
    #[track_caller]
    pub fn maximum(self, other: impl Operand<'t, T>) -> Self {
        self.binary(Maximum, self.tape.operand("maximum", other.operand()))
    }

    /// Returns the elementwise minimum of this variable and a variable or number. The result is NaN if
    /// either is NaN. Equal elements share the gradient evenly.
    ///
    /// # Panics
    /// If the shapes do not broadcast, or the variables are on different tapes.
    #[track_caller]
    pub fn minimum(self, other: impl Operand<'t, T>) -> Self {
        self.binary(Minimum, self.tape.operand("minimum", other.operand()))
    }

    /// Returns aᵇ. The result is NaN for negative a unless b is an integer. The exponent is a variable
    /// or a number. An integer exponent is computed by [`powi`](Var::powi), an `f64` by
    /// [`powf`](Var::powf).
    ///
    /// # Panics
    /// If the shapes do not broadcast, or the variables are on different tapes.
    #[track_caller]
    pub fn pow(self, exponent: impl Operand<'t, T>) -> Self {
        match exponent.operand() {
            Given::Var(exponent) => self.binary(Pow, exponent),
            Given::Number(Figure::Float(p)) => self.powf(p),
            Given::Number(Figure::Integer(n)) => match i32::try_from(n) {
                Ok(n) => self.powi(n),
                Err(_) => self.powf(n as f64),
            },
        }
    }
}

macro_rules! functions {
    ($($(#[$doc:meta])* $Op:ident as $method:ident;)*) => {
        /// Functions of two elements. The other operand is a variable or a number, and both broadcast.
        impl<'t, T: Float> Var<'t, T> { $(
            $(#[$doc])*
            ///
            /// # Panics
            /// If the shapes do not broadcast, or the variables are on different tapes.
            #[track_caller]
            pub fn $method(self, other: impl Operand<'t, T>) -> Self {
                self.binary($Op, self.tape.operand(stringify!($method), other.operand()))
            }
        )* }
    };
}
functions! {
    /// Returns the angle of the point (b, a) in radians, from -π to π: atan(a / b) for b > 0. The
    /// derivatives at (0, 0) are 0, as in PyTorch.
    Atan2 as atan2;
    /// Returns √(a² + b²). The squares do not overflow. The derivative at (0, 0) is NaN, as in PyTorch.
    Hypot as hypot;
    /// Returns the remainder of a / b, rounded toward zero: it has the sign of a. The derivatives are those of
    /// a - n b for the constant integer n, the quotient, and NaN where the result is NaN.
    Fmod as fmod;
    /// Returns the remainder a - b ⌊a / b⌋, which has the sign of b, as Python's `%`. The derivatives are
    /// those of a - n b for the constant integer n, the quotient, and NaN where the result is NaN.
    Remainder as remainder;
    /// Returns |a| with the sign of b. The derivative by a is 0 at a = 0, and the derivative by b is 0.
    Copysign as copysign;
    /// Returns a ln b. It is 0 for a = 0, unless b is NaN. The derivative by a is 0 at a = 0, b ≤ 0, as in
    /// PyTorch. The derivative by b is 0 at a = b = 0 (PyTorch: NaN).
    Xlogy as xlogy;
    /// Returns ln(eᵃ + eᵇ) without overflow. The derivatives at equal infinities are NaN, as in PyTorch.
    Logaddexp as logaddexp;
}

/// Functions that are combinations of others.
impl<'t, T: Float> Var<'t, T> {
    /// Interpolates linearly: a + w (b - a). For w ≥ ½ it is computed as b - (1 - w) (b - a), so that w = 1
    /// gives b. `end` and `weight` are variables or numbers.
    ///
    /// # Panics
    /// If the shapes do not broadcast, or the variables are on different tapes.
    #[track_caller]
    pub fn lerp(self, end: impl Operand<'t, T>, weight: impl Operand<'t, T>) -> Self {
        let end = self.tape.operand("lerp", end.operand());
        let w = self.tape.operand("lerp", weight.operand());
        let both = self.fits(shapes::broadcast("lerp", &self.shape(), &end.shape()));
        self.fits(shapes::broadcast("lerp", &both, &w.shape()));
        let (step, near) = (end - self, w.lt(0.5));
        // Not a choice of two results: a closed branch would multiply its cotangent, 0, by an infinite step.
        near.choose("lerp", self, end) - near.choose("lerp", -w, 1.0 - w) * step
    }

    /// Replaces NaN by `nan`, ∞ by `infinity` and -∞ by `negative_infinity`. `None` is the largest and the
    /// smallest finite number. The derivative is 0 where an element is replaced.
    #[track_caller]
    pub fn nan_to_num(
        self,
        nan: f64,
        infinity: impl Into<Option<f64>>,
        negative_infinity: impl Into<Option<f64>>,
    ) -> Self {
        let high = infinity.into().unwrap_or(T::LARGEST.to());
        let low = negative_infinity.into().unwrap_or(-T::LARGEST.to());
        let bounded = self.masked_fill(self.eq(f64::INFINITY), high);
        bounded.masked_fill(self.eq(f64::NEG_INFINITY), low).masked_fill(self.isnan(), nan)
    }

    /// Returns whether each element is NaN.
    #[track_caller]
    pub fn isnan(self) -> Mask<'t, T> {
        self.ne(self)
    }

    /// Returns whether each element is ∞ or -∞.
    #[track_caller]
    pub fn isinf(self) -> Mask<'t, T> {
        self.abs().eq(f64::INFINITY)
    }

    /// Returns whether each element is neither infinite nor NaN.
    #[track_caller]
    pub fn isfinite(self) -> Mask<'t, T> {
        self.abs().lt(f64::INFINITY)
    }
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $Op:ident as $method:ident;)*) => {
        /// Comparisons with a variable or a number. They return a [`Mask`]. Every comparison with NaN is
        /// false, except `ne`.
        impl<'t, T: Float> Var<'t, T> { $(
            $(#[$doc])*
            ///
            /// # Panics
            /// If the shapes do not broadcast, or the variables are on different tapes.
            #[inline]
            #[track_caller]
            #[allow(clippy::should_implement_trait)] // element by element
            pub fn $method(self, other: impl Operand<'t, T>) -> Mask<'t, T> {
                match other.operand() {
                    Given::Var(other) => self.binary($Op, other).compared(),
                    Given::Number(c) => self.unary(Unary::$Op(c.nearest::<T>())).compared(),
                }
            }
        )* }
    };
}
comparisons! {
    /// Returns whether a > b, elementwise.
    Gt as gt;
    /// Returns whether a ≥ b, elementwise.
    Ge as ge;
    /// Returns whether a < b, elementwise.
    Lt as lt;
    /// Returns whether a ≤ b, elementwise.
    Le as le;
    /// Returns whether a = b, elementwise.
    Eq as eq;
    /// Returns whether a ≠ b, elementwise.
    Ne as ne;
}

macro_rules! operators {
    ($($Trait:ident $method:ident: |$x:ident, $k:ident| $right:expr, $left:expr;)*) => { $(
        impl<'t, T: Float> std::ops::$Trait for Var<'t, T> {
            type Output = Var<'t, T>;
            #[inline]
            #[track_caller]
            fn $method(self, other: Self) -> Self {
                self.binary($Trait, other)
            }
        }
        impl<'t, T: Float> std::ops::$Trait<f64> for Var<'t, T> {
            type Output = Var<'t, T>;
            #[inline]
            #[track_caller]
            fn $method(self, $k: f64) -> Self {
                let $x = self;
                $right
            }
        }
        impl<'t, T: Float> std::ops::$Trait<Var<'t, T>> for f64 {
            type Output = Var<'t, T>;
            #[inline]
            #[track_caller]
            fn $method(self, $x: Var<'t, T>) -> Var<'t, T> {
                let $k = self;
                $left
            }
        }
        // `i32` is the default type of an integer literal. With implementations for two integer types,
        // the type of the literal in `x * 2` would be ambiguous.
        impl<'t, T: Float> std::ops::$Trait<i32> for Var<'t, T> {
            type Output = Var<'t, T>;
            #[inline]
            #[track_caller]
            fn $method(self, k: i32) -> Self {
                self.$method(f64::from(k))
            }
        }
        impl<'t, T: Float> std::ops::$Trait<Var<'t, T>> for i32 {
            type Output = Var<'t, T>;
            #[inline]
            #[track_caller]
            fn $method(self, x: Var<'t, T>) -> Var<'t, T> {
                f64::from(self).$method(x)
            }
        }
    )* };
}
operators! {
    Add add: |x, k| x.unary(Shift(k)), x.unary(Shift(k));
    Sub sub: |x, k| x.unary(Shift(-k)), x.unary(Neg).unary(Shift(k));
    Mul mul: |x, k| x.unary(Scale(k)), x.unary(Scale(k));
    Div div: |x, k| x.unary(DivScalar(k)), x.unary(ScalarDiv(k));
}
impl<'t, T: Float> std::ops::Neg for Var<'t, T> {
    type Output = Var<'t, T>;
    #[inline]
    #[track_caller]
    fn neg(self) -> Self {
        self.unary(Neg)
    }
}
