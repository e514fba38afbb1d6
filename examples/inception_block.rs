//! Parallel branches with different kernel sizes, on Fashion-MNIST or CIFAR-10.
//!
//! `cargo run --release --example inception_block -- --data FOLDER` uses the four files of
//! Fashion-MNIST, and `-- --cifar FOLDER` uses the binary files of CIFAR-10. Without a flag, the
//! example searches the usual places for Fashion-MNIST. Training images are mirrored at random.

mod common;

use clap::Parser;
use common::{Clothes, Failure, Flags};
use std::process::ExitCode;
use wengert::models::InceptionNet;
use wengert::prelude::*;

#[derive(Parser)]
#[command(about = "Branches of several kernel sizes side by side (Fashion-MNIST, CIFAR-10)")]
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
    let mut model = InceptionNet::new(channels, 10, &mut rng);
    clothes.classify("inception_block", &flags, &sets, &mut model, &mut rng)?;

    let (image, _) = sets.held_out.batch(&[0]);
    let maps = model.stem.predict(&image);
    let filters = model.stem.conv.weight.value();
    flags.look_inside("inception_block", filters, &[("first", maps)])
}
