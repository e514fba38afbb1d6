//! What can end a run early.

use std::path::PathBuf;
use wengert_autograd::ShapeError;
use wengert_nn::Mismatch;
use wengert_optim::StateError;
use wengert_tensor::FileError;

/// Why a run ended before its last epoch.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// Data, model and loss do not fit each other. Nothing was computed with this batch.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The loss is infinite or no number. The weights are those that gave it.
    #[error(
        "epoch {epoch}, step {step}: the loss is {loss} (a smaller learning rate or clipped gradients may help)"
    )]
    NotFinite {
        /// The epoch, counted from 1.
        epoch: u64,
        /// The step within it, counted from 1.
        step: usize,
        /// The loss.
        loss: f64,
    },
    /// A checkpoint could not be written or taken over.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// Why a checkpoint could not be written or taken over. Model, optimizer and generator are as they
/// were.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file cannot be read or written, or is damaged.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is sound, but no checkpoint: a model, say.
    #[error("{}: a safetensors file, but no checkpoint of a run (nn::load reads models)", path.display())]
    NoCheckpoint {
        /// The file.
        path: PathBuf,
    },
    /// The checkpoint is of a form that is not known.
    #[error("{}: a checkpoint of version {found:?}, this program reads version {known}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version it claims.
        found: String,
        /// The version that can be read.
        known: &'static str,
    },
    /// Something that a checkpoint has is not there, or is not what it should be.
    #[error("{}: {name} is missing or not as it should be", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it is.
        name: String,
    },
    /// The checkpoint is of another model.
    #[error("{}: the checkpoint is of another model:{mismatch}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// All that differs.
        mismatch: Mismatch,
    },
    /// The checkpoint is of another optimizer.
    #[error("{}: {error}", path.display())]
    Optimizer {
        /// The file.
        path: PathBuf,
        /// All that is wrong.
        error: StateError,
    },
    /// The checkpoint was made on other data, so its position means nothing here.
    #[error(
        "{}: the run had {} examples in {} batches, now there are {} in {}", path.display(),
        saved.0, saved.1, found.0, found.1
    )]
    Data {
        /// The file.
        path: PathBuf,
        /// Examples and batches of the run that was saved.
        saved: (usize, usize),
        /// Examples and batches now.
        found: (usize, usize),
    },
    /// As many examples as before, but not the same, not in the same order, or not changed alike.
    #[error(
        "{}: the first batch of the training data is not that of the saved run: resume with the same \
         data, order, seed and distortions", path.display()
    )]
    Order {
        /// The file.
        path: PathBuf,
    },
    /// The steps that were made had other learning rates than the schedule now says.
    #[error(
        "{}: step {step} had a learning rate of {saved}, the schedule says {found}: resume with the same \
         schedule, over as many steps", path.display()
    )]
    Schedule {
        /// The file.
        path: PathBuf,
        /// The first step that differs, counted from 1.
        step: usize,
        /// The learning rate of the run that was saved.
        saved: f64,
        /// The learning rate now.
        found: f64,
    },
}

wengert_tensor::debug_is_display!(TrainError, CheckpointError);
