//! A larger convolutional network on MNIST, with the settings of PyTorch's own example: Adadelta
//! with a learning rate of 1 that falls by 0.7 with every epoch, batches of 64, 14 epochs.
//!
//! `cargo run --release --example cnn_mnist`; `-- --help` lists what can be changed.

mod common;

use clap::Parser;
use common::{DIGITS, Failure, Flags, Task};
use std::process::ExitCode;
use wengert::models::Cnn;
use wengert::optim::LambdaLr;
use wengert::prelude::*;

#[derive(Parser)]
#[command(about = "A larger convolutional network learns to read handwritten digits (MNIST)")]
struct Args {
    #[command(flatten)]
    flags: Flags,
    /// What the learning rate is multiplied with after every epoch
    #[arg(long, default_value_t = 0.7)]
    gamma: f64,
    /// Images in the order of the file in every epoch
    #[arg(long)]
    in_order: bool,
}

fn main() -> ExitCode {
    common::main(run)
}

fn run(Args { flags, gamma, in_order }: Args) -> Result<(), Failure> {
    flags.set_threads()?;
    let sets = flags.mnist()?;
    let (epochs, batch) = (flags.epochs.unwrap_or(14), flags.batch.unwrap_or(64));
    let held_out = DataLoader::new(&sets.held_out, 1000);
    let mut train = DataLoader::new(&sets.train, batch);
    if !in_order {
        train = train.shuffle(flags.seed);
    }

    let mut rng = Philox::new(flags.seed);
    let mut model = Cnn::new(&mut rng);
    let mut optimizer = Adadelta::new(1.0);
    let epoch = train.len();
    let schedule = LambdaLr::new(flags.lr.unwrap_or(1.0), |step| gamma.powi((step / epoch) as i32));
    Task {
        name: "cnn_mnist",
        flags: &flags,
        epochs,
        objective: Objective::classification(),
        schedule: &schedule,
        train: &train,
        held_out: &held_out,
        classes: &DIGITS,
    }
    .classify(&mut model, &mut optimizer, &mut rng)?;

    let (digit, _) = sets.held_out.batch(&[0]);
    let first = model.conv1.predict(&digit).relu();
    let second = model.conv2.predict(&first).relu();
    let filters = model.conv1.weight.value();
    flags.look_inside("cnn_mnist", filters, &[("conv1", first), ("conv2", second)])
}
