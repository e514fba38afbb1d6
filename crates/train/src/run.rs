//! Where a run stands.

use crate::history::{EpochRecord, History, LogRecord, Score};
use crate::step::{Sum, add_sums};
use std::path::PathBuf;
use wengert_nn::StateDict;

/// The name under which accuracies are logged.
pub(crate) const ACCURACY: &str = "accuracy";

/// A run between two steps. With weights, optimizers, generator and what callbacks remember, the first
/// five fields are all that the next step depends on.
#[derive(Default)]
pub(crate) struct Run {
    /// The epoch that is running, counted from 0.
    pub epoch: u64,
    /// How many of its steps were made.
    pub step: usize,
    pub sums: Sums,
    pub history: History,
    /// The weights after the best epoch.
    pub best: Option<StateDict>,
    /// How many epochs there are to be.
    pub epochs: u64,
    pub resumed: bool,
    /// Whether an epoch has begun and not ended.
    pub running: bool,
    pub stop: Option<Stop>,
    /// Whether a callback has asked for a validation after this epoch.
    pub validate: bool,
    /// The files that callbacks have asked to be saved.
    pub saves: Vec<PathBuf>,
}

/// Why a run ends early.
pub(crate) struct Stop {
    pub why: String,
    /// Whether it is to be gone on with, so that the model keeps the weights of the last step.
    pub pause: bool,
}

/// Sums over the steps of the running epoch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums {
    /// Of losses, each multiplied with the number of its examples.
    pub loss: f64,
    /// How many examples the losses were means of.
    pub weight: f64,
    pub examples: f64,
    pub seconds: f64,
    pub logs: Vec<Sum>,
}

impl Sums {
    /// Adds a batch. A batch without a loss adds its logs alone.
    pub fn add(&mut self, examples: usize, mean_loss: Option<f64>, logs: Vec<Sum>) {
        if let Some(loss) = mean_loss {
            self.loss += examples as f64 * loss;
            self.weight += examples as f64;
        }
        self.examples += examples as f64;
        add_sums(&mut self.logs, logs);
    }

    /// The mean of what was logged under a name, if it was.
    pub fn logged(&self, name: &str) -> Option<f64> {
        let of = self.logs.iter().find(|sum| sum.name == name && sum.weight != 0.0)?;
        Some(of.sum / of.weight)
    }

    /// Means of all that was logged.
    pub fn means(&self) -> impl Iterator<Item = (&str, f64)> {
        self.logs.iter().filter_map(|sum| Some((&*sum.name, self.logged(&sum.name)?)))
    }

    pub fn score(&self) -> Score {
        Score { loss: self.loss / self.weight, accuracy: self.logged(ACCURACY) }
    }
}

impl Run {
    pub fn steps_per_epoch(&self) -> usize {
        self.history.steps_per_epoch
    }

    /// Closes the epoch. Its validation comes later.
    pub fn end_epoch(&mut self) {
        let sums = std::mem::take(&mut self.sums);
        let log = |(name, mean): (&str, f64)| LogRecord {
            name: name.into(),
            train: Some(mean),
            validation: None,
        };
        self.history.epochs.push(EpochRecord {
            train: sums.score(),
            validation: None,
            logs: sums.means().map(log).collect(),
            learning_rate: self.history.learning_rates.last().copied().unwrap_or(f64::NAN),
            seconds: sums.seconds,
            examples: sums.examples as usize,
        });
        self.epoch += 1;
        self.step = 0;
        self.running = false;
    }

    /// Adds the validation of the last epoch.
    pub fn validated(&mut self, sums: &Sums) {
        if let Some(epoch) = self.history.epochs.last_mut() {
            epoch.validation = Some(sums.score());
            for (name, mean) in sums.means() {
                epoch.log_mut(name).validation = Some(mean);
            }
        }
    }
}
