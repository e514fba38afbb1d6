//! What a run leaves behind.

/// Every step and every epoch of a run, in their order; from [`Trainer::fit`](crate::Trainer::fit).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The loss of each step, before its weights were changed; of a step with several updates, the sum of
    /// their losses.
    pub losses: Vec<f64>,
    /// The learning rate of each step, of the first optimizer if there are several.
    pub learning_rates: Vec<f64>,
    /// How many steps an epoch has.
    pub steps_per_epoch: usize,
    /// The epochs that were finished.
    pub epochs: Vec<EpochRecord>,
    /// Where in `epochs` the best one is, by the measure that was asked for with
    /// [`keep_best`](crate::Trainer::keep_best): the earliest of those with the best score. Its
    /// weights are in the model unless [`stop_after`](crate::Trainer::stop_after) ended the run.
    /// `None` if no epoch has a finite score.
    pub best: Option<usize>,
    /// Why the run ended before its last epoch, if it did.
    pub stopped: Option<String>,
}

/// One epoch of a [`History`].
#[derive(Clone, Debug, PartialEq)]
pub struct EpochRecord {
    /// Loss and accuracy on the training data, as the weights were at each step.
    pub train: Score,
    /// Loss and accuracy on the validation data, after the epoch.
    pub validation: Option<Score>,
    /// The numbers that [`Step::log`](crate::Step::log) and
    /// [`Context::log`](crate::Context::log) gave, in the order of their first appearance.
    pub logs: Vec<LogRecord>,
    /// The learning rate of the last step, of the first optimizer if there are several.
    pub learning_rate: f64,
    /// How long training took; validation is not counted.
    pub seconds: f64,
    /// How many examples were seen.
    pub examples: usize,
}

/// One logged number of an [`EpochRecord`].
#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    /// Its name.
    pub name: String,
    /// Its mean on the training data, as the weights were at each step; `None` if it was not logged.
    pub train: Option<f64>,
    /// Its mean on the validation data, after the epoch; `None` if it was not logged.
    pub validation: Option<f64>,
}

impl EpochRecord {
    /// Examples per second of training.
    pub fn speed(&self) -> f64 {
        self.examples as f64 / self.seconds
    }

    /// The logged number of this name.
    pub fn logged(&self, name: &str) -> Option<&LogRecord> {
        self.logs.iter().find(|log| log.name == name)
    }

    /// The logged number of this name, to change it; a new one if there is none.
    pub(crate) fn log_mut(&mut self, name: &str) -> &mut LogRecord {
        let at = self.logs.iter().position(|log| log.name == name).unwrap_or_else(|| {
            self.logs.push(LogRecord { name: name.into(), train: None, validation: None });
            self.logs.len() - 1
        });
        &mut self.logs[at]
    }
}

/// How good a model is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The mean loss of an example.
    pub loss: f64,
    /// Which part of the examples was recognised: the number that is logged as `accuracy`. `None` if
    /// none is.
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

    /// The names of all logged numbers, in the order of their first appearance.
    pub fn log_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for log in self.epochs.iter().flat_map(|epoch| &epoch.logs) {
            if !names.contains(&&*log.name) {
                names.push(&log.name);
            }
        }
        names
    }

    /// The number that was logged under a name in training, epoch by epoch.
    ///
    /// ```
    /// # use wengert_train::History;
    /// # let history = History::default();
    /// assert_eq!(history.logged("accuracy"), []); // no epoch was finished
    /// ```
    pub fn logged(&self, name: &str) -> Vec<Option<f64>> {
        self.epochs.iter().map(|epoch| epoch.logged(name)?.train).collect()
    }

    /// The number that was logged under a name on validation data, epoch by epoch.
    pub fn logged_in_validation(&self, name: &str) -> Vec<Option<f64>> {
        self.epochs.iter().map(|epoch| epoch.logged(name)?.validation).collect()
    }
}
