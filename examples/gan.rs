//! A generative adversarial network learns to draw handwritten digits: a generator draws images from
//! noise, and a discriminator learns to tell them from real ones (I. Goodfellow et al., "Generative
//! adversarial nets", 2014; A. Radford, L. Metz, S. Chintala, "Unsupervised representation learning
//! with deep convolutional generative adversarial networks", 2015).
//!
//! Each step updates both networks, each by its own optimizer. The loop is written out here;
//! `gan_ring` does the same with a `Trainer`.
//!
//! At the end, a network that was trained to classify digits looks at generated ones: how many does
//! it recognise, and are all ten classes among them?
//!
//! `cargo run --release --example gan`; `-- --help` lists the options.

use clap::Parser;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use wengert::models::LeNet;
use wengert::nn::{ConvTranspose2d, LeakyRelu};
use wengert::plot::{self, Chart, GridOptions, Line};
use wengert::prelude::*;
use wengert::tensor::set_num_threads;

#[derive(Parser)]
#[command(about = "A generative adversarial network learns to draw handwritten digits (MNIST)")]
struct Args {
    /// Number of epochs: how often each example is used
    #[arg(long, default_value_t = 6)]
    epochs: u64,
    /// Images per step
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// The learning rate of both optimizers
    #[arg(long, default_value_t = 0.0005)]
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
    /// Folder for the pictures
    #[arg(long, value_name = "DIR", default_value = "target/gan")]
    out: PathBuf,
    /// Draw no pictures
    #[arg(long)]
    no_pictures: bool,
}

/// The numbers from which the generator draws an image.
const NOISE: usize = 64;

fn generator(rng: &mut Philox) -> Sequential {
    sequential![
        ConvTranspose2d::new(NOISE, 96, 7, rng), // from 1×1 to 7×7 pixels
        BatchNorm2d::new(96),
        Relu,
        ConvTranspose2d::new(96, 48, 4, rng).stride(2).padding(1),
        BatchNorm2d::new(48),
        Relu,
        ConvTranspose2d::new(48, 1, 4, rng).stride(2).padding(1),
        Tanh,
    ]
}

/// The discriminator returns a logit: large if it takes an image for a real one.
fn discriminator(rng: &mut Philox) -> Sequential {
    sequential![
        Conv2d::new(1, 32, 4, rng).stride(2).padding(1),
        LeakyRelu(0.2),
        Conv2d::new(32, 64, 4, rng).stride(2).padding(1),
        BatchNorm2d::new(64),
        LeakyRelu(0.2),
        Flatten::new(),
        Linear::new(64 * 7 * 7, 1, rng),
    ]
}

fn noise(n: usize, rng: &mut Philox) -> Tensor {
    Tensor::normal(&[n, NOISE, 1, 1], 0.0, 1.0, rng)
}

/// Returns for each class how many of the images a classifier puts into it, and the share of images
/// for which it is sure: a probability above 0.9.
fn judge(classifier: &LeNet, images: &Tensor) -> (Vec<i64>, f64) {
    let probabilities = classifier.predict(images).softmax(1);
    let (best, class) = probabilities.max_with_indices(1, false);
    (class.bincount(10).to_vec(), best.gt(0.9).mean_all())
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
    // Pixels from -1 to 1, as the generator's tanh returns them.
    let mnist = mnist.normalize(0.5, 0.5).with_channel();
    let train = Subset::all(Arc::new(mnist.train)).take(args.limit.unwrap_or(usize::MAX));
    let train = DataLoader::new(train, args.batch).shuffle(args.seed).drop_last(true);

    let rng = &mut Philox::new(args.seed);
    let (mut generator, mut discriminator) = (generator(rng), discriminator(rng));
    let [mut g, mut d] = [0, 1].map(|_| Adam::new(args.lr).betas(0.5, 0.999));
    // The same noise after each epoch shows how the images develop.
    let same_noise = noise(100, rng);
    let (mut g_losses, mut d_losses, mut progress) = (vec![], vec![], vec![]);
    let start = Instant::now();
    for epoch in 0..args.epochs {
        let (mut g_sum, mut d_sum) = (0.0, 0.0);
        for (real, _) in train.epoch(epoch) {
            // The generator: the discriminator shall take its images for real ones. The gradient
            // flows through the discriminator, whose weights do not change here.
            let tape = Tape::train(rng);
            let fake = generator.forward(tape.constant(noise(real.size(0), rng)));
            let g_loss = (-discriminator.forward(fake)).softplus().mean_all();
            g_sum += g_loss.item();
            let images = fake.value();
            let gradients = g_loss.backward_for(&generator);
            g.step(&mut generator, &gradients);

            // The discriminator: large logits for real images, small ones for the same generated
            // images, which are constants here.
            let tape = Tape::train(rng);
            let [real, fake] = [real, images].map(|x| discriminator.forward(tape.constant(x)));
            let d_loss = (-real).softplus().mean_all() + fake.softplus().mean_all();
            d_sum += d_loss.item();
            d.step(&mut discriminator, &d_loss.backward());
        }
        let (done, steps) = (epoch as f64 + 1.0, train.len() as f64);
        g_losses.push((done, g_sum / steps));
        d_losses.push((done, d_sum / steps));
        progress.push(generator.predict(&same_noise.narrow(0, 0, 10)));
        println!(
            "epoch {done}: loss of the generator {:.3}, of the discriminator {:.3}, {:.0} s",
            g_sum / steps,
            d_sum / steps,
            start.elapsed().as_secs_f64()
        );
    }

    if !args.no_pictures && args.epochs > 0 {
        let (out, options) = (&args.out, GridOptions::new().range(-1.0, 1.0).scale(2).columns(10));
        let chart = Chart::new("Loss").x_label("epoch").integer_x();
        let chart = chart.line(Line::new("generator", g_losses));
        let chart = chart.line(Line::new("discriminator", d_losses));
        plot::charts(&[chart], out.join("losses.svg"))?;
        plot::grid(&generator.predict(&same_noise), &options, out.join("samples.png"))?;
        plot::grid(&Tensor::concat(&progress, 0), &options, out.join("progress.png"))?;
        println!("pictures: {}", out.display());
    }

    println!("\na classifier learns to judge the images");
    let mut classifier = LeNet::new(rng);
    let schedule = OneCycleLr::new(0.004, train.len()).cycle_momentum(false);
    let trainer = Trainer::classifier().schedule(schedule).quiet();
    trainer.fit(&mut classifier, &mut Adam::new(0.0), &train, rng)?;
    let (real, _) = mnist.test.batch(&(0..1000).collect::<Vec<_>>());
    for (name, images) in [("real", real), ("generated", generator.predict(&noise(1000, rng)))] {
        let (counts, sure) = judge(&classifier, &images);
        println!("1000 {name} images: {:.1} % recognised; of each class {counts:?}", 100.0 * sure);
    }
    Ok(())
}
