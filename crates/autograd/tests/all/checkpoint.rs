//! Checkpoints change which values are in memory, but no result.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wengert_autograd::{Call, Cotangents, CustomOp, Outputs, Param, Policy, Reads, Tape, Var};
use wengert_tensor::{Conv, Philox, Pool, Shape, Tensor};

fn normal(shape: &[usize], seed: u64) -> Tensor<f64> {
    Tensor::normal_of(shape, 0.0, 0.7, &mut Philox::new(seed))
}

fn bits(x: &Tensor<f64>) -> Vec<u64> {
    x.to_vec().into_iter().map(f64::to_bits).collect()
}

/// Runs `body` within a checkpoint if `checkpoint` is true, else directly.
fn region<'t>(
    tape: &'t Tape<f64>,
    checkpoint: bool,
    body: impl FnOnce() -> Var<'t, f64>,
) -> Var<'t, f64> {
    if checkpoint { tape.checkpoint(body) } else { body() }
}

/// A perceptron with a layer of 12 units and dropout for each weight. Each checkpoint contains `size`
/// layers; with 0 there are no checkpoints.
fn perceptron<'t>(
    tape: &'t Tape<f64>,
    x: Var<'t, f64>,
    w: &[Param<f64>],
    size: usize,
) -> Var<'t, f64> {
    let layer = |x: Var<'t, f64>, w: &Param<f64>| {
        let y = x.matmul(tape.param(w)).tanh().dropout(0.25);
        y * y.sigmoid() + x
    };
    let mut x = x;
    for group in w.chunks(size.max(1)) {
        x = region(tape, size > 0, || group.iter().fold(x, layer));
    }
    x
}

/// Returns the bits of the gradients as tensors, and of three orders of derivatives as variables, each with
/// its own gradients as tensors.
fn derivatives(size: usize, policy: Policy, batch: usize) -> Vec<Vec<u64>> {
    let params: Vec<_> = (0..6).map(|i| Param::new(normal(&[12, 12], i))).collect();
    let tape = Tape::train(&mut Philox::new(9)).with_policy(policy);
    let x = tape.watch(normal(&[batch, 12], 50));
    let loss = perceptron(&tape, x, &params, size).square().sum_all();
    let mut all = vec![bits(&loss.value())];
    let mut numbers = |y: Var<'_, f64>, retain: bool| {
        let gradients = if retain { y.backward_retain() } else { y.backward() };
        all.extend(params.iter().filter_map(|w| gradients.get(w)).map(bits));
        all.extend(gradients.wrt(x).map(bits));
    };
    numbers(loss, true);
    numbers(loss, true);
    let (first, last) = (tape.param(&params[0]), tape.param(&params[5]));
    let slope = loss.grad(&[x])[0].square().sum_all();
    numbers(slope, true);
    let bend = slope.grad(&[first, last]);
    let bend = bend[0].square().sum_all() + bend[1].sum_all();
    numbers(bend, true);
    let third = bend.grad(&[x])[0].square().sum_all();
    numbers(third, true);
    numbers(third, false);
    all
}

#[test]
fn derivatives_of_every_order_have_the_same_bits() {
    for policy in [Policy::Eager, Policy::Fused] {
        for batch in [1, 5] {
            let plain = derivatives(0, policy, batch);
            assert!(plain.len() > 30);
            for size in [1, 2, 4, 6] {
                assert!(derivatives(size, policy, batch) == plain, "{policy:?}, {size} layers");
            }
        }
    }
}

/// The square, with a counter of its computations.
struct Counted(Arc<AtomicUsize>);
impl CustomOp<f64> for Counted {
    fn name(&self) -> &'static str {
        "counted"
    }
    fn shapes(&self, inputs: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([inputs[0]].into_iter().collect())
    }
    fn forward(&self, inputs: &[Tensor<f64>]) -> Outputs<Tensor<f64>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        [inputs[0].square()].into_iter().collect()
    }
    fn vjp<'t>(&self, call: &Call<'_, 't, f64>) -> Cotangents<'t, f64> {
        [Some(2.0 * call.x(0) * call.gy())].into_iter().collect()
    }
    fn reads(&self, _arg: usize) -> Reads {
        Reads::X0
    }
}

