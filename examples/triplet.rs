//! A triplet embedding: a network maps images to points, so that images of one character are close
//! to each other and far from images of other characters (F. Schroff, D. Kalenichenko, J. Philbin,
//! "A unified embedding for face recognition and clustering", 2015). The characters are random: a
//! few curved strokes, with small random changes in each drawing. The example trains on some
//! characters and tests on others: how often are two drawings of one character closer to each other
//! than two drawings of different characters?
//!
//! `cargo run --release --example triplet`; `-- --help` lists the options.

use clap::Parser;
use std::error::Error;
use std::path::PathBuf;
use wengert::plot;
use wengert::prelude::*;
use wengert::tensor::set_num_threads;

#[derive(Parser)]
#[command(about = "A triplet embedding of invented characters, tested on others")]
struct Args {
    /// Number of epochs: how often each example is used
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: u64,
    /// Characters per step
    #[arg(long, default_value_t = 12)]
    batch: usize,
    /// The largest learning rate
    #[arg(long, default_value_t = 0.002)]
    lr: f64,
    /// Random seed: determines the initial weights, the order of the examples and all other random
    /// choices
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Number of threads [default: one per core]
    #[arg(long)]
    threads: Option<usize>,
    /// Folder for the pictures
    #[arg(long, value_name = "DIR", default_value = "target/triplet")]
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
    /// Number of characters to train on
    #[arg(long, default_value_t = 500)]
    characters: usize,
}

/// Characters, each with several drawings: [characters, drawings, 1, 8, 8].
struct Alphabet(Tensor);

const DRAWINGS: usize = 8;

impl Alphabet {
    /// Creates random characters of three strokes. A stroke is a Bézier curve of three points. Each
    /// drawing moves the points a little.
    fn new(characters: usize, rng: &mut Philox) -> Self {
        let mut pixels = vec![];
        for _ in 0..characters {
            let strokes = Tensor::uniform(&[3, 3, 2], 0.0, 7.0, rng);
            for _ in 0..DRAWINGS {
                let moved = &strokes + Tensor::normal(&[3, 3, 2], 0.0, 0.5, rng);
                let shift = Tensor::normal(&[2], 0.0, 0.5, rng);
                pixels.extend(drawn(&(moved + shift).to_vec()));
            }
        }
        Alphabet(Tensor::from_vec(pixels, &[characters, DRAWINGS, 1, 8, 8]))
    }
}

/// Draws strokes on 8×8 pixels. The ink of a pixel depends on its distance to the nearest point of
/// a stroke.
fn drawn(points: &[f32]) -> Vec<f32> {
    let mut pixels = vec![0.0f32; 64];
    for stroke in points.chunks(6) {
        for t in (0..=16).map(|i| i as f32 / 16.0) {
            let at = |k: usize| {
                (1.0 - t) * (1.0 - t) * stroke[k]
                    + 2.0 * t * (1.0 - t) * stroke[k + 2]
                    + t * t * stroke[k + 4]
            };
            let (x, y) = (at(0), at(1));
            for (i, pixel) in pixels.iter_mut().enumerate() {
                let far = (x - (i % 8) as f32).powi(2) + (y - (i / 8) as f32).powi(2);
                *pixel = pixel.max((-far).exp());
            }
        }
    }
    pixels
}

/// An example is a character. A batch contains all drawings of its characters, with the number of
/// the character for each drawing.
impl Dataset for Alphabet {
    type Batch = (Tensor, Tensor<i64>);
    fn len(&self) -> usize {
        self.0.shape()[0]
    }
    fn batch(&self, at: &[usize]) -> Self::Batch {
        let at = Tensor::from_fn(&[at.len()], |i| at[i] as i64);
        let labels = at.unsqueeze(1).broadcast_to(&[at.numel(), DRAWINGS]).reshape(&[-1]);
        (self.0.index_select(0, &at).flatten(0, 1), labels)
    }
}

/// Maps images to points on the unit sphere.
fn embed<'t>(model: &Sequential, images: Var<'t>) -> Var<'t> {
    let x = model.forward(images);
    x / (x.square().sum(&[1], true) + 1e-6).sqrt()
}

