//! Compares custom models, batches, losses and steps with several optimizers with hand-written loops.

#![allow(clippy::items_after_statements)] // small types beside their use

mod batches;
mod losses;
mod steps;

use wengert_autograd::Var;
use wengert_nn::{Layer, Linear, Module, cross_entropy};
use wengert_tensor::{Philox, Tensor};
use wengert_train::Step;

/// Two layers. A loss may use only the first one.
#[derive(Clone, Module)]
#[module(crate = "wengert_autograd")]
struct Pair {
    used: Linear,
    missed: Linear,
}

fn pair() -> Pair {
    let mut rng = Philox::new(5);
    Pair { used: Linear::new(64, 10, &mut rng), missed: Linear::new(64, 10, &mut rng) }
}

fn loss_of<'t>(layer: &Linear, step: &'t Step, (x, y): &(Tensor, Tensor<i64>)) -> Var<'t> {
    cross_entropy(layer.forward(step.constant(x.clone()).flatten(1, -1)), y)
}
