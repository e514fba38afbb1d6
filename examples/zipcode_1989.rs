//! The network of 1989 for handwritten zip codes, trained on digits from envelopes (USPS): 9,760
//! parameters.
//!
//! `cargo run --release --example zipcode_1989 -- --data FOLDER`, where the folder contains
//! zip.train and zip.test. Without the flag, the example searches the usual places.

mod common;

use clap::Parser;
use common::{DIGITS, Failure, Flags, Task};
use std::process::ExitCode;
use wengert::models::{ScaledTanh, ZipcodeNet};
use wengert::prelude::*;

#[derive(Parser)]
#[command(about = "The network of 1989 learns to read zip codes (USPS)")]
struct Args {
    #[command(flatten)]
    flags: Flags,
    /// Train on the original digits, without random shifts and rotations
    #[arg(long)]
    plain: bool,
    /// Weight decay, which pulls the weights towards 0
    #[arg(long, default_value_t = 0.0)]
    weight_decay: f64,
}

fn main() -> ExitCode {
    common::main(common::command::<Args>(["40", "8", "0.03"]), run)
}

/// Returns the mean squared distance from 1 for the true class and from -1 for the other classes:
/// the criterion of the paper.
fn squared_error<'t>(scores: Var<'t>, classes: &Tensor<i64>) -> Var<'t> {
    let shape = scores.shape();
    let twos = Tensor::full(&[shape[0], 1], 2.0);
    let target = Tensor::full(&shape, -1.0).scatter_add(1, &classes.unsqueeze(1), &twos);
    mse(scores, scores.tape().constant(target))
}

fn run(Args { flags, plain, weight_decay }: Args) -> Result<(), Failure> {
    flags.set_threads()?;
    let zipcode = match &flags.data {
        Some(folder) => Zipcode::from_folder(folder)?,
        None => Zipcode::load()?,
    };
    let zipcode = zipcode.with_channel();
    let sets = flags.divide(zipcode.train, zipcode.test);
    let (epochs, batch) = (flags.epochs, flags.batch);
    let held_out = DataLoader::new(&sets.held_out, 500);
    let as_written = DataLoader::new(&sets.train, batch).shuffle(flags.seed);
    // Small random shifts, rotations, scales and shears, different in every epoch. New pixels at
    // the border have the value of the background.
    let small = RandomAffine::new()
        .degrees(7.0)
        .translate(0.06, 0.06)
        .scale(0.92..=1.08)
        .shear(6.0)
        .fill(-1.0);
    let moved = sets.train.clone().augment(small, flags.seed);
    let moved = DataLoader::new(&moved, batch).shuffle(flags.seed);

    let mut rng = Philox::new(flags.seed);
    let mut model = ZipcodeNet::new(&mut rng);
    let mut optimizer = Sgd::new(0.0).momentum(0.9).weight_decay(weight_decay);
    let schedule = OneCycleLr::new(flags.lr, epochs as usize * as_written.len())
        .pct_start(0.2)
        .cycle_momentum(false);
    Task {
        name: "zipcode_1989",
        flags: &flags,
        objective: Objective::new(squared_error).predict(|scores| scores.argmax(1, false)),
        schedule: &schedule,
        train: if plain { &as_written } else { &moved },
        held_out: &held_out,
        classes: &DIGITS,
    }
    .classify(&mut model, &mut optimizer, &mut rng)?;

    let filters = model.h1.weight.value().unsqueeze(1);
    let (digit, _) = sets.held_out.batch(&[0]);
    let sums = model.h1.predict(&digit.pad(&[(0, 0), (0, 0), (2, 2), (2, 2)], -1.0));
    let h1 = ScaledTanh.predict(&(&sums + model.h1_bias.value()));
    flags.look_inside("zipcode_1989", &filters, &[("h1", h1)])
}
