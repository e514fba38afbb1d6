//! The logarithm of the gamma function and its derivatives.

#![allow(clippy::excessive_precision)] // the digits of the fitted coefficients, as computed

use super::ln::ln;
use super::pair::{Twofold, fma, power_of_2, product, quick_sum, quotient, sum};
use crate::machine::Isa;
use crate::number::math::real::polynomial;
use std::f64::consts::PI;

/// lgamma(2 + u) / (u (1 + u)) as a polynomial in u, for |u| up to ½.
const LGAMMA: [f64; 19] = [
    0.42278433509846713,
    -0.10031730167435393,
    0.032965000621155836,
    -0.01238419219336734,
    0.004998641164695408,
    -0.0021081308342313174,
    0.0009153769223843817,
    -0.0004057073887615168,
    0.00018255263486930746,
    -8.309527638476661e-5,
    3.8168961374111264e-5,
    -1.7660168542587967e-5,
    8.22146672430933809e-6,
    -3.85643108999180914e-6,
    1.81246503233600697e-6,
    -8.20612588179481046e-7,
    3.88237836790369963e-7,
    -2.52834383063482617e-7,
    1.20485904015920891e-7,
];
/// x times the remainder of Stirling's formula as a polynomial in 1 - 5/x, for x from 2.5 on.
const STIRLING: [f64; 16] = [
    0.08322345594910596,
    0.0002173558916084135,
    -0.000104010596181088,
    -4.41904702319037528e-6,
    8.17604635135895737e-7,
    1.43018409047891632e-7,
    -3.68277502401837281e-9,
    -5.20477458174005604e-9,
    -7.76192565223651373e-10,
    9.74923925040562342e-11,
    7.01177139727136489e-11,
    1.2691756119389079e-11,
    -1.88644043530650406e-12,
    -1.72268736207854713e-12,
    -2.36666943491935242e-13,
    6.51563773983938658e-14,
];
/// digamma(x) / (x - x₀) as a polynomial in x - 1.5, for x from 1 to 2.
const DIGAMMA: [f64; 22] = [
    0.951055876031833,
    -0.4236274212814605,
    0.2405424842407742,
    -0.14840492305390884,
    0.09498872445494122,
    -0.061922133273064534,
    0.04076083381242074,
    -0.02697579675613825,
    0.0179072524394512,
    -0.011908218001568644,
    0.007926944646403797,
    -0.005279964873257405,
    0.003519006401502276,
    -0.002345267632540769,
    0.0015566317474486838,
    -0.0010376374098418604,
    0.0007233266279287554,
    -0.0004821990530566789,
    0.0002272331660987376,
    -0.00015148586836773365,
    0.00025968482126430747,
    -0.00017312261802727394,
];
/// (ln x - digamma(x)) x as a polynomial in 1 - 4/x, for x from 2 on.
const DIGAMMA_FAR: [f64; 18] = [
    0.5207067707523606,
    -0.020460521041484624,
    -0.00035638099166532744,
    9.852134426722845e-5,
    1.3013672227137062e-5,
    -7.74612249142642709e-7,
    -5.72880613782489175e-7,
    -8.01434503565872086e-8,
    1.32679368483438411e-8,
    9.23379812136084611e-9,
    1.90525376376322967e-9,
    -1.57605928293461309e-10,
    -2.60413203491354179e-10,
    -9.49680809370798152e-11,
    -7.78922215088939832e-12,
    9.82664076639898272e-12,
    4.1813802871693534e-12,
    3.879746502876958e-13,
];
/// (sin(πr)/r - π) / r² as a polynomial in r², |r| ≤ ½.
const SIN_PI: [f64; 9] = [
    -5.16771278004997,
    2.5501640398773455,
    -0.599264529320791,
    0.08214588661108463,
    -0.007370430944816936,
    0.0004663027953897944,
    -2.1915282920601852e-5,
    7.94925814904201895e-7,
    -2.23494560726956831e-8,
];
/// (cos(πr) - 1) / r² as a polynomial in r², |r| ≤ ½.
const COS_PI: [f64; 9] = [
    -4.934802200544679,
    4.0587121264167685,
    -1.3352627688545824,
    0.23533063035860233,
    -0.025806891384027284,
    0.0019295742401671152,
    -0.00010463763434072598,
    4.30120372085159713e-6,
    -1.34790548363565368e-7,
];
/// The positive root of digamma in two parts.
const ROOT: Twofold = (1.4616321449683622, 9.549995429965697e-17);
/// ln(2π)/2 - ½
const STIRLING_CONSTANT: Twofold = (0.4189385332046727, 1.6728209650585413e-17);
const LN_PI: Twofold = (1.1447298858494002, 1.0265951162707826e-17);
/// B₂ₖ / (2k)! for k from 1 on, with the Bernoulli numbers B.
const BERNOULLI: [f64; 12] = [
    0.08333333333333333,
    -0.001388888888888889,
    3.306878306878307e-5,
    -8.267195767195768e-7,
    2.08767569878681e-8,
    -5.284190138687493e-10,
    1.3382536530684679e-11,
    -3.3896802963225827e-13,
    8.586062056277845e-15,
    -2.174868698558062e-16,
    5.5090028283602295e-18,
    -1.3954464685812522e-19,
];

