//! Numbers as unevaluated sums of two: the second is the rounding error of the first. (Dekker, "A
//! floating-point technique for extending the available precision", 1971; Knuth, "The Art of Computer
//! Programming", volume 2, 4.2.2.)

use crate::machine::Isa;
use crate::number::math::{Math, Real};

pub(super) type Twofold = (f64, f64);

/// Returns a + b and its rounding error, for |a| ≥ |b| or a = 0.
#[inline(always)]
pub(super) fn quick_sum(a: f64, b: f64) -> Twofold {
    let s = a + b;
    (s, (a - s) + b)
}

/// Returns a + b and its rounding error.
#[inline(always)]
pub(super) fn sum(a: f64, b: f64) -> Twofold {
    let s = a + b;
    let t = s - a;
    (s, (a - (s - t)) + (b - t))
}

/// Returns a · b and its rounding error, for |a|, |b| < 2⁹⁹⁵.
#[inline(always)]
pub(super) fn product<I: Isa>(a: f64, b: f64) -> Twofold {
    let p = a * b;
    if I::FMA {
        return (p, Real::fused(a, b, -p));
    }
    // Halves of 26 bits, whose products are exact.
    let half = |x: f64| {
        let t = 134217729.0 * x;
        let high = t - (t - x);
        (high, x - high)
    };
    let ((a, a_low), (b, b_low)) = (half(a), half(b));
    (p, ((a * b - p) + a * b_low + a_low * b) + a_low * b_low)
}

/// Returns n / d.
#[inline(always)]
pub(super) fn quotient<I: Isa>(n: Twofold, d: Twofold) -> Twofold {
    let inverse = 1.0 / d.0;
    let q = n.0 * inverse;
    let (p, lost) = product::<I>(q, d.0);
    let rest = ((n.0 - p) - lost) + (n.1 - q * d.1);
    quick_sum(q, rest * inverse)
}

/// Returns √x for x > 0; (0, 0) for 0.
#[inline(always)]
pub(super) fn root<I: Isa>(x: Twofold) -> Twofold {
    let s = x.0.sqrt();
    let (p, lost) = product::<I>(s, s);
    let rest = ((x.0 - p) - lost) + x.1;
    (s, if s > 0.0 { rest / (s + s) } else { 0.0 })
}

/// Returns a · b + c, rounded once or twice.
#[inline(always)]
pub(super) fn fma<I: Isa>(a: f64, b: f64, c: f64) -> f64 {
    Math::fma::<I>(a, b, c)
}

/// Returns 2ᵏ for a normal result.
pub(super) const fn power_of_2(k: i64) -> f64 {
    f64::from_bits(((1023 + k) as u64) << 52)
}
