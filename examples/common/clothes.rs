//! Shared code of the examples on small pictures: Fashion-MNIST or CIFAR-10, mirrored at random.

use super::{Failure, Flags, Sets, Task};
use clap::Args;
use std::path::PathBuf;
use wengert::data::{Cifar10, RandomHorizontalFlip};
use wengert::prelude::*;

/// Flags that select the pictures and their augmentation.
#[derive(Args, Clone, Debug)]
pub struct Clothes {
    /// Folder with the binary files of CIFAR-10, used in place of Fashion-MNIST
    #[arg(long, value_name = "DIR")]
    pub cifar: Option<PathBuf>,
    /// Train on the original pictures, without random mirroring
    #[arg(long)]
    pub plain: bool,
}

impl Clothes {
    pub fn sets(&self, flags: &Flags) -> Result<Sets<u8>, Failure> {
        match &self.cifar {
            Some(folder) => super::cifar(flags, folder),
            None => flags.fashion(),
        }
    }

    /// Trains with SGD with momentum and weight decay, and a learning rate that rises and falls.
    pub fn classify(
        &self,
        name: &'static str,
        flags: &Flags,
        sets: &Sets<u8>,
        model: &mut dyn Layer,
        rng: &mut Philox,
    ) -> Result<(), Failure> {
        let (epochs, batch) = (flags.epochs, flags.batch);
        if sets.train.len() < batch {
            return Err(format!("{} images make no batch of {batch}", sets.train.len()).into());
        }
        let held_out = DataLoader::new(&sets.held_out, 500);
        let plain = DataLoader::new(&sets.train, batch).shuffle(flags.seed).drop_last(true);
        let changed = sets.train.clone().augment(RandomHorizontalFlip::new(0.5), flags.seed);
        let changed = DataLoader::new(&changed, batch).shuffle(flags.seed).drop_last(true);

        let mut optimizer = Sgd::new(0.0).momentum(0.9).nesterov(true).weight_decay(5e-4);
        let schedule = OneCycleLr::new(flags.lr, epochs as usize * plain.len())
            .pct_start(0.25)
            .cycle_momentum(false);
        let classes = if self.cifar.is_some() { &Cifar10::CLASSES } else { &FashionMnist::CLASSES };
        Task {
            name,
            flags,
            objective: Objective::classification(),
            schedule: &schedule,
            train: if self.plain { &plain } else { &changed },
            held_out: &held_out,
            classes,
        }
        .classify(model, &mut optimizer, rng)?;
        Ok(())
    }
}
