//! Changes to buffers: results of a run, applied with the optimizer's step. `forward` stays pure.

use crate::gradients::Gradients;
use crate::module::{Module, Path};
use crate::param::{Buffer, BufferId};
use crate::tape::Tape;
use crate::var::Var;
use wengert_tensor::{Float, Tensor};

/// What a run does to a buffer.
#[derive(Clone)]
pub(crate) struct BufferUpdate<T: Float> {
    buffer: BufferId,
    change: Change<T>,
}

#[derive(Clone)]
enum Change<T: Float> {
    /// b ← keep · b + change
    Blend { keep: f64, change: Tensor<T> },
    /// b ← b + (value − b) / (seen + 1), where `seen` grows with each such update of the buffer.
    Average { seen: u64, value: Tensor<T> },
    /// b ← b + n
    Count(i64),
}

impl<T: Float> Tape<T> {
    /// Says that this run changes a buffer: b ← keep · b + change, applied when the optimizer steps
    /// with the run's gradients. Those of several runs whose gradients are
    /// [accumulated](Gradients::accumulate) follow each other.
    ///
    /// # Panics
    /// If the change has another shape than the buffer.
    #[track_caller]
    pub fn update_buffer(&self, buffer: &Buffer<T>, keep: f64, change: Var<'_, T>) {
        self.put("update_buffer", buffer, change, |change| Change::Blend { keep, change });
    }

    /// Says that this run gives a buffer that is the mean of all its values one more:
    /// b ← b + (value − b) / (seen + 1), applied when the optimizer steps. `seen` is how many values
    /// the mean was taken of before the step; of several updates in one step each counts one more.
    ///
    /// # Panics
    /// If the value has another shape than the buffer.
    #[track_caller]
    pub fn average_buffer(&self, buffer: &Buffer<T>, seen: u64, value: Var<'_, T>) {
        self.put("average_buffer", buffer, value, |value| Change::Average { seen, value });
    }

    /// Says that this run adds to a counter: b ← b + n, applied when the optimizer steps.
    pub fn count_buffer(&self, buffer: &Buffer<i64>, n: i64) {
        if !self.is_abstract() {
            let update = BufferUpdate { buffer: buffer.id(), change: Change::Count(n) };
            self.buffers.borrow_mut().push(update);
        }
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
            let change = change(self.force(value.id));
            self.buffers.borrow_mut().push(BufferUpdate { buffer: buffer.id(), change });
        }
    }
}

impl<T: Float> Gradients<T> {
    fn updates(&self, id: BufferId) -> impl Iterator<Item = &Change<T>> {
        self.buffers.iter().filter(move |update| update.buffer == id).map(|update| &update.change)
    }

    /// Applies the run's updates to a buffer; whether there were any.
    pub fn apply_to(&self, buffer: &mut Buffer<T>) -> bool {
        let (mut any, mut more) = (false, 0);
        for change in self.updates(buffer.id()) {
            buffer.update(|b| match change {
                Change::Blend { keep, change } => *b = &*b * *keep + change,
                Change::Average { seen, value } => {
                    more += 1;
                    let weight = 1.0 / (seen + more) as f64;
                    *b = &*b * (1.0 - weight) + value * weight;
                }
                Change::Count(_) => unreachable!("counters are whole numbers"),
            });
            any = true;
        }
        any
    }

    /// Applies the run's updates to a counter; whether there were any.
    pub fn apply_to_counter(&self, buffer: &mut Buffer<i64>) -> bool {
        let mut any = false;
        for change in self.updates(buffer.id()) {
            let Change::Count(n) = change else { unreachable!("only counters are whole numbers") };
            buffer.update(|b| *b = &*b + &Tensor::scalar_of(*n));
            any = true;
        }
        any
    }

    /// Applies the run's updates to all buffers of a model, as an optimizer's step does: for training
    /// without one.
    pub fn apply_updates(&self, model: &mut dyn Module) {
        model.visit_mut(&Path::root(), &mut |_, state| {
            if let Some(buffer) = state.downcast_mut::<Buffer<T>>() {
                self.apply_to(buffer);
            } else if let Some(counter) = state.downcast_mut::<Buffer<i64>>() {
                self.apply_to_counter(counter);
            }
        });
    }
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
