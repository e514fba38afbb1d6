//! Changes to buffers: results of a run, applied with the optimizer's step. `forward` stays pure.
//!
//! The run owns its updates, each with a mark that says whether it was applied. Every `Gradients` of
//! the run shares them, so that however often gradients are computed, cloned, added or stepped, each
//! update is applied once.

use crate::gradients::Gradients;
use crate::module::{Module, Path};
use crate::param::{Buffer, BufferId};
use crate::tape::Tape;
use crate::var::Var;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wengert_tensor::{Element, Float, Tensor};

/// What a run does to a buffer.
pub(crate) struct BufferUpdate<T: Float> {
    buffer: BufferId,
    /// `None` once it was applied.
    change: Mutex<Option<Change<T>>>,
}

impl<T: Float> BufferUpdate<T> {
    /// A panic in who applies it leaves buffer and mark as they were, so poison means nothing.
    fn change(&self) -> MutexGuard<'_, Option<Change<T>>> {
        self.change.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The updates of one run or of several, in order.
pub(crate) type Updates<T> = Vec<Arc<BufferUpdate<T>>>;

enum Change<T: Float> {
    /// b ← keep · b + change
    Blend { keep: f64, change: Tensor<T> },
    /// b ← b + (value − b) / (seen + 1). `averaged` is how many averages the buffer had taken when
    /// `seen` was read: those since then count, too.
    Average { seen: u64, averaged: u64, value: Tensor<T> },
    /// b ← b + n
    Count(i64),
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
        self.put("update_buffer", buffer, change, |change| Change::Blend { keep, change });
    }

    /// Says that this run gives a buffer that is the mean of all its values one more:
    /// b ← b + (value − b) / (seen + 1), applied as those of
    /// [`update_buffer`](Tape::update_buffer). `seen` is how many values the mean is taken of now;
    /// those that are applied before this one, of this run or of another, count one more each.
    ///
    /// # Panics
    /// If the value has another shape than the buffer.
    #[track_caller]
    pub fn average_buffer(&self, buffer: &Buffer<T>, seen: u64, value: Var<'_, T>) {
        let averaged = buffer.averaged;
        self.put("average_buffer", buffer, value, |value| Change::Average {
            seen,
            averaged,
            value,
        });
    }

    /// Says that this run adds to a counter: b ← b + n, applied as those of
    /// [`update_buffer`](Tape::update_buffer). A total that is no `i64` is refused when it is
    /// applied.
    pub fn count_buffer(&self, buffer: &Buffer<i64>, n: i64) {
        if !self.is_abstract() {
            self.push_update(buffer, Change::Count(n));
        }
    }

    /// Applies the updates of this run that were not applied yet to the buffers of a model: for runs
    /// without a loss, and for steps that an optimizer did not make (over gradients that are not
    /// finite, say). Only buffers of this model are changed; updates of others wait for theirs.
    ///
    /// ```
    /// use wengert_autograd::{Buffer, Tape};
    /// use wengert_tensor::{Philox, Tensor};
    ///
    /// // The mean of a stream of batches: no gradients, no history.
    /// let mut mean = Buffer::new(Tensor::scalar(0.0));
    /// for (seen, batch) in [[1.0f32, 3.0], [5.0, 7.0]].into_iter().enumerate() {
    ///     let tape = Tape::inference();
    ///     let x = tape.constant(Tensor::from(batch));
    ///     tape.average_buffer(&mean, seen as u64, x.mean_all());
    ///     tape.apply_updates(&mut mean);
    ///     tape.apply_updates(&mut mean); // nothing is left to apply
    /// }
    /// assert_eq!(mean.value().item(), 4.0);
    /// ```
    ///
    /// # Panics
    /// If a counter would exceed `i64`; nothing has changed.
    #[track_caller]
    pub fn apply_updates(&self, model: &mut dyn Module) {
        let updates = self.buffers.borrow().clone();
        apply(&updates, model);
    }

    #[track_caller]
    fn put(
        &self,
        op: &str,
        buffer: &Buffer<T>,
        value: Var<'_, T>,
        change: impl FnOnce(Tensor<T>) -> Change<T>,
    ) {
        self.same_tape(op, value.tape);
        let (has, gets) = (buffer.shape(), value.shape());
        if has != gets {
            self.fail(format!("{op}: a change of shape {gets} for a buffer of shape {has}"))
        }
        if !self.is_abstract() {
            self.push_update(buffer, change(self.force(value.id)));
        }
    }

    fn push_update<E: Element>(&self, buffer: &Buffer<E>, change: Change<T>) {
        let update = BufferUpdate { buffer: buffer.id(), change: Mutex::new(Some(change)) };
        self.buffers.borrow_mut().push(Arc::new(update));
    }
}

impl<T: Float> Gradients<T> {
    /// Applies the updates of the run that were not applied yet to a buffer; whether there were any.
    pub fn apply_to(&self, buffer: &mut Buffer<T>) -> bool {
        apply_to(&self.buffers, buffer)
    }

