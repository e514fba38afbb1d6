//! LeNet learns to read handwritten digits.
//!
//! `cargo run --release --example lenet_mnist` trains on the 60,000 training images of MNIST and
//! tests once on the 10,000 test images. `-- --augment` distorts the training images a little,
//! differently in each epoch. `-- --help` lists the options.

mod common;

use clap::Parser;
use common::{DIGITS, Failure, Flags, Task};
use std::process::ExitCode;
use wengert::data::RandomAffine;
use wengert::models::LeNet;
use wengert::prelude::*;

#[derive(Parser)]
#[command(about = "LeNet learns to read handwritten digits (MNIST)")]
struct Args {
    #[command(flatten)]
    flags: Flags,
    /// Distort the training images: rotation, shift, scale and shear, different in each epoch
    #[arg(long)]
    augment: bool,
}

fn main() -> ExitCode {
    common::main(common::command::<Args>(["10", "64", "0.05"]), run)
}

fn run(Args { flags, augment }: Args) -> Result<(), Failure> {
    flags.set_threads()?;
    let sets = flags.mnist()?;
    let (epochs, batch) = (flags.epochs, flags.batch);
    let held_out = DataLoader::new(&sets.held_out, 1000);
    let plain = DataLoader::new(&sets.train, batch).shuffle(flags.seed);
    let small = RandomAffine::new().degrees(10.0).translate(0.07, 0.07).scale(0.9..=1.1).shear(8.0);
    let distorted = sets.train.clone().augment(small, flags.seed);
    let distorted = DataLoader::new(&distorted, batch).shuffle(flags.seed);

    // One seed determines all random choices, so a run can be repeated bit for bit.
    let mut rng = Philox::new(flags.seed);
    let mut model = LeNet::new(&mut rng);
    let mut optimizer = Sgd::new(0.0).momentum(0.9).weight_decay(5e-4);
    // The learning rate rises slowly to its maximum, then falls slowly to 0.
    let steps = epochs as usize * plain.len();
    let schedule = OneCycleLr::new(flags.lr, steps).pct_start(0.2).cycle_momentum(false);
    Task {
        name: "lenet_mnist",
        flags: &flags,
        objective: Objective::classification(),
        schedule: &schedule,
        train: if augment { &distorted } else { &plain },
        held_out: &held_out,
        classes: &DIGITS,
    }
    .classify(&mut model, &mut optimizer, &mut rng)?;

    let (digit, _) = sets.held_out.batch(&[0]);
    let first = model.conv1.predict(&digit).relu();
    let second = model.conv2.predict(&first.max_pool2d(&Pool::new(2))).relu();
    let filters = model.conv1.weight.value();
    flags.look_inside("lenet_mnist", filters, &[("conv1", first), ("conv2", second)])
}
