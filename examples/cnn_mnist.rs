//! The convolutional network of PyTorch's MNIST example.
//!
//! By default, `AdamW` trains the network with a learning rate that rises and falls once, so few
//! epochs are enough. With `--pytorch`, Adadelta trains it as in PyTorch's example: 14 epochs, with
//! a learning rate that starts at 1 and is multiplied by 0.7 after each epoch.
//!
//! `cargo run --release --example cnn_mnist`; `-- --help` lists the options.

use clap::Parser;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use wengert::models::Cnn;
use wengert::optim::LambdaLr;
use wengert::plot;
use wengert::prelude::*;
use wengert::tensor::set_num_threads;

#[derive(Parser)]
#[allow(clippy::struct_excessive_bools)] // they are flags
#[command(about = "A larger convolutional network learns to read handwritten digits (MNIST)")]
struct Args {
    /// Number of epochs: how often each example is used
    #[arg(
        long,
        default_value = "8",
        default_value_if("pytorch", "true", "14"),
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    epochs: u64,
    /// Images per step
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// The largest learning rate
    #[arg(long, default_value = "0.002", default_value_if("pytorch", "true", "1"))]
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
    #[arg(long, value_name = "DIR", default_value = "target/cnn_mnist")]
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
    /// The settings of PyTorch's example: Adadelta, 14 epochs, a first learning rate of 1
    #[arg(long)]
    pytorch: bool,
    /// Factor of Adadelta's learning rate after every epoch
    #[arg(long, default_value_t = 0.7, requires = "pytorch")]
    gamma: f64,
    /// Use the images in the order of the file in every epoch
    #[arg(long)]
    in_order: bool,
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
    let mut train = DataLoader::new(train, args.batch);
    if !args.in_order {
        train = train.shuffle(args.seed);
    }

    let mut rng = Philox::new(args.seed);
    let mut model = Cnn::new(&mut rng);
    let steps_per_epoch = train.len();
    let stairs = LambdaLr::new(args.lr, |step| args.gamma.powi((step / steps_per_epoch) as i32));
    let cycle = OneCycleLr::new(args.lr, args.epochs as usize * steps_per_epoch);
    let cycle = cycle.pct_start(0.2).cycle_momentum(false);
    let (mut adadelta, mut adamw) = (Adadelta::new(1.0), Adam::adamw(0.0).weight_decay(0.05));
    let (optimizer, schedule): (&mut dyn Optimizer, &dyn Schedule) =
        if args.pytorch { (&mut adadelta, &stairs) } else { (&mut adamw, &cycle) };
    let mut trainer = Trainer::classifier()
        .epochs(args.epochs)
        .schedule(schedule)
        .optionally(args.checkpoint.as_ref(), Trainer::checkpoint)
        .optionally(args.resume.as_ref(), Trainer::resume);
    if args.validate {
        trainer = trainer.validate(&held_out);
    }
    println!("{}\n", model.summary(&[args.batch, 1, 28, 28])?);
    let history = trainer.fit(&mut model, optimizer, &train, &mut rng)?;

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
        let second = model.conv2.predict(&first).relu();
        plot::filters(model.conv1.weight.value(), out.join("filters.png"))?;
        plot::feature_maps(&first, out.join("maps_conv1.png"))?;
        plot::feature_maps(&second, out.join("maps_conv2.png"))?;
    }
    Ok(())
}
