//! Measures the error bounds of the functions that are computed in `f64`, against values of mpmath
//! (`wide.py`) and double-double arithmetic.

use super::random;
use super::reference::Wide;
use crate::machine::{Baseline, Isa, Kernel, dispatch};
use crate::number::math::{Math, block, wide};

macro_rules! functions {
    ($($name:literal, $bound:literal: |$x:ident, $y:ident| $value:expr;)*) => {
        /// The names and the error bounds, in the order of `wide.py`.
        const FUNCTIONS: &[(&str, f64)] = &[$(($name, $bound)),*];

        struct Apply<'a> {
            name: &'a str,
            x: &'a [f64],
            y: &'a [f64],
            out: &'a mut [f64],
        }

        impl Kernel for Apply<'_> {
            type Output = ();
            #[inline(always)]
            fn run<I: Isa>(self) {
                let (x, y, out) = (self.x.as_ptr(), self.y.as_ptr(), self.out.as_mut_ptr());
                let n = self.x.len();
                assert!(n == self.y.len() && n == self.out.len());
                match self.name {
                    $($name => {
                        // SAFETY: all have n numbers, and nothing else refers to the last.
                        unsafe {
                            block::zip(x, y, out, n, #[inline(always)] |$x: f64, $y: f64| $value)
                        }
                    })*
                    name => unreachable!("{name}"),
                }
            }
        }
    };
}
functions! {
    "expm1", 1.5: |x, _y| Math::exp_m1::<I>(x);
    "log1p", 1.5: |x, _y| Math::ln_1p::<I>(x);
    "log2", 1.5: |x, _y| wide::log2::<I>(x);
    "log10", 1.5: |x, _y| wide::log10::<I>(x);
    "rsqrt", 1.5: |x, _y| Math::recip::<I>(Math::sqrt::<I>(x));
    "tan", 1.5: |x, _y| wide::tan_near::<I>(x);
    "asin", 1.0: |x, _y| wide::asin::<I>(x);
    "acos", 1.0: |x, _y| wide::acos::<I>(x);
    "atan", 1.0: |x, _y| wide::atan::<I>(x);
    "sinh", 1.0: |x, _y| wide::sinh::<I>(x);
    "cosh", 1.0: |x, _y| wide::cosh::<I>(x);
    "asinh", 1.0: |x, _y| wide::asinh::<I>(x);
    "acosh", 1.0: |x, _y| wide::acosh::<I>(x);
    "atanh", 1.0: |x, _y| wide::atanh::<I>(x);
    "erfc", 2.0: |x, _y| wide::erfc::<I>(x);
    "erfinv", 4.0: |x, _y| wide::erfinv::<I>(x);
    "lgamma", 4.0: |x, _y| wide::lgamma::<I>(x);
    "digamma", 4.0: |x, _y| wide::digamma::<I>(x);
    "polygamma 1", 6.0: |x, _y| wide::polygamma::<I>(1, x);
    "polygamma 2", 8.0: |x, _y| wide::polygamma::<I>(2, x);
    "polygamma 5", 14.0: |x, _y| wide::polygamma::<I>(5, x);
    "lgamma below 0", 4.0: |x, _y| wide::lgamma::<I>(x);
    "digamma below 0", 4.0: |x, _y| wide::digamma::<I>(x);
    "atan2", 1.0: |x, y| wide::atan2::<I>(x, y);
    "hypot", 1.5: |x, y| wide::hypot::<I>(x, y);
    "xlogy", 1.5: |x, y| wide::xlogy::<I>(x, y);
    "logaddexp", 2.0: |x, y| wide::logaddexp::<I>(x, y);
    "ndtr", 2.0: |x, _y| wide::ndtr::<I>(x);
}

/// Returns the results with the best instruction set and with the baseline.
fn both(name: &str, x: &[f64], y: &[f64]) -> [Vec<f64>; 2] {
    let (mut best, mut baseline) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    dispatch(Apply { name, x, y, out: &mut best });
    Apply { name, x, y, out: &mut baseline }.run::<Baseline>();
    [best, baseline]
}

