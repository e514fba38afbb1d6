//! The test that derivative rules read only the values that they declare.

use super::{OpError, Operation, POLICIES, Test, at_least_one, bits, error_in, weighted};
use crate::graph::{Policy, SAVED, Tape, Var};
use wengert_tensor::Tensor;

/// Checks that rules read only what they declare ([`CustomOp::reads`](crate::CustomOp::reads)). Every
/// value that no rule declared is replaced by NaN, and gradients of first and second order must not
/// change. The check runs with all inputs watched, and with each input watched alone.
///
/// # Errors
/// If a gradient changes.
pub fn check_reads(inputs: &[Tensor<f64>], f: impl Operation) -> Result<(), OpError> {
    for policy in POLICIES {
        for alone in std::iter::once(None).chain((0..inputs.len()).map(Some)) {
            let watched: Vec<bool> =
                (0..inputs.len()).map(|i| alone.is_none_or(|alone| i == alone)).collect();
            for order in 1..=2 {
                reads_of_order(inputs, &f, policy, &watched, order)
                    .map_err(|message| error_in(Test::Reads, message))?;
            }
        }
    }
    Ok(())
}

/// Returns a message if a gradient of this order reads a value that no rule declared.
fn reads_of_order(
    inputs: &[Tensor<f64>],
    f: &dyn Operation,
    policy: Policy,
    watched: &[bool],
    order: usize,
) -> Result<(), String> {
    let tape = Tape::new().with_policy(policy);
    let put = |(x, &watched): (&Tensor<f64>, _)| {
        if watched { tape.watch(x.clone()) } else { tape.constant(x.clone()) }
    };
    let x: Vec<_> = inputs.iter().zip(watched).map(put).collect();
    let leaves: Vec<_> = x.iter().copied().filter(|x| x.is_active()).collect();
    let y = at_least_one(f(&x), Test::Reads).map_err(|error| error.message)?;
    let mut loss = weighted(&y);
    if order == 2 {
        if !loss.is_active() {
            return Ok(());
        }
        let slopes = loss.grad_or_zero(&leaves);
        loss = weighted(&slopes);
    }
    if !loss.is_active() {
        return Ok(());
    }
    for id in 0..tape.len() as u32 {
        tape.compute(id);
    }
    let numbers = || {
        let gradients = loss.backward_retain();
        let of = |&x: &Var<'_, f64>| gradients.wrt(x).map(|g| bits(&g.to_vec()));
        leaves.iter().map(of).collect::<Vec<_>>()
    };
    // Gradients through comparisons are active but reach no leaf.
    let Ok(clean) = tape.catch(numbers) else { return Ok(()) };
    tape.poison();
    if numbers() == clean {
        return Ok(());
    }
    Err(format!(
        "the gradient of order {order} reads a value that no rule declared: of {} nodes, with inputs \
         watched {watched:?}, policy {policy:?}",
        tape.len()
    ))
}

impl Tape<f64> {
    /// Replaces each value that no rule has declared to read: numbers by NaN, integers by one that is
    /// out of range for every axis.
    pub(crate) fn poison(&self) {
        let arena = &mut *self.arena.borrow_mut();
        for id in 0..arena.len() {
            if arena.nodes[id as usize].has(SAVED) {
                continue;
            }
            let shape = *arena.shape(id);
            match arena.place_of_integers(id) {
                Some(place) => {
                    arena.integers[place as usize] = Some(Tensor::full_of(&shape, i64::MAX));
                }
                None => arena.values[id as usize] = Some(Tensor::full_of(&shape, f64::NAN)),
            }
        }
    }
}
