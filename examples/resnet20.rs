//! A residual network of twenty layers, on Fashion-MNIST or CIFAR-10.
//!
//! `cargo run --release --example resnet20 -- --data FOLDER` uses the four files of Fashion-MNIST,
//! and `-- --cifar FOLDER` uses the binary files of CIFAR-10. Without a flag, the example searches
//! the usual places for Fashion-MNIST. Training images are mirrored at random.

use clap::Parser;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use wengert::models::ResNet;
use wengert::plot;
use wengert::prelude::*;
use wengert::tensor::set_num_threads;
use wengert::train::Batches;

#[derive(Parser)]
#[command(about = "A residual network of twenty layers (Fashion-MNIST, CIFAR-10)")]
struct Args {
    /// Number of epochs: how often each example is used
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: u64,
    /// Images per step
    #[arg(long, default_value_t = 128)]
    batch: usize,
    /// The largest learning rate
    #[arg(long, default_value_t = 0.2)]
    lr: f64,
    /// Random seed: determines the initial weights, the order of the examples and all other random
    /// choices
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder with the files of Fashion-MNIST
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
    #[arg(long, value_name = "DIR", default_value = "target/resnet20")]
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
    /// Folder with the binary files of CIFAR-10, used in place of Fashion-MNIST
    #[arg(long, value_name = "DIR")]
    cifar: Option<PathBuf>,
    /// Train on the original images, without random mirroring
    #[arg(long)]
    plain: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if let Some(threads) = args.threads {
        set_num_threads(threads)?;
    }
    // Pixels of mean 0 and variance 1 in each channel.
    let (train, test, classes) = if let Some(folder) = &args.cifar {
        let cifar = Cifar10::from_folder(folder)?;
        let cifar = cifar.normalize_channels(&Cifar10::MEAN, &Cifar10::STD);
        (cifar.train, cifar.test, &Cifar10::CLASSES)
    } else {
        let fashion = match &args.data {
            Some(folder) => FashionMnist::from_folder(folder)?,
            None => FashionMnist::load()?,
        };
        let fashion = fashion.normalize(FashionMnist::MEAN, FashionMnist::STD).with_channel();
        (fashion.train, fashion.test, &FashionMnist::CLASSES)
    };
    let image = test.inputs().shape();
    let (channels, height, width) = (image[1], image[2], image[3]);
    let (train, held_out, name) = if args.validate {
        // A fixed seed: the split does not depend on the seed of the run.
        let [train, valid] = stratified_split(train, [5.0 / 6.0, 1.0 / 6.0], 0);
        (train, valid, "validation")
    } else {
        (Subset::all(Arc::new(train)), Subset::all(Arc::new(test)), "test")
    };
    let train = train.take(args.limit.unwrap_or(usize::MAX));
    if train.len() < args.batch {
        return Err(format!("{} images make no batch of {}", train.len(), args.batch).into());
    }
    let held_out = DataLoader::new(held_out, 500);
    let plain = DataLoader::new(&train, args.batch).shuffle(args.seed).drop_last(true);
    let mirrored = (&train).augment(RandomHorizontalFlip::new(0.5), args.seed);
    let mirrored = DataLoader::new(mirrored, args.batch).shuffle(args.seed).drop_last(true);
    let train: &dyn Batches = if args.plain { &plain } else { &mirrored };

    let mut rng = Philox::new(args.seed);
    let mut model = ResNet::resnet20(channels, 10, &mut rng);
    let mut optimizer = Sgd::new(0.0).momentum(0.9).nesterov(true).weight_decay(5e-4);
    // The learning rate rises to its maximum in the first quarter of the steps, then falls to 0.
    let schedule = OneCycleLr::new(args.lr, args.epochs as usize * plain.len())
        .pct_start(0.25)
        .cycle_momentum(false);
    let mut trainer = Trainer::classifier()
        .epochs(args.epochs)
        .schedule(schedule)
        .optionally(args.checkpoint.as_ref(), Trainer::checkpoint)
        .optionally(args.resume.as_ref(), Trainer::resume);
    if args.validate {
        trainer = trainer.validate(&held_out);
    }
    println!("{}\n", model.summary(&[args.batch, channels, height, width])?);
    let history = trainer.fit(&mut model, &mut optimizer, train, &mut rng)?;

    let found = trainer.objective().evaluate(&model, &held_out);
    println!("\n{name} {found}, {:.1} s of training", history.seconds());

    if !args.no_pictures {
        let out = &args.out;
        plot::charts(&history.charts(), out.join("curves.svg"))?;
        plot::confusion(found.confusion().rows(), classes, out.join("confusion.svg"))?;
        let wrong = trainer.objective().mistakes(&model, &held_out, 60);
        let wrong = wrong.iter().map(|mistake| mistake.captioned(classes));
        plot::captioned(wrong, out.join("mistakes.svg"))?;
        println!("pictures: {}", out.display());

        // The weights of the first convolution, and the outputs of the first layers for one image.
        let (image, _) = held_out.dataset().batch(&[0]);
        let maps = model.bn1.predict(&model.conv1.predict(&image)).relu();
        plot::filters(model.conv1.weight.value(), out.join("filters.png"))?;
        plot::feature_maps(&maps, out.join("maps_first.png"))?;
    }
    Ok(())
}
