//! Hooks: functions that see cotangents in the backward pass, and may replace them.
#![allow(clippy::items_after_statements)] // helper functions are defined next to their use

use crate::common::panics;
use std::sync::Arc;
use wengert_autograd::{Call, Cotangents, CustomOp, Outputs, Param, Policy, Tape, Var};
use wengert_tensor::{Philox, Pool, Shape, Tensor};

const POLICIES: [Policy; 2] = [Policy::Eager, Policy::Fused];

fn numbers(shape: &[usize], seed: u64) -> Tensor<f64> {
    Tensor::<f32>::normal(shape, 0.0, 1.0, &mut Philox::new(seed)).cast()
}

fn near(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{a} {b}");
    }
}

/// sin x and cos x.
struct SinCos;
impl CustomOp<f64> for SinCos {
    fn name(&self) -> &'static str {
        "sin_cos"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0], x[0]].into())
    }
    fn forward(&self, x: &[Tensor<f64>]) -> Outputs<Tensor<f64>> {
        [x[0].sin(), x[0].cos()].into()
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, f64>) -> Cotangents<'t, f64> {
        let by_sin = c.gy_of(0).map(|g| g * c.y(1));
        let by_cos = c.gy_of(1).map(|g| -g * c.y(0));
        [by_sin.into_iter().chain(by_cos).reduce(|a, b| a + b)].into()
    }
}

/// Returns variables of every kind, and a loss: leaves, computed values, views of views that several
/// operations read, and the outputs of one operation.
fn program(x: Var<'_, f64>) -> (Vec<Var<'_, f64>>, Var<'_, f64>) {
    let y = x.tanh();
    let view = y.reshape(&[4, 6]);
    let half = view.narrow(1, 0, 3);
    let part = half.narrow(0, 1, 2);
    let z = (half.square().sum_all() + (part * 3.0).exp().sum_all()) * view.sum_all();
    let pooled = y.reshape(&[1, 4, 6]).max_pool2d(&Pool::new(2));
    let two = x.tape().custom(Arc::new(SinCos), &[half]);
    let mut all = vec![x, y, view, half, part, z, pooled, two[0], two[1]];
    let loss = (z + pooled.square().sum_all() + (two[0] * two[1].exp()).sum_all()).square();
    all.push(loss);
    (all, loss)
}

#[test]
fn a_hook_is_called_once_with_the_gradient_of_grad() {
    for policy in POLICIES {
        let wanted: Vec<Vec<f64>> = {
            let tape = Tape::new().with_policy(policy);
            let (all, loss) = program(tape.watch(numbers(&[24], 1)));
            loss.grad(&all).iter().map(|g| g.value().to_vec()).collect()
        };
        for way in 0..3 {
            let tape = Tape::new().with_policy(policy);
            let (all, loss) = program(tape.watch(numbers(&[24], 1)));
            let mut seen: Vec<(usize, Vec<f64>)> = vec![];
            let cell = std::cell::RefCell::new(&mut seen);
            let mut hooks = loss.hooks();
            for (i, &x) in all.iter().enumerate() {
                let cell = &cell;
                hooks = hooks.see(x, move |g, site| {
                    assert!(site.variable.shape() == g.shape() && site.scope.is_empty());
                    cell.borrow_mut().push((i, g.to_vec()));
                });
            }
            match way {
                0 => drop(hooks.backward()),
                1 => drop(hooks.backward_retain()),
                _ => drop(hooks.grad(&all[..1])),
            }
            let mut order: Vec<usize> = seen.iter().map(|(i, _)| *i).collect();
            // The order is from the loss to the leaf. A later output of an operation comes before its first.
            assert_eq!((order[0], order[order.len() - 1]), (all.len() - 1, 0));
            order.sort_unstable();
            assert_eq!(order, (0..all.len()).collect::<Vec<_>>());
            for (i, g) in seen {
                near(&g, &wanted[i]);
            }
        }
    }
}

#[test]
fn a_hook_is_called_with_the_gradient_by_differences() {
    let loss = |h: f64, element: usize| {
        let tape = Tape::new();
        let x = tape.constant(numbers(&[5], 2));
        let bump = Tensor::from_fn(&[5], |i| if i == element { h } else { 0.0 });
        let y = x.sin() + tape.constant(bump);
        (y * y.exp()).sum_all().item()
    };
    let tape = Tape::new();
    let x = tape.watch(numbers(&[5], 2));
    let y = x.sin();
    let mut seen = vec![];
    (y * y.exp()).sum_all().hooks().see(y, |g, _| seen = g.to_vec()).backward();
    for (i, g) in seen.into_iter().enumerate() {
        let slope = (loss(1e-5, i) - loss(-1e-5, i)) / 2e-5;
        assert!((g - slope).abs() < 1e-8, "{g} {slope}");
    }
}

