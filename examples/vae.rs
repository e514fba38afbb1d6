//! A variational autoencoder learns to draw handwritten digits from two numbers (D. P. Kingma, M.
//! Welling, "Auto-encoding variational Bayes", 2013).
//!
//! The encoder maps an image x to a normal distribution q(z | x) of codes z, and the decoder maps a
//! code to the probability of ink at each pixel. Training maximises the evidence lower bound
//!
//! ELBO = E[ln p(x | z)] - KL(q(z | x) || p(z)) ≤ ln p(x), with p(z) = N(0, 1).
//!
//! A code is drawn as z = μ + σ ε with ε from N(0, 1). The gradient flows to μ and σ, and ε is a
//! constant: the reparametrisation.
//!
//! `cargo run --release --example vae` trains on MNIST and draws reconstructions, samples and a walk
//! through the plane of codes. `-- --help` lists the options.

use clap::Parser;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use wengert::plot::{self, GridOptions};
use wengert::prelude::*;
use wengert::tensor::set_num_threads;
use wengert::train::measure;

#[derive(Parser)]
#[command(about = "A variational autoencoder learns to draw handwritten digits (MNIST)")]
struct Args {
    /// Number of epochs: how often each example is used
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: u64,
    /// Images per step
    #[arg(long, default_value_t = 128)]
    batch: usize,
    /// The largest learning rate
    #[arg(long, default_value_t = 0.002)]
    lr: f64,
    /// Length of the code: the numbers that represent a digit
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(2..))]
    code: u64,
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
    /// Folder for the pictures
    #[arg(long, value_name = "DIR", default_value = "target/vae")]
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
}

#[derive(Module)]
struct Vae {
    encoder: Sequential,
    decoder: Sequential,
}

impl Vae {
    fn new(code: usize, rng: &mut Philox) -> Self {
        Vae {
            encoder: sequential![
                Flatten::new(),
                Linear::new(784, 512, rng),
                Relu,
                Linear::new(512, 256, rng),
                Relu,
                Linear::new(256, 2 * code, rng),
            ],
            decoder: sequential![
                Linear::new(code, 256, rng),
                Relu,
                Linear::new(256, 512, rng),
                Relu,
                Linear::new(512, 784, rng),
            ],
        }
    }

    /// Returns the mean μ and the logarithm of the variance σ² of q(z | x).
    fn encode<'t>(&self, x: Var<'t>) -> (Var<'t>, Var<'t>) {
        let parts = self.encoder.forward(x).chunk(1, 2);
        (parts[0], parts[1])
    }

    /// Draws images from codes: the probability of ink at each pixel, [n, 1, 28, 28].
    fn draw(&self, codes: &Tensor) -> Tensor {
        self.decoder.predict(codes).sigmoid().reshape(&[-1, 1, 28, 28])
    }
}

/// Returns -ELBO, the mean over the batch.
fn loss<'t>(model: &Vae, step: &'t Step, (images, _): &(Tensor, Tensor<i64>)) -> Var<'t> {
    let x = step.constant(images.clone());
    let (mean, log_var) = model.encode(x);
    let codes = mean + (0.5 * log_var).exp() * step.randn(mean.shape());
    let logits = model.decoder.forward(codes);
    // A pixel is a probability of ink: -ln p(x | z) is the sum of the cross-entropies of the pixels.
    let n = step.examples() as f64;
    let misfit = bce_with_logits(logits, x.flatten(1, -1)) * 784.0;
    // The divergence of two normal distributions has a closed form.
    let divergence = 0.5 * (mean.square() + log_var.exp() - 1.0 - log_var).sum_all() / n;
    step.log("reconstruction", misfit);
    step.log("divergence", divergence);
    misfit + divergence
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
    let mnist = mnist.with_channel();
    let train = Subset::all(Arc::new(mnist.train)).take(args.limit.unwrap_or(usize::MAX));
    let train = DataLoader::new(train, args.batch).shuffle(args.seed);
    let test = DataLoader::new(mnist.test, 1000);

    let (code, rng) = (args.code as usize, &mut Philox::new(args.seed));
    let mut model = Vae::new(code, rng);
    let schedule = OneCycleLr::new(args.lr, args.epochs as usize * train.len());
    let history = Trainer::custom()
        .epochs(args.epochs)
        .schedule(schedule.cycle_momentum(false))
        .optionally(args.checkpoint.as_ref(), Trainer::checkpoint)
        .optionally(args.resume.as_ref(), Trainer::resume)
        .fit(&mut model, &mut Adam::new(0.0), &train, rng, loss)?;

    let found = measure(&model, &test, loss)?;
    let part = |name| found.logged(name).unwrap_or(f64::NAN);
    println!(
        "\ntest ELBO: {:.2} nats per image (reconstruction {:.2}, divergence {:.2})",
        -found.loss,
        -part("reconstruction"),
        part("divergence")
    );

    if !args.no_pictures {
        let (out, options) = (&args.out, GridOptions::new().range(0.0, 1.0).scale(2));
        plot::charts(&history.charts(), out.join("curves.svg"))?;
        // The mean of q(z | x) is the best single code of an image.
        let (digits, _) = test.dataset().batch(&(0..20).collect::<Vec<_>>());
        let means = model.encoder.predict(&digits).narrow(1, 0, code);
        let pairs = options.clone().columns(10);
        plot::reconstructions(
            &digits,
            &model.draw(&means),
            &pairs,
            out.join("reconstructions.png"),
        )?;
        let codes = Tensor::normal(&[100, code], 0.0, 1.0, rng);
        plot::grid(&model.draw(&codes), &options.clone().columns(10), out.join("samples.png"))?;
        // A walk through the plane of the first two numbers of the code; others are 0. The steps are
        // quantiles of the normal distribution: equally probable intervals.
        let steps = Tensor::linspace(-0.95, 0.95, 20).erfinv() * 2f64.sqrt();
        let plane = Tensor::stack(&Tensor::meshgrid(&[steps.clone(), steps]), 2);
        let walk = plane.reshape(&[400, 2]).pad(&[(0, 0), (0, code - 2)], 0.0);
        plot::grid(&model.draw(&walk), &options.columns(20).gap(0), out.join("walk.png"))?;
        println!("pictures: {}", out.display());
    }
    Ok(())
}
