//! Gradients of bounded size.

use crate::callback::{Callback, CallbackState, Outcome};
use crate::context::Context;
use wengert_tensor::Float;

/// Scales the gradients of each update so that their norm, of all parameters together, is at most this:
/// by min(1, `max_norm` / (norm + 1e-6)), as PyTorch's `clip_grad_norm_`. Logs the norm before, under
/// `gradient norm`.
///
/// ```
/// use wengert_train::{ClipNorm, Trainer};
/// let trainer = Trainer::classifier().callback(ClipNorm(1.0));
/// # drop(trainer);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ClipNorm(pub f64);

impl<T: Float> Callback<T> for ClipNorm {
    fn before_update(&mut self, run: &mut Context<'_, T>) -> Outcome {
        if let Some(gradients) = run.gradients() {
            let norm = gradients.clip_norm(self.0);
            run.log("gradient norm", norm);
        }
        Ok(())
    }

    fn state(&self) -> CallbackState {
        CallbackState::Nothing
    }
}

/// Moves each number of the gradients into the range from `-max` to `max`, as PyTorch's
/// `clip_grad_value_`.
#[derive(Clone, Copy, Debug)]
pub struct ClipValue(pub f64);

impl<T: Float> Callback<T> for ClipValue {
    fn before_update(&mut self, run: &mut Context<'_, T>) -> Outcome {
        if let Some(gradients) = run.gradients() {
            gradients.clip_value(self.0);
        }
        Ok(())
    }

    fn state(&self) -> CallbackState {
        CallbackState::Nothing
    }
}
