//! Changes to buffers: results of a run, applied with the optimizer's step. `forward` stays pure.
//!
//! The run owns its updates, each with a mark that says whether it was applied. Every `Gradients` of
//! the run shares them, so that however often gradients are computed, cloned, added or stepped, each
//! update is applied once.

use crate::gradients::{Gradients, is_finite};
use crate::module::{Module, Path};
use crate::param::{Buffer, BufferId};
use crate::replay::States;
use crate::state::State;
use crate::tape::Tape;
use crate::var::Var;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wengert_tensor::{Float, Tensor};

/// What a run does to a buffer; `None` once it was applied.
pub(crate) struct Update<T: Float>(Mutex<Option<Change<T>>>);

impl<T: Float> Update<T> {
    /// A panic in who applies it leaves buffer and mark as they were, so poison means nothing.
    fn change(&self) -> MutexGuard<'_, Option<Change<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The updates of one run or of several: those of each buffer in order.
#[derive(Clone)]
pub(crate) struct Updates<T: Float> {
    of: HashMap<BufferId, Vec<Arc<Update<T>>>>,
    /// All of them, by address.
    known: HashSet<usize>,
}

impl<T: Float> Default for Updates<T> {
    fn default() -> Self {
        Updates { of: HashMap::new(), known: HashSet::new() }
    }
}

enum Change<T: Float> {
    /// b ← keep · b + change
    Blend { keep: f64, change: Tensor<T> },
    /// b ← b + (value − b) / (seen + 1). `averaged` is how many averages the buffer had taken when
    /// `seen` was read: those since then count, too.
    Average { seen: u64, averaged: u64, value: Tensor<T> },
    /// b ← b + n
    Count(i64),
}

/// A change of a buffer as a part of the program: what it is computed from.
#[derive(Clone, Copy)]
pub(crate) enum Declared {
    Blend { keep: f64, change: u32 },
    Average { seen: BufferId, value: u32 },
    Count(i64),
}

/// Where in the program a change of a buffer was declared: before the node `at`.
#[derive(Clone, Copy)]
pub(crate) struct Declaration {
    pub at: u32,
    buffer: BufferId,
    what: Declared,
}

impl<T: Float> Change<T> {
    fn average(buffer: &Buffer<T>, seen: &Buffer<i64>, value: Tensor<T>) -> Self {
        let seen = seen.value().item().max(0) as u64;
        Change::Average { seen, averaged: buffer.averaged, value }
    }

    /// The value of a buffer after this change. `averages` is how many averages the buffer has taken;
    /// the change may add one.
    fn of(&self, b: &Tensor<T>, averages: &mut u64) -> Tensor<T> {
        match self {
            Change::Blend { keep, change } => b * *keep + change,
            Change::Average { seen, averaged, value } => {
                let seen = seen.saturating_add(*averages - averaged);
                let weight = 1.0 / seen.saturating_add(1) as f64;
                *averages += 1;
                b * (1.0 - weight) + value * weight
            }
            Change::Count(_) => unreachable!("counters are whole numbers"),
        }
    }
}

impl<T: Float> Tape<T> {
    /// Says that this run changes a buffer: b ← keep · b + change, applied when the optimizer steps
    /// with the run's gradients, or by [`apply_updates`](Tape::apply_updates), once. Those of several
    /// runs whose gradients are [accumulated](Gradients::accumulate) follow each other.
    ///
    /// # Panics
    /// If the change has another shape than the buffer.
    #[track_caller]
    pub fn update_buffer(&self, buffer: &Buffer<T>, keep: f64, change: Var<'_, T>) {
        let Some(id) = self.declared("update_buffer", buffer, change) else { return };
        let change = Change::Blend { keep, change: self.force(id) };
        self.declare(buffer.id(), Declared::Blend { keep, change: id }, change);
    }

