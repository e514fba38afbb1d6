//! Tests the messages: they name the operation, the shapes, and the matrix of the batch, at the caller's line.

use crate::common::panics;
use wengert_autograd::{Cause, Tape};
use wengert_linalg::{Linalg, LinalgProblem};
use wengert_tensor::Tensor;

fn zeros(shape: &[usize]) -> Tensor<f64> {
    Tensor::zeros_of(shape)
}

#[test]
fn wrong_shapes_panic_at_the_callers_line() {
    let (vector, wide) = (zeros(&[3]), zeros(&[2, 3]));
    panics!(vector.qr(), "qr: expected matrices in the last two axes, got shape [3]");
    panics!(vector.lu(), "lu: expected matrices");
    panics!(vector.svd(), "svd: expected matrices");
    panics!(vector.svdvals(), "svdvals: expected matrices");
    panics!(vector.cond(), "cond: expected matrices");
    panics!(vector.pinv(None), "pinv: expected matrices");
    panics!(vector.matrix_rank(None), "matrix_rank: expected matrices");
    panics!(vector.lstsq(&vector, None), "lstsq: expected matrices");
    panics!(
        wide.cholesky(),
        "cholesky: expected square matrices",
        "[2, 3] with 2 rows and 3 columns"
    );
    panics!(wide.inverse(), "inverse: expected square matrices");
    panics!(wide.det(), "det: expected square matrices");
    panics!(wide.slogdet(), "slogdet: expected square matrices");
    panics!(wide.eigh(), "eigh: expected square matrices");
    panics!(wide.eigvalsh(), "eigvalsh: expected square matrices");
    panics!(wide.matrix_exp(), "matrix_exp: expected square matrices");
    panics!(wide.matrix_power(2), "matrix_power: expected square matrices");
    panics!(
        wide.solve(&vector),
        "solve: expected square matrices",
        "lstsq accepts any number of rows"
    );
    panics!(
        wide.triangular_solve(&vector, true, false),
        "triangular_solve: expected square matrices"
    );
    panics!(vector.cholesky_solve(&wide, true), "cholesky_solve: expected square matrices");
    panics!(
        zeros(&[2, 2]).solve(&vector),
        "solve: the matrix of shape [2, 2] has 2 rows, and the right side of shape [3] has 3"
    );
    panics!(
        zeros(&[2, 3, 3]).solve(zeros(&[4, 3, 1])),
        "solve: the leading axes of the shapes [2, 3, 3] and [4, 3, 1] do not broadcast"
    );
    panics!(zeros(&[0, 2]).cond(), "cond: expected matrices with elements, got shape [0, 2]");
    panics!(wide.pinv(Some(-1.0)), "pinv: expected a relative tolerance of at least 0", "got -1");
    panics!(
        wide.matrix_rank(Some(f64::NAN)),
        "matrix_rank: expected a relative tolerance",
        "got NaN"
    );
    panics!(wide.lstsq(zeros(&[2]), Some(1.0)), "lstsq: expected a relative tolerance", "got 1");
}

#[test]
fn variables_panic_at_the_callers_line_too() {
    let (tape, other) = (Tape::<f64>::new(), Tape::<f64>::new());
    let (a, b) = (tape.watch(zeros(&[2, 3])), other.watch(zeros(&[2])));
    panics!(a.det(), "det: expected square matrices");
    panics!(a.lstsq(b, None), "lstsq: the variables are on different tapes");
    panics!(tape.watch(zeros(&[2, 2])).inverse(), "inverse: the matrix is singular: pivot 0 is 0");
    let error = tape.catch(|| tape.scope("head", || a.eigh())).unwrap_err();
    assert!(error.to_string().starts_with("head: eigh: expected square matrices"), "{error}");
    assert_eq!(error.cause, Cause::Operands);
    // A shape-only run finds wrong shapes, and computes nothing.
    let error = Tape::<f64>::check(|tape| tape.input(&[2, 3]).cholesky().shape()).unwrap_err();
    assert!(error.message.starts_with("cholesky: expected square matrices"), "{error}");
    let shape = Tape::<f64>::check(|tape| tape.input(&[5, 2, 3]).svd().2.shape());
    assert_eq!(shape.unwrap(), [5, 2, 3]);
}

