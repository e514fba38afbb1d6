//! Stacks of 3×3 convolutions, on Fashion-MNIST or CIFAR-10.
//!
//! `cargo run --release --example vgg_small -- --data FOLDER` uses the four files of Fashion-MNIST,
//! and `-- --cifar FOLDER` uses the binary files of CIFAR-10. Without a flag, the example searches
//! the usual places for Fashion-MNIST. Training images are mirrored at random.

mod common;

use clap::Parser;
use common::{Clothes, Failure, Flags};
use std::process::ExitCode;
use wengert::models::Vgg;
use wengert::prelude::*;

#[derive(Parser)]
#[command(about = "Stacks of 3×3 convolutions (Fashion-MNIST, CIFAR-10)")]
struct Args {
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    clothes: Clothes,
}

fn main() -> ExitCode {
    common::main(common::command::<Args>(["4", "128", "0.1"]), run)
}

fn run(Args { flags, clothes }: Args) -> Result<(), Failure> {
    flags.set_threads()?;
    let sets = clothes.sets(&flags)?;
    let channels = sets.train.dataset().inputs().shape()[1];
    let mut rng = Philox::new(flags.seed);
    let mut model = Vgg::new(channels, 10, &[16, 32, 64], &mut rng);
    clothes.classify("vgg_small", &flags, &sets, &mut model, &mut rng)?;

    let (image, _) = sets.held_out.batch(&[0]);
    let (conv, bn) = &model.stages[0][0];
    let maps = bn.predict(&conv.predict(&image)).relu();
    let filters = conv.weight.value();
    flags.look_inside("vgg_small", filters, &[("first", maps)])
}
