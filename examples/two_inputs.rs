//! A model with two inputs adds handwritten digits: it gets two images and classifies their sum,
//! from 0 to 18. The digits are part of the library. The test pairs consist of digits that are not
//! used in training.
//!
//! `cargo run --release --example two_inputs`; `-- --help` lists the options.

use clap::Parser;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use wengert::plot;
use wengert::prelude::*;
use wengert::rand::Rng;
use wengert::tensor::set_num_threads;
use wengert::train::measure;

#[derive(Parser)]
#[command(about = "A model with two inputs adds handwritten digits")]
struct Args {
    /// Number of epochs: how often each example is used
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: u64,
    /// Pairs per step
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// The largest learning rate
    #[arg(long, default_value_t = 0.003)]
    lr: f64,
    /// Random seed: determines the initial weights, the order of the examples and all other random
    /// choices
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Number of threads [default: one per core]
    #[arg(long)]
    threads: Option<usize>,
    /// Folder for the pictures
    #[arg(long, value_name = "DIR", default_value = "target/two_inputs")]
    out: PathBuf,
    /// Save a checkpoint of the run in this file after every epoch [default: in the folder of the pictures]
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Resume the run from this file
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Draw no pictures
    #[arg(long)]
    no_pictures: bool,
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
    digits: Subset<Arc<TensorDataset>>,
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

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if let Some(threads) = args.threads {
        set_num_threads(threads)?;
    }
    let [train, test] = stratified_split(Digits::load().dataset(), [0.8, 0.2], 0);
    let train = DataLoader::new(Pairs { digits: train, len: 8000 }, args.batch).shuffle(args.seed);
    let test = DataLoader::new(Pairs { digits: test, len: 2000 }, 500);
    let rng = &mut Philox::new(args.seed);
    let mut model = Adder {
        reader: Linear::new(64, 64, rng),
        digit: Linear::new(64, 16, rng),
        hidden: Linear::new(16, 64, rng),
        sum: Linear::new(64, 19, rng),
    };
    let schedule = OneCycleLr::new(args.lr, args.epochs as usize * train.len());
    std::fs::create_dir_all(&args.out)?;
    let checkpoint = args.checkpoint.unwrap_or_else(|| args.out.join("run.safetensors"));
    let trainer = Trainer::custom()
        .epochs(args.epochs)
        .checkpoint(checkpoint)
        .validate_as("test", &test)
        .schedule(schedule.cycle_momentum(false))
        .optionally(args.resume.as_ref(), Trainer::resume);
    let history =
        trainer.fit(&mut model, &mut Adam::adamw(0.0).weight_decay(0.01), &train, rng, loss)?;
    if !args.no_pictures {
        plot::charts(&history.charts(), args.out.join("curves.svg"))?;
    }
    let found = measure(&model, &test, loss)?;
    println!(
        "\n{:.2}% of {} sums of unseen digits are right",
        100.0 * found.accuracy.unwrap_or(0.0),
        found.examples
    );
    Ok(())
}
