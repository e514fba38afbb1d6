use super::pushforward::Pushforward;
use super::{Evaluated, FunctionEvaluation, grad, unit_vectors};
use crate::graph::Var;
use wengert_tensor::Float;

/// Returns the Laplacian of a scalar function, Σ ∂²f/∂xᵢ²: the trace of its Hessian.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::autograd::transforms::laplacian;
/// use wengert::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.constant(Tensor::from([1.0f64, 2.0, 3.0]));
/// // Σ 12·xᵢ²
/// assert_eq!(laplacian(|x| x.powi(4).sum_all(), x).item(), 168.0);
/// ```
///
/// # Panics
/// Under the conditions of [`grad`].
#[track_caller]
pub fn laplacian<'t, T: Float>(
    f: impl FnOnce(Var<'t, T>) -> Var<'t, T>,
    x: Var<'t, T>,
) -> Var<'t, T> {
    let Evaluated { evaluation, x, y: slopes, .. } =
        FunctionEvaluation::of("laplacian", |x| grad(f, x), x);
    let (x, tape) = (x[0], evaluation.tape);
    let pushforward = Pushforward::new(tape, evaluation.first, &[slopes]);
    let terms = unit_vectors(x).map(|e| {
        let column = pushforward.along(&[x], &[e])[0];
        (column * e).sum_all()
    });
    terms.reduce(|a, b| a + b).unwrap_or_else(|| tape.zeros(()))
}