/// Returns a minus the nearest integer, and the sine and cosine of π times it, for a ≥ 0.
#[inline(always)]
fn circle<I: Isa>(a: f64) -> (f64, Twofold, Twofold) {
    const WHOLE: f64 = 4503599627370496.0;
    /// What π and -π²/2 lack to the exact numbers.
    const LOW: Twofold = (1.2246467991473532e-16, -3.1326477543698557e-16);
    let nearest = if a < WHOLE { (a + WHOLE) - WHOLE } else { a };
    let r = a - nearest;
    let z = r * r;
    let (s, s_low) = quick_sum(PI, z * polynomial::<f64, I>(z, &SIN_PI));
    let (sin, lost) = product::<I>(r, s);
    let sin = (sin, fma::<I>(r, s_low + LOW.0, lost));
    let (c, c_low) = quick_sum(COS_PI[0], z * polynomial::<f64, I>(z, &COS_PI[1..]));
    let (p, lost) = product::<I>(z, c);
    let (cos, cos_low) = quick_sum(1.0, p);
    let (cos, cos_low) = quick_sum(cos, cos_low + fma::<I>(z, c_low + LOW.1, lost));
    (r, sin, (cos, cos_low))
}

/// Computes lgamma for x > 0.
#[inline(always)]
fn lgamma_right<I: Isa>(x: f64) -> Twofold {
    let far = x >= 2.5;
    // u = y - 2 for the y that x is shifted to, and the logarithm to subtract.
    let low = x < 0.5;
    let middle = !low && x < 1.5;
    let u = if low {
        x
    } else if middle {
        x - 1.0
    } else {
        x - 2.0
    };
    let u = if far { 0.0 } else { u };
    let (square, square_low) = product::<I>(u, u);
    let (shifted, lost) = quick_sum(x, square);
    let shift = if low { (shifted, lost + square_low) } else { (1.0, 0.0) };
    let limit = if x < 1e306 { x } else { 1e306 };
    let (l, l_low) = ln::<I>(if far || middle { (limit, 0.0) } else { shift }, 0.0);
    // Below 2.5.
    let (p, p_low) = quick_sum(LGAMMA[0], u * polynomial::<f64, I>(u, &LGAMMA[1..]));
    let (factor, factor_low) = quick_sum(u, square);
    let (base, base_low) = product::<I>(factor, p);
    let base_low = base_low + fma::<I>(factor, p_low, (factor_low + square_low) * p);
    let (s, lost) = sum(base, -l);
    let near = (s, lost + (base_low - l_low));
    // From 2.5 on: (x - ½) (ln x - 1) + ln(2π)/2 - ½ + s / x.
    let r = 1.0 / limit;
    let tail = r * polynomial::<f64, I>(1.0 - 5.0 * r, &STIRLING);
    let (m, m_low) = sum(l, -1.0);
    let h = limit - 0.5;
    let scale = if x > power_of_2(800) { power_of_2(-200) } else { 1.0 };
    let (p, lost) = product::<I>(h * scale, m);
    let (s, lost_sum) = sum(p, STIRLING_CONSTANT.0);
    let rest = fma::<I>(h * scale, m_low + l_low, STIRLING_CONSTANT.1) + lost + lost_sum;
    if far { (s * (1.0 / scale), (rest + tail) * (1.0 / scale)) } else { near }
}

/// Returns ln |Γ(x)|; ∞ at 0 and at the negative integers. The error is at most 4 ulp for x > 0. For
/// x < 0, where the function has a zero in most unit intervals, it is at most 4 ulp of the greater of 1 and
/// the result.
#[inline(always)]
pub fn lgamma<I: Isa>(x: f64) -> f64 {
    let a = x.abs();
    let (high, low) = lgamma_right::<I>(if a > 0.0 { a } else { 1.0 });
    // Γ(-a) Γ(a) = -π / (a sin πa)
    let (r, sin, _) = circle::<I>(a);
    let sin = if r < 0.0 { (-sin.0, -sin.1) } else { sin };
    let (s, s_low) = ln::<I>(if r == 0.0 { (1.0, 0.0) } else { sin }, 0.0);
    let (l, l_low) = ln::<I>((if a > 0.0 && a < 1e300 { a } else { 1.0 }, 0.0), 0.0);
    let (first, lost) = sum(LN_PI.0, -s);
    let (second, lost_second) = sum(first, -l);
    let (third, lost_third) = sum(second, -high);
    let lost = (lost + lost_second + lost_third) + (LN_PI.1 - (s_low + l_low + low));
    let left = if a < 1e-17 { -(l + l_low) } else { third + lost };
    let y = if x < 0.0 { left } else { high + low };
    let pole = x == 0.0 || (x < 0.0 && r == 0.0);
    let y = if pole || a == f64::INFINITY { f64::INFINITY } else { y };
    if x.is_nan() { x } else { y }
}

