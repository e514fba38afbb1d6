//! Errors of a training run.

use crate::batches::Batches;
use std::fmt;
use std::path::PathBuf;
use wengert_autograd::{Cause, Module, OperationError};
use wengert_nn::Mismatch;
use wengert_optim::{StateError, UpdateError};
use wengert_tensor::FileError;

/// The result of a callback's method.
pub type Outcome = Result<(), TrainError>;

/// The reason why a run ended with an error.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// Data, model and loss do not fit each other. The weights are those after the previous step.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// There is no batch to train on or to validate with. Nothing has changed.
    #[error("{data}: {}", no_batch(*examples))]
    NoBatches {
        /// The data: training or validation.
        data: String,
        /// The number of examples. It is positive if the only batch was incomplete and `drop_last` left it
        /// out.
        examples: usize,
    },
    /// The last batch of an epoch is smaller than the others, and does not fit the model and the loss;
    /// for example, batch norm cannot train on one sample. Nothing has changed.
    #[error(
        "{error}. The last batch of {data} has {size} examples, the other batches have {usual}: \
         drop the last batch with DataLoader::drop_last(true), or use another batch size"
    )]
    LastBatch {
        /// The data: training or validation.
        data: String,
        /// The number of examples of the last batch.
        size: usize,
        /// The number of examples of the other batches.
        usual: usize,
        /// The error of the operation that refused the last batch.
        error: OperationError,
    },
    /// The class of an example does not exist. The weights are those after the previous step.
    #[error("{example}: {error}")]
    Example {
        /// The example.
        example: Box<Example>,
        /// The error of the operation that refused the example.
        error: OperationError,
    },
    /// A class cannot be counted in a confusion matrix. The weights are those after the previous step.
    #[error(
        "{example}: class {class} is out of range: a confusion matrix counts classes from 0 to \
         {most}"
    )]
    ClassOutOfRange {
        /// The example with this true or predicted class.
        example: Box<Example>,
        /// The class.
        class: i64,
        /// The greatest class that can be counted.
        most: usize,
    },
    /// The predicted classes have another shape than the targets: the rule of
    /// [`Objective::predict`](crate::Objective::predict) must return one class for each target.
    #[error(
        "Objective::predict: expected one class for each target, shape {truth:?}, got classes of \
         shape {predicted:?}"
    )]
    Predictions {
        /// The shape of the predicted classes.
        predicted: Vec<usize>,
        /// The shape of the targets.
        truth: Vec<usize>,
    },
    /// An epoch ended before its last batch: [`Batches::len`](crate::Batches::len) is too large.
    #[error(
        "{data}: epoch {epoch} ended before batch {batches}, but Batches::len returned {batches}: \
         return the number of batches of every epoch from Batches::len"
    )]
    TooFewBatches {
        /// The data: training or validation.
        data: String,
        /// The epoch, counted from 1.
        epoch: u64,
        /// The number of batches that [`Batches::len`](crate::Batches::len) returned.
        batches: usize,
    },
    /// There are validation data, and [`TrainStep::validate`](crate::TrainStep::validate) returns no loss and
    /// logs nothing.
    #[error(
        "the trainer has validation data, but TrainStep::validate returned no loss and logged no \
         number: implement TrainStep::validate, or remove Trainer::validate"
    )]
    NothingMeasured,
    /// The loss is NaN or infinite. The weights are those with which this loss was computed.
    #[error(
        "epoch {epoch}, step {step}: the loss is {loss} ({})",
        input.as_ref().map_or(
            "a smaller learning rate or gradient clipping may help; Trainer::detect_anomalies \
             names the operation".into(),
            |example| format!("{example} contains NaN or infinity")
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
    /// The loss is finite, but a gradient is NaN or infinite. The weights, the buffers and the state of
    /// the optimizer are as they were before the step.
    #[error(
        "epoch {epoch}, step {step}: the loss is {loss}, but the gradients of {} contain NaN or \
         infinity{}. The weights are as before the step",
        parameters.join(", "),
        callback.as_ref().map_or(
            ": look for a root, a logarithm or a division near 0, or for numbers too large for \
             the type (Trainer::detect_anomalies names the operation)".into(),
            |callback| format!(", because the callback {callback} changed them")
        )
    )]
    Gradient {
        /// The epoch, counted from 1.
        epoch: u64,
        /// The step within it, counted from 1.
        step: usize,
        /// The loss.
        loss: f64,
        /// The names of the parameters whose gradients are not finite.
        parameters: Vec<String>,
        /// The callback that changed finite gradients to these, if a callback did.
        callback: Option<String>,
    },
    /// A counter of the model (as that of batch norm) has reached the maximum of `i64`. The weights, the
    /// buffers and the state of the optimizer are as they were before the step.
    #[error("epoch {epoch}, step {step}: {counter}. The weights are as before the step")]
    Counter {
        /// The epoch, counted from 1.
        epoch: u64,
        /// The step within it, counted from 1.
        step: usize,
        /// The name of the counter, its place in the model, and the remedy.
        counter: String,
    },
    /// The loss and the gradients are finite, but the step would put a NaN or an infinity into a buffer;
    /// for example, into the running variance of batch norm when the squares of the inputs overflow.
    /// The weights, the buffers and the state of the optimizer are as they were before the step.
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
        /// The name of the buffer, the value that it would hold, the reason, and the remedy.
        buffer: String,
    },
    /// An optimizer refused an update, for example because the loss does not depend on a parameter that is to
    /// be trained. If the step can be run on shapes, a missing gradient is found before the first update of the
    /// step. The weights, the buffers and the state of the optimizer are as they were before the update.
    #[error(
        "epoch {epoch}, step {step}: update with optimizer {optimizer} (counted from 0): {error}"
    )]
    Update {
        /// The epoch, counted from 1.
        epoch: u64,
        /// The step within it, counted from 1.
        step: usize,
        /// The number of the optimizer, counted from 0.
        optimizer: usize,
        /// The reason.
        error: UpdateError,
    },
    /// A callback, or a step of your own, ended the run with an error.
    #[error("{name}: {error}")]
    Callback {
        /// The name of the callback or step.
        name: String,
        /// The error.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A checkpoint could not be written or restored.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl TrainError {
    /// Creates an error of a callback or of a step of your own, from its name and an error or a message.
    ///
    /// ```
    /// use wengert::train::TrainError;
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

/// An example of the data, in a [`TrainError`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Example {
    /// The data: training, validation, or the data of an evaluation.
    pub data: String,
    /// The index in the data, counted from 0, if [`Batches::index`](crate::Batches::index) returns it.
    pub index: Option<usize>,
    /// The epoch, counted from 1.
    pub epoch: u64,
    /// The batch within the epoch, counted from 1.
    pub batch: usize,
    /// The index in the batch, counted from 0.
    pub sample: usize,
}

