//! A multilayer perceptron learns to read handwritten digits.
//!
//! `cargo run --release --example mnist_mlp` trains on the 60,000 training images of MNIST and
//! tests on the 10,000 test images. `-- --help` lists the options.

use clap::{Parser, ValueEnum};
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use wengert::optim::LambdaLr;
use wengert::plot;
use wengert::prelude::*;
use wengert::tensor::set_num_threads;

#[derive(Parser)]
#[command(about = "A multilayer perceptron learns to read handwritten digits (MNIST)")]
struct Args {
    /// Number of epochs: how often each example is used
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: u64,
    /// Images per step
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// The first learning rate
    #[arg(
        long,
        default_value = "0.05",
        default_value_ifs([
            ("optimizer", "adam", "0.001"),
            ("optimizer", "adamw", "0.001"),
            ("optimizer", "adagrad", "0.01"),
        ])
    )]
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
    #[arg(long, value_name = "DIR", default_value = "target/mnist_mlp")]
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
    /// Sizes of the hidden layers
    #[arg(long, value_delimiter = ',', default_value = "512,256")]
    layers: Vec<usize>,
    /// Activation function between two layers
    #[arg(long, value_enum, default_value_t = Activation::Relu)]
    activation: Activation,
    /// Optimizer. Its default learning rate is 0.05 (sgd), 0.01 (adagrad) or 0.001 (adam, adamw);
    /// the rate falls linearly and reaches 0 after the last epoch
    #[arg(long, value_enum, default_value_t = OptimizerKind::Sgd)]
    optimizer: OptimizerKind,
    /// Momentum of sgd
    #[arg(long, default_value_t = 0.9)]
    momentum: f64,
    /// Weight decay of sgd: pulls the weights towards 0, against overfitting
    #[arg(long, default_value_t = 0.0)]
    weight_decay: f64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Activation {
    Relu,
    Tanh,
    Sigmoid,
}

#[derive(Clone, Copy, ValueEnum)]
enum OptimizerKind {
    Sgd,
    Adam,
    Adamw,
    Adagrad,
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
    let train = DataLoader::new(train, args.batch).shuffle(args.seed);
    let held_out = DataLoader::new(held_out, 1000);

    // One seed determines all random choices, so a run can be repeated bit for bit.
    let mut rng = Philox::new(args.seed);
    let mut model = mlp(&args, &mut rng);
    let mut optimizer = optimizer(&args);
    // The learning rate falls linearly per epoch: large steps at first, small steps at the end.
    let steps_per_epoch = train.len();
    let falling = |step| 1.0 - (step / steps_per_epoch) as f64 / args.epochs as f64;
    let schedule = LambdaLr::new(args.lr, falling);
    let mut trainer = Trainer::classifier()
        .epochs(args.epochs)
        .schedule(schedule)
        .optionally(args.checkpoint.as_ref(), Trainer::checkpoint)
        .optionally(args.resume.as_ref(), Trainer::resume);
    if args.validate {
        trainer = trainer.validate(&held_out);
    }
    println!("{}\n", model.summary(&[args.batch, 1, 28, 28])?);
    let history = trainer.fit(&mut model, &mut *optimizer, &train, &mut rng)?;

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
    }
    Ok(())
}

/// Each hidden layer is a matrix product and a nonlinear function. Without the nonlinear function,
/// all layers together would equal a single matrix.
fn mlp(args: &Args, rng: &mut Philox) -> Sequential {
    let mut model = Sequential::new().add(Flatten::new());
    let mut inputs = 28 * 28;
    for &outputs in &args.layers {
        model = model.add(Linear::new(inputs, outputs, rng));
        model = match args.activation {
            Activation::Relu => model.add(Relu),
            Activation::Tanh => model.add(Tanh),
            Activation::Sigmoid => model.add(Sigmoid),
        };
        inputs = outputs;
    }
    model.add(Linear::new(inputs, 10, rng))
}

fn optimizer(args: &Args) -> Box<dyn Optimizer> {
    let lr = args.lr;
    match args.optimizer {
        OptimizerKind::Sgd => {
            let sgd = Sgd::new(lr).momentum(args.momentum);
            Box::new(sgd.weight_decay(args.weight_decay))
        }
        OptimizerKind::Adam => Box::new(Adam::new(lr)),
        OptimizerKind::Adamw => Box::new(Adam::adamw(lr)),
        OptimizerKind::Adagrad => Box::new(Adagrad::new(lr)),
    }
}
