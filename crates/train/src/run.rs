//! Where a run stands.

use crate::history::{EpochRecord, History, Score};
use crate::objective::Verdict;
use wengert_nn::StateDict;

/// A run between two steps. With weights, optimizer and generator it is all that the next step
/// depends on.
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
}

/// Sums over the steps of the running epoch.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sums {
    pub loss: f64,
    pub right: f64,
    /// How many answers there were to be right.
    pub judged: f64,
    pub examples: f64,
    pub seconds: f64,
}

impl Sums {
    pub fn add(&mut self, examples: usize, mean_loss: f64, verdict: Option<&Verdict>) {
        let (right, judged) = verdict.map_or((0, 0), Verdict::right);
        self.loss += examples as f64 * mean_loss;
        self.right += right as f64;
        self.judged += judged as f64;
        self.examples += examples as f64;
    }

    pub fn score(&self) -> Score {
        let accuracy = (self.judged > 0.0).then(|| self.right / self.judged);
        Score { loss: self.loss / self.examples, accuracy }
    }
}

impl Run {
    /// Closes the epoch.
    pub fn end_epoch(&mut self, validation: Option<Score>) {
        let sums = std::mem::take(&mut self.sums);
        self.history.epochs.push(EpochRecord {
            train: sums.score(),
            validation,
            learning_rate: self.history.learning_rates.last().copied().unwrap_or(f64::NAN),
            seconds: sums.seconds,
            examples: sums.examples as usize,
        });
        self.epoch += 1;
        self.step = 0;
    }
}
