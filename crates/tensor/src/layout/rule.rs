//! What every shape rule returns.

use super::Shape;

/// A shape rule's answer, or what does not fit and how to mend it.
pub type Rule<R = Shape> = Result<R, String>;