/// Returns the error of `y` in ulp of the result, or of a larger number in whose ulp the bound is stated.
fn error(name: &str, x: [f64; 2], (high, low): (f64, f64), y: f64) -> f64 {
    let size = match name {
        "lgamma below 0" => high.abs().max(1.0),
        "digamma below 0" => high.abs().max(1.0).max(x[0].abs().ln()),
        "logaddexp" => high.abs().max(x[0].max(x[1]).abs()),
        _ => high.abs(),
    };
    let ulp = f64::from_bits(size.to_bits() & (!0 << 52)) * f64::EPSILON;
    let error = if y == high { low.abs() } else { ((y - high) - low).abs() };
    if ulp == 0.0 { if y == high { 0.0 } else { f64::INFINITY } } else { error / ulp }
}

#[test]
fn bounds_hold_against_mpmath() {
    let bytes = include_bytes!("wide.bin");
    let numbers: Vec<f64> =
        bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("8 bytes"))).collect();
    let rows = numbers.len() / 4 / FUNCTIONS.len();
    assert_eq!(rows, 200);
    for (&(name, bound), table) in FUNCTIONS.iter().zip(numbers.chunks_exact(4 * rows)) {
        let column = |i: usize| table.iter().skip(i).step_by(4).copied().collect::<Vec<_>>();
        let [x, y, high, low] = [0, 1, 2, 3].map(column);
        for got in both(name, &x, &y) {
            let mut worst = (0.0, 0.0, 0.0);
            for i in 0..rows {
                let e = error(name, [x[i], y[i]], (high[i], low[i]), got[i]);
                if e > worst.0 || e.is_nan() {
                    worst = (e, x[i], y[i]);
                }
            }
            println!("{name}: {worst:?}");
            assert!(worst.0 <= bound, "{name}: {worst:?}, of {bound} ulp");
        }
    }
}

