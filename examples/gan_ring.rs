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

mod common;

use clap::Parser;
use common::{Failure, Flags};
use std::f32::consts::TAU;
use std::process::ExitCode;
use wengert::nn::LeakyRelu;
use wengert::prelude::*;
use wengert::train::Outcome;

#[derive(Parser)]
#[command(about = "A generative adversarial network learns a ring of eight Gaussians")]
struct Args {
    #[command(flatten)]
    flags: Flags,
}

fn main() -> ExitCode {
    common::main(common::command::<Args>(["40", "256", "0.002"]), run)
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

fn run(Args { flags }: Args) -> Result<(), Failure> {
    flags.set_threads()?;
    let ring = DataLoader::new(ring(16_384), flags.batch).shuffle(flags.seed);
    let rng = &mut Philox::new(flags.seed);
    let mut network = |inputs, outputs| {
        let [a, b] = [Linear::new(inputs, 64, rng), Linear::new(64, 64, rng)];
        sequential![a, LeakyRelu(0.2), b, LeakyRelu(0.2), Linear::new(64, outputs, rng)]
    };
    let mut gan = Gan { generator: network(8, 2), discriminator: network(2, 1) };
    let [mut g, mut d] = [0, 1].map(|_| Adam::new(flags.lr).betas(0.0, 0.99));
    let schedule = CosineAnnealingLr::new(flags.lr, flags.epochs as usize * ring.len());
    let history = flags.custom("gan_ring")?.schedule(schedule).fit_steps(
        &mut gan,
        &mut [&mut g, &mut d],
        &ring,
        rng,
        &Adversarial,
    )?;
    flags.curves("gan_ring", &history)?;

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
