//! Values of the gradient at points where the derivative does not exist. `rules/mod.rs` states the policy.

use super::POLICIES;
use crate::graph::{Tape, Var};
use wengert_tensor::{Pool, Tensor};

/// Returns the gradient of Σ f, as tensors and as variables, for few and for many elements.
fn slopes<F>(inputs: &[&[f64]], f: F) -> Vec<Vec<f64>>
where
    F: for<'t> Fn(&[Var<'t, f64>]) -> Var<'t, f64>,
{
    let mut found: Vec<Vec<Vec<f64>>> = vec![];
    for policy in POLICIES {
        for copies in [1, 9] {
            let tape = Tape::new().with_policy(policy);
            let put =
                |x: &&[f64]| tape.watch(Tensor::from(x.to_vec()).broadcast_to(&[copies, x.len()]));
            let x: Vec<_> = inputs.iter().map(put).collect();
            let loss = f(&x).sum_all();
            let row = |g: &Tensor<f64>| g.narrow(0, copies - 1, 1).to_vec();
            found.push(loss.grad(&x).iter().map(|g| row(&g.value())).collect());
            let gradients = loss.backward();
            found.push(x.iter().map(|&x| row(gradients.wrt(x).unwrap())).collect());
        }
    }
    assert!(found.iter().all(|other| *other == found[0]), "{found:?}");
    found.swap_remove(0)
}

#[test]
fn unary_operations_have_the_documented_gradient_at_kinks() {
    let at = &[&[-1.0, 0.0, 2.0][..]];
    assert_eq!(slopes(at, |x| x[0].relu())[0], [0.0, 0.0, 1.0]);
    assert_eq!(slopes(at, |x| x[0].abs())[0], [-1.0, 0.0, 1.0]);
    assert_eq!(slopes(at, |x| x[0].clamp_min(0.0))[0], [0.0, 1.0, 1.0]);
    assert_eq!(slopes(at, |x| x[0].clamp_max(0.0))[0], [1.0, 1.0, 0.0]);
    assert_eq!(
        slopes(&[&[-1.0, 0.0, 0.5, 2.0, 3.0]], |x| x[0].clamp(0.0, 2.0))[0],
        [0.0, 1.0, 1.0, 1.0, 0.0]
    );
    assert_eq!(slopes(at, |x| x[0].powi(0))[0], [0.0; 3]);
    assert_eq!(slopes(at, |x| x[0].powf(0.0))[0], [0.0; 3]);
    assert_eq!(slopes(at, |x| x[0].powi(1))[0], [1.0; 3]);
    assert_eq!(slopes(at, |x| x[0].powf(1.0))[0], [1.0; 3]);
    assert_eq!(slopes(at, |x| x[0].square())[0], [-2.0, 0.0, 4.0]);
}

#[test]
fn powers_of_zero_have_the_documented_second_derivatives() {
    for n in [2, 12] {
        for policy in POLICIES {
            let tape = Tape::<f64>::new().with_policy(policy);
            let x = tape.watch(Tensor::zeros_of(&[n]));
            for (power, second) in [(0, 0.0), (1, 0.0), (2, 2.0), (3, 0.0)] {
                for y in [x.powi(power), x.powf(f64::from(power))] {
                    let first = y.sum_all().grad(&[x])[0];
                    let twice = first.sum_all().grad_or_zero(&[x])[0];
                    assert_eq!(twice.value().to_vec(), vec![second; n], "x to the power {power}");
                }
            }
        }
    }
}

#[test]
fn binary_operations_have_the_documented_gradient_at_ties() {
    let ab = &[&[1.0, 2.0, 3.0][..], &[2.0, 2.0, 2.0]];
    assert_eq!(slopes(ab, |x| x[0].maximum(x[1])), [[0.0, 0.5, 1.0], [1.0, 0.5, 0.0]]);
    assert_eq!(slopes(ab, |x| x[0].minimum(x[1])), [[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]]);
    // aᵇ at a = 0 or b = 0.
    let ab = &[&[0.0, 0.0, 2.0, 0.0][..], &[0.0, 2.0, 0.0, 1.0]];
    let [by_a, by_b] = &slopes(ab, |x| x[0].pow(x[1]))[..] else { unreachable!() };
    assert_eq!(*by_a, [0.0, 0.0, 0.0, 1.0]);
    assert_eq!(*by_b, [0.0, 0.0, 2f64.ln(), 0.0]);
}

