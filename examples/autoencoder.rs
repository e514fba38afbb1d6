//! A convolutional autoencoder compresses handwritten digits to a code of a few numbers.
//!
//! `cargo run --release --example autoencoder` trains on MNIST and draws inputs above their
//! reconstructions. `-- --help` lists the options.

mod common;

use clap::Parser;
use common::{Failure, Flags};
use std::process::ExitCode;
use wengert::models::Autoencoder;
use wengert::prelude::*;
use wengert::train::plot;

#[derive(Parser)]
#[command(about = "A convolutional autoencoder learns to draw handwritten digits (MNIST)")]
struct Args {
    #[command(flatten)]
    flags: Flags,
    /// Length of the code: the numbers that represent a digit
    #[arg(long, default_value_t = 16)]
    code: usize,
}

fn main() -> ExitCode {
    common::main(common::command::<Args>(["5", "64", "0.004"]), run)
}

fn run(Args { flags, code }: Args) -> Result<(), Failure> {
    flags.set_threads()?;
    // Pixels are from 0 to 1. A pixel is the probability of ink.
    let mnist = flags.mnist_bytes()?;
    let sets = flags.divide(mnist.train, mnist.test);
    let (epochs, batch) = (flags.epochs, flags.batch);
    let held_out = DataLoader::new(&sets.held_out, 1000);
    let train = DataLoader::new(&sets.train, batch).shuffle(flags.seed);

    let mut rng = Philox::new(flags.seed);
    let mut model = Autoencoder::new(code, &mut rng);
    println!("{}\n", model.summary(&[batch, 1, 28, 28])?);
    let mut optimizer = Adam::new(0.0);
    let schedule = OneCycleLr::new(flags.lr, epochs as usize * train.len()).cycle_momentum(false);
    let trainer = flags.trainer(Objective::reconstruction(bce_with_logits), &held_out);
    let trainer = trainer.epochs(epochs).schedule(schedule);
    let history = trainer.fit(&mut model, &mut optimizer, &train, &mut rng)?;
    let found = trainer.objective().evaluate(&model, &held_out);
    println!("\n{} loss: {:.4} per pixel", flags.held_out(), found.loss);

    if !flags.no_pictures {
        let out = flags.out("autoencoder");
        let (digits, _) = sets.held_out.batch(&(0..16).collect::<Vec<_>>());
        let again = model.predict(&digits).sigmoid();
        plot::curves(&history, out.join("curves.svg"))?;
        plot::reconstructions(
            &digits,
            &again,
            &plot::GridOptions::new(),
            out.join("reconstructions.png"),
        )?;
        let maps = model.conv1.predict(&digits.narrow(0, 0, 1)).relu();
        plot::filters(model.conv1.weight.value(), out.join("filters.png"))?;
        plot::feature_maps(&maps, out.join("maps_conv1.png"))?;
        println!("pictures: {}", out.display());
    }
    Ok(())
}
