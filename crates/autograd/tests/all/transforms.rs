//! Transforms of functions to their derivatives, compared with formulas, with differences, and with each
//! other.

use crate::common::panics;
use std::sync::Arc;
use wengert_autograd::transforms::{
    grad, hessian, hvp, jacobian, jvp, laplacian, value_and_grad, vjp,
};
use wengert_autograd::{Call, Cotangents, CustomOp, Outputs, Param, Policy, Tape, Var};
use wengert_tensor::{Philox, Shape, Tensor};

const POLICIES: [Policy; 2] = [Policy::Eager, Policy::Fused];

fn near(name: &str, got: &[f64], wanted: &[f64]) {
    assert_eq!(got.len(), wanted.len(), "{name}");
    let size = wanted.iter().fold(1.0, |m: f64, x| m.max(x.abs()));
    for (i, (got, wanted)) in got.iter().zip(wanted).enumerate() {
        assert!((got - wanted).abs() <= 1e-9 * size, "{name}, element {i}: {got}, right {wanted}");
    }
}

fn of(x: Var<'_, f64>) -> Vec<f64> {
    x.value().to_vec()
}

/// Returns Σ 100 (xᵢ₊₁ - xᵢ²)² + (1 - xᵢ)².
fn rosenbrock(x: Var<'_, f64>) -> Var<'_, f64> {
    let n = x.numel();
    let (a, b) = (x.narrow(0, 0, n - 1), x.narrow(0, 1, n - 1));
    (100.0 * (b - a.square()).square() + (1.0 - a).square()).sum_all()
}

#[test]
fn derivatives_of_the_rosenbrock_function_have_their_closed_form() {
    for policy in POLICIES {
        for n in [2, 3, 7, 20] {
            let tape = Tape::<f64>::new().with_policy(policy);
            let at = |i: usize| 0.3 + 0.2 * (i as f64 * 1.7).sin();
            let x = tape.constant(Tensor::from_fn(&[n], at));
            let (mut slope, mut bend) = (vec![0.0; n], vec![0.0; n * n]);
            for i in 0..n - 1 {
                let (a, b) = (at(i), at(i + 1));
                slope[i] += -400.0 * a * (b - a * a) - 2.0 * (1.0 - a);
                slope[i + 1] += 200.0 * (b - a * a);
                bend[i * n + i] += 1200.0 * a * a - 400.0 * b + 2.0;
                bend[(i + 1) * n + i + 1] += 200.0;
                bend[i * n + i + 1] -= 400.0 * a;
                bend[(i + 1) * n + i] -= 400.0 * a;
            }
            near("gradient", &of(grad(rosenbrock, x)), &slope);
            let h = hessian(rosenbrock, x);
            assert_eq!(h.shape(), [n, n]);
            near("Hessian", &of(h), &bend);
            let v: Vec<f64> = (0..n).map(|i| 1.0 - 0.3 * i as f64).collect();
            let product: Vec<f64> =
                (0..n).map(|i| (0..n).map(|j| bend[i * n + j] * v[j]).sum()).collect();
            let v = tape.constant(Tensor::from_vec(v, &[n]));
            near("Hessian times vector", &of(hvp(rosenbrock, x, v)), &product);
            let trace: f64 = (0..n).map(|i| bend[i * n + i]).sum();
            near("Laplacian", &of(laplacian(rosenbrock, x)), &[trace]);
            // The Laplacian is Σ 1200 xᵢ² - 400 xᵢ₊₁ + 202 over all i but the last. Its gradient has a term
            // 2400 xᵢ for all but the last element, and -400 for all but the first.
            let third: Vec<f64> = (0..n)
                .map(|i| {
                    let own = if i + 1 < n { 2400.0 * at(i) } else { 0.0 };
                    own - if i > 0 { 400.0 } else { 0.0 }
                })
                .collect();
            near("gradient of the Laplacian", &of(grad(|x| laplacian(rosenbrock, x), x)), &third);
        }
    }
}

#[test]
fn hessians_of_logsumexp_and_quadratic_forms_have_their_closed_form() {
    fn lse(x: Var<'_, f64>) -> Var<'_, f64> {
        x.logsumexp(&[0], false)
    }
    for policy in POLICIES {
        let tape = Tape::<f64>::new().with_policy(policy);
        let n = 5;
        let x = tape.watch(Tensor::from_fn(&[n], |i| (i as f64 * 2.3).cos()));
        let p: Vec<f64> = {
            let e: Vec<f64> = of(x).iter().map(|x| x.exp()).collect();
            e.iter().map(|x| x / e.iter().sum::<f64>()).collect()
        };
        near("softmax", &of(grad(lse, x)), &p);
        let bend = |i: usize| {
            let (i, j) = (i / n, i % n);
            if i == j { p[i] - p[i] * p[j] } else { -p[i] * p[j] }
        };
        let wanted: Vec<f64> = (0..n * n).map(bend).collect();
        near("diag(p) - p pᵀ", &of(hessian(lse, x)), &wanted);
        let a = Tensor::from_fn(&[n, n], |i| (i * i % 7) as f64 - 2.0);
        let matrix = tape.constant(a.clone());
        let form = |x| (Var::unsqueeze(x, 0).matmul(matrix) * x).sum_all();
        let both = (&a + &a.t()).to_vec();
        near("A + Aᵀ", &of(hessian(form, x)), &both);
        near("2 tr A", &of(laplacian(form, x)), &[(0..n).map(|i| both[i * n + i]).sum()]);
    }
}

/// The Jacobian agrees with the vector-Jacobian products (its rows) and the Jacobian-vector products (its
/// columns).
#[test]
fn jacobians_by_rows_and_by_columns_agree() {
    fn f<'t>(x: Var<'t, f64>, m: usize) -> Var<'t, f64> {
        let (tape, n) = (x.tape(), x.numel());
        let w = tape.constant(Tensor::from_fn(&[n, m], |i| ((i * 7 + 3) % 11) as f64 / 10.0 - 0.4));
        let h = x.reshape([1, n]).matmul(w).tanh();
        (h.softmax(-1) + h.square()).reshape([m])
    }
    for policy in POLICIES {
        for (n, m) in [(3, 8), (8, 3), (4, 4), (1, 6), (6, 1)] {
            let tape = Tape::new().with_policy(policy);
            let x = tape.constant(Tensor::from_fn(&[n], |i| 0.5 - 0.2 * i as f64));
            let j = jacobian(|x| f(x, m), x);
            assert_eq!(j.shape(), [m, n]);
            for column in 0..n {
                let e = Tensor::from_fn(&[n], |i| f64::from(i == column));
                let by_column = jvp(|x| f(x, m), x, tape.constant(e.clone())).1;
                near("a column", &of(j.narrow(1, column, 1)), &of(by_column));
                let moved = |h: f64| {
                    let x = tape.constant(x.value() + &(&e * h));
                    of(f(x, m))
                };
                let (near_by, far) = ((moved(1e-4), moved(-1e-4)), (moved(2e-4), moved(-2e-4)));
                let central = |(a, b): &(Vec<f64>, Vec<f64>), h: f64| -> Vec<f64> {
                    a.iter().zip(b).map(|(a, b)| (a - b) / (2.0 * h)).collect()
                };
                let (first, second) = (central(&near_by, 1e-4), central(&far, 2e-4));
                let wanted: Vec<f64> =
                    first.iter().zip(second).map(|(a, b)| (4.0 * a - b) / 3.0).collect();
                near("differences", &of(by_column), &wanted);
            }
            for row in 0..m {
                let e = tape.constant(Tensor::from_fn(&[m], |i| f64::from(i == row)));
                let (_, by_row) = vjp(|x| f(x, m), x, |_| e);
                near("a row", &of(j.narrow(0, row, 1)), &of(by_row));
            }
        }
    }
    let tape = Tape::<f64>::new();
    let x = tape.constant(Tensor::ones_of(&[2, 3]));
    assert_eq!(jacobian(|x| x.sum(&[0], false), x).shape(), [3, 2, 3]);
    assert_eq!(jacobian(|x| x.narrow(0, 0, 0), x).shape(), [0, 3, 2, 3]);
    let deep = x.reshape([1, 1, 2, 3, 1]);
    panics!(
        jacobian(|x| x, deep),
        "have 10 axes together, and a tensor has at most 8: flatten them"
    );
}

