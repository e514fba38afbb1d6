//! Second derivatives against exact formulas: at zeros, ones, ties and negative numbers, where rules
//! meet 0 · ∞. Each table has its formula beside it.

use super::POLICIES;
use crate::graph::{Tape, Var};
use wengert_tensor::Tensor;

const INF: f64 = f64::INFINITY;

fn pair<'t>(a: Var<'t, f64>, b: Var<'t, f64>) -> Var<'t, f64> {
    Var::stack(&[a, b], 0)
}

fn same(a: f64, b: f64) -> bool {
    a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-12 * b.abs().max(1.0)
}

/// Checks first and second derivatives with respect to one number: f, f′, f″ at x, for one element and
/// among others.
fn one<F>(name: &str, f: F, table: &[(f64, f64, f64)])
where
    F: for<'t> Fn(Var<'t, f64>) -> Var<'t, f64>,
{
    for &(at, first, second) in table {
        for policy in POLICIES {
            for n in [1, 12] {
                let tape = Tape::new().with_policy(policy);
                let x = tape.watch(Tensor::full_of(&[n], at));
                let slope = f(x).sum_all().grad_or_zero(&[x])[0];
                let bend = slope.sum_all().grad_or_zero(&[x])[0];
                // The Jacobian-vector product: the rule is differentiated with respect to its cotangent,
                // in which it is linear.
                let u = tape.watch(Tensor::ones_of(&[n]));
                let pulled = (f(x) * u).sum_all().grad_or_zero(&[x])[0];
                let pushed = pulled.sum_all().grad_or_zero(&[u])[0];
                for (what, got, wanted) in
                    [("first", slope, first), ("second", bend, second), ("pushed", pushed, first)]
                {
                    for got in got.value().to_vec() {
                        assert!(
                            same(got, wanted),
                            "{name} at {at}, {what} derivative: {got}, not {wanted} ({policy:?}, {n})"
                        );
                    }
                }
            }
        }
    }
}

/// A point, the gradient, and the Hessian [aa, ab, bb] of a function of two numbers.
type Bent = ([f64; 2], [f64; 2], [f64; 3]);

/// Checks first and second derivatives with respect to two numbers. The mixed derivative is checked in
/// both orders.
fn two<F>(name: &str, f: F, table: &[Bent])
where
    F: for<'t> Fn(Var<'t, f64>, Var<'t, f64>) -> Var<'t, f64>,
{
    for &([at_a, at_b], gradient, [aa, ab, bb]) in table {
        for policy in POLICIES {
            for n in [1, 12] {
                let tape = Tape::new().with_policy(policy);
                let [a, b] = [at_a, at_b].map(|at| tape.watch(Tensor::full_of(&[n], at)));
                let slopes = f(a, b).sum_all().grad_or_zero(&[a, b]);
                let bends = slopes.iter().flat_map(|g| g.sum_all().grad_or_zero(&[a, b]));
                let u = tape.watch(Tensor::ones_of(&[n]));
                let pulled = (f(a, b) * u).sum_all().grad_or_zero(&[a, b]);
                let pushed = pulled.iter().map(|g| g.sum_all().grad_or_zero(&[u])[0]);
                let got: Vec<_> = slopes.iter().copied().chain(bends).chain(pushed).collect();
                let [by_a, by_b] = gradient;
                let wanted = [by_a, by_b, aa, ab, ab, bb, by_a, by_b];
                let got: Vec<_> = got.into_iter().map(|g| g.value().to_vec()[n - 1]).collect();
                assert!(
                    got.iter().zip(wanted).all(|(&got, wanted)| same(got, wanted)),
                    "{name} at ({at_a}, {at_b}): {got:?}, not {wanted:?} ({policy:?}, {n})"
                );
            }
        }
    }
}

