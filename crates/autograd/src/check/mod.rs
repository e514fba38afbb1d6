//! Checks of derivatives: finite differences, and the tests that every operation must pass.
//!
//! This module depends on the core and on `transforms`, and serves custom operations as well as those of
//! this crate. No other module depends on it.

mod common;
mod gradcheck;
pub mod testing;

#[cfg(test)]
pub(crate) use common::POLICIES;
pub use gradcheck::{Function, Gradcheck, GradcheckError, GradcheckPlace, gradcheck};
