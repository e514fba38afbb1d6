//! The network of 1989 for handwritten zip codes, trained on digits from envelopes (USPS): 9,760
//! parameters.
//!
//! `cargo run --release --example zipcode_1989 -- --data FOLDER`, where the folder contains
//! zip.train and zip.test. Without the flag, the example searches the usual places.

use clap::Parser;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use wengert::models::{ScaledTanh, ZipcodeNet};
use wengert::plot;
use wengert::prelude::*;
use wengert::tensor::set_num_threads;
use wengert::train::Batches;

#[derive(Parser)]
#[command(about = "The network of 1989 learns to read zip codes (USPS)")]
struct Args {
    /// Number of epochs: how often each example is used
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: u64,
    /// Images per step
    #[arg(long, default_value_t = 8)]
    batch: usize,
    /// The largest learning rate
    #[arg(long, default_value_t = 0.03)]
    lr: f64,
    /// Random seed: determines the initial weights, the order of the examples and all other random
    /// choices
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder with the data
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Number of threads [default: one per core]
    #[arg(long)]
    threads: Option<usize>,
    /// Train on the first N images only
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Hold out a sixth of the training images and test on them. Use this to choose
    /// hyperparameters, so that the test images stay unseen
    #[arg(long)]
    validate: bool,
    /// Folder for the pictures
    #[arg(long, value_name = "DIR", default_value = "target/zipcode_1989")]
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
    /// Train on the original digits, without random shifts and rotations
    #[arg(long)]
    plain: bool,
    /// Weight decay, which pulls the weights towards 0
    #[arg(long, default_value_t = 0.0)]
    weight_decay: f64,
}

/// Returns the mean squared distance from 1 for the true class and from -1 for the other classes:
/// the criterion of the paper.
fn squared_error<'t>(scores: Var<'t>, classes: &Tensor<i64>) -> Var<'t> {
    let shape = scores.shape();
    let twos = Tensor::full(&[shape[0], 1], 2.0);
    let target = Tensor::full(&shape, -1.0).scatter_add(1, &classes.unsqueeze(1), &twos);
    mse(scores, scores.tape().constant(target))
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if let Some(threads) = args.threads {
        set_num_threads(threads)?;
    }
    let zipcode = match &args.data {
        Some(folder) => Zipcode::from_folder(folder)?,
        None => Zipcode::load()?,
    };
    let zipcode = zipcode.with_channel();
    let (train, held_out, name) = if args.validate {
        // A fixed seed: the split does not depend on the seed of the run.
        let [train, valid] = stratified_split(zipcode.train, [5.0 / 6.0, 1.0 / 6.0], 0);
        (train, valid, "validation")
    } else {
        (Subset::all(Arc::new(zipcode.train)), Subset::all(Arc::new(zipcode.test)), "test")
    };
    let train = train.take(args.limit.unwrap_or(usize::MAX));
    let held_out = DataLoader::new(held_out, 500);
    let plain = DataLoader::new(&train, args.batch).shuffle(args.seed);
    // Small random shifts, rotations, scales and shears, different in every epoch. New pixels at
    // the border have the value of the background.
    let small = RandomAffine::new()
        .degrees(7.0)
        .translate(0.06, 0.06)
        .scale(0.92..=1.08)
        .shear(6.0)
        .fill(-1.0);
    let moved = DataLoader::new((&train).augment(small, args.seed), args.batch).shuffle(args.seed);
    let train: &dyn Batches = if args.plain { &plain } else { &moved };

    let mut rng = Philox::new(args.seed);
    let mut model = ZipcodeNet::new(&mut rng);
    let mut optimizer = Sgd::new(0.0).momentum(0.9).weight_decay(args.weight_decay);
    let schedule = OneCycleLr::new(args.lr, args.epochs as usize * plain.len())
        .pct_start(0.2)
        .cycle_momentum(false);
    let objective = Objective::new(squared_error).predict(|scores| scores.argmax(1, false));
    let mut trainer = Trainer::new(objective)
        .epochs(args.epochs)
        .schedule(schedule)
        .optionally(args.checkpoint.as_ref(), Trainer::checkpoint)
        .optionally(args.resume.as_ref(), Trainer::resume);
    if args.validate {
        trainer = trainer.validate(&held_out);
    }
    println!("{}\n", model.summary(&[args.batch, 1, 16, 16])?);
    let history = trainer.fit(&mut model, &mut optimizer, train, &mut rng)?;

    let found = trainer.objective().evaluate(&model, &held_out);
    println!("\n{name} {found}, {:.1} s of training", history.seconds());

    if !args.no_pictures {
        let out = &args.out;
        plot::charts(&history.charts(), out.join("curves.svg"))?;
        plot::confusion(found.confusion().rows(), &[], out.join("confusion.svg"))?;
        let wrong = trainer.objective().mistakes(&model, &held_out, 60);
        let wrong = wrong.iter().map(|mistake| mistake.captioned(&[]));
        plot::captioned(wrong, out.join("mistakes.svg"))?;
        println!("pictures: {}", out.display());

        // The weights of the first convolution, and the outputs of the first layers for one image.
        let (digit, _) = held_out.dataset().batch(&[0]);
        let sums = model.h1.predict(&digit.pad(&[(0, 0), (0, 0), (2, 2), (2, 2)], -1.0));
        let h1 = ScaledTanh.predict(&(&sums + model.h1_bias.value()));
        plot::filters(&model.h1.weight.value().unsqueeze(1), out.join("filters.png"))?;
        plot::feature_maps(&h1, out.join("maps_h1.png"))?;
    }
    Ok(())
}
