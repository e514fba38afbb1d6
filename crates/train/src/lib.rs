//! Training loops: epochs with progress and validation, accuracy and confusion matrices, checkpoints from
//! which an interrupted run continues.
//!
//! - [`Trainer`] runs the loop over any model and any batches, and returns a [`History`];
//! - the loss is an [`Objective`] (classification, regression, reconstruction), a loss closure on a
//!   [`Step`], or a [`TrainStep`] of your own with several optimizers;
//! - [`Callback`]s hook into the loop: [`ClipNorm`], [`EarlyStopping`], [`OnPlateau`], [`TimeLimit`],
//!   and your own;
//! - [`evaluate`] returns loss, accuracy and [`ConfusionMatrix`] on other data; [`measure`] returns the
//!   mean of any loss and of the numbers that the loss logs;
//! - [`mistakes`] returns the misclassified examples;
//! - [`Trainer::checkpoint`] saves a run, and [`Trainer::resume`] continues it with the same bits;
//! - `History::charts` (feature `plots`, on by default), [`ConfusionMatrix::rows`] and
//!   [`Mistake::captioned`] convert results for `wengert-plot`, which draws them.
//!
//! You can train a model without this crate: a training loop is about a page of calls of
//! `wengert-autograd`, `wengert-data` and `wengert-optim`. Write it by hand if you need another loop.

mod batch;
mod batches;
mod callback;
mod callbacks;
#[cfg(feature = "plots")]
mod charts;
mod checkpoint;
mod confusion;
mod context;
mod error;
mod evaluation;
mod fit;
mod history;
mod mistakes;
mod objective;
mod progress;
mod run;
mod settings;
mod step;
mod task;
mod trainer;

pub use batch::{Batch, Fingerprint};
pub use batches::Batches;
pub use callback::{Callback, CallbackState};
pub use callbacks::{ClipNorm, ClipValue, EarlyStopping, Monitor, OnPlateau, TimeLimit};
pub use confusion::ConfusionMatrix;
pub use context::Context;
pub use error::{CheckpointError, Example, Outcome, TrainError};
pub use evaluation::{Evaluation, Measured, evaluate, measure};
pub use history::{EpochRecord, History, LogRecord, Score};
pub use mistakes::{Mistake, mistakes};
pub use objective::Objective;
pub use settings::Criterion;
pub use step::{Logged, Step};
pub use task::{StepContext, TrainStep};
pub use trainer::{Custom, ObjectiveTrainer, Trainer};
