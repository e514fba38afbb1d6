//! Checkpoints: a run in a file. A resumed run has the same bits as an uninterrupted run.
//!
//! A checkpoint is one safetensors file. `model.…`, `optimizer.…` (further optimizers: `optimizer2.…`) and
//! `best.…` are state dicts; `callback.….…` is the state of callbacks; `history.…` and `running…` are the
//! numbers of the history and of the running epoch. Position, generator and hyperparameters are metadata.

use crate::callback::{CallbackList, CallbackState};
use crate::context::OptimizerList;
use crate::error::CheckpointError;
use crate::history::{EpochRecord, History, LogRecord, Score};
use crate::run::{EpochSums, RunState};
use crate::step::{ACCURACY, LoggedSum};
use std::path::Path;
use std::str::FromStr;
use wengert_autograd::Module;
use wengert_nn::{Mismatch, StateDict, load_state_dict, state_dict};
use wengert_tensor::{Float, NamedTensors, Philox, Tensor};

/// The metadata key that marks a file as a checkpoint; its value is the version.
const KIND: &str = "wengert.checkpoint";
/// Format version. Raised by every incompatible change.
const VERSION: &str = "2";
const MODEL: &str = "model.";
const BEST: &str = "best.";
const RNG: [&str; 3] = ["rng.key", "rng.stream", "rng.position"];
/// The number of columns of the table of epochs: see `to_row`.
const COLUMNS: usize = 6;
/// The number of values stored for a logged number of an epoch: presence (0 or 1) and mean in training,
/// presence and mean in validation.
const LOGGED: usize = 4;
/// The metadata key of the names of the callbacks with a state, one per line.
const CALLBACKS: &str = "callbacks";

/// Returns the name prefix of an optimizer's state.
fn optimizer(number: usize) -> String {
    if number == 0 { "optimizer.".into() } else { format!("optimizer{}.", number + 1) }
}

/// Returns the name of a callback without the characters that separate names in the file: `ema.w` must not
/// look like the entry `w` of `ema`.
fn escaped(name: &str) -> String {
    let coded = |c: char| match c {
        '.' | '%' | '\n' | '\r' => format!("%{:02X}", u32::from(c)),
        c => c.to_string(),
    };
    name.chars().map(coded).collect()
}

/// Returns the name prefix of a callback's state.
fn callback(name: &str) -> String {
    format!("callback.{name}.")
}

/// The parts of a checkpoint, apart from the position and the history.
pub(crate) struct Parts<'a, T: Float> {
    pub model: &'a mut dyn Module,
    pub optimizers: &'a mut dyn OptimizerList<T>,
    pub rng: &'a mut Philox,
    pub callbacks: &'a mut dyn CallbackList<T>,
    /// The numbers of examples and batches of an epoch.
    pub data: (usize, usize),
    /// The fingerprint of the first batch.
    pub first_batch: u64,
}