/// The gradient of aᵇ is (b aᵇ⁻¹, aᵇ ln a). The second derivatives are b(b-1) aᵇ⁻², aᵇ⁻¹ (1 + b ln a) and
/// aᵇ ln²a.
#[test]
fn hessians_of_powers_with_a_variable_exponent_are_exact() {
    let ln2 = 2f64.ln();
    two(
        "pow",
        |a, b| a.pow(b),
        &[
            ([2.0, 0.0], [0.0, ln2], [0.0, 0.5, ln2 * ln2]),
            ([2.0, 1.0], [1.0, 2.0 * ln2], [0.0, 1.0 + ln2, 2.0 * ln2 * ln2]),
            ([1.0, 0.0], [0.0, 0.0], [0.0, 1.0, 0.0]),
            ([1.0, 3.0], [3.0, 0.0], [6.0, 1.0, 0.0]),
            ([0.5, -1.0], [-4.0, -2.0 * ln2], [16.0, 4.0 * (1.0 + ln2), 2.0 * ln2 * ln2]),
            // 0ᵇ with b > 1: a ln a and a ln²a go to 0 with a.
            ([0.0, 2.0], [0.0, 0.0], [2.0, 0.0, 0.0]),
            ([0.0, 3.0], [0.0, 0.0], [0.0, 0.0, 0.0]),
            ([0.0, 2.5], [0.0, 0.0], [0.0, 0.0, 0.0]),
            // a⁰ = 1 is constant.
            ([0.0, 0.0], [0.0, 0.0], [0.0, 0.0, 0.0]),
        ],
    );
    // With respect to a only, also where the derivative with respect to b does not exist. The
    // derivatives are b aᵇ⁻¹ and b(b-1) aᵇ⁻².
    for (b, table) in [
        (1.0, [(0.0, 1.0, 0.0), (-2.0, 1.0, 0.0)]),
        (2.0, [(0.0, 0.0, 2.0), (-2.0, -4.0, 2.0)]),
        (3.0, [(0.0, 0.0, 0.0), (-2.0, 12.0, -12.0)]),
        (0.0, [(0.0, 0.0, 0.0), (-2.0, 0.0, 0.0)]),
        (-1.0, [(0.5, -4.0, 16.0), (-2.0, -0.25, -0.25)]),
    ] {
        one("pow by its base", |a| a.pow(a.tape().full((), b)), &table);
        one("powf", |a| a.powf(b), &table);
        one("powi", |a| a.powi(b as i32), &table);
    }
    // With respect to b only, the derivatives are aᵇ ln a and aᵇ ln²a.
    one(
        "2 to a power",
        |b| b.tape().full((), 2.0).pow(b),
        &[(0.0, ln2, ln2 * ln2), (-1.0, 0.5 * ln2, 0.5 * ln2 * ln2)],
    );
    one("0 to a power", |b| b.tape().zeros(()).pow(b), &[(0.0, 0.0, 0.0), (2.0, 0.0, 0.0)]);
}

#[test]
fn of_functions_of_two_numbers() {
    let ln2 = 2f64.ln();
    // The gradient of a ln b is (ln b, a/b). At a = 0, b = 0 it is defined as that of a constant.
    two(
        "xlogy",
        |a, b| a.xlogy(b),
        &[
            ([2.0, 4.0], [2.0 * ln2, 0.5], [0.0, 0.25, -0.125]),
            ([0.0, 2.0], [ln2, 0.0], [0.0, 0.5, 0.0]),
            ([0.0, 0.0], [0.0, 0.0], [0.0, 0.0, 0.0]),
        ],
    );
    let (f4, f3) = (5f64.powi(4), 5f64.powi(3));
    two(
        "atan2",
        |a, b| a.atan2(b),
        &[([3.0, 4.0], [0.16, -0.12], [-24.0 / f4, -7.0 / f4, 24.0 / f4])],
    );
    two("hypot", |a, b| a.hypot(b), &[([3.0, 4.0], [0.6, 0.8], [16.0 / f3, -12.0 / f3, 9.0 / f3])]);
    two("logaddexp", |a, b| a.logaddexp(b), &[([1.0, 1.0], [0.5, 0.5], [0.25, -0.25, 0.25])]);
    two("fmod", |a, b| a.fmod(b), &[([7.0, 3.0], [1.0, -2.0], [0.0, 0.0, 0.0])]);
    two("copysign", |a, b| a.copysign(b), &[([7.0, -3.0], [-1.0, 0.0], [0.0, 0.0, 0.0])]);
    // ψ′(1) = π²/6, and ψ″(1) = -2 ζ(3).
    let square = std::f64::consts::PI.powi(2) / 6.0;
    let zeta_3 = 1.202_056_903_159_594_3;
    one("digamma", |x| x.digamma(), &[(1.0, square, -2.0 * zeta_3)]);
    one("lgamma", |x| x.lgamma(), &[(1.0, -0.577_215_664_901_532_9, square)]);
    one("floor", |x| x.floor() * x, &[(2.5, 2.0, 0.0)]);
}