    /// Says that this run gives a buffer that is the mean of all its values one more:
    /// b ← b + (value − b) / (seen + 1), applied as those of
    /// [`update_buffer`](Tape::update_buffer). `seen` is a counter of one number: how many values the
    /// mean is taken of now (a negative number is 0). Those that are applied before this one, of this
    /// run or of another, count one more each. The counter is not changed:
    /// [`count_buffer`](Tape::count_buffer) does that.
    ///
    /// # Panics
    /// If the value has another shape than the buffer, or the counter is not one number.
    #[track_caller]
    pub fn average_buffer(&self, buffer: &Buffer<T>, seen: &Buffer<i64>, value: Var<'_, T>) {
        if seen.value().numel() != 1 {
            let shape = seen.shape();
            self.fail(format!("average_buffer: a counter of one number wanted, got shape {shape}"))
        }
        let Some(id) = self.declared("average_buffer", buffer, value) else { return };
        let change = Change::average(buffer, seen, self.force(id));
        self.declare(buffer.id(), Declared::Average { seen: seen.id(), value: id }, change);
    }

    /// Says that this run adds to a counter: b ← b + n, applied as those of
    /// [`update_buffer`](Tape::update_buffer). A total that is no `i64` is refused when it is
    /// applied.
    pub fn count_buffer(&self, buffer: &Buffer<i64>, n: i64) {
        if !self.is_abstract() && self.walks.get() == 0 {
            self.declare(buffer.id(), Declared::Count(n), Change::Count(n));
        }
    }

    /// Applies the updates of this run that were not applied yet to the buffers of a model: for runs
    /// without a loss, and for steps that an optimizer did not make (over gradients that are not
    /// finite, say). Only buffers of this model are changed; updates of others wait for theirs.
    ///
    /// ```
    /// use wengert_autograd::{Buffer, Tape};
    /// use wengert_tensor::Tensor;
    ///
    /// // The mean of a stream of batches: no gradients, no history.
    /// let mut mean = (Buffer::new(Tensor::scalar(0.0)), Buffer::<i64>::new(0.into()));
    /// for batch in [[1.0f32, 3.0], [5.0, 7.0]] {
    ///     let tape = Tape::inference();
    ///     let x = tape.constant(Tensor::from(batch));
    ///     tape.average_buffer(&mean.0, &mean.1, x.mean_all());
    ///     tape.count_buffer(&mean.1, 1);
    ///     tape.apply_updates(&mut mean);
    ///     tape.apply_updates(&mut mean); // nothing is left to apply
    /// }
    /// assert_eq!(mean.0.value().item(), 4.0);
    /// ```
    ///
    /// # Panics
    /// If a counter would exceed `i64`; nothing has changed.
    #[track_caller]
    pub fn apply_updates(&self, model: &mut dyn Module) {
        let updates = self.buffers.borrow().clone();
        updates.apply(model);
    }

    /// The node that a change of a buffer is read from, if the change is to be recorded.
    #[track_caller]
    fn declared(&self, op: &str, buffer: &Buffer<T>, value: Var<'_, T>) -> Option<u32> {
        self.same_tape(op, value.tape);
        let (has, gets) = (buffer.shape(), value.shape());
        if has != gets {
            self.fail(format!("{op}: a change of shape {gets} for a buffer of shape {has}"))
        }
        // A rule may evaluate a layer again: the forward pass has said what changes.
        (!self.is_abstract() && self.walks.get() == 0).then_some(value.id)
    }

    /// Notes a change, and for replays where in the program it was declared.
    fn declare(&self, buffer: BufferId, what: Declared, change: Change<T>) {
        let at = self.arena.borrow().len();
        self.declared.borrow_mut().push(Declaration { at, buffer, what });
        self.push_update(buffer, change);
    }

    fn push_update(&self, buffer: BufferId, change: Change<T>) {
        let update = Update(Mutex::new(Some(change)));
        self.buffers.borrow_mut().push(buffer, Arc::new(update));
    }

    /// The change that a declaration means now, with the buffers of a replay.
    #[track_caller]
    pub(crate) fn declare_again(&self, declaration: &Declaration, states: &States<'_, T>) {
        let change = match declaration.what {
            Declared::Blend { keep, change } => Change::Blend { keep, change: self.force(change) },
            Declared::Average { seen, value } => {
                let buffer = states.buffer(self, declaration.buffer);
                Change::average(buffer, states.counter(self, seen), self.force(value))
            }
            Declared::Count(n) => Change::Count(n),
        };
        self.push_update(declaration.buffer, change);
    }
}

impl<T: Float> Gradients<T> {
    /// Applies the updates of the run that were not applied yet to a buffer; whether there were any.
    pub fn apply_to(&self, buffer: &mut Buffer<T>) -> bool {
        self.buffers.apply_to(buffer)
    }

