//! Every variable of a user is a valid target of `grad`, and is distinct from other variables. The gradient
//! with respect to a variable is the effect of adding a small constant to it and recomputing the later
//! operations.

use crate::common::panics;
use std::sync::Arc;
use wengert_autograd::{Call, Cotangents, CustomOp, Gradients, Outputs, Param, Policy, Tape, Var};
use wengert_tensor::{Conv, Interpolate, Pool, Shape, Tensor};

const POLICIES: [Policy; 2] = [Policy::Eager, Policy::Fused];

type First = for<'t> fn(Var<'t, f64>) -> Var<'t, f64>;
type Rest = for<'t> fn(Var<'t, f64>, Var<'t, f64>) -> Var<'t, f64>;

fn cut(name: &str, first: First, rest: Rest, start: &Tensor<f64>) {
    for policy in POLICIES {
        let tape = Tape::new().with_policy(policy);
        let x = tape.watch(start.clone());
        let v = first(x);
        let slopes = rest(v, x).sum_all().grad_or_zero(&[v])[0].value().to_vec();
        for (i, slope) in slopes.into_iter().enumerate() {
            let at = |h: f64| {
                let tape = Tape::new().with_policy(policy);
                let x = tape.watch(start.clone());
                let v = first(x);
                let e = Tensor::from_fn(&v.shape(), |j| if i == j { h } else { 0.0 });
                rest(v + tape.constant(e), x).sum_all().item()
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((difference - slope).abs() < 1e-6, "{name}: {slope}, differences {difference}");
        }
    }
}

#[test]
fn the_gradient_by_a_computed_variable_agrees_with_differences() {
    let x = Tensor::<f64>::from_fn(&[3, 4], |i| 0.1 + 0.07 * i as f64 * (1.0 + (i % 3) as f64));
    let row = Tensor::<f64>::from_fn(&[1, 4], |i| 0.1 + 0.3 * i as f64);
    cut("t, then product", |x| x.t(), |v, x| x.matmul(v).square(), &x);
    cut("t, product with itself", |x| x.t(), |v, _| v.matmul_t(v, false, true), &x);
    cut("t and its operand", |x| x.t(), |v, x| x.matmul(v).sum_all() + v.square().sum_all(), &x);
    cut("transpose", |x| x.transpose(0, 1), |v, x| v * x.t(), &x);
    cut("sum of an axis of 1, kept", |x| x.sum(&[0], true), |v, x| v * x, &row);
    cut("sum of an axis of 1", |x| x.sum(&[0], false), |v, x| v * x, &row);
    cut("max of an axis of 1", |x| x.max(&[0], true), |v, x| v * x, &row);
    cut("mean of an axis of 1", |x| x.mean(&[0], true), |v, x| v * x, &row);
    cut("broadcast_to its own shape", |x| x.broadcast_to(&[3, 4]), |v, x| v * x, &x);
    cut("sum_to its own shape", |x| x.sum_to(&[3, 4]), |v, x| v * x, &x);
    cut("pad by nothing", |x| x.pad(&[(0, 0), (0, 0)], 0.0), |v, x| v * x, &x);
    cut("reshape to its own shape", |x| x.reshape(&[3, 4]), |v, x| v * x, &x);
    cut("the whole narrowed", |x| x.narrow(0, 0, 3), |v, x| v * x, &x);
    cut("logsumexp of an axis of 1", |x| x.logsumexp(&[0], true), |v, x| v * x, &row);
    cut("concat of one", |x| Var::concat(&[x], 0), |v, x| v * x, &x);
    cut("softmax", |x| x.softmax(-1), |v, x| v * x, &x);
    cut(
        "its own size",
        |x| x.unsqueeze(0).interpolate(&Interpolate::size([3, 4])),
        |v, x| v * x,
        &x,
    );
    cut("means of its own size", |x| x.unsqueeze(0).adaptive_avg_pool2d([3, 4]), |v, x| v * x, &x);
    cut(
        "max pool",
        |x| x.reshape(&[1, 3, 4]).max_pool2d(&Pool::new(2)),
        |v, x| v.square() * x.sum_all(),
        &x,
    );
    cut("windows", |x| x.unsqueeze(0).unfold(1, &Conv::new()), |v, x| v * x.reshape(&[1, 12]), &x);
}

#[test]
fn the_gradient_by_a_transposed_variable_includes_all_its_uses() {
    let tape = Tape::new();
    let w = tape.watch(Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]));
    let x = tape.constant(Tensor::from([[1.0f32, 10.0]]));
    let wt = w.t();
    let y = x.matmul(wt).sum_all();
    assert_eq!(y.grad_or_zero(&[wt])[0].value().to_vec(), [1.0, 1.0, 10.0, 10.0]);
    assert_eq!(y.grad(&[wt])[0].value().to_vec(), [1.0, 1.0, 10.0, 10.0]);
    let y = y + wt.square().sum_all();
    assert_eq!(y.grad(&[wt])[0].value().to_vec(), [3.0, 7.0, 14.0, 18.0]);
}

