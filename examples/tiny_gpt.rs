//! A small transformer writes like Shakespeare: a decoder with causal attention predicts the next
//! character of his plays (A. Radford, K. Narasimhan, T. Salimans, I. Sutskever, "Improving language
//! understanding by generative pre-training", 2018).
//!
//! In training, one pass predicts all characters of a window: a causal mask hides the later ones.
//! For writing, a cache holds the keys and values of the characters so far, so that each new
//! character costs one step of one position. The example writes the same text with the cache and
//! without, and prints both times.
//!
//! `cargo run --release --example tiny_gpt`; `-- --data FILE` reads another text, `-- --help` lists
//! the options.

use clap::Parser;
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;
use wengert::data::{SequenceWindows, Vocabulary, split_sequence};
use wengert::nn::{
    Attention, KvCache, LearnedPositions, TransformerEncoder, TransformerEncoderLayer, init, save,
};
use wengert::plot;
use wengert::prelude::*;
use wengert::tensor::set_num_threads;
use wengert::train::measure;

const PLAYS: &str = include_str!("data/shakespeare.txt");

#[derive(Parser)]
#[command(about = "A transformer learns to write like Shakespeare, character by character")]
struct Args {
    /// Number of epochs: how often each window of the text is used
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: u64,
    /// Windows per step
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Characters of a window: the network sees no farther back
    #[arg(long, default_value_t = 64)]
    context: usize,
    /// Size of the vector of a character
    #[arg(long, default_value_t = 128)]
    size: usize,
    /// Number of heads of each attention
    #[arg(long, default_value_t = 4)]
    heads: usize,
    /// Number of layers
    #[arg(long, default_value_t = 3)]
    layers: usize,
    /// The largest learning rate
    #[arg(long, default_value_t = 0.003)]
    lr: f64,
    /// Divides the logits when the network writes: a low number makes it cautious
    #[arg(long, default_value_t = 0.8)]
    temperature: f64,
    /// Random seed: determines the initial weights, the order of the examples and all other random
    /// choices
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// A text file, used in place of the plays
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Use the first N characters of the text only
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Number of threads [default: one per core]
    #[arg(long)]
    threads: Option<usize>,
    /// Folder for the model and the pictures
    #[arg(long, value_name = "DIR", default_value = "target/tiny_gpt")]
    out: PathBuf,
    /// Save a checkpoint of the run in this file after every epoch
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Resume the run from this file
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Draw no pictures
    #[arg(long)]
    no_pictures: bool,
}

/// A decoder without an encoder is a stack of encoder layers with a causal mask.
#[derive(Module)]
struct Gpt {
    embedding: Embedding,
    positions: LearnedPositions,
    blocks: TransformerEncoder,
    output: Linear,
}

impl Gpt {
    fn new(characters: usize, args: &Args, rng: &mut Philox) -> Self {
        let block = |rng: &mut Philox| {
            let block = TransformerEncoderLayer::new(args.size, args.heads, 4 * args.size, rng);
            block.norm_first().gelu().batch_first().dropout(0.0)
        };
        let blocks = (0..args.layers).map(|_| block(rng)).collect();
        let mut embedding = Embedding::new(characters, args.size, rng);
        init::normal(&mut embedding.weight, 0.0, 0.02, rng);
        Gpt {
            embedding,
            positions: LearnedPositions::new(args.context, args.size, rng),
            blocks: TransformerEncoder::new(blocks).norm(LayerNorm::new(&[args.size])),
            output: Linear::new(args.size, characters, rng),
        }
    }

