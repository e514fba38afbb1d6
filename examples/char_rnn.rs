//! A recurrent network writes like Shakespeare: an LSTM reads his plays character by character and
//! learns to predict the next one (A. Karpathy, "The unreasonable effectiveness of recurrent neural
//! networks", 2015). After each epoch, it writes a few lines.
//!
//! The text is cut into as many rows as there are sequences in a batch. Training reads all rows from
//! left to right, a piece of 100 characters at each step. Back-propagation ends at the beginning of
//! the piece, but the state of the LSTM goes on from one piece to the next.
//!
//! `cargo run --release --example char_rnn`; `-- --data FILE` reads another text, `-- --help` lists
//! the options.

use clap::Parser;
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;
use wengert::data::{Vocabulary, split_sequence};
use wengert::nn::{Lstm, load, save};
use wengert::plot::{self, Chart, Line};
use wengert::prelude::*;
use wengert::tensor::set_num_threads;

const PLAYS: &str = include_str!("data/shakespeare.txt");

#[derive(Parser)]
#[command(about = "An LSTM learns to write like Shakespeare, character by character")]
struct Args {
    /// Number of epochs: how often the text is read
    #[arg(long, default_value_t = 10)]
    epochs: usize,
    /// Sequences per step
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Characters per step and sequence: back-propagation goes through this number of steps
    #[arg(long, default_value_t = 100)]
    length: usize,
    /// Size of the state
    #[arg(long, default_value_t = 384)]
    hidden: usize,
    /// Number of layers of the LSTM
    #[arg(long, default_value_t = 1)]
    layers: usize,
    /// Probability of dropout
    #[arg(long, default_value_t = 0.2)]
    dropout: f64,
    /// The largest learning rate
    #[arg(long, default_value_t = 0.002)]
    lr: f64,
    /// Divides the logits when the network writes: a low number makes it cautious
    #[arg(long, default_value_t = 0.8)]
    temperature: f64,
    /// Random seed: determines the initial weights and all other random choices
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
    /// Folder for the model and the picture of the losses
    #[arg(long, value_name = "DIR", default_value = "target/char_rnn")]
    out: PathBuf,
    /// Write with a model of an earlier run with the same options: do not train
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Draw no pictures
    #[arg(long)]
    no_pictures: bool,
}

#[derive(Module)]
struct CharRnn {
    embedding: Embedding,
    lstm: Lstm,
    dropout: Dropout,
    output: Linear,
}

/// The state of the LSTM between two pieces of text: h and c. `None` is a state of zeros.
type State = Option<(Tensor, Tensor)>;

impl CharRnn {
    /// Returns the logits of the characters that follow each of `x` [steps, rows], and the state
    /// after the last step. The state is a pair of tensors, so no gradient flows into earlier
    /// pieces.
    fn read<'t>(&self, tape: &'t Tape, x: &Tensor<i64>, state: State) -> (Var<'t>, State) {
        let start = state.map(|(h, c)| (tape.constant(h), tape.constant(c)));
        let (y, (h, c)) = self.lstm.run(self.embedding.forward(tape, x), start);
        let logits = self.output.forward(self.dropout.forward(y));
        (logits, Some((h.value(), c.value())))
    }

    /// Returns the mean of -ln p(next character) over the rows of a text, read from left to right.
    fn measure(&self, rows: &Tensor<i64>, length: usize) -> f64 {
        let (mut state, mut sum) = (None, 0.0);
        for (x, y) in pieces(rows, length) {
            let tape = Tape::inference();
            let logits;
            (logits, state) = self.read(&tape, &x, state);
            let loss = cross_entropy(logits.flatten(0, 1), &y);
            sum += loss.item() * y.numel() as f64;
        }
        sum / (rows.numel() - rows.size(1)) as f64
    }

    /// Writes a text that begins with a line feed.
    fn write(
        &self,
        letters: &Vocabulary,
        count: usize,
        temperature: f64,
        rng: &mut Philox,
    ) -> String {
        let mut id = letters.id("\n").unwrap_or(0);
        let (mut state, mut text) = (None, Vec::with_capacity(count));
        for _ in 0..count {
            let tape = Tape::inference();
            let logits;
            (logits, state) = self.read(&tape, &Tensor::from([[id]]), state);
            // The largest of logits plus Gumbel noise is a draw from their softmax (E. J. Gumbel,
            // 1954).
            let noise = -(-Tensor::uniform(&[letters.len()], 0.0, 1.0, rng).ln()).ln();
            id = (logits.value().flatten(0, -1) / temperature + noise).argmax(0, false).item();
            text.push(id);
        }
        letters.decode(&Tensor::from_vec(text, &[count]))
    }
}

