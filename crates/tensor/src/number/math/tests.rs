//! Measures the error bounds that [`Math`](super::Math) states: `f32` against the standard
//! library's `f64`, `f64` against double-double arithmetic. Each is measured with the best
//! instruction set of this machine and with the baseline.

mod reference;
mod wide;

use super::{Math, Real, block};
use crate::machine::{Baseline, Isa, Kernel, dispatch};
use reference::Wide;

#[derive(Clone, Copy, Debug)]
enum Function {
    Exp,
    ExpM1,
    Ln,
    Ln1p,
    Sin,
    Cos,
    Tanh,
    Sigmoid,
    Softplus,
    Erf,
    Ndtr,
    Sqrt,
    Recip,
    Powi(i32),
}
use Function::{
    Cos, Erf, Exp, ExpM1, Ln, Ln1p, Ndtr, Powi, Recip, Sigmoid, Sin, Softplus, Sqrt, Tanh,
};

pub(crate) use wide::special_function;

/// A function applied to many numbers.
struct Apply<'a, T> {
    function: Function,
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Math> Kernel for Apply<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let (x, y, n) = (self.x.as_ptr(), self.y.as_mut_ptr(), self.x.len().min(self.y.len()));
        macro_rules! map {
            ($method:ident) => {
                // SAFETY: both slices have n numbers, and do not overlap.
                unsafe {
                    block::map(
                        x,
                        y,
                        n,
                        #[inline(always)]
                        |a: T| a.$method::<I>(),
                    );
                }
            };
        }
        match self.function {
            Exp => map!(exp),
            ExpM1 => map!(exp_m1),
            Ln => map!(ln),
            Ln1p => map!(ln_1p),
            Tanh => map!(tanh),
            Sigmoid => map!(sigmoid),
            Softplus => map!(softplus),
            Erf => map!(erf),
            Ndtr => map!(ndtr),
            Sqrt => map!(sqrt),
            Recip => map!(recip),
            // SAFETY: as above.
            Sin => unsafe { block::sin::<T, I>(x, y, n) },
            // SAFETY: as above.
            Cos => unsafe { block::cos::<T, I>(x, y, n) },
            // SAFETY: as above.
            Powi(k) => unsafe { block::powi::<T, I>(x, y, n, k) },
        }
    }
}

/// Returns the results with the best instruction set and with the baseline.
fn both<T: Math>(function: Function, x: &[T]) -> [Vec<T>; 2] {
    let (mut best, mut baseline) = (vec![T::K.zero; x.len()], vec![T::K.zero; x.len()]);
    dispatch(Apply { function, x, y: &mut best });
    Apply { function, x, y: &mut baseline }.run::<Baseline>();
    [best, baseline]
}

fn exact_f32(function: Function, x: f64) -> f64 {
    match function {
        Exp => x.exp(),
        ExpM1 => x.exp_m1(),
        Ln => x.ln(),
        Ln1p => x.ln_1p(),
        Sin => x.sin(),
        Cos => x.cos(),
        Tanh => x.tanh(),
        Sigmoid if x < 0.0 => x.exp() / (1.0 + x.exp()),
        Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p() + if x.is_nan() { x } else { 0.0 },
        Erf => Wide::erf(x).nearest(),
        Ndtr if x < -40.0 => 0.0,
        Ndtr => 0.5 * Wide::erfc(-x * std::f64::consts::FRAC_1_SQRT_2).nearest(),
        Sqrt => x.sqrt(),
        Recip => 1.0 / x,
        Powi(k) => x.powi(k),
    }
}

