//! Constants and bit operations of `f64`.

#![allow(clippy::excessive_precision)] // the digits of the fitted coefficients, as computed

use super::Math;
use super::real::{Constants, Frexp, Real, polynomial};
use crate::machine::Isa;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI, LOG2_E};

/// (2 atanh(s) / s - 2) / s² as a polynomial in s², s = f / (2 + f) for 1 + f within [√½, √2):
/// relative error 2⁻⁵⁹.
pub(super) const ATANH: [f64; 7] = [
    0.666666666666673513,
    0.399999999994093691,
    0.285714287436812042,
    0.222221984296270464,
    0.181835723169749858,
    0.153138332247272524,
    0.147982474054098923,
];
/// (sin(r)/r - 1) / r² as a polynomial in r², |r| ≤ π/4: relative error of the sine 2⁻⁵⁸.
const SIN: [f64; 6] = [
    -0.166666666666666324,
    0.00833333333332247211,
    -0.000198412698298356635,
    2.75573136973257202e-6,
    -2.50507584859141014e-8,
    1.58967960726828437e-10,
];
/// (cos r - 1 + r²/2) / r⁴ as a polynomial in r², |r| ≤ π/4: relative error of the cosine 2⁻⁶³·⁹.
const COS: [f64; 6] = [
    0.041666666666666595,
    -0.00138888888888733246,
    0.0000248015872889836783,
    -2.75573142100730946e-7,
    2.08757042704783594e-9,
    -1.13586832914260315e-11,
];
/// π/2 in four parts: three of 33 bits, whose products with a k < 2²⁰ are exact, and the remainder.
const FRAC_PI_2: [f64; 4] =
    [1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.478427660368898e-32];

const ONE: u64 = 1f64.to_bits();
/// The bits of sign and exponent.
const TOP: u64 = !0 << 52;
const SQRT_HALF: u64 = FRAC_1_SQRT_2.to_bits();
const MAGIC: f64 = 6755399441055744.0;
/// 2⁵². Storing an integer below 2⁵² in its low bits gives 2⁵² plus this integer.
const TWO_52: f64 = 4503599627370496.0;

/// Returns a + b and its rounding error, for |a| ≥ |b| or an exact sum.
#[inline(always)]
fn sum(a: f64, b: f64) -> (f64, f64) {
    let s = a + b;
    (s, (a - s) + b)
}

/// Returns k + `magic`, and sin r and cos r as sums of two numbers, where x = k · π/2 + r. The second number
/// is below a third of the first.
#[inline(always)]
pub(super) fn circle<I: Isa>(x: f64) -> (f64, (f64, f64), (f64, f64)) {
    let k = x.fma::<I>(FRAC_2_PI, MAGIC);
    let n = k - MAGIC;
    let [a, b, c, d] = FRAC_PI_2;
    // Every operation but the last is exact or its rounding error is kept, so r + t has about
    // 100 bits. Where x is so near a multiple of π/2 that the first 50 bits cancel, this
    // precision is needed.
    let (r, lost) = sum(x - n * a, n * -b);
    let (r, more) = sum(r, n * -c);
    let (r, t) = sum(r, (lost + more) - n * d);
    let s = r * r;
    let sin = (r * s).fma::<I>(polynomial::<f64, I>(s, &SIN), (0.5 * s).fma::<I>(-t, t));
    // 1 - s/2 and its rounding error.
    let h = 0.5 * s;
    let top = 1.0 - h;
    let tail = r.fma::<I>(-t, (s * s) * polynomial::<f64, I>(s, &COS));
    (k, (r, sin), (top, ((1.0 - top) - h) + tail))
}