/// Computes digamma for x > 0.
#[inline(always)]
fn digamma_right<I: Isa>(x: f64) -> Twofold {
    let far = x >= 2.0;
    let low = x < 1.0;
    // Clamped, so that it is finite: the result is infinite where 1 / x is.
    let r = 1.0 / if x < 1e-308 { 1e-308 } else { x };
    // Below 2: (y - x₀) times a polynomial, with y = x + 1 below 1.
    let u = if low { x - 0.5 } else { x - 1.5 };
    let (d, lost) = if low { sum(x, 1.0 - ROOT.0) } else { (x - ROOT.0, 0.0) };
    let (d, lost) = if far { (0.0, 0.0) } else { (d, lost) };
    let u = if far { 0.0 } else { u };
    let (p, p_low) = quick_sum(DIGAMMA[0], u * polynomial::<f64, I>(u, &DIGAMMA[1..]));
    let (near, near_low) = product::<I>(d, p);
    let near_low = near_low + fma::<I>(d, p_low, (lost - ROOT.1) * p);
    let (s, lost) = sum(if low { -r } else { 0.0 }, near);
    let below = (s, lost + near_low);
    // From 2 on: ln x - q / x.
    let (l, l_low) = ln::<I>((if far { x } else { 2.0 }, 0.0), 0.0);
    let q = r * polynomial::<f64, I>(fma::<I>(-4.0, r, 1.0), &DIGAMMA_FAR);
    let (s, lost) = quick_sum(l, -q);
    let above = (s, lost + l_low);
    if far { above } else { below }
}

/// Returns the derivative of ln Γ(x); -∞ at 0, ∞ at -0, NaN at the negative integers. The error is at most
/// 4 ulp for x > 0. For x < 0, where the function has a zero in each unit interval, it is at most 4 ulp of the
/// greatest of 1, the result and ln |x|.
#[inline(always)]
pub fn digamma<I: Isa>(x: f64) -> f64 {
    let a = x.abs();
    let (high, low) = digamma_right::<I>(if a > 0.0 && a <= f64::MAX { a } else { 1.0 });
    let tiny = a < 1e-307;
    let right = if tiny { -1.0 / a } else { high + low };
    // ψ(-a) = ψ(a) + 1/a + π / tan(πa)
    let (r, sin, cos) = circle::<I>(a);
    let sin = if r == 0.0 { (1.0, 0.0) } else { sin };
    let (turn, turn_low) = quotient::<I>(cos, sin);
    let (p, lost_turn) = product::<I>(PI, turn);
    let (s, lost) = sum(p, 1.0 / a);
    let (s, lost_sum) = sum(s, high);
    let rest = fma::<I>(PI, turn_low, lost_turn) + (lost + lost_sum + low);
    let left = if tiny { 1.0 / a } else { s + rest };
    let y = if x < 0.0 { left } else { right };
    let y = if x < 0.0 && r == 0.0 { f64::NAN } else { y };
    let y = if x == 0.0 { f64::NEG_INFINITY.copysign(-x) } else { y };
    let y = if x == f64::INFINITY { x } else { y };
    if x.is_nan() { x } else { y }
}

/// Returns the nth derivative of digamma, (-1)ⁿ⁺¹ n! ζ(n + 1, x) with Hurwitz' zeta function. At 0 and the
/// negative integers it is ∞ for odd n and -∞ for even n. It sums the series, and from 11 + n on it uses
/// the formula of Euler and Maclaurin. The error is at most 2 n + 4 ulp for x > 0. A loop over it does not
/// vectorise.
#[inline(never)]
pub fn polygamma<I: Isa>(n: u32, x: f64) -> f64 {
    if n == 0 {
        return digamma::<I>(x);
    }
    let odd = n % 2 == 1;
    let below = x.floor();
    let size = if x > 0.0 || x.is_nan() {
        zeta(n, x)
    } else if x == below {
        f64::INFINITY
    } else {
        // The terms below 0 are those of 1 - x + ⌊x⌋ as far as 1 - x.
        let left = zeta(n, 1.0 - (x - below)) - zeta(n, 1.0 - x);
        zeta(n, x - below) + if odd { left } else { -left }
    };
    if odd { size } else { -size }
}

/// Returns n! times the sum of (x + k)⁻ⁿ⁻¹ over all k ≥ 0, for n ≥ 1 and x > 0.
fn zeta(n: u32, x: f64) -> f64 {
    // m! / tᵐ⁺¹ without overflow of the factorial
    let term = |m: u32, t: f64| (1..=m).fold(1.0, |product, k| product * (f64::from(k) / t)) / t;
    let order = f64::from(n);
    let steps = if x < order + 11.0 { (order + 11.0 - x).ceil() as u32 } else { 0 };
    let t = x + f64::from(steps);
    let mut next = term(n, t) * ((order + 1.0) / t);
    let mut tail = 0.0;
    for (c, k) in BERNOULLI.into_iter().zip(1..) {
        tail += c * next;
        let s = order + 2.0 * f64::from(k);
        next *= s / t * ((s + 1.0) / t);
    }
    let sum = term(n - 1, t) + (0.5 * term(n, t) + tail);
    (0..steps).rev().fold(sum, |sum, k| sum + term(n, x + f64::from(k)))
}