/// Returns the error in ulp of the exact result. An unexpected infinity or NaN gives an infinite
/// error.
fn ulps_f32(got: f32, exact: f64) -> f64 {
    let nearest = exact as f32;
    if nearest.is_nan() {
        return if got.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if got == nearest
        && (got != 0.0 || got.is_sign_negative() == nearest.is_sign_negative() || exact != 0.0)
    {
        // This includes exact results beyond the range of the type.
        if !nearest.is_finite() || got == 0.0 {
            return 0.0;
        }
    }
    let bits = (nearest.abs().min(f32::MAX)).to_bits().max(f32::MIN_POSITIVE.to_bits());
    let ulp = f64::from(f32::from_bits(bits & (!0 << 23))) * f64::from(f32::EPSILON);
    if got == nearest && exact == 0.0 {
        return f64::INFINITY; // a zero of the wrong sign
    }
    // Infinity counts as the number that would follow the largest finite one.
    let value =
        if got.is_infinite() { f64::from(got.signum()) * 2f64.powi(128) } else { f64::from(got) };
    let exact = exact.clamp(-(2f64.powi(128)), 2f64.powi(128));
    let error = (value - exact).abs() / ulp;
    if error.is_nan() { f64::INFINITY } else { error }
}

/// Returns the largest error over every `stride`th bit pattern, and its argument, with either
/// instruction set.
fn worst_f32(function: Function, stride: usize) -> [(f64, f32); 2] {
    let mut worst = [(0.0, 0.0); 2];
    let mut patterns = (0..=u32::MAX).step_by(stride).map(f32::from_bits);
    loop {
        let x: Vec<f32> = patterns.by_ref().take(4096).collect();
        if x.is_empty() {
            return worst;
        }
        for (worst, y) in worst.iter_mut().zip(both(function, &x)) {
            for (&x, y) in x.iter().zip(y) {
                let error = ulps_f32(y, exact_f32(function, f64::from(x)));
                if error > worst.0 {
                    *worst = (error, x);
                }
            }
        }
    }
}

/// The error bounds for `f32` and for `f64`.
const BOUNDS: [(Function, f64, f64); 16] = [
    (Exp, 1.1, 1.1),
    (ExpM1, 1.5, 1.5),
    (Ln, 1.0, 1.0),
    (Ln1p, 1.5, 1.5),
    (Sin, 2.0, 1.0),
    (Cos, 2.0, 1.0),
    (Tanh, 2.0, 2.0),
    (Sigmoid, 2.5, 2.5),
    (Softplus, 2.0, 2.0),
    (Erf, 1.5, 1.5),
    (Ndtr, 4.0, 2.0),
    (Sqrt, 0.5001, 0.5001),
    (Recip, 0.5001, 0.5001),
    (Powi(3), 0.6, 4.0),
    (Powi(-2), 0.6, 3.0),
    (Powi(100), 0.6, 101.0),
];

fn check_f32(stride: usize) {
    for (function, bound, _) in BOUNDS {
        let worst = worst_f32(function, stride);
        println!("f32 {function:?}: {worst:?}");
        for (error, x) in worst {
            assert!(error <= bound, "f32 {function:?}: {error} ulp at {x:e}, of {bound}");
        }
    }
}

#[test]
fn f32_bounds_hold_over_the_whole_range() {
    check_f32(4999);
}

#[test]
#[ignore = "all 2³² numbers: some minutes for each function"]
fn f32_bounds_hold_for_every_number() {
    check_f32(1);
}

/// Returns 64 random bits (xorshift64*).
fn random(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d)
}

/// Returns numbers of all magnitudes, many where the functions bend and many near multiples of π/2
/// and powers of 2.
fn sample(count: usize) -> Vec<f64> {
    let state = &mut 0x9e37_79b9_7f4a_7c15;
    (0..count)
        .map(|i| {
            let bits = random(state);
            let unit = (random(state) >> 11) as f64 / 2f64.powi(52) - 1.0;
            let near = |center: f64| {
                f64::from_bits(center.to_bits().wrapping_add(bits % 64).wrapping_sub(32))
            };
            match i % 8 {
                0 => f64::from_bits(bits),
                1 => unit,
                2 => unit * 40.0,
                3 => unit * 750.0,
                4 => unit * 1e5,
                5 => near((bits >> 48) as f64 * std::f64::consts::FRAC_PI_2),
                6 => near(2f64.powi((bits >> 54) as i32 % 60 - 30)),
                _ => unit * 2f64.powi((bits >> 54) as i32 % 60 - 55),
            }
        })
        .collect()
}

