//! The prelude exports the methods of linear algebra if the feature `linalg` is enabled.

use wengert::linalg::LinalgProblem;
use wengert::prelude::*;

#[test]
fn tensors_and_variables_have_the_methods() {
    let (a, b) = (Tensor::from([[4.0, 1.0], [1.0, 3.0]]), Tensor::from([1.0, 2.0]));
    let tape = Tape::new();
    let x = tape.watch(a.clone());
    assert_eq!(x.solve(tape.constant(b.clone())).value(), a.solve(&b));
    let gradient = x.slogdet().1.grad(&[x])[0].value();
    assert!((gradient - a.inverse()).abs().max(&[], false).item() < 1e-6);
    let error = Tensor::zeros([2, 2]).try_inverse().unwrap_err();
    assert_eq!(error.problem, LinalgProblem::Singular { pivot: 0 });
}
