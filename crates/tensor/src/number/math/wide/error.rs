//! The complement and the inverse of the error function.

#![allow(clippy::excessive_precision)] // the digits of the fitted coefficients, as computed

use super::exp::exp;
use super::ln::ln;
use super::pair::{Twofold, fma, product, quick_sum, quotient, sum};
use crate::machine::Isa;
use crate::number::math::{
    Real,
    real::{horner, polynomial},
};

/// (1 + 2x) exp(x²) erfc(x) as a polynomial in (x - 3) / (x + 3), for x from 0 to 27.5.
const ERFC: [f64; 26] = [
    1.2530080582697296,
    -0.1356211061245812,
    -0.047562294353451204,
    0.12964515870276253,
    -0.11927366341527301,
    0.0683080273439299,
    -0.02377051491968808,
    0.002529391816528614,
    0.0018886903740258489,
    -0.000779832272974577,
    -0.00010515991860391371,
    0.0001250993357860653,
    4.95006989836946319e-6,
    -2.0100414916898552e-5,
    -7.33379021067542264e-7,
    3.4717631069674346e-6,
    3.60796569153537688e-7,
    -6.14994453724822117e-7,
    -1.47138114828037512e-7,
    9.92207668708596767e-8,
    4.67402230131167108e-8,
    -1.06943272998660991e-8,
    -1.10416885105210315e-8,
    -5.00099546209841911e-10,
    1.46436006987919482e-9,
    3.67437790492667277e-10,
];
/// erfinv(x)/x as a polynomial in w - 3, w = -ln(1 - x²) up to 6.
const ERFINV_NEAR: [f64; 25] = [
    1.6235420064648298,
    0.2416304041661583,
    -0.005738135221005605,
    -0.0008361817769095051,
    0.00019506132441182873,
    -1.271642263817274e-5,
    -1.74800209279548888e-6,
    4.49985424722761824e-7,
    -2.36887304228718728e-8,
    -5.46717843751165979e-9,
    1.11080003590589324e-9,
    -3.14257998046833677e-11,
    -1.73295801973647963e-11,
    2.69903775619199991e-12,
    6.46421977494005524e-15,
    -5.2943589009144214e-14,
    6.2910877865122107e-15,
    2.75787937241843708e-16,
    -1.56999409277603826e-16,
    1.27391595514286879e-17,
    1.63360956266049099e-18,
    -3.85584373499947829e-19,
    6.99281789297047136e-21,
    4.21962573525743624e-21,
    -3.17746423450832386e-22,
];
/// erfinv(x)/x as a polynomial in √w - 3.2, for w from 6 to 16.
const ERFINV_MIDDLE: [f64; 24] = [
    3.033636574409232,
    1.0046924418689638,
    0.005973169514996204,
    -0.004294165030485892,
    0.0029508202892113166,
    -0.00199301245322249,
    0.0010784539051351316,
    -0.00035776989464095867,
    -1.2267582800756742e-5,
    9.356200330528558e-5,
    -5.354104731085314e-5,
    9.86107044998089398e-6,
    5.85995480587941424e-6,
    -5.01131971305016344e-6,
    1.41383464309275615e-6,
    2.16648156215317501e-7,
    -3.56867226083865196e-7,
    1.39895935818944699e-7,
    -1.03048905094376065e-8,
    -1.94037961609311653e-8,
    1.26486617032341349e-8,
    -2.41738798645150974e-9,
    -1.3594808582735215e-9,
    6.56208194735925976e-10,
];
/// erfinv(x)/x as a polynomial in √w - 5, for w from 16 to 37.
const ERFINV_FAR: [f64; 22] = [
    4.849906401408584,
    1.0103004648645448,
    -0.00013871931837975625,
    -0.0002150301197990148,
    7.599527808463805e-5,
    -1.9681771199742382e-5,
    4.52605267337077884e-6,
    -9.93025459444299046e-7,
    2.29051904522357835e-7,
    -6.75729108630099045e-8,
    2.90219296267788118e-8,
    -1.52131603400232614e-8,
    7.81418392618140996e-9,
    -3.53507169854121446e-9,
    1.32602671232429299e-9,
    -3.7966154707894359e-10,
    6.10967851424784482e-11,
    1.38833845185999157e-11,
    -1.64034165588148817e-11,
    6.25011998831679201e-12,
    -8.01359460533239883e-13,
    -6.99792702983382338e-14,
];
/// 1/√2 as a pair.
const SQRT_HALF: Twofold = (std::f64::consts::FRAC_1_SQRT_2, -4.833646656726457e-17);