impl<T: Float> Parts<'_, T> {
    /// Returns index, name and state of each callback that has a state.
    fn remembered(
        &self,
        path: &Path,
    ) -> Result<Vec<(usize, String, NamedTensors)>, CheckpointError> {
        let mut all = Vec::new();
        for (at, (name, state)) in self.callbacks.states().into_iter().enumerate() {
            let name = escaped(&name);
            match state {
                CallbackState::Nothing => {}
                CallbackState::Saved(state) => all.push((at, name, state)),
                CallbackState::Unsaved(message) => {
                    let path = path.into();
                    return Err(CheckpointError::Callback { path, name, message });
                }
            }
        }
        Ok(all)
    }

    /// Checks that the state of every callback can be saved.
    pub fn can_be_saved(&self, path: &Path) -> Result<(), CheckpointError> {
        self.remembered(path).map(drop)
    }

    /// Writes a checkpoint, and replaces an existing file atomically.
    pub fn save(&self, run: &RunState, path: &Path) -> Result<(), CheckpointError> {
        let mut file = NamedTensors::new();
        put(&mut file, MODEL, state_dict(&*self.model));
        for number in 0..self.optimizers.count() {
            if let Some(of) = self.optimizers.at(number) {
                put(&mut file, &optimizer(number), of.state_dict(&*self.model));
            }
        }
        if let Some(best) = &run.best {
            put(&mut file, BEST, best.clone());
        }
        let remembered = self.remembered(path)?;
        let names: Vec<_> = remembered.iter().map(|(_, name, _)| &**name).collect();
        let names = names.join("\n");
        for (_, name, state) in remembered {
            put(&mut file, &callback(&name), state);
        }
        let History { losses, learning_rates, epochs, best_epoch, .. } = &run.history;
        file.insert("history.losses", list(losses));
        file.insert("history.learning_rates", list(learning_rates));
        let rows: Vec<f64> = epochs.iter().flat_map(to_row).collect();
        file.insert("history.epochs", Tensor::from_vec(rows, &[epochs.len(), COLUMNS]));
        let logs = run.history.log_names();
        let rows: Vec<f64> = epochs
            .iter()
            .flat_map(|epoch| logs.iter().flat_map(|name| to_logged(epoch.logged(name))))
            .collect();
        let shape = [epochs.len(), logs.len(), LOGGED];
        file.insert("history.logs", Tensor::from_vec(rows, &shape));
        let EpochSums { loss, weight, examples, seconds, logs: sums } = &run.sums;
        file.insert("running", list(&[*loss, *weight, *examples, *seconds]));
        let rows: Vec<f64> = sums.iter().flat_map(|sum| [sum.sum, sum.weight]).collect();
        file.insert("running.logs", Tensor::from_vec(rows, &[sums.len(), 2]));
        let sums: Vec<_> = sums.iter().map(|sum| &*sum.name).collect();

        let mut note = |key: &str, value: String| file.metadata.insert(key.into(), value);
        note(KIND, VERSION.into());
        note("epoch", run.epoch.to_string());
        note("step", run.step.to_string());
        note("examples", self.data.0.to_string());
        note("batches", self.data.1.to_string());
        note("first_batch", self.first_batch.to_string());
        note("optimizers", self.optimizers.count().to_string());
        note(CALLBACKS, names);
        note("history.logs", logs.join("\n"));
        note("running.logs", sums.join("\n"));
        if let Some(best) = best_epoch {
            note("history.best", best.to_string());
        }
        for (key, word) in RNG.into_iter().zip(self.rng.state()) {
            note(key, word.to_string());
        }
        Ok(file.save(path)?)
    }

    /// Restores a checkpoint after comparing its learning rates with the schedule: `agrees` gets each step
    /// and its learning rate, and returns as an error what the schedule gives instead. On error nothing is
    /// modified.
    pub fn load(
        &mut self,
        path: &Path,
        agrees: &dyn Fn(usize, f64) -> Result<(), Option<f64>>,
    ) -> Result<RunState, CheckpointError> {
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
            return Err(CheckpointError::FirstBatch { path: path.into() });
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
        let (saved, found) = (file.note("optimizers")?, self.optimizers.count());
        if saved != found {
            return Err(CheckpointError::Optimizers { path: path.into(), saved, found });
        }
        // The first change. `load_callbacks` undoes its changes on error; nothing after it can fail.
        self.load_callbacks(&file)?;
        load_state_dict(self.model, &weights).expect("it was compared with the model");
        *self.rng = rng;
        Ok(run)
    }

    /// Restores the states of callbacks and optimizers: all of them, or none on error.
    fn load_callbacks(&mut self, file: &File<'_>) -> Result<(), CheckpointError> {
        let path = file.path;
        let before = self.remembered(path)?;
        let saved = file.names(CALLBACKS)?;
        let found: Vec<String> = before.iter().map(|(_, name, _)| name.clone()).collect();
        if saved != found {
            return Err(CheckpointError::Callbacks { path: path.into(), saved, found });
        }
        let mut result = before.iter().try_for_each(|(at, name, _)| {
            let state = file.content.part(&callback(name));
            self.callbacks.load(*at, &state).map_err(|message| {
                let (path, name) = (path.into(), name.clone());
                CheckpointError::Callback { path, name, message }
            })
        });
        if result.is_ok() {
            result = self.load_optimizers(file);
        }
        if result.is_err() {
            // A failure is ignored: each callback gets the state that it returned itself.
            for (at, _, state) in &before {
                drop(self.callbacks.load(*at, state));
            }
        }
        result
    }

    /// Restores the optimizers. Each checks its state before it changes anything; on error the optimizers
    /// before it get their old states back.
    fn load_optimizers(&mut self, file: &File<'_>) -> Result<(), CheckpointError> {
        let mut before = Vec::new();
        for number in 0..self.optimizers.count() {
            let model = &*self.model;
            let Some(of) = self.optimizers.at_mut(number) else { continue };
            let state = of.state_dict(model);
            let loaded = of.load_state_dict(model, &file.content.part(&optimizer(number)));
            if let Err(error) = loaded {
                for (number, state) in before.into_iter().enumerate() {
                    if let Some(of) = self.optimizers.at_mut(number) {
                        of.load_state_dict(&*self.model, &state).expect("it is its own state");
                    }
                }
                return Err(CheckpointError::Optimizer { path: file.path.into(), error });
            }
            before.push(state);
        }
        Ok(())
    }
}

fn list(numbers: &[f64]) -> Tensor<f64> {
    Tensor::from_slice(numbers, &[numbers.len()])
}

/// Adds a state dict under a name prefix, with its metadata.
fn put(file: &mut NamedTensors, prefix: &str, part: StateDict) {
    for (key, note) in &part.metadata {
        file.metadata.insert(format!("{prefix}{key}"), note.clone());
    }
    file.extend(part.into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)));
}

