//! A residual network of twenty layers, on Fashion-MNIST or CIFAR-10.
//!
//! `cargo run --release --example resnet20 -- --data FOLDER` uses the four files of Fashion-MNIST,
//! and `-- --cifar FOLDER` uses the binary files of CIFAR-10. Without a flag, the example searches
//! the usual places for Fashion-MNIST. Training images are mirrored at random.

mod common;

use clap::Parser;
use common::{Clothes, Failure, Flags};
use std::process::ExitCode;
use wengert::models::ResNet;
use wengert::prelude::*;

#[derive(Parser)]
#[command(about = "A residual network of twenty layers (Fashion-MNIST, CIFAR-10)")]
struct Args {
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    clothes: Clothes,
}

fn main() -> ExitCode {
    common::main(common::command::<Args>(["4", "128", "0.2"]), run)
}

fn run(Args { flags, clothes }: Args) -> Result<(), Failure> {
    flags.set_threads()?;
    let sets = clothes.sets(&flags)?;
    let channels = sets.train.dataset().inputs().shape()[1];
    let mut rng = Philox::new(flags.seed);
    let mut model = ResNet::resnet20(channels, 10, &mut rng);
    clothes.classify("resnet20", &flags, &sets, &mut model, &mut rng)?;

    let (image, _) = sets.held_out.batch(&[0]);
    let maps = model.bn1.predict(&model.conv1.predict(&image)).relu();
    let filters = model.conv1.weight.value();
    flags.look_inside("resnet20", filters, &[("first", maps)])
}
