//! What the check by finite differences and the tests of operations share.

use crate::graph::{Policy, Var};
use wengert_tensor::Float;

pub(crate) const POLICIES: [Policy; 2] = [Policy::Eager, Policy::Fused];

/// Returns the closure itself. The bound makes its type serve every lifetime.
pub(super) fn any_tape<T: Float, F: for<'t> Fn(&[Var<'t, T>]) -> Var<'t, T>>(f: F) -> F {
    f
}

/// Returns the elements of all variables as one vector.
pub(super) fn joined<'t, T: Float>(all: &[Var<'t, T>]) -> Var<'t, T> {
    let parts: Vec<_> = all.iter().map(|x| x.reshape(&[-1])).collect();
    Var::concat(&parts, 0)
}

/// Returns a number that is uniform in [0, 1) if the upper 53 bits are random.
pub(super) fn fraction(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}
