//! A character-level language model with integer inputs: it predicts the next character from the
//! sixteen characters before it (Y. Bengio, R. Ducharme, P. Vincent, C. Jauvin, "A neural
//! probabilistic language model", 2003). The example compares it, on held-out text, with a bigram
//! model, which counts the characters that follow each character.
//!
//! `cargo run --release --example char_lm` trains on a part of Shakespeare's plays. `-- --data
//! FILE` uses another text, and `-- --help` lists the options.

use clap::Parser;
use std::error::Error;
use std::path::PathBuf;
use wengert::plot;
use wengert::prelude::*;
use wengert::tensor::set_num_threads;
use wengert::train::measure;

const SAMPLE: &str = include_str!("data/shakespeare.txt");
/// The number of characters from which the model predicts the next one.
const CONTEXT: usize = 16;

#[derive(Parser)]
#[command(about = "A language model of characters")]
struct Args {
    /// Number of epochs: how often each example is used
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: u64,
    /// Examples per step
    #[arg(long, default_value_t = 256)]
    batch: usize,
    /// The largest learning rate
    #[arg(long, default_value_t = 0.003)]
    lr: f64,
    /// Random seed: determines the initial weights, the order of the examples and all other random
    /// choices
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// A text file, used in place of the plays
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Number of threads [default: one per core]
    #[arg(long)]
    threads: Option<usize>,
    /// Folder for the pictures
    #[arg(long, value_name = "DIR", default_value = "target/char_lm")]
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

#[derive(Module)]
struct Bengio {
    /// One row per character.
    embedding: Param,
    hidden: Linear,
    output: Linear,
}

/// A text as character numbers. An example of the data set is a position in the text.
struct Text(Vec<i64>);

impl Dataset for Text {
    type Batch = (Tensor<i64>, Tensor<i64>);
    fn len(&self) -> usize {
        self.0.len() - CONTEXT
    }
    fn batch(&self, places: &[usize]) -> Self::Batch {
        let before = |i: usize| self.0[places[i / CONTEXT] + i % CONTEXT];
        let next = |i: usize| self.0[places[i] + CONTEXT];
        (Tensor::from_fn(&[places.len(), CONTEXT], before), Tensor::from_fn(&[places.len()], next))
    }
}

/// Returns the mean of -ln p(next | character) over `test`, where p comes from the counts in
/// `train`, each increased by one.
fn bigram(train: &Text, test: &Text, characters: usize) -> f64 {
    let mut counts = vec![vec![1.0; characters]; characters];
    train.0.windows(2).for_each(|pair| counts[pair[0] as usize][pair[1] as usize] += 1.0);
    let rows: Vec<f64> = counts.iter().map(|row| row.iter().sum()).collect();
    let loss = |pair: &[i64]| {
        let [a, b] = [pair[0] as usize, pair[1] as usize];
        -(counts[a][b] / rows[a]).ln()
    };
    // Predict the same characters as the other model.
    let pairs = test.0[CONTEXT - 1..].windows(2);
    pairs.map(loss).sum::<f64>() / test.len() as f64
}

fn loss<'t>(
    model: &Bengio,
    step: &'t Step,
    (before, next): &(Tensor<i64>, Tensor<i64>),
) -> Var<'t> {
    let rows = step.param(&model.embedding).index_select(0, before.flatten(0, -1));
    let x = rows.reshape(&[step.examples(), CONTEXT * 24]);
    let logits = model.output.forward(model.hidden.forward(x).tanh().dropout(0.1));
    step.log_accuracy(logits, next);
    cross_entropy(logits, next)
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if let Some(threads) = args.threads {
        set_num_threads(threads)?;
    }
    let text = match &args.data {
        Some(path) => std::fs::read_to_string(path)?,
        None => SAMPLE.into(),
    };
    let letters: Vec<char> =
        text.chars().collect::<std::collections::BTreeSet<_>>().into_iter().collect();
    let number = |letter| letters.binary_search(&letter).expect("it is in the text") as i64;
    let mut train: Vec<i64> = text.chars().map(number).collect();
    if train.len() < 100 * CONTEXT {
        return Err("the text is too short".into());
    }
    // The last tenth is held out.
    let test = Text(train.split_off(train.len() / 10 * 9));
    let train = Text(train);
    let counted = bigram(&train, &test, letters.len());
    println!("{} characters, {} different ones\n", text.chars().count(), letters.len());

    let train = DataLoader::new(train, args.batch).shuffle(args.seed);
    let test = DataLoader::new(test, 2000);
    let rng = &mut Philox::new(args.seed);
    let mut model = Bengio {
        embedding: Param::new(Tensor::normal(&[letters.len(), 24], 0.0, 1.0, rng)),
        hidden: Linear::new(CONTEXT * 24, 256, rng),
        output: Linear::new(256, letters.len(), rng),
    };
    let schedule = OneCycleLr::new(args.lr, args.epochs as usize * train.len());
    let groups = Group::biases_and_norms().weight_decay(0.0);
    let mut optimizer = Adam::adamw(0.0).weight_decay(0.1).group(groups);
    std::fs::create_dir_all(&args.out)?;
    let checkpoint = args.checkpoint.unwrap_or_else(|| args.out.join("run.safetensors"));
    let trainer = Trainer::custom()
        .epochs(args.epochs)
        .checkpoint(checkpoint)
        .validate_as("held-out", &test)
        .schedule(schedule.cycle_momentum(false))
        .keep_best(Criterion::Loss)
        .callback(ClipNorm(1.0))
        .optionally(args.resume.as_ref(), Trainer::resume);
    let history = trainer.fit(&mut model, &mut optimizer, &train, rng, loss)?;
    if !args.no_pictures {
        plot::charts(&history.charts(), args.out.join("curves.svg"))?;
    }
    let found = measure(&model, &test, loss)?;
    println!("\nheld-out loss {:.4}; of a bigram model {counted:.4}", found.loss);
    Ok(())
}