/// Returns erfc(a) for a from 0 to 27.5 as a pair and two factors. `square` is a².
#[inline(always)]
fn complement<I: Isa>((a, a_low): Twofold, square: Twofold) -> (Twofold, [f64; 2]) {
    let ((e, e_low), k) = exp::<I>((-square.0, -square.1));
    let t = (a - 3.0) / (a + 3.0);
    let slope = horner::<f64, I>(t, &ERFC[1..]);
    let (p, p_low) = product::<I>(t, slope);
    let (g, g_low) = quick_sum(ERFC[0], p);
    let (divisor, divisor_low) = sum(1.0, 2.0 * a);
    let (q, q_low) = quotient::<I>((g, g_low + p_low), (divisor, divisor_low + 2.0 * a_low));
    let (y, y_low) = product::<I>(e, q);
    ((y, y_low + fma::<I>(e, q_low, e_low * q)), f64::exp2_halves(k))
}

/// Returns erf(a) for a from 0 to 1.
#[inline(always)]
fn small_erf<I: Isa>(a: f64) -> f64 {
    fma::<I>(a, polynomial::<f64, I>(a * a, f64::K.erf), a)
}

/// Returns 1 - erf x, precise where it is small. The error is at most 2 ulp.
#[inline(always)]
pub fn erfc<I: Isa>(x: f64) -> f64 {
    let a = x.abs();
    let a = if a > 27.5 { 27.5 } else { a };
    let ((y, y_low), [first, second]) = complement::<I>((a, 0.0), product::<I>(a, a));
    let right = (y + y_low) * first * second;
    let (s, lost) = quick_sum(2.0, -(y * first * second));
    let left = s + (lost - y_low * first * second);
    let y = if x < 0.0 { left } else { right };
    // Near 0, where the argument of the polynomial has a large error.
    let y = if a < 0.25 { 1.0 - small_erf::<I>(a).copysign(x) } else { y };
    if x.is_nan() { x } else { y }
}

/// Returns ½ erfc(-x/√2), precise where it is small. The error is at most 2 ulp: the argument of erfc is a
/// pair, because an error of it would grow by the factor x².
#[inline(always)]
pub fn ndtr<I: Isa>(x: f64) -> f64 {
    let size = x.abs();
    let size = if size > 38.8 { 38.8 } else { size };
    let (a, a_low) = product::<I>(size, SQRT_HALF.0);
    let (square, square_low) = product::<I>(size, size);
    let argument = (a, fma::<I>(size, SQRT_HALF.1, a_low));
    let ((y, y_low), [first, second]) = complement::<I>(argument, (0.5 * square, 0.5 * square_low));
    let (y, y_low) = (0.5 * y, 0.5 * y_low);
    let left = (y + y_low) * first * second;
    let (s, lost) = quick_sum(1.0, -(y * first * second));
    let right = s + (lost - y_low * first * second);
    let y = if x < 0.0 { left } else { right };
    let y = if a < 0.25 { 0.5 + 0.5 * small_erf::<I>(a).copysign(x) } else { y };
    if x.is_nan() { x } else { y }
}

/// Returns the number whose error function is x; ±∞ at ±1, NaN beyond. The error is at most 4 ulp.
#[inline(always)]
pub fn erfinv<I: Isa>(x: f64) -> f64 {
    let a = x.abs();
    let b = if a < 1.0 { a } else { 0.5 };
    let (square, square_low) = product::<I>(b, b);
    let (rest, lost) = sum(1.0, -square);
    let (high, low) = ln::<I>((rest, lost - square_low), 0.0);
    let w = if b < 1e-9 { 0.0 } else { -(high + low) };
    let near = horner::<f64, I>(w - 3.0, &ERFINV_NEAR);
    let s = w.sqrt();
    let middle = horner::<f64, I>(s - 3.2, &ERFINV_MIDDLE);
    let far = horner::<f64, I>(s - 5.0, &ERFINV_FAR);
    let y = if w < 6.0 {
        near
    } else if w < 16.0 {
        middle
    } else {
        far
    };
    let edge = if a == 1.0 { f64::INFINITY } else { f64::NAN };
    (if a < 1.0 { y * a } else { edge }).copysign(x)
}
