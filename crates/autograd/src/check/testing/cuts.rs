//! The test of derivatives that are cut off at an input or an output.

use super::{OpError, Operation, POLICIES, Test, at_least_one, close, error_in, watched, weights};
use crate::graph::{Tape, Var};
use wengert_tensor::Tensor;

/// Checks derivatives that are cut off at an input or an output. The gradient with respect to one input
/// must be the same if the other inputs are constants. The gradient of all results together must be the
/// sum of the gradients of the results. The gradient with respect to a result must be its given
/// cotangent. No result may be the same node as an input.
///
/// # Errors
/// If one of these gradients differs. The error describes the first one.
pub fn check_cuts(inputs: &[Tensor<f64>], f: impl Operation) -> Result<(), OpError> {
    let fail = |message: String| Err(error_in(Test::Cuts, message));
    for policy in POLICIES {
        let tape = Tape::eval().with_policy(policy);
        let x = watched(&tape, inputs);
        let y = at_least_one(f(&x), Test::Cuts)?;
        if let Some(i) = y.iter().position(|y| x.iter().any(|x| x.is(*y))) {
            return fail(format!("result {i} is the same node as an input: return a new variable"));
        }
        let seeds: Vec<_> = y.iter().map(|y| tape.constant(weights(&y.shape()))).collect();
        let whole = numbers_of(&Var::grad_of(&y, &seeds, &x), inputs);
        let mut sum: Vec<Vec<f64>> = inputs.iter().map(|x| vec![0.0; x.numel()]).collect();
        for (y, seed) in y.iter().zip(&seeds) {
            let one = numbers_of(&Var::grad_of(&[*y], &[*seed], &x), inputs);
            sum.iter_mut().zip(one).for_each(|(sum, one)| {
                sum.iter_mut().zip(one).for_each(|(sum, one)| *sum += one);
            });
        }
        for (i, (sum, whole)) in sum.iter().zip(&whole).enumerate() {
            if !close(sum, whole, 1e-12) {
                return fail(format!(
                    "the gradients of the results with respect to input {i} add up to {sum:?}, but the \
                     gradient of all results together is {whole:?}, policy {policy:?}"
                ));
            }
        }
        for (i, found) in Var::grad_of(&y, &seeds, &y).into_iter().enumerate() {
            let wanted = seeds[i].value();
            if y[i].is_active() && found.map(|g| g.value()) != Some(wanted) {
                return fail(format!(
                    "the gradient with respect to result {i} is not the cotangent of the result, policy {policy:?}"
                ));
            }
        }
        for i in 0..inputs.len() {
            let tape = Tape::eval().with_policy(policy);
            let put = |(j, x): (usize, &Tensor<f64>)| {
                if i == j { tape.watch(x.clone()) } else { tape.constant(x.clone()) }
            };
            let x: Vec<_> = inputs.iter().enumerate().map(put).collect();
            let y = f(&x);
            let seeds: Vec<_> = y.iter().map(|y| tape.constant(weights(&y.shape()))).collect();
            let alone = numbers_of(&Var::grad_of(&y, &seeds, &x[i..=i]), &inputs[i..=i]);
            if !close(&alone[0], &whole[i], 1e-12) {
                return fail(format!(
                    "the gradient with respect to input {i} is {:?} if the other inputs are constants, and {:?} if \
                     all inputs are watched, policy {policy:?}",
                    alone[0], whole[i]
                ));
            }
        }
    }
    Ok(())
}

fn numbers_of(gradients: &[Option<Var<'_, f64>>], inputs: &[Tensor<f64>]) -> Vec<Vec<f64>> {
    let pairs = gradients.iter().zip(inputs);
    pairs.map(|(g, x)| g.map_or(vec![0.0; x.numel()], |g| g.value().to_vec())).collect()
}