#[test]
fn a_singular_matrix_is_named() {
    let eye = Tensor::<f64>::eye_of(2).broadcast_to([2, 3, 2, 2]);
    let bad =
        Tensor::from_fn(
            [2, 3, 2, 2],
            |i| if (20..24).contains(&i) { 1.0 } else { eye.to_vec()[i] },
        );
    let error = bad.try_inverse().unwrap_err();
    assert_eq!(
        (&*error.batch, &error.problem),
        (&[1, 2][..], &LinalgProblem::Singular { pivot: 1 })
    );
    assert_eq!(
        error.to_string(),
        "inverse: the matrix [1, 2] of the batch is singular: pivot 1 is 0: pinv and lstsq accept singular matrices"
    );
    panics!(bad.inverse(), "inverse: the matrix [1, 2] of the batch is singular");
    panics!(bad.solve(zeros(&[2])), "solve: the matrix [1, 2] of the batch is singular");
    panics!(bad.matrix_power(-2), "matrix_power: the matrix [1, 2] of the batch is singular");
    panics!(
        zeros(&[2, 2]).triangular_solve(zeros(&[2]), true, false),
        "triangular_solve: the matrix is singular"
    );
    panics!(
        zeros(&[2]).cholesky_solve(zeros(&[2, 2]), true),
        "cholesky_solve: the matrix is singular"
    );
    let error = (&bad * -1.0).try_cholesky().unwrap_err();
    assert_eq!(
        (error.batch, error.problem),
        (vec![0, 0], LinalgProblem::NotPositiveDefinite { pivot: 0 })
    );
    panics!(
        (bad * 1.0).cholesky(),
        "cholesky: the matrix [1, 2] of the batch is not positive definite: pivot 1 is not positive"
    );
    assert!(zeros(&[2, 2]).try_triangular_solve(zeros(&[2]), false, false).is_err());
    assert!(zeros(&[2, 2]).try_triangular_solve(zeros(&[2]), false, true).is_ok());
    // On a tape the place in the batch is the sample.
    let tape = Tape::<f64>::new();
    let x = tape.watch(Tensor::from([1.0, 0.0, 2.0]).reshape([3, 1, 1]) * Tensor::eye_of(2));
    assert_eq!(tape.catch(|| x.inverse()).unwrap_err().cause, Cause::Sample(1));
    assert_eq!(x.try_inverse().unwrap_err().batch, [1]);
}

#[test]
fn numbers_that_are_not_finite() {
    for bad in [f64::NAN, f64::INFINITY] {
        let a = Tensor::from([[1.0, bad], [bad, 1.0]]);
        panics!(a.eigh(), "eigh: the matrix contains a NaN or an infinity");
        panics!(a.svd(), "svd: the matrix contains a NaN or an infinity");
        panics!(a.pinv(None), "pinv: the matrix contains a NaN or an infinity");
        panics!(a.cholesky(), "cholesky: the matrix contains a NaN or an infinity");
        assert!(a.qr().1.at(&[1, 1]).is_nan());
    }
    let a = Tensor::from([[1.0, f64::NAN], [f64::NAN, 1.0]]);
    assert!(a.solve(Tensor::from([1.0, 1.0])).to_vec().iter().all(|x| x.is_nan()));
    assert!(a.det().item().is_nan() && a.slogdet().0.item().is_nan());
    // The sum of a column overflows: no number of squarings is large enough.
    let huge = Tensor::<f64>::full_of([2, 2], 1.7e308);
    assert!(huge.matrix_exp().to_vec().iter().all(|x| x.is_nan()));
    let far = Tensor::from([[0.0, 1.7e308], [0.0, 0.0]]);
    assert_eq!(far.matrix_exp(), Tensor::from([[1.0, 1.7e308], [0.0, 1.0]]));
}