#[test]
fn functions_of_two_operands_have_the_documented_derivatives() {
    // a ln b along a = 0, where it is constant.
    let ab = &[&[0.0, 0.0, 2.0, 0.0][..], &[0.0, 2.0, 4.0, -1.0]];
    let by = slopes(ab, |x| x[0].xlogy(x[1]));
    assert_eq!(by, [[0.0, 2f64.ln(), 4f64.ln(), 0.0], [0.0, 0.0, 0.5, 0.0]]);
    let ab = &[&[0.0, -2.0, 2.0, 3.0][..], &[-1.0, 1.0, -0.0, 5.0]];
    assert_eq!(slopes(ab, |x| x[0].copysign(x[1])), [[0.0, -1.0, -1.0, 1.0], [0.0; 4]]);
    // The quotients are 2, -2 and 2, -3.
    let ab = &[&[7.0, -7.0][..], &[3.0, 3.0]];
    assert_eq!(slopes(ab, |x| x[0].fmod(x[1])), [[1.0, 1.0], [-2.0, 2.0]]);
    assert_eq!(slopes(ab, |x| x[0].remainder(x[1])), [[1.0, 1.0], [-2.0, 3.0]]);
    // Neither the squares nor their sum overflow.
    let large = 2f64.powi(700);
    let ab = &[&[3.0 * large, 3.0, -5.0][..], &[4.0 * large, -4.0, 0.0]];
    assert_eq!(slopes(ab, |x| x[0].hypot(x[1])), [[0.6, 0.6, -1.0], [0.8, -0.8, 0.0]]);
    let ab = &[&[1e-200, 1e200][..], &[1e-200, 1e200]];
    let by = slopes(ab, |x| x[0].atan2(x[1]));
    assert!((by[0][0] / 0.5e200 - 1.0).abs() < 1e-15 && (by[1][1] / -0.5e-200 - 1.0).abs() < 1e-15);
    let ab = &[&[1e4, -1e4, 5.0][..], &[-1e4, 1e4, 5.0]];
    assert_eq!(slopes(ab, |x| x[0].logaddexp(x[1])), [[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]]);
    let abw = &[&[1.0, 1.0][..], &[5.0, 5.0], &[0.25, 0.75]];
    let by = slopes(abw, |x| x[0].lerp(x[1], x[2]));
    assert_eq!(by, [[0.75, 0.25], [0.25, 0.75], [4.0, 4.0]]);
    // The derivative by the weight is the distance, also if it is infinite.
    let inf = f64::INFINITY;
    let abw = &[&[0.0, 0.0, -inf][..], &[inf, inf, 2.0], &[0.25, 0.75, 0.75]];
    let by = slopes(abw, |x| x[0].lerp(x[1], x[2]));
    assert_eq!(by, [[0.75, 0.25, 0.25], [0.25, 0.75, 0.75], [inf, inf, inf]]);
}

