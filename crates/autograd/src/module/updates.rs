//! Updates of buffers: results of a run that the optimizer's step applies, so that `forward` changes
//! nothing.
//!
//! The run owns its updates. Each update records whether it was applied. All `Gradients` of the run
//! share the updates. Each update is therefore applied once, however often gradients are computed,
//! cloned, added or used for a step.

use super::finite::is_finite;
use super::param::{Buffer, BufferId};
use super::path::Path;
use super::state::State;
use super::visit::Module;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wengert_tensor::{Float, Tensor};

/// An update of a buffer by a run; `None` after it was applied.
pub(crate) struct BufferUpdate<T: Float>(Mutex<Option<Change<T>>>);

impl<T: Float> BufferUpdate<T> {
    /// A panic while an update is applied leaves the buffer and the update as they were, so a poisoned
    /// lock is safe to use.
    fn change(&self) -> MutexGuard<'_, Option<Change<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The updates of one run or several, in order for each buffer.
#[derive(Clone)]
pub(crate) struct Updates<T: Float> {
    of: HashMap<BufferId, Vec<Arc<BufferUpdate<T>>>>,
    /// The addresses of all updates.
    known: HashSet<usize>,
}

impl<T: Float> Default for Updates<T> {
    fn default() -> Self {
        Updates { of: HashMap::new(), known: HashSet::new() }
    }
}

/// A change of one buffer.
pub(crate) enum Change<T: Float> {
    /// b ← keep · b + change
    Blend { keep: f64, change: Tensor<T> },
    /// b ← b + (value − b) / (seen + 1). `averaged` is the number of averages that the buffer had taken
    /// when `seen` was read. Averages that were applied since then are added to `seen`.
    Average { seen: u64, averaged: u64, value: Tensor<T> },
    /// b ← b + n
    Count(i64),
}

impl<T: Float> Change<T> {
    /// Returns one more term of a mean. The mean had `seen` terms when the change was declared.
    pub fn average(buffer: &Buffer<T>, seen: &Buffer<i64>, value: Tensor<T>) -> Self {
        let seen = seen.value().item().max(0) as u64;
        Change::Average { seen, averaged: buffer.averaged, value }
    }

    /// Returns the value of a buffer after this change. `averages` is the number of averages that the
    /// buffer has taken; the change may raise it by one.
    fn of(&self, b: &Tensor<T>, averages: &mut u64) -> Tensor<T> {
        match self {
            Change::Blend { keep, change } => b * *keep + change,
            Change::Average { seen, averaged, value } => {
                let seen = seen.saturating_add(*averages - averaged);
                let weight = 1.0 / seen.saturating_add(1) as f64;
                *averages += 1;
                b * (1.0 - weight) + value * weight
            }
            Change::Count(_) => unreachable!("counters are integers"),
        }
    }
}

impl<T: Float> Updates<T> {
    /// Adds a change of this run.
    pub fn push(&mut self, buffer: BufferId, change: Change<T>) {
        self.insert(buffer, Arc::new(BufferUpdate(Mutex::new(Some(change)))));
    }

    fn insert(&mut self, buffer: BufferId, update: Arc<BufferUpdate<T>>) {
        if self.known.insert(Arc::as_ptr(&update) as usize) {
            self.of.entry(buffer).or_default().push(update);
        }
    }

    /// Appends the updates of other runs. Updates of the same run are present already and are skipped.
    pub fn extend(&mut self, others: Self) {
        for (buffer, updates) in others.of {
            for update in updates {
                self.insert(buffer, update);
            }
        }
    }

    fn of(&self, buffer: BufferId) -> impl Iterator<Item = &BufferUpdate<T>> {
        self.of.get(&buffer).into_iter().flatten().map(|update| &**update)
    }

    #[track_caller]
    pub fn apply(&self, model: &mut dyn Module) {
        if self.of.is_empty() {
            return;
        }
        if let Some(full) = self.full_counter(model) {
            panic!("apply_updates: {full}")
        }
        model.visit_mut(&Path::root(), &mut |_, state| {
            if let Some(buffer) = state.downcast_mut::<Buffer<T>>() {
                self.apply_to(buffer);
            } else if let Some(counter) = state.downcast_mut::<Buffer<i64>>() {
                // `full_counter` has excluded this error, unless another thread updates the same model
                // at the same time.
                if let Err(full) = self.apply_to_counter(counter) {
                    panic!("apply_updates: {full}")
                }
            }
        });
    }