/// Replaced cotangents pass views, pools and operations with two outputs. A hook at a variable v that
/// multiplies by c gives the gradient of the program with `c·v + (1 - c)·v.detach()` in place of v.
#[test]
fn backward_continues_with_a_replaced_cotangent() {
    fn loss<'t>(
        x: Var<'t, f64>,
        at: usize,
        v: impl Fn(Var<'t, f64>) -> Var<'t, f64>,
    ) -> (Var<'t, f64>, Var<'t, f64>) {
        let mut hooked = None;
        let mut put = |i: usize, y: Var<'t, f64>| {
            if i == at {
                hooked = Some(y);
                return v(y);
            }
            y
        };
        let y = put(0, x.tanh());
        let view = put(1, y.reshape(&[4, 6]));
        let half = put(2, view.narrow(1, 0, 3));
        let pooled = put(3, view.unsqueeze(0).max_pool2d(&Pool::new(2)));
        let two = x.tape().custom(Arc::new(SinCos), &[half]);
        let (sin, cos) = (put(4, two[0]), put(5, two[1]));
        let y = half.sum_all() + pooled.square().sum_all() + (sin * cos.exp()).sum_all();
        let y = put(6, y * view.square().sum_all());
        (y.square(), hooked.unwrap())
    }
    for policy in POLICIES {
        for at in 0..7 {
            let tape = Tape::new().with_policy(policy);
            let x = tape.watch(numbers(&[24], 3));
            let (plain, _) = loss(x, at, |v| 0.3 * v + 0.7 * v.detach());
            let wanted = plain.grad(&[x])[0].value().to_vec();
            let (hooked, v) = loss(x, at, |v| v);
            let got = hooked.hooks().replace(v, |g, _| 0.3 * g).grad(&[x])[0];
            near(&got.value().to_vec(), &wanted);
            for gradients in [
                hooked.hooks().replace(v, |g, _| 0.3 * g).backward_retain(),
                hooked.hooks().replace(v, |g, _| 0.3 * g).backward(),
            ] {
                near(&gradients.wrt(x).unwrap().to_vec(), &wanted);
            }
        }
    }
}

/// Gradient reversal by Ganin and Lempitsky, with features f = tanh(x·W). The loss L₁ is that of a
/// classifier on f, and L₂ that of a domain critic on the reversed f. The gradients must be
/// ∂(L₁ - λ·L₂)/∂W, and ∂L₂/∂v for the critic.
#[test]
fn a_hook_can_reverse_a_gradient() {
    let lambda = 0.3;
    let w = Param::new(numbers(&[3, 4], 1));
    let (u, v) = (Param::new(numbers(&[4, 1], 2)), Param::new(numbers(&[4, 1], 3)));
    let losses = |tape: &Tape<f64>, reversed: bool| -> (Tensor<f64>, Tensor<f64>, Tensor<f64>) {
        let f = tape.constant(numbers(&[5, 3], 4)).matmul(tape.param(&w)).tanh();
        let into_critic = f * 1.0;
        let first = f.matmul(tape.param(&u)).square().mean_all();
        let second = into_critic.matmul(tape.param(&v)).sigmoid().mean_all();
        if reversed {
            let loss = first + second;
            let g = loss.hooks().replace(into_critic, |g, _| -lambda * g).backward();
            let of = |p| g.get(p).unwrap().clone();
            return (of(&w), of(&u), of(&v));
        }
        let by_w = (first - lambda * second).grad(&[tape.param(&w)])[0].value();
        let by_u = first.grad(&[tape.param(&u)])[0].value();
        (by_w, by_u, second.grad(&[tape.param(&v)])[0].value())
    };
    let (got, wanted) = (losses(&Tape::new(), true), losses(&Tape::new(), false));
    near(&got.0.to_vec(), &wanted.0.to_vec());
    near(&got.1.to_vec(), &wanted.1.to_vec());
    near(&got.2.to_vec(), &wanted.2.to_vec());
}

#[test]
fn hooks_of_one_variable_are_called_in_the_order_of_addition() {
    let tape = Tape::new();
    let x = tape.watch(Tensor::from([1.0, 10.0]));
    let y = x.square();
    let loss = y.square().sum_all();
    // The hooks are called in the order in which they were added.
    let g = loss
        .hooks()
        .replace(y, |g, _| g.clamp(-5.0, 5.0))
        .replace(y, |g, _| 2.0 * g)
        .backward_retain();
    assert_eq!(g.wrt(x).unwrap().to_vec(), [2.0 * 2.0 * 2.0, 10.0 * 20.0]);
    let g =
        loss.hooks().replace(y, |g, _| 2.0 * g).replace(y, |g, _| g.clamp(-5.0, 5.0)).backward();
    assert_eq!(g.wrt(x).unwrap().to_vec(), [4.0 * 2.0, 5.0 * 20.0]);
}

