//! Measures the memory that activation checkpoints save and the time that they cost: the peak memory and the
//! time of a training step of a perceptron with 100 layers and of ResNet-20, without activation checkpoints
//! and with activation checkpoints of several sizes.
//!
//! `cargo run --release --example activation_checkpoint`

use std::time::{Duration, Instant};
use wengert::autograd::Gradients;
use wengert::models::ResNet;
use wengert::nn::cross_entropy;
use wengert::prelude::*;
use wengert::tensor::{max_memory_allocated, memory_allocated, reset_max_memory_allocated};

/// Runs a hundred layers of 256 units in activation checkpoints of `size` layers; `size` 0 means no
/// activation checkpoints.
fn perceptron<'t>(layers: &[Linear], x: Var<'t>, size: usize) -> Var<'t> {
    let run = |layers: &[Linear], x: Var<'t>| layers.iter().fold(x, |x, fc| fc.forward(x).tanh());
    if size == 0 {
        return run(layers, x);
    }
    layers.chunks(size).fold(x, |x, part| x.tape().checkpoint(|| run(part, x)))
}

/// Runs a `ResNet` in activation checkpoints of `size` blocks; `size` 0 means no activation checkpoints.
fn resnet<'t>(model: &ResNet, x: Var<'t>, size: usize) -> Var<'t> {
    let tape = x.tape();
    tape.enter(model, || {
        let x = model.bn1.forward(model.conv1.forward(x)).relu();
        let blocks: Vec<_> = model.stages.iter().flatten().collect();
        let run = |part: &[&wengert::models::BasicBlock], x: Var<'t>| {
            part.iter().fold(x, |x, block| block.forward(x))
        };
        let x = match size {
            0 => run(&blocks, x),
            size => blocks.chunks(size).fold(x, |x, part| tape.checkpoint(|| run(part, x))),
        };
        model.fc.forward(x.mean(&[2, 3], false))
    })
}

/// Returns the peak memory of a step (in MiB, above the memory in use before the step) and the
/// shortest time of three steps.
fn measured(mut step: impl FnMut() -> Gradients) -> (f64, Duration) {
    let mut best = Duration::MAX;
    let mut most = 0;
    for _ in 0..3 {
        let before = memory_allocated();
        reset_max_memory_allocated();
        let start = Instant::now();
        drop(step());
        best = best.min(start.elapsed());
        most = max_memory_allocated() - before;
    }
    (most as f64 / f64::from(1 << 20), best)
}

fn row(name: &str, (most, time): (f64, Duration), plain: (f64, Duration)) {
    println!(
        "{name:<34} {most:>8.1} MiB {:>5.0} %   {:>8.1} ms {:>5.2}×",
        100.0 * most / plain.0,
        1e3 * time.as_secs_f64(),
        time.as_secs_f64() / plain.1.as_secs_f64()
    );
}

fn main() {
    let rng = &mut Philox::new(0);
    let layers: Vec<_> = (0..100).map(|_| Linear::new(256, 256, rng)).collect();
    let inputs = Tensor::normal(&[512, 256], 0.0, 1.0, rng);
    let mut step = |size: usize| {
        measured(|| {
            let tape = Tape::train(rng);
            perceptron(&layers, tape.constant(inputs.clone()), size).square().mean_all().backward()
        })
    };
    println!("{:<34} {:>12} {:>7}   {:>11}", "one training step", "most memory", "", "time");
    let plain = step(0);
    row("perceptron of 100 layers", plain, plain);
    for size in [1, 5, 10, 20, 50] {
        row(&format!("  in checkpoints of {size}"), step(size), plain);
    }

    let rng = &mut Philox::new(0);
    let model = ResNet::resnet20(3, 10, rng);
    let images = Tensor::normal(&[64, 3, 32, 32], 0.0, 1.0, rng);
    let classes = Tensor::from_fn(&[64], |i| i as i64 % 10);
    let mut step = |size: usize| {
        measured(|| {
            let tape = Tape::train(rng);
            let logits = resnet(&model, tape.constant(images.clone()), size);
            cross_entropy(logits, &classes).backward()
        })
    };
    let plain = step(0);
    row("ResNet-20, 64 images", plain, plain);
    for (size, name) in [(1, "every block"), (3, "every 3 blocks (√9)")] {
        row(&format!("  {name} a checkpoint"), step(size), plain);
    }
}
