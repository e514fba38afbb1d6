//! The error of an operation.

use std::fmt::Write as _;

/// The error of an operation of linear algebra. [`Linalg::try_solve`](crate::Linalg::try_solve) and its like return it;
/// the methods without `try_` panic with its text.
#[derive(Clone, PartialEq, thiserror::Error)]
#[error("{operation}: {}", text(batch, problem))]
#[non_exhaustive]
pub struct LinalgError {
    /// The name of the operation.
    pub operation: &'static str,
    /// The index of the matrix along the leading axes. It is empty if there is one matrix, and if the operands do not
    /// fit.
    pub batch: Vec<usize>,
    /// The reason.
    pub problem: LinalgProblem,
    /// The place of the matrix if the leading axes are flattened.
    pub(crate) flat: usize,
}

impl LinalgError {
    /// Returns the error of operands that do not fit.
    pub(crate) fn operands(operation: &'static str, why: String) -> Self {
        LinalgError { operation, batch: vec![], problem: LinalgProblem::Operands(why), flat: 0 }
    }
}

/// The reason of a [`LinalgError`]. Rows, columns and values count from 0.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LinalgProblem {
    /// The shapes of the operands do not fit the operation or each other. The text names the shapes.
    Operands(String),
    /// The matrix has no inverse: this pivot is 0.
    Singular {
        /// The place of the pivot.
        pivot: usize,
    },
    /// The matrix is not positive definite: this pivot is not positive.
    NotPositiveDefinite {
        /// The place of the pivot.
        pivot: usize,
    },
    /// The matrix contains a NaN or an infinity.
    NotFinite,
    /// The iteration did not converge.
    NoConvergence,
    /// The derivative does not exist: two values are equal, up to rounding.
    Repeated {
        /// The places of the two values.
        places: [usize; 2],
        /// The two values.
        values: [f64; 2],
    },
    /// The derivative does not exist: this singular value is 0, up to rounding.
    Zero {
        /// The place of the singular value.
        place: usize,
        /// The singular value.
        value: f64,
    },
}

wengert_tensor::debug_is_display!(LinalgError);

fn text(batch: &[usize], problem: &LinalgProblem) -> String {
    let mut text = match batch {
        [] if matches!(problem, LinalgProblem::Operands(_)) => String::new(),
        [] => "the matrix ".to_string(),
        batch => format!("the matrix {batch:?} of the batch "),
    };
    let written = match problem {
        LinalgProblem::Operands(why) => write!(text, "{why}"),
        LinalgProblem::Singular { pivot } => {
            write!(text, "is singular: pivot {pivot} is 0: pinv and lstsq accept singular matrices")
        }
        LinalgProblem::NotPositiveDefinite { pivot } => write!(
            text,
            "is not positive definite: pivot {pivot} is not positive: a small multiple of the identity, \
             added to the matrix, may help"
        ),
        LinalgProblem::NotFinite => write!(text, "contains a NaN or an infinity"),
        LinalgProblem::NoConvergence => write!(text, "did not converge"),
        LinalgProblem::Repeated { places: [i, j], values: [x, y] } => write!(
            text,
            "has the equal values {x} and {y}, numbers {i} and {j}: the derivative of their vectors does \
             not exist; the first derivative of the values alone does"
        ),
        LinalgProblem::Zero { place, value } => write!(
            text,
            "has the singular value {value}, number {place}, which is 0 up to rounding: the derivative of \
             its vectors does not exist; the first derivative of the values alone does"
        ),
    };
    written.expect("a string takes any text");
    text
}
