//! A convolutional autoencoder compresses handwritten digits to a code of a few numbers.
//!
//! `cargo run --release --example autoencoder` trains on MNIST and draws inputs above their
//! reconstructions. `-- --help` lists the options.

use clap::Parser;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use wengert::models::Autoencoder;
use wengert::plot;
use wengert::prelude::*;
use wengert::tensor::set_num_threads;

#[derive(Parser)]
#[command(about = "A convolutional autoencoder learns to draw handwritten digits (MNIST)")]
struct Args {
    /// Number of epochs: how often each example is used
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: u64,
    /// Images per step
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// The largest learning rate
    #[arg(long, default_value_t = 0.004)]
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
    #[arg(long, value_name = "DIR", default_value = "target/autoencoder")]
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
    /// Length of the code: the numbers that represent a digit
    #[arg(long, default_value_t = 16)]
    code: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if let Some(threads) = args.threads {
        set_num_threads(threads)?;
    }
    let mnist = match &args.data {
        Some(folder) => Mnist::from_folder(folder)?,
        None => Mnist::load()?,
    };
    // Pixels are from 0 to 1. A pixel is the probability of ink.
    let mnist = mnist.with_channel();
    let (train, held_out, name) = if args.validate {
        // A fixed seed: the split does not depend on the seed of the run.
        let [train, valid] = stratified_split(mnist.train, [5.0 / 6.0, 1.0 / 6.0], 0);
        (train, valid, "validation")
    } else {
        (Subset::all(Arc::new(mnist.train)), Subset::all(Arc::new(mnist.test)), "test")
    };
    let train = train.take(args.limit.unwrap_or(usize::MAX));
    let held_out = DataLoader::new(held_out, 1000);
    let train = DataLoader::new(train, args.batch).shuffle(args.seed);

    let mut rng = Philox::new(args.seed);
    let mut model = Autoencoder::new(args.code, &mut rng);
    println!("{}\n", model.summary(&[args.batch, 1, 28, 28])?);
    let mut optimizer = Adam::new(0.0);
    let steps = args.epochs as usize * train.len();
    let schedule = OneCycleLr::new(args.lr, steps).cycle_momentum(false);
    let mut trainer =
        Trainer::new(Objective::reconstruction(|outputs, images| bce_with_logits(outputs, images)))
            .epochs(args.epochs)
            .schedule(schedule)
            .optionally(args.checkpoint.as_ref(), Trainer::checkpoint)
            .optionally(args.resume.as_ref(), Trainer::resume);
    if args.validate {
        trainer = trainer.validate(&held_out);
    }
    let history = trainer.fit(&mut model, &mut optimizer, &train, &mut rng)?;
    let found = trainer.objective().evaluate(&model, &held_out);
    println!("\n{name} loss: {:.4} per pixel", found.loss);

    if !args.no_pictures {
        let out = &args.out;
        let (digits, _) = held_out.dataset().batch(&(0..16).collect::<Vec<_>>());
        let again = model.predict(&digits).sigmoid();
        let maps = model.conv1.predict(&digits.narrow(0, 0, 1)).relu();
        let options = plot::GridOptions::new();
        plot::charts(&history.charts(), out.join("curves.svg"))?;
        plot::reconstructions(&digits, &again, &options, out.join("reconstructions.png"))?;
        plot::filters(model.conv1.weight.value(), out.join("filters.png"))?;
        plot::feature_maps(&maps, out.join("maps_conv1.png"))?;
        println!("pictures: {}", out.display());
    }
    Ok(())
}
