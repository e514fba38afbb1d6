//! The loop over epochs and steps.

use crate::batch::{Batch, Fingerprint};
use crate::batches::Batches;
use crate::callback::{Callback, CallbackEvent, CallbackList};
use crate::callbacks::{KeepBest, ModelCheckpoint, Scheduled, StopAfter, Validate};
use crate::checkpoint::Parts;
use crate::context::{Context, OptimizerList};
use crate::error::{Example, TrainError};
use crate::evaluation::measure_named;
use crate::history::History;
use crate::progress::Progress;
use crate::run::{RunState, epochs};
use crate::settings::{Criterion, Per, Settings, Validation};
use crate::task::{FullStep, ShapeOnlyStep, StepContext, StepKind, TrainStep, on_shapes};
use wengert_autograd::{Anomalies, Mode, Module};
use wengert_optim::Optimizer;
use wengert_tensor::{Float, Instant, Philox};

/// The model, optimizers, data, generator and step of a run.
pub(crate) struct RunParts<'w, M, B, T: Float> {
    pub model: &'w mut M,
    pub optimizers: &'w mut dyn OptimizerList<T>,
    pub data: &'w dyn Batches<B>,
    pub rng: &'w mut Philox,
    pub task: &'w dyn TrainStep<M, B, T>,
}

/// A running training loop.
struct Loop<'w, 'k, M, B, T: Float> {
    work: RunParts<'w, M, B, T>,
    callbacks: Vec<&'k mut dyn Callback<T>>,
    run: RunState,
    /// The modes and shapes of the batches that passed the shape-only run.
    fitting: Vec<(Mode, Vec<usize>)>,
    anomalies: Option<Anomalies>,
    /// The fingerprint of the first batch, for checkpoints.
    first_batch: u64,
}

impl<M: Module, B: Batch, T: Float> Loop<'_, '_, M, B, T> {
    /// Runs the remaining epochs.
    fn run_epochs(&mut self, validation: Option<&Validation<'_, B>>) -> Result<(), TrainError> {
        let (data, steps) = (self.work.data, self.work.data.len());
        self.call(CallbackEvent::Start)?;
        while self.run.epoch < self.run.epochs && self.run.stop.is_none() {
            self.run.running = true;
            let mut batches = data.batches(self.run.epoch, self.run.step);
            while self.run.step < steps && self.run.stop.is_none() {
                let begun = Instant::now();
                let batch = batches.next().ok_or_else(|| too_few(data, self.run.epoch))?;
                self.call(CallbackEvent::BeforeStep)?;
                self.step(&batch)?;
                self.run.sums.seconds += begun.elapsed().as_secs_f64();
                self.call(CallbackEvent::AfterStep)?;
            }
            if self.run.step < steps {
                break;
            }
            self.run.before_validation();
            self.call(CallbackEvent::BeforeValidation)?;
            if let (true, Some(validation)) = (self.run.validate, validation) {
                self.validate(validation)?;
            }
            self.call(CallbackEvent::AfterEpoch)?;
        }
        // A request to stop in the last step or epoch has no effect, since the run is complete.
        if self.run.epoch >= self.run.epochs {
            self.run.stop = None;
        }
        self.call(CallbackEvent::Finish)
    }

    /// Runs the step of the task, and adds its loss and learning rate to the history.
    fn step(&mut self, batch: &B) -> Result<(), TrainError> {
        self.check_shapes(batch, Mode::Train)?;
        let Loop { work, callbacks, run, anomalies, .. } = self;
        let (data, epoch, batch_index) = (work.data, run.epoch, run.step);
        let example = |sample| Example::of(data, TRAINING.into(), epoch, batch_index, sample);
        let full = FullStep {
            optimizers: &mut *work.optimizers,
            callbacks,
            anomalies: *anomalies,
            run,
            rng: &mut *work.rng,
            example: &example,
            not_finite: &|| batch.not_finite(),
            loss: None,
            logs: Vec::new(),
        };
        let mut cx = StepContext { kind: StepKind::Full(full), examples: batch.examples() };
        work.task.step(&mut *work.model, &mut cx, batch)?;
        let StepKind::Full(FullStep { loss, logs, .. }) = cx.kind else {
            unreachable!("made above")
        };
        run.sums.add(batch.examples(), loss, logs);
        run.history.losses.push(loss.unwrap_or(f64::NAN));
        let rate = work.optimizers.at(0).map_or(f64::NAN, Optimizer::learning_rate);
        run.history.learning_rates.push(rate);
        run.step += 1;
        Ok(())
    }

    /// Measures the model on validation data, after an epoch.
    fn validate(&mut self, validation: &Validation<'_, B>) -> Result<(), TrainError> {
        self.run.validate = false;
        let RunParts { model, task, .. } = &self.work;
        let (name, epoch) = (described(&validation.name), self.run.epoch - 1);
        let sums = measure_named(
            &**model,
            validation.data,
            &name,
            epoch,
            task.records(),
            |step, batch| task.validate(&**model, step, batch),
        )?;
        self.run.validated(&sums);
        Ok(())
    }