impl Example {
    /// Creates the description of a sample. Epoch, batch and sample are counted from 0 here.
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
        0 => "expected at least one example, got none".into(),
        n => format!(
            "an epoch has no batches, because {n} examples are fewer than one batch and \
             drop_last(true) drops incomplete batches: use a smaller batch size, or \
             DataLoader::drop_last(false)"
        ),
    }
}

/// The reason why a checkpoint could not be written or restored. Model, optimizers, callbacks and
/// generator are unchanged.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file cannot be read or written, or is damaged.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is a valid safetensors file, but not a checkpoint of a run; it may be a model.
    #[error("{}: expected a checkpoint of a run, found another safetensors file; nn::load reads models", path.display())]
    NoCheckpoint {
        /// The file.
        path: PathBuf,
    },
    /// The checkpoint has another format version than this program reads.
    #[error("{}: expected a checkpoint of version {known}, found version {found:?}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version of the file.
        found: String,
        /// The version that this program reads.
        known: &'static str,
    },
    /// A part of the checkpoint is missing or malformed.
    #[error("{}: {name} is missing or malformed; the file is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The name of the part.
        name: String,
    },
    /// The checkpoint is of another model.
    #[error("{}: the checkpoint is of another model:{mismatch}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// All differences.
        mismatch: Mismatch,
    },
    /// The checkpoint is of another optimizer, or its state does not fit.
    #[error("{}: {error}", path.display())]
    Optimizer {
        /// The file.
        path: PathBuf,
        /// The error of the optimizer.
        error: StateError,
    },
    /// The checkpoint is of a run with another number of optimizers.
    #[error("{}: the saved run had {saved} optimizers, this run has {found}: resume with the same \
         optimizers", path.display())]
    Optimizers {
        /// The file.
        path: PathBuf,
        /// The number of optimizers of the saved run.
        saved: usize,
        /// The number of optimizers now.
        found: usize,
    },
    /// The checkpoint is of a run with other callbacks. Only callbacks with a state are compared.
    #[error(
        "{}: the saved run had the callbacks with a state: {}; this run has: {}; resume with the same callbacks \
         in the same order", path.display(), listed(saved), listed(found)
    )]
    Callbacks {
        /// The file.
        path: PathBuf,
        /// The names of the callbacks of the saved run.
        saved: Vec<String>,
        /// The names of the callbacks now.
        found: Vec<String>,
    },
    /// The state of a callback cannot be saved, or the callback refuses the saved state.
    #[error("{}: the callback {name}: {message}", path.display())]
    Callback {
        /// The file.
        path: PathBuf,
        /// The callback's name.
        name: String,
        /// The reason.
        message: String,
    },
    /// The checkpoint was made on data of another size, so the saved position is not valid for them.
    #[error(
        "{}: the saved run had {} examples in {} batches, this run has {} in {}: resume with the \
         same data and batch size", path.display(),
        saved.0, saved.1, found.0, found.1
    )]
    Data {
        /// The file.
        path: PathBuf,
        /// The numbers of examples and batches of the saved run.
        saved: (usize, usize),
        /// The numbers of examples and batches now.
        found: (usize, usize),
    },
    /// The data have the same size as before, but the first batch differs: other examples, another order,
    /// or another augmentation.
    #[error(
        "{}: the first batch of the training data differs from that of the saved run: resume with \
         the same data, order, seed and augmentation", path.display()
    )]
    FirstBatch {
        /// The file.
        path: PathBuf,
    },
    /// The schedule gives a finished step a different learning rate than the saved run used, or it ends
    /// before that step.
    #[error(
        "{}: step {step} of the saved run had the learning rate {saved}, but the schedule {}: \
         resume with the same schedule and the same number of steps", path.display(),
        found.map_or("ends before this step".into(), |found| format!("returns {found}"))
    )]
    Schedule {
        /// The file.
        path: PathBuf,
        /// The first step that differs, counted from 1.
        step: usize,
        /// The learning rate of the step in the saved run.
        saved: f64,
        /// The learning rate that the schedule gives now; `None` if it ends before the step.
        found: Option<f64>,
    },
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

wengert_tensor::debug_is_display!(TrainError, CheckpointError);

/// Turns an error of an operation into the error of the run, with the example if it concerns one.
pub(crate) fn refused(
    error: OperationError,
    model: &dyn Module,
    example: impl Fn(usize) -> Example,
) -> TrainError {
    let error = named(error, model);
    match error.cause {
        Cause::Sample(sample) => TrainError::Example { example: Box::new(example(sample)), error },
        _ => TrainError::Operation(error),
    }
}

/// Sets the path to the type of the model if it is empty, as in models that open no scopes.
pub(crate) fn named(mut error: OperationError, model: &dyn Module) -> OperationError {
    if error.path.is_empty() {
        error.path = model.outline().name().to_string();
    }
    error
}
