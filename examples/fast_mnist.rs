//! Reaches 99 % accuracy on MNIST's test digits in as little time as two cores allow.
//!
//! The network is small: strided and pooled convolutions with batch normalisation. It trains for
//! few epochs, with a learning rate that rises and falls once, and with all images in memory.
//! `cargo run --release --example fast_mnist` reports the time from the first step to the last.

mod common;

use clap::Parser;
use common::{DIGITS, Failure, Flags, Task};
use rand::Rng;
use std::process::ExitCode;
use wengert::prelude::*;

#[derive(Parser)]
#[command(about = "99 % of MNIST's test digits in as little time as two cores allow")]
struct Args {
    #[command(flatten)]
    flags: Flags,
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
    fn new(maps: [usize; 3], rng: &mut impl Rng) -> Self {
        let [a, b, c] = maps;
        // No bias: the normalisation that follows has one.
        let conv =
            |from, to, kernel, rng: &mut _| Conv2d::new(from, to, kernel, rng).without_bias();
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

fn main() -> ExitCode {
    common::main(common::command::<Args>(["2", "128", "0.2"]), run)
}

fn run(Args { flags, maps }: Args) -> Result<(), Failure> {
    flags.set_threads()?;
    let maps = <[usize; 3]>::try_from(maps)
        .map_err(|maps| format!("--maps: three numbers, not {maps:?}"))?;
    let sets = flags.mnist()?;
    let (epochs, batch) = (flags.epochs, flags.batch);
    let held_out = DataLoader::new(&sets.held_out, 1000);
    let train = DataLoader::new(&sets.train, batch).shuffle(flags.seed);

    let mut rng = Philox::new(flags.seed);
    let mut model = FastNet::new(maps, &mut rng);
    let mut optimizer = Sgd::new(0.0).momentum(0.9).nesterov(true).weight_decay(5e-4);
    let schedule = OneCycleLr::new(flags.lr, epochs as usize * train.len())
        .pct_start(0.2)
        .cycle_momentum(false);
    Task {
        name: "fast_mnist",
        flags: &flags,
        objective: Objective::classification(),
        schedule: &schedule,
        train: &train,
        held_out: &held_out,
        classes: &DIGITS,
    }
    .classify(&mut model, &mut optimizer, &mut rng)?;

    let (digit, _) = sets.held_out.batch(&[0]);
    let first = model.bn1.predict(&model.conv1.predict(&digit)).relu();
    let filters = model.conv1.weight.value();
    flags.look_inside("fast_mnist", filters, &[("conv1", first)])
}
