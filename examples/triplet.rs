//! A triplet embedding: a network maps images to points, so that images of a digit are near each other
//! and far from those of other digits (F. Schroff, D. Kalenichenko, J. Philbin, "A unified embedding for
//! face recognition and clustering", 2015). It is trained on some of the digits that are part of the
//! library, and tested on pairs of those it has never seen: how often a pair of the same digit is nearer
//! than a pair of two.
//!
//! `cargo run --release --example triplet`; `-- --help` lists what can be changed.

mod common;

use clap::Parser;
use common::{Failure, Flags};
use rand::Rng;
use std::process::ExitCode;
use wengert::prelude::*;

#[derive(Parser)]
#[command(about = "A triplet embedding of digits, tested on digits it has never seen")]
struct Args {
    #[command(flatten)]
    flags: Flags,
    /// The digits that are tested with, and not trained on
    #[arg(long, value_delimiter = ',', default_values_t = [7, 8, 9])]
    unseen: Vec<i64>,
}

fn main() -> ExitCode {
    common::main(common::command::<Args>(["12", "40", "0.002"]), run)
}

/// Points on the unit sphere.
fn embed<'t>(model: &Sequential, images: Var<'t>) -> Var<'t> {
    let x = model.forward(images);
    x / (x.square().sum(&[1], true) + 1e-6).sqrt()
}

/// Images in one of eight alphabets: turned by quarters, and mirrored.
fn written(images: &Tensor, alphabet: usize) -> Tensor {
    let x = if alphabet & 1 == 0 { images.clone() } else { images.transpose(2, 3) };
    let x = if alphabet & 2 == 0 { x } else { x.flip(2) };
    if alphabet & 4 == 0 { x } else { x.flip(3) }
}

/// All triplets of a batch: the mean of max(0, d(a, p)² - d(a, n)² + 0.2) over those that are not yet 0.
fn triplets<'t>(model: &Sequential, step: &'t Step, batch: &(Tensor, Tensor<i64>)) -> Var<'t> {
    let (images, labels) = batch;
    // A digit that is turned or mirrored is a digit of another alphabet: three of eight for each batch.
    let chosen: [usize; 3] = std::array::from_fn(|_| (step.rng().next_u64() % 8) as usize);
    let rows = Tensor::concat(&chosen.map(|alphabet| written(images, alphabet)), 0);
    let labels = labels.to_vec();
    let labels: Vec<i64> = chosen
        .iter()
        .flat_map(|&of| labels.iter().map(move |label| label + 10 * of as i64))
        .collect();
    let x = embed(model, step.constant(rows));
    let n = labels.len();
    // On the sphere, d² is 2 - 2 cos.
    let distances = 2.0 - 2.0 * x.matmul_t(x, false, true);
    let mask = |pairs: &dyn Fn(usize, usize) -> bool| {
        step.constant(Tensor::from_fn(&[n, n], |at| f32::from(u8::from(pairs(at / n, at % n)))))
    };
    let same = mask(&|a, p| a != p && labels[a] == labels[p]);
    // Digits of two alphabets are not compared: a zero is the same in each.
    let other = mask(&|a, n| labels[a] / 10 == labels[n] / 10 && labels[a] != labels[n]);
    let hinge = (distances.unsqueeze(2) - distances.unsqueeze(1) + 0.2).relu();
    let hinge = hinge * same.unsqueeze(2) * other.unsqueeze(1);
    let active = hinge.sign().detach();
    step.log("active", active.mean_all());
    hinge.sum_all() / (active.sum_all() + 1.0)
}

/// How often, of two pairs, the one of the same class is nearer: the area under the curve of hits and
/// false alarms. Equal distances count half.
fn area(points: &Tensor, labels: &[i64]) -> f64 {
    let distances = points.matmul(&points.t()).to_vec();
    let n = labels.len();
    let mut pairs: Vec<(f32, bool)> = (0..n)
        .flat_map(|a| (a + 1..n).map(move |b| (a, b)))
        .map(|(a, b)| (-distances[a * n + b], labels[a] == labels[b]))
        .collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Ranks of the pairs of one class (H. B. Mann, D. R. Whitney, 1947).
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

fn run(Args { flags, unseen: hidden }: Args) -> Result<(), Failure> {
    flags.set_threads()?;
    let digits = Digits::load().dataset().with_channel();
    let of = |seen: bool| -> Vec<usize> {
        let labels = digits.targets().to_vec();
        (0..labels.len()).filter(|&i| hidden.contains(&labels[i]) != seen).collect()
    };
    let train = Subset::new(&digits, of(true));
    let train = DataLoader::new(&train, flags.batch).shuffle(flags.seed).drop_last(true);

    let rng = &mut Philox::new(flags.seed);
    let mut model = sequential![
        Conv2d::new(1, 32, 3, rng).padding(1),
        Relu,
        Conv2d::new(32, 64, 3, rng),
        Relu,
        MaxPool2d::new(2),
        Flatten::new(),
        Dropout::new(0.3),
        Linear::new(576, 64, rng),
    ];
    let schedule = OneCycleLr::new(flags.lr, flags.epochs as usize * train.len());
    let history = flags.custom("triplet")?.schedule(schedule.cycle_momentum(false)).fit(
        &mut model,
        &mut AdamW::new(0.0).weight_decay(0.01),
        &train,
        rng,
        triplets,
    )?;
    flags.curves("triplet", &history)?;

    let (images, labels) = digits.batch(&of(false));
    let tape = Tape::inference();
    let points = embed(&model, tape.constant(images.clone())).value();
    let pixels = images.flatten(1, -1);
    let sizes = (&pixels * &pixels).sum(&[1], true).sqrt();
    let labels = labels.to_vec();
    println!(
        "\narea under the curve on pairs of {hidden:?}, never seen: {:.4} (of pixels: {:.4})",
        area(&points, &labels),
        area(&(&pixels / &sizes), &labels)
    );
    Ok(())
}
