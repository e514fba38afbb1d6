//! What can end a run early.

use crate::batches::Batches;
use std::fmt;
use std::path::PathBuf;
use wengert_autograd::ShapeError;
use wengert_nn::Mismatch;
use wengert_optim::StateError;
use wengert_tensor::FileError;

/// Why a run ended before its last epoch.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// Data, model and loss do not fit each other. The weights are those of the step before.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// There is no batch to train on or to validate with. Nothing has changed.
    #[error("{data}: {}", no_batch(*examples))]
    Empty {
        /// Which data.
        data: String,
        /// How many examples there are: more than none if each batch was left out as the last and
        /// smaller one.
        examples: usize,
    },
    /// The last batch of an epoch is smaller than the others, and does not fit the model and the
    /// loss: one sample under batch norm, say. Nothing has changed.
    #[error(
        "{error}. This is the last batch of {data}: it has {size} of the {usual} examples of the \
         others. Leave it out with DataLoader::drop_last(true), or take another batch size"
    )]
    LastBatch {
        /// Which data.
        data: String,
        /// How many examples the last batch has.
        size: usize,
        /// How many examples the others have.
        usual: usize,
        /// What does not fit.
        error: ShapeError,
    },
    /// One example is not what model and loss expect: its class does not exist. The weights are
    /// those of the step before.
    #[error("{example}: {error}")]
    Example {
        /// Which one.
        example: Box<Example>,
        /// What is wrong with it.
        error: ShapeError,
    },
    /// A class that cannot be counted in a confusion matrix. The weights are those of the step
    /// before.
    #[error("{example}: class {class}: a confusion matrix counts classes from 0 to {most}")]
    Class {
        /// The example that has the class, or was taken for it.
        example: Box<Example>,
        /// The class.
        class: i64,
        /// The greatest that can be counted.
        most: usize,
    },
    /// The rule of [`Objective::predict`](crate::Objective::predict) gives classes of another shape
    /// than the targets have.
    #[error(
        "the rule that maps outputs to classes gives the shape {predicted:?}, the targets have the shape \
         {truth:?}: one class for each target is wanted"
    )]
    Rule {
        /// The shape of what the rule gives.
        predicted: Vec<usize>,
        /// The shape of the targets.
        truth: Vec<usize>,
    },
    /// An epoch ended before its last batch: [`Batches::len`](crate::Batches::len) is wrong.
    #[error(
        "{data}: epoch {epoch} has fewer than the {batches} batches that Batches::len promises"
    )]
    Batches {
        /// Which data.
        data: String,
        /// The epoch, counted from 1.
        epoch: u64,
        /// How many batches there should be.
        batches: usize,
    },
    /// The loss is infinite or no number. The weights are those that gave it.
    #[error(
        "epoch {epoch}, step {step}: the loss is {loss} ({})",
        input.as_ref().map_or(
            "a smaller learning rate or clipped gradients may help; Trainer::detect_anomalies names the \
             operation".into(),
            |example| format!("{example} holds a number that is not finite")
        )
    )]
    NotFinite {
        /// The epoch, counted from 1.
        epoch: u64,
        /// The step within it, counted from 1.
        step: usize,
        /// The loss.
        loss: f64,
        /// The first example of the batch that holds a NaN or an infinity, if one does.
        input: Option<Box<Example>>,
    },
    /// The loss is finite, but gradients are not. The weights, the buffers and what the optimizer
    /// remembers are as they were before the step.
    #[error(
        "epoch {epoch}, step {step}: the loss is {loss}, but the gradients of {} hold numbers that are \
         not finite{}. The weights are as before the step",
        parameters.join(", "),
        callback.as_ref().map_or(
            ": a root, a logarithm or a division near 0, or numbers too large for the type \
             (Trainer::detect_anomalies names the operation)".into(),
            |callback| format!(" since the callback {callback} has changed them")
        )
    )]
    Gradient {
        /// The epoch, counted from 1.
        epoch: u64,
        /// The step within it, counted from 1.
        step: usize,
        /// The loss.
        loss: f64,
        /// The names of the parameters.
        parameters: Vec<String>,
        /// The callback that has changed finite gradients to these, if one has.
        callback: Option<String>,
    },
    /// A counter of the model, as that of batch norm, is at the end of `i64`. The weights, the
    /// buffers and what the optimizer remembers are as they were before the step.
    #[error("epoch {epoch}, step {step}: {counter}. The weights are as before the step")]
    Counter {
        /// The epoch, counted from 1.
        epoch: u64,
        /// The step within it, counted from 1.
        step: usize,
        /// The counter by its name, where it is, and what to do.
        counter: String,
    },
    /// The loss and the gradients are finite, but the step would leave a buffer with a NaN or an
    /// infinity: the running variance of batch norm over inputs whose squares overflow, say. The
    /// weights, the buffers and what the optimizer remembers are as they were before the step.
    #[error(
        "epoch {epoch}, step {step}: {buffer}. The loss is {loss}; the weights are as before the step"
    )]
    Buffer {
        /// The epoch, counted from 1.
        epoch: u64,
        /// The step within it, counted from 1.
        step: usize,
        /// The loss.
        loss: f64,
        /// The buffer by its name, what it would hold, why, and what to do.
        buffer: String,
    },
    /// A callback, or a step of your own, has ended the run.
    #[error("{name}: {error}")]
    Callback {
        /// Which one.
        name: String,
        /// Why.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A checkpoint could not be written or taken over.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl TrainError {
    /// An error of a callback or a step of your own: its name, and an error or words.
    ///
    /// ```
    /// use wengert_train::TrainError;
    /// let error = TrainError::callback("GoodEnough", "no loss is that good");
    /// assert_eq!(error.to_string(), "GoodEnough: no loss is that good");
    /// ```
    pub fn callback(
        name: impl Into<String>,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        TrainError::Callback { name: name.into(), error: error.into() }
    }
}