#[test]
fn derivatives_at_the_ends_of_domains_are_limits() {
    const INF: f64 = f64::INFINITY;
    let ends = &[&[-1.0, 1.0][..]];
    assert_eq!(slopes(ends, |x| x[0].asin())[0], [INF, INF]);
    assert_eq!(slopes(ends, |x| x[0].acos())[0], [-INF, -INF]);
    assert_eq!(slopes(ends, |x| x[0].atanh())[0], [INF, INF]);
    assert_eq!(slopes(ends, |x| x[0].erfinv())[0], [INF, INF]);
    assert_eq!(slopes(&[&[1.0]], |x| x[0].acosh())[0], [INF]);
    assert_eq!(slopes(&[&[0.0]], |x| x[0].rsqrt())[0], [-INF]);
    assert_eq!(slopes(&[&[-2.0, 0.0, 0.5]], |x| x[0].frac())[0], [1.0; 3]);
    let odd = &[&[f64::NAN, INF, -INF, 2.0][..]];
    assert_eq!(slopes(odd, |x| x[0].nan_to_num(0.0, None, None))[0], [0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn max_and_min_share_the_gradient_among_equal_elements() {
    let ties = &[&[1.0, 3.0, 3.0, -1.0, -1.0, 3.0, -1.0, -1.0][..]];
    let third = 1.0 / 3.0;
    assert_eq!(
        slopes(ties, |x| x[0].max(&[-1], false))[0],
        [0.0, third, third, 0.0, 0.0, third, 0.0, 0.0]
    );
    assert_eq!(
        slopes(ties, |x| x[0].min(&[-1], true))[0],
        [0.0, 0.0, 0.0, 0.25, 0.25, 0.0, 0.25, 0.25]
    );
}

#[test]
fn max_pools_pass_the_gradient_to_the_first_maximum() {
    fn two_rows(x: Var<'_, f64>) -> Var<'_, f64> {
        x.reshape(&[-1, 2, 5])
    }
    let at = &[&[1.0, 3.0, 3.0, -1.0, 3.0, 3.0, 0.0, 0.0, 0.0, 0.0][..]];
    assert_eq!(
        slopes(at, |x| two_rows(x[0]).max_pool2d(&Pool::new(2)).flatten(1, 2))[0],
        [0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    );
    assert_eq!(
        slopes(at, |x| two_rows(x[0]).adaptive_max_pool2d([1, 2]).flatten(1, 2))[0],
        [0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    );
    assert_eq!(
        slopes(at, |x| x[0].max_pool1d(&Pool::new(3).stride(1)))[0],
        [0.0, 2.0, 1.0, 0.0, 2.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    );
}

#[test]
fn logsumexp_of_large_numbers_does_not_overflow() {
    let large = &[&[1e4, 1e4, -1e4][..]];
    let shares = &slopes(large, |x| x[0].logsumexp(&[-1], false))[0];
    assert!(shares.iter().zip([0.5, 0.5, 0.0]).all(|(a, b)| (a - b).abs() < 1e-12), "{shares:?}");
    assert_eq!(slopes(&[&[1e4, -1e4]], |x| x[0].softplus())[0], [1.0, 0.0]);
    assert_eq!(slopes(&[&[1e4, -1e4]], |x| x[0].sigmoid())[0], [0.0, 0.0]);
}

/// A branch that was not selected may contain any value.
#[test]
fn where_passes_no_gradient_to_the_branch_that_was_not_selected() {
    let at = &[&[-1.0, 4.0][..]];
    let root = slopes(at, |x| Var::where_(x[0].gt(0.0), x[0].clamp_min(1e-9).sqrt(), x[0]));
    assert_eq!(root[0], [1.0, 0.25]);
}

#[test]
fn of_norms_at_zero() {
    let at = &[&[0.0, -3.0, 0.0][..]];
    for p in [0.5, 1.5, 2.0, 2.5, 3.0, f64::INFINITY] {
        let slope = &slopes(at, |x| x[0].norm(p, &[1], false))[0];
        assert!(
            (slope[1] + 1.0).abs() < 1e-14 && (slope[0], slope[2]) == (0.0, 0.0),
            "{p}: {slope:?}"
        );
        let nothing = &slopes(&[&[0.0, -0.0]], |x| x[0].norm(p, &[1], false))[0];
        assert_eq!(nothing, &[0.0, 0.0], "{p}");
    }
    assert_eq!(slopes(at, |x| x[0].norm(1.0, &[1], false))[0], [0.0, -1.0, 0.0]);
    // The smallest are shared by the zeros, whose absolute value has the derivative 0.
    assert_eq!(slopes(at, |x| x[0].norm(f64::NEG_INFINITY, &[1], false))[0], [0.0; 3]);
    let shared = slopes(&[&[2.0, -2.0, 1.0]], |x| x[0].norm(f64::INFINITY, &[1], false));
    assert_eq!(shared[0], [0.5, -0.5, 0.0]);
    assert_eq!(slopes(&[&[5.0, 5.0, 5.0]], |x| x[0].std(&[1], false, 1))[0], [0.0; 3]);
}

/// The element at the returned position gets the whole gradient: PyTorch's choice.
#[test]
fn of_equal_elements_one_is_chosen() {
    let at = &[&[1.0, 3.0, 3.0, 1.0][..]];
    assert_eq!(slopes(at, |x| x[0].max_with_indices(1, false).0)[0], [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(slopes(at, |x| x[0].min_with_indices(1, false).0)[0], [1.0, 0.0, 0.0, 0.0]);
    assert_eq!(slopes(at, |x| x[0].topk(1, 1, true).0)[0], [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(slopes(at, |x| x[0].median(1, false).0)[0], [0.0, 0.0, 0.0, 1.0]);
    assert_eq!(slopes(at, |x| x[0].mode(1, false).0)[0], [0.0, 0.0, 0.0, 1.0]);
    assert_eq!(slopes(at, |x| x[0].cummax(1).0)[0], [1.0, 1.0, 2.0, 0.0]);
    assert_eq!(slopes(at, |x| x[0].cummin(1).0)[0], [3.0, 0.0, 0.0, 1.0]);
}
