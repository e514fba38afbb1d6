use super::{grad, jacobian};
use crate::graph::Var;
use wengert_tensor::Float;

/// Returns the Hessian of a scalar function: `h[…i, …j] = ∂²f/∂xᵢ∂xⱼ`. Its shape is `x.shape()` twice.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::autograd::transforms::hessian;
/// use wengert::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.constant(Tensor::from([1.0f64, 2.0]));
/// let h = hessian(|x| (x.sum_all() * x.square().sum_all()), x);
/// assert_eq!(h.shape(), [2, 2]);
/// // 2·(xᵢ + xⱼ), plus 2·Σx on the diagonal
/// assert_eq!(h.value().to_vec(), [10.0, 6.0, 6.0, 14.0]);
/// ```
///
/// # Panics
/// Under the conditions of [`grad`], or if the Hessian would have more axes than a tensor can have.
#[track_caller]
pub fn hessian<'t, T: Float>(
    f: impl FnOnce(Var<'t, T>) -> Var<'t, T>,
    x: Var<'t, T>,
) -> Var<'t, T> {
    jacobian(|x| grad(f, x), x)
}
