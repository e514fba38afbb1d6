//! The view of a run that callbacks get.

use crate::error::{Outcome, TrainError};
use crate::history::{History, Score};
use crate::run::{RunState, Stop};
use crate::step::{LoggedSum, add_sums, check_name};
use std::path::PathBuf;
use wengert_autograd::{Gradients, Module, Param, ParamId, Path};
use wengert_nn::{load_state_dict, state_dict};
use wengert_optim::Optimizer;
use wengert_tensor::Float;

/// The view of a run that a [`Callback`](crate::Callback) gets: model, optimizers, history, position, and
/// the gradients before the optimizer uses them.
pub struct Context<'c, T: Float = f32> {
    pub(crate) model: &'c mut dyn Module,
    pub(crate) optimizers: &'c mut dyn OptimizerList<T>,
    /// The update that is about to be made, if one is.
    pub(crate) update: Option<PendingUpdate<'c, T>>,
    pub(crate) run: &'c mut RunState,
}

/// An update between gradients and optimizer.
pub(crate) struct PendingUpdate<'c, T: Float> {
    /// The index of the optimizer that will use the gradients.
    pub optimizer: usize,
    pub gradients: &'c mut Gradients<T>,
    pub loss: f64,
    /// Whether a callback had mutable access to the gradients since the last check.
    pub exposed: bool,
}

/// The optimizers of a run. A trait, so that their lifetimes are hidden.
pub(crate) trait OptimizerList<T: Float> {
    fn count(&self) -> usize;
    fn at(&self, index: usize) -> Option<&dyn Optimizer<T>>;
    fn at_mut(&mut self, index: usize) -> Option<&mut dyn Optimizer<T>>;
}

impl<T: Float> OptimizerList<T> for &mut [&mut dyn Optimizer<T>] {
    fn count(&self) -> usize {
        self.len()
    }
    fn at(&self, index: usize) -> Option<&dyn Optimizer<T>> {
        self.get(index).map(|optimizer| &**optimizer)
    }
    fn at_mut(&mut self, index: usize) -> Option<&mut dyn Optimizer<T>> {
        match self.get_mut(index) {
            Some(optimizer) => Some(&mut **optimizer),
            None => None,
        }
    }
}

