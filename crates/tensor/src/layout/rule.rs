//! The return type of every shape rule.

use super::Shape;

/// The result of a shape rule, or a text that says what does not fit and how to correct it.
pub type Rule<R = Shape> = Result<R, String>;
