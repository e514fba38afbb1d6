//! Shared code of the examples on images: the flags, the split of the data, the run, the pictures.

#![allow(dead_code, unused_imports)] // each example uses a part

use clap::{Args, Command};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use wengert::data::{Cifar10, Feature};
use wengert::prelude::*;
use wengert::train::{Batches, Custom, Evaluation, plot};

mod clothes;
pub use clothes::Clothes;

pub type Failure = Box<dyn Error>;

/// The flags of every example.
#[derive(Args, Clone, Debug)]
pub struct Flags {
    /// Number of epochs: how often each image is used
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub epochs: u64,
    /// Images per step
    #[arg(long, value_parser = at_least_one)]
    pub batch: usize,
    /// The largest learning rate
    #[arg(long, value_parser = above_zero)]
    pub lr: f64,
    /// Random seed: determines the initial weights, the order of the images and all other random
    /// choices
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Folder with the data
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Number of threads [default: one per core]
    #[arg(long)]
    pub threads: Option<usize>,
    /// Train on the first N images only
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    /// Hold out a sixth of the training images and test on them. Use this to choose
    /// hyperparameters, so that the test images stay unseen
    #[arg(long)]
    pub validate: bool,
    /// Folder for the pictures [default: target/<name of the example>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Save a checkpoint of the run in this file after every epoch
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Resume the run from this file
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,
    /// Draw no pictures
    #[arg(long)]
    pub no_pictures: bool,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".into()),
        Ok(n) => Ok(n),
        Err(error) => Err(format!("{error}")),
    }
}

fn above_zero(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(x) if x > 0.0 && f64::is_finite(x) => Ok(x),
        Ok(_) => Err("a number above 0".into()),
        Err(error) => Err(format!("{error}")),
    }
}

/// Returns the command line of an example, with its own defaults for `--epochs`, `--batch` and
/// `--lr`.
pub fn command<A: clap::Parser>(defaults: [&'static str; 3]) -> Command {
    ["epochs", "batch", "lr"].into_iter().zip(defaults).fold(
        A::command(),
        |command, (flag, value)| {
            command.mut_arg(flag, |arg| arg.required(false).default_value(value))
        },
    )
}

/// Runs an example, and prints an error as a sentence.
pub fn main<A: clap::Parser>(
    command: Command,
    run: impl FnOnce(A) -> Result<(), Failure>,
) -> ExitCode {
    let args = A::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit());
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The images to train on, and the images to test on.
pub struct Sets<X: Feature> {
    pub train: Subset<Arc<TensorDataset<X>>>,
    pub held_out: Subset<Arc<TensorDataset<X>>>,
}

impl Flags {
    /// Sets the number of threads, if the flag is given.
    pub fn set_threads(&self) -> Result<(), Failure> {
        if let Some(threads) = self.threads {
            wengert::tensor::set_num_threads(threads)?;
        }
        Ok(())
    }

    /// Returns the name of the held-out set: `validation` or `test`.
    pub fn held_out(&self) -> &'static str {
        if self.validate { "validation" } else { "test" }
    }

    /// Returns the training images and the test images. With `--validate`, it splits the training
    /// images in two parts instead, each with the same share of every class.
    pub fn divide<X: Feature>(&self, train: TensorDataset<X>, test: TensorDataset<X>) -> Sets<X> {
        let whole = |set: TensorDataset<X>| {
            let n = set.len();
            Subset::new(Arc::new(set), 0..n)
        };
        let (train, held_out) = if self.validate {
            // A fixed seed: the split does not depend on the seed of the run.
            let [train, valid] = stratified_split(train, [5.0 / 6.0, 1.0 / 6.0], 0);
            (train, valid)
        } else {
            (whole(train), whole(test))
        };
        let n = self.limit.unwrap_or(usize::MAX).min(train.len());
        let first = train.indices()[..n].to_vec();
        Sets { train: Subset::new(Arc::clone(train.dataset()), first), held_out }
    }

    /// Returns MNIST as images of one channel, as bytes.
    pub fn mnist_bytes(&self) -> Result<Mnist, Failure> {
        let mnist = match &self.data {
            Some(folder) => Mnist::from_folder(folder)?,
            None => Mnist::load()?,
        };
        Ok(mnist.with_channel())
    }

    /// Returns MNIST with pixels of mean 0 and variance 1, which suits the scale of the initial
    /// weights.
    pub fn mnist(&self) -> Result<Sets<u8>, Failure> {
        let mnist = self.mnist_bytes()?.normalize(Mnist::MEAN, Mnist::STD);
        Ok(self.divide(mnist.train, mnist.test))
    }

    /// Returns Fashion-MNIST in the same form.
    pub fn fashion(&self) -> Result<Sets<u8>, Failure> {
        let fashion = match &self.data {
            Some(folder) => FashionMnist::from_folder(folder)?,
            None => FashionMnist::load()?,
        };
        let fashion = fashion.normalize(FashionMnist::MEAN, FashionMnist::STD).with_channel();
        Ok(self.divide(fashion.train, fashion.test))
    }
}