    /// Calls this method of all callbacks, and writes the checkpoints that they asked for.
    fn call(&mut self, event: CallbackEvent) -> Result<(), TrainError> {
        let Loop { work, callbacks, run, .. } = self;
        let mut context = Context {
            model: &mut *work.model,
            optimizers: &mut *work.optimizers,
            update: None,
            run,
        };
        callbacks.call(event, &mut context)?;
        if matches!(event, CallbackEvent::BeforeValidation) {
            // The epoch is counted, and its validation is not made yet: nothing could resume from here.
            // `AfterEpoch` writes the files.
            return Ok(());
        }
        for path in std::mem::take(&mut self.run.saves) {
            let run = std::mem::take(&mut self.run);
            let saved = self.parts().save(&run, &path);
            self.run = run;
            saved?;
        }
        Ok(())
    }

    fn parts(&mut self) -> Parts<'_, T> {
        Parts {
            model: &mut *self.work.model,
            optimizers: &mut *self.work.optimizers,
            rng: &mut *self.work.rng,
            callbacks: &mut self.callbacks,
            data: (self.work.data.examples(), self.work.data.len()),
            first_batch: self.first_batch,
        }
    }

    /// Checks the first and the last batch of an epoch on shapes alone, and returns the fingerprint of the
    /// first.
    fn check_data(
        &mut self,
        data: &dyn Batches<B>,
        name: &str,
        mode: Mode,
    ) -> Result<u64, TrainError> {
        let (batches, all) = (data.len(), data.examples());
        if batches == 0 {
            return Err(TrainError::NoBatches { data: name.into(), examples: all });
        }
        let fewer = || TrainError::TooFewBatches { data: name.into(), epoch: 1, batches };
        let first = data.batches(0, 0).next().ok_or_else(fewer)?;
        self.check_shapes(&first, mode)?;
        let usual = first.examples();
        let known = data.last_batch();
        // Usually the sizes show whether the last batch has the size of the others. It is loaded only if not.
        let alike = match known {
            Some(size) => size == usual,
            None => usual.checked_mul(batches) == Some(all),
        };
        if batches > 1 && !alike {
            let last = match known.and_then(|size| first.first(size)) {
                Some(last) => last,
                None => data.batches(0, batches - 1).next().ok_or_else(fewer)?,
            };
            let size = last.examples();
            self.check_shapes(&last, mode).map_err(|error| match error {
                TrainError::Operation(error) if size < usual => {
                    TrainError::LastBatch { data: name.into(), size, usual, error }
                }
                error => error,
            })?;
        }
        Ok(Fingerprint::of(&first))
    }

    /// Checks a batch on shapes alone, if its shapes are new.
    fn check_shapes(&mut self, batch: &B, mode: Mode) -> Result<(), TrainError> {
        let mut shapes = Vec::new();
        batch.shapes(&mut |shape| {
            shapes.push(shape.len());
            shapes.extend_from_slice(shape);
        });
        let shapes = (mode, shapes);
        if self.fitting.contains(&shapes) {
            return Ok(());
        }
        let RunParts { model, optimizers, task, .. } = &mut self.work;
        let examples = batch.examples();
        match mode {
            Mode::Train if task.runs_on_shapes() => {
                let optimizers = &**optimizers;
                let counted_from_1 = (self.run.epoch + 1, self.run.step + 1);
                let kind = StepKind::ShapeOnly(ShapeOnlyStep { mode, optimizers, counted_from_1 });
                match task.step(&mut **model, &mut StepContext { kind, examples }, batch) {
                    // Callbacks may still freeze the parameters that the loss misses: the first step checks
                    // again.
                    Err(TrainError::Update { .. }) if !self.run.running => return Ok(()),
                    done => done?,
                }
            }
            Mode::Train => {}
            Mode::Eval => {
                let model = &**model;
                on_shapes(model, mode, examples, |step| task.validate(model, step, batch))?;
            }
        }
        self.fitting.push(shapes);
        Ok(())
    }
}

/// The name of the training data in errors.
pub(crate) const TRAINING: &str = "the training data";

/// Returns the name of validation data in errors.
pub(crate) fn described(name: &str) -> String {
    format!("the validation data `{name}`")
}

/// Returns one of the trainer's own callbacks as a trait object; `None` if the settings do not ask for it.
fn dynamic<T: Float, C: Callback<T>>(own: &mut Option<C>) -> Option<&mut dyn Callback<T>> {
    own.as_mut().map(|own| own as _)
}

fn too_few<B>(data: &dyn Batches<B>, epoch: u64) -> TrainError {
    TrainError::TooFewBatches { data: TRAINING.into(), epoch: epoch + 1, batches: data.len() }
}

impl Per {
    pub(crate) fn count(self, steps: usize, epoch: u64) -> usize {
        match self {
            Per::Step => steps,
            Per::Epoch => epochs(epoch),
        }
    }
}

