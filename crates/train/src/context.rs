//! What a callback sees of a run.

use crate::callback::Outcome;
use crate::error::TrainError;
use crate::history::{History, Score};
use crate::run::{Run, Stop};
use crate::step::{Sum, add_sums, check_name};
use crate::task::names;
use std::path::PathBuf;
use wengert_autograd::{Gradients, Module};
use wengert_nn::{load_state_dict, state_dict};
use wengert_optim::Optimizer;
use wengert_tensor::Float;

/// A run as its [`Callback`](crate::Callback)s see it: model, optimizers, gradients before they are
/// used, history and position.
pub struct Context<'c, T: Float = f32> {
    pub(crate) model: &'c mut dyn Module,
    pub(crate) optimizers: &'c mut dyn OptimizerList<T>,
    /// The gradients, and which optimizer will use them.
    pub(crate) gradients: Option<(usize, &'c mut Gradients<T>)>,
    /// Whether the gradients were handed out since they were looked at, and may have changed.
    pub(crate) lent: bool,
    pub(crate) run: &'c mut Run,
}

/// The optimizers of a run, whatever their lifetimes.
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
    /// The model.
    pub fn model(&self) -> &dyn Module {
        self.model
    }

    /// The model, to change it. While there are [`gradients`](Context::gradients), a parameter that
    /// changes makes them stale, and the optimizer's step panics.
    pub fn model_mut(&mut self) -> &mut dyn Module {
        self.model
    }

    /// How many optimizers there are.
    pub fn optimizers(&self) -> usize {
        self.optimizers.count()
    }

    /// The first optimizer: the only one, as a rule.
    pub fn optimizer(&mut self) -> &mut dyn Optimizer<T> {
        self.optimizer_at(0)
    }

    /// The optimizer of this number, counted from 0 in the order in which they were passed.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn optimizer_at(&mut self, index: usize) -> &mut dyn Optimizer<T> {
        let count = self.optimizers.count();
        match self.optimizers.at_mut(index) {
            Some(optimizer) => optimizer,
            None => panic!("optimizer_at: no optimizer {index} among {count}"),
        }
    }

    /// The learning rate of the first optimizer.
    pub fn learning_rate(&self) -> f64 {
        self.optimizers.at(0).map_or(f64::NAN, Optimizer::learning_rate)
    }

    /// The gradients of the update that is about to be made, to look at or to change. They are finite, and
    /// must be finite afterwards: else the step is not made, and the run ends with
    /// [`TrainError::Gradient`](crate::TrainError::Gradient). `None` outside
    /// [`Callback::before_update`](crate::Callback::before_update).
    pub fn gradients(&mut self) -> Option<&mut Gradients<T>> {
        self.model_and_gradients().1
    }

    /// The model together with the [`gradients`](Context::gradients), for what needs both.
    ///
    /// ```
    /// use wengert_tensor::Float;
    /// use wengert_train::{Callback, CallbackState, Context, Outcome};
    ///
    /// /// Logs the norm of each parameter's gradient.
    /// struct Norms;
    /// impl<T: Float> Callback<T> for Norms {
    ///     fn before_update(&mut self, run: &mut Context<'_, T>) -> Outcome {
    ///         let (model, gradients) = run.model_and_gradients();
    ///         let Some(gradients) = gradients else { return Ok(()) };
    ///         let norm = |gradient: &wengert_tensor::Tensor<T>| gradient.square().sum_all().to().sqrt();
    ///         let all = gradients.of(model).into_iter();
    ///         let norms: Vec<_> = all.map(|(name, _, g)| (format!("|{name}|"), norm(g))).collect();
    ///         norms.iter().for_each(|(name, norm)| run.log(name, *norm));
    ///         Ok(())
    ///     }
    /// }
    /// # let _: CallbackState = Callback::<f32>::state(&Norms);
    /// ```
    pub fn model_and_gradients(&mut self) -> (&dyn Module, Option<&mut Gradients<T>>) {
        self.lent = self.gradients.is_some();
        let gradients = self.gradients.as_mut().map(|(_, gradients)| &mut **gradients);
        (&*self.model, gradients)
    }

    /// That gradients that were handed out to a callback are finite still.
    pub(crate) fn check_gradients(&mut self, callback: impl Fn() -> String) -> Outcome {
        let lent = std::mem::take(&mut self.lent);
        let Some((_, gradients)) = self.gradients.as_ref().filter(|_| lent) else { return Ok(()) };
        let bad = gradients.not_finite();
        if bad.is_empty() {
            return Ok(());
        }
        Err(TrainError::Gradient {
            epoch: self.run.epoch + 1,
            step: self.run.step + 1,
            loss: f64::NAN, // the step knows it
            parameters: names::<T>(&*self.model, &bad),
            callback: Some(callback()),
        })
    }

    /// The number of the optimizer that the gradients are for, counted from 0.
    pub fn updating(&self) -> Option<usize> {
        self.gradients.as_ref().map(|(optimizer, _)| *optimizer)
    }

    /// What has happened so far. After an epoch, its record is the last.
    pub fn history(&self) -> &History {
        &self.run.history
    }

    /// How many epochs were finished: the number of the running epoch, counted from 0.
    pub fn epoch(&self) -> u64 {
        self.run.epoch
    }

    /// How many epochs there are to be.
    pub fn epochs(&self) -> u64 {
        self.run.epochs
    }

    /// How many steps of the running epoch were made.
    pub fn step(&self) -> usize {
        self.run.step
    }

    /// How many steps an epoch has.
    pub fn steps_per_epoch(&self) -> usize {
        self.run.steps_per_epoch()
    }

    /// How many steps were made since the start of the run, those before a resumption counted.
    pub fn steps(&self) -> usize {
        self.run.history.steps()
    }

    /// Whether the run goes on from a checkpoint.
    pub fn resumed(&self) -> bool {
        self.run.resumed
    }

    /// The mean loss, and the accuracy, of the running epoch so far.
    pub fn so_far(&self) -> Score {
        self.run.sums.score()
    }

    /// The mean of a logged number over the running epoch so far; `None` if it was not logged.
    pub fn logged_so_far(&self, name: &str) -> Option<f64> {
        self.run.sums.logged(name)
    }

    /// Shows a number beside the loss, where [`Step::log`](crate::Step::log) shows its own: during an epoch
    /// the epoch's number is the mean over all calls, each of which counts the same, whatever the size of
    /// its batch; after an epoch ([`Callback::after_epoch`](crate::Callback::after_epoch)) it is the number
    /// of that epoch.
    ///
    /// # Panics
    /// If the name is empty, `loss`, or holds a line break.
    #[track_caller]
    pub fn log(&mut self, name: &str, value: f64) {
        check_name(name);
        if let (false, Some(epoch)) = (self.run.running, self.run.history.epochs.last_mut()) {
            epoch.log_mut(name).train = Some(value);
        } else {
            let sum = Sum { name: name.into(), sum: value, weight: 1.0 };
            add_sums(&mut self.run.sums.logs, vec![sum]);
        }
    }

    /// Ends the run: after this step, or after this epoch. The reason stands in
    /// [`History::stopped`](crate::History::stopped). The first request counts. If the best weights
    /// were kept, the model gets them, as at the end of a run that was not stopped.
    pub fn stop(&mut self, why: impl Into<String>) {
        self.run.stop.get_or_insert(Stop { why: why.into(), pause: false });
    }

    /// Whether the run is to end.
    pub fn stopping(&self) -> bool {
        self.run.stop.is_some()
    }

    /// Asks for a validation after the epoch that is ending: to be called in
    /// [`Callback::end_epoch`](crate::Callback::end_epoch). Without validation data nothing happens.
    pub fn validate(&mut self) {
        self.run.validate = true;
    }

    /// Asks for a checkpoint in this file. It is written when all callbacks have been called, so that
    /// it holds what they remember then.
    pub fn save(&mut self, path: impl Into<PathBuf>) {
        let path = path.into();
        if !self.run.saves.contains(&path) {
            self.run.saves.push(path);
        }
    }

    /// Keeps the weights as those of the best epoch so far, which is the last one. After the last epoch
    /// the model gets the weights that were kept.
    pub fn keep_as_best(&mut self) {
        self.run.history.best = self.run.history.epochs.len().checked_sub(1);
        self.run.best = Some(state_dict(&*self.model));
    }

    /// Gives the model the weights that were kept, if any were.
    pub(crate) fn restore_best(&mut self) {
        if let Some(best) = &self.run.best {
            load_state_dict(self.model, best).expect("the weights are this model's");
        }
    }
}
