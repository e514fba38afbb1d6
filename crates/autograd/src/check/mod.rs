//! Checks of derivatives: finite differences, and the tests that every operation must pass.
//!
//! Knows the core and `transforms`, for users' operations as for those of this crate. Nothing knows it.

mod gradcheck;
pub mod testing;

pub use gradcheck::{Function, Gradcheck, GradcheckError, GradcheckPlace, gradcheck};
