//! Angles: the tangent and the inverse functions.

#![allow(clippy::excessive_precision)] // the digits of the fitted coefficients, as computed

use super::pair::{Twofold, fma, power_of_2, product, quick_sum, quotient, root, sum};
use crate::machine::Isa;
use crate::number::math::{Real, f64::circle, real::polynomial};
use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

/// (atan(t)/t - 1) / t² as a polynomial in t², for t up to tan(π/8).
const ATAN: [f64; 11] = [
    -0.3333333333333333,
    0.19999999999995502,
    -0.14285714284662662,
    0.11111111014944319,
    -0.09090904565447815,
    0.07692182896409079,
    -0.06664507301150308,
    0.05858112902484396,
    -0.05085261338739717,
    0.03922621674173908,
    -0.019170224484601366,
];
/// (asin(s)/s - 1) / s² as a polynomial in s², for s up to ½.
const ASIN: [f64; 13] = [
    0.16666666666666669,
    0.07499999999998425,
    0.04464285714637338,
    0.030381944137085216,
    0.0223721730020056,
    0.0173523912659092,
    0.013971235301124917,
    0.011478952690254089,
    0.010324318288763578,
    0.005450878187643824,
    0.017419357965078285,
    -0.0148814093931001,
    0.02877844261277394,
];
/// What π/2 lacks to the exact number.
const FRAC_PI_2_LOW: f64 = 6.123233995736766e-17;

/// Returns the tangent for |x| ≤ `Real::NEAR`. The error is at most 1.5 ulp.
#[inline(always)]
pub fn tan_near<I: Isa>(x: f64) -> f64 {
    let (k, sin, cos) = circle::<I>(x);
    let odd = k.to_bits() & 1 == 1;
    let (n, d) = if odd { (cos, sin) } else { (sin, cos) };
    let (n, d) = (quick_sum(n.0, n.1), quick_sum(d.0, d.1));
    let (high, low) = quotient::<I>(n, d);
    let y = if odd { -(high + low) } else { high + low };
    if x.abs() < f64::K.tiny { x } else { y }
}

/// Returns the standard library's tangent.
#[inline(never)]
pub fn tan_far(x: f64) -> f64 {
    x.tan()
}

/// Returns the angle of the point (d, n), 0 ≤ n, d, neither infinite nor both 0, as a pair.
/// With t = n / d, or t = (n - d) / (n + d) near the diagonal, or t = -d / n near the vertical, |t| is at most
/// tan(π/8).
#[inline(always)]
fn arc<I: Isa>(n: f64, d: f64) -> Twofold {
    // So that neither a sum overflows nor the rounding error of a quotient underflows.
    let most = if n > d { n } else { d };
    let down = if most > power_of_2(900) { power_of_2(-200) } else { 1.0 };
    let scale = if most < power_of_2(-500) { power_of_2(400) } else { down };
    let (n, d) = (n * scale, d * scale);
    let steep = n > 2.414213562373095 * d;
    let middle = n > 0.41421356237309503 * d;
    let (top, bottom) = if steep {
        ((-d, 0.0), (n, 0.0))
    } else if middle {
        (sum(n, -d), sum(n, d))
    } else {
        ((n, 0.0), (d, 0.0))
    };
    let (base, base_low) = if steep {
        (FRAC_PI_2, FRAC_PI_2_LOW)
    } else if middle {
        (FRAC_PI_4, FRAC_PI_2_LOW / 2.0)
    } else {
        (0.0, 0.0)
    };
    let t = top.0 / bottom.0;
    let (p, lost) = product::<I>(t, bottom.0);
    let rest = (((top.0 - p) - lost) + (top.1 - t * bottom.1)) / bottom.0;
    // Where the products underflow, the angle is t.
    let rest = if top.0.abs() > power_of_2(-800) { rest } else { 0.0 };
    let z = t * t;
    let curve = fma::<I>(t * z, polynomial::<f64, I>(z, &ATAN), rest);
    let (high, low) = quick_sum(base, t);
    (high, low + (base_low + curve))
}

/// Returns the inverse tangent. The error is at most 1 ulp.
#[inline(always)]
pub fn atan<I: Isa>(x: f64) -> f64 {
    let a = x.abs();
    let (high, low) = arc::<I>(if a > 1e300 { 1e300 } else { a }, 1.0);
    let y = if x.is_nan() { x } else { high + low };
    y.copysign(x)
}

/// Returns the angle of the point (x, y), from -π to π. The error is at most 1 ulp. Zeros and infinities
/// as in C99.
#[inline(always)]
pub fn atan2<I: Isa>(y: f64, x: f64) -> f64 {
    let (n, d) = (y.abs(), x.abs());
    // Infinite coordinates become 1, the others 0 beside them.
    let infinite = n == f64::INFINITY || d == f64::INFINITY;
    let one_if = |yes: bool| if yes { 1.0 } else { 0.0 };
    let n = if infinite { one_if(n == f64::INFINITY) } else { n };
    let d = if infinite { one_if(d == f64::INFINITY) } else { d };
    let d = if n == 0.0 && d == 0.0 { 1.0 } else { d };
    let (high, low) = arc::<I>(n, d);
    let left = x.is_sign_negative();
    let (high, low) = if left {
        let (s, lost) = quick_sum(PI, -high);
        (s, lost + (2.0 * FRAC_PI_2_LOW - low))
    } else {
        (high, low)
    };
    let angle = (high + low).copysign(y);
    if x.is_nan() || y.is_nan() { f64::NAN } else { angle }
}

/// Returns s and asin(s) - s as pairs where s is x, or √((1 - |x|) / 2) for |x| > ½.
#[inline(always)]
fn half_arc<I: Isa>(x: f64) -> (bool, Twofold) {
    let a = x.abs();
    let far = a > 0.5;
    let z = if far { (1.0 - a) * 0.5 } else { a * a };
    let (s, low) = root::<I>((z, 0.0));
    let (s, low) = if far { (s, low) } else { (a, 0.0) };
    (far, (s, fma::<I>(s * z, polynomial::<f64, I>(z, &ASIN), low)))
}

/// Returns the inverse sine; NaN outside -1..1. The error is at most 1 ulp.
#[inline(always)]
pub fn asin<I: Isa>(x: f64) -> f64 {
    let (far, (s, tail)) = half_arc::<I>(x);
    let (high, low) = quick_sum(FRAC_PI_2, -2.0 * s);
    let y = if far { high + (low + (FRAC_PI_2_LOW - 2.0 * tail)) } else { s + tail };
    y.copysign(x)
}

/// Returns the inverse cosine; NaN outside -1..1. The error is at most 1 ulp.
#[inline(always)]
pub fn acos<I: Isa>(x: f64) -> f64 {
    let (far, (s, tail)) = half_arc::<I>(x);
    // π/2 - asin x, 2 asin s, or π - 2 asin s.
    let sign = if x < 0.0 { -1.0 } else { 1.0 };
    let (high, low) = quick_sum(FRAC_PI_2, -sign * s);
    let near = high + (low + (FRAC_PI_2_LOW - sign * tail));
    let (high, low) = quick_sum(PI, -2.0 * s);
    let left = high + (low + (2.0 * FRAC_PI_2_LOW - 2.0 * tail));
    let right = 2.0 * (s + tail);
    if !far {
        near
    } else if x < 0.0 {
        left
    } else {
        right
    }
}