    /// Applies the updates of the run that were not applied yet to a counter; whether there were
    /// any.
    ///
    /// # Panics
    /// If the counter would exceed `i64`; nothing has changed.
    #[track_caller]
    pub fn apply_to_counter(&self, buffer: &mut Buffer<i64>) -> bool {
        match self.buffers.apply_to_counter(buffer) {
            Ok(any) => any,
            Err(full) => panic!("apply_to_counter: {full}"),
        }
    }

    /// The first counter of a model that the updates of the run would take beyond `i64`, in words:
    /// its name, where it is, and by how much it is to grow. An optimizer's step and
    /// [`apply_updates`](Gradients::apply_updates) panic on it.
    pub fn full_counter(&self, model: &dyn Module) -> Option<String> {
        self.buffers.full_counter(model)
    }

    /// The first buffer of a model that the updates of the run would leave with a NaN or an infinity,
    /// in words: its name, the number, and what causes it. Updates that were applied already do not
    /// count, and nothing is changed. The cost is that of the updates: parameters are not read.
    ///
    /// The loss and the gradients may be finite nevertheless: batch norm divides by a variance that
    /// overflowed, and gets zeros. An optimizer's step and
    /// [`apply_updates`](Gradients::apply_updates) apply such updates as any.
    ///
    /// ```
    /// use wengert_autograd::{Buffer, Tape};
    /// use wengert_tensor::Tensor;
    ///
    /// // The square of 1e25 is no f32, though the loss and its gradient are.
    /// let energy: Buffer = Buffer::new(Tensor::scalar(1.0));
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::scalar(1e25));
    /// tape.update_buffer(&energy, 0.9, x.square());
    /// let gradients = (2.0 * x).backward();
    /// assert!(gradients.not_finite_buffer(&energy).unwrap().contains("inf"));
    /// ```
    pub fn not_finite_buffer(&self, model: &dyn Module) -> Option<String> {
        self.buffers.not_finite_buffer(model)
    }

    /// Applies the updates of the run that were not applied yet to the buffers of a model, as an
    /// optimizer's step does: for training without one, and for steps that were not made.
    ///
    /// # Panics
    /// If a counter would exceed `i64`; nothing has changed.
    #[track_caller]
    pub fn apply_updates(&self, model: &mut dyn Module) {
        self.buffers.apply(model);
    }
}

impl<T: Float> Updates<T> {
    fn push(&mut self, buffer: BufferId, update: Arc<Update<T>>) {
        if self.known.insert(Arc::as_ptr(&update) as usize) {
            self.of.entry(buffer).or_default().push(update);
        }
    }

    /// Takes over the updates of other runs, after its own; those of the same run are here already.
    pub fn extend(&mut self, others: Self) {
        for (buffer, updates) in others.of {
            for update in updates {
                self.push(buffer, update);
            }
        }
    }

    fn of(&self, buffer: BufferId) -> impl Iterator<Item = &Update<T>> {
        self.of.get(&buffer).into_iter().flatten().map(|update| &**update)
    }