#[test]
fn the_requested_gradient_of_a_hooked_variable_is_the_replaced_one() {
    let w = Param::new(Tensor::from([1.0, -2.0]));
    fn hooks<'t>(p: Var<'t, f64>, x: Var<'t, f64>) -> wengert_autograd::Hooks<'static, 't, f64> {
        (x * p).sum_all().hooks().replace(p, |g, site| g + 0.5 * site.variable)
    }
    let at = Tensor::from([3.0, 4.0]);
    let tape = Tape::new();
    let (x, p) = (tape.watch(at.clone()), tape.param(&w));
    assert_eq!(hooks(p, x).grad(&[p])[0].value().to_vec(), [3.5, 3.0]);
    assert_eq!(hooks(p, x).backward_for(&w).get(&w).unwrap().to_vec(), [3.5, 3.0]);
    let tape = Tape::new();
    let (x, p) = (tape.watch(at), tape.param(&w));
    let g = hooks(p, x).backward_checked().unwrap();
    assert_eq!(g.get(&w).unwrap().to_vec(), [3.5, 3.0]);
    assert_eq!(g.wrt(x).unwrap().to_vec(), [1.0, -2.0]);
}

#[test]
fn backward_checked_checks_the_gradients_after_the_hooks() {
    let tape = Tape::new();
    let x = tape.watch(Tensor::from([0.0, 4.0]));
    let loss = x.sqrt().sum_all();
    let infinite = |tape: &Tape<f64>| {
        let x = tape.watch(Tensor::from([0.0, 4.0]));
        x.sqrt().sum_all().backward_checked().is_err()
    };
    assert!(infinite(&Tape::new()));
    let g = loss.hooks().replace(x, |g, _| g.clamp(-1.0, 1.0)).backward_checked().unwrap();
    assert_eq!(g.wrt(x).unwrap().to_vec(), [1.0, 0.25]);
}

/// Hooks that return λ·g², where λ is a variable, compared with formulas up to the third derivative. A
/// hook may return the user's own variable: the gradient is then a separate variable.
#[test]
fn results_of_hooks_can_be_differentiated_again() {
    let tape = Tape::new();
    let (x, lambda) = (tape.watch(Tensor::from([2.0])), tape.watch(Tensor::from([3.0])));
    let y = x.powi(3);
    let loss = y.square().sum_all(); // cotangent of y: 2·x³
    let slope = loss.hooks().replace(y, |g, _| lambda * g.square()).grad(&[x])[0];
    // The derivative is λ·4·x⁶·3·x² = 12·λ·x⁸.
    assert_eq!(slope.item(), 12.0 * 3.0 * 256.0);
    let [by_x, by_lambda] = slope.sum_all().grad(&[x, lambda])[..] else { unreachable!() };
    assert_eq!(by_x.item(), 96.0 * 3.0 * 128.0);
    assert_eq!(by_lambda.item(), 12.0 * 256.0);
    let third = by_x.sum_all().grad(&[x])[0];
    assert_eq!(third.item(), 672.0 * 3.0 * 64.0);
    let own = loss.hooks().replace(x, |_, _| lambda).grad(&[x])[0];
    assert!(!own.is(lambda));
    // A hook applies to the second derivative, too.
    let twice = slope.sum_all().hooks().replace(y, |g, _| 0.0 * g).grad(&[x])[0];
    assert!(twice.item() != by_x.item());
}