/// Transforms of the loss of a perceptron with two layers, as a function of its parameters.
#[test]
fn transforms_of_a_loss_by_its_parameters_are_right() {
    let rng = &mut Philox::new(5);
    let mut param = |shape: &[usize]| Param::new(Tensor::<f64>::normal_of(shape, 0.0, 0.5, rng));
    let mut frozen = param(&[3]);
    frozen.freeze();
    let model = (param(&[4, 3]), (param(&[3]), frozen), param(&[3, 2]));
    let image = Tensor::from_fn(&[5, 4], |i| (i as f64 * 0.37).sin());
    for policy in POLICIES {
        let tape = Tape::<f64>::new().with_policy(policy);
        let loss = || {
            let h = tape.constant(image.clone()).matmul(tape.param(&model.0));
            let h = (h + tape.param(&model.1.0) + tape.param(&model.1.1)).tanh();
            h.matmul(tape.param(&model.2)).logsumexp(&[1], false).sum_all()
        };
        let w = tape.params(&model);
        assert_eq!(w.len(), 3);
        let of_w = |w: Vec<Var<'_, f64>>| tape.with_params(&model, &w, loss);
        let (value, slopes) = value_and_grad(of_w, w.clone());
        let plain = loss();
        assert_eq!(value.item(), plain.item());
        for (g, wanted) in slopes.iter().zip(plain.grad(&w)) {
            assert_eq!(of(*g), of(wanted));
        }
        let v: Vec<_> = w
            .iter()
            .enumerate()
            .map(|(k, w)| Tensor::from_fn(&w.shape(), |i| ((i * 5 + k) as f64 * 0.7).cos()))
            .collect();
        let at = |h: f64| {
            let moved = w.iter().zip(&v).map(|(w, v)| tape.constant(w.value() + &(v * h)));
            let slopes = grad(of_w, moved.collect());
            slopes.iter().flat_map(|g| of(*g)).collect::<Vec<_>>()
        };
        let (plus, minus) = (at(1e-5), at(-1e-5));
        let wanted: Vec<f64> = plus.iter().zip(minus).map(|(a, b)| (a - b) / 2e-5).collect();
        let v: Vec<_> = v.into_iter().map(|v| tape.constant(v)).collect();
        let got: Vec<f64> = hvp(of_w, w.clone(), v).into_iter().flat_map(of).collect();
        for (got, wanted) in got.iter().zip(&wanted) {
            assert!((got - wanted).abs() < 1e-7, "{got} {wanted}");
        }
        // After `with_params` the parameters are bound as before, also after a panic.
        panics!(tape.with_params(&model, &w[..1], loss), "got 1 variables and 3 parameters");
        panics!(
            tape.with_params(&model, &w, || assert!(w.is_empty(), "in the body")),
            "in the body"
        );
        assert_eq!(of(tape.param(&model.0)), of(w[0]));
        let doubled: Vec<_> = w.iter().map(|w| *w * 2.0).collect();
        let inner = tape.with_params(&model, &doubled, || {
            let within = tape.with_params(&model, &w, || tape.param(&model.2));
            assert!(within.is(w[2]));
            tape.param(&model.2)
        });
        assert!(inner.is(doubled[2]));
        panics!(
            tape.with_params(&model, &[w[0], w[0], w[2]], loss),
            "variable 1 and its parameter must have the same shape, got [4, 3] and [3]"
        );
    }
}

