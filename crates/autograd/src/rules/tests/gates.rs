//! Gates: a closed gate passes nothing, not even an infinity. At NaN a gate is open.

use super::POLICIES;
use crate::graph::{Tape, Var};
use wengert_tensor::{Philox, Pool, Tensor};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

/// Returns the gradient of Σ f at these elements, and the diagonal of the second derivative, by the
/// gradient of its sum.
fn slope<F>(at: &[f64], f: F) -> [Vec<f64>; 2]
where
    F: for<'t> Fn(Var<'t, f64>) -> Var<'t, f64>,
{
    let mut found = vec![];
    for policy in POLICIES {
        // Few elements are computed at once, many stay pending.
        for copies in [1, 9] {
            let tape = Tape::new().with_policy(policy);
            let x = tape.watch(Tensor::from(at.to_vec()).broadcast_to(&[copies, at.len()]));
            let loss = f(x).sum_all();
            let first = loss.grad(&[x])[0];
            let second = first.sum_all().grad_or_zero(&[x])[0];
            let row = |g: &Tensor<f64>| g.narrow(0, copies - 1, 1).to_vec();
            let both = [row(&first.value()), row(&second.value())];
            let numbers = row(loss.backward().wrt(x).unwrap());
            assert_eq!(text(&numbers), text(&both[0]), "both kinds of gradients must agree");
            found.push(both);
        }
    }
    let same = |other: &[Vec<f64>; 2]| (0..2).all(|i| text(&other[i]) == text(&found[0][i]));
    assert!(found.iter().all(same), "{found:?}");
    found.swap_remove(0)
}

/// Prints the elements such that NaN equals itself, and -0 is 0.
fn text(x: &[f64]) -> String {
    format!("{:?}", x.iter().map(|x| x + 0.0).collect::<Vec<_>>())
}

#[track_caller]
fn is(got: &[f64], wanted: &[f64]) {
    assert_eq!(text(got), text(wanted));
}

/// The slope of ln is 1/x, ½ at 2. The slope of the root is 1/(2√x), ¼ at 4. The second derivatives are
/// -1/x² and -1/(4 x√x).
#[test]
fn a_closed_gate_drops_an_infinite_derivative() {
    let [first, second] = slope(&[-1.0, 2.0], |x| x.relu().ln());
    is(&first, &[0.0, 0.5]);
    is(&second, &[0.0, -0.25]);
    let [first, second] = slope(&[-1.0, 0.0, 4.0], |x| x.relu().sqrt());
    is(&first, &[0.0, 0.0, 0.25]);
    is(&second, &[0.0, 0.0, -1.0 / 32.0]);
    let [first, second] = slope(&[-1.0, 4.0], |x| x.clamp_min(0.0).sqrt());
    is(&first, &[0.0, 0.25]);
    is(&second, &[0.0, -1.0 / 32.0]);
    let [first, _] = slope(&[1.0, -4.0], |x| (-x.clamp_max(0.0)).sqrt());
    is(&first, &[0.0, -0.25]);
    let [first, _] = slope(&[-3.0, 0.25, 3.0], |x| x.clamp(0.0, 1.0).sqrt());
    is(&first, &[0.0, 1.0, 0.0]);
    let [first, _] = slope(&[-3.0, 0.75, 3.0], |x| (1.0 - x.clamp(0.0, 1.0)).sqrt());
    is(&first, &[0.0, -1.0, 0.0]);
    let [first, _] = slope(&[-1.0, 4.0], |x| x.maximum(x.tape().zeros(())).sqrt());
    is(&first, &[0.0, 0.25]);
    let [first, _] = slope(&[1.0, -4.0], |x| (-x.minimum(x.tape().zeros(()))).sqrt());
    is(&first, &[0.0, -0.25]);
    let [first, _] = slope(&[0.0, 4.0], |x| x.abs().sqrt());
    is(&first, &[0.0, 0.25]);
    // max over an axis: a gate is closed for the elements that were not chosen. For √max at (-1, 0), the
    // chosen element has the slope ∞.
    let [first, _] = slope(&[-1.0, 0.0], |x| x.max(&[-1], false).sqrt());
    is(&first, &[0.0, INF]);
    let [first, _] = slope(&[1.0, 0.0], |x| x.min(&[-1], false).sqrt());
    is(&first, &[0.0, INF]);
    // Selection and filling are gates, too.
    let [first, second] =
        slope(&[-1.0, 4.0], |x| Var::where_(x.gt(0.0), x, x.tape().zeros(())).sqrt());
    is(&first, &[0.0, 0.25]);
    is(&second, &[0.0, -1.0 / 32.0]);
    let [first, _] = slope(&[-1.0, 4.0], |x| x.masked_fill(x.le(0.0), 0.0).sqrt());
    is(&first, &[0.0, 0.25]);
    // The slope of the root at 1 - x⁰ = 0 is infinite, and the slope of x⁰ = 1 is zero.
    let [first, _] = slope(&[2.0], |x| (1.0 - x.powi(0)).sqrt());
    is(&first, &[0.0]);
    let [first, _] = slope(&[2.0], |x| (1.0 - x.powf(0.0)).sqrt());
    is(&first, &[0.0]);
}

