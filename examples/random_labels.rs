//! A network memorises digits whose labels were shuffled: the labels say nothing about the images,
//! and yet the network learns all of them (C. Zhang, S. Bengio, M. Hardt, B. Recht, O. Vinyals,
//! "Understanding deep learning requires rethinking generalization", 2017).
//!
//! The same network is trained twice, on real and on shuffled labels. It fits both without an error,
//! so the number of its weights cannot be the reason why it classifies new images well in the first
//! case. Shuffled labels take longer.
//!
//! `cargo run --release --example random_labels` draws the curves of both runs in one picture.
//! `-- --help` lists the options.

use clap::Parser;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use wengert::plot::{self, Chart, Line};
use wengert::prelude::*;
use wengert::tensor::set_num_threads;
use wengert::train::Score;

#[derive(Parser)]
#[command(about = "A network memorises digits with shuffled labels (MNIST)")]
struct Args {
    /// Number of epochs: how often each example is used
    #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: u64,
    /// Images per step
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// The largest learning rate
    #[arg(long, default_value_t = 0.001)]
    lr: f64,
    /// Train on the first N images
    #[arg(long, value_name = "N", default_value_t = 5000)]
    limit: usize,
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
    /// Folder for the picture
    #[arg(long, value_name = "DIR", default_value = "target/random_labels")]
    out: PathBuf,
    /// Draw no pictures
    #[arg(long)]
    no_pictures: bool,
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
    let test = DataLoader::new(mnist.test, 1000);
    let train = Subset::all(Arc::new(mnist.train)).take(args.limit);
    let (images, real) = train.batch(&(0..train.len()).collect::<Vec<_>>());
    // The same labels in another order: each class is as frequent as before.
    let order = Tensor::permutation(real.numel(), &mut Philox::new(args.seed));
    let shuffled = real.index_select(0, &order);
    println!(
        "{} images, {} shuffled labels are right by chance\n",
        real.numel(),
        real.eq(&shuffled).count()
    );

    let chart = |of: &str| {
        let chart = Chart::new(format!("Accuracy on {of} images, %")).x_label("epoch");
        chart.integer_x().y_range(0.0, 119.0) // room for the legend
    };
    let [mut fits, mut generalises] = ["training", "test"].map(chart);
    for (name, labels) in [("real labels", real), ("shuffled labels", shuffled)] {
        println!("{name}");
        let train = DataLoader::new((images.clone(), labels), args.batch).shuffle(args.seed);
        // Both runs begin with the same weights.
        let rng = &mut Philox::new(args.seed);
        let mut model = sequential![
            Flatten::new(),
            Linear::new(784, 512, rng),
            Relu,
            Linear::new(512, 512, rng),
            Relu,
            Linear::new(512, 10, rng),
        ];
        let schedule = CosineAnnealingLr::new(args.lr, args.epochs as usize * train.len());
        let history = Trainer::classifier()
            .epochs(args.epochs)
            .validate_as("test", &test)
            .schedule(schedule)
            .fit(&mut model, &mut Adam::new(0.0), &train, rng)?;

        let [fitted, found] =
            [evaluate(&model, &DataLoader::new(train.dataset(), 1000)), evaluate(&model, &test)];
        println!(
            "{name}: training loss {:.4}, training accuracy {:.2} %, test accuracy {:.2} %\n",
            fitted.loss,
            100.0 * fitted.accuracy(),
            100.0 * found.accuracy()
        );
        let epochs = || history.epochs.iter().zip(1..);
        let point = |epoch: i32, score: &Score| {
            (f64::from(epoch), 100.0 * score.accuracy.unwrap_or(f64::NAN))
        };
        let on_train = epochs().map(|(epoch, i)| point(i, &epoch.train));
        let on_test = epochs().filter_map(|(epoch, i)| Some(point(i, epoch.validation.as_ref()?)));
        fits = fits.line(Line::new(name, on_train));
        generalises = generalises.line(Line::new(name, on_test));
    }
    if !args.no_pictures {
        plot::charts(&[fits, generalises], args.out.join("curves.svg"))?;
        println!("pictures: {}", args.out.display());
    }
    Ok(())
}
