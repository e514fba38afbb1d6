//! What checkpoints save. A program of its own: tests that run beside it would be measured, too.

use wengert_autograd::{Param, Tape, Var};
use wengert_tensor::{
    Philox, Tensor, max_memory_allocated, memory_allocated, reset_max_memory_allocated,
};

const LAYERS: usize = 100;
const WIDTH: usize = 64;
const BATCH: usize = 256;

/// The most memory of a step, in values of a layer, beyond the parameters, their gradients and the input.
fn most(size: usize, step: &dyn Fn(Var<'_>, Var<'_>)) -> f64 {
    let params: Vec<Param> = (0..LAYERS as u64)
        .map(|i| Param::new(Tensor::normal(&[WIDTH, WIDTH], 0.0, 0.1, &mut Philox::new(i))))
        .collect();
    let input = Tensor::normal(&[BATCH, WIDTH], 0.0, 1.0, &mut Philox::new(1000));
    let before = memory_allocated();
    reset_max_memory_allocated();
    let tape = Tape::new();
    let x = tape.watch(input);
    let mut y = x;
    for part in params.chunks(size.max(1)) {
        // A layer is a scope, so that its product goes.
        let layer = |y, w| tape.scope("layer", || Var::matmul(y, tape.param(w)).tanh());
        let run = || part.iter().fold(y, layer);
        y = if size == 0 { run() } else { tape.checkpoint(run) };
    }
    step(y.square().mean_all(), x);
    let gradients = LAYERS * WIDTH * WIDTH;
    (max_memory_allocated() - before) as f64 / 4.0 / (BATCH * WIDTH) as f64
        - gradients as f64 / (BATCH * WIDTH) as f64
}

#[test]
fn the_memory_of_a_hundred_layers() {
    let backward = |y: Var<'_>, _: Var<'_>| drop(y.backward());
    // Without checkpoints the values of all layers are there at once.
    let plain = most(0, &backward);
    assert!(plain > LAYERS as f64 * 0.9, "{plain} values");
    // In checkpoints of ten: ten inputs, and ten values of the one at hand, whose products are not kept.
    let tenth = most(10, &backward);
    assert!(tenth < 2.0 * 10.0 * 1.25 + 6.0, "{tenth} values");
    // In checkpoints of fifty: two inputs and fifty values.
    let half = most(50, &backward);
    assert!(half > 40.0 && half < 60.0 * 1.25 + 6.0, "{half} values");
    // The history stays, and is dropped at the end of each region.
    let retain = |y: Var<'_>, _: Var<'_>| {
        drop(y.backward_retain());
        drop(y.backward_retain());
    };
    let kept = most(10, &retain);
    assert!(kept < 2.0 * 10.0 * 1.25 + 12.0, "{kept} values");
    assert!(most(0, &retain) > 0.9 * LAYERS as f64);
}