/// Returns CIFAR-10 from its binary files in a folder, with pixels of mean 0 and variance 1 in each
/// channel.
pub fn cifar(flags: &Flags, folder: &std::path::Path) -> Result<Sets<u8>, Failure> {
    let cifar = Cifar10::from_folder(folder)?.normalize_channels(&Cifar10::MEAN, &Cifar10::STD);
    Ok(flags.divide(cifar.train, cifar.test))
}

/// The names of the ten digits.
pub const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// A classification task: the data, the objective and the schedule of a run.
pub struct Task<'a> {
    pub name: &'static str,
    pub flags: &'a Flags,
    /// The loss and the metrics.
    pub objective: Objective<'a>,
    pub schedule: &'a dyn Schedule,
    pub train: &'a dyn Batches,
    pub held_out: &'a dyn Batches,
    pub classes: &'a [&'a str],
}

impl Task<'_> {
    /// Trains the model, evaluates it once on the held-out set, and draws curves, confusion matrix
    /// and mistakes.
    pub fn classify(
        self,
        model: &mut dyn Layer,
        optimizer: &mut dyn Optimizer,
        rng: &mut Philox,
    ) -> Result<Evaluation, Failure> {
        let flags = self.flags;
        let first = self.train.batches(0, 0).next().ok_or("there are no images to train on")?;
        println!("{}\n", model.summary(&first.0.shape())?);

        let trainer = flags.trainer(self.objective, self.held_out);
        let trainer = trainer.epochs(flags.epochs).schedule(self.schedule);
        let history = trainer.fit(model, optimizer, self.train, rng)?;

        let found = trainer.objective().evaluate(model, self.held_out);
        let (right, n) = (found.accuracy(), found.examples as f64);
        println!(
            "\n{} accuracy: {:.2}%  ({} of {n} wrong, {:.1} s of training)",
            flags.held_out(),
            100.0 * right,
            (n * (1.0 - right)).round(),
            history.seconds(),
        );
        if !flags.no_pictures {
            let out = flags.out(self.name);
            plot::curves(&history, out.join("curves.svg"))?;
            plot::confusion(found.confusion(), self.classes, out.join("confusion.svg"))?;
            let wrong = trainer.objective().mistakes(model, self.held_out, 60);
            plot::mistakes(&wrong, self.classes, out.join("mistakes.svg"))?;
            println!("pictures: {}", out.display());
        }
        Ok(found)
    }
}

impl Flags {
    /// Returns a trainer for this objective. Test images are evaluated only once, at the end; a
    /// validation set is evaluated after every epoch.
    pub fn trainer<'a>(&self, objective: Objective<'a>, held_out: &'a dyn Batches) -> Trainer<'a> {
        let mut trainer = Trainer::new(objective);
        if self.validate {
            trainer = trainer.validate(held_out);
        }
        if let Some(path) = &self.checkpoint {
            trainer = trainer.checkpoint(path);
        }
        if let Some(path) = &self.resume {
            trainer = trainer.resume(path);
        }
        trainer
    }

    /// Returns a trainer for any model and any batches. It saves a checkpoint in the folder of the
    /// pictures.
    pub fn custom<'a, B>(&self, name: &str) -> Result<Trainer<'a, B, f32, Custom>, Failure> {
        let out = self.out(name);
        std::fs::create_dir_all(&out)?;
        let path = self.checkpoint.clone().unwrap_or_else(|| out.join("run.safetensors"));
        let trainer = Trainer::custom().epochs(self.epochs).checkpoint(path);
        Ok(match &self.resume {
            Some(path) => trainer.resume(path),
            None => trainer,
        })
    }

    /// Draws the curves of a run.
    pub fn curves(&self, name: &str, history: &History) -> Result<(), Failure> {
        if !self.no_pictures {
            plot::curves(history, self.out(name).join("curves.svg"))?;
        }
        Ok(())
    }

    /// Returns the folder for the pictures.
    pub fn out(&self, name: &str) -> PathBuf {
        self.out.clone().unwrap_or_else(|| PathBuf::from("target").join(name))
    }

    /// Draws the weights of the first convolution, and the outputs of the first layers for one
    /// image.
    pub fn look_inside(
        &self,
        name: &str,
        filters: &Tensor,
        maps: &[(&str, Tensor)],
    ) -> Result<(), Failure> {
        if !self.no_pictures {
            let out = self.out(name);
            plot::filters(filters, out.join("filters.png"))?;
            for (layer, maps) in maps {
                plot::feature_maps(maps, out.join(format!("maps_{layer}.png")))?;
            }
        }
        Ok(())
    }
}
