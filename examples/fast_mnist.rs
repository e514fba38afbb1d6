//! Reaches 99 % accuracy on MNIST's test digits in as little time as two cores allow.
//!
//! The network is small: strided and pooled convolutions with batch normalisation. It trains for
//! few epochs, with a learning rate that rises and falls once, and with all images in memory.
//! `cargo run --release --example fast_mnist` reports the time from the first step to the last.

use clap::Parser;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use wengert::plot;
use wengert::prelude::*;
use wengert::tensor::set_num_threads;

#[derive(Parser)]
#[command(about = "99 % of MNIST's test digits in as little time as two cores allow")]
struct Args {
    /// Number of epochs: how often each example is used
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
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
    #[arg(long, value_name = "DIR", default_value = "target/fast_mnist")]
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
    /// Number of maps of the three convolutions
    #[arg(long, value_delimiter = ',', default_value = "12,24,48")]
    maps: Vec<usize>,
}

/// The sizes of the maps are 28×28 → 14×14 → 12×12 → 6×6 → 4×4 → 2×2; a linear layer follows.
#[derive(Debug, Clone, Module)]
struct FastNet {
    conv1: Conv2d,
    bn1: BatchNorm2d,
    conv2: Conv2d,
    bn2: BatchNorm2d,
    conv3: Conv2d,
    bn3: BatchNorm2d,
    fc: Linear,
}

impl FastNet {
    fn new(maps: [usize; 3], rng: &mut Philox) -> Self {
        let [a, b, c] = maps;
        // No bias: the normalisation that follows has one.
        let conv =
            |from, to, kernel, rng: &mut Philox| Conv2d::new(from, to, kernel, rng).without_bias();
        FastNet {
            conv1: conv(1, a, 5, rng).stride(2).padding(2),
            bn1: BatchNorm2d::new(a),
            conv2: conv(a, b, 3, rng),
            bn2: BatchNorm2d::new(b),
            conv3: conv(b, c, 3, rng),
            bn3: BatchNorm2d::new(c),
            fc: Linear::new(4 * c, 10, rng),
        }
    }
}

impl Layer for FastNet {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        let half = Pool::new(2);
        let x = self.bn1.forward(self.conv1.forward(x)).relu();
        // Pooling before the normalisation leaves a quarter of the values to normalise.
        let x = self.conv2.forward(x).max_pool2d(&half);
        let x = self.bn2.forward(x).relu();
        let x = self.conv3.forward(x).max_pool2d(&half);
        let x = self.bn3.forward(x).relu();
        self.fc.forward(x.flatten(1, -1))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if let Some(threads) = args.threads {
        set_num_threads(threads)?;
    }
    let maps: [usize; 3] = (args.maps.as_slice().try_into())
        .map_err(|_| format!("--maps: expected three numbers, given {:?}", args.maps))?;
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
    let held_out = DataLoader::new(held_out, 1000);
    let train = DataLoader::new(train, args.batch).shuffle(args.seed);

    let mut rng = Philox::new(args.seed);
    let mut model = FastNet::new(maps, &mut rng);
    let mut optimizer = Sgd::new(0.0).momentum(0.9).nesterov(true).weight_decay(5e-4);
    let schedule = OneCycleLr::new(args.lr, args.epochs as usize * train.len())
        .pct_start(0.2)
        .cycle_momentum(false);
    let mut trainer = Trainer::classifier()
        .epochs(args.epochs)
        .schedule(schedule)
        .optionally(args.checkpoint.as_ref(), Trainer::checkpoint)
        .optionally(args.resume.as_ref(), Trainer::resume);
    if args.validate {
        trainer = trainer.validate(&held_out);
    }
    println!("{}\n", model.summary(&[args.batch, 1, 28, 28])?);
    let history = trainer.fit(&mut model, &mut optimizer, &train, &mut rng)?;

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

        // The weights of the first convolution, and the outputs of the first layers for one image.
        let (digit, _) = held_out.dataset().batch(&[0]);
        let first = model.bn1.predict(&model.conv1.predict(&digit)).relu();
        plot::filters(model.conv1.weight.value(), out.join("filters.png"))?;
        plot::feature_maps(&first, out.join("maps_conv1.png"))?;
    }
    Ok(())
}