/// Returns sine and cosine of `turns` whole turns, 2π · turns, for |turns| ≤ 1. Turns are reduced to an eighth without a
/// rounding error, so the errors are at most 2 ulp.
#[inline(always)]
pub fn sin_cos_of_turns<I: Isa>(turns: f64) -> [f64; 2] {
    let quarters = 4.0 * turns;
    let k = quarters + MAGIC;
    let r = (quarters - (k - MAGIC)) * std::f64::consts::FRAC_PI_2;
    let s = r * r;
    let sin = (r * s).fma::<I>(polynomial::<f64, I>(s, &SIN), r);
    let cos = (s * s).fma::<I>(polynomial::<f64, I>(s, &COS), 1.0 - 0.5 * s);
    [f64::rotate(k, 0, sin, cos), f64::rotate(k, 1, sin, cos)]
}

/// ln 2 in two parts.
const LN_2: [f64; 2] = [0.693147180559663, 2.8235290563031577e-13];
/// (eʳ - 1 - r) / r² for |r| ≤ ln(2)/2.
const EXP: [f64; 11] = [
    0.5,
    0.166666666666666768,
    0.0416666666666662133,
    0.00833333333332076688,
    0.00138888888886912676,
    0.000198412698906156253,
    0.0000248015884939402264,
    2.75572376309562923e-6,
    2.75557265844238525e-7,
    2.5111910959224934e-8,
    2.1527940902622454e-9,
];

impl Real for f64 {
    const K: Constants<f64> = Constants {
        zero: 0.0,
        half: 0.5,
        one: 1.0,
        two: 2.0,
        infinity: f64::INFINITY,
        neg_infinity: f64::NEG_INFINITY,
        nan: f64::NAN,
        magic: MAGIC,
        log2_e: LOG2_E,
        ln_2: LN_2,
        exp_range: [-746.0, 710.0],
        exp_m1_range: [-40.0, 710.0],
        // Relative error of tanh 2⁻⁶².
        tanh: &[
            -0.333333333333333148,
            0.13333333333327424,
            -0.0539682539618423843,
            0.0218694881966759978,
            -0.00886322537326695095,
            0.00359194429396426538,
            -0.00145377845217632066,
            0.000576035704454899169,
            -0.000185205984509326683,
        ],
        tanh_small: 0.36,
        tanh_exp: &EXP,
        tanh_ln_2: &LN_2,
        tanh_one: 20.0,
        // Relative error of erf 2⁻⁵⁶ below 1, 2⁻⁵⁸ above.
        erf: &[
            0.128379167095512559,
            -0.37612638903183343,
            0.112837916709369518,
            -0.0268661706419596087,
            0.0052239775967418316,
            -0.000854832548538552285,
            0.000120552805111305607,
            -0.0000149244659746530247,
            1.64441553416589638e-6,
            -1.61840321696220794e-7,
            1.36168936579828145e-8,
            -7.6082023675668913e-10,
        ],
        ln_erfc: &[
            -1.84960550993324824,
            -2.63896751423479436,
            -0.843107256358350599,
            -0.0415610980486050621,
            0.0100338254478262948,
            -0.00197790304184496677,
            0.000237324469746070214,
            0.0000262721538390693065,
            -0.0000271474070231232468,
            9.59145875513443935e-6,
            -2.04055312346430015e-6,
            1.27089897706766891e-7,
            1.07221934713817486e-7,
            -5.64336120470517568e-8,
            1.63684668358003385e-8,
            -3.20580177878194874e-9,
            4.21915448717856272e-10,
            -3.3870340875100999e-11,
            1.25475170427943309e-12,
        ],
        erf_one: 6.0,
        // Relative error of eʳ - 1: 2⁻⁵⁸·⁹.
        exp: &EXP,
        tiny: 1.1e-16,
        sqrt_2_less_1: 0.41421356237309503,
        large: 1152921504606846976.0,
        two_64: 18446744073709551616.0,
        whole: 4503599627370496.0,
    };
    const NEAR: f64 = 1e5;

