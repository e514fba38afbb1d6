//! The position of a run.

use crate::history::{EpochRecord, History, LogRecord, Score};
use crate::step::{ACCURACY, LoggedSum, add_sums};
use std::path::PathBuf;
use wengert_nn::StateDict;

/// The state of a run between two steps. The next step depends on the first five fields, the weights,
/// the optimizers, the generator and the states of the callbacks, and on nothing else.
#[derive(Default)]
pub(crate) struct RunState {
    /// The running epoch, counted from 0.
    pub epoch: u64,
    /// The number of steps that the running epoch has made.
    pub step: usize,
    pub sums: EpochSums,
    pub history: History,
    /// The weights after the best epoch.
    pub best: Option<StateDict>,
    /// The number of epochs of the run.
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

/// A request to end the run early.
pub(crate) struct Stop {
    pub why: String,
    /// Whether the run will be resumed, so that the model must keep the weights of the last step.
    pub pause: bool,
}

/// Sums over the steps of the running epoch.
#[derive(Clone, Debug, Default)]
pub(crate) struct EpochSums {
    /// The sum of the losses, each multiplied by the number of its examples.
    pub loss: f64,
    /// The number of examples in the batches that have a loss.
    pub weight: f64,
    pub examples: f64,
    pub seconds: f64,
    pub logs: Vec<LoggedSum>,
}

impl EpochSums {
    /// Adds a batch. A batch without a loss adds only its logged numbers.
    pub fn add(&mut self, examples: usize, mean_loss: Option<f64>, logs: Vec<LoggedSum>) {
        if let Some(loss) = mean_loss {
            self.loss += examples as f64 * loss;
            self.weight += examples as f64;
        }
        self.examples += examples as f64;
        add_sums(&mut self.logs, logs);
    }

    /// Returns the mean of the number of this name; `None` if it was not logged.
    pub fn logged(&self, name: &str) -> Option<f64> {
        let of = self.logs.iter().find(|sum| sum.name == name && sum.weight != 0.0)?;
        Some(of.sum / of.weight)
    }

    /// Returns name and mean of each logged number.
    pub fn means(&self) -> impl Iterator<Item = (&str, f64)> {
        self.logs.iter().filter_map(|sum| Some((&*sum.name, self.logged(&sum.name)?)))
    }

    pub fn score(&self) -> Score {
        Score { loss: self.loss / self.weight, accuracy: self.logged(ACCURACY) }
    }
}

impl RunState {
    pub fn steps_per_epoch(&self) -> usize {
        self.history.steps_per_epoch
    }

    /// Ends the epoch and adds its record to the history, without a validation.
    pub fn before_validation(&mut self) {
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

    /// Adds the validation to the record of the last epoch.
    pub fn validated(&mut self, sums: &EpochSums) {
        if let Some(epoch) = self.history.epochs.last_mut() {
            epoch.validation = Some(sums.score());
            for (name, mean) in sums.means() {
                epoch.log_mut(name).validation = Some(mean);
            }
        }
    }
}

/// Returns a number of epochs as `usize`. A number that does not fit saturates, as counts of steps do.
pub(crate) fn epochs(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
