//! Training as people expect it: the loop over epochs with progress and validation, accuracy and
//! confusion, runs that can be interrupted, and pictures of what was learnt.
//!
//! - [`Trainer`] runs the loop over any model and any batches, and returns a [`History`];
//! - what is learnt is an [`Objective`] (classes, values, the input itself), a loss closure on a
//!   [`Step`], or a [`TrainStep`] of your own with several optimizers;
//! - [`Callback`]s hook into the loop: [`ClipNorm`], [`EarlyStopping`], [`OnPlateau`], [`TimeLimit`],
//!   and your own;
//! - [`evaluate`] gives loss, accuracy and [`ConfusionMatrix`] on other data, [`measure`] the mean of any
//!   loss and of what it logs;
//! - [`mistakes`] gives the examples that were taken for something else;
//! - [`Trainer::checkpoint`] and [`Trainer::resume`] save a run and go on with the same bits;
//! - `plot` (feature `plots`, on by default) draws curves, confusion matrices and grids of images.
//!
//! Nothing here is needed to train a model: the loop is a page of calls of `wengert-autograd`,
//! `wengert-data` and `wengert-optim`, and can be written by hand where it has to be another.

mod batch;
mod batches;
mod callback;
mod callbacks;
mod checkpoint;
mod confusion;
mod context;
mod error;
mod evaluation;
mod fit;
mod history;
mod mistakes;
mod objective;
#[cfg(feature = "plots")]
pub mod plot;
mod progress;
mod run;
mod step;
mod task;
mod trainer;

pub use batch::{Batch, Fingerprint};
pub use batches::Batches;
pub use callback::{Callback, CallbackState, Outcome};
pub use callbacks::{ClipNorm, ClipValue, EarlyStopping, Monitor, OnPlateau, TimeLimit};
pub use confusion::ConfusionMatrix;
pub use context::Context;
pub use error::{CheckpointError, Example, TrainError};
pub use evaluation::{Evaluation, Measured, evaluate, measure};
pub use history::{EpochRecord, History, LogRecord, Score};
pub use mistakes::{Mistake, mistakes};
pub use objective::Objective;
pub use step::{Logged, Step};
pub use task::{StepContext, TrainStep};
pub use trainer::{Criterion, Custom, ObjectiveTrainer, Trainer};
