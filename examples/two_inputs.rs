//! A model with two inputs adds handwritten digits: it gets two images and classifies their sum,
//! from 0 to 18. The digits are part of the library. The test pairs consist of digits that are not
//! used in training.
//!
//! `cargo run --release --example two_inputs`; `-- --help` lists the options.

mod common;

use clap::Parser;
use common::{Failure, Flags};
use rand::Rng;
use std::process::ExitCode;
use wengert::prelude::*;
use wengert::train::measure;

#[derive(Parser)]
#[command(about = "A model with two inputs adds handwritten digits")]
struct Args {
    #[command(flatten)]
    flags: Flags,
}

fn main() -> ExitCode {
    common::main(common::command::<Args>(["30", "64", "0.003"]), run)
}

/// The same layers read both digits; the model adds the two results.
#[derive(Module)]
struct Adder {
    reader: Linear,
    digit: Linear,
    hidden: Linear,
    sum: Linear,
}

impl Adder {
    fn read<'t>(&self, image: Var<'t>) -> Var<'t> {
        self.digit.forward(self.reader.forward(image.flatten(1, -1)).relu())
    }
}

/// Pairs of digits with their sum. The number of a pair determines its digits.
struct Pairs {
    digits: Subset<std::sync::Arc<TensorDataset>>,
    len: usize,
}

impl Dataset for Pairs {
    type Batch = (Tensor, Tensor, Tensor<i64>);
    fn len(&self) -> usize {
        self.len
    }
    fn batch(&self, pairs: &[usize]) -> Self::Batch {
        let drawn = |half: u64| {
            let digit = |&pair: &usize| random(half, pair) % self.digits.len();
            self.digits.batch(&pairs.iter().map(digit).collect::<Vec<_>>())
        };
        let ((a, x), (b, y)) = (drawn(0), drawn(1));
        (a, b, &x + &y)
    }
}

/// Returns a random number that is determined by `stream` and `number`.
fn random(stream: u64, number: usize) -> usize {
    (Philox::with_stream(stream, number as u64).next_u64() >> 32) as usize
}

fn loss<'t>(model: &Adder, step: &'t Step, (a, b, sum): &(Tensor, Tensor, Tensor<i64>)) -> Var<'t> {
    let [a, b] = [a, b].map(|image| model.read(step.constant(image.clone())));
    let logits = model.sum.forward(model.hidden.forward((a + b).relu()).relu());
    step.log_accuracy(logits, sum);
    cross_entropy(logits, sum)
}

fn run(Args { flags }: Args) -> Result<(), Failure> {
    flags.set_threads()?;
    let [train, test] = stratified_split(Digits::load().dataset(), [0.8, 0.2], 0);
    let train =
        DataLoader::new(Pairs { digits: train, len: 8000 }, flags.batch).shuffle(flags.seed);
    let test = DataLoader::new(Pairs { digits: test, len: 2000 }, 500);
    let rng = &mut Philox::new(flags.seed);
    let mut model = Adder {
        reader: Linear::new(64, 64, rng),
        digit: Linear::new(64, 16, rng),
        hidden: Linear::new(16, 64, rng),
        sum: Linear::new(64, 19, rng),
    };
    let schedule = OneCycleLr::new(flags.lr, flags.epochs as usize * train.len());
    let history = flags
        .custom("two_inputs")?
        .validate_as("test", &test)
        .schedule(schedule.cycle_momentum(false))
        .fit(&mut model, &mut Adam::adamw(0.0).weight_decay(0.01), &train, rng, loss)?;
    flags.curves("two_inputs", &history)?;
    let found = measure(&model, &test, loss)?;
    println!(
        "\n{:.2}% of {} sums of unseen digits are right",
        100.0 * found.accuracy.unwrap_or(0.0),
        found.examples
    );
    Ok(())
}
