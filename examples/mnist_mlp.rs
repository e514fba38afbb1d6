//! A multilayer perceptron learns to read handwritten digits.
//!
//! `cargo run --release --example mnist_mlp` trains on the 60,000 training images of MNIST and
//! tests on the 10,000 test images. `-- --help` lists the options.

mod common;

use clap::{Parser, ValueEnum};
use common::{DIGITS, Failure, Flags, Task};
use std::process::ExitCode;
use wengert::optim::LambdaLr;
use wengert::prelude::*;

#[derive(Parser)]
#[command(about = "A multilayer perceptron learns to read handwritten digits (MNIST)")]
struct Args {
    #[command(flatten)]
    flags: Flags,
    /// Sizes of the hidden layers
    #[arg(long, value_delimiter = ',', default_value = "512,256")]
    layers: Vec<usize>,
    /// Activation function between two layers
    #[arg(long, value_enum, default_value_t = Activation::Relu)]
    activation: Activation,
    /// Optimizer. Its default learning rate is 0.05 (sgd), 0.01 (adagrad) or 0.001 (adam, adamw);
    /// the rate falls linearly and reaches 0 after the last epoch
    #[arg(long, value_enum, default_value_t = Rule::Sgd)]
    optimizer: Rule,
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
enum Rule {
    Sgd,
    Adam,
    Adamw,
    Adagrad,
}

fn main() -> ExitCode {
    let rates = [("adam", "0.001"), ("adamw", "0.001"), ("adagrad", "0.01")];
    let command = common::command::<Args>(["10", "64", "0.05"]).mut_arg("lr", |lr| {
        lr.default_value_ifs(rates.map(|(rule, rate)| ("optimizer", rule, rate)))
    });
    common::main(command, |args| run(&args))
}

fn run(args: &Args) -> Result<(), Failure> {
    let flags = &args.flags;
    flags.set_threads()?;
    let sets = flags.mnist()?;
    let (epochs, batch) = (flags.epochs, flags.batch);
    let train = DataLoader::new(&sets.train, batch).shuffle(flags.seed);
    let held_out = DataLoader::new(&sets.held_out, 1000);

    // One seed determines all random choices, so a run can be repeated bit for bit.
    let mut rng = Philox::new(flags.seed);
    let mut model = mlp(args, &mut rng);
    let mut optimizer = optimizer(args);
    // The learning rate falls linearly per epoch: large steps at first, small steps at the end.
    let epoch = train.len();
    let falling = |step| 1.0 - (step / epoch) as f64 / epochs as f64;
    Task {
        name: "mnist_mlp",
        flags,
        objective: Objective::classification(),
        schedule: &LambdaLr::new(optimizer.learning_rate(), falling),
        train: &train,
        held_out: &held_out,
        classes: &DIGITS,
    }
    .classify(&mut model, &mut *optimizer, &mut rng)?;
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
    let lr = args.flags.lr;
    match args.optimizer {
        Rule::Sgd => {
            let sgd = Sgd::new(lr).momentum(args.momentum);
            Box::new(sgd.weight_decay(args.weight_decay))
        }
        Rule::Adam => Box::new(Adam::new(lr)),
        Rule::Adamw => Box::new(Adam::adamw(lr)),
        Rule::Adagrad => Box::new(Adagrad::new(lr)),
    }
}