/// (x, 2x)
struct Two;
impl CustomOp<f32> for Two {
    fn name(&self) -> &'static str {
        "two"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0], x[0]].into_iter().collect())
    }
    fn forward(&self, x: &[Tensor]) -> Outputs<Tensor> {
        [x[0].clone(), &x[0] * 2.0].into_iter().collect()
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, f32>) -> Cotangents<'t, f32> {
        let parts = [c.gy_of(0), c.gy_of(1).map(|g| 2.0 * g)];
        [parts.into_iter().flatten().reduce(|a, b| a + b)].into_iter().collect()
    }
}

#[test]
fn further_outputs_of_an_operation_can_be_differentiated_by() {
    for policy in POLICIES {
        for n in [1, 12] {
            let tape = Tape::new().with_policy(policy);
            let x = tape.watch(Tensor::full(&[n], 3.0));
            let out = tape.custom(Arc::new(Two), &[x]);
            let (a, b) = (out[0], out[1]);
            let y = b.square().sum_all();
            let of = |g: Var<'_>| g.value().to_vec();
            assert_eq!(of(y.grad(&[b])[0]), vec![12.0; n]);
            assert_eq!(of(y.grad_or_zero(&[b])[0]), vec![12.0; n]);
            let all = y.grad(&[b, x]);
            assert_eq!((of(all[0]), of(all[1])), (vec![12.0; n], vec![24.0; n]));
            // The second output does not depend on the first.
            assert_eq!(of(y.grad_or_zero(&[a])[0]), vec![0.0; n]);
            panics!(y.grad(&[a]), "does not depend on variable 0 of 1");
            // The output may be read in parts.
            let parts = (0..n).map(|i| b.narrow(0, i, 1).powi(2).sum_all());
            let z = parts.reduce(|a, b| a + b).unwrap();
            assert_eq!(of(z.grad(&[b])[0]), vec![12.0; n]);
            assert_eq!(of(z.grad(&[x])[0]), vec![24.0; n]);
            assert_eq!(z.backward().wrt(x).unwrap().to_vec(), vec![24.0; n]);
        }
    }
}

/// x³. Its rule calls `grad` on a definition in simpler operations.
struct Defined;
impl CustomOp<f64> for Defined {
    fn name(&self) -> &'static str {
        "defined"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0]].into())
    }
    fn forward(&self, x: &[Tensor<f64>]) -> Outputs<Tensor<f64>> {
        [&(&x[0] * &x[0]) * &x[0]].into_iter().collect()
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, f64>) -> Cotangents<'t, f64> {
        let x = c.x(0);
        [Some((x * x * x * c.gy()).sum_all().grad(&[x])[0])].into_iter().collect()
    }
}

#[test]
fn a_custom_rule_can_call_grad() {
    for policy in POLICIES {
        for n in [1, 20] {
            let start = Tensor::<f64>::from_fn(&[n], |i| 2.0 + i as f64);
            let of = |f: fn(f64) -> f64| start.to_vec().into_iter().map(f).collect::<Vec<_>>();
            let run = |depth: usize| {
                let tape = Tape::new().with_policy(policy);
                let x = tape.watch(start.clone());
                let mut y = tape.custom(Arc::new(Defined), &[x * 1.0])[0].sum_all();
                for _ in 1..depth {
                    y = y.grad(&[x])[0].sum_all();
                }
                let variables = y.grad(&[x])[0].value().to_vec();
                assert_eq!(y.backward_retain().wrt(x).unwrap().to_vec(), variables);
                let nodes = tape.len();
                assert_eq!(y.backward().wrt(x).unwrap().to_vec(), variables);
                assert_eq!(tape.len(), nodes, "backward leaves no nodes");
                variables
            };
            assert_eq!(run(1), of(|x| 3.0 * x * x));
            assert_eq!(run(2), of(|x| 6.0 * x));
            assert_eq!(run(3), of(|_| 6.0));
        }
    }
}