impl<T: Float> Context<'_, T> {
    /// Returns the model.
    pub fn model(&self) -> &dyn Module {
        self.model
    }

    /// Returns the model, to change it. During [`Callback::before_update`](crate::Callback::before_update)
    /// do not change parameters: the gradients would be stale, and the run would end with
    /// [`TrainError::Update`](crate::TrainError::Update).
    pub fn model_mut(&mut self) -> &mut dyn Module {
        self.model
    }

    /// Returns the number of optimizers.
    pub fn optimizers(&self) -> usize {
        self.optimizers.count()
    }

    /// Returns the first optimizer, which is usually the only one.
    ///
    /// # Panics
    /// If the run has no optimizer.
    #[track_caller]
    pub fn optimizer(&mut self) -> &mut dyn Optimizer<T> {
        assert!(
            self.optimizers.count() > 0,
            "optimizer: the run has no optimizer: pass one to fit_steps"
        );
        self.optimizer_at(0)
    }

    /// Returns the optimizer of this number, counted from 0 in the order in which they were passed.
    ///
    /// # Panics
    /// If there is no optimizer of this number.
    #[track_caller]
    pub fn optimizer_at(&mut self, index: usize) -> &mut dyn Optimizer<T> {
        let count = self.optimizers.count();
        match self.optimizers.at_mut(index) {
            Some(optimizer) => optimizer,
            None => panic!("optimizer_at: index {index} is out of range for {count} optimizers"),
        }
    }

    /// Returns the learning rate of the first optimizer.
    pub fn learning_rate(&self) -> f64 {
        self.optimizers.at(0).map_or(f64::NAN, Optimizer::learning_rate)
    }

    /// Returns the gradients of the update that follows, to read or to change; `None` outside
    /// [`Callback::before_update`](crate::Callback::before_update). They are finite. If the callback
    /// leaves a NaN or an infinity in them, the step is not made, and the run ends with
    /// [`TrainError::Gradient`](crate::TrainError::Gradient).
    pub fn gradients(&mut self) -> Option<&mut Gradients<T>> {
        self.model_and_gradients().1
    }

    /// Returns the model together with the [`gradients`](Context::gradients).
    ///
    /// ```
    /// use wengert::tensor::Float;
    /// use wengert::train::{Callback, Context, Outcome};
    ///
    /// /// Logs the norm of each parameter's gradient.
    /// struct Norms;
    /// impl<T: Float> Callback<T> for Norms {
    ///     fn before_update(&mut self, run: &mut Context<'_, T>) -> Outcome {
    ///         let (model, gradients) = run.model_and_gradients();
    ///         let Some(gradients) = gradients else { return Ok(()) };
    ///         let norm = |gradient: &wengert::tensor::Tensor<T>| gradient.square().sum_all().to().sqrt();
    ///         let all = gradients.of(model).into_iter();
    ///         let norms: Vec<_> = all.map(|(name, _, g)| (format!("|{name}|"), norm(g))).collect();
    ///         norms.iter().for_each(|(name, norm)| run.log(name, *norm));
    ///         Ok(())
    ///     }
    /// }
    /// ```
    pub fn model_and_gradients(&mut self) -> (&dyn Module, Option<&mut Gradients<T>>) {
        let gradients = self.update.as_mut().map(|update| {
            update.exposed = true;
            &mut *update.gradients
        });
        (&*self.model, gradients)
    }

    /// Checks that the gradients are still finite after a callback had access to them.
    pub(crate) fn check_gradients(&mut self, callback: impl Fn() -> String) -> Outcome {
        let Some(update) = &mut self.update else { return Ok(()) };
        if !std::mem::take(&mut update.exposed) {
            return Ok(());
        }
        let bad = update.gradients.not_finite();
        if bad.is_empty() {
            return Ok(());
        }
        Err(TrainError::Gradient {
            epoch: self.run.epoch + 1,
            step: self.run.step + 1,
            loss: update.loss,
            parameters: names::<T>(&*self.model, &bad),
            callback: Some(callback()),
        })
    }

    /// Returns the number of the optimizer that will use the gradients, counted from 0; `None` outside
    /// [`Callback::before_update`](crate::Callback::before_update).
    pub fn updating(&self) -> Option<usize> {
        self.update.as_ref().map(|update| update.optimizer)
    }

    /// Returns the history so far. After an epoch, the last record is that of this epoch.
    pub fn history(&self) -> &History {
        &self.run.history
    }

    /// Returns the number of finished epochs, which is the number of the running epoch, counted from 0.
    pub fn epoch(&self) -> u64 {
        self.run.epoch
    }

    /// Returns the number of epochs that the run will have.
    pub fn epochs(&self) -> u64 {
        self.run.epochs
    }

    /// Returns the number of steps that the running epoch has made.
    pub fn step(&self) -> usize {
        self.run.step
    }

    /// Returns the number of steps of an epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.run.steps_per_epoch()
    }

    /// Returns the number of steps since the start of the run. Steps before a resumption count.
    pub fn steps(&self) -> usize {
        self.run.history.steps()
    }

    /// Returns whether the run was resumed from a checkpoint.
    pub fn resumed(&self) -> bool {
        self.run.resumed
    }

    /// Returns the mean loss and the accuracy of the running epoch so far.
    pub fn so_far(&self) -> Score {
        self.run.sums.score()
    }

    /// Returns the mean of a logged number over the running epoch so far; `None` if it was not logged.
    pub fn logged_so_far(&self, name: &str) -> Option<f64> {
        self.run.sums.logged(name)
    }

    /// Logs a number beside the loss, in the same places as [`Step::log`](crate::Step::log). During an epoch
    /// the number of the epoch is the mean over all calls; each call has the same weight, whatever the
    /// size of its batch. After an epoch ([`Callback::after_epoch`](crate::Callback::after_epoch)) the
    /// value replaces the number of that epoch.
    ///
    /// # Panics
    /// If the name is empty, is `loss`, or holds a line break.
    #[track_caller]
    pub fn log(&mut self, name: &str, value: f64) {
        check_name("log", name);
        if let (false, Some(epoch)) = (self.run.running, self.run.history.epochs.last_mut()) {
            epoch.log_mut(name).train = Some(value);
        } else {
            let sum = LoggedSum { name: name.into(), sum: value, weight: 1.0 };
            add_sums(&mut self.run.sums.logs, vec![sum]);
        }
    }

    /// Ends the run after this step or, in the methods at the end of an epoch, after this epoch. The
    /// reason is stored in [`History::stopped`](crate::History::stopped); only the first request counts.
    /// If the best weights were kept, the model gets them, as at the end of a run that was not stopped.
    pub fn stop(&mut self, why: impl Into<String>) {
        self.run.stop.get_or_insert(Stop { why: why.into(), pause: false });
    }

    /// Returns whether a callback or a setting has requested the end of the run.
    pub fn stopping(&self) -> bool {
        self.run.stop.is_some()
    }

    /// Requests a validation after the epoch that is ending. Call it in
    /// [`Callback::before_validation`](crate::Callback::before_validation). Without validation data nothing happens.
    pub fn validate(&mut self) {
        self.run.validate = true;
    }

    /// Requests a checkpoint in this file. The file is written after all callbacks of this event have run; in
    /// [`before_validation`](crate::Callback::before_validation), after the validation and
    /// [`after_epoch`](crate::Callback::after_epoch).
    pub fn save(&mut self, path: impl Into<PathBuf>) {
        let path = path.into();
        if !self.run.saves.contains(&path) {
            self.run.saves.push(path);
        }
    }

    /// Keeps the current weights as the best ones, and marks the last epoch as the best. At the end of the
    /// run the model gets the weights that were kept.
    pub fn keep_as_best(&mut self) {
        self.run.history.best_epoch = self.run.history.epochs.len().checked_sub(1);
        self.run.best = Some(state_dict(&*self.model));
    }

    /// Puts the kept weights into the model, if there are any.
    pub(crate) fn restore_best(&mut self) {
        if let Some(best) = &self.run.best {
            load_state_dict(self.model, best).expect("the weights are this model's");
        }
    }
}

/// Returns the names of these parameters, in visiting order.
pub(crate) fn names<T: Float>(model: &dyn Module, of: &[ParamId]) -> Vec<String> {
    let mut names = Vec::new();
    model.visit(&Path::root(), &mut |path, state| {
        if state.downcast_ref::<Param<T>>().is_some_and(|param| of.contains(&param.id())) {
            names.push(path.name_or("the parameter itself"));
        }
    });
    names
}
