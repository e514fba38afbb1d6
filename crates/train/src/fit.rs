//! The loop over epochs and steps.

use crate::batches::Batches;
use crate::checkpoint::Parts;
use crate::confusion::ConfusionMatrix;
use crate::error::{Example, TrainError};
use crate::evaluation::refused;
use crate::history::{History, Score};
use crate::progress::Progress;
use crate::run::Run;
use crate::trainer::{Criterion, Per, Trainer, Validation};
use std::time::Instant;
use wengert_autograd::{Mode, Param, ParamId, Path, ShapeError, Tape};
use wengert_nn::{Layer, load_state_dict, state_dict};
use wengert_optim::{Optimizer, Schedule};
use wengert_tensor::{Float, Philox, Shape, Tensor};

/// What a run works on.
struct Work<'w, T: Float, Y> {
    model: &'w mut dyn Layer<T>,
    optimizer: &'w mut dyn Optimizer<T>,
    train: &'w dyn Batches<T, Y>,
    rng: &'w mut Philox,
    /// Shapes of inputs that were found to fit, and in which mode.
    fitting: Vec<(Mode, Shape)>,
    /// What the first inputs are like, where a checkpoint must know.
    first_batch: u64,
}

/// What the data that a model is trained on are called in errors.
const TRAINING: &str = "the training data";

/// The inputs of the first batch as one number (FNV-1a: Fowler, Noll, Vo, 1991): with another seed,
/// order or distortion it is another.
fn fingerprint<T: Float>(inputs: &Tensor<T>) -> u64 {
    let bytes = inputs.cast::<f64>().to_vec().into_iter().flat_map(f64::to_le_bytes);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl Per {
    fn count(self, steps: usize, epoch: u64) -> usize {
        match self {
            Per::Step => steps,
            Per::Epoch => epoch as usize,
        }
    }
}

impl<T: Float, Y> Work<'_, T, Y> {
    fn parts(&mut self) -> Parts<'_, T> {
        Parts {
            model: self.model,
            optimizer: self.optimizer,
            rng: self.rng,
            data: (self.train.examples(), self.train.len()),
            first_batch: self.first_batch,
        }
    }
}