/// Cuts a text into rows of equal length: [length, rows]. What remains at the end is left out.
fn rows(text: &Tensor<i64>, rows: usize) -> Tensor<i64> {
    let length = text.numel() / rows;
    text.narrow(0, 0, rows * length).reshape(&[rows, length]).t().contiguous()
}

/// Returns pieces of all rows, [length, rows], and the character after each one, in one vector.
fn pieces(
    rows: &Tensor<i64>,
    length: usize,
) -> impl ExactSizeIterator<Item = (Tensor<i64>, Tensor<i64>)> {
    let last = rows.size(0) - 1;
    (0..last).step_by(length).map(move |at| {
        let n = length.min(last - at);
        (rows.narrow(0, at, n), rows.narrow(0, at + 1, n).flatten(0, -1))
    })
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
    if held_out.numel() < 2 * args.batch {
        return Err("the text is too short: each sequence of a batch needs two characters".into());
    }
    println!("{} characters, {} different ones", text.chars().count(), letters.len());

    let rng = &mut Philox::new(args.seed);
    let mut model = CharRnn {
        embedding: Embedding::new(letters.len(), 64, rng),
        lstm: Lstm::new(64, args.hidden, rng).layers(args.layers, rng).dropout(args.dropout),
        dropout: Dropout::new(args.dropout),
        output: Linear::new(args.hidden, letters.len(), rng),
    };
    if let Some(path) = &args.model {
        load(&mut model, path)?;
        println!("{}", model.write(&letters, 2000, args.temperature, rng));
        return Ok(());
    }
    println!("{model}\n{} parameters\n", model.parameter_count());

    let (train, valid) = (rows(&train, args.batch), rows(&held_out, args.batch));
    let steps = pieces(&train, args.length).len();
    let schedule = CosineAnnealingLr::new(args.lr, args.epochs * steps);
    let mut optimizer = Adam::new(args.lr);
    let (mut losses, mut valid_losses) = (vec![], vec![]);
    let start = Instant::now();
    for epoch in 0..args.epochs {
        let (mut state, mut sum) = (None, 0.0);
        for (step, (x, y)) in pieces(&train, args.length).enumerate() {
            schedule.apply(&mut optimizer, epoch * steps + step);
            let tape = Tape::train(rng);
            let logits;
            (logits, state) = model.read(&tape, &x, state);
            let loss = cross_entropy(logits.flatten(0, 1), &y);
            sum += loss.item();
            let mut gradients = loss.backward();
            gradients.clip_norm(1.0);
            optimizer.step(&mut model, &gradients);
        }
        let (done, seconds) = (epoch as f64 + 1.0, start.elapsed().as_secs_f64());
        losses.push((done, sum / steps as f64));
        valid_losses.push((done, model.measure(&valid, args.length)));
        println!(
            "epoch {done}: training loss {:.3}, held-out loss {:.3} nats per character, {seconds:.0} s",
            losses[epoch].1, valid_losses[epoch].1
        );
        println!("{}\n", model.write(&letters, 300, args.temperature, rng).trim());
    }

    std::fs::create_dir_all(&args.out)?;
    save(&model, args.out.join("model.safetensors"))?;
    if !args.no_pictures {
        let chart = Chart::new("Loss, nats per character").x_label("epoch").integer_x();
        let chart = chart.line(Line::new("training", losses));
        let chart = chart.line(Line::new("held out", valid_losses));
        plot::charts(&[chart], args.out.join("losses.svg"))?;
    }
    // The whole held-out text, as one row.
    let found = model.measure(&rows(&held_out, 1), 1000);
    println!("held-out loss: {found:.4} nats per character");
    println!("{}", args.out.display());
    Ok(())
}
