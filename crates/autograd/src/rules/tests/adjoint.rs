//! Checks ⟨u, J t⟩ = ⟨Jᵀ u, t⟩ for every row, with J t from finite differences. The rule, and the rule
//! of the rule, must agree with the Jacobian of the function.

use super::{Form, Row, dot, every_row, spread};
use crate::graph::{Policy, Tape, Var};
use crate::transforms::jvp;
use wengert_tensor::Tensor;

/// Returns random elements that are not close to 0.
fn random(shape: &[usize], seed: usize) -> Tensor<f64> {
    spread(shape, &[(-1.0, -0.3), (0.3, 1.0)], 900 + seed as u64)
}

/// Returns the values of a row's function at its inputs, moved along `t` by `h`.
fn moved(row: &Row, t: &[Tensor<f64>], h: f64) -> Tensor<f64> {
    let tape = Tape::new();
    let x: Vec<_> = row.inputs.iter().zip(t).map(|(x, t)| tape.constant(x + &(t * h))).collect();
    row.run(&x).value()
}

/// Returns the derivative along `t`. It is exact for quadratic functions; otherwise its error is of
/// order h⁴.
fn differences(row: &Row, t: &[Tensor<f64>]) -> Tensor<f64> {
    let central = |h: f64| (moved(row, t, h) - moved(row, t, -h)) / (2.0 * h);
    match row.form {
        Form::Bilinear | Form::Linear => central(1.0),
        Form::Curved => (central(5e-4) * 4.0 - central(1e-3)) / 3.0,
    }
}

fn is_adjoint(row: &Row) {
    let tape = Tape::new();
    let x = row.place(&tape, &vec![true; row.inputs.len()]);
    let y = row.run(&x);
    let u = tape.watch(random(&y.shape(), 0));
    let pulled = (y * u).sum_all().grad(&x);
    let t: Vec<_> = x.iter().enumerate().map(|(i, x)| random(&x.shape(), i + 1)).collect();
    let along = pulled.iter().zip(&t).map(|(&g, t)| (g * tape.constant(t.clone())).sum_all());
    let left = along.reduce(|a, b| a + b).expect("a row has inputs");
    // `left` is linear in u, so its gradient with respect to u is J t.
    let pushed = left.grad(&[u])[0].value();
    let (left, right) = (left.item(), dot(&u.value(), &pushed));
    let size: f64 =
        u.value().to_vec().iter().zip(pushed.to_vec()).map(|(a, b)| (a * b).abs()).sum();
    assert!((left - right).abs() <= 1e-12 * size.max(1.0), "{}: {left} {right}", row.name);
    let wanted = differences(row, &t).to_vec();
    let largest = wanted.iter().fold(1.0, |m: f64, x| m.max(x.abs()));
    let tolerance = if row.form == Form::Curved { 1e-8 } else { 1e-11 } * largest;
    assert_eq!(pushed.shape(), y.shape(), "{}", row.name);
    for (i, (got, wanted)) in pushed.to_vec().into_iter().zip(wanted).enumerate() {
        assert!(
            (got - wanted).abs() <= tolerance,
            "{}, J t, element {i}: {got}, by differences {wanted}",
            row.name
        );
    }
}

/// Checks that forward mode agrees with backward mode applied twice, also in derivatives of its result.
fn is_pushed_forward(row: &Row, policy: Policy) {
    let tape = Tape::new().with_policy(policy);
    let x = row.place(&tape, &vec![true; row.inputs.len()]);
    let t: Vec<_> =
        x.iter().enumerate().map(|(i, x)| tape.watch(random(&x.shape(), i + 1))).collect();
    let y = row.run(&x);
    let u = tape.watch(random(&y.shape(), 0));
    let pulled = (y * u).sum_all().grad(&x);
    let along = pulled.iter().zip(&t).map(|(&g, &t)| (g * t).sum_all());
    let by_backward = along.reduce(|a, b| a + b).expect("a row has inputs");
    let (value, pushed) = jvp(|x: Vec<_>| row.run(&x), x.clone(), t.clone());
    assert_eq!(value.value().to_vec(), y.value().to_vec(), "{}", row.name);
    let by_forward = (pushed * u).sum_all();
    let all: Vec<_> = x.iter().chain(&t).chain([&u]).copied().collect();
    let near = |what: &str, a: &[f64], b: &[f64]| {
        let size = b.iter().fold(1.0, |m: f64, b| m.max(b.abs()));
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() <= 1e-11 * size, "{}, {what}, {policy:?}: {a} {b}", row.name);
        }
    };
    near("J t", &[by_forward.item()], &[by_backward.item()]);
    let [forward, backward] = [by_forward, by_backward].map(|v| v.grad_or_zero(&all));
    for (i, (a, b)) in forward.into_iter().zip(backward).enumerate() {
        near(&format!("its slope {i}"), &a.value().to_vec(), &b.value().to_vec());
    }
    // Only one operand has a tangent.
    for (i, only) in t.iter().enumerate() {
        let one: Vec<_> =
            (0..t.len()).map(|j| if i == j { *only } else { tape.zeros(&t[j].shape()) }).collect();
        let (_, pushed) = jvp(
            |xi: Var<'_, f64>| {
                let mut moved = x.clone();
                moved[i] = xi;
                row.run(&moved)
            },
            x[i],
            *only,
        );
        let (_, wanted) = jvp(|x: Vec<_>| row.run(&x), x.clone(), one);
        near("one operand", &pushed.value().to_vec(), &wanted.value().to_vec());
    }
}

#[test]
fn jvp_of_every_operation_agrees_with_differences() {
    let rows = every_row(|_| true);
    for row in &rows {
        for policy in super::POLICIES {
            is_pushed_forward(row, policy);
        }
    }
    assert!(rows.len() > 470, "{} rows", rows.len());
}

#[test]
fn jvp_and_vjp_of_every_operation_are_adjoint() {
    let rows = every_row(|_| true);
    rows.iter().for_each(is_adjoint);
    println!("{} rows", rows.len());
    assert!(rows.len() > 470, "{} rows", rows.len());
}
