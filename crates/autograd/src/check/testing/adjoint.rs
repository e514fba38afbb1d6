//! The test that the derivative rule is the adjoint of the derivative.

use super::{OpError, Operation, POLICIES, Test, at_least_one, close, error_in, spread, watched};
use crate::graph::{Tape, Var};
use crate::transforms::jvp;
use wengert_tensor::Tensor;

/// Checks ⟨u, J·t⟩ = ⟨Jᵀ·u, t⟩ for random t and u. J·t is computed in forward mode ([`jvp`]), and as the
/// derivative of Jᵀ·u with respect to u. A rule that is not linear in its cotangent fails.
///
/// # Errors
/// If the two sides differ by more than rounding.
pub fn check_adjoint(inputs: &[Tensor<f64>], f: impl Operation) -> Result<(), OpError> {
    for policy in POLICIES {
        let tape = Tape::eval().with_policy(policy);
        let random = |x: &Var<'_, f64>, seed: usize| {
            spread(&x.shape(), &[(-1.0, -0.3), (0.3, 1.0)], 900 + seed as u64)
        };
        let x = watched(&tape, inputs);
        let y = at_least_one(f(&x), Test::Adjoint)?;
        let u: Vec<_> = y.iter().enumerate().map(|(i, y)| tape.watch(random(y, i))).collect();
        let t: Vec<_> =
            x.iter().enumerate().map(|(i, x)| tape.constant(random(x, 50 + i))).collect();
        let pulled = Var::grad_of(&y, &u, &x);
        let along = pulled.into_iter().zip(&t).filter_map(|(g, t)| Some((g? * *t).sum_all()));
        let Some(left) = along.reduce(|a, b| a + b) else { continue };
        let twice = left.grad_or_zero(&u);
        let (_, pushed) = jvp(|x: Vec<Var<'_, f64>>| f(&x), x.clone(), t.clone());
        let mut right = 0.0;
        for (i, ((u, twice), pushed)) in u.iter().zip(twice).zip(pushed).enumerate() {
            let [u, twice, pushed] = [*u, twice, pushed].map(|v| v.value().to_vec());
            if !close(&twice, &pushed, 1e-10) {
                return Err(error_in(
                    Test::Adjoint,
                    format!(
                        "J·t of result {i} is {pushed:?} forwards, and {twice:?} as the derivative of \
                         Jᵀ·u by u, policy {policy:?}"
                    ),
                ));
            }
            right += u.iter().zip(&pushed).map(|(u, p)| u * p).sum::<f64>();
        }
        let left = left.item();
        if !close(&[left], &[right], 1e-10) {
            return Err(error_in(
                Test::Adjoint,
                format!(
                    "⟨Jᵀ·u, t⟩ and ⟨u, J·t⟩ must be equal, got {left:e} and {right:e}, policy {policy:?}"
                ),
            ));
        }
    }
    Ok(())
}
