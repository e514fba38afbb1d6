//! The callbacks that the trainer's settings add.

use crate::callback::{Callback, CallbackState};
use crate::context::Context;
use crate::error::{Outcome, TrainError};
use crate::run::Stop;
use crate::settings::{Criterion, Per};
use std::path::PathBuf;
use wengert_optim::Schedule;
use wengert_tensor::Float;

/// Sets the learning rate of each step for all optimizers.
pub(crate) struct Scheduled<'s> {
    pub schedule: &'s dyn Schedule,
    pub per: Per,
}

impl<T: Float> Callback<T> for Scheduled<'_> {
    fn before_step(&mut self, run: &mut Context<'_, T>) -> Outcome {
        let count = self.per.count(run.steps(), run.epoch());
        for optimizer in 0..run.optimizers() {
            (&self.schedule).apply(run.optimizer_at(optimizer), count);
        }
        Ok(())
    }

    fn state(&self) -> CallbackState {
        CallbackState::Nothing
    }

    fn sets_learning_rate(&self) -> bool {
        true
    }
}

/// Requests a validation after every epoch.
pub(crate) struct Validate;

impl<T: Float> Callback<T> for Validate {
    fn before_validation(&mut self, run: &mut Context<'_, T>) -> Outcome {
        run.validate();
        Ok(())
    }
}

/// Keeps the weights of the best epoch. Checkpoints contain these weights.
pub(crate) struct KeepBest(pub Criterion);

impl<T: Float> Callback<T> for KeepBest {
    fn after_epoch(&mut self, run: &mut Context<'_, T>) -> Outcome {
        let history = run.history();
        // The score of an epoch, larger is better; `None` if it is NaN or infinite.
        let value = |i: usize| {
            let score = history.epochs[i].validation;
            let value = score.and_then(|score| match self.0 {
                Criterion::Loss => Some(-score.loss),
                Criterion::Accuracy => score.accuracy,
            });
            value.filter(|value| value.is_finite())
        };
        let Some(last) = history.epochs.len().checked_sub(1) else { return Ok(()) };
        if let (Criterion::Accuracy, Some(score)) = (self.0, history.epochs[last].validation)
            && score.accuracy.is_none()
        {
            let message = "the loss logs no `accuracy` on validation data: use Criterion::Loss, or call \
                 Step::log_accuracy in the loss";
            return Err(TrainError::callback("keep_best", message));
        }
        let best = history.best_epoch.and_then(value);
        // A finite score beats having no best epoch. Among equal scores the earliest epoch is kept.
        if value(last).is_some_and(|value| best.is_none_or(|best| value > best)) {
            run.keep_as_best();
        }
        Ok(())
    }

    fn state(&self) -> CallbackState {
        CallbackState::Nothing
    }
}

/// Pauses the run after this number of steps.
pub(crate) struct StopAfter(pub usize);

impl StopAfter {
    fn stop_if_due<T: Float>(&self, run: &mut Context<'_, T>) {
        if run.steps() >= self.0 {
            let why = format!("{} steps were made", run.steps());
            run.run.stop.get_or_insert(Stop { why, pause: true });
        }
    }
}

impl<T: Float> Callback<T> for StopAfter {
    fn start(&mut self, run: &mut Context<'_, T>) -> Outcome {
        self.stop_if_due(run);
        Ok(())
    }

    fn after_step(&mut self, run: &mut Context<'_, T>) -> Outcome {
        self.stop_if_due(run);
        Ok(())
    }

    fn state(&self) -> CallbackState {
        CallbackState::Nothing
    }
}

/// Saves a checkpoint after every epoch, when the run stops, and optionally in the middle of epochs.
pub(crate) struct ModelCheckpoint {
    pub path: PathBuf,
    /// The number of steps between checkpoints in the middle of epochs.
    pub every: Option<usize>,
    /// The number of steps at the last checkpoint.
    pub saved: Option<usize>,
}

impl ModelCheckpoint {
    fn save<T: Float>(&mut self, run: &mut Context<'_, T>) {
        self.saved = Some(run.steps());
        run.save(&self.path);
    }
}

impl<T: Float> Callback<T> for ModelCheckpoint {
    fn after_step(&mut self, run: &mut Context<'_, T>) -> Outcome {
        let within = run.step() < run.steps_per_epoch();
        if self.every.is_some_and(|every| within && run.steps().is_multiple_of(every)) {
            self.save(run);
        }
        Ok(())
    }

    fn after_epoch(&mut self, run: &mut Context<'_, T>) -> Outcome {
        self.save(run);
        Ok(())
    }

    fn finish(&mut self, run: &mut Context<'_, T>) -> Outcome {
        if run.stopping() && self.saved != Some(run.steps()) {
            self.save(run);
        }
        Ok(())
    }

    fn state(&self) -> CallbackState {
        CallbackState::Nothing
    }
}