/// The identity, with a wrong rule: it ends the history of the tape from which it is called.
struct Ending;
impl CustomOp<f64> for Ending {
    fn name(&self) -> &'static str {
        "ending"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0]].into())
    }
    fn forward(&self, x: &[Tensor<f64>]) -> Outputs<Tensor<f64>> {
        [x[0].clone()].into()
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, f64>) -> Cotangents<'t, f64> {
        c.x(0).sum_all().backward();
        [Some(c.gy())].into()
    }
}

#[test]
fn a_custom_rule_that_calls_backward_is_refused() {
    let tape = Tape::new();
    let x = tape.watch(Tensor::<f64>::ones_of(&[3]));
    let y = tape.custom(Arc::new(Ending), &[x])[0].sum_all();
    let (text, ..) = crate::common::panic_of(|| drop(y.backward_retain()));
    assert!(
        text.contains("backward: a derivative rule called backward(), which would end the history"),
        "{text}"
    );
    assert_eq!(x.square().sum_all().backward().wrt(x).unwrap().to_vec(), [2.0; 3]);
}

#[test]
fn grad_or_zero_by_a_constant_is_refused() {
    let tape = Tape::new();
    let (x, c) = (tape.watch(Tensor::from([2.0])), tape.constant(Tensor::from([3.0])));
    let unused = tape.constant(Tensor::from([3.0]));
    let y = (x * c).sum_all();
    panics!(y.grad_or_zero(&[c]), "which is a constant, so that its gradient is unknown");
    assert_eq!(y.grad_or_zero(&[unused])[0].item(), 0.0);
    // No gradient passes a comparison, so zero is right.
    let z = (x * c.gt(1.0).cast()).sum_all();
    assert_eq!(z.grad_or_zero(&[c])[0].item(), 0.0);
}

#[test]
fn given_requested_and_small_values_are_readable_after_backward() {
    for n in [3, 8, 9, 1000] {
        let mut w = Param::new(Tensor::full(&[n], 0.5));
        let small = Param::new(Tensor::full(&[4], 0.5));
        let tape = Tape::new();
        let (p, c) = (tape.param(&w), tape.constant(Tensor::full(&[n], 3.0)));
        let x = tape.watch(Tensor::full(&[n], 2.0));
        let h = tape.scope("scope", || (x * p).tanh());
        let first = h.narrow(0, 0, 2);
        let view = p.narrow(0, 1, 1);
        let b = tape.param(&small);
        let loss = (h * c).sum_all() + first.sum_all() + view.sum_all() + b.sum_all();
        let gradients = loss.backward();
        let tanh = 1f64.tanh();
        assert!((loss.item() - (n as f64 * 3.0 * tanh + 2.0 * tanh + 0.5 + 2.0)).abs() < 1e-2);
        assert_eq!((c.value().to_vec(), x.value().to_vec()), (vec![3.0; n], vec![2.0; n]));
        assert_eq!((first.value().numel(), view.value().to_vec()), (2, vec![0.5]));
        assert_eq!(b.value().to_vec(), [0.5; 4]);
        if n <= 8 {
            assert_eq!(h.value().numel(), n);
        } else {
            panics!(h.value(), "backward() freed this value");
            panics!(p.value(), "read the value from the model");
        }
        // After `backward` the tape does not share the parameter's memory: the update is in place.
        let before = w.value().as_slice().unwrap().as_ptr();
        w.update(|w| w.make_mut()[0] = 7.0);
        assert_eq!(w.value().as_slice().unwrap().as_ptr(), before, "{n}");
        let _: &Gradients = &gradients;
    }
}

/// A constant of the user stays readable after `backward`, also if it shares the memory of a parameter.
#[test]
fn a_constant_that_shares_memory_with_a_parameter_is_readable_after_backward() {
    let mut w = Param::new(Tensor::full(&[100], 0.5));
    let tape = Tape::new();
    let copy = tape.constant(w.value().clone());
    let loss = (tape.param(&w) * copy).sum_all();
    loss.backward();
    w.update(|w| w.make_mut().fill(7.0));
    assert_eq!(copy.value().to_vec(), [0.5; 100]);
}

