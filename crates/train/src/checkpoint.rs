//! A run in a file, and back: what follows has the same bits as if it had not been interrupted.
//!
//! One safetensors file: `model.…`, `optimizer.…` and `best.…` are state dicts, `history.…` and
//! `running` the figures; position, generator and hyperparameters stand in the metadata.

use crate::error::CheckpointError;
use crate::history::{EpochRecord, History, Score};
use crate::run::{Run, Sums};
use std::path::Path;
use std::str::FromStr;
use wengert_autograd::Module;
use wengert_nn::{Mismatch, StateDict, load_state_dict, state_dict};
use wengert_optim::Optimizer;
use wengert_tensor::{Float, NamedTensors, Philox, Tensor};

/// The key of the metadata that says what the file is.
const KIND: &str = "wengert.checkpoint";
/// Counts up when an older program could not read what is written.
const VERSION: &str = "1";
const MODEL: &str = "model.";
const OPTIMIZER: &str = "optimizer.";
const BEST: &str = "best.";
const RNG: [&str; 3] = ["rng.key", "rng.stream", "rng.position"];
/// What an epoch is in the table of them.
const COLUMNS: usize = 8;

/// What a checkpoint is made of, apart from where the run stands.
pub(crate) struct Parts<'a, T: Float> {
    pub model: &'a mut dyn Module,
    pub optimizer: &'a mut dyn Optimizer<T>,
    pub rng: &'a mut Philox,
    /// Examples and batches of an epoch.
    pub data: (usize, usize),
    /// What the inputs of the first batch are like.
    pub first_batch: u64,
}

impl<T: Float> Parts<'_, T> {
    /// Writes all there is into a file, in one step.
    pub fn save(&self, run: &Run, path: &Path) -> Result<(), CheckpointError> {
        let mut file = NamedTensors::new();
        put(&mut file, MODEL, state_dict(&*self.model));
        put(&mut file, OPTIMIZER, self.optimizer.state_dict(&*self.model));
        if let Some(best) = &run.best {
            put(&mut file, BEST, best.clone());
        }
        let History { losses, learning_rates, epochs, best, .. } = &run.history;
        file.insert("history.losses", list(losses));
        file.insert("history.learning_rates", list(learning_rates));
        let rows: Vec<f64> = epochs.iter().flat_map(to_row).collect();
        file.insert("history.epochs", Tensor::from_vec(rows, &[epochs.len(), COLUMNS]));
        let Sums { loss, right, judged, examples, seconds } = run.sums;
        file.insert("running", list(&[loss, right, judged, examples, seconds]));

        let mut note = |key: &str, value: String| file.metadata.insert(key.into(), value);
        note(KIND, VERSION.into());
        note("epoch", run.epoch.to_string());
        note("step", run.step.to_string());
        note("examples", self.data.0.to_string());
        note("batches", self.data.1.to_string());
        note("first_batch", self.first_batch.to_string());
        if let Some(best) = best {
            note("history.best", best.to_string());
        }
        for (key, word) in RNG.into_iter().zip(self.rng.state()) {
            note(key, word.to_string());
        }
        Ok(file.save(path)?)
    }

    /// Takes a file over, of a run whose steps had learning rates that `agrees` takes: else it gives what
    /// the schedule says in their place, if anything. Nothing has changed if the file is refused.
    pub fn load(
        &mut self,
        path: &Path,
        agrees: &dyn Fn(usize, f64) -> Result<(), Option<f64>>,
    ) -> Result<Run, CheckpointError> {
        let file = File { path, content: NamedTensors::load(path)? };
        match file.content.metadata.get(KIND) {
            Some(version) if version == VERSION => {}
            Some(version) => {
                let (path, found) = (path.into(), version.clone());
                return Err(CheckpointError::Version { path, found, known: VERSION });
            }
            None => return Err(CheckpointError::NoCheckpoint { path: path.into() }),
        }
        let saved = (file.note("examples")?, file.note("batches")?);
        if saved != self.data {
            return Err(CheckpointError::Data { path: path.into(), saved, found: self.data });
        }
        if file.note::<u64>("first_batch")? != self.first_batch {
            return Err(CheckpointError::Order { path: path.into() });
        }
        let run = file.run(self.data.1)?;
        for (step, &saved) in run.history.learning_rates.iter().enumerate() {
            if let Err(found) = agrees(step, saved) {
                let (path, step) = (path.into(), step + 1);
                return Err(CheckpointError::Schedule { path, step, saved, found });
            }
        }
        let [key, stream, position] = RNG.map(|key| file.note(key));
        let rng = Philox::from_state([key?, stream?, position?]);

        let weights = file.content.part(MODEL);
        for dict in std::iter::once(&weights).chain(&run.best) {
            let mismatch = Mismatch::between(&*self.model, dict);
            if !mismatch.is_empty() {
                return Err(CheckpointError::Model { path: path.into(), mismatch });
            }
        }
        // Refuses what does not fit before it changes anything.
        self.optimizer
            .load_state_dict(&*self.model, &file.content.part(OPTIMIZER))
            .map_err(|error| CheckpointError::Optimizer { path: path.into(), error })?;
        load_state_dict(self.model, &weights).expect("it was compared with the model");
        *self.rng = rng;
        Ok(run)
    }
}