#[test]
fn hooks_of_a_scope_are_called_for_each_result_of_each_run() {
    let tape = Tape::new();
    let x = tape.watch(Tensor::from([1.0, 2.0]));
    fn block<'t>(x: Var<'t, f64>) -> Var<'t, f64> {
        let tape = x.tape();
        let ((a, b), _) = tape.scope("block", || ((x.square(), x.powi(3)), x * 2.0));
        a + b
    }
    // The loss is Σ (t² + t³) with t = x² + x³: the block runs twice.
    fn outer<'t>(y: Var<'t, f64>) -> Var<'t, f64> {
        y.tape().scope("head", || y.sum_all())
    }
    let loss = outer(block(block(x)));
    let mut seen = vec![];
    let gradients = loss
        .hooks()
        .see_scope("block", |g, site| seen.push((site.call, site.result, g.to_vec())))
        .replace_scope("head", |g, _| 10.0 * g)
        .backward();
    let t = [2.0, 12.0];
    let by_first = |t: f64| 10.0 * (2.0 * t + 3.0 * t * t);
    // The third result of the block is not used, so its hook is not called.
    let wanted = [
        (1, 1, vec![10.0, 10.0]),
        (1, 0, vec![10.0, 10.0]),
        (0, 1, vec![by_first(t[0]), by_first(t[1])]),
        (0, 0, vec![by_first(t[0]), by_first(t[1])]),
    ];
    assert_eq!(seen, wanted);
    let by_x = |x: f64, t: f64| by_first(t) * (2.0 * x + 3.0 * x * x);
    assert_eq!(gradients.wrt(x).unwrap().to_vec(), [by_x(1.0, t[0]), by_x(2.0, t[1])]);
}

#[test]
fn a_hook_that_would_not_be_called_is_refused() {
    let tape = Tape::new();
    let (x, other) = (tape.watch(Tensor::from([1.0, 2.0])), tape.watch(Tensor::from([1.0])));
    let constant = tape.constant(Tensor::from([1.0, 2.0]));
    let unused = tape.scope("unused", || x.exp());
    let inner = constant.exp();
    let loss = tape.scope("used", || (x * constant).sum_all());
    let later = loss + 1.0;
    let hooks = || loss.hooks().allow_unreached();
    for x in [other, constant, inner, unused, later] {
        panics!(
            loss.hooks().see(x, |_, _| ()).backward_retain(),
            "backward_retain() does not reach the variable of shape"
        );
        let unseen = |_: &Tensor<f64>, _: &_| unreachable!("not reached");
        drop(hooks().see(x, unseen).backward_retain());
    }
    panics!(loss.hooks().see(other, |_, _| ()).grad(&[x]), "grad() does not reach");
    panics!(loss.hooks().see(x, |_, _| ()).grad_or_zero(&[other]), "grad() does not reach");
    panics!(loss.hooks().see(x, |_, _| ()).grad_or_zero(&[later]), "grad() does not reach");
    panics!(
        loss.hooks().see_scope("unused", |_, _| ()).backward(),
        "does not reach any result of the scope `unused`"
    );
    panics!(
        loss.hooks().see_scope("usde", |_, _| ()).backward(),
        "no scope `usde`",
        "the scopes with results are: unused, used"
    );
    panics!(loss.hooks().see(Tape::new().watch(Tensor::from([1.0])), |_, _| ()), "different tapes");
    // The errors have not changed the tape.
    assert_eq!(loss.backward().wrt(x).unwrap().to_vec(), [1.0, 2.0]);
}

#[test]
fn a_replacement_of_another_shape_or_tape_is_refused() {
    let tape = Tape::<f64>::new();
    let x = tape.watch(Tensor::from([1.0, 2.0]));
    let y = tape.scope("block", || x.square());
    let loss = y.sum_all();
    panics!(
        loss.hooks().replace(y, |g, _| g.sum_all()).backward(),
        "a hook on a variable of shape [2] must return a cotangent of shape [2], got []"
    );
    panics!(
        loss.hooks().replace_scope("block", |g, _| g.sum_all()).grad(&[x]),
        "a hook on result 0 of the scope `block` must return a cotangent of shape [2], got []"
    );
    let foreign = Tape::new();
    let stranger = foreign.watch(Tensor::from([1.0, 2.0]));
    panics!(loss.hooks().replace(y, |_, _| stranger).backward(), "different tapes");
    // A hook that panics does not change the tape.
    panics!(loss.hooks().see(y, |_, _| panic!("of the user")).backward_retain(), "of the user");
    assert_eq!(loss.backward_retain().wrt(x).unwrap().to_vec(), [2.0, 4.0]);
    assert_eq!(loss.hooks().replace(y, |g, _| g).backward().wrt(x).unwrap().to_vec(), [2.0, 4.0]);
}

/// A value that a hook of `backward` reads does not count as read by the program, and the nodes that a
/// hook records do not stay on the tape.
#[test]
fn a_hook_of_backward_leaves_no_nodes_and_no_reads() {
    let tape = Tape::new();
    let x = tape.watch(numbers(&[30], 1));
    let y = x.exp();
    let loss = y.square().sum_all();
    let before = tape.len();
    let hooks = loss.hooks().replace(y, |g, site| {
        assert!(g.value().numel() == 30 && site.variable.numel() == 30);
        (g.exp() * site.variable).log_softmax(0)
    });
    hooks.backward_retain();
    assert_eq!(tape.len(), before);
    let z = loss * 2.0;
    // The replay is not refused, because the program read no value.
    tape.replay(&()).set(x, Tensor::zeros_of(&[30])).run();
    assert_eq!(z.item(), 60.0);
}

