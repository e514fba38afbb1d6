//! Errors of shape: a panic at the caller's line, or from the same code a `Result`.

use super::tape::{Mode, Tape};
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use wengert_tensor::Float;

/// Operands that do not fit: what [`Tape::check`] and [`Tape::catch`] return, and what the panic of
/// any other run says.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{message}", path, if path.is_empty() { "" } else { ": " })]
pub struct ShapeError {
    /// The scopes around the operation, joined by dots: where in a model it happened.
    pub path: String,
    /// Operation, shapes, axis, and what would mend it.
    pub message: String,
    /// What kind of error it is.
    pub cause: Cause,
}

/// What a [`ShapeError`] comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// Operands do not fit each other or the operation.
    Operands,
    /// The run has shapes but no numbers, and it asked for one: [`Var::value`](crate::Var::value) or
    /// [`Var::item`](crate::Var::item) within [`Tape::check`]. The shapes up to there fit.
    Number,
    /// A number that belongs to this sample of the batch, counted from 0: a class that does not
    /// exist.
    Sample(usize),
    /// A NaN or an infinity: [`Tape::detecting_anomalies`]. [`Tape::anomaly`] has the parts.
    NotFinite,
}

wengert_tensor::debug_is_display!(ShapeError);

impl<T: Float> Tape<T> {
    /// Panics with the path and this message; unwinds to [`Tape::check`] or [`Tape::catch`], if the
    /// run is within one.
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

    /// Refuses a variable of another tape.
    #[inline]
    #[track_caller]
    pub(crate) fn same_tape(&self, op: &str, other: &Tape<T>) {
        if !std::ptr::eq(self, other) {
            self.fail(format!(
                "{op}: variables of two tapes meet: values cross with tape.constant(x.value())"
            ))
        }
    }

    /// The answer of a shape rule, or its refusal.
    #[inline]
    #[track_caller]
    pub(crate) fn fits<R>(&self, rule: Result<R, String>) -> R {
        match rule {
            Ok(answer) => answer,
            Err(why) => self.fail(why),
        }
    }

    /// Refuses with the path of a scope that has ended.
    #[cold]
    #[track_caller]
    pub(crate) fn refuse_at(&self, path: String, message: String, cause: Cause) -> ! {
        let error = ShapeError { path, message, cause };
        // Where panics abort, an unwind without a message would end the process without a word.
        if (self.is_abstract() || self.catching.get()) && cfg!(panic = "unwind") {
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

    /// As [`shape_error`](Tape::shape_error), for a number that belongs to one sample of the batch,
    /// counted from 0: a class that does not exist.
    ///
    /// # Panics
    /// Always.
    #[cold]
    #[track_caller]
    pub fn sample_error(&self, sample: usize, message: impl Into<String>) -> ! {
        self.refuse(message.into(), Cause::Sample(sample))
    }

    /// Runs `body`, and returns what an operation on this tape refuses instead of panicking. Other
    /// panics pass through. For programs that run on data of others and go on without them.
    ///
    /// Where panics abort (`panic = "abort"`), the refusal is a panic after all: its text is printed,
    /// and the process ends.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::ones(&[3, 2]));
    /// let error = tape.catch(|| x.matmul(x).sum_all().item()).unwrap_err();
    /// assert!(error.message.starts_with("matmul: inner dimensions differ"));
    /// assert_eq!(tape.catch(|| x.sum_all().item()), Ok(6.0));
    /// ```
    ///
    /// # Errors
    /// The first operation on this tape that refuses its operands.
    pub fn catch<R>(&self, body: impl FnOnce() -> R) -> Result<R, ShapeError> {
        /// Also when a panic passes through.
        struct Restore<'a>(&'a Cell<bool>, bool);
        impl Drop for Restore<'_> {
            fn drop(&mut self) {
                self.0.set(self.1);
            }
        }
        let _restore = Restore(&self.catching, self.catching.replace(true));
        caught(body)
    }

    /// Runs `body` on shapes alone, without computing anything, and returns a shape error instead
    /// of panicking. Other panics pass through. Where panics abort (`panic = "abort"`), the error is
    /// a panic after all: its text is printed, and the process ends.
    ///
    /// The mode is left open: layers that behave differently in training and evaluation run, and
    /// refuse only what they refuse in evaluation. To find what training refuses (a batch of one
    /// sample under batch norm), name the mode with [`Tape::check_in`].
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
    /// The first operation whose operands do not fit, or that asks for a number
    /// ([`Cause::Number`]).
    pub fn check<R>(body: impl FnOnce(&Tape<T>) -> R) -> Result<R, ShapeError> {
        let tape = Tape::shapes_only(None);
        caught(|| body(&tape))
    }

    /// [`Tape::check`] with layers in this mode, so that what the real run would refuse is refused
    /// here.
    ///
    /// ```
    /// # use wengert_autograd::{Mode, Tape};
    /// let mode = Tape::<f32>::check_in(Mode::Train, |tape| tape.mode());
    /// assert_eq!(mode, Ok(Some(Mode::Train)));
    /// ```
    ///
    /// # Errors
    /// As [`Tape::check`].
    pub fn check_in<R>(mode: Mode, body: impl FnOnce(&Tape<T>) -> R) -> Result<R, ShapeError> {
        let tape = Tape::shapes_only(Some(mode));
        caught(|| body(&tape))
    }
}

/// Calls `body`; a refusal that unwinds is the error, other panics pass through.
fn caught<R>(body: impl FnOnce() -> R) -> Result<R, ShapeError> {
    panic::catch_unwind(AssertUnwindSafe(body)).map_err(|cause| {
        match cause.downcast::<ShapeError>() {
            Ok(error) => *error,
            Err(other) => panic::resume_unwind(other),
        }
    })
}
