//! What a run of training is to be.

use crate::batches::Batches;
use crate::objective::Objective;
use std::path::PathBuf;
use wengert_optim::{LambdaLr, Schedule};
use wengert_tensor::{Float, Tensor};

/// Trains a model: so many epochs, towards an [`Objective`], with what else is asked for.
///
/// ```
/// use wengert_data::{DataLoader, Digits, random_split};
/// use wengert_nn::{Flatten, Linear, Relu, sequential};
/// use wengert_optim::{OneCycleLr, Sgd};
/// use wengert_tensor::Philox;
/// use wengert_train::{Criterion, Trainer, evaluate};
///
/// let [train, valid, test] = random_split(Digits::load().dataset(), [1200, 297, 300], 0);
/// let train = DataLoader::new(&train, 32).shuffle(0);
/// let valid = DataLoader::new(&valid, 500);
///
/// let mut rng = Philox::new(0);
/// let mut model =
///     sequential![Flatten::new(), Linear::new(64, 32, &mut rng), Relu, Linear::new(32, 10, &mut rng)];
/// let mut optimizer = Sgd::new(0.1).momentum(0.9);
///
/// let history = Trainer::classifier()
///     .epochs(5)
///     .validate(&valid)
///     .keep_best(Criterion::Accuracy)
///     .schedule(OneCycleLr::new(0.2, 5 * train.len()))
///     .quiet()
///     .fit(&mut model, &mut optimizer, &train, &mut rng)?;
/// assert_eq!(history.epochs.len(), 5);
/// assert!(evaluate(&model, &DataLoader::new(&test, 500)).accuracy() > 0.9);
/// # Ok::<(), wengert_train::TrainError>(())
/// ```
#[must_use = "nothing is trained before `fit` is called"]
pub struct Trainer<'a, T: Float = f32, Y = Tensor<i64>> {
    pub(crate) objective: Objective<'a, T, Y>,
    pub(crate) epochs: u64,
    pub(crate) schedule: Option<(Box<dyn Schedule + 'a>, Per)>,
    pub(crate) validation: Option<Validation<'a, T, Y>>,
    pub(crate) keep_best: Option<Criterion>,
    pub(crate) checkpoint: Option<PathBuf>,
    pub(crate) checkpoint_every: Option<usize>,
    pub(crate) resume: Option<PathBuf>,
    pub(crate) stop_after: Option<usize>,
    pub(crate) quiet: bool,
}

/// Data that is held out, and what to call it.
pub(crate) struct Validation<'a, T: Float, Y> {
    pub name: String,
    pub data: &'a dyn Batches<T, Y>,
}

/// What a schedule counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Per {
    Step,
    Epoch,
}

/// What makes one epoch better than another, on the validation data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Criterion {
    /// A lower loss. Of epochs with the same loss the earliest is kept; a loss that is not finite is
    /// never the best.
    Loss,
    /// A higher accuracy. Of epochs with the same accuracy the earliest is kept.
    Accuracy,
}

impl<'a> Trainer<'a> {
    /// Towards [`Objective::classification`].
    pub fn classifier() -> Self {
        Self::new(Objective::classification())
    }
}

impl<'a, T: Float, Y> Trainer<'a, T, Y> {
    /// One epoch towards this objective, without validation.
    pub fn new(objective: Objective<'a, T, Y>) -> Self {
        Trainer {
            objective,
            epochs: 1,
            schedule: None,
            validation: None,
            keep_best: None,
            checkpoint: None,
            checkpoint_every: None,
            resume: None,
            stop_after: None,
            quiet: false,
        }
    }

    /// What is learnt: to evaluate by it, too.
    pub fn objective(&self) -> &Objective<'a, T, Y> {
        &self.objective
    }

    /// How often every example is seen; default 1.
    pub fn epochs(self, epochs: u64) -> Self {
        Trainer { epochs, ..self }
    }

    /// The learning rate, and the momentum if the schedule has one, of each step, counted from 0 over
    /// all epochs; without a schedule, the optimizer's own.
    pub fn schedule(self, schedule: impl Schedule + 'a) -> Self {
        Trainer { schedule: Some((Box::new(schedule), Per::Step)), ..self }
    }

    /// As [`schedule`](Trainer::schedule), but what is counted are epochs: what PyTorch's examples
    /// do, which call `scheduler.step()` after each.
    pub fn schedule_by_epoch(self, schedule: impl Schedule + 'a) -> Self {
        Trainer { schedule: Some((Box::new(schedule), Per::Epoch)), ..self }
    }

    /// The learning rate of each step as a function of its number.
    pub fn learning_rate(self, of_step: impl Fn(usize) -> f64 + 'a) -> Self {
        self.schedule(LambdaLr::new(1.0, of_step))
    }

    /// Evaluates on this data after every epoch.
    pub fn validate(self, data: &'a dyn Batches<T, Y>) -> Self {
        self.validate_as("valid", data)
    }

    /// As [`validate`](Trainer::validate), under another name in what is printed.
    pub fn validate_as(self, name: &str, data: &'a dyn Batches<T, Y>) -> Self {
        Trainer { validation: Some(Validation { name: name.into(), data }), ..self }
    }

    /// Keeps the weights of the epoch that was best on the validation data, and puts them into the
    /// model after the last epoch. Which epoch that was, [`History::best`](crate::History::best) and
    /// the last line that is printed say. If no epoch has a finite score, the model keeps the weights
    /// of the last.
    pub fn keep_best(self, criterion: Criterion) -> Self {
        Trainer { keep_best: Some(criterion), ..self }
    }

    /// Saves the run into this file after every epoch, each time in one step: there is always a
    /// whole checkpoint.
    pub fn checkpoint(self, path: impl Into<PathBuf>) -> Self {
        Trainer { checkpoint: Some(path.into()), ..self }
    }

    /// Saves the run also in the middle of epochs, whenever so many steps have been made since the
    /// first.
    pub fn checkpoint_every(self, steps: usize) -> Self {
        Trainer { checkpoint_every: Some(steps), ..self }
    }

    /// Goes on where this checkpoint was saved: weights, buffers, optimizer, generator, position
    /// and history are those of the saved run, and what follows has the same bits as if it had not
    /// been interrupted. Model, optimizer, data and the settings here have to be made as they were
    /// for that run: another model or optimizer, other data (or the same with another order, seed or
    /// distortion) and a schedule with other learning rates for the steps that were made are
    /// refused. A larger number of epochs makes the run longer, if the schedule does not depend on it.
    pub fn resume(self, path: impl Into<PathBuf>) -> Self {
        Trainer { resume: Some(path.into()), ..self }
    }

    /// Ends the run after so many steps, those before a resumption counted, though epochs are left.
    /// A checkpoint is saved then, if one was asked for.
    pub fn stop_after(self, steps: usize) -> Self {
        Trainer { stop_after: Some(steps), ..self }
    }

    /// Prints nothing.
    pub fn quiet(self) -> Self {
        Trainer { quiet: true, ..self }
    }
}