fn list(numbers: &[f64]) -> Tensor<f64> {
    Tensor::from_slice(numbers, &[numbers.len()])
}

/// Adds a state dict under a prefix, its notes too.
fn put(file: &mut NamedTensors, prefix: &str, part: StateDict) {
    for (key, note) in &part.metadata {
        file.metadata.insert(format!("{prefix}{key}"), note.clone());
    }
    file.extend(part.into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)));
}

/// A file that was read, and its name for errors.
struct File<'a> {
    path: &'a Path,
    content: NamedTensors,
}

impl File<'_> {
    fn damaged(&self, name: &str) -> CheckpointError {
        CheckpointError::Damaged { path: self.path.into(), name: name.into() }
    }

    /// A number of the metadata.
    fn note<N: FromStr>(&self, key: &str) -> Result<N, CheckpointError> {
        let note = self.content.metadata.get(key);
        note.and_then(|note| note.parse().ok()).ok_or_else(|| self.damaged(key))
    }

    /// The numbers of a tensor whose second and later axes are these.
    fn numbers(&self, name: &str, axes: &[usize]) -> Result<Vec<f64>, CheckpointError> {
        let tensor = self.content.get(name).and_then(|tensor| tensor.get::<f64>());
        let tensor = tensor.filter(|tensor| tensor.shape().get(1..) == Some(axes));
        tensor.map(Tensor::to_vec).ok_or_else(|| self.damaged(name))
    }

    fn run(&self, batches: usize) -> Result<Run, CheckpointError> {
        let losses = self.numbers("history.losses", &[])?;
        let learning_rates = self.numbers("history.learning_rates", &[])?;
        let rows = self.numbers("history.epochs", &[COLUMNS])?;
        let epochs: Vec<_> = rows.as_chunks().0.iter().map(from_row).collect();
        let best = self.content.metadata.contains_key("history.best");
        let best = best.then(|| self.note("history.best")).transpose()?;
        let [loss, right, judged, examples, seconds] = self.numbers("running", &[])?[..] else {
            return Err(self.damaged("running"));
        };

        let (epoch, step): (u64, usize) = (self.note("epoch")?, self.note("step")?);
        let before = usize::try_from(epoch).ok().and_then(|epoch| epoch.checked_mul(batches));
        if before.and_then(|before| before.checked_add(step)) != Some(losses.len())
            || learning_rates.len() != losses.len()
            || epochs.len() as u64 != epoch
            || step > batches
            || best.is_some_and(|best: usize| best >= epochs.len())
        {
            return Err(self.damaged("the position"));
        }
        Ok(Run {
            epoch,
            step,
            sums: Sums { loss, right, judged, examples, seconds },
            best: best.map(|_| self.content.part(BEST)),
            history: History { losses, learning_rates, steps_per_epoch: batches, epochs, best },
        })
    }
}

/// An accuracy that is not there is no number; a validation loss may be none by itself.
fn to_row(epoch: &EpochRecord) -> [f64; COLUMNS] {
    let EpochRecord { train, validation, learning_rate, seconds, examples } = *epoch;
    let accuracy = |score: Score| score.accuracy.unwrap_or(f64::NAN);
    let (there, loss, right) =
        validation.map_or((0.0, 0.0, f64::NAN), |score| (1.0, score.loss, accuracy(score)));
    [train.loss, accuracy(train), there, loss, right, learning_rate, seconds, examples as f64]
}

fn from_row(row: &[f64; COLUMNS]) -> EpochRecord {
    let [loss, right, there, other_loss, other_right, learning_rate, seconds, examples] = *row;
    let score =
        |loss, right: f64| Score { loss, accuracy: Some(right).filter(|right| !right.is_nan()) };
    EpochRecord {
        train: score(loss, right),
        validation: (there == 1.0).then(|| score(other_loss, other_right)),
        learning_rate,
        seconds,
        examples: examples as usize,
    }
}