    /// Returns the logits of the characters that follow each of `x` [N, T]: [N, T, characters].
    fn logits<'t>(&self, tape: &'t Tape, x: &Tensor<i64>) -> Var<'t> {
        let x = self.positions.forward(self.embedding.forward(tape, x));
        self.output.forward(self.blocks.run(x, &Attention::new().causal()))
    }

    /// Returns the same logits for characters that come after those in the caches.
    fn next_logits<'t>(&self, tape: &'t Tape, x: &Tensor<i64>, caches: &mut [KvCache]) -> Var<'t> {
        let x = self.positions.from(self.embedding.forward(tape, x), caches[0].len());
        self.output.forward(self.blocks.run_cached(x, caches))
    }

    /// Writes `count` characters after a line feed, with the cache or without.
    fn write(&self, letters: &Vocabulary, count: usize, args: &Args, cached: bool) -> String {
        let rng = &mut Philox::new(args.seed);
        let mut caches = vec![KvCache::new(); args.layers];
        let mut ids = vec![letters.id("\n").unwrap_or(0)];
        // The characters that the network sees begin here.
        let mut begin = 0;
        while ids.len() <= count {
            if ids.len() - begin > args.context {
                // The window is full: continue with its second half, whose positions change.
                begin = ids.len() - args.context / 2;
                caches.iter_mut().for_each(KvCache::clear);
            }
            let seen = if cached { caches[0].len() } else { 0 };
            let new = Tensor::from_slice(&ids[begin + seen..], &[1, ids.len() - begin - seen]);
            let tape = Tape::inference();
            let logits = if cached {
                self.next_logits(&tape, &new, &mut caches)
            } else {
                self.logits(&tape, &new)
            };
            // The largest of logits plus Gumbel noise is a draw from their softmax (E. J. Gumbel,
            // 1954).
            let noise = -(-Tensor::uniform(&[letters.len()], 0.0, 1.0, rng).ln()).ln();
            let last = logits.select(1, -1).squeeze(0).value();
            ids.push((last / args.temperature + noise).argmax(0, false).item());
        }
        letters.decode(&Tensor::from_slice(&ids[1..], &[count]))
    }
}

fn loss<'t>(model: &Gpt, step: &'t Step, (x, y): &(Tensor<i64>, Tensor<i64>)) -> Var<'t> {
    cross_entropy(model.logits(step, x).flatten(0, 1), y.flatten(0, -1))
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if let Some(threads) = args.threads {
        set_num_threads(threads)?;
    }
    let mut text = match &args.data {
        Some(path) => std::fs::read_to_string(path)?,
        None => PLAYS.into(),
    };
    if let Some((end, _)) = args.limit.and_then(|limit| text.char_indices().nth(limit)) {
        text.truncate(end);
    }
    let letters = Vocabulary::of_characters(&text);
    // The last tenth is held out.
    let [train, held_out] = split_sequence(&letters.encode(&text)?, [0.9, 0.1]);
    println!("{} characters, {} different ones", text.chars().count(), letters.len());
    let windows = |part| SequenceWindows::new(part, args.context).step(args.context);
    let train = DataLoader::new(windows(train), args.batch).shuffle(args.seed);
    let held_out = DataLoader::new(windows(held_out), 100);

    let rng = &mut Philox::new(args.seed);
    let mut model = Gpt::new(letters.len(), &args, rng);
    println!("{} parameters\n", model.parameter_count());
    let schedule = OneCycleLr::new(args.lr, args.epochs as usize * train.len());
    let no_decay = Group::biases_and_norms().weight_decay(0.0);
    let mut optimizer = Adam::adamw(0.0).betas(0.9, 0.99).weight_decay(0.1).group(no_decay);
    let history = Trainer::custom()
        .epochs(args.epochs)
        .validate_as("held-out", &held_out)
        .schedule(schedule.cycle_momentum(false))
        .callback(ClipNorm(1.0))
        .optionally(args.checkpoint.as_ref(), Trainer::checkpoint)
        .optionally(args.resume.as_ref(), Trainer::resume)
        .fit(&mut model, &mut optimizer, &train, rng, loss)?;

    std::fs::create_dir_all(&args.out)?;
    save(&model, args.out.join("model.safetensors"))?;
    if !args.no_pictures {
        plot::charts(&history.charts(), args.out.join("curves.svg"))?;
    }
    let found = measure(&model, &held_out, loss)?;
    println!("\nheld-out loss: {:.4} nats per character", found.loss);

    let [(text, fast), (again, slow)] = [true, false].map(|cached| {
        let start = Instant::now();
        (model.write(&letters, 800, &args, cached), start.elapsed().as_secs_f64())
    });
    println!("\n{}\n", text.trim());
    println!("800 characters: {fast:.2} s with the cache, {slow:.2} s without");
    if text != again {
        println!("rounding errors made the two texts different");
    }
    Ok(())
}
