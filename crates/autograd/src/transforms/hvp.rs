use super::{Variables, grad, jvp};
use crate::graph::Var;
use wengert_tensor::Float;

/// Returns the product of a scalar function's Hessian and a vector, ∂²f/∂x²·v, in the structure of `x`.
/// It is the derivative of the gradient along `v`, and the Hessian itself is not computed.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::autograd::transforms::hvp;
/// use wengert::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.constant(Tensor::from([1.0f64, 2.0]));
/// let v = tape.constant(Tensor::from([10.0, 1.0]));
/// // The Hessian of x₀³ + x₁³ is diagonal, with 6·x.
/// assert_eq!(hvp(|x| x.powi(3).sum_all(), x, v).value().to_vec(), [60.0, 12.0]);
/// ```
///
/// # Panics
/// If the shapes of `v` differ from those of `x`, or under the conditions of [`grad`].
#[track_caller]
pub fn hvp<'t, T: Float, X: Variables<'t, T>>(f: impl FnOnce(X) -> Var<'t, T>, x: X, v: X) -> X {
    jvp(|x| grad(f, x), x, v).1
}
