//! Whether numbers are finite.

use wengert_tensor::{Float, Tensor};

/// Whether all numbers are finite. Their sum tells, in one fast reading pass: nothing that is added
/// to a NaN or an infinity makes it finite again. A sum that is not finite may have overflowed, and
/// then each number is asked.
pub(crate) fn is_finite<T: Float>(x: &Tensor<T>) -> bool {
    let finite = |x: T| x.to().is_finite();
    finite(x.sum_all()) || x.to_vec().into_iter().all(finite)
}
