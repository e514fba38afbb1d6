//! Changes of buffers as part of the program.

use super::bindings::{Declaration, Declared};
use super::tape::Tape;
use super::var::Var;
use crate::module::{Buffer, BufferId, Change, Module};
use wengert_tensor::Float;

impl<T: Float> Tape<T> {
    /// Declares that this run changes a buffer: b ← keep · b + change. The change is applied once, by
    /// the optimizer's step with the run's gradients or by [`apply_updates`](Tape::apply_updates).
    /// Changes of several runs whose gradients are [accumulated](crate::Gradients::accumulate) are
    /// applied one after the other.
    ///
    /// # Panics
    /// If the shape of the change differs from that of the buffer.
    #[track_caller]
    pub fn update_buffer(&self, buffer: &Buffer<T>, keep: f64, change: Var<'_, T>) {
        let Some(id) = self.declared("update_buffer", buffer, change) else { return };
        let change = Change::Blend { keep, change: self.force(id) };
        self.declare(buffer.id(), Declared::Blend { keep, change: id }, change);
    }

    /// Declares that this run adds a value to a buffer that holds a mean:
    /// b ← b + (value − b) / (seen + 1). The change is applied like that of
    /// [`update_buffer`](Tape::update_buffer). `seen` is a counter of one element: the present number of
    /// values in the mean (a negative number counts as 0).
    /// Values that are added before this one is applied, by this run or another, are counted as well.
    /// The counter is not changed; call [`count_buffer`](Tape::count_buffer) for that.
    ///
    /// # Panics
    /// If the shape of the value differs from that of the buffer, or the counter does not have one
    /// element.
    #[track_caller]
    pub fn average_buffer(&self, buffer: &Buffer<T>, seen: &Buffer<i64>, value: Var<'_, T>) {
        if seen.value().numel() != 1 {
            let shape = seen.shape();
            self.fail(format!(
                "average_buffer: the counter must have one element, got shape {shape}"
            ))
        }
        let Some(id) = self.declared("average_buffer", buffer, value) else { return };
        let change = Change::average(buffer, seen, self.force(id));
        self.declare(buffer.id(), Declared::Average { seen: seen.id(), value: id }, change);
    }

    /// Declares that this run adds to a counter: b ← b + n. The change is applied like that of
    /// [`update_buffer`](Tape::update_buffer). A total outside `i64` is refused when it is applied.
    pub fn count_buffer(&self, buffer: &Buffer<i64>, n: i64) {
        if !self.is_shape_only() && self.walks.get() == 0 {
            self.declare(buffer.id(), Declared::Count(n), Change::Count(n));
        }
    }

    /// Applies the updates of this run to the buffers of a model, except those applied before. Use it for
    /// runs without a loss, and for steps that the optimizer skipped (for example because gradients were not
    /// finite). Only buffers of this model are changed. Updates of other buffers remain to be applied.
    ///
    /// ```
    /// use wengert::autograd::{Buffer, Tape};
    /// use wengert::tensor::Tensor;
    ///
    /// // The mean of a stream of batches, without gradients and history.
    /// let mut mean = (Buffer::new(Tensor::scalar(0.0)), Buffer::<i64>::new(0.into()));
    /// for batch in [[1.0f32, 3.0], [5.0, 7.0]] {
    ///     let tape = Tape::inference();
    ///     let x = tape.constant(Tensor::from(batch));
    ///     tape.average_buffer(&mean.0, &mean.1, x.mean_all());
    ///     tape.count_buffer(&mean.1, 1);
    ///     tape.apply_updates(&mut mean);
    ///     tape.apply_updates(&mut mean); // all updates have been applied: no change
    /// }
    /// assert_eq!(mean.0.value().item(), 4.0);
    /// ```
    ///
    /// # Panics
    /// If a counter would exceed `i64`. In that case nothing is changed.
    #[track_caller]
    pub fn apply_updates(&self, model: &mut dyn Module) {
        let updates = self.buffers.borrow().clone();
        updates.apply(model);
    }

    /// Returns the node from which a change of a buffer is computed, if the change must be recorded.
    #[track_caller]
    fn declared(&self, op: &str, buffer: &Buffer<T>, value: Var<'_, T>) -> Option<u32> {
        self.same_tape(op, value.tape);
        let (has, gets) = (buffer.shape(), value.shape());
        if has != gets {
            self.fail(format!(
                "{op}: the buffer and the change must have the same shape, got {has} and {gets}"
            ))
        }
        // A rule may evaluate a layer again. The forward pass has already declared its changes.
        (!self.is_shape_only() && self.walks.get() == 0).then_some(value.id)
    }

    /// Notes a change, and its position in the program for replays.
    fn declare(&self, buffer: BufferId, what: Declared, change: Change<T>) {
        let at = self.arena.borrow().len();
        self.declared.borrow_mut().push(Declaration { at, buffer, what });
        self.push_update(buffer, change);
    }

    pub(crate) fn push_update(&self, buffer: BufferId, change: Change<T>) {
        self.buffers.borrow_mut().push(buffer, change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tensor::Tensor;

    #[test]
    fn an_averaged_buffer_is_the_mean_of_all_values() {
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
        // Two values of 0 were averaged into the buffer before.
        for (mean, wanted) in model.0.value().to_vec().into_iter().zip([3.0, 7.0]) {
            assert!((mean - wanted).abs() < 1e-6);
        }
    }
}
