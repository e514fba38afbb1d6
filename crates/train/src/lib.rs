//! Training as people expect it: the loop over epochs with progress and validation, accuracy and
//! confusion, runs that can be interrupted, and pictures of what was learnt.
//!
//! - [`Trainer`] runs the loop and returns a [`History`];
//! - [`Objective`] says what is learnt: classes, values, the input itself, or a loss of your own;
//! - [`evaluate`] gives loss, accuracy and [`ConfusionMatrix`] on other data;
//! - [`mistakes`] gives the examples that were taken for something else;
//! - [`Trainer::checkpoint`] and [`Trainer::resume`] save a run and go on with the same bits;
//! - `plot` (feature `plots`, on by default) draws curves, confusion matrices and grids of images.
//!
//! Nothing here is needed to train a model: the loop is a page of calls of `wengert-autograd`,
//! `wengert-data` and `wengert-optim`, and can be written by hand where it has to be another.

mod batches;
mod checkpoint;
mod confusion;
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
mod trainer;

pub use batches::Batches;
pub use confusion::ConfusionMatrix;
pub use error::{CheckpointError, Example, TrainError};
pub use evaluation::{Evaluation, evaluate};
pub use history::{EpochRecord, History, Score};
pub use mistakes::{Mistake, mistakes};
pub use objective::Objective;
pub use trainer::{Criterion, Trainer};
