//! Tests callbacks: when and in which order their hooks are called, and what a checkpoint stores for them.

#![allow(clippy::items_after_statements, clippy::unnecessary_wraps)] // small types beside their use

mod checkpoints;
mod gradients;
mod monitors;
mod order;

use std::path::Path;
use wengert_data::{DataLoader, Digits, TensorDataset};
use wengert_nn::{Linear, state_dict};
use wengert_optim::{Adam, Optimizer};
use wengert_tensor::{NamedTensors, Philox};
use wengert_train::{Callback, History, TrainError, Trainer};

/// Returns sixty digits as vectors.
fn digits() -> TensorDataset {
    let digits = Digits::load();
    let images = digits.scaled_images().flatten(1, -1).narrow(0, 0, 60).copied();
    TensorDataset::new(images, digits.labels.narrow(0, 0, 60).copied())
}

fn model() -> Linear {
    Linear::new(64, 10, &mut Philox::new(4))
}

/// Runs three epochs of two steps with these callbacks.
fn run(
    callbacks: Vec<Box<dyn Callback + '_>>,
    stop: usize,
    save: Option<&Path>,
    resume: Option<&Path>,
) -> (Result<History, TrainError>, NamedTensors, NamedTensors) {
    let set = digits();
    let loader = DataLoader::new(&set, 30).shuffle(2);
    let mut trainer = Trainer::classifier().epochs(3).stop_after(stop).quiet();
    for callback in callbacks {
        trainer = trainer.callback(callback);
    }
    if let Some(path) = save {
        trainer = trainer.checkpoint(path);
    }
    if let Some(path) = resume {
        trainer = trainer.resume(path);
    }
    let (mut model, mut optimizer) = (model(), Adam::new(0.01));
    let result = trainer.fit(&mut model, &mut optimizer, &loader, &mut Philox::new(0));
    (result, state_dict(&model), optimizer.state_dict(&model))
}