/// aᵇ at a = 0 and b ≠ 0: the limits from the right, as a goes to 0 (u ln u and u ln²u go to 0 with u > 0).
///
/// - b aᵇ⁻¹: -∞ for b < 0, ∞ for 0 < b < 1, 1 at 1, else 0;
/// - aᵇ ln a: -∞ for b < 0, else 0;
/// - b(b-1) aᵇ⁻²: ∞ for b < 0, -∞ for 0 < b < 1, 0 at 1, ∞ for 1 < b < 2, 2 at 2, else 0;
/// - aᵇ⁻¹ (1 + b ln a), in both orders: for b < 0 both factors go to ∞; for 0 < b ≤ 1 the first goes to ∞
///   or is 1, and the second goes to -∞; for b > 1 it is aᵇ⁻¹ + (b/(b-1)) aᵇ⁻¹ ln aᵇ⁻¹, which goes to 0;
/// - aᵇ ln²a: ∞ for b < 0, else 0.
///
/// At b = 0 the limit does not exist: aᵇ is 1 along a⁰ and 0 along 0ᵇ. The derivatives are defined as
/// those of a constant.
#[test]
fn hessians_of_powers_of_zero_are_limits() {
    let table = [
        ([0.0, -2.0], [-INF, -INF], [INF, INF, INF]),
        ([0.0, -0.5], [-INF, -INF], [INF, INF, INF]),
        ([0.0, 0.0], [0.0, 0.0], [0.0, 0.0, 0.0]),
        ([0.0, 1e-300], [INF, 0.0], [-INF, -INF, 0.0]),
        ([0.0, 0.5], [INF, 0.0], [-INF, -INF, 0.0]),
        ([0.0, 1.0], [1.0, 0.0], [0.0, -INF, 0.0]),
        ([0.0, 1.5], [0.0, 0.0], [INF, 0.0, 0.0]),
        ([0.0, 2.0], [0.0, 0.0], [2.0, 0.0, 0.0]),
        ([0.0, 3.0], [0.0, 0.0], [0.0, 0.0, 0.0]),
    ];
    two("pow", |a, b| a.pow(b), &table);
    // The sign of the cotangent is passed on. A cotangent of 3 multiplies finite derivatives.
    let scaled = |k: f64| table.map(|(at, g, h)| (at, g.map(|x| k * x), h.map(|x| k * x)));
    two("3 pow", |a, b| 3.0 * a.pow(b), &scaled(3.0));
    two("-pow", |a, b| -a.pow(b), &scaled(-1.0));
    // The singular elements are among others, which must have their usual derivatives.
    let tape = Tape::new();
    let (at_a, at_b) = ([0.0, 2.0, 0.0, 1.0, 2.0, 0.5], [1.0, 1.0, 0.5, 1.0, 0.0, -1.0]);
    let [a, b] = [at_a, at_b].map(|at| tape.watch(Tensor::from(at)));
    let [by_a, by_b] = a.pow(b).sum_all().grad(&[a, b])[..] else { panic!("two") };
    let [ba, bb] = by_b.sum_all().grad(&[a, b])[..] else { panic!("two") };
    let [aa, ab] = by_a.sum_all().grad(&[a, b])[..] else { panic!("two") };
    for i in [1, 3, 4, 5] {
        let (x, y): (f64, f64) = (at_a[i], at_b[i]);
        let mixed = x.powf(y - 1.0) * (1.0 + y * x.ln());
        let wanted = [y * (y - 1.0) * x.powf(y - 2.0), mixed, mixed, x.powf(y) * x.ln().powi(2)];
        let got = [aa, ab, ba, bb].map(|g| g.value().to_vec()[i]);
        assert!(got.iter().zip(wanted).all(|(&got, wanted)| same(got, wanted)), "{got:?}");
    }
    for i in [0, 2] {
        assert_eq!([ab, ba].map(|g| g.value().to_vec()[i]), [-INF; 2]);
    }
}

