//! The convolutional network of PyTorch's MNIST example.
//!
//! By default, `AdamW` trains the network with a learning rate that rises and falls once, so few
//! epochs are enough. With `--pytorch`, Adadelta trains it as in PyTorch's example: 14 epochs, with
//! a learning rate that starts at 1 and is multiplied by 0.7 after each epoch.
//!
//! `cargo run --release --example cnn_mnist`; `-- --help` lists the options.

mod common;

use clap::Parser;
use common::{DIGITS, Failure, Flags, Task};
use std::process::ExitCode;
use wengert::models::Cnn;
use wengert::optim::{LambdaLr, Schedule};
use wengert::prelude::*;

#[derive(Parser)]
#[command(about = "A larger convolutional network learns to read handwritten digits (MNIST)")]
struct Args {
    #[command(flatten)]
    flags: Flags,
    /// The settings of PyTorch's example: Adadelta, 14 epochs, a first learning rate of 1
    #[arg(long)]
    pytorch: bool,
    /// Factor of Adadelta's learning rate after every epoch
    #[arg(long, default_value_t = 0.7, requires = "pytorch")]
    gamma: f64,
    /// Use the images in the order of the file in every epoch
    #[arg(long)]
    in_order: bool,
}

fn main() -> ExitCode {
    let command = common::command::<Args>(["8", "64", "0.002"])
        .mut_arg("epochs", |epochs| epochs.default_value_if("pytorch", "true", "14"))
        .mut_arg("lr", |lr| lr.default_value_if("pytorch", "true", "1"));
    common::main(command, run)
}

fn run(Args { flags, pytorch, gamma, in_order }: Args) -> Result<(), Failure> {
    flags.set_threads()?;
    let sets = flags.mnist()?;
    let (epochs, batch) = (flags.epochs, flags.batch);
    let held_out = DataLoader::new(&sets.held_out, 1000);
    let mut train = DataLoader::new(&sets.train, batch);
    if !in_order {
        train = train.shuffle(flags.seed);
    }

    let mut rng = Philox::new(flags.seed);
    let mut model = Cnn::new(&mut rng);
    let epoch = train.len();
    let stairs = LambdaLr::new(flags.lr, |step| gamma.powi((step / epoch) as i32));
    let cycle = OneCycleLr::new(flags.lr, epochs as usize * epoch);
    let cycle = cycle.pct_start(0.2).cycle_momentum(false);
    let (mut adadelta, mut adamw) = (Adadelta::new(1.0), Adam::adamw(0.0).weight_decay(0.05));
    let (optimizer, schedule): (&mut dyn Optimizer, &dyn Schedule) =
        if pytorch { (&mut adadelta, &stairs) } else { (&mut adamw, &cycle) };
    Task {
        name: "cnn_mnist",
        flags: &flags,
        objective: Objective::classification(),
        schedule,
        train: &train,
        held_out: &held_out,
        classes: &DIGITS,
    }
    .classify(&mut model, optimizer, &mut rng)?;

    let (digit, _) = sets.held_out.batch(&[0]);
    let first = model.conv1.predict(&digit).relu();
    let second = model.conv2.predict(&first).relu();
    let filters = model.conv1.weight.value();
    flags.look_inside("cnn_mnist", filters, &[("conv1", first), ("conv2", second)])
}
