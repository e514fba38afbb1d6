use super::pushforward::Pushforward;
use super::{Evaluated, FunctionEvaluation, pulled, unit_vectors};
use crate::graph::Var;
use smallvec::SmallVec;
use wengert_tensor::{Float, Shape};

/// Returns the Jacobian of a function: `j[…i, …j] = ∂fᵢ/∂xⱼ`. Its shape is the shape of the result
/// followed by the shape of `x`. It takes one forward pass for each element of `x`, or one backward pass
/// for each element of the result, whichever number is smaller.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::autograd::transforms::jacobian;
/// use wengert::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.constant(Tensor::from([2.0f64, 3.0]));
/// let a = tape.constant(Tensor::from([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]));
/// let j = jacobian(|x| a.matmul(x.unsqueeze(1)).squeeze(1), x);
/// assert_eq!(j.shape(), [3, 2]);
/// assert_eq!(j.value().to_vec(), a.value().to_vec());
/// ```
///
/// # Panics
/// If the variables are on different tapes, or the Jacobian would have more axes than a tensor can have.
#[track_caller]
pub fn jacobian<'t, T: Float>(
    f: impl FnOnce(Var<'t, T>) -> Var<'t, T>,
    x: Var<'t, T>,
) -> Var<'t, T> {
    let Evaluated { evaluation, x, y, .. } = FunctionEvaluation::of("jacobian", f, x);
    let (x, tape) = (x[0], evaluation.tape);
    let [of_x, of_y] = [x, y].map(Var::shape);
    let axes = of_x.rank() + of_y.rank();
    if axes > wengert_tensor::MAX_RANK {
        tape.fail(format!(
            "jacobian: the result of shape {of_y} and the variable of shape {of_x} have {axes} \
             axes together, and a tensor has at most {}: flatten them",
            wengert_tensor::MAX_RANK
        ))
    }
    let shape: Shape = of_y.iter().chain(of_x.iter()).copied().collect();
    if shape.numel() == 0 {
        return tape.zeros(&shape);
    }
    let (rows, columns) = (of_y.numel() as isize, of_x.numel() as isize);
    let matrix = if columns <= rows {
        let pushforward = Pushforward::new(tape, evaluation.first, &[y]);
        let column = |e| pushforward.along(&[x], &[e])[0].reshape((rows, 1));
        let columns: SmallVec<[Var<'t, T>; 8]> = unit_vectors(x).map(column).collect();
        Var::concat(&columns, 1)
    } else {
        let row = |e| pulled(&[y], &[e], &[x])[0].reshape((1, columns));
        let rows: SmallVec<[Var<'t, T>; 8]> = unit_vectors(y).map(row).collect();
        Var::concat(&rows, 0)
    };
    matrix.reshape(shape)
}
