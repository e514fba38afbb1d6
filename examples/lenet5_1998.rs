//! LeNet-5 as published in 1998: trainable sub-sampling, the sparse connections of C3, scaled
//! hyperbolic tangents, radial output units with fixed bitmaps, and the criterion of the paper.
//!
//! `cargo run --release --example lenet5_1998`; `-- --help` lists the options. `AdamW` with a
//! learning rate that rises and falls replaces the second-order learning rates of the paper.

use clap::Parser;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use wengert::models::{LeNet5, ScaledTanh, map_loss};
use wengert::plot;
use wengert::prelude::*;
use wengert::tensor::set_num_threads;

#[derive(Parser)]
#[command(about = "LeNet-5 as published in 1998 learns to read handwritten digits (MNIST)")]
struct Args {
    /// Number of epochs: how often each example is used
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: u64,
    /// Images per step
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// The largest learning rate
    #[arg(long, default_value_t = 0.003)]
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
    #[arg(long, value_name = "DIR", default_value = "target/lenet5_1998")]
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
    /// Weight decay, which pulls the weights towards 0
    #[arg(long, default_value_t = 0.05)]
    weight_decay: f64,
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
    // The network expects 32×32 pixels, with -0.1 for the background and 1.175 for the ink: (x - m)
    // / s with this m and s.
    let (m, s) = (0.1 / 1.275, 1.0 / 1.275);
    let border = [(0, 0), (0, 0), (2, 2), (2, 2)];
    let wide = |set: TensorDataset<u8>| set.map_inputs(|x| x.pad(&border, 0));
    let mnist = mnist.normalize(m, s).with_channel();
    let (train, test) = (wide(mnist.train), wide(mnist.test));
    let (train, held_out, name) = if args.validate {
        // A fixed seed: the split does not depend on the seed of the run.
        let [train, valid] = stratified_split(train, [5.0 / 6.0, 1.0 / 6.0], 0);
        (train, valid, "validation")
    } else {
        (Subset::all(Arc::new(train)), Subset::all(Arc::new(test)), "test")
    };
    let train = train.take(args.limit.unwrap_or(usize::MAX));
    let held_out = DataLoader::new(held_out, 1000);
    let train = DataLoader::new(train, args.batch).shuffle(args.seed);

    let mut rng = Philox::new(args.seed);
    let mut model = LeNet5::new(&mut rng);
    let mut optimizer = Adam::adamw(0.0).weight_decay(args.weight_decay);
    let schedule = OneCycleLr::new(args.lr, args.epochs as usize * train.len())
        .pct_start(0.2)
        .cycle_momentum(false);
    // The criterion of the paper. The class is that of the largest score.
    let objective = Objective::new(map_loss).predict(|scores| scores.argmax(1, false));
    let mut trainer = Trainer::new(objective)
        .epochs(args.epochs)
        .schedule(schedule)
        .optionally(args.checkpoint.as_ref(), Trainer::checkpoint)
        .optionally(args.resume.as_ref(), Trainer::resume);
    if args.validate {
        trainer = trainer.validate(&held_out);
    }
    println!("{}\n", model.summary(&[args.batch, 1, 32, 32])?);
    let history = trainer.fit(&mut model, &mut optimizer, &train, &mut rng)?;

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
        let c1 = ScaledTanh.predict(&model.c1.predict(&digit));
        plot::filters(model.c1.weight.value(), out.join("filters.png"))?;
        plot::feature_maps(&c1, out.join("maps_c1.png"))?;
    }
    Ok(())
}