impl<B: Batch, T: Float> Settings<'_, B, T> {
    /// Trains: checks everything that can be checked before the first step, resumes a checkpoint, and runs
    /// the loop with all callbacks.
    #[track_caller]
    pub(crate) fn train<M: Module>(
        &self,
        work: RunParts<'_, M, B, T>,
    ) -> Result<History, TrainError> {
        let (data, steps) = (work.data, work.data.len());
        self.check(steps);
        let mut user_callbacks = self.callbacks.borrow_mut();
        let mut schedule =
            self.schedule.as_ref().map(|(schedule, per)| Scheduled { schedule, per: *per });
        let mut validate = self.validation.as_ref().map(|_| Validate);
        let mut keep_best = self.keep_best.map(KeepBest);
        let mut stop_after = self.stop_after.map(StopAfter);
        let held_out = self.validation.as_ref().map(|validation| &*validation.name);
        let mut progress =
            (!self.quiet).then(|| Progress::new(held_out, self.keep_best, self.stop_after));
        let mut checkpoint = self.checkpoint.as_ref().map(|path| ModelCheckpoint {
            path: path.clone(),
            every: self.checkpoint_every,
            saved: None,
        });
        let mut callbacks: Vec<&mut dyn Callback<T>> = Vec::new();
        callbacks.extend(dynamic(&mut schedule));
        callbacks.extend(dynamic(&mut validate));
        for callback in user_callbacks.iter_mut() {
            callbacks.push(&mut **callback);
        }
        callbacks.extend(dynamic(&mut keep_best));
        callbacks.extend(dynamic(&mut stop_after));
        callbacks.extend(dynamic(&mut progress));
        callbacks.extend(dynamic(&mut checkpoint));

        let (run, fitting) = (RunState { epochs: self.epochs, ..RunState::default() }, Vec::new());
        let anomalies = self.anomalies;
        let mut training = Loop { work, callbacks, run, fitting, anomalies, first_batch: 0 };
        training.first_batch = training.check_data(data, TRAINING, Mode::Train)?;
        // Checks the validation shapes now rather than after the first epoch.
        if let Some(Validation { name, data }) = &self.validation {
            training.check_data(*data, &described(name), Mode::Eval)?;
        }
        if let Some(path) = self.checkpoint.as_ref().or(self.resume.as_ref()) {
            training.parts().can_be_saved(path)?;
        }
        // Loading the checkpoint is the last check, since it is the first to change model and optimizers.
        if let Some(path) = &self.resume {
            let agrees = |step, rate| self.agrees(step, rate, steps);
            training.run = training.parts().load(path, &agrees)?;
            training.run.resumed = true;
        }
        training.run.epochs = self.epochs;
        training.run.history.steps_per_epoch = steps;

        training.run_epochs(self.validation.as_ref())?;
        let Loop { work, mut run, .. } = training;
        if run.stop.as_ref().is_none_or(|stop| !stop.pause) {
            let (model, optimizers) = (work.model, work.optimizers);
            Context { model, optimizers, update: None, run: &mut run }.restore_best();
        }
        run.history.stopped = run.stop.map(|stop| stop.why);
        Ok(run.history)
    }

    /// Checks that the schedule, if there is one, gives a step of the saved run the learning rate that the
    /// step had. The error is the learning rate that the schedule gives, or `None` if it ends before the
    /// step.
    fn agrees(&self, step: usize, rate: f64, steps_per_epoch: usize) -> Result<(), Option<f64>> {
        let epoch = (step / steps_per_epoch) as u64;
        let Some((schedule, per)) = self.schedule.as_ref().filter(|_| epoch < self.epochs) else {
            return Ok(());
        };
        let count = per.count(step, epoch);
        if schedule.last_step().is_some_and(|last| count > last) {
            return Err(None);
        }
        let found = schedule.learning_rate(count);
        if found == rate { Ok(()) } else { Err(Some(found)) }
    }

    #[track_caller]
    fn check(&self, steps: usize) {
        // Makes a schedule that is too short panic before the first step rather than after hours.
        if let (Some((schedule, per)), Some(last)) = (&self.schedule, self.epochs.checked_sub(1)) {
            let steps = steps.saturating_mul(epochs(self.epochs));
            let steps = steps.min(self.stop_after.unwrap_or(usize::MAX));
            schedule.learning_rate(per.count(steps.saturating_sub(1), last));
        }
        if self.schedule.is_some() {
            let callbacks = self.callbacks.borrow();
            let other = callbacks.iter().find(|callback| callback.sets_learning_rate());
            assert!(
                other.is_none(),
                "callback: both {} and the schedule set the learning rate: remove one of the two",
                other.map_or(String::new(), Callback::name)
            );
        }
        assert!(
            self.keep_best.is_none() || self.validation.is_some(),
            "keep_best: expected validation data to compare the epochs, got none: set them with \
             Trainer::validate"
        );
    }
}

/// Checks that there are accuracies if the best epoch is chosen by them.
#[track_caller]
pub(crate) fn check_accuracy(keep_best: Option<Criterion>, classifies: bool) {
    assert!(
        keep_best != Some(Criterion::Accuracy) || classifies,
        "keep_best: the objective has no accuracy: use Criterion::Loss, or set a rule that maps \
         outputs to classes with Objective::predict"
    );
}