/// One example of the data, in a [`TrainError`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Which data.
    pub data: String,
    /// Its number in the data, counted from 0, if [`Batches::index`](crate::Batches::index) knows it.
    pub index: Option<usize>,
    /// The epoch, counted from 1.
    pub epoch: u64,
    /// The batch within the epoch, counted from 1.
    pub batch: usize,
    /// Its place in the batch, counted from 0.
    pub sample: usize,
}

impl Example {
    /// Of a batch of an epoch, both counted from 0.
    pub(crate) fn of<B>(
        batches: &dyn Batches<B>,
        data: String,
        epoch: u64,
        batch: usize,
        sample: usize,
    ) -> Self {
        let index = batches.index(epoch, batch, sample);
        Example { data, index, epoch: epoch + 1, batch: batch + 1, sample }
    }
}

impl fmt::Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Example { data, index, epoch, batch, sample } = self;
        match index {
            Some(index) => {
                write!(
                    f,
                    "example {index} of {data} (epoch {epoch}, batch {batch}, sample {sample})"
                )
            }
            None => write!(f, "sample {sample} of batch {batch} of {data} in epoch {epoch}"),
        }
    }
}

fn no_batch(examples: usize) -> String {
    match examples {
        0 => "there are no examples".into(),
        n => format!(
            "an epoch has no batch, as {n} examples are fewer than a batch and drop_last leaves them \
             out: take smaller batches, or DataLoader::drop_last(false)"
        ),
    }
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
    /// The checkpoint is of a run with another number of optimizers.
    #[error("{}: the run had {saved} optimizers, now there are {found}", path.display())]
    Optimizers {
        /// The file.
        path: PathBuf,
        /// How many the run had that was saved.
        saved: usize,
        /// How many there are now.
        found: usize,
    },
    /// The checkpoint is of a run with other callbacks, of those that remember something.
    #[error(
        "{}: the run had callbacks that remember something: {}; now they are: {}: resume with the same \
         callbacks in the same order", path.display(), listed(saved), listed(found)
    )]
    Callbacks {
        /// The file.
        path: PathBuf,
        /// Their names in the run that was saved.
        saved: Vec<String>,
        /// Their names now.
        found: Vec<String>,
    },
    /// A callback cannot be part of a checkpoint, or does not take back what was saved.
    #[error("{}: the callback {name}: {message}", path.display())]
    Callback {
        /// The file.
        path: PathBuf,
        /// The callback's name.
        name: String,
        /// Why, in words.
        message: String,
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
    /// The steps that were made had other learning rates than the schedule now says, or it ends
    /// before them.
    #[error(
        "{}: step {step} had a learning rate of {saved}, the schedule {}: resume with the same schedule, \
         over as many steps", path.display(),
        found.map_or("ends before it".into(), |found| format!("says {found}"))
    )]
    Schedule {
        /// The file.
        path: PathBuf,
        /// The first step that differs, counted from 1.
        step: usize,
        /// The learning rate of the run that was saved.
        saved: f64,
        /// The learning rate now; `None` if the schedule ends before the step.
        found: Option<f64>,
    },
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

wengert_tensor::debug_is_display!(TrainError, CheckpointError);
