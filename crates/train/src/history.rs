//! What a run leaves behind.

/// Every step and every epoch of a run, in their order; from [`Trainer::fit`](crate::Trainer::fit).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The loss of each step, before its weights were changed.
    pub losses: Vec<f64>,
    /// The learning rate of each step.
    pub learning_rates: Vec<f64>,
    /// How many steps an epoch has.
    pub steps_per_epoch: usize,
    /// The epochs that were finished.
    pub epochs: Vec<EpochRecord>,
    /// Where in `epochs` the best one is, by the measure that was asked for with
    /// [`keep_best`](crate::Trainer::keep_best): the earliest of those with the best score. Its
    /// weights are in the model if the run was not ended before its last epoch
    /// ([`stop_after`](crate::Trainer::stop_after)). `None` if no epoch has a finite score.
    pub best: Option<usize>,
}

/// One epoch of a [`History`].
#[derive(Clone, Debug, PartialEq)]
pub struct EpochRecord {
    /// Loss and accuracy on the training data, as the weights were at each step.
    pub train: Score,
    /// Loss and accuracy on the validation data, after the epoch.
    pub validation: Option<Score>,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// How long training took; validation is not counted.
    pub seconds: f64,
    /// How many examples were seen.
    pub examples: usize,
}

impl EpochRecord {
    /// Examples per second of training.
    pub fn speed(&self) -> f64 {
        self.examples as f64 / self.seconds
    }
}

/// How good a model is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The mean loss of an example.
    pub loss: f64,
    /// Which part of the examples was recognised; `None` if the objective does not classify.
    pub accuracy: Option<f64>,
}

impl History {
    /// How many steps were made.
    pub fn steps(&self) -> usize {
        self.losses.len()
    }

    /// The last epoch that was finished.
    pub fn last(&self) -> Option<&EpochRecord> {
        self.epochs.last()
    }

    /// The best epoch, if one was looked for.
    pub fn best(&self) -> Option<&EpochRecord> {
        self.epochs.get(self.best?)
    }

    /// How long training took; validation is not counted.
    pub fn seconds(&self) -> f64 {
        self.epochs.iter().map(|epoch| epoch.seconds).sum()
    }
}
