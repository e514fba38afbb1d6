//! The loop over epochs and steps.

use crate::batches::Batches;
use crate::checkpoint::Parts;
use crate::confusion::ConfusionMatrix;
use crate::error::TrainError;
use crate::history::{History, Score};
use crate::progress::Progress;
use crate::run::Run;
use crate::trainer::{Criterion, Per, Trainer};
use std::time::Instant;
use wengert_autograd::{ShapeError, value_and_grad_with};
use wengert_nn::{Layer, load_state_dict, state_dict};
use wengert_optim::{Optimizer, Schedule};
use wengert_tensor::{Float, Philox, Shape, Tensor};

/// What a run works on.
struct Work<'w, T: Float, Y> {
    model: &'w mut dyn Layer<T>,
    optimizer: &'w mut dyn Optimizer<T>,
    train: &'w dyn Batches<T, Y>,
    rng: &'w mut Philox,
    /// Shapes of inputs that were found to fit.
    fitting: Vec<Shape>,
    /// What the first inputs are like, where a checkpoint must know.
    first_batch: u64,
}

/// The inputs of the first batch as one number (FNV-1a: Fowler, Noll, Vo, 1991): with another seed,
/// order or distortion it is another.
fn first_batch<T: Float, Y>(train: &dyn Batches<T, Y>) -> u64 {
    let inputs = train.batches(0, 0).next().map(|(x, _)| x.cast::<f64>().to_vec());
    let bytes = inputs.unwrap_or_default().into_iter().flat_map(f64::to_le_bytes);
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
    /// (the order of the examples): the same seeds give the same bits. Before anything is computed
    /// with inputs of a new shape, the run is made on shapes alone.
    ///
    /// # Errors
    /// If data, model and loss do not fit each other, the loss is no longer finite, or a checkpoint
    /// cannot be written or taken over.
    ///
    /// # Panics
    /// If there is no batch to train on, or the best epoch is asked for by a measure that there is
    /// none of.
    #[track_caller]
    pub fn fit(
        &self,
        model: &mut dyn Layer<T>,
        optimizer: &mut dyn Optimizer<T>,
        train: &dyn Batches<T, Y>,
        rng: &mut Philox,
    ) -> Result<History, TrainError> {
        assert!(!train.is_empty(), "fit: an epoch of the training data has no batch");
        self.check_settings(train.len());
        let known = self.resume.is_some() || self.checkpoint.is_some();
        let first_batch = if known { first_batch(train) } else { 0 };
        let mut work = Work { model, optimizer, train, rng, fitting: Vec::new(), first_batch };
        let mut run = match &self.resume {
            Some(path) => {
                work.parts().load(path, &|step| self.scheduled_rate(step, train.len()))?
            }
            None => Run::default(),
        };
        run.history.steps_per_epoch = train.len();
        // What would be found at the end of the first epoch only.
        if let Some((x, y)) = self.validation.as_ref().and_then(|v| v.data.batches(0, 0).next()) {
            self.check(&mut work, &x, &y)?;
        }

        let held_out = self.validation.as_ref().map(|validation| &*validation.name);
        let mut progress =
            Progress::new(self.quiet, self.objective.classifies(), held_out, self.epochs);
        progress.begin();
        while run.epoch < self.epochs {
            if !self.epoch(&mut run, &mut work, &mut progress)? {
                self.save(&mut work, &run)?;
                return Ok(run.history);
            }
            let validation = self.validation.as_ref().map(|validation| {
                let found = self.objective.evaluate(work.model, validation.data);
                let accuracy = found.confusion.as_ref().map(ConfusionMatrix::accuracy);
                Score { loss: found.loss, accuracy }
            });
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
                panic!(
                    "an epoch of {} batches ended after {}: Batches::len is wrong",
                    steps, run.step
                )
            };
            self.check(work, &x, &y)?;
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
        let Work { model, optimizer, rng, .. } = work;
        if let Some((schedule, per)) = &self.schedule {
            schedule.apply(*optimizer, per.count(run.history.steps(), run.epoch));
        }
        let (loss, output, gradients) = value_and_grad_with(*rng, |tape| {
            let output = model.forward(tape.constant(x.clone()));
            let loss = self.objective.loss(output, x, y);
            (loss, self.objective.classifies().then(|| output.value()))
        });
        if !loss.is_finite() {
            return Err(TrainError::NotFinite { epoch: run.epoch + 1, step: run.step + 1, loss });
        }
        let verdict = output.and_then(|output| self.objective.judge(&output, y));
        run.sums.add(examples(x), loss, verdict.as_ref());
        run.history.losses.push(loss);
        run.history.learning_rates.push(optimizer.learning_rate());
        run.step += 1;
        optimizer.step(*model, &gradients);
        Ok(())
    }

    /// Tries inputs of a new shape without computing anything.
    fn check(&self, work: &mut Work<'_, T, Y>, x: &Tensor<T>, y: &Y) -> Result<(), ShapeError> {
        let shape = x.shape();
        if !work.fitting.contains(&shape) {
            self.objective.check(work.model, x, y)?;
            work.fitting.push(shape);
        }
        Ok(())
    }

    /// Keeps the weights if the last epoch was the best.
    fn compare(&self, run: &mut Run, work: &Work<'_, T, Y>) {
        let Some(criterion) = self.keep_best else { return };
        // The larger the better.
        let merit = |i: usize| {
            let score = run.history.epochs[i].validation;
            score.and_then(|score| match criterion {
                Criterion::Loss => Some(-score.loss),
                Criterion::Accuracy => score.accuracy,
            })
        };
        let last = run.history.epochs.len() - 1;
        let best = run.history.best.and_then(merit);
        // No number is better than none at all, and nothing is better than no number.
        if merit(last).is_some_and(|merit| !merit.is_nan() && best.is_none_or(|best| merit > best))
        {
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

    /// What the schedule, if there is one, says of a step of this run.
    fn scheduled_rate(&self, step: usize, steps_per_epoch: usize) -> Option<f64> {
        let (schedule, per) = self.schedule.as_ref()?;
        let epoch = (step / steps_per_epoch) as u64;
        (epoch < self.epochs).then(|| schedule.learning_rate(per.count(step, epoch)))
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
