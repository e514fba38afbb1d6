//! Lower learning rates when a monitored number stops improving.

use crate::callback::{Callback, CallbackState};
use crate::callbacks::Monitor;
use crate::context::Context;
use crate::error::Outcome;
use wengert_optim::ReduceLrOnPlateau;
use wengert_tensor::{Float, NamedTensors};

/// Lowers the learning rates of all optimizers when a monitored number stops improving, with the rule
/// [`ReduceLrOnPlateau`], which follows PyTorch's step by step. It monitors the validation loss, unless
/// [`monitor`](OnPlateau::monitor) sets another number.
///
/// ```
/// use wengert::optim::ReduceLrOnPlateau;
/// use wengert::train::{Monitor, OnPlateau, Trainer};
/// let rule = ReduceLrOnPlateau::new().factor(0.5).patience(3).maximize();
/// let trainer: Trainer = Trainer::classifier()
///     .callback(OnPlateau::new(rule).monitor(Monitor::validation("accuracy")));
/// ```
#[derive(Clone, Debug)]
pub struct OnPlateau {
    rule: ReduceLrOnPlateau,
    fresh: ReduceLrOnPlateau,
    monitor: Monitor,
}

impl OnPlateau {
    /// Creates the callback with this rule; it monitors the validation loss.
    pub fn new(rule: ReduceLrOnPlateau) -> Self {
        OnPlateau { fresh: rule.clone(), rule, monitor: Monitor::default() }
    }

    /// Sets the monitored number. For an accuracy, the rule needs
    /// [`ReduceLrOnPlateau::maximize`].
    pub fn monitor(self, monitor: Monitor) -> Self {
        OnPlateau { monitor, ..self }
    }

    /// Returns the rule in its current state.
    pub fn rule(&self) -> &ReduceLrOnPlateau {
        &self.rule
    }
}

impl<T: Float> Callback<T> for OnPlateau {
    fn start(&mut self, run: &mut Context<'_, T>) -> Outcome {
        if !run.resumed() {
            self.rule = self.fresh.clone();
        }
        Ok(())
    }

    fn after_epoch(&mut self, run: &mut Context<'_, T>) -> Outcome {
        let value = self.monitor.last(run.history(), "OnPlateau")?;
        if self.rule.observe(value) {
            for optimizer in 0..run.optimizers() {
                self.rule.reduce(run.optimizer_at(optimizer));
            }
        }
        Ok(())
    }

    fn state(&self) -> CallbackState {
        CallbackState::numbers(self.rule.state())
    }

    fn load_state(&mut self, saved: &NamedTensors) -> Result<(), String> {
        let mut numbers = [0.0; 3];
        for (number, (name, _)) in numbers.iter_mut().zip(self.rule.state()) {
            *number = CallbackState::number(saved, name)?;
        }
        self.rule.set_state(numbers);
        Ok(())
    }

    fn sets_learning_rate(&self) -> bool {
        true
    }
}