#[test]
fn an_operation_is_computed_twice_at_most() {
    let count = |layers: usize, size: usize, gradients: &dyn Fn(Var<'_, f64>, Var<'_, f64>)| {
        let calls = Arc::new(AtomicUsize::new(0));
        let tape = Tape::new();
        let x = tape.watch(normal(&[4, 4], 1));
        let mut y = x;
        for start in (0..layers).step_by(size) {
            y = tape.checkpoint(|| {
                (start..layers.min(start + size)).fold(y, |y, _| {
                    let op = Arc::new(Counted(calls.clone()));
                    tape.custom(op, &[(y * 0.1).sin()])[0]
                })
            });
        }
        gradients(y.sum_all(), x);
        calls.load(Ordering::Relaxed)
    };
    let backward = |y: Var<'_, f64>, _: Var<'_, f64>| drop(y.backward());
    for layers in [1, 7, 40, 200] {
        for size in [1, 6, 40] {
            let calls = count(layers, size, &backward);
            assert!(calls <= 2 * layers, "{calls} of {layers} operations in groups of {size}");
        }
    }
    // With the history kept, each backward pass computes the operations once more.
    let retain = |y: Var<'_, f64>, _: Var<'_, f64>| drop((y.backward_retain(), y.backward()));
    assert!(count(40, 6, &retain) <= 3 * 40);
    // `grad`, then a backward pass over the nodes that it recorded and over the operations themselves.
    let second = |y: Var<'_, f64>, x: Var<'_, f64>| {
        drop(y.grad(&[x])[0].square().sum_all().backward());
    };
    assert!(count(40, 6, &second) <= 4 * 40);
}

#[test]
fn a_checkpoint_of_convolutions_pools_and_indices_has_the_same_bits() {
    let run = |checkpoint: bool| {
        let w = Param::new(normal(&[4, 3, 3, 3], 1));
        let tape = Tape::train(&mut Philox::new(2));
        let x = tape.watch(normal(&[2, 3, 8, 8], 3));
        let rows = tape.index(Tensor::from([1i64, 0, 1]));
        let y = region(&tape, checkpoint, || {
            let y = x.conv2d(tape.param(&w), None, &Conv::default()).relu();
            let y = y.max_pool2d(&Pool::new(2)).reshape(&[2, -1]).log_softmax(1);
            let picked = y.gather(1, y.argmax(1, true)).index_select(0, rows);
            Var::concat(&[picked, y.narrow(1, 2, 3).index_select(0, rows)], 1)
        });
        let loss = y.powi(3).sum_all();
        let slope = loss.grad(&[x])[0];
        let gradients = (loss + slope.square().sum_all()).backward();
        [gradients.get(&w).unwrap(), gradients.wrt(x).unwrap()].map(bits)
    };
    assert_eq!(run(true), run(false));
}

/// Checkpoints with several results, with a result that is an operand, within a checkpoint, and without
/// operations.
#[test]
fn checkpoints_with_every_form_of_result_have_the_same_bits() {
    let run = |checkpoint: bool| {
        let tape = Tape::new();
        let x = tape.watch(normal(&[3, 4], 1));
        let body = || {
            let y = x.sin() * x.exp();
            let z = region(&tape, checkpoint, || y.cos().matmul(x.t()).tanh());
            (y, [z, x])
        };
        let (y, [z, same]) = if checkpoint { tape.checkpoint(body) } else { body() };
        assert!(same.is(x));
        region(&tape, checkpoint, || x);
        // An inner variable that is used outside the checkpoint is computed again.
        let mut carried = None;
        let w = region(&tape, checkpoint, || {
            let inner = (y * y).matmul(x.t());
            carried = Some(inner);
            inner.exp()
        });
        let inner = carried.unwrap();
        let loss = z.sum_all() + (w + inner.square()).sum_all();
        let by_inner = loss.grad(&[inner, x])[0].square().sum_all();
        bits(&(loss + by_inner).backward().wrt(x).unwrap().clone())
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn a_replay_drops_and_recomputes_the_values_of_a_checkpoint() {
    let params: Vec<_> = (0..4).map(|i| Param::new(normal(&[12, 12], i))).collect();
    let fresh = |size: usize| {
        let tape = Tape::train(&mut Philox::new(10));
        let x = tape.watch(normal(&[5, 12], 51));
        let loss = perceptron(&tape, x, &params, size).square().sum_all();
        let slope = loss.grad(&[x])[0].square().sum_all();
        bits(slope.backward().wrt(x).unwrap())
    };
    assert_eq!(fresh(2), fresh(0));
    let tape = Tape::train(&mut Philox::new(9));
    let x = tape.watch(normal(&[5, 12], 50));
    let loss = perceptron(&tape, x, &params, 2).square().sum_all();
    let slope = loss.grad(&[x])[0].square().sum_all();
    for _ in 0..2 {
        let replay = tape.replay(&params).set(x, normal(&[5, 12], 51));
        replay.rng(&mut Philox::new(10)).run();
        assert_eq!(bits(slope.backward().wrt(x).unwrap()), fresh(0));
    }
}