/// The functions of the family of the gamma function against double-double arithmetic, beside their zeros too.
#[test]
fn bounds_hold_against_double_double() {
    type Case = (&'static str, fn(f64) -> Wide, f64, f64);
    let cases: [Case; 6] = [
        ("lgamma", Wide::lgamma, 0.0, 12.0),
        ("digamma", Wide::digamma, 0.0, 12.0),
        ("polygamma 1", Wide::trigamma, 0.0, 12.0),
        ("lgamma below 0", Wide::lgamma, -12.0, 0.0),
        ("digamma below 0", Wide::digamma, -12.0, 0.0),
        ("erfc", Wide::erfc, -6.0, 25.0),
    ];
    let state = &mut 0x9e37_79b9_7f4a_7c15;
    let count = if cfg!(miri) { 20 } else { 3000 };
    for (name, exact, from, to) in cases {
        let x: Vec<f64> = (0..count)
            .map(|_| from + (to - from) * (random(state) >> 11) as f64 / 2f64.powi(53))
            .collect();
        let bound = FUNCTIONS.iter().find(|row| row.0 == name).expect("listed").1;
        for got in both(name, &x, &x) {
            for (&x, y) in x.iter().zip(got) {
                let e = error(name, [x, x], exact(x).parts(), y);
                assert!(e <= bound, "{name}({x:e}): {e} ulp, of {bound}");
            }
        }
    }
}

/// Results that are known exactly. NaN stands for any NaN; zeros have signs.
#[test]
#[allow(clippy::too_many_lines)] // a table
fn special_results() {
    use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, LN_2, PI};
    type Cases = &'static [(f64, f64, f64)];
    const INF: f64 = f64::INFINITY;
    const NAN: f64 = f64::NAN;
    const BELOW: f64 = f64::from_bits(1);
    let one: &[(&str, &[(f64, f64)])] = &[
        (
            "log2",
            &[
                (0.0, -INF),
                (-0.0, -INF),
                (-1.0, NAN),
                (INF, INF),
                (1.0, 0.0),
                (8.0, 3.0),
                (BELOW, -1074.0),
            ],
        ),
        (
            "log10",
            &[
                (0.0, -INF),
                (-0.0, -INF),
                (-1.0, NAN),
                (INF, INF),
                (1.0, 0.0),
                (1000.0, 3.0),
                (1e22, 22.0),
            ],
        ),
        ("rsqrt", &[(0.0, INF), (-0.0, -INF), (-1.0, NAN), (INF, 0.0), (4.0, 0.5)]),
        ("tan", &[(0.0, 0.0), (-0.0, -0.0), (BELOW, BELOW)]),
        (
            "asin",
            &[
                (0.0, 0.0),
                (-0.0, -0.0),
                (1.0, FRAC_PI_2),
                (-1.0, -FRAC_PI_2),
                (1.1, NAN),
                (INF, NAN),
            ],
        ),
        ("acos", &[(0.0, FRAC_PI_2), (1.0, 0.0), (-1.0, PI), (1.1, NAN), (-INF, NAN)]),
        (
            "atan",
            &[
                (0.0, 0.0),
                (-0.0, -0.0),
                (INF, FRAC_PI_2),
                (-INF, -FRAC_PI_2),
                (1.0, FRAC_PI_4),
                (BELOW, BELOW),
            ],
        ),
        ("sinh", &[(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (1e4, INF), (BELOW, BELOW)]),
        ("cosh", &[(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, INF), (1e4, INF)]),
        ("asinh", &[(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (BELOW, BELOW)]),
        ("acosh", &[(1.0, 0.0), (INF, INF), (0.5, NAN), (-INF, NAN)]),
        (
            "atanh",
            &[
                (0.0, 0.0),
                (-0.0, -0.0),
                (1.0, INF),
                (-1.0, -INF),
                (1.5, NAN),
                (INF, NAN),
                (BELOW, BELOW),
            ],
        ),
        ("ndtr", &[(0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (-INF, 0.0), (-39.0, 0.0), (9.0, 1.0)]),
        ("erfc", &[(0.0, 1.0), (INF, 0.0), (-INF, 2.0), (28.0, 0.0), (-7.0, 2.0)]),
        ("erfinv", &[(0.0, 0.0), (-0.0, -0.0), (1.0, INF), (-1.0, -INF), (1.5, NAN), (-INF, NAN)]),
        (
            "lgamma",
            &[
                (0.0, INF),
                (-0.0, INF),
                (-3.0, INF),
                (1.0, 0.0),
                (2.0, 0.0),
                (3.0, LN_2),
                (INF, INF),
                (-INF, INF),
                (1e306, INF),
            ],
        ),
        ("digamma", &[(0.0, -INF), (-0.0, INF), (-3.0, NAN), (INF, INF), (1e-309, -INF)]),
        ("polygamma 1", &[(0.0, INF), (-2.0, INF), (INF, 0.0)]),
        ("polygamma 2", &[(0.0, -INF), (-2.0, -INF), (INF, -0.0)]),
    ];
    let check = |name: &str, x: f64, y: f64, want: f64| {
        for got in both(name, &[x], &[y]) {
            let same = got[0].to_bits() == want.to_bits() || got[0].is_nan() && want.is_nan();
            assert!(same, "{name}({x}, {y}) is {want}, not {}", got[0]);
        }
    };
    for &(name, table) in one {
        for &(x, want) in table {
            check(name, x, x, want);
        }
        check(name, NAN, NAN, NAN);
    }
    let two: &[(&str, Cases)] = &[
        (
            "atan2",
            &[
                (0.0, 0.0, 0.0),
                (-0.0, 0.0, -0.0),
                (0.0, -0.0, PI),
                (-0.0, -0.0, -PI),
                (0.0, -1.0, PI),
                (1.0, 0.0, FRAC_PI_2),
                (-1.0, -0.0, -FRAC_PI_2),
                (INF, INF, FRAC_PI_4),
                (INF, -INF, 3.0 * FRAC_PI_4),
                (-INF, 1.0, -FRAC_PI_2),
                (1.0, INF, 0.0),
                (-1.0, INF, -0.0),
                (1.0, -INF, PI),
                (NAN, 1.0, NAN),
                (1.0, NAN, NAN),
            ],
        ),
        (
            "hypot",
            &[
                (3.0, 4.0, 5.0),
                (0.0, -0.0, 0.0),
                (-INF, NAN, INF),
                (NAN, INF, INF),
                (NAN, 1.0, NAN),
                (3e300, 4e300, 5e300),
                (BELOW, 0.0, BELOW),
                (1e308, 1e308, 1e308 * std::f64::consts::SQRT_2),
            ],
        ),
        (
            "xlogy",
            &[
                (0.0, 0.0, 0.0),
                (0.0, -1.0, 0.0),
                (0.0, INF, 0.0),
                (0.0, NAN, NAN),
                (2.0, 0.0, -INF),
                (2.0, 1.0, 0.0),
                (1.0, INF, INF),
                (INF, 2.5, INF),
                (-INF, 2.5, -INF),
                (INF, 1.0, NAN),
            ],
        ),
        (
            "logaddexp",
            &[
                (INF, INF, INF),
                (-INF, -INF, -INF),
                (INF, -INF, INF),
                (-INF, 3.0, 3.0),
                (1e4, 1e4, 1e4 + LN_2),
                (-1e4, 1e4, 1e4),
                (0.0, 0.0, LN_2),
                (NAN, 1.0, NAN),
                (1.0, NAN, NAN),
                (f64::MAX, 0.0, f64::MAX),
            ],
        ),
    ];
    for &(name, table) in two {
        for &(x, y, want) in table {
            check(name, x, y, want);
        }
    }
}

/// Subnormal arguments and results are not flushed to zero.
#[test]
fn subnormal_numbers() {
    let odd = ["tan", "asin", "atan", "sinh", "asinh", "atanh", "expm1", "log1p"];
    for bits in [1, 2, 3, 1 << 20, (1 << 52) - 1, 1 << 52] {
        let x = f64::from_bits(bits);
        for x in [x, -x] {
            for name in odd {
                for got in both(name, &[x], &[x]) {
                    assert_eq!(got[0].to_bits(), x.to_bits(), "{name}({x:e})");
                }
            }
        }
        for (name, want) in [("log2", x.log2()), ("log10", x.log10()), ("lgamma", -x.ln())] {
            for got in both(name, &[x], &[x]) {
                assert!((got[0] / want - 1.0).abs() < 5e-16, "{name}({x:e}): {}", got[0]);
            }
        }
        for got in both("atan2", &[x], &[2.0]) {
            assert_eq!(got[0], x / 2.0);
        }
        for got in both("hypot", &[3.0 * x], &[4.0 * x]) {
            assert!(got[0].to_bits().abs_diff((5.0 * x).to_bits()) <= 1);
        }
    }
    // Values of mpmath, in units of 2⁻¹⁰⁷⁴.
    for (x, units) in [(26.6, 220317400674725), (26.75, 73310887672), (27.0, 105999), (27.2, 2)] {
        for got in both("erfc", &[x], &[x]) {
            assert!(got[0].to_bits().abs_diff(units) <= 1, "erfc({x}): {:e}", got[0]);
        }
    }
}

/// For large angles the tangent is that of the standard library, in blocks too.
#[test]
fn far_tangents() {
    let mut x = vec![0.5; 300];
    x[7] = 1e22;
    let mut y = vec![0.0; 300];
    // SAFETY: both have 300 numbers.
    unsafe { block::tan::<Baseline>(x.as_ptr(), y.as_mut_ptr(), 300) };
    assert!((y[7] - 1e22f64.tan()).abs() < 1e-15);
    assert_eq!(y[8], y[299]);
    assert!((y[8] - 0.5f64.tan()).abs() < 2e-16);
    // SAFETY: as above.
    unsafe { block::tan::<Baseline>([f64::INFINITY].as_ptr(), y.as_mut_ptr(), 1) };
    assert!(y[0].is_nan());
}

/// Computes functions that the standard library lacks, for tests of operations. `polygamma` is its first
/// order.
pub(crate) fn special_function(name: &str, x: f64) -> f64 {
    let pole = x <= 0.0 && x.fract() == 0.0;
    let value = match name {
        _ if x.is_nan() => return x,
        "erfc" if x.abs() > 7.0 && x < 0.0 => return 2.0,
        "erfc" => Wide::erfc(x),
        "erfinv" if x.abs() == 1.0 => return x / 0.0,
        "erfinv" if x.abs() > 1.0 => return f64::NAN,
        "erfinv" if x == 0.0 => return x,
        "erfinv" => Wide::erfinv(x),
        "lgamma" | "polygamma" if pole => return f64::INFINITY,
        "lgamma" if x == 1.0 || x == 2.0 => return 0.0,
        "lgamma" => Wide::lgamma(x),
        "digamma" if x == 0.0 => return -1.0 / x,
        "digamma" if pole => return f64::NAN,
        "digamma" => Wide::digamma(x),
        "polygamma" => Wide::trigamma(x),
        _ => unreachable!("{name}"),
    };
    value.nearest()
}
