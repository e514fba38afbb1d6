//! Errors of shape: a panic at the caller's line, or from the same code a `Result`.

use crate::tape::Tape;
use std::panic::{self, AssertUnwindSafe};
use wengert_tensor::Float;

/// Operands that do not fit: what [`Tape::check`] returns, and what the panic of any other run
/// says.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{message}", path, if path.is_empty() { "" } else { ": " })]
pub struct ShapeError {
    /// The scopes around the operation, joined by dots: where in a model it happened.
    pub path: String,
    /// Operation, shapes, axis, and what would mend it.
    pub message: String,
}

wengert_tensor::debug_is_display!(ShapeError);

impl<T: Float> Tape<T> {
    /// Panics with the path and this message; on an abstract run, unwinds to [`Tape::check`].
    #[cold]
    #[track_caller]
    pub(crate) fn fail(&self, message: String) -> ! {
        let error = ShapeError { path: self.path(), message };
        if self.is_abstract() {
            panic::resume_unwind(Box::new(error)) // typed, and silent: no panic hook runs
        }
        panic!("{error}")
    }

    /// Refuses operands that do not fit, as the operations themselves do: panics with the path of
    /// the open scopes and this message; on an abstract run, [`Tape::check`] returns both. For
    /// layers and functions that can say better than their first operation what they expect.
    ///
    /// ```should_panic
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.constant(Tensor::zeros(&[3]));
    /// if x.shape().rank() != 2 {
    ///     tape.shape_error(format!("attention: a matrix wanted, got {}", x.shape()))
    /// }
    /// ```
    ///
    /// # Panics
    /// Always.
    #[cold]
    #[track_caller]
    pub fn shape_error(&self, message: impl Into<String>) -> ! {
        self.fail(message.into())
    }

    /// Runs `body` on shapes alone, without computing anything, and returns a shape error instead
    /// of panicking. Other panics pass through.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// let error = Tape::<f32>::check(|tape| {
    ///     let x = tape.input(&[64, 784]);
    ///     let w = tape.input(&[800, 10]);
    ///     tape.scope("fc1", || x.matmul(w)).shape()
    /// });
    /// let error = error.unwrap_err().to_string();
    /// assert!(error.starts_with("fc1: matmul: inner dimensions differ"));
    /// ```
    ///
    /// # Errors
    /// The first operation whose operands do not fit.
    pub fn check<R>(body: impl FnOnce(&Tape<T>) -> R) -> Result<R, ShapeError> {
        let tape = Tape::shapes_only();
        panic::catch_unwind(AssertUnwindSafe(|| body(&tape))).map_err(|cause| {
            match cause.downcast::<ShapeError>() {
                Ok(error) => *error,
                Err(other) => panic::resume_unwind(other),
            }
        })
    }
}