fn exact_f64(function: Function, x: f64) -> Wide {
    let z = || Wide::exp(-x.abs());
    let one = Wide::from(1.0);
    match function {
        Exp => Wide::exp(x),
        ExpM1 => Wide::exp_m1(Wide::from(x)),
        Ln => Wide::ln(x),
        Ln1p => Wide::ln_1p(Wide::from(x)),
        Sin => Wide::sin_cos(x).0,
        Cos => Wide::sin_cos(x).1,
        Tanh => {
            let e = Wide::exp_m1(Wide::from(2.0 * x.abs().min(40.0)));
            (e / (e + Wide::from(2.0))).scale(x.signum())
        }
        Sigmoid => (if x < 0.0 { z() } else { one }) / (one + z()),
        Softplus => Wide::from(x.max(0.0)) + Wide::ln_1p(z()),
        Erf => Wide::erf(x),
        Powi(k) => {
            let power = (0..k.unsigned_abs()).fold(one, |p, _| p * Wide::from(x));
            if k < 0 { one / power } else { power }
        }
        Sqrt | Recip => unreachable!("correctly rounded by the processor"),
        Ndtr => unreachable!("compared with mpmath in wide.rs"),
    }
}

/// Returns whether the reference is valid at `x`: no part of it overflows or underflows.
fn covered(function: Function, x: f64) -> bool {
    let size = x.abs();
    x.is_finite()
        && size > 1e-280
        && match function {
            Exp | ExpM1 | Sigmoid | Softplus => size < 640.0,
            Ln => x > 0.0,
            Ln1p => x > -1.0,
            Sin | Cos => size <= f64::NEAR,
            Powi(k) => size.ln().abs() * f64::from(k.abs()) < 600.0,
            Tanh | Erf | Ndtr | Sqrt | Recip => true,
        }
}

#[test]
fn f64_bounds_hold() {
    let sample = sample(if cfg!(miri) { 100 } else { 160_000 });
    for (function, _, bound) in BOUNDS {
        if matches!(function, Sqrt | Recip | Ndtr) {
            continue;
        }
        let x: Vec<f64> = sample.iter().copied().filter(|&x| covered(function, x)).collect();
        let mut worst = [(0.0, 0.0); 2];
        let [best, baseline] = both(function, &x);
        for ((x, a), b) in x.into_iter().zip(best).zip(baseline) {
            let exact = exact_f64(function, x);
            for (worst, y) in worst.iter_mut().zip([a, b]) {
                let error = exact.ulps(y);
                if error > worst.0 || error.is_nan() {
                    *worst = (error, x);
                }
            }
        }
        println!("f64 {function:?}: {worst:?}");
        for (error, x) in worst {
            assert!(error <= bound, "f64 {function:?}: {error} ulp at {x:e}, of {bound}");
        }
    }
}