/// The cotangent of a power of zero may be infinite. First derivatives must equal those without a
/// history.
#[test]
fn hessians_of_powers_of_zero_under_infinite_cotangents_are_limits() {
    for b in [0.5, 1.0, 2.0] {
        for policy in POLICIES {
            let tape = Tape::new().with_policy(policy);
            let [a, b] = [0.0, b].map(|at| tape.watch(Tensor::<f64>::scalar_of(at)));
            let loss = a.pow(b).ln();
            let recorded = loss.grad(&[a, b]);
            assert_eq!(recorded[1].item(), 0.0);
            let found = loss.backward();
            assert_eq!(found.wrt(b).unwrap().item(), 0.0);
        }
    }
}

/// The derivatives of xᵖ are p xᵖ⁻¹ and p(p-1) xᵖ⁻².
#[test]
fn hessians_of_powers_with_a_constant_exponent_are_exact() {
    one("x^1.5", |x| x.powf(1.5), &[(0.0, 0.0, INF), (1.0, 1.5, 0.75), (4.0, 3.0, 0.375)]);
    one("x^0.5", |x| x.powf(0.5), &[(0.0, INF, -INF), (4.0, 0.25, -1.0 / 32.0)]);
    one("x^2.5", |x| x.powf(2.5), &[(0.0, 0.0, 0.0), (1.0, 2.5, 3.75)]);
    one("x²", |x| x.square(), &[(0.0, 0.0, 2.0), (-3.0, -6.0, 2.0)]);
    one("x⁻²", |x| x.powi(-2), &[(1.0, -2.0, 6.0), (-1.0, 2.0, 6.0), (0.0, -INF, INF)]);
    one(
        "x to the least integer",
        |x| x.powi(i32::MIN),
        &[(1.0, -2147483648.0, 4611686020574871552.0)],
    );
    // The derivatives of √x are 1/(2√x) and -1/(4 x√x).
    one("sqrt", |x| x.sqrt(), &[(0.0, INF, -INF), (1.0, 0.5, -0.25), (4.0, 0.25, -1.0 / 32.0)]);
}

#[test]
fn hessians_of_piecewise_linear_functions_are_zero() {
    one(
        "abs",
        |x| x.abs(),
        &[(-2.0, -1.0, 0.0), (0.0, 0.0, 0.0), (-0.0, 0.0, 0.0), (2.0, 1.0, 0.0)],
    );
    one("relu", |x| x.relu(), &[(-2.0, 0.0, 0.0), (0.0, 0.0, 0.0), (1.0, 1.0, 0.0)]);
    one("clamp_min", |x| x.clamp_min(1.0), &[(0.5, 0.0, 0.0), (1.0, 1.0, 0.0), (2.0, 1.0, 0.0)]);
    one("clamp_max", |x| x.clamp_max(1.0), &[(0.5, 1.0, 0.0), (1.0, 1.0, 0.0), (2.0, 0.0, 0.0)]);
    one("clamp", |x| x.clamp(-1.0, 1.0), &[(-2.0, 0.0, 0.0), (-1.0, 1.0, 0.0), (0.0, 1.0, 0.0)]);
    // The derivatives of the square of a piecewise linear function y are 2 y g and 2 g², where g is the
    // slope of y.
    one("relu²", |x| x.relu().square(), &[(-2.0, 0.0, 0.0), (0.0, 0.0, 0.0), (3.0, 6.0, 2.0)]);
    one("abs²", |x| x.abs().square(), &[(-2.0, -4.0, 2.0), (0.0, 0.0, 0.0), (3.0, 6.0, 2.0)]);
}