/// The gradients p and q of (a + b)² with respect to a and b are the same cotangent g = 2 (a + b), but two
/// variables: the derivative of Σ p·q + p³ with respect to p is q + 3 p², not 2 q + 3 p².
#[test]
fn equal_gradients_of_two_variables_are_separate_variables() {
    fn slopes<'t>(p: Var<'t, f64>, q: Var<'t, f64>) -> Vec<Vec<f64>> {
        let of = (p * q + p.powi(3)).sum_all().grad(&[p, q]);
        of.into_iter().map(|g| g.value().to_vec()).collect()
    }
    for policy in POLICIES {
        for n in [1, 12] {
            let tape = Tape::<f64>::new().with_policy(policy);
            let [a, b] = [1.0, 2.0].map(|x| tape.watch(Tensor::full_of(&[n], x)));
            let y = (a + b).square().sum_all();
            let wanted = [vec![114.0; n], vec![6.0; n]];
            let both = y.grad(&[a, b]);
            assert!(!both[0].is(both[1]));
            assert_eq!(slopes(both[0], both[1]), wanted);
            // If a target is given twice, its gradient is one variable: the derivative is 2 p + 3 p².
            let mixed = y.grad_or_zero(&[a, b, a]);
            assert!(mixed[2].is(mixed[0]));
            assert_eq!(slopes(mixed[2], mixed[0]), [vec![120.0; n], vec![120.0; n]]);
            assert_eq!(slopes(mixed[0], mixed[1]), wanted);
            // The gradients are still functions of a and b: d(p + 2 q)/da = d(p + 2 q)/db = 6.
            let again = (both[0] + 2.0 * both[1]).sum_all().grad(&[a, b]);
            assert_eq!(again[0].value().to_vec(), vec![6.0; n]);
            assert_eq!(again[1].value().to_vec(), vec![6.0; n]);
            // Constant gradients are separate variables, too.
            let ones = (a + b).sum_all().grad(&[a, b]);
            assert!(!ones[0].is(ones[1]));
        }
    }
}

/// Let ∇x and ∇y be the gradients with respect to x and y. If y is computed from x, then ∇x is computed from
/// ∇y, even if both are equal: the derivative of Σ ∇x with respect to ∇y is the sum of ∂y/∂x. If neither is
/// computed from the other, the gradients do not depend on each other.
#[test]
fn a_gradient_depends_on_the_gradient_of_a_later_variable() {
    for policy in POLICIES {
        for n in [1, 2, 5, 12] {
            let tape = Tape::<f64>::new().with_policy(policy);
            let x = tape.watch(Tensor::from_fn(&[1, n], |i| 1.0 + i as f64));
            for (name, y) in [
                ("sum of an axis of 1", x.sum(&[0], true)),
                ("x + 1", x + 1.0),
                ("reshape", x.reshape(&[1, n as isize])),
                ("broadcast", x.broadcast_to([1, n])),
                ("pad", x.pad(&[(0, 0), (0, 0)], 0.0)),
                ("narrow", x.narrow(1, 0, n)),
            ] {
                let g = y.square().sum_all().grad(&[y, x]);
                let of = |g: Var<'_, f64>| g.value().to_vec();
                assert_eq!(of(g[0]), of(g[1]), "{name}");
                let by = g[1].sum_all().grad_or_zero(&[g[0]])[0];
                assert_eq!(of(by), vec![1.0; n], "{name}, {policy:?}");
                let by = g[0].sum_all().grad_or_zero(&[g[1]])[0];
                assert_eq!(of(by), vec![0.0; n], "{name}, {policy:?}");
            }
            // b is not computed from a, so ∇b and ∇x do not depend on ∇a.
            let [a, x] = [2.0, 5.0].map(|x| tape.watch(Tensor::full_of(&[n], x)));
            let b = x * 3.0;
            for wrt in [&[a, x][..], &[a, x, b], &[a, x, b, a]] {
                let g = (a + b).square().sum_all().grad(wrt);
                let by = (g[0] * g[1]).sum_all().grad(&[g[0]])[0];
                assert_eq!(by.value().to_vec(), vec![102.0; n]);
            }
        }
    }
}

