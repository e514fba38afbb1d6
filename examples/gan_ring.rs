//! A generative adversarial network learns a ring of eight Gaussians, with two networks, two
//! optimizers and two updates per batch. At the end, the example counts the generated points near
//! each Gaussian.
//!
//! The penalty R1 (L. Mescheder, A. Geiger, S. Nowozin, "Which training methods for GANs do
//! actually converge?", 2018) keeps the gradient of the discriminator with respect to real points
//! small, so that the generator covers all eight Gaussians. The loss therefore contains a
//! derivative.
//!
//! `cargo run --release --example gan_ring`; `-- --help` lists the options.

use clap::Parser;
use std::error::Error;
use std::f32::consts::TAU;
use std::path::PathBuf;
use wengert::nn::LeakyRelu;
use wengert::plot;
use wengert::prelude::*;
use wengert::tensor::set_num_threads;
use wengert::train::Outcome;

#[derive(Parser)]
#[command(about = "A generative adversarial network learns a ring of eight Gaussians")]
struct Args {
    /// Number of epochs: how often each example is used
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: u64,
    /// Examples per step
    #[arg(long, default_value_t = 256)]
    batch: usize,
    /// The largest learning rate
    #[arg(long, default_value_t = 0.002)]
    lr: f64,
    /// Random seed: determines the initial weights, the order of the examples and all other random
    /// choices
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Number of threads [default: one per core]
    #[arg(long)]
    threads: Option<usize>,
    /// Folder for the pictures
    #[arg(long, value_name = "DIR", default_value = "target/gan_ring")]
    out: PathBuf,
    /// Save a checkpoint of the run in this file after every epoch [default: in the folder of the pictures]
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Resume the run from this file
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Draw no pictures
    #[arg(long)]
    no_pictures: bool,
}

/// The distance of the Gaussians from the centre, and (in `WIDTH`) their standard deviation.
const RADIUS: f32 = 2.0;
const WIDTH: f32 = 0.1;

/// Returns points around eight centres on a circle.
fn ring(n: usize) -> Tensor {
    let noise = Tensor::normal(&[n, 2], 0.0, WIDTH.into(), &mut Philox::new(17)).to_vec();
    Tensor::from_fn(&[n, 2], |at| place(at / 2 % 8)[at % 2] + noise[at])
}

fn place(number: usize) -> [f32; 2] {
    let angle = number as f32 / 8.0 * TAU;
    [RADIUS * angle.cos(), RADIUS * angle.sin()]
}

#[derive(Module)]
struct Gan {
    generator: Sequential,
    discriminator: Sequential,
}

impl Gan {
    fn generate<'t>(&self, step: &'t Step) -> Var<'t> {
        let noise = Tensor::normal(&[step.examples(), 8], 0.0, 1.0, &mut *step.rng());
        self.generator.forward(step.constant(noise))
    }
}

struct Adversarial;

impl TrainStep<Gan, Tensor> for Adversarial {
    fn step(&self, gan: &mut Gan, run: &mut StepContext<'_>, real: &Tensor) -> Outcome {
        run.update_part(
            gan,
            1,
            |gan| &mut gan.discriminator,
            |gan, step| {
                let real = step.watch(real.clone());
                let fake = gan.discriminator.forward(gan.generate(step).detach());
                let answers = gan.discriminator.forward(real);
                let slope = answers.sum_all().grad(&[real])[0];
                let loss = (-answers).softplus().mean_all() + fake.softplus().mean_all();
                step.log("discriminator", loss);
                loss + 0.05 * slope.square().sum(&[1], false).mean_all()
            },
        )?;
        run.update_part(
            gan,
            0,
            |gan| &mut gan.generator,
            |gan, step| {
                let fake = gan.discriminator.forward(gan.generate(step));
                let loss = (-fake).softplus().mean_all();
                step.log("generator", loss);
                loss
            },
        )?;
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if let Some(threads) = args.threads {
        set_num_threads(threads)?;
    }
    let ring = DataLoader::new(ring(16_384), args.batch).shuffle(args.seed);
    let rng = &mut Philox::new(args.seed);
    let mut network = |inputs, outputs| {
        let [a, b] = [Linear::new(inputs, 64, rng), Linear::new(64, 64, rng)];
        sequential![a, LeakyRelu(0.2), b, LeakyRelu(0.2), Linear::new(64, outputs, rng)]
    };
    let mut gan = Gan { generator: network(8, 2), discriminator: network(2, 1) };
    let [mut g, mut d] = [0, 1].map(|_| Adam::new(args.lr).betas(0.0, 0.99));
    let schedule = CosineAnnealingLr::new(args.lr, args.epochs as usize * ring.len());
    std::fs::create_dir_all(&args.out)?;
    let checkpoint = args.checkpoint.unwrap_or_else(|| args.out.join("run.safetensors"));
    let trainer = Trainer::custom()
        .epochs(args.epochs)
        .checkpoint(checkpoint)
        .schedule(schedule)
        .optionally(args.resume.as_ref(), Trainer::resume);
    let history = trainer.fit_steps(&mut gan, &mut [&mut g, &mut d], &ring, rng, &Adversarial)?;
    if !args.no_pictures {
        plot::charts(&history.charts(), args.out.join("curves.svg"))?;
    }

    let points = gan.generator.predict(&Tensor::normal(&[4000, 8], 0.0, 1.0, rng)).to_vec();
    let mut counts = [0; 8];
    for point in points.chunks(2) {
        let near = |&i: &usize| {
            let [x, y] = place(i);
            (point[0] - x).hypot(point[1] - y) < 3.0 * WIDTH
        };
        if let Some(i) = (0..8).find(near) {
            counts[i] += 1;
        }
    }
    // A Gaussian counts as found with 50 points, a tenth of its share.
    let found = counts.iter().filter(|&&count| count >= 50).count();
    println!(
        "\nof 4000 points, {} within three widths of a centre: {counts:?}",
        counts.iter().sum::<i32>()
    );
    println!("{found} of 8 Gaussians found");
    Ok(())
}
