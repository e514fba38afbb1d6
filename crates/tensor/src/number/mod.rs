//! Numbers.

mod dtype;
mod math;
mod scalar;

pub use dtype::Dtype;
pub(crate) use math::block;
pub use math::{Math, Real};
pub use scalar::{Numeric, Scalar};