/// In `PyTorch`, relu, maximum, minimum, and `max` of all elements pass the gradient at NaN, and the
/// gradient of abs is NaN or 0. The gate of `clamp` is closed at NaN in `PyTorch`, but open here.
#[test]
fn at_nan_a_gate_is_open() {
    for (name, [first, _]) in [
        ("relu", slope(&[NAN, -1.0], |x| 3.0 * x.relu())),
        ("clamp_min", slope(&[NAN, -1.0], |x| 3.0 * x.clamp_min(0.0))),
        ("clamp_max", slope(&[NAN, 1.0], |x| 3.0 * x.clamp_max(0.0))),
        ("clamp", slope(&[NAN, 5.0], |x| 3.0 * x.clamp(0.0, 1.0))),
        ("maximum", slope(&[NAN, -1.0], |x| 3.0 * x.maximum(x.tape().zeros(())))),
        ("minimum", slope(&[NAN, 1.0], |x| 3.0 * x.minimum(x.tape().zeros(())))),
        ("max", slope(&[NAN, 1.0], |x| 3.0 * x.max(&[-1], false))),
        ("min", slope(&[NAN, 1.0], |x| 3.0 * x.min(&[-1], false))),
        ("max_pool", slope(&[NAN, 1.0], |x| 3.0 * x.max_pool1d(&Pool::new(2)))),
    ] {
        assert_eq!(text(&first), text(&[3.0, 0.0]), "{name}");
    }
    is(&slope(&[NAN, 1.0, NAN], |x| x.max(&[-1], false))[0], &[0.5, 0.0, 0.5]);
    is(&slope(&[NAN, -2.0], |x| x.abs())[0], &[NAN, -1.0]);
    // A NaN of the forward pass is visible in the gradient.
    for [first, _] in [
        slope(&[NAN], |x| x.relu().square()),
        slope(&[NAN], |x| x.clamp(0.0, 1.0).square()),
        slope(&[NAN], |x| x.maximum(x.tape().zeros(())).square()),
        slope(&[NAN], |x| x.max(&[-1], false).square()),
    ] {
        is(&first, &[NAN]);
    }
    // If one operand of maximum is NaN, the gates of both operands are open.
    let tape = Tape::<f64>::new();
    let (a, b) = (tape.watch(Tensor::from([NAN, 1.0])), tape.watch(Tensor::from([1.0, NAN])));
    for y in [a.maximum(b), a.minimum(b)] {
        let slopes = y.sum_all().grad(&[a, b]);
        assert!(slopes.iter().all(|g| g.value().to_vec() == [1.0, 1.0]), "{slopes:?}");
    }
}

/// As in `PyTorch`.
#[test]
fn no_derivative_at_the_origin_of_a_plane() {
    is(&slope(&[0.0], |x| x.hypot(x))[0], &[NAN]);
    let [first, second] = slope(&[0.0], |x| x.atan2(2.0 * x));
    is(&first, &[0.0]);
    is(&second, &[0.0]);
    is(&slope(&[INF], |x| x.logaddexp(x))[0], &[NAN]);
}

#[test]
fn equal_infinities_share_the_gradient_of_an_extreme() {
    is(&slope(&[INF, INF, 1.0], |x| x.max(&[-1], false))[0], &[0.5, 0.5, 0.0]);
    is(&slope(&[-INF, -INF], |x| x.max(&[-1], false))[0], &[0.5, 0.5]);
    let tape = Tape::<f64>::new();
    let (a, b) = (tape.watch(Tensor::from([INF, -INF])), tape.watch(Tensor::from([INF, INF])));
    let slopes = a.maximum(b).sum_all().grad(&[a, b]);
    assert_eq!(slopes[0].value().to_vec(), [0.5, 0.0]);
    assert_eq!(slopes[1].value().to_vec(), [0.5, 1.0]);
}

/// A dropped element is zero, and so is its cotangent, even if they were infinite.
#[test]
fn dropout_drops_infinite_elements_and_cotangents() {
    let tape = Tape::<f64>::train(&mut Philox::new(1));
    let x = tape.watch(Tensor::full_of(&[200], INF));
    let y = x.dropout(0.5);
    let numbers = y.value().to_vec();
    let dropped = numbers.iter().filter(|&&y| y == 0.0).count();
    assert!((60..140).contains(&dropped));
    assert!(numbers.iter().all(|&y| y == 0.0 || y == INF), "{numbers:?}");
    let endless = tape.constant(Tensor::full_of(&[200], INF));
    let slope = (y * endless).sum_all().grad(&[x])[0].value().to_vec();
    assert_eq!(slope, numbers, "the cotangents of the same elements must be dropped");
}

/// Compares the rule of relu with its earlier form, a comparison and a product in one pass. Now it is a
/// comparison and a gate.
#[test]
fn the_rule_of_relu_is_a_comparison_and_a_gate() {
    for (name, steps, f) in [
        ("relu", 2, (|x| x.relu()) as for<'t> fn(Var<'t, f64>) -> Var<'t, f64>),
        ("clamp_min", 2, |x| x.clamp_min(0.5)),
        ("clamp_max", 2, |x| x.clamp_max(0.5)),
    ] {
        let tape = Tape::<f64>::new();
        let x = tape.watch(super::any(&[4, 5], 1));
        let y = f(x);
        let w = tape.constant(super::any(&[4, 5], 2));
        let loss = (y * w).sum_all();
        let before = tape.len();
        let slope = loss.grad(&[x])[0];
        let arena = tape.arena.borrow();
        let written = &arena.nodes[before..];
        // The written values are the seed, its broadcast, the product with w, and those of the rule.
        assert_eq!(written.len(), 3 + steps, "{name}");
        assert!(written[3..].iter().all(|node| node.op.opcode().is_some()), "{name}");
        drop(arena);
        assert!(slope.value().to_vec().iter().any(|&g| g != 0.0));
    }
}