/// Hooks in a long loop over values that stay pending until they are read.
#[test]
fn hooks_on_pending_values_of_a_long_loop_are_right() {
    for policy in POLICIES {
        let tape = Tape::new().with_policy(policy);
        let x = tape.watch(numbers(&[40], 5));
        let run = |halve: &dyn for<'t> Fn(Var<'t, f64>) -> Var<'t, f64>| {
            let mut hooked = vec![];
            let mut y = x;
            for i in 0..60 {
                y = (y * 1.01).sin() + x * 0.01;
                if i % 7 == 0 {
                    hooked.push(y);
                    y = halve(y);
                }
            }
            (y.square().sum_all(), hooked)
        };
        let (plain, _) = run(&|y| 0.5 * y + 0.5 * y.detach());
        let wanted = plain.backward_retain().wrt(x).unwrap().to_vec();
        let (loss, hooked) = run(&|y| y);
        let mut hooks = loss.hooks();
        for y in hooked {
            hooks = hooks.replace(y, |g, _| 0.5 * g);
        }
        near(&hooks.backward().wrt(x).unwrap().to_vec(), &wanted);
    }
}

/// Hooks on a variable inside a checkpoint, whose values are dropped and computed again in the backward
/// pass.
#[test]
fn hooks_inside_a_checkpoint_agree_with_a_run_without_it() {
    for policy in POLICIES {
        let run = |checkpoint: bool| {
            let tape = Tape::new().with_policy(policy);
            let x = tape.watch(numbers(&[6, 6], 4));
            let mut inner = None;
            let mut block = || {
                let h = x.matmul(x.tanh());
                inner = Some(h);
                h.sin().matmul(x)
            };
            let y = if checkpoint { tape.checkpoint(block) } else { block() };
            let (loss, inner) = (y.square().sum_all(), inner.unwrap());
            let mut seen = vec![];
            let slope = loss.hooks().replace(inner, |g, _| g * g.exp().sin()).grad(&[x])[0];
            let twice = slope.square().sum_all().grad(&[x])[0];
            let mut all = vec![slope.value().to_vec(), twice.value().to_vec()];
            let hooks = loss.hooks().see(inner, |g, _| seen.push(g.to_vec()));
            let hooks = hooks.replace(inner, |g, site| g * 0.5 + site.variable);
            all.push(hooks.backward().wrt(x).unwrap().to_vec());
            assert_eq!(seen.len(), 1);
            all.extend(seen);
            all
        };
        for (a, b) in run(true).iter().zip(run(false)) {
            near(a, &b);
        }
    }
}

/// A hook of `backward` cannot compute other gradients. A hook of `grad` can, with `grad` itself.
#[test]
fn a_hook_of_grad_can_compute_gradients_and_one_of_backward_cannot() {
    let tape = Tape::<f64>::new();
    let x = tape.watch(Tensor::from([1.0, 2.0]));
    let y = x.square();
    let (loss, other) = (y.sum_all(), (x * x * x).sum_all());
    let reason = "but backward() records no history";
    panics!(
        loss.hooks().replace(y, |g, _| other.grad(&[x])[0] * g.item()).backward_retain(),
        "grad: ",
        reason
    );
    panics!(
        loss.hooks().see(y, |_, _| drop(x.square().sum_all().grad(&[x]))).backward_retain(),
        "grad: ",
        reason
    );
    panics!(
        loss.hooks().see(y, |_, _| drop(other.backward())).backward_retain(),
        "backward: ",
        reason
    );
    panics!(
        loss.hooks().see(y, |_, _| drop(other.backward_retain())).backward_retain(),
        "backward_retain: ",
        reason
    );
    panics!(
        loss.hooks().see(y, |_, _| drop(other.backward())).grad(&[x]),
        "backward: a hook called backward(), which would end the history",
        "call grad() instead"
    );
    // A hook of `grad` returns 3·x² instead of the cotangent 1. The gradient is 3·x² · 2·x.
    let slope = loss.hooks().replace(y, |_, _| other.grad(&[x])[0]).grad(&[x])[0];
    assert_eq!(slope.value().to_vec(), [6.0, 48.0]);
    assert_eq!(slope.sum_all().grad(&[x])[0].value().to_vec(), [18.0, 72.0]);
    // The errors have not changed the tape.
    assert_eq!(loss.backward().wrt(x).unwrap().to_vec(), [2.0, 4.0]);
}
