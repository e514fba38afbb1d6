//! The quantity of an epoch that a callback monitors.

use crate::error::TrainError;
use crate::history::History;

/// The quantity that [`EarlyStopping`](crate::EarlyStopping) and [`OnPlateau`](crate::OnPlateau) monitor:
/// one number for each epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Monitor {
    /// The loss on the validation data; without validation, the training loss.
    #[default]
    Loss,
    /// The training loss.
    TrainingLoss,
    /// The number of this name that is logged on the validation data, for example `accuracy`.
    Validation(String),
    /// The number of this name that is logged in training.
    Training(String),
}

impl Monitor {
    /// Monitors the number that is logged on the validation data under this name.
    pub fn validation(name: impl Into<String>) -> Self {
        Monitor::Validation(name.into())
    }

    /// Monitors the number that is logged in training under this name.
    pub fn training(name: impl Into<String>) -> Self {
        Monitor::Training(name.into())
    }

    /// Returns the number of the last epoch.
    ///
    /// # Errors
    /// If no epoch is finished, or if the number was not logged: the error lists the names that were
    /// logged, and `who` as the callback that asked.
    pub fn last(&self, history: &History, who: &str) -> Result<f64, TrainError> {
        let Some(epoch) = history.last() else {
            return Err(TrainError::callback(who, "no epoch has finished"));
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
            let message =
                format!("no number `{name}` is logged {data}; the logged numbers are: {names}");
            TrainError::callback(who, message)
        })
    }
}
