//! Errors of operations: a panic at the caller's line, or a `Result` from the same code.

use super::mode::Mode;
use super::tape::Tape;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use wengert_tensor::Float;

/// The error of an operation on a tape: operands that do not fit, a wrong class, a value requested in a
/// shape-only run, or a NaN. [`Tape::check`] and [`Tape::catch`] return it; other runs panic with its text.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{message}", path, if path.is_empty() { "" } else { ": " })]
#[non_exhaustive]
pub struct OperationError {
    /// The scopes around the operation, joined by dots: the place in the model.
    pub path: String,
    /// Operation, shapes, axis, and how to fix the error.
    pub message: String,
    /// The kind of error.
    pub cause: Cause,
}

/// The cause of an [`OperationError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The operands do not fit each other or the operation.
    Operands,
    /// A shape-only run requested a value, with [`Var::value`](crate::Var::value) or
    /// [`Var::item`](crate::Var::item) within [`Tape::check`]. All shapes before this point fit.
    Number,
    /// A value of this sample of the batch is wrong, such as a class that does not exist. Samples count
    /// from 0.
    Sample(usize),
    /// A NaN or an infinity was found by [`Tape::detecting_anomalies`]. [`Tape::anomaly`] returns the
    /// details.
    NotFinite,
}

wengert_tensor::debug_is_display!(OperationError);

impl<T: Float> Tape<T> {
    /// Panics with the path and this message. Unwinds to [`Tape::check`] or [`Tape::catch`] if the run
    /// is within one of them.
    #[cold]
    #[track_caller]
    pub(crate) fn fail(&self, message: String) -> ! {
        self.refuse(message, Cause::Operands)
    }

    #[cold]
    #[track_caller]
    pub(crate) fn refuse(&self, message: String, cause: Cause) -> ! {
        self.refuse_at(self.path(), message, cause)
    }

    /// Refuses a variable that is on another tape.
    #[inline]
    #[track_caller]
    pub(crate) fn same_tape(&self, op: &str, other: &Tape<T>) {
        if !std::ptr::eq(self, other) {
            self.fail(format!(
                "{op}: the variables are on different tapes: copy a value to the other tape with \
                 tape.constant(x.value())"
            ))
        }
    }

    /// Returns the result of a shape rule, or fails with its message.
    #[inline]
    #[track_caller]
    pub(crate) fn fits<R>(&self, rule: Result<R, String>) -> R {
        match rule {
            Ok(answer) => answer,
            Err(why) => self.fail(why),
        }
    }

    /// Fails with the path of a scope that has ended.
    #[cold]
    #[track_caller]
    pub(crate) fn refuse_at(&self, path: String, message: String, cause: Cause) -> ! {
        let error = OperationError { path, message, cause };
        // With `panic = "abort"`, an unwind without a message would end the process silently.
        if (self.is_shape_only() || self.catching.get()) && cfg!(panic = "unwind") {
            panic::resume_unwind(Box::new(error)) // runs no panic hook, so nothing is printed
        }
        panic!("{error}")
    }

    /// Panics with this message and the path of the open scopes, as operations do for operands that do
    /// not fit. On a shape-only run, [`Tape::check`] returns both. Use it in layers and functions that
    /// can describe their inputs better than their first operation can.
    ///
    /// ```should_panic
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.constant(Tensor::zeros(&[3]));
    /// if x.shape().rank() != 2 {
    ///     tape.shape_error(format!("attention: expected a matrix, got shape {}", x.shape()))
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

    /// Panics as [`shape_error`](Tape::shape_error) does, for a wrong value of one sample of the batch,
    /// such as a class that does not exist. Samples count from 0.
    ///
    /// # Panics
    /// Always.
    #[cold]
    #[track_caller]
    pub fn sample_error(&self, sample: usize, message: impl Into<String>) -> ! {
        self.refuse(message.into(), Cause::Sample(sample))
    }

    /// Runs `body`, and returns an error where an operation on this tape would panic. Other panics pass
    /// through. Use it in programs that run on untrusted data and must continue after an error.
    ///
    /// With `panic = "abort"` the error is a panic: its text is printed, and the process ends.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::ones(&[3, 2]));
    /// let error = tape.catch(|| x.matmul(x).sum_all().item()).unwrap_err();
    /// assert!(error.message.starts_with("matmul: inner dimensions differ"));
    /// assert_eq!(tape.catch(|| x.sum_all().item()), Ok(6.0));
    /// ```
    ///
    /// # Errors
    /// If an operation on this tape refuses its operands. The error is that of the first such operation.
    pub fn catch<R>(&self, body: impl FnOnce() -> R) -> Result<R, OperationError> {
        /// Restores the flag, also when a panic passes through.
        struct RestoreFlag<'a>(&'a Cell<bool>, bool);
        impl Drop for RestoreFlag<'_> {
            fn drop(&mut self) {
                self.0.set(self.1);
            }
        }
        let _restore = RestoreFlag(&self.catching, self.catching.replace(true));
        caught(body)
    }

    /// Runs `body` on shapes alone, without computing values, and returns the error of an operation
    /// instead of panicking. Other panics pass through. With `panic = "abort"` the error is a panic: its text is
    /// printed, and the process ends.
    ///
    /// The mode is left open: layers that behave differently in training and evaluation run, and refuse
    /// only what they refuse in evaluation. To find what training refuses (a batch of one sample under
    /// batch norm), name the mode with [`Tape::check_in`].
    ///
    /// ```
    /// use wengert::autograd::Tape;
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
    /// If the operands of an operation do not fit, or `body` requests a value ([`Cause::Number`]). The
    /// error is that of the first such operation.
    pub fn check<R>(body: impl FnOnce(&Tape<T>) -> R) -> Result<R, OperationError> {
        let tape = Tape::shapes_only(None);
        caught(|| body(&tape))
    }

    /// Runs `body` on shapes alone as [`Tape::check`] does, with layers in `mode`. Finds everything that
    /// a real run in this mode would refuse.
    ///
    /// ```
    /// use wengert::autograd::{Mode, Tape};
    /// let mode = Tape::<f32>::check_in(Mode::Train, |tape| tape.mode());
    /// assert_eq!(mode, Ok(Some(Mode::Train)));
    /// ```
    ///
    /// # Errors
    /// Under the conditions of [`Tape::check`].
    pub fn check_in<R>(mode: Mode, body: impl FnOnce(&Tape<T>) -> R) -> Result<R, OperationError> {
        let tape = Tape::shapes_only(Some(mode));
        caught(|| body(&tape))
    }
}

/// Calls `body`, and returns the error of an operation that unwinds. Other panics pass through.
fn caught<R>(body: impl FnOnce() -> R) -> Result<R, OperationError> {
    panic::catch_unwind(AssertUnwindSafe(body)).map_err(|cause| {
        match cause.downcast::<OperationError>() {
            Ok(error) => *error,
            Err(other) => panic::resume_unwind(other),
        }
    })
}