    /// Applies the updates of the run that were not applied yet to a counter; whether there were
    /// any.
    ///
    /// # Panics
    /// If the counter would exceed `i64`; nothing has changed.
    #[track_caller]
    pub fn apply_to_counter(&self, buffer: &mut Buffer<i64>) -> bool {
        match apply_to_counter(&self.buffers, buffer) {
            Ok(any) => any,
            Err(full) => panic!("apply_to_counter: {full}"),
        }
    }

    /// The first counter of a model that the updates of the run would take beyond `i64`, in words:
    /// its name, where it is, and by how much it is to grow. An optimizer's step and
    /// [`apply_updates`](Gradients::apply_updates) panic on it.
    pub fn full_counter(&self, model: &dyn Module) -> Option<String> {
        full_counter(&self.buffers, model)
    }

    /// Applies the updates of the run that were not applied yet to the buffers of a model, as an
    /// optimizer's step does: for training without one, and for steps that were not made.
    ///
    /// # Panics
    /// If a counter would exceed `i64`; nothing has changed.
    #[track_caller]
    pub fn apply_updates(&self, model: &mut dyn Module) {
        apply(&self.buffers, model);
    }

    /// Takes over the updates of other gradients, after its own; those of the same run are here
    /// already.
    pub(crate) fn take_updates(&mut self, others: Updates<T>) {
        if self.buffers.is_empty() || others.is_empty() {
            self.buffers.extend(others);
            return;
        }
        let known: HashSet<_> = self.buffers.iter().map(Arc::as_ptr).collect();
        self.buffers.extend(others.into_iter().filter(|it| !known.contains(&Arc::as_ptr(it))));
    }
}

#[track_caller]
fn apply<T: Float>(updates: &[Arc<BufferUpdate<T>>], model: &mut dyn Module) {
    if updates.is_empty() {
        return;
    }
    if let Some(full) = full_counter(updates, model) {
        panic!("apply_updates: {full}")
    }
    model.visit_mut(&Path::root(), &mut |_, state| {
        if let Some(buffer) = state.downcast_mut::<Buffer<T>>() {
            apply_to(updates, buffer);
        } else if let Some(counter) = state.downcast_mut::<Buffer<i64>>() {
            // Refused above, unless another thread counts the same model's passes meanwhile.
            if let Err(full) = apply_to_counter(updates, counter) {
                panic!("apply_updates: {full}")
            }
        }
    });
}

/// The first counter that does not hold what is to be added to it.
fn full_counter<T: Float>(updates: &[Arc<BufferUpdate<T>>], model: &dyn Module) -> Option<String> {
    let mut first = None;
    if updates.is_empty() {
        return first;
    }
    model.visit(&Path::root(), &mut |path, state| {
        if let Some(counter) = state.downcast_ref::<Buffer<i64>>()
            && first.is_none()
        {
            let own = updates.iter().filter(|update| update.buffer == counter.id());
            let counts = own.filter_map(|update| match &*update.change() {
                Some(Change::Count(n)) => Some(i128::from(*n)),
                _ => None,
            });
            let full = counted(counter, counts.sum()).err();
            first = full.map(|full| format!("{path}: {full}"));
        }
    });
    first
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

/// Calls `apply` with each change of a buffer that was not applied yet, in order, and marks it;
/// whether there were any.
fn each_change<T: Float>(
    updates: &[Arc<BufferUpdate<T>>],
    buffer: BufferId,
    mut apply: impl FnMut(&Change<T>),
) -> bool {
    let mut any = false;
    for update in updates.iter().filter(|update| update.buffer == buffer) {
        let mut change = update.change();
        if let Some(pending) = &*change {
            apply(pending);
            *change = None;
            any = true;
        }
    }
    any
}

fn apply_to<T: Float>(updates: &[Arc<BufferUpdate<T>>], buffer: &mut Buffer<T>) -> bool {
    each_change(updates, buffer.id(), |change| match change {
        Change::Blend { keep, change } => buffer.update(|b| *b = &*b * *keep + change),
        Change::Average { seen, averaged, value } => {
            let seen = seen.saturating_add(buffer.averaged - averaged);
            let weight = 1.0 / seen.saturating_add(1) as f64;
            buffer.update(|b| *b = &*b * (1.0 - weight) + value * weight);
            buffer.averaged += 1;
        }
        Change::Count(_) => unreachable!("counters are whole numbers"),
    })
}

/// Whether there was anything to count; or that the counter cannot, and is as it was. Only the total
/// has to fit.
fn apply_to_counter<T: Float>(
    updates: &[Arc<BufferUpdate<T>>],
    buffer: &mut Buffer<i64>,
) -> Result<bool, String> {
    // Taken first, so that no other thread counts the same changes.
    let own = updates.iter().filter(|update| update.buffer == buffer.id());
    let taken = own.filter_map(|update| match update.change().take() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_of_all_values() {
        let mut model = (Buffer::new(Tensor::from([0.0f32, 7.0])), Buffer::<i64>::new(2.into()));
        let run = |model: &(Buffer, Buffer<i64>), values: &[[f32; 2]]| {
            let tape = Tape::new();
            let seen = model.1.value().item() as u64;
            for value in values {
                let value = tape.constant(Tensor::from(*value));
                tape.average_buffer(&model.0, seen, value);
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
