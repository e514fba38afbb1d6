use super::{Evaluated, FunctionEvaluation, Variables, check_like, in_place_of, pulled};
use wengert_tensor::Float;

/// Returns the function at `x`, and the vector-Jacobian product uᵀ·∂f/∂x in the structure of `x`. The
/// function `u` takes the results of `f` and returns their weights.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::autograd::transforms::vjp;
/// use wengert::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.constant(Tensor::from([1.0f64, 2.0, 3.0]));
/// let u = tape.constant(Tensor::from([1.0, 10.0, 100.0]));
/// let (y, pulled) = vjp(|x| x.square(), x, |_| u);
/// assert_eq!(y.value().to_vec(), [1.0, 4.0, 9.0]);
/// assert_eq!(pulled.value().to_vec(), [2.0, 40.0, 600.0]);
/// ```
///
/// # Panics
/// If the shapes of the weights differ from those of the results, or under the conditions of
/// [`grad`](super::grad), except that the result need not be a scalar.
#[track_caller]
pub fn vjp<'t, T: Float, X: Variables<'t, T>, Y: Variables<'t, T>>(
    f: impl FnOnce(X) -> Y,
    x: X,
    u: impl FnOnce(&Y) -> Y,
) -> (Y, X) {
    let Evaluated { evaluation, x, form, y } = FunctionEvaluation::of("vjp", f, x);
    let (results, weights) = (y.list(), u(&y).list());
    check_like("vjp", "weight", &weights, "result", &results);
    let pulled = pulled(&results, &weights, &x);
    drop(evaluation);
    (y, in_place_of(form, pulled))
}
