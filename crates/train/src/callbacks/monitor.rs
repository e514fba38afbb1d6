//! Which number of an epoch is looked at.

use crate::error::TrainError;
use crate::history::History;

/// A number of each epoch, for callbacks that follow it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Monitor {
    /// The loss on the validation data; without validation, the loss of training.
    #[default]
    Loss,
    /// The loss of training.
    TrainingLoss,
    /// A number that was logged on the validation data, `accuracy` say.
    Validation(String),
    /// A number that was logged in training.
    Training(String),
}

impl Monitor {
    /// A number that is logged on the validation data under this name.
    pub fn validation(name: impl Into<String>) -> Self {
        Monitor::Validation(name.into())
    }

    /// A number that is logged in training under this name.
    pub fn training(name: impl Into<String>) -> Self {
        Monitor::Training(name.into())
    }

    /// The number of the last epoch.
    ///
    /// # Errors
    /// If it was not logged, with the names that were. `who` asks for it.
    pub fn last(&self, history: &History, who: &str) -> Result<f64, TrainError> {
        let Some(epoch) = history.last() else {
            return Err(TrainError::callback(who, "no epoch was finished yet"));
        };
        let (name, number, data) = match self {
            Monitor::Loss => return Ok(epoch.validation.unwrap_or(epoch.train).loss),
            Monitor::TrainingLoss => return Ok(epoch.train.loss),
            Monitor::Validation(name) => {
                (name, epoch.logged(name).and_then(|log| log.validation), "on validation data")
            }
            Monitor::Training(name) => {
                (name, epoch.logged(name).and_then(|log| log.train), "in training")
            }
        };
        number.ok_or_else(|| {
            let names = history.log_names();
            let names = if names.is_empty() { "nothing".into() } else { names.join(", ") };
            let message = format!("no number `{name}` is logged {data}; what is logged: {names}");
            TrainError::callback(who, message)
        })
    }
}