/// The content of a file, and its path for errors.
struct File<'a> {
    path: &'a Path,
    content: NamedTensors,
}

impl File<'_> {
    fn damaged(&self, name: &str) -> CheckpointError {
        CheckpointError::Damaged { path: self.path.into(), name: name.into() }
    }

    /// Returns a value of the metadata.
    fn note<N: FromStr>(&self, key: &str) -> Result<N, CheckpointError> {
        let note = self.content.metadata.get(key);
        note.and_then(|note| note.parse().ok()).ok_or_else(|| self.damaged(key))
    }

    /// Returns the numbers of a tensor whose axes after the first have the sizes `axes`.
    fn numbers(&self, name: &str, axes: &[usize]) -> Result<Vec<f64>, CheckpointError> {
        let tensor = self.content.get(name).and_then(|tensor| tensor.get::<f64>());
        let tensor = tensor.filter(|tensor| tensor.shape().get(1..) == Some(axes));
        tensor.map(Tensor::to_vec).ok_or_else(|| self.damaged(name))
    }

    /// Returns the names of a list in the metadata, one per line.
    fn names(&self, key: &str) -> Result<Vec<String>, CheckpointError> {
        let names: String = self.note(key)?;
        Ok(names.lines().map(String::from).collect())
    }

    fn run(&self, batches: usize) -> Result<RunState, CheckpointError> {
        let losses = self.numbers("history.losses", &[])?;
        let learning_rates = self.numbers("history.learning_rates", &[])?;
        let rows = self.numbers("history.epochs", &[COLUMNS])?;
        let mut epochs: Vec<_> = rows.as_chunks().0.iter().map(from_row).collect();
        let names = self.names("history.logs")?;
        let logs = self.numbers("history.logs", &[names.len(), LOGGED])?;
        if logs.len() != epochs.len() * names.len() * LOGGED {
            return Err(self.damaged("history.logs"));
        }
        for (at, row) in logs.as_chunks::<LOGGED>().0.iter().enumerate() {
            from_logged(&mut epochs[at / names.len()], &names[at % names.len()], *row);
        }
        let best = self.content.metadata.contains_key("history.best");
        let best = best.then(|| self.note("history.best")).transpose()?;
        let [loss, weight, examples, seconds] = self.numbers("running", &[])?[..] else {
            return Err(self.damaged("running"));
        };
        let names = self.names("running.logs")?;
        let sums = self.numbers("running.logs", &[2])?;
        if sums.len() != names.len() * 2 {
            return Err(self.damaged("running.logs"));
        }
        let sums = names.into_iter().zip(sums.as_chunks().0);
        let logs = sums.map(|(name, &[sum, weight])| LoggedSum { name, sum, weight }).collect();

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
        let steps_per_epoch = batches;
        Ok(RunState {
            epoch,
            step,
            sums: EpochSums { loss, weight, examples, seconds, logs },
            best: best.map(|_| self.content.part(BEST)),
            history: History {
                losses,
                learning_rates,
                steps_per_epoch,
                epochs,
                best_epoch: best,
                stopped: None,
            },
            ..RunState::default()
        })
    }
}

/// Returns the row of an epoch. The presence of a validation has its own column, since a validation loss
/// may be NaN. Accuracies are stored among the logged numbers.
fn to_row(epoch: &EpochRecord) -> [f64; COLUMNS] {
    let EpochRecord { train, validation, learning_rate, seconds, examples, .. } = epoch;
    let (there, loss) = validation.map_or((0.0, 0.0), |score| (1.0, score.loss));
    [train.loss, there, loss, *learning_rate, *seconds, *examples as f64]
}

fn from_row(row: &[f64; COLUMNS]) -> EpochRecord {
    let [loss, there, other, learning_rate, seconds, examples] = *row;
    let score = |loss| Score { loss, accuracy: None };
    EpochRecord {
        train: score(loss),
        validation: (there == 1.0).then(|| score(other)),
        logs: Vec::new(),
        learning_rate,
        seconds,
        examples: examples as usize,
    }
}

fn to_logged(log: Option<&LogRecord>) -> [f64; LOGGED] {
    let pair = |number: Option<f64>| number.map_or([0.0, 0.0], |number| [1.0, number]);
    let [[a, b], [c, d]] =
        [pair(log.and_then(|log| log.train)), pair(log.and_then(|log| log.validation))];
    [a, b, c, d]
}

fn from_logged(epoch: &mut EpochRecord, name: &str, row: [f64; LOGGED]) {
    let [there, number, also_there, other] = row;
    if there == 0.0 && also_there == 0.0 {
        return;
    }
    let log = epoch.log_mut(name);
    log.train = (there == 1.0).then_some(number);
    log.validation = (also_there == 1.0).then_some(other);
    if name == ACCURACY {
        let (train, validation) = (log.train, log.validation);
        epoch.train.accuracy = train;
        if let Some(score) = &mut epoch.validation {
            score.accuracy = validation;
        }
    }
}