#[test]
fn transforms_take_tuples_and_ignore_other_variables() {
    for policy in POLICIES {
        let tape = Tape::<f64>::new().with_policy(policy);
        let [a, b] = [2.0, 3.0].map(|x| tape.constant(Tensor::full_of(&[12], x)));
        let c = tape.watch(Tensor::full_of(&[12], 5.0));
        let zero = tape.zeros(&[12]);
        let (by_a, [by_b, by_d]) =
            grad(|(a, [b, d])| (a * b * c * d.exp()).sum_all(), (a, [b, zero]));
        assert_eq!(of(by_a), [15.0; 12]);
        assert_eq!(of(by_b), [10.0; 12]);
        assert_eq!(of(by_d), [30.0; 12]);
        // The function also uses the variable c, which is not an argument. The result can be differentiated
        // with respect to c.
        assert_eq!(of(by_a.sum_all().grad(&[c])[0]), [3.0; 12]);
        // The function may use the variable c that is also its argument. The derivative is with respect to
        // the argument only.
        let twice = grad(|x| (x * c).sum_all(), c);
        assert_eq!(of(twice), [5.0; 12]);
        assert_eq!(of(twice.sum_all().grad(&[c])[0]), [1.0; 12]);
        // If the argument is a constant, the derivative is a constant.
        assert!(!grad(|x| x.square().sum_all(), a).is_active());
        assert!(!jvp(|x| x.square(), a, b).1.is_active());
        // A function may ignore its argument or return it.
        assert_eq!(of(grad(|_| c.sum_all(), a)), [0.0; 12]);
        assert_eq!(of(jvp(|_| c, a, b).1), [0.0; 12]);
        assert_eq!(of(jvp(|x| x, a, b).1), [3.0; 12]);
        assert_eq!(of(jvp(|x| (x.gt(1.0).cast(), x.detach()), a, b).1.0), [0.0; 12]);
        assert_eq!(of(jvp(|x| (x.gt(1.0).cast(), x.detach()), a, b).1.1), [0.0; 12]);
        let (y, t) = jvp(|x| vec![x.exp(), x.sum_all()], zero, b);
        assert_eq!((of(y[0]), of(t[0]), t[1].item()), (vec![1.0; 12], vec![3.0; 12], 36.0));
        panics!(
            jvp(|x| x, a, tape.zeros(&[3])),
            "direction 0 and variable 0 must have the same shape, got [3]"
        );
        panics!(
            vjp(|x| x, a, |_| tape.zeros(&[3])),
            "weight 0 and result 0 must have the same shape, got [3]"
        );
        panics!(grad(|x| x, a), "the value must have one element");
        panics!(
            grad(|_| tape.zeros(()), Vec::<Var<'_, f64>>::new()),
            "expected at least one variable"
        );
        panics!(jvp(|x: Vec<_>| x, vec![a], vec![]), "got 0 directions and 1 variables");
        let other = Tape::<f64>::new();
        panics!(grad(|_| other.zeros(()), a), "on different tapes");
    }
    let tape = Tape::<f64>::inference();
    panics!(jvp(|x| x, tape.zeros(()), tape.zeros(())), "records no history");
}

/// Dropout drops the same elements of the value and of the tangent.
#[test]
fn jvp_of_dropout_drops_the_same_elements_of_value_and_tangent() {
    let tape = Tape::<f64>::train(&mut Philox::new(1));
    let x = tape.constant(Tensor::ones_of(&[64]));
    let t = tape.constant(Tensor::from_fn(&[64], |i| i as f64 + 1.0));
    let (y, along) = jvp(|x| x.dropout(0.5) * 3.0, x, t);
    let mut dropped = 0;
    for (i, (y, along)) in of(y).into_iter().zip(of(along)).enumerate() {
        dropped += usize::from(y == 0.0);
        assert_eq!(along, y * (i as f64 + 1.0));
    }
    assert!((10..54).contains(&dropped));
}

/// (x·y, x + 2·y). Its rule calls `grad` on a definition in simpler operations.
struct Pair;
impl CustomOp<f64> for Pair {
    fn name(&self) -> &'static str {
        "pair"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0], x[0]].into_iter().collect())
    }
    fn forward(&self, x: &[Tensor<f64>]) -> Outputs<Tensor<f64>> {
        [&x[0] * &x[1], &x[0] + &(&x[1] * 2.0)].into_iter().collect()
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, f64>) -> Cotangents<'t, f64> {
        let (x, y) = (c.x(0), c.x(1));
        let results = [x * y, x + 2.0 * y];
        let sum = (0..2).filter_map(|i| c.gy_of(i).map(|g| (results[i] * g).sum_all()));
        let sum = sum.reduce(|a, b| a + b).unwrap();
        sum.grad_or_zero(&[x, y]).into_iter().map(Some).collect()
    }
}

#[test]
fn transforms_of_operations_with_several_outputs_are_right() {
    for policy in POLICIES {
        for n in [1, 12] {
            let tape = Tape::<f64>::new().with_policy(policy);
            let [x, y, t] = [2.0, 3.0, 10.0].map(|x| tape.constant(Tensor::full_of(&[n], x)));
            let f = |(x, y)| {
                let out = tape.custom(Arc::new(Pair), &[x, y]);
                (out[0], out[1])
            };
            let (_, along) = jvp(f, (x, y), (t, t));
            assert_eq!((of(along.0), of(along.1)), (vec![50.0; n], vec![30.0; n]));
            let (_, along) = jvp(|x| f((x, y)).1, x, t);
            assert_eq!(of(along), vec![10.0; n]);
            // The mixed derivative ∂²(x·y)/∂x∂y is 1.
            let cross = grad(|y| (jvp(|x| f((x, y)).0, x, t).1).sum_all(), y);
            assert_eq!(of(cross), vec![10.0; n]);
        }
    }
}
