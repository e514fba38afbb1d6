//! Constants and bit operations of `f32`.

#![allow(clippy::excessive_precision)] // the digits of the fitted coefficients, as computed

use super::Math;
use super::real::{Constants, Frexp, Real, polynomial};
use crate::machine::Isa;
use std::f64::consts::FRAC_2_PI;

/// (ln(1 + f) - f + f²/2) / f³ for 1 + f within [√½, √2): relative error of ln 2⁻²⁷.
const LN: [f32; 8] = [
    0.3333333135,
    -0.2500082254,
    0.2000126243,
    -0.1662332416,
    0.1420085728,
    -0.131594345,
    0.127668947,
    -0.07642587274,
];
/// (sin(r)/r - 1) / r² as a polynomial in r², |r| ≤ π/4: relative error of the sine 2⁻²⁷·⁹.
const SIN: [f32; 3] = [-0.1666665524, 0.008332188241, -0.0001951809536];
/// (cos r - 1 + r²/2) / r⁴ as a polynomial in r², |r| ≤ π/4: relative error of the cosine 2⁻³³.
const COS: [f32; 3] = [0.04166664556, -0.001388730947, 2.443232734e-5];
/// π/2 in three parts, each the rounded remainder of the parts before it.
const FRAC_PI_2: [f32; 3] = [1.57079637051, -4.37113882867e-8, -1.71512451001e-15];
/// π/2 in two parts. The first has 33 bits, so that its product with a k < 2²⁰ is exact in `f64`.
const FRAC_PI_2_WIDE: [f64; 2] = [1.5707963267341256, 6.077100506506192e-11];

const ONE: u32 = 1f32.to_bits();
/// The bits of sign and exponent.
const TOP: u32 = !0 << 23;
const SQRT_HALF: u32 = std::f32::consts::FRAC_1_SQRT_2.to_bits();
const MAGIC: f32 = 12582912.0;

impl Real for f32 {
    const K: Constants<f32> = Constants {
        zero: 0.0,
        half: 0.5,
        one: 1.0,
        two: 2.0,
        infinity: f32::INFINITY,
        neg_infinity: f32::NEG_INFINITY,
        nan: f32::NAN,
        magic: MAGIC,
        log2_e: std::f32::consts::LOG2_E,
        ln_2: [0.693115234375, 3.19461832987e-5],
        exp_range: [-105.0, 89.0],
        exp_m1_range: [-20.0, 89.0],
        // Relative error of tanh 2⁻²⁶ below 0.3.
        tanh: &[-0.3333306294, 0.1331490819, -0.05037230447],
        tanh_small: 0.3,
        // Relative error of eʳ 2⁻²⁸.
        tanh_exp: &[0.4999999341, 0.1666652011, 0.04166839422, 0.008368780418, 0.001381446685],
        tanh_ln_2: &[std::f32::consts::LN_2],
        tanh_one: 10.0,
        // Relative error of erf 2⁻²⁹ below 1, 2⁻²⁶ above.
        erf: &[
            0.1283791661,
            -0.3761262596,
            0.1128357872,
            -0.0268533472,
            0.005187162198,
            -0.0007997853099,
            7.806903886e-5,
        ],
        ln_erfc: &[
            -1.84960556,
            -2.638961792,
            -0.8432021141,
            -0.04102146998,
            0.008681691252,
            -0.0003620186762,
            -0.0006419924321,
            0.0001739649015,
        ],
        erf_one: 4.0,
        // Relative error of eʳ - 1: 2⁻³¹.
        exp: &[0.5, 0.1666666567, 0.04166646674, 0.008333643898, 0.001393509912, 0.0001966435957],
        tiny: 6e-8,
        sqrt_2_less_1: 0.41421357,
        large: 1073741824.0,
        two_64: 18446744073709551616.0,
        whole: 8388608.0,
    };
    const NEAR: f32 = 1e5;

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
    fn fused(self, b: f32, c: f32) -> f32 {
        self.mul_add(b, c)
    }

