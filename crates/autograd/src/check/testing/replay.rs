//! The test that a replay with other inputs gives the results of a new run.

use super::{OpError, Operation, POLICIES, Test, at_least_one, bits, error_in, watched, weighted};
use crate::graph::{Tape, Var};
use wengert_tensor::{Philox, Tensor};

/// Checks replays. A run is replayed with the elements of the inputs in reverse order. Its results and
/// gradients of first and second order must equal those of a new run, bit for bit. The same must hold
/// for a second replay.
///
/// # Errors
/// If they differ. The operation has then read values while it was recorded.
pub fn check_replay(inputs: &[Tensor<f64>], f: impl Operation) -> Result<(), OpError> {
    at_least_one(f(&watched(&Tape::train(&mut Philox::new(5)), inputs)), Test::Replay)?;
    let other: Vec<_> = inputs.iter().map(reversed).collect();
    for policy in POLICIES {
        let make = || Tape::train(&mut Philox::new(5)).with_policy(policy);
        let fresh = |inputs: &[Tensor<f64>]| RecordedProgram::of(&f, &make(), inputs).numbers();
        let tape = make();
        let recording = RecordedProgram::of(&f, &tape, inputs);
        if recording.numbers() != fresh(inputs) {
            let message =
                "two runs on the same inputs differ: the operation is not a pure function";
            return Err(error_in(Test::Replay, message.into()));
        }
        for inputs in [&other[..], &other, inputs] {
            recording.replay(inputs);
            if recording.numbers() != fresh(inputs) {
                return Err(error_in(
                    Test::Replay,
                    format!(
                        "the replay with other inputs differs from a new run: the operation read values \
                         while it was recorded, policy {policy:?}"
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// Returns the elements in reverse order: they are in the same domain, but the maxima are at other
/// positions.
pub(crate) fn reversed(x: &Tensor<f64>) -> Tensor<f64> {
    Tensor::from_vec(x.to_vec().into_iter().rev().collect(), &x.shape())
}

/// A run of an operation with its derivatives of first and second order as variables.
pub(crate) struct RecordedProgram<'t> {
    tape: &'t Tape<f64>,
    leaves: Vec<Var<'t, f64>>,
    loss: Var<'t, f64>,
    results: Vec<Var<'t, f64>>,
}

impl<'t> RecordedProgram<'t> {
    pub fn of(f: &dyn Operation, tape: &'t Tape<f64>, inputs: &[Tensor<f64>]) -> Self {
        let leaves = watched(tape, inputs);
        let mut results = f(&leaves);
        let loss = weighted(&results);
        results.push(loss);
        if loss.is_active() {
            let slopes = loss.grad_or_zero(&leaves);
            let bend = weighted(&slopes);
            results.extend(slopes);
            if bend.is_active() {
                results.extend(bend.grad_or_zero(&leaves));
            }
        }
        RecordedProgram { tape, leaves, loss, results }
    }

    /// Replays the program with other inputs.
    pub fn replay(&self, inputs: &[Tensor<f64>]) {
        let replay = self.tape.replay(&()).allow_reads();
        let leaves = self.leaves.iter().zip(inputs);
        leaves.fold(replay, |replay, (&x, value)| replay.set(x, value.clone())).run();
    }

    /// Returns the bits of all values, and of the gradients as tensors: first with the history kept,
    /// then with the history ended.
    pub fn numbers(&self) -> Vec<Vec<u64>> {
        let mut all: Vec<_> = self.results.iter().map(|y| bits(&y.value().to_vec())).collect();
        if self.loss.is_active() {
            for gradients in [self.loss.backward_retain(), self.loss.backward()] {
                let of = |&x: &Var<'t, f64>| gradients.wrt(x).map(|g| bits(&g.to_vec()));
                all.extend(self.leaves.iter().map(|x| of(x).unwrap_or_default()));
            }
        }
        all
    }
}