/// Returns the triplet loss over all triplets of a batch: the mean of max(0, d(a, p)² - d(a, n)² +
/// 0.2) over the triplets for which it is above 0.
fn triplets<'t>(model: &Sequential, step: &'t Step, batch: &(Tensor, Tensor<i64>)) -> Var<'t> {
    let (images, labels) = batch;
    let x = embed(model, step.constant(images.clone()));
    // On the unit sphere, d² is 2 - 2 cos.
    let distances = 2.0 - 2.0 * x.matmul_t(x, false, true);
    let same = labels.unsqueeze(1).eq(&labels.unsqueeze(0));
    let hinge = (distances.unsqueeze(2) - distances.unsqueeze(1) + 0.2).relu();
    let (same, n) = (step.constant(same.cast()), labels.numel());
    let other = 1.0 - same;
    let same =
        same - step.constant(Tensor::from_fn(&[n, n], |i| f32::from(u8::from(i / n == i % n))));
    let hinge = hinge * same.unsqueeze(2) * other.unsqueeze(1);
    let active = hinge.sign().detach();
    step.log("active", active.mean_all());
    hinge.sum_all() / (active.sum_all() + 1.0)
}

/// Returns the probability that a pair of one class is closer than a pair of different classes: the
/// area under the ROC curve. Equal distances count half.
fn area(points: &Tensor, labels: &Tensor<i64>) -> f64 {
    let (distances, labels) = (points.matmul(&points.t()).to_vec(), labels.to_vec());
    let n = labels.len();
    let mut pairs: Vec<(f32, bool)> = (0..n)
        .flat_map(|a| (a + 1..n).map(move |b| (a, b)))
        .map(|(a, b)| (-distances[a * n + b], labels[a] == labels[b]))
        .collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    // The rank sum of the pairs of one class (H. B. Mann, D. R. Whitney, 1947).
    let (mut ranks, mut same) = (0.0, 0.0);
    let mut first = 0;
    for equal in pairs.chunk_by(|a, b| a.0 == b.0) {
        let rank = first as f64 + (equal.len() + 1) as f64 / 2.0;
        let here = equal.iter().filter(|pair| pair.1).count() as f64;
        ranks += rank * here;
        same += here;
        first += equal.len();
    }
    let others = pairs.len() as f64 - same;
    1.0 - (ranks - same * (same + 1.0) / 2.0) / (same * others)
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if let Some(threads) = args.threads {
        set_num_threads(threads)?;
    }
    let rng = &mut Philox::new(args.seed);
    let train = DataLoader::new(Alphabet::new(args.characters, rng), args.batch);
    let train = train.shuffle(args.seed).drop_last(true);
    let mut model = sequential![
        Conv2d::new(1, 32, 3, rng).padding(1),
        BatchNorm2d::new(32),
        Relu,
        Conv2d::new(32, 64, 3, rng),
        BatchNorm2d::new(64),
        Relu,
        MaxPool2d::new(2),
        Flatten::new(),
        Linear::new(576, 64, rng),
    ];
    let schedule = OneCycleLr::new(args.lr, args.epochs as usize * train.len());
    std::fs::create_dir_all(&args.out)?;
    let checkpoint = args.checkpoint.unwrap_or_else(|| args.out.join("run.safetensors"));
    let trainer = Trainer::custom()
        .epochs(args.epochs)
        .checkpoint(checkpoint)
        .schedule(schedule.cycle_momentum(false))
        .optionally(args.resume.as_ref(), Trainer::resume);
    let history =
        trainer.fit(&mut model, &mut Adam::adamw(0.0).weight_decay(0.01), &train, rng, triplets)?;
    if !args.no_pictures {
        plot::charts(&history.charts(), args.out.join("curves.svg"))?;
    }

    let (images, labels) = Alphabet::new(100, rng).batch(&(0..100).collect::<Vec<_>>());
    let tape = Tape::inference();
    let points = embed(&model, tape.constant(images.clone())).value();
    let pixels = images.flatten(1, -1);
    let pixels = &pixels / pixels.square().sum(&[1], true).sqrt();
    let [found, plain] = [&points, &pixels].map(|points| area(points, &labels));
    println!("\narea under the curve on characters never seen: {found:.4} (of pixels: {plain:.4})");
    Ok(())
}