/// m² of the maximum or minimum m: the gradient is (2 m, 0) or (0, 2 m), and the second derivative is 2
/// at its own position. At a tie each operand has half of the slope: m gₐ = m, and 2 · ½ · ½ at every
/// position.
#[test]
fn hessians_of_maximum_and_minimum_share_at_ties() {
    let table: &[Bent] = &[
        ([3.0, -1.0], [6.0, 0.0], [2.0, 0.0, 0.0]),
        ([-1.0, 3.0], [0.0, 6.0], [0.0, 0.0, 2.0]),
        ([0.0, 0.0], [0.0, 0.0], [0.5, 0.5, 0.5]),
        ([1.0, 1.0], [1.0, 1.0], [0.5, 0.5, 0.5]),
    ];
    two("maximum", |a, b| a.maximum(b).square(), table);
    two("max", |a, b| pair(a, b).max(&[0], false).square(), table);
    let mirrored = |[a, b]: [f64; 2]| [-a, -b];
    let table: Vec<Bent> = table
        .iter()
        .map(|&(at, gradient, bent)| (mirrored(at), mirrored(gradient), bent))
        .collect();
    two("minimum", |a, b| a.minimum(b).square(), &table);
    two("min", |a, b| pair(a, b).min(&[0], false).square(), &table);
}

/// The gradient of a/b is (1/b, -a/b²), and its second derivatives are 0, -1/b² and 2a/b³. The derivatives
/// of k/x are -k/x² and 2k/x³, and those of x/k are 1/k and 0.
#[test]
fn hessians_of_quotients_are_exact() {
    two(
        "div",
        |a, b| a / b,
        &[
            ([0.0, 2.0], [0.5, 0.0], [0.0, -0.25, 0.0]),
            ([1.0, 1.0], [1.0, -1.0], [0.0, -1.0, 2.0]),
            ([-3.0, 2.0], [0.5, 0.75], [0.0, -0.25, -0.75]),
            ([-3.0, -1.0], [-1.0, 3.0], [0.0, -1.0, 6.0]),
        ],
    );
    one("3 / x", |x| 3.0 / x, &[(1.0, -3.0, 6.0), (-2.0, -0.75, -0.75), (1e100, -3e-200, 6e-300)]);
    one("0 / x", |x| 0.0 / x, &[(2.0, 0.0, 0.0)]);
    one("x / -4", |x| x / -4.0, &[(0.0, -0.25, 0.0), (3.0, -0.25, 0.0)]);
    one("recip", |x| x.recip(), &[(1.0, -1.0, 2.0), (-2.0, -0.25, -0.25)]);
}

/// The gradient of ln(eᵃ + eᵇ) is (p, q), the softmax of a and b. The second derivatives are p q, -p q and
/// p q. The gradient of p is (p q, -p q), and its second derivatives are p q (q - p), p q (p - q) and
/// p q (q - p).
#[test]
fn hessians_of_logsumexp_are_exact() {
    let table: &[Bent] = &[
        ([0.0, 0.0], [0.5, 0.5], [0.25, -0.25, 0.25]),
        ([3f64.ln(), 0.0], [0.75, 0.25], [0.1875, -0.1875, 0.1875]),
        ([0.0, 1e4], [0.0, 1.0], [0.0, 0.0, 0.0]),
        ([-INF, 0.0], [0.0, 1.0], [0.0, 0.0, 0.0]),
        // The sum of exponentials is zero: no gradient reaches -∞.
        ([-INF, -INF], [0.0, 0.0], [0.0, 0.0, 0.0]),
    ];
    two("logsumexp", |a, b| pair(a, b).logsumexp(&[0], false), table);
    let table: &[Bent] = &[
        ([0.0, 0.0], [0.25, -0.25], [0.0, 0.0, 0.0]),
        ([3f64.ln(), 0.0], [0.1875, -0.1875], [-0.09375, 0.09375, -0.09375]),
        ([-INF, 0.0], [0.0, 0.0], [0.0, 0.0, 0.0]),
    ];
    two("softmax", |a, b| pair(a, b).softmax(0).narrow(0, 0, 1), table);
}

