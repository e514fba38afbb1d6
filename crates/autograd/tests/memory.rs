//! Memory of a training loop in steady state, and memory that checkpoints save. The tests are a separate
//! program and run one at a time, because the memory of other tests would be counted, too.

use std::sync::Mutex;
#[cfg(target_os = "linux")]
use wengert_autograd::value_and_grad;
use wengert_autograd::{Param, Tape, Var};
use wengert_tensor::{
    Philox, Tensor, max_memory_allocated, memory_allocated, reset_max_memory_allocated,
};

static ALONE: Mutex<()> = Mutex::new(());

/// Returns the number of resident pages of the process.
#[cfg(target_os = "linux")]
fn resident() -> i64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn five_thousand_steps_need_no_more_memory_than_a_few() {
    let _alone = ALONE.lock();
    let mut rng = Philox::new(3);
    let x = Tensor::<f32>::uniform(&[32, 20], -1.0, 1.0, &mut rng);
    let y = Tensor::<f32>::uniform(&[32, 1], -1.0, 1.0, &mut rng);
    let mut w = Param::new(Tensor::uniform(&[20, 24], -0.3, 0.3, &mut rng));
    let mut v = Param::new(Tensor::uniform(&[24, 1], -0.3, 0.3, &mut rng));
    let mut step = || {
        let (loss, gradients) = value_and_grad(&mut rng, |tape| {
            let hidden = tape.scope("hidden", || {
                tape.constant(x.clone()).matmul(tape.param(&w)).tanh().dropout(0.1)
            });
            (hidden.matmul(tape.param(&v)) - tape.constant(y.clone())).square().mean_all()
        });
        for param in [&mut w, &mut v] {
            let g = gradients.get(param).unwrap();
            param.update(|p| *p -= &(g * 0.05));
        }
        loss
    };
    let first = step();
    (0..1000).for_each(|_| _ = step());
    let before = resident();
    (0..5000).for_each(|_| _ = step());
    let growth = resident() - before;
    assert!(growth < 32, "{growth} pages more after 5,000 steps");
    assert!(step() < 0.7 * first, "the loss must fall");
}

const LAYERS: usize = 100;
const WIDTH: usize = 64;
const BATCH: usize = 256;

/// Returns the maximum memory of a step without parameters, their gradients and the input. The unit is the
/// memory of one value of a layer.
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
        // A layer is a scope, so that its product is dropped when the scope ends.
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
fn checkpoints_reduce_the_memory_of_a_hundred_layers() {
    let _alone = ALONE.lock();
    let backward = |y: Var<'_>, _: Var<'_>| drop(y.backward());
    // Without checkpoints the values of all layers are in memory at the same time.
    let plain = most(0, &backward);
    assert!(plain > LAYERS as f64 * 0.9, "{plain} values");
    // With checkpoints of 10 layers, memory holds 10 inputs of checkpoints and the 10 values of the current
    // checkpoint, without their products.
    let tenth = most(10, &backward);
    assert!(tenth < 2.0 * 10.0 * 1.25 + 6.0, "{tenth} values");
    // With checkpoints of 50 layers, memory holds 2 inputs and 50 values.
    let half = most(50, &backward);
    assert!(half > 40.0 && half < 60.0 * 1.25 + 6.0, "{half} values");
    // With the history kept, the values are dropped at the end of each checkpoint.
    let retain = |y: Var<'_>, _: Var<'_>| {
        drop(y.backward_retain());
        drop(y.backward_retain());
    };
    let kept = most(10, &retain);
    assert!(kept < 2.0 * 10.0 * 1.25 + 12.0, "{kept} values");
    assert!(most(0, &retain) > 0.9 * LAYERS as f64);
}
