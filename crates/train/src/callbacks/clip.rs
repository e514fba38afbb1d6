//! Gradient clipping.

use crate::callback::{Callback, CallbackState};
use crate::context::Context;
use crate::error::{Outcome, TrainError};
use wengert_tensor::Float;

/// Clips the norm of the gradients of each update: the gradients of all parameters are multiplied by
/// min(1, `max_norm` / (norm + 1e-6)), where norm is that of all gradients together, as in PyTorch's
/// `clip_grad_norm_`. The field is `max_norm`; if it is negative or NaN, the run ends with an error. Logs the norm before clipping as `gradient norm`.
///
/// ```
/// use wengert::train::{ClipNorm, Trainer};
/// let trainer: Trainer = Trainer::classifier().callback(ClipNorm(1.0));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ClipNorm(pub f64);

impl<T: Float> Callback<T> for ClipNorm {
    fn before_update(&mut self, run: &mut Context<'_, T>) -> Outcome {
        if let Some(gradients) = run.gradients() {
            check("ClipNorm", "max_norm", self.0)?;
            let norm = gradients.clip_norm(self.0);
            run.log("gradient norm", norm);
        }
        Ok(())
    }

    fn state(&self) -> CallbackState {
        CallbackState::Nothing
    }
}

/// Clips each element of the gradients to the range from `-max` to `max`, as PyTorch's
/// `clip_grad_value_`. The field is `max`; if it is negative or NaN, the run ends with an error.
#[derive(Clone, Copy, Debug)]
pub struct ClipValue(pub f64);

impl<T: Float> Callback<T> for ClipValue {
    fn before_update(&mut self, run: &mut Context<'_, T>) -> Outcome {
        if let Some(gradients) = run.gradients() {
            check("ClipValue", "max", self.0)?;
            gradients.clip_value(self.0);
        }
        Ok(())
    }

    fn state(&self) -> CallbackState {
        CallbackState::Nothing
    }
}

/// Returns an error if a bound is negative or NaN.
fn check(callback: &str, name: &str, bound: f64) -> Outcome {
    if bound >= 0.0 {
        return Ok(());
    }
    Err(TrainError::callback(callback, format!("{name} must be at least 0, got {bound:?}")))
}