    #[inline(always)]
    fn magnitude(self) -> f32 {
        f32::abs(self)
    }

    #[inline(always)]
    fn signed_as(self, sign: f32) -> f32 {
        self.copysign(sign)
    }

    #[inline(always)]
    fn rem_(self, b: f32) -> f32 {
        self % b
    }

    #[inline(always)]
    fn root(self) -> f32 {
        f32::sqrt(self)
    }

    #[inline(always)]
    fn exp2_halves(k: f32) -> [f32; 2] {
        let sum = k.to_bits().wrapping_sub(MAGIC.to_bits()).wrapping_add(2 * 127);
        let half = sum >> 1;
        [f32::from_bits(half << 23), f32::from_bits((sum.wrapping_sub(half)) << 23)]
    }

    #[inline(always)]
    fn exp2(k: f32, less: u8) -> f32 {
        f32::from_bits(
            k.to_bits().wrapping_sub(MAGIC.to_bits()).wrapping_add(127 - u32::from(less)) << 23,
        )
    }

    #[inline(always)]
    fn times_exp2(self, k: f32) -> f32 {
        // The low bits of `magic` are 0.
        f32::from_bits(self.to_bits().wrapping_add(k.to_bits() << 23))
    }

    #[inline(always)]
    fn split(self) -> Frexp<f32> {
        let above = self.to_bits().wrapping_sub(SQRT_HALF);
        Frexp {
            mantissa: f32::from_bits(self.to_bits().wrapping_sub(above & TOP)),
            exponent: (above.cast_signed() >> 23) as f32,
            unscale: f32::from_bits(ONE.wrapping_sub(above & TOP)),
        }
    }

    #[inline(always)]
    fn normaliser(self) -> (f32, f32) {
        let subnormal = self < f32::MIN_POSITIVE;
        (if subnormal { 16777216.0 } else { 1.0 }, if subnormal { 24.0 } else { 0.0 })
    }

    #[inline(always)]
    fn ln_tail<I: Isa>(f: f32) -> f32 {
        let s = f * f;
        (f * s).fma::<I>(polynomial::<f32, I>(f, &LN), s * -0.5)
    }

    #[inline(always)]
    fn circle<I: Isa>(self) -> (f32, f32, f32) {
        let (k, r) = if I::FMA {
            let k = self.fma::<I>(FRAC_2_PI as f32, MAGIC);
            let n = k - MAGIC;
            let [a, b, c] = FRAC_PI_2;
            (k, n.fma::<I>(-c, n.fma::<I>(-b, n.fma::<I>(-a, self))))
        } else {
            // Without FMA the products would have to be exact, which would take too many parts of
            // π/2.
            let k = self * FRAC_2_PI as f32 + MAGIC;
            let (x, n) = (f64::from(self), f64::from(k - MAGIC));
            let [a, b] = FRAC_PI_2_WIDE;
            (k, ((x - n * a) - n * b) as f32)
        };
        let s = r * r;
        let sin = (r * s).fma::<I>(polynomial::<f32, I>(s, &SIN), r);
        let cos = (s * s).fma::<I>(polynomial::<f32, I>(s, &COS), 1.0 - 0.5 * s);
        (k, sin, cos)
    }

    #[inline(always)]
    fn rotate(k: f32, quarters: u8, sin: f32, cos: f32) -> f32 {
        let q = k.to_bits().wrapping_add(u32::from(quarters));
        let y = if q & 1 == 0 { sin } else { cos };
        f32::from_bits(y.to_bits() ^ ((q & 2) << 30))
    }

    #[inline(never)]
    fn sin_far(self) -> f32 {
        f32::sin(self)
    }

    #[inline(never)]
    fn cos_far(self) -> f32 {
        f32::cos(self)
    }

    #[inline(never)]
    fn power(self, p: f32) -> f32 {
        f32::powf(self, p)
    }

    #[inline(always)]
    fn widen(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn narrow(x: f64) -> f32 {
        x as f32
    }
}
