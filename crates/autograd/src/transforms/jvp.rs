use super::pushforward::Pushforward;
use super::{Evaluated, FunctionEvaluation, Variables, check_like, in_place_of};
use wengert_tensor::Float;

/// Returns the function at `x`, and its derivative along `t`: the Jacobian-vector product ∂f/∂x·t, in
/// the structure of the result. It takes one forward pass over the recorded operations. For a function
/// with few inputs and many results it costs less than one [`vjp`](super::vjp) per result.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::autograd::transforms::jvp;
/// use wengert::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.constant(Tensor::from([1.0f64, 2.0, 3.0]));
/// let t = tape.constant(Tensor::from([1.0, 0.0, -1.0]));
/// let (y, along) = jvp(|x| (x.square(), x.sum_all()), x, t);
/// assert_eq!(along.0.value().to_vec(), [2.0, 0.0, -6.0]);
/// assert_eq!((y.1.item(), along.1.item()), (6.0, 0.0));
/// ```
///
/// # Panics
/// If the shapes of `t` differ from those of `x`, or under the conditions of [`grad`](super::grad),
/// except that the result need not be a scalar.
#[track_caller]
#[allow(clippy::needless_pass_by_value)] // as `x` is given
pub fn jvp<'t, T: Float, X: Variables<'t, T>, Y: Variables<'t, T>>(
    f: impl FnOnce(X) -> Y,
    x: X,
    t: X,
) -> (Y, Y) {
    let Evaluated { evaluation, x, y, .. } = FunctionEvaluation::of("jvp", f, x);
    let directions = t.list();
    check_like("jvp", "direction", &directions, "variable", &x);
    let results = y.list();
    let along =
        Pushforward::new(evaluation.tape, evaluation.first, &results).along(&x, &directions);
    drop(evaluation);
    (y.clone(), in_place_of(y, along))
}