    /// Returns the first message of `say` for the parameters and buffers of a model, with the name.
    fn first(
        &self,
        model: &dyn Module,
        say: impl Fn(&Self, &dyn State) -> Option<String>,
    ) -> Option<String> {
        let mut first = None;
        if self.of.is_empty() {
            return first;
        }
        model.visit(&Path::root(), &mut |path, state| {
            if first.is_none() {
                first = say(self, state).map(|words| about(path, &words));
            }
        });
        first
    }

    /// Returns a message about the first counter that would overflow.
    pub fn full_counter(&self, model: &dyn Module) -> Option<String> {
        self.first(model, |updates, state| {
            let counter = state.downcast_ref::<Buffer<i64>>()?;
            let counts = updates.of(counter.id()).filter_map(|update| match &*update.change() {
                Some(Change::Count(n)) => Some(i128::from(*n)),
                _ => None,
            });
            counted(counter, counts.sum()).err()
        })
    }

    /// Returns a message about the first buffer that would contain a NaN or an infinity after the
    /// updates that were not applied before.
    pub fn not_finite_buffer(&self, model: &dyn Module) -> Option<String> {
        self.first(model, |updates, state| {
            let buffer = state.downcast_ref::<Buffer<T>>()?;
            let after = updates.after(buffer).filter(|after| !is_finite(after))?;
            if !is_finite(buffer.value()) {
                let words = "the buffer contained NaN or infinity before the update: set it to finite \
                     numbers";
                return Some(words.into());
            }
            let mut numbers = after.to_vec().into_iter().map(T::to);
            let number = numbers.find(|x| !x.is_finite()).unwrap_or(f64::NAN);
            Some(format!(
                "the update would set an element of the buffer to {number}, because it is \
                 computed from numbers that are not finite or too large for {}: smaller inputs or \
                 a smaller learning rate may help",
                T::DTYPE
            ))
        })
    }

    /// Returns the value of a buffer after the updates that were not applied before; `None` if there are
    /// none.
    fn after(&self, buffer: &Buffer<T>) -> Option<Tensor<T>> {
        let (mut value, mut averages) = (None, buffer.averaged);
        for update in self.of(buffer.id()) {
            if let Some(change) = &*update.change() {
                value = Some(change.of(value.as_ref().unwrap_or(buffer.value()), &mut averages));
            }
        }
        value
    }

    /// Applies the changes of a buffer that were not applied before, in order, and marks them as
    /// applied. Returns whether there were any.
    pub fn apply_to(&self, buffer: &mut Buffer<T>) -> bool {
        let mut any = false;
        for update in self.of(buffer.id()) {
            let mut change = update.change();
            let Some(pending) = &*change else { continue };
            let mut averages = buffer.averaged;
            buffer.update(|b| *b = pending.of(b, &mut averages));
            buffer.averaged = averages;
            *change = None;
            any = true;
        }
        any
    }

    /// Applies the changes of a counter that were not applied before. Returns whether there were any, or
    /// an error if the total overflows; the counter is unchanged then.
    pub fn apply_to_counter(&self, buffer: &mut Buffer<i64>) -> Result<bool, String> {
        // The changes are taken first, so that no other thread counts them.
        let counts = self.of(buffer.id()).filter_map(|update| match update.change().take() {
            Some(Change::Count(n)) => Some((update, n)),
            Some(_) => unreachable!("only counters are integers"),
            None => None,
        });
        let counts: Vec<_> = counts.collect();
        if counts.is_empty() {
            return Ok(false);
        }
        match counted(buffer, counts.iter().map(|&(_, n)| i128::from(n)).sum()) {
            Ok(value) => buffer.set(value),
            Err(full) => {
                for (update, n) in counts {
                    *update.change() = Some(Change::Count(n));
                }
                return Err(full);
            }
        }
        Ok(true)
    }
}

/// Adds the name of a buffer before a message. A buffer that is the whole model has no name.
fn about(path: &Path<'_>, words: &str) -> String {
    let name = path.to_string();
    if name.is_empty() { words.into() } else { format!("{name}: {words}") }
}

/// Returns the new value of a counter, or a message if it overflows.
fn counted(counter: &Buffer<i64>, by: i128) -> Result<Tensor<i64>, String> {
    let all = counter.value().to_vec().into_iter();
    let all: Result<Vec<i64>, String> = all
        .map(|at| {
            i64::try_from(i128::from(at) + by).map_err(|_| {
                format!(
                    "the counter has the value {at}, and adding {by} would exceed i64: set it to \
                     a lower number"
                )
            })
        })
        .collect();
    Ok(Tensor::from_vec(all?, &counter.shape()))
}
