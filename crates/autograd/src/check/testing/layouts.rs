//! The test that results and gradients do not depend on the memory layout of the inputs.

use super::{OpError, Operation, POLICIES, Test, at_least_one, close, error_in, watched, weighted};
use crate::graph::{Policy, Tape};
use wengert_tensor::{Element, Tensor};

/// Returns tensors in six memory layouts. Five have the elements of `x`; the sixth repeats the first row
/// of `x`. The layouts are:
///
/// - contiguous;
/// - after other elements, inside a larger tensor;
/// - with the axes stored in reverse order;
/// - every second element of the last axis of a larger tensor;
/// - stored in reverse along the first axis;
/// - the first row, repeated along the first axis without additional memory.
///
/// A scalar, and a tensor without elements, has only the first two layouts.
pub fn layouts<T: Element>(x: &Tensor<T>) -> Vec<(&'static str, Tensor<T>)> {
    let x = x.contiguous();
    let (shape, rank) = (x.shape(), x.rank());
    let numbers = x.to_vec();
    let mut found = vec![("contiguous", x.clone())];
    let mut behind = numbers.clone();
    behind.extend_from_slice(&numbers);
    let n = numbers.len();
    let behind = Tensor::from_vec(behind, &[2 * n]).slice(0, n as isize, 2 * n as isize, 1);
    found.push(("behind others", behind.reshape(&shape)));
    if rank == 0 || n == 0 {
        return found;
    }
    let order: Vec<isize> = (0..rank as isize).rev().collect();
    found.push(("axes reversed", x.permute(&order).contiguous().permute(&order)));
    let mut wide = Vec::with_capacity(2 * n);
    for number in &numbers {
        wide.extend([*number, *number]);
    }
    let mut sizes = shape.to_vec();
    sizes[rank - 1] *= 2;
    let last = sizes[rank - 1] as isize;
    found.push(("every second", Tensor::from_vec(wide, &sizes).slice(-1, 0, last, 2)));
    found.push(("backwards", x.flip(0).contiguous().flip(0)));
    found.push(("repeated", x.narrow(0, 0, 1).broadcast_to(&shape)));
    found
}

/// Checks that results and gradients do not depend on the memory layout of the inputs ([`layouts`]), nor
/// on the policy, eager or fused. Rounding errors of sums in another order are permitted.
///
/// # Errors
/// If the results for a layout differ from those for contiguous inputs. The error describes the first
/// such layout.
pub fn check_layouts(inputs: &[Tensor<f64>], f: impl Operation) -> Result<(), OpError> {
    at_least_one(f(&watched(&Tape::eval(), inputs)), Test::Layouts)?;
    let run = |inputs: &[Tensor<f64>], policy| {
        let tape = Tape::eval().with_policy(policy);
        let x = watched(&tape, inputs);
        let y = f(&x);
        let mut all: Vec<_> = y.iter().map(|y| y.value().to_vec()).collect();
        let loss = weighted(&y);
        all.extend(loss.grad_or_zero(&x).iter().map(|g| g.value().to_vec()));
        all
    };
    let ways: Vec<_> = inputs.iter().map(layouts).collect();
    for way in 0..ways.iter().map(Vec::len).max().unwrap_or(0) {
        let chosen: Vec<_> =
            ways.iter().enumerate().map(|(i, ways)| &ways[(way + i) % ways.len()]).collect();
        let laid: Vec<_> = chosen.iter().map(|(_, x)| x.clone()).collect();
        let plain: Vec<_> = laid.iter().map(Tensor::copied).collect();
        let wanted = run(&plain, Policy::Eager);
        for policy in POLICIES {
            let got = run(&laid, policy);
            if !got.iter().zip(&wanted).all(|(got, wanted)| close(got, wanted, 1e-12)) {
                let names: Vec<_> = chosen.iter().map(|(name, _)| *name).collect();
                return Err(error_in(
                    Test::Layouts,
                    format!(
                        "expected the results of contiguous inputs, got other numbers for inputs that are \
                         {names:?}, policy {policy:?}"
                    ),
                ));
            }
        }
    }
    Ok(())
}
