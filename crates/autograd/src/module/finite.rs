//! Checks whether numbers are finite.

use wengert_tensor::{Float, Tensor};

/// Returns whether all numbers are finite. The sum is computed first, in one fast pass: a sum with a NaN
/// or an infinity is never finite. A sum that is not finite may have overflowed; in that case each
/// number is checked.
pub(crate) fn is_finite<T: Float>(x: &Tensor<T>) -> bool {
    let finite = |x: T| x.to().is_finite();
    finite(x.sum_all()) || x.to_vec().into_iter().all(finite)
}