/// Checks results that are known exactly and are the same for both types. NaN stands for any NaN;
/// zeros have signs.
#[allow(clippy::too_many_lines)] // a table
fn special<T: Math + std::fmt::Debug>() {
    let inf = f64::INFINITY;
    let nan = f64::NAN;
    let table = [
        (Exp, &[(-inf, 0.0), (inf, inf), (-1e4, 0.0), (1e4, inf), (0.0, 1.0), (-0.0, 1.0)][..]),
        (
            ExpM1,
            &[
                (-inf, -1.0),
                (inf, inf),
                (1e4, inf),
                (-1e4, -1.0),
                (0.0, 0.0),
                (-0.0, -0.0),
                (1e-30, 1e-30),
            ],
        ),
        (
            Ln,
            &[
                (0.0, -inf),
                (-0.0, -inf),
                (-1.0, nan),
                (-1e-30, nan),
                (-inf, nan),
                (inf, inf),
                (1.0, 0.0),
            ],
        ),
        (
            Ln1p,
            &[
                (-1.0, -inf),
                (-1.5, nan),
                (-inf, nan),
                (inf, inf),
                (0.0, 0.0),
                (-0.0, -0.0),
                (1e-30, 1e-30),
            ],
        ),
        (Sin, &[(inf, nan), (-inf, nan), (0.0, 0.0), (-0.0, -0.0)]),
        (Cos, &[(inf, nan), (-inf, nan), (0.0, 1.0), (-0.0, 1.0)]),
        (Tanh, &[(inf, 1.0), (-inf, -1.0), (0.0, 0.0), (-0.0, -0.0), (30.0, 1.0), (-30.0, -1.0)]),
        (Sigmoid, &[(inf, 1.0), (-inf, 0.0), (0.0, 0.5), (1e4, 1.0), (-1e4, 0.0)]),
        (
            Softplus,
            &[(inf, inf), (-inf, 0.0), (1e4, 1e4), (-1e4, 0.0), (0.0, std::f64::consts::LN_2)],
        ),
        (Erf, &[(inf, 1.0), (-inf, -1.0), (0.0, 0.0), (-0.0, -0.0), (7.0, 1.0), (-7.0, -1.0)]),
        (Ndtr, &[(inf, 1.0), (-inf, 0.0), (0.0, 0.5), (-0.0, 0.5), (40.0, 1.0), (-40.0, 0.0)]),
        (Sqrt, &[(inf, inf), (-1.0, nan), (-0.0, -0.0), (4.0, 2.0)]),
        (Recip, &[(inf, 0.0), (-inf, -0.0), (0.0, inf), (-0.0, -inf)]),
        (Powi(0), &[(0.0, 1.0), (inf, 1.0), (-3.0, 1.0)]),
        (Powi(3), &[(-2.0, -8.0), (-inf, -inf), (-0.0, -0.0), (1e300, inf)]),
        (Powi(-1), &[(-2.0, -0.5), (0.0, inf), (-0.0, -inf), (inf, 0.0)]),
        (Powi(i32::MIN), &[(1.0, 1.0), (-1.0, 1.0), (2.0, 0.0), (0.5, inf)]),
    ];
    for (function, cases) in table {
        let x: Vec<T> = cases.iter().map(|c| T::narrow(c.0)).chain([T::K.nan]).collect();
        let expected =
            cases.iter().map(|c| c.1).chain([if matches!(function, Powi(0)) { 1.0 } else { nan }]);
        for y in both(function, &x) {
            for ((x, y), expected) in x.iter().zip(y).zip(expected.clone()) {
                let want = T::narrow(expected).widen();
                let same =
                    y.widen().to_bits() == want.to_bits() || (y.widen().is_nan() && want.is_nan());
                assert!(same, "{function:?}({x:?}) is {want:?}, not {y:?}");
            }
        }
    }
}

#[test]
fn special_values() {
    special::<f32>();
    special::<f64>();
}

/// Values of mpmath 1.3 with 50 digits, rounded to 20. They check the double-double reference, too.
#[test]
#[allow(clippy::excessive_precision)] // the digits as printed
fn erf_agrees_with_mpmath() {
    let table = [
        (1e-300, 1.1283791670955126022e-300),
        (1e-20, 1.128379167095512512e-20),
        (3e-09, 3.385137501286537689e-9),
        (0.001, 0.0011283787909692364034),
        (0.0625, 0.070431977722387078051),
        (0.1, 0.1124629160182848984),
        (0.25, 0.27632639016823693299),
        (0.5, 0.52049987781304653768),
        (0.75, 0.7111556336535151316),
        (0.84375, 0.76722566123234163346),
        (0.9375, 0.81510240103439980418),
        (0.9999999999999999, 0.84270079294971482326),
        (1.0, 0.84270079294971486934),
        (1.0000000000000002, 0.84270079294971496151),
        (1.1, 0.88020506957408172966),
        (1.25, 0.92290012825645823014),
        (1.5, 0.96610514647531072707),
        (1.75, 0.98667167121918244377),
        (2.0, 0.99532226501895273416),
        (2.5, 0.99959304798255504106),
        (2.857142857142857, 0.99994668768861167721),
        (3.0, 0.99997790950300141456),
        (3.5, 0.99999925690162765859),
        (3.919, 0.99999997014807507319),
        (4.0, 0.99999998458274209972),
        (4.5, 0.99999999980338395585),
        (5.0, 0.99999999999846254021),
        (5.5, 0.99999999999999264215),
        (5.75, 0.99999999999999957679),
        (5.863584748755168, 0.99999999999999988898),
        (5.9, 0.9999999999999999281),
        (5.921587195794508, 0.99999999999999994449),
        (6.0, 0.99999999999999997848),
        (8.0, 1.0),
    ];
    for (x, exact) in table {
        assert!(Wide::erf(x).ulps(exact) <= 0.51, "reference at {x}");
        for (x, exact) in [(x, exact), (-x, -exact)] {
            for y in both(Erf, &[x]) {
                let error = (y[0] - exact).abs() / (f64::EPSILON * exact.abs());
                assert!(error <= 2.0, "erf {x} is {exact}, not {}", y[0]);
            }
            // The argument rounded to `f32` has another value: compare where it is exact.
            if f64::from(x as f32) == x {
                for y in both(Erf, &[x as f32]) {
                    assert!(ulps_f32(y[0], exact) <= 2.0, "erf {x} is {exact}, not {}", y[0]);
                }
            }
        }
    }
}