    #[inline(always)]
    fn abs_(self) -> Self {
        self.abs()
    }
    #[inline(always)]
    fn add_(self, other: Self) -> Self {
        self + other
    }
    #[inline(always)]
    fn sub_(self, other: Self) -> Self {
        self - other
    }
    #[inline(always)]
    fn mul_(self, other: Self) -> Self {
        self * other
    }

    #[inline(always)]
    fn fused(self, b: f64, c: f64) -> f64 {
        self.mul_add(b, c)
    }

    #[inline(always)]
    fn magnitude(self) -> f64 {
        f64::abs(self)
    }

    #[inline(always)]
    fn signed_as(self, sign: f64) -> f64 {
        self.copysign(sign)
    }

    #[inline(always)]
    fn rem_(self, b: f64) -> f64 {
        self % b
    }

    #[inline(always)]
    fn root(self) -> f64 {
        f64::sqrt(self)
    }

    #[inline(always)]
    fn exp2_halves(k: f64) -> [f64; 2] {
        let sum = k.to_bits().wrapping_sub(MAGIC.to_bits()).wrapping_add(2 * 1023);
        let half = sum >> 1;
        [f64::from_bits(half << 52), f64::from_bits(sum.wrapping_sub(half) << 52)]
    }

    #[inline(always)]
    fn exp2(k: f64, less: u8) -> f64 {
        f64::from_bits(
            k.to_bits().wrapping_sub(MAGIC.to_bits()).wrapping_add(1023 - u64::from(less)) << 52,
        )
    }

    #[inline(always)]
    fn times_exp2(self, k: f64) -> f64 {
        // The low bits of `magic` are 0.
        f64::from_bits(self.to_bits().wrapping_add(k.to_bits() << 52))
    }

    #[inline(always)]
    fn split(self) -> Frexp<f64> {
        let above = self.to_bits().wrapping_sub(SQRT_HALF);
        let biased = above.wrapping_add(ONE) >> 52;
        Frexp {
            mantissa: f64::from_bits(self.to_bits().wrapping_sub(above & TOP)),
            exponent: f64::from_bits(biased | TWO_52.to_bits()) - (TWO_52 + 1023.0),
            unscale: f64::from_bits(ONE.wrapping_sub(above & TOP)),
        }
    }

    #[inline(always)]
    fn normaliser(self) -> (f64, f64) {
        let subnormal = self < f64::MIN_POSITIVE;
        (if subnormal { 18014398509481984.0 } else { 1.0 }, if subnormal { 54.0 } else { 0.0 })
    }

    /// With s = f / (2 + f): ln(1 + f) = 2 atanh(s) = f - f²/2 + s (f²/2 + s² A(s²)), because f - s
    /// f = 2 s.
    #[inline(always)]
    fn ln_tail<I: Isa>(f: f64) -> f64 {
        let s = f / (2.0 + f);
        let z = s * s;
        let h = 0.5 * f * f;
        s.fma::<I>(z.fma::<I>(polynomial::<f64, I>(z, &ATANH), h), -h)
    }

    #[inline(always)]
    fn circle<I: Isa>(self) -> (f64, f64, f64) {
        let (k, sin, cos) = circle::<I>(self);
        (k, sin.1 + sin.0, cos.0 + cos.1)
    }

    #[inline(always)]
    fn rotate(k: f64, quarters: u8, sin: f64, cos: f64) -> f64 {
        let q = k.to_bits().wrapping_add(u64::from(quarters));
        let y = if q & 1 == 0 { sin } else { cos };
        f64::from_bits(y.to_bits() ^ ((q & 2) << 62))
    }

    #[inline(never)]
    fn sin_far(self) -> f64 {
        f64::sin(self)
    }

    #[inline(never)]
    fn cos_far(self) -> f64 {
        f64::cos(self)
    }

    #[inline(never)]
    fn power(self, p: f64) -> f64 {
        f64::powf(self, p)
    }

    #[inline(always)]
    fn widen(self) -> f64 {
        self
    }

    #[inline(always)]
    fn narrow(x: f64) -> f64 {
        x
    }
}
