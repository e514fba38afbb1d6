//! LeNet learns to read handwritten digits.
//!
//! `cargo run --release --example lenet_mnist` trains on the 60,000 training images of MNIST and
//! tests once on the 10,000 test images. `-- --augment` distorts the training images a little,
//! differently in each epoch. `-- --help` lists the options.

use clap::Parser;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use wengert::models::LeNet;
use wengert::plot;
use wengert::prelude::*;
use wengert::tensor::set_num_threads;
use wengert::train::Batches;

#[derive(Parser)]
#[command(about = "LeNet learns to read handwritten digits (MNIST)")]
struct Args {
    /// Number of epochs: how often each example is used
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: u64,
    /// Images per step
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// The largest learning rate
    #[arg(long, default_value_t = 0.05)]
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
    #[arg(long, value_name = "DIR", default_value = "target/lenet_mnist")]
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
    /// Distort the training images: rotation, shift, scale and shear, different in each epoch
    #[arg(long)]
    augment: bool,
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
    // Pixels of mean 0 and variance 1 suit the scale of the initial weights.
    let mnist = mnist.normalize(Mnist::MEAN, Mnist::STD).with_channel();
    let (train, held_out, name) = if args.validate {
        // A fixed seed: the split does not depend on the seed of the run.
        let [train, valid] = stratified_split(mnist.train, [5.0 / 6.0, 1.0 / 6.0], 0);
        (train, valid, "validation")
    } else {
        (Subset::all(Arc::new(mnist.train)), Subset::all(Arc::new(mnist.test)), "test")
    };
    let train = train.take(args.limit.unwrap_or(usize::MAX));
    let held_out = DataLoader::new(held_out, 1000);
    let plain = DataLoader::new(&train, args.batch).shuffle(args.seed);
    let small = RandomAffine::new().degrees(10.0).translate(0.07, 0.07).scale(0.9..=1.1).shear(8.0);
    let distorted = DataLoader::new((&train).augment(small, args.seed), args.batch);
    let distorted = distorted.shuffle(args.seed);
    let train: &dyn Batches = if args.augment { &distorted } else { &plain };

    // One seed determines all random choices, so a run can be repeated bit for bit.
    let mut rng = Philox::new(args.seed);
    let mut model = LeNet::new(&mut rng);
    let mut optimizer = Sgd::new(0.0).momentum(0.9).weight_decay(5e-4);
    // The learning rate rises slowly to its maximum, then falls slowly to 0.
    let steps = args.epochs as usize * plain.len();
    let schedule = OneCycleLr::new(args.lr, steps).pct_start(0.2).cycle_momentum(false);
    let mut trainer = Trainer::classifier()
        .epochs(args.epochs)
        .schedule(schedule)
        .optionally(args.checkpoint.as_ref(), Trainer::checkpoint)
        .optionally(args.resume.as_ref(), Trainer::resume);
    if args.validate {
        trainer = trainer.validate(&held_out);
    }
    println!("{}\n", model.summary(&[args.batch, 1, 28, 28])?);
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
        let first = model.conv1.predict(&digit).relu();
        let second = model.conv2.predict(&first.max_pool2d(&Pool::new(2))).relu();
        plot::filters(model.conv1.weight.value(), out.join("filters.png"))?;
        plot::feature_maps(&first, out.join("maps_conv1.png"))?;
        plot::feature_maps(&second, out.join("maps_conv2.png"))?;
    }
    Ok(())
}