/// Checks arguments that the double-double reference does not cover: subnormal results, the last
/// finite results, and subnormal arguments. The standard library's error there is at most 1 ulp.
#[test]
fn results_at_the_edges_of_f64_agree_with_std() {
    type Case<'a> = (Function, fn(f64) -> f64, &'a [f64]);
    let mut x: Vec<f64> = (0..4000).map(|i| -746.0 + f64::from(i) / 64.0).collect();
    x.extend((0..4000).map(|i| 640.0 + f64::from(i) / 55.0));
    let tiny: Vec<f64> =
        (0..51).flat_map(|i| [1u64 << i, (1 << i) + 1, (3 << i) + 7]).map(f64::from_bits).collect();
    let cases: [Case; 4] = [
        (Exp, f64::exp, &x),
        (ExpM1, f64::exp_m1, &x),
        (Ln, f64::ln, &tiny),
        (Ln1p, f64::ln_1p, &tiny),
    ];
    for (function, exact, x) in cases {
        for y in both(function, x) {
            for (&x, y) in x.iter().zip(y) {
                let want = exact(x);
                assert!(
                    y == want || y.to_bits().abs_diff(want.to_bits()) <= 2,
                    "{function:?}({x:e}) is {want:e}, not {y:e}"
                );
            }
        }
    }
}

/// A large argument does not change the precision of the other numbers in its block. It gives the same result
/// alone and in a block.
#[test]
fn large_angles_do_not_change_other_elements_of_the_block() {
    for x in [1e5_f64, 1.0001e5, 3e7, 1e22, -1e30] {
        let mut xs = vec![0.5; 300];
        xs[7] = x;
        for (function, exact) in [(Sin, x.sin()), (Cos, x.cos())] {
            for y in both(function, &xs) {
                assert!(
                    (y[7] - exact).abs() <= 3e-16,
                    "{function:?}({x:e}) is {exact}, not {}",
                    y[7]
                );
                assert_eq!(y[8], y[299]);
            }
        }
        assert_eq!(Math::sin::<Baseline>(x).to_bits(), both(Sin, &[x])[1][0].to_bits());
    }
}

/// Blocks with and without a tail.
#[test]
fn functions_of_blocks_of_any_length_agree_with_single_numbers() {
    for n in [0, 1, 31, 32, 33, 64, 257, 300] {
        let a: Vec<f64> = (0..n).map(f64::from).collect();
        for (function, f) in [(Sin, f64::sin as fn(f64) -> f64), (Powi(2), |a| a * a)] {
            for y in both(function, &a) {
                assert!(y.iter().zip(&a).all(|(y, &a)| (y - f(a)).abs() < 1e-15));
            }
        }
    }
}

#[test]
fn powf_has_the_signs_of_std() {
    assert_eq!(Math::powf::<Baseline>(0f32, 0.0), 1.0);
    assert_eq!(Math::powf::<Baseline>(-2f32, 3.0), -8.0);
    assert!(Math::powf::<Baseline>(-2f64, 0.5).is_nan());
    assert_eq!(Math::abs::<Baseline>(-2f64), 2.0);
    assert_eq!(Math::fma::<Baseline>(2f32, 3.0, 4.0), 10.0);
}
