//! A multilayer perceptron learns to read handwritten digits.
//!
//! `cargo run --release --example mnist_mlp` trains on the 60,000 images of MNIST and tests on the
//! 10,000 that it never saw in training. `-- --help` lists what can be changed.

use clap::{Parser, ValueEnum};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use wengert::optim::LambdaLr;
use wengert::prelude::*;
use wengert::train::plot;

#[derive(Parser)]
#[command(about = "A multilayer perceptron learns to read handwritten digits (MNIST)")]
struct Args {
    /// Sizes of the hidden layers
    #[arg(long, value_delimiter = ',', default_value = "512,256")]
    layers: Vec<usize>,
    /// What stands between two layers
    #[arg(long, value_enum, default_value_t = Activation::Relu)]
    activation: Activation,
    /// What turns gradients into steps
    #[arg(long, value_enum, default_value_t = Rule::Sgd)]
    optimizer: Rule,
    /// Learning rate of the first epoch; it falls in a straight line towards 0 after the last
    /// [default: 0.05 for sgd, 0.01 for adagrad, 0.001 for adam and adamw]
    #[arg(long)]
    lr: Option<f64>,
    /// Momentum of sgd
    #[arg(long, default_value_t = 0.9)]
    momentum: f64,
    /// Weight decay of sgd: draws the weights towards 0, against learning by heart
    #[arg(long, default_value_t = 0.0)]
    weight_decay: f64,
    /// How often every image is seen
    #[arg(long, default_value_t = 10)]
    epochs: u64,
    /// Images per step
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Decides the initial weights and the order of the images
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder with the four files of MNIST, or of a set of the same form
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Threads [default: one per core]
    #[arg(long)]
    threads: Option<usize>,
    /// Train on the first N images only
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Test on a sixth of the training images, held out: what the choice of hyperparameters may
    /// look at, so that the test images stay unseen
    #[arg(long)]
    validate: bool,
    /// Draw loss and accuracy into this file
    #[arg(long, value_name = "FILE.svg")]
    curve: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Activation {
    Relu,
    Tanh,
    Sigmoid,
}

#[derive(Clone, Copy, ValueEnum)]
enum Rule {
    Sgd,
    Adam,
    Adamw,
    Adagrad,
}

type Images = Subset<Arc<TensorDataset<u8>>>;

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<(), Box<dyn Error>> {
    if let Some(threads) = args.threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    }

    let (train, test) = images(&args)?;
    let train = DataLoader::new(&train, args.batch).shuffle(args.seed);
    let test = DataLoader::new(&test, 1000);

    // One seed decides all that is random, so a run can be repeated bit for bit.
    let mut rng = Philox::new(args.seed);
    let mut model = mlp(&args, &mut rng);
    let mut optimizer = optimizer(&args);
    println!("{}\n", model.summary(&[args.batch, 28, 28])?);

    // Long steps first, to get near; short ones later, to settle.
    let falling = |epoch| 1.0 - epoch as f64 / args.epochs as f64;
    let held_out = if args.validate { "validation" } else { "test" };
    let history = Trainer::classifier()
        .epochs(args.epochs)
        .schedule_by_epoch(LambdaLr::new(optimizer.learning_rate(), falling))
        .validate_as(held_out, &test)
        .fit(&mut model, &mut *optimizer, &train, &mut rng)?;
    println!("\n{held_out} accuracy: {:.2}%", 100.0 * evaluate(&model, &test).accuracy());

    if let Some(path) = args.curve {
        plot::curves(&history, path)?;
    }
    Ok(())
}

/// The images to train on and those to test with.
fn images(args: &Args) -> Result<(Images, Images), Box<dyn Error>> {
    let mnist = match &args.data {
        Some(folder) => Mnist::from_folder(folder)?,
        None => Mnist::load()?,
    };
    // Pixels of mean 0 and variance 1 suit the scale of the initial weights.
    let mnist = mnist.normalize(Mnist::MEAN, Mnist::STD);
    let whole = |set: TensorDataset<u8>| {
        let n = set.len();
        Subset::new(Arc::new(set), 0..n)
    };
    let (train, test) = if args.validate {
        let n = mnist.train.len();
        // Always the same images, whatever the seed of the run.
        let [train, valid] = random_split(mnist.train, [n - n / 6, n / 6], 0);
        (train, valid)
    } else {
        (whole(mnist.train), whole(mnist.test))
    };
    let n = args.limit.unwrap_or(usize::MAX).min(train.len());
    let first = train.indices()[..n].to_vec();
    Ok((Subset::new(Arc::clone(train.dataset()), first), test))
}

/// Each hidden layer is a matrix product and a bend; without the bend, all layers together would
/// be one matrix.
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
    let lr = |default| args.lr.unwrap_or(default);
    match args.optimizer {
        Rule::Sgd => {
            let sgd = Sgd::new(lr(0.05)).momentum(args.momentum);
            Box::new(sgd.weight_decay(args.weight_decay))
        }
        Rule::Adam => Box::new(Adam::new(lr(0.001))),
        Rule::Adamw => Box::new(AdamW::new(lr(0.001))),
        Rule::Adagrad => Box::new(Adagrad::new(lr(0.01))),
    }
}
