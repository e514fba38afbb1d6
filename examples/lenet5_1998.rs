//! LeNet-5 as published in 1998: trainable sub-sampling, the sparse connections of C3, scaled
//! hyperbolic tangents, radial output units with fixed bitmaps, and the criterion of the paper.
//!
//! `cargo run --release --example lenet5_1998`; `-- --help` lists the options. `AdamW` with a
//! learning rate that rises and falls replaces the second-order learning rates of the paper.

mod common;

use clap::Parser;
use common::{DIGITS, Failure, Flags, Task};
use std::process::ExitCode;
use wengert::models::{LeNet5, ScaledTanh, map_loss};
use wengert::prelude::*;

#[derive(Parser)]
#[command(about = "LeNet-5 as published in 1998 learns to read handwritten digits (MNIST)")]
struct Args {
    #[command(flatten)]
    flags: Flags,
    /// Weight decay, which pulls the weights towards 0
    #[arg(long, default_value_t = 0.05)]
    weight_decay: f64,
}

fn main() -> ExitCode {
    common::main(common::command::<Args>(["20", "32", "0.003"]), run)
}

fn run(Args { flags, weight_decay }: Args) -> Result<(), Failure> {
    flags.set_threads()?;
    // The network expects 32×32 pixels, with -0.1 for the background and 1.175 for the ink: (x - m)
    // / s with this m and s.
    let (m, s) = (0.1 / 1.275, 1.0 / 1.275);
    let border = [(0, 0), (0, 0), (2, 2), (2, 2)];
    let wide = |set: TensorDataset<u8>| set.map_inputs(|x| x.pad(&border, 0));
    let mnist = flags.mnist_bytes()?.normalize(m, s);
    let sets = flags.divide(wide(mnist.train), wide(mnist.test));
    let (epochs, batch) = (flags.epochs, flags.batch);
    let held_out = DataLoader::new(&sets.held_out, 1000);
    let train = DataLoader::new(&sets.train, batch).shuffle(flags.seed);

    let mut rng = Philox::new(flags.seed);
    let mut model = LeNet5::new(&mut rng);
    let mut optimizer = Adam::adamw(0.0).weight_decay(weight_decay);
    let schedule = OneCycleLr::new(flags.lr, epochs as usize * train.len())
        .pct_start(0.2)
        .cycle_momentum(false);
    Task {
        name: "lenet5_1998",
        flags: &flags,
        objective: Objective::new(map_loss).predict(|scores| scores.argmax(1, false)),
        schedule: &schedule,
        train: &train,
        held_out: &held_out,
        classes: &DIGITS,
    }
    .classify(&mut model, &mut optimizer, &mut rng)?;

    let (digit, _) = sets.held_out.batch(&[0]);
    let c1 = ScaledTanh.predict(&model.c1.predict(&digit));
    let filters = model.c1.weight.value();
    flags.look_inside("lenet5_1998", filters, &[("c1", c1)])
}