impl<T: Float, Y> Trainer<'_, T, Y> {
    /// Trains the model.
    ///
    /// All that is random in the run comes from `rng` (dropout, say) and from the seed of the loader
    /// (the order of the examples): the same seeds give the same bits.
    ///
    /// Before the first step, the first and the last batch of an epoch are run on shapes alone, in
    /// training mode, and those of the validation data in evaluation mode; so is every batch of a
    /// new shape before its step. A model or a loss that asks for a number on the way is run so far
    /// as it does not.
    ///
    /// Gradients and the updates of buffers are looked at before a step: if one is not finite, though
    /// the loss is, the step is not made.
    ///
    /// # Errors
    /// If data, model and loss do not fit each other, there is no batch, a class does not exist, loss,
    /// gradients or buffers are no longer finite, a counter of the model is at the end of `i64`, or a
    /// checkpoint cannot be written or taken over. What is found before the first step has changed
    /// nothing; the state of a run that ends later is that of its last step. Where panics abort (`panic = "abort"`), there is no run on shapes, and what
    /// an operation refuses is printed before the process ends.
    ///
    /// # Panics
    /// If the schedule is too short, or the best epoch is asked for by a measure that there is none
    /// of.
    #[track_caller]
    pub fn fit(
        &self,
        model: &mut dyn Layer<T>,
        optimizer: &mut dyn Optimizer<T>,
        train: &dyn Batches<T, Y>,
        rng: &mut Philox,
    ) -> Result<History, TrainError> {
        self.check_settings(train.len());
        let mut work = Work { model, optimizer, train, rng, fitting: Vec::new(), first_batch: 0 };
        let first = self.check_data(&mut work, train, TRAINING, Mode::Train)?;
        if self.resume.is_some() || self.checkpoint.is_some() {
            work.first_batch = fingerprint(&first);
        }
        // What would be found at the end of the first epoch only.
        if let Some(Validation { name, data }) = &self.validation {
            self.check_data(&mut work, *data, &described(name), Mode::Eval)?;
        }
        // Now that nothing stands against the run, the saved one may take the place of what is there.
        let mut run = match &self.resume {
            Some(path) => {
                work.parts().load(path, &|step, rate| self.agrees(step, rate, train.len()))?
            }
            None => Run::default(),
        };
        run.history.steps_per_epoch = train.len();

        let held_out = self.validation.as_ref().map(|validation| &*validation.name);
        let mut progress =
            Progress::new(self.quiet, self.objective.classifies(), held_out, self.epochs);
        progress.begin();
        while run.epoch < self.epochs {
            if !self.epoch(&mut run, &mut work, &mut progress)? {
                self.save(&mut work, &run)?;
                return Ok(run.history);
            }
            let mut validation = None;
            if let Some(Validation { name, data }) = &self.validation {
                let name = described(name);
                let found = self.objective.evaluate_named(work.model, *data, &name, run.epoch)?;
                let accuracy = found.confusion.as_ref().map(ConfusionMatrix::accuracy);
                validation = Some(Score { loss: found.loss, accuracy });
            }
            run.end_epoch(validation);
            self.compare(&mut run, &work);
            self.save(&mut work, &run)?;
            if let Some(epoch) = run.history.last() {
                progress.end_epoch(run.epoch, epoch);
            }
        }
        if let Some(best) = &run.best {
            load_state_dict(work.model, best).expect("the weights are this model's");
        }
        if let Some(criterion) = self.keep_best {
            progress.kept(&run.history, criterion);
        }
        Ok(run.history)
    }

    /// The steps of an epoch that are left; whether all were made.
    fn epoch(
        &self,
        run: &mut Run,
        work: &mut Work<'_, T, Y>,
        progress: &mut Progress,
    ) -> Result<bool, TrainError> {
        let (train, steps) = (work.train, work.train.len());
        let all = steps.saturating_mul(self.epochs as usize);
        let all = all.min(self.stop_after.unwrap_or(usize::MAX));
        progress.begin_epoch(run, steps, all.saturating_sub(run.history.steps()));
        let mut mark = Instant::now();
        let mut batches = train.batches(run.epoch, run.step);
        while run.step < steps {
            if self.stop_after.is_some_and(|last| run.history.steps() >= last) {
                return Ok(false);
            }
            let Some((x, y)) = batches.next() else {
                let (data, epoch) = (TRAINING.into(), run.epoch + 1);
                return Err(TrainError::Batches { data, epoch, batches: steps });
            };
            self.check(work, &x, &y, Mode::Train)?;
            self.step(run, work, &x, &y)?;
            run.sums.seconds += mark.elapsed().as_secs_f64();
            progress.step(run);
            let made = run.history.steps();
            if run.step < steps && self.checkpoint_every.is_some_and(|n| made.is_multiple_of(n)) {
                self.save(work, run)?;
            }
            mark = Instant::now();
        }
        Ok(true)
    }

    /// Forward, backward, better weights.
    fn step(
        &self,
        run: &mut Run,
        work: &mut Work<'_, T, Y>,
        x: &Tensor<T>,
        y: &Y,
    ) -> Result<(), TrainError> {
        let Work { model, optimizer, rng, train, .. } = work;
        if let Some((schedule, per)) = &self.schedule {
            schedule.apply(*optimizer, per.count(run.history.steps(), run.epoch));
        }
        let (epoch, batch) = (run.epoch, run.step);
        let example = |sample| Example {
            data: TRAINING.into(),
            index: train.index(epoch, batch, sample),
            epoch: epoch + 1,
            batch: batch + 1,
            sample,
        };
        let tape = Tape::train(*rng);
        let forward = tape.catch(|| {
            let output = model.forward(tape.constant(x.clone()));
            let loss = self.objective.loss(output, x, y);
            let output = self.objective.classifies().then(|| output.value());
            (loss, loss.item(), output)
        });
        let refused = |error| refused(error, &**model, example);
        let (root, loss, output) = forward.map_err(refused)?;
        let (epoch, step) = (epoch + 1, batch + 1);
        if !loss.is_finite() {
            let input = not_finite(x).map(example).map(Box::new);
            return Err(TrainError::NotFinite { epoch, step, loss, input });
        }
        let gradients = tape.catch(|| root.backward_checked()).map_err(refused)?;
        let gradients = gradients.map_err(|bad| {
            let parameters = names(&**model, &bad.params);
            TrainError::Gradient { epoch, step, loss, parameters }
        })?;
        if let Some(counter) = gradients.full_counter(&**model) {
            return Err(TrainError::Counter { epoch, step, counter });
        }
        if let Some(buffer) = gradients.not_finite_buffer(&**model) {
            return Err(TrainError::Buffer { epoch, step, loss, buffer });
        }
        // Nothing of the run is needed any more: the optimizer has the weights for itself.
        drop(tape);
        let verdict = match output {
            Some(output) => self.objective.judge(&output, y)?,
            None => None,
        };
        if let (Some(verdict), Some(_)) = (&verdict, &self.validation) {
            // Now, and not at the end of the epoch, where the classes are counted.
            verdict.countable(example)?;
        }
        run.sums.add(examples(x), loss, verdict.as_ref());
        run.history.losses.push(loss);
        run.history.learning_rates.push(optimizer.learning_rate());
        run.step += 1;
        optimizer.step(*model, &gradients);
        Ok(())
    }

    /// Tries the first and the last batch of an epoch without computing anything; returns the inputs
    /// of the first.
    fn check_data(
        &self,
        work: &mut Work<'_, T, Y>,
        data: &dyn Batches<T, Y>,
        name: &str,
        mode: Mode,
    ) -> Result<Tensor<T>, TrainError> {
        let (batches, all) = (data.len(), data.examples());
        if batches == 0 {
            return Err(TrainError::Empty { data: name.into(), examples: all });
        }
        let fewer = || TrainError::Batches { data: name.into(), epoch: 1, batches };
        let (first, y) = data.batches(0, 0).next().ok_or_else(fewer)?;
        self.check(work, &first, &y, mode)?;
        let usual = examples(&first);
        // As a rule this says whether the last batch is like the others, and need not be made.
        if batches > 1 && usual.checked_mul(batches) != Some(all) {
            let (x, y) = data.batches(0, batches - 1).next().ok_or_else(fewer)?;
            let size = examples(&x);
            self.check(work, &x, &y, mode).map_err(|error| {
                if size < usual {
                    TrainError::LastBatch { data: name.into(), size, usual, error }
                } else {
                    TrainError::Shape(error)
                }
            })?;
        }
        Ok(first)
    }

    /// Tries inputs of a new shape without computing anything.
    fn check(
        &self,
        work: &mut Work<'_, T, Y>,
        x: &Tensor<T>,
        y: &Y,
        mode: Mode,
    ) -> Result<(), ShapeError> {
        let shape = (mode, x.shape());
        if !work.fitting.contains(&shape) {
            self.objective.check(work.model, x, y, mode)?;
            work.fitting.push(shape);
        }
        Ok(())
    }

    /// Keeps the weights if the last epoch was the best.
    fn compare(&self, run: &mut Run, work: &Work<'_, T, Y>) {
        let Some(criterion) = self.keep_best else { return };
        // The larger the better; no merit in what is not finite.
        let merit = |i: usize| {
            let score = run.history.epochs[i].validation;
            let merit = score.and_then(|score| match criterion {
                Criterion::Loss => Some(-score.loss),
                Criterion::Accuracy => score.accuracy,
            });
            merit.filter(|merit| merit.is_finite())
        };
        let last = run.history.epochs.len() - 1;
        let best = run.history.best.and_then(merit);
        // A finite score beats having no best epoch. Of equal scores the earlier stays.
        if merit(last).is_some_and(|merit| best.is_none_or(|best| merit > best)) {
            run.history.best = Some(last);
            run.best = Some(state_dict(work.model));
        }
    }

    fn save(&self, work: &mut Work<'_, T, Y>, run: &Run) -> Result<(), TrainError> {
        if let Some(path) = &self.checkpoint {
            work.parts().save(run, path)?;
        }
        Ok(())
    }

    /// Whether the schedule, if there is one, gives a step of this run the learning rate that it had;
    /// else what it gives, or nothing if it ends before.
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
    fn check_settings(&self, steps: usize) {
        // A schedule that is too short panics now, and not after hours.
        if let (Some((schedule, per)), Some(last)) = (&self.schedule, self.epochs.checked_sub(1)) {
            let steps = steps.saturating_mul(self.epochs as usize);
            let steps = steps.min(self.stop_after.unwrap_or(usize::MAX));
            schedule.learning_rate(per.count(steps.saturating_sub(1), last));
        }
        let Some(criterion) = self.keep_best else { return };
        assert!(
            self.validation.is_some(),
            "keep_best: the best epoch is found on validation data: give some with validate()"
        );
        assert!(
            criterion == Criterion::Loss || self.objective.classifies(),
            "keep_best: this objective has no accuracy: use Criterion::Loss, or give it a rule with \
             Objective::predict()"
        );
    }
}

/// How many examples a batch has.
fn examples<T: Float>(x: &Tensor<T>) -> usize {
    x.shape().first().copied().unwrap_or(1)
}

/// What validation data are called in errors.
fn described(name: &str) -> String {
    format!("the validation data `{name}`")
}

/// The first sample whose input holds a NaN or an infinity.
fn not_finite<T: Float>(x: &Tensor<T>) -> Option<usize> {
    let at = x.to_vec().into_iter().position(|x| !x.to().is_finite())?;
    Some(at / (x.numel() / examples(x).max(1)))
}

/// The names of these parameters, in visiting order.
fn names<T: Float>(model: &dyn Layer<T>, of: &[ParamId]) -> Vec<String> {
    let mut names = Vec::new();
    model.visit(&Path::root(), &mut |path, state| {
        if state.downcast_ref::<Param<T>>().is_some_and(|param| of.contains(&param.id())) {
            names.push(path.name_or("the parameter itself"));
        }
    });
    names
}
