//! The settings of a training run.

use crate::batches::Batches;
use crate::callback::Callback;
use std::cell::RefCell;
use std::path::PathBuf;
use wengert_autograd::Anomalies;
use wengert_optim::Schedule;
use wengert_tensor::Float;

/// The settings of a run, except the objective.
pub(crate) struct Settings<'a, B, T: Float> {
    pub epochs: u64,
    pub schedule: Option<(Box<dyn Schedule + 'a>, Per)>,
    pub validation: Option<Validation<'a, B>>,
    pub keep_best: Option<Criterion>,
    pub anomalies: Option<Anomalies>,
    pub checkpoint: Option<PathBuf>,
    pub checkpoint_every: Option<usize>,
    pub resume: Option<PathBuf>,
    pub stop_after: Option<usize>,
    pub callbacks: RefCell<Vec<Box<dyn Callback<T> + 'a>>>,
    pub quiet: bool,
}

impl<B, T: Float> Default for Settings<'_, B, T> {
    fn default() -> Self {
        Settings {
            epochs: 1,
            schedule: None,
            validation: None,
            keep_best: None,
            anomalies: None,
            checkpoint: None,
            checkpoint_every: None,
            resume: None,
            stop_after: None,
            callbacks: RefCell::default(),
            quiet: false,
        }
    }
}

/// Validation data and their name in messages.
pub(crate) struct Validation<'a, B> {
    pub name: String,
    pub data: &'a dyn Batches<B>,
}

/// The unit that a schedule counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Per {
    Step,
    Epoch,
}

/// The criterion by which [`Trainer::keep_best`](crate::Trainer::keep_best) compares epochs on the validation data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Criterion {
    /// The lowest loss. Among epochs with the same loss, the earliest is kept. A loss that is NaN or
    /// infinite is never the best.
    Loss,
    /// The highest accuracy: the number that is logged as `accuracy`. Among epochs with the same
    /// accuracy, the earliest is kept.
    Accuracy,
}
