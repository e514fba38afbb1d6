//! Number: element types as values (`dtype`), what loops ask of a number (`scalar`), and elementary
//! functions that turn into vectors (`math`).
//!
//! It knows the instruction sets of `machine`. It does not know that numbers lie in arrays.

mod dtype;
mod math;
mod scalar;

pub use dtype::Dtype;
pub(crate) use math::block;
pub use math::{Math, Real};
pub use scalar::{Numeric, Scalar};
