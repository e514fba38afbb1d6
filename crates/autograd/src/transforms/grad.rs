use super::{Evaluated, FunctionEvaluation, Variables, in_place_of};
use crate::graph::Var;
use wengert_tensor::Float;

/// Returns the gradient of a scalar function at `x`: ∂f/∂x, in the structure of `x`.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::autograd::transforms::grad;
/// let tape = Tape::<f64>::new();
/// let (x, y) = (tape.full((), 2.0), tape.full((), 5.0));
/// let (by_x, by_y) = grad(|(x, y)| x.powi(3) * y, (x, y));
/// assert_eq!((by_x.item(), by_y.item()), (60.0, 8.0)); // 3·x²·y, x³
/// // The gradient of the gradient: 6·x
/// assert_eq!(grad(|x| grad(|x| x.powi(3), x), x).item(), 12.0);
/// ```
///
/// # Panics
/// If the function does not return a scalar, `x` contains no variable, or the variables are on different
/// tapes.
#[track_caller]
pub fn grad<'t, T: Float, X: Variables<'t, T>>(f: impl FnOnce(X) -> Var<'t, T>, x: X) -> X {
    value_and_grad(f, x).1
}

/// Returns the value of a scalar function at `x`, and its gradient there.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::autograd::transforms::value_and_grad;
/// use wengert::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.constant(Tensor::from([1.0f64, 2.0]));
/// let (y, slopes) = value_and_grad(|x| x.square().sum_all(), x);
/// assert_eq!((y.item(), slopes.value().to_vec()), (5.0, vec![2.0, 4.0]));
/// ```
///
/// # Panics
/// Under the conditions of [`grad`].
#[track_caller]
pub fn value_and_grad<'t, T: Float, X: Variables<'t, T>>(
    f: impl FnOnce(X) -> Var<'t, T>,
    x: X,
) -> (Var<'t, T>, X) {
    let Evaluated { evaluation, x, form, y } = FunctionEvaluation::of("grad", f, x);
    y.check_scalar("grad");
    let slopes = y.grad_or_zero(&x);
    drop(evaluation);
    (y, in_place_of(form, slopes))
}
