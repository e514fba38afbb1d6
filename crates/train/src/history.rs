//! The record of a run.

/// The record of a run: every step and every epoch, in order. [`Trainer::fit`](crate::Trainer::fit)
/// returns it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The loss of each step, computed before the step changed the weights. If a step makes several
    /// updates, it is the sum of their losses.
    pub losses: Vec<f64>,
    /// The learning rate of each step. If there are several optimizers, it is that of the first.
    pub learning_rates: Vec<f64>,
    /// The number of steps of an epoch.
    pub steps_per_epoch: usize,
    /// The finished epochs.
    pub epochs: Vec<EpochRecord>,
    /// The index in `epochs` of the best epoch by the criterion of
    /// [`keep_best`](crate::Trainer::keep_best): the earliest of those with the best score. At the end
    /// of the run the model has the weights of this epoch, unless
    /// [`stop_after`](crate::Trainer::stop_after) ended the run. `None` if no epoch has a finite score.
    pub best_epoch: Option<usize>,
    /// The reason why the run ended before its last epoch; `None` if it did not.
    pub stopped: Option<String>,
}

/// One epoch of a [`History`].
#[derive(Clone, Debug, PartialEq)]
pub struct EpochRecord {
    /// Loss and accuracy on the training data: the means over the steps, each with the weights that the
    /// model had before the step.
    pub train: Score,
    /// Loss and accuracy on the validation data, after the epoch.
    pub validation: Option<Score>,
    /// The numbers that were logged with [`Step::log`](crate::Step::log) and
    /// [`Context::log`](crate::Context::log), in the order of their first appearance.
    pub logs: Vec<LogRecord>,
    /// The learning rate of the last step. If there are several optimizers, it is that of the first.
    pub learning_rate: f64,
    /// The time of the training in seconds, without the validation.
    pub seconds: f64,
    /// The number of examples of the epoch.
    pub examples: usize,
}

/// One logged number of an [`EpochRecord`].
#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    /// The name.
    pub name: String,
    /// The mean on the training data, each step with the weights that the model had before the step;
    /// `None` if the number was not logged.
    pub train: Option<f64>,
    /// The mean on the validation data, after the epoch; `None` if the number was not logged.
    pub validation: Option<f64>,
}

impl EpochRecord {
    /// Returns the number of examples per second of training.
    pub fn speed(&self) -> f64 {
        self.examples as f64 / self.seconds
    }

    /// Returns the logged number of this name; `None` if there is none.
    pub fn logged(&self, name: &str) -> Option<&LogRecord> {
        self.logs.iter().find(|log| log.name == name)
    }

    /// Returns the logged number of this name, to change it. Adds a new one if there is none.
    pub(crate) fn log_mut(&mut self, name: &str) -> &mut LogRecord {
        let at = self.logs.iter().position(|log| log.name == name).unwrap_or_else(|| {
            self.logs.push(LogRecord { name: name.into(), train: None, validation: None });
            self.logs.len() - 1
        });
        &mut self.logs[at]
    }
}

/// Loss and accuracy of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The mean loss over all examples.
    pub loss: f64,
    /// The fraction of correctly classified examples: the number that is logged as `accuracy`. `None`
    /// if no accuracy is logged.
    pub accuracy: Option<f64>,
}

impl History {
    /// Returns the number of steps.
    pub fn steps(&self) -> usize {
        self.losses.len()
    }

    /// Returns the last finished epoch; `None` if no epoch is finished.
    pub fn last(&self) -> Option<&EpochRecord> {
        self.epochs.last()
    }

    /// Returns the best epoch; `None` if there is none, or if
    /// [`keep_best`](crate::Trainer::keep_best) was not set.
    pub fn best(&self) -> Option<&EpochRecord> {
        self.epochs.get(self.best_epoch?)
    }

    /// Returns the time of the training in seconds, without validations.
    pub fn seconds(&self) -> f64 {
        self.epochs.iter().map(|epoch| epoch.seconds).sum()
    }

    /// Returns the names of all logged numbers, in the order of their first appearance.
    pub fn log_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for log in self.epochs.iter().flat_map(|epoch| &epoch.logs) {
            if !names.contains(&&*log.name) {
                names.push(&log.name);
            }
        }
        names
    }

    /// Returns the training mean of the number of this name for each epoch; `None` for epochs in which
    /// it was not logged.
    ///
    /// ```
    /// use wengert::train::History;
    /// let history = History::default();
    /// assert_eq!(history.logged("accuracy"), []); // no epoch was finished
    /// ```
    pub fn logged(&self, name: &str) -> Vec<Option<f64>> {
        self.epochs.iter().map(|epoch| epoch.logged(name)?.train).collect()
    }

    /// Returns the validation mean of the number of this name for each epoch; `None` for epochs in which
    /// it was not logged.
    pub fn logged_in_validation(&self, name: &str) -> Vec<Option<f64>> {
        self.epochs.iter().map(|epoch| epoch.logged(name)?.validation).collect()
    }
}