/// 2·a + c·b, where c is 2 or 6. The rule returns the same cotangent twice for c = 2. For c = 6 it computes
/// the second cotangent from the first.
struct Weighted(f64);
impl CustomOp<f64> for Weighted {
    fn name(&self) -> &'static str {
        "weighted"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0]].into())
    }
    fn forward(&self, x: &[Tensor<f64>]) -> Outputs<Tensor<f64>> {
        [&x[0] * 2.0 + &x[1] * self.0].into_iter().collect()
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, f64>) -> Cotangents<'t, f64> {
        let first = c.gy() * 2.0;
        let second = if self.0 == 2.0 { first } else { first * (self.0 / 2.0) };
        [Some(first), Some(second)].into_iter().collect()
    }
}

/// A rule may compute the cotangent of one operand from that of another. The gradients that the user gets do
/// not depend on each other nevertheless.
#[test]
fn gradients_of_two_operands_do_not_depend_on_each_other() {
    for policy in POLICIES {
        for n in [1, 12] {
            for c in [2.0, 6.0] {
                let tape = Tape::<f64>::new().with_policy(policy);
                let x = tape.watch(Tensor::full_of(&[n], 5.0));
                let b = x * 3.0;
                let before = x * 4.0;
                for first in [true, false] {
                    let a = tape.watch(Tensor::full_of(&[n], 2.0));
                    let operands = if first { [a, b] } else { [b, a] };
                    let y = tape.custom(Arc::new(Weighted(c)), &operands)[0];
                    for wrt in [&[a, x][..], &[a, x, b], &[a, x, b, before]] {
                        let g = y.square().sum_all().grad_or_zero(wrt);
                        let by = (g[0] * g[1]).sum_all().grad(&[g[0]])[0];
                        assert_eq!(by.value().to_vec(), g[1].value().to_vec(), "{c} {first}");
                        let by = (g[0] * g[1]).sum_all().grad(&[g[1]])[0];
                        assert_eq!(by.value().to_vec(), g[0].value().to_vec(), "{c} {first}");
                    }
                }
            }
        }
    }
}

/// A linear operation with the outputs y = Σ x·s and s. Its rule returns the output s as the gradient of y.
struct Slope;
impl CustomOp<f64> for Slope {
    fn name(&self) -> &'static str {
        "slope"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([Shape::new(&[]), x[0]].into_iter().collect())
    }
    fn forward(&self, x: &[Tensor<f64>]) -> Outputs<Tensor<f64>> {
        let s = Tensor::from_fn(&x[0].shape(), |i| i as f64 + 1.0);
        [Tensor::scalar_of((&x[0] * &s).sum_all()), s].into_iter().collect()
    }
    /// This is right only for a cotangent of 1, which the test uses.
    fn vjp<'t>(&self, c: &Call<'_, 't, f64>) -> Cotangents<'t, f64> {
        [Some(c.y(1))].into_iter().collect()
    }
}

#[test]
fn a_gradient_equal_to_an_older_variable_is_a_separate_variable() {
    for n in [2, 12] {
        let tape = Tape::<f64>::new();
        let x = tape.watch(Tensor::full_of(&[n], 0.5));
        let out = tape.custom(Arc::new(Slope), &[x]);
        let g = out[0].grad(&[x])[0];
        assert!(!g.is(out[1]));
        assert_eq!(g.value().to_vec(), out[1].value().to_vec());
        let slope = (g * out[1]).sum_all().grad(&[g])[0];
        assert_eq!(slope.value().to_vec(), out[1].value().to_vec());
    }
}

/// The gradient of a linear operation is a constant, also for custom operations.
#[test]
fn the_gradient_of_a_linear_custom_operation_is_not_active() {
    for n in [1, 12] {
        let tape = Tape::new();
        let x = tape.watch(Tensor::full(&[n], 3.0));
        let linear = |y: Var<'_>| y.sum_all().grad(&[x])[0].is_active();
        assert!(!linear(2.0 * x));
        let out = tape.custom(Arc::new(Two), &[x]);
        assert!(!linear(out[0] + out[1]));
        assert!(linear(out[1].square()));
        let cube = tape.custom(Arc::new(Two), &[x.powi(3)])[1];
        assert!(linear(cube));
        let slope = cube.sum_all().grad(&[x])[0];
        assert_eq!(slope.sum_all().backward().wrt(x).unwrap().to_vec(), vec![36.0; n]);
    }
}