/// (a - b)² / 2 is the unbiased variance of two numbers, and (a - b)² / 4 their biased variance.
#[test]
fn hessians_of_variances_are_exact() {
    two(
        "var",
        |a, b| pair(a, b).var(&[0], false, 1),
        &[([3.0, 1.0], [2.0, -2.0], [1.0, -1.0, 1.0]), ([1.0, 1.0], [0.0, 0.0], [1.0, -1.0, 1.0])],
    );
    two(
        "var of all",
        |a, b| pair(a, b).var(&[0], false, 0),
        &[([3.0, 1.0], [1.0, -1.0], [0.5, -0.5, 0.5]), ([0.0, 0.0], [0.0, 0.0], [0.5, -0.5, 0.5])],
    );
}

/// -aᵇ at a = 0: the mixed derivative tends to +∞ for 0 < b ≤ 1, because that of aᵇ tends to -∞.
#[test]
fn mixed_derivatives_of_negated_powers_of_zero_are_infinite() {
    for policy in POLICIES {
        for n in [1, 12] {
            for power in [0.5, 1.0] {
                let tape = Tape::new().with_policy(policy);
                let a = tape.watch(Tensor::full_of(&[n], 0.0));
                let b = tape.watch(Tensor::full_of(&[n], power));
                let slopes = (-a.pow(b)).sum_all().grad(&[a, b]);
                let by_b = slopes[0].sum_all().grad_or_zero(&[b])[0];
                let by_a = slopes[1].sum_all().grad_or_zero(&[a])[0];
                for mixed in [by_b, by_a] {
                    assert_eq!(
                        mixed.value().to_vec(),
                        vec![f64::INFINITY; n],
                        "{power} {policy:?}"
                    );
                }
            }
        }
    }
}

/// The product of a and b has the gradient (b, a) and the mixed derivative 1, also where both are 0. The
/// running products are a and ab.
#[test]
fn of_products_with_zeros() {
    let points = [[0.0, 0.0], [0.0, 3.0], [-2.0, 0.0], [1.5, 4.0]];
    let table: Vec<Bent> = points.iter().map(|&[a, b]| ([a, b], [b, a], [0.0, 1.0, 0.0])).collect();
    two("prod", |a, b| pair(a, b).prod(&[0], false), &table);
    let table: Vec<Bent> =
        points.iter().map(|&[a, b]| ([a, b], [1.0 + b, a], [0.0, 1.0, 0.0])).collect();
    two("cumprod", |a, b| pair(a, b).cumprod(0).sum(&[0], false), &table);
}

/// √(a² + b²) = r has the gradient (a, b)/r and the Hessian [b², -ab, a²]/r³. Where r is 0, all are 0.
#[test]
fn of_norms() {
    let at = ([3.0, -4.0], [0.6, -0.8], [16.0 / 125.0, 12.0 / 125.0, 9.0 / 125.0]);
    let table = [at, ([0.0, 2.0], [0.0, 1.0], [0.5, 0.0, 0.0]), ([0.0; 2], [0.0; 2], [0.0; 3])];
    two("norm", |a, b| pair(a, b).norm(2.0, &[0], false), &table);
    // The standard deviation of two numbers is |a - b|/2 without correction.
    let table = [([3.0, 1.0], [0.5, -0.5], [0.0; 3]), ([2.0; 2], [0.0; 2], [0.0; 3])];
    two("std", |a, b| pair(a, b).std(&[0], false, 0), &table);
}