    #[track_caller]
    fn apply(&self, model: &mut dyn Module) {
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
                // Refused above, unless another thread counts the same model's passes meanwhile.
                if let Err(full) = self.apply_to_counter(counter) {
                    panic!("apply_updates: {full}")
                }
            }
        });
    }

    /// The first parameter or buffer of a model of which there is something to say, by its name.
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

    /// The first counter that does not hold what is to be added to it.
    fn full_counter(&self, model: &dyn Module) -> Option<String> {
        self.first(model, |updates, state| {
            let counter = state.downcast_ref::<Buffer<i64>>()?;
            let counts = updates.of(counter.id()).filter_map(|update| match &*update.change() {
                Some(Change::Count(n)) => Some(i128::from(*n)),
                _ => None,
            });
            counted(counter, counts.sum()).err()
        })
    }

    /// The first buffer that the updates which were not applied yet leave with a NaN or an infinity.
    fn not_finite_buffer(&self, model: &dyn Module) -> Option<String> {
        self.first(model, |updates, state| {
            let buffer = state.downcast_ref::<Buffer<T>>()?;
            let after = updates.after(buffer).filter(|after| !is_finite(after))?;
            if !is_finite(buffer.value()) {
                let words = "this buffer held a number that is not finite before the update: set it to \
                             finite numbers";
                return Some(words.into());
            }
            let mut numbers = after.to_vec().into_iter().map(T::to);
            let number = numbers.find(|x| !x.is_finite()).unwrap_or(f64::NAN);
            Some(format!(
                "the update makes a number of this buffer {number}: it is computed from numbers that are \
                 not finite or too large for {} (smaller inputs or a smaller learning rate may help)",
                T::DTYPE
            ))
        })
    }

    /// The value of a buffer after the updates that were not applied yet; `None` if there are none.
    fn after(&self, buffer: &Buffer<T>) -> Option<Tensor<T>> {
        let (mut value, mut averages) = (None, buffer.averaged);
        for update in self.of(buffer.id()) {
            if let Some(change) = &*update.change() {
                value = Some(change.of(value.as_ref().unwrap_or(buffer.value()), &mut averages));
            }
        }
        value
    }

    /// Applies each change of a buffer that was not applied yet, in order, and marks it; whether there
    /// were any.
    fn apply_to(&self, buffer: &mut Buffer<T>) -> bool {
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

    /// Whether there was anything to count; or that the counter cannot, and is as it was. Only the
    /// total has to fit.
    fn apply_to_counter(&self, buffer: &mut Buffer<i64>) -> Result<bool, String> {
        // Taken first, so that no other thread counts the same changes.
        let taken = self.of(buffer.id()).filter_map(|update| match update.change().take() {
            Some(Change::Count(n)) => Some((update, n)),
            Some(_) => unreachable!("only counters are whole numbers"),
            None => None,
        });
        let taken: Vec<_> = taken.collect();
        if taken.is_empty() {
            return Ok(false);
        }
        match counted(buffer, taken.iter().map(|&(_, n)| i128::from(n)).sum()) {
            Ok(value) => buffer.set(value),
            Err(full) => {
                for (update, n) in taken {
                    *update.change() = Some(Change::Count(n));
                }
                return Err(full);
            }
        }
        Ok(true)
    }
}

/// Words about a buffer, after its name. A buffer that is the whole model has none.
fn about(path: &Path<'_>, words: &str) -> String {
    let name = path.to_string();
    if name.is_empty() { words.into() } else { format!("{name}: {words}") }
}

/// A counter that has counted; or in words that it cannot.
fn counted(counter: &Buffer<i64>, by: i128) -> Result<Tensor<i64>, String> {
    let all = counter.value().to_vec().into_iter();
    let all: Result<Vec<i64>, String> = all
        .map(|at| {
            i64::try_from(i128::from(at) + by).map_err(|_| {
                format!("a counter is at {at}, and {by} more is no i64: set it to a lower number")
            })
        })
        .collect();
    Ok(Tensor::from_vec(all?, &counter.shape()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_of_all_values() {
        let mut model = (Buffer::new(Tensor::from([0.0f32, 7.0])), Buffer::<i64>::new(2.into()));
        let run = |model: &(Buffer, Buffer<i64>), values: &[[f32; 2]]| {
            let tape = Tape::new();
            for value in values {
                let value = tape.constant(Tensor::from(*value));
                tape.average_buffer(&model.0, &model.1, value);
                tape.count_buffer(&model.1, 1);
            }
            tape.watch(Tensor::scalar(1.0)).backward()
        };
        let mut first = run(&model, &[[3.0, 7.0]]);
        first.accumulate(run(&model, &[[4.0, 7.0], [8.0, 7.0]]));
        first.apply_updates(&mut model);
        assert_eq!(model.1.value().item(), 5);
        // Two values of 0 before.
        for (mean, wanted) in model.0.value().to_vec().into_iter().zip([3.0, 7.0]) {
            assert!((mean - wanted).abs() < 1e-6);
        }
    }
}
