//! What one can do with any optimizer.

use crate::rule::{Invalid, Rule, Setting};
use crate::state::{self, StateError};
use crate::step;
use wengert_autograd::{Gradients, Module};
use wengert_tensor::{Float, NamedTensors};

/// Changes parameters by their gradients. `Box<dyn Optimizer>` lets the user choose one at run time.
///
/// Every [`Rule`] is one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an optimizer of models of `{T}`",
    label = "not an `Optimizer<{T}>`",
    note = "optimizers have the element type of their model: `Adam::<f64>::of(1e-3)` for `f64`"
)]
pub trait Optimizer<T: Float = f32> {
    /// Changes each trainable parameter of the model by its gradient, in visiting order, and
    /// applies the buffer updates of the run, each once. Frozen parameters stay as they are, also if
    /// there is a gradient from before they were frozen: no weight decay, no momentum.
    ///
    /// One optimizer may step several modules in turn. What it remembers of a parameter (momentum, say)
    /// stays as long as the parameter exists, in whatever module, and goes at the next step after that:
    /// a layer that is replaced starts anew. Numbers that are loaded or copied
    /// ([`Module::copy_from`]) into a parameter leave what is remembered as it is.
    ///
    /// # Panics
    /// If a trainable parameter has no gradient (unless that is allowed), or is of another element
    /// type than the gradients, or its gradient of another shape, or has changed since the gradient
    /// was computed (unless the gradients are marked with [`Gradients::allow_stale`]); all names are
    /// listed, and nothing has changed. If a counter of the model would exceed `i64`
    /// ([`Gradients::full_counter`]); nothing has changed. If hyperparameters do not go together.
    #[track_caller]
    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients<T>);

    /// The learning rate of the next step.
    fn learning_rate(&self) -> f64;

    /// From the next step on this is the learning rate: what schedules call.
    ///
    /// # Panics
    /// If it is negative or not finite. The learning rate is then as it was.
    #[track_caller]
    fn set_learning_rate(&mut self, learning_rate: f64);

    /// From the next step on this is the momentum (β₁ of Adam and AdamW): what schedules call that
    /// cycle it.
    ///
    /// # Panics
    /// If the rule has no momentum, or it is out of range. The momentum is then as it was.
    #[track_caller]
    fn set_momentum(&mut self, momentum: f64);

    /// What the optimizer remembers of a model's parameters, under names such as
    /// `exp_avg.fc1.weight`, with the number of steps (`step.fc1.weight`); the hyperparameters
    /// stand in the metadata. Later steps do not change it.
    ///
    /// # Panics
    /// If two parameters have one name.
    #[track_caller]
    fn state_dict(&self, model: &dyn Module) -> NamedTensors;

    /// Goes on where a saved state was taken, with its hyperparameters: what follows has the same
    /// bits as if training had not been interrupted.
    ///
    /// # Errors
    /// If the state is of another optimizer or model, or damaged; all that is wrong is reported at
    /// once, and nothing has changed.
    fn load_state_dict(
        &mut self,
        model: &dyn Module,
        state: &NamedTensors,
    ) -> Result<(), StateError>;
}

impl<T: Float, R: Rule<T>> Optimizer<T> for R {
    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients<T>) {
        step::step(self, model, gradients);
    }

    fn learning_rate(&self) -> f64 {
        self.base().learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        let before = std::mem::replace(&mut self.base_mut().learning_rate, learning_rate);
        if let Some(invalid @ Invalid { name: "lr", .. }) = Invalid::of(self) {
            let message = invalid.message(self);
            self.base_mut().learning_rate = before;
            panic!("{message}")
        }
    }

    fn set_momentum(&mut self, momentum: f64) {
        let Some(name) = self.momentum_setting() else {
            panic!(
                "{} has no momentum to set; with a schedule that cycles it, say `.cycle_momentum(false)`",
                self.name()
            )
        };
        let before = self.settings();
        self.set(name, Setting::Number(momentum));
        if let Some(invalid) = Invalid::of(self).filter(|invalid| invalid.name == name) {
            let message = invalid.message(self);
            for (name, value) in before {
                self.set(name, value);
            }
            panic!("{message}")
        }
    }

    fn state_dict(&self, model: &dyn Module) -> NamedTensors {
        state::save(self, model)
    }

    fn load_state_dict(
        &mut self,
        model: &dyn Module,
        state: &NamedTensors,
    ) -> Result<(), StateError> {
        state::load(self, model, state)
    }
}
