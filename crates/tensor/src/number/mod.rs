//! Number types: element types as values (`dtype`), the traits that loops need (`scalar`), and
//! elementary functions that vectorise (`math`).
//!
//! This module knows the instruction sets of `machine`. It does not know about arrays.

mod dtype;
mod math;
mod scalar;

pub use dtype::Dtype;
#[cfg(test)]
pub(crate) use math::special;
pub use math::{Math, Real};
pub(crate) use math::{block, sin_cos_of_turns, wide};
pub use scalar::{Numeric, Scalar};
