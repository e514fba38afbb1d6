//! The trait that all optimizers implement.

use crate::setting::Setting;
use crate::state::{self, StateError};
use crate::step;
use crate::update_error::UpdateError;
use crate::update_rule::{InvalidHyperparameter, UpdateRule};
use wengert_autograd::{Gradients, Module};
use wengert_tensor::{Float, NamedTensors};

/// An algorithm that updates parameters with their gradients.
///
/// Every [`UpdateRule`] is an `Optimizer`. Use `Box<dyn Optimizer>` to choose the optimizer at run time.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an optimizer of models of `{T}`",
    label = "not an `Optimizer<{T}>`",
    note = "optimizers have the element type of their model: `Adam::<f64>::of(1e-3)` for `f64`"
)]
pub trait Optimizer<T: Float = f32> {
    /// Updates each trainable parameter of the model with its gradient, in visiting order, and applies the
    /// buffer updates recorded with the gradients, each once.
    ///
    /// Frozen parameters do not change, even if `gradients` has a gradient from before they were frozen:
    /// neither weight decay nor momentum is applied to them.
    ///
    /// One optimizer may step several modules in turn. The state of a parameter (its momentum buffer, for
    /// example) is kept as long as the parameter exists, whatever module it is in. The first step after the
    /// parameter is dropped removes its state. A layer that replaces another starts with new state. Loading
    /// or copying values into a parameter ([`Module::copy_from`]) does not change its state.
    ///
    /// # Panics
    /// Under the conditions in which [`try_step`](Optimizer::try_step) returns an error or panics.
    #[track_caller]
    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients<T>) {
        if let Err(error) = self.try_step(model, gradients) {
            panic!("step: {error}")
        }
    }

    /// Updates the parameters as [`step`](Optimizer::step), and returns an error if a gradient is missing or
    /// does not fit.
    ///
    /// # Errors
    /// In these cases nothing has been modified. The message lists all parameters that are concerned.
    /// - A trainable parameter has no gradient, unless the optimizer was built with `allow_missing`.
    /// - A trainable parameter has another element type than the gradients.
    /// - A gradient has another shape than its parameter.
    /// - A parameter has changed since its gradient was computed, unless the gradients are marked with
    ///   [`Gradients::allow_stale`].
    /// - A counter of the model would exceed `i64` ([`Gradients::full_counter`]).
    ///
    /// # Panics
    /// If hyperparameters contradict each other, or if a [`Group`](crate::Group) contains no parameter of the
    /// model.
    #[track_caller]
    fn try_step(
        &mut self,
        model: &mut dyn Module,
        gradients: &Gradients<T>,
    ) -> Result<(), UpdateError>;

    /// Returns whether the optimizer was built with `allow_missing`: its steps skip trainable parameters
    /// without a gradient.
    fn allows_missing(&self) -> bool;

    /// Returns the learning rate of the next step.
    fn learning_rate(&self) -> f64;

    /// Sets the learning rate, from the next step on. Schedules call this method.
    ///
    /// # Panics
    /// If `learning_rate` is negative or not finite. The learning rate is then unchanged.
    #[track_caller]
    fn set_learning_rate(&mut self, learning_rate: f64);

    /// Sets the momentum (β₁ of `Adam`), from the next step on. Schedules that change the
    /// momentum call this method.
    ///
    /// # Panics
    /// If the optimizer has no momentum, or if `momentum` is out of range. The momentum is then unchanged.
    #[track_caller]
    fn set_momentum(&mut self, momentum: f64);

    /// Returns the optimizer's state for the parameters of a model, to be saved.
    ///
    /// It contains the state tensors under names such as `exp_avg.fc1.weight`, and the numbers of steps
    /// (`step.fc1.weight`). The hyperparameters are in the metadata. Later steps do not change the returned
    /// tensors.
    ///
    /// # Panics
    /// If two parameters have the same name.
    #[track_caller]
    fn state_dict(&self, model: &dyn Module) -> NamedTensors;

    /// Loads a state that [`state_dict`](Optimizer::state_dict) returned, including the hyperparameters.
    /// Training continues with the same bits as if it had not been interrupted.
    ///
    /// # Errors
    /// If the state is damaged or belongs to another optimizer or model. The error lists all problems.
    /// Nothing is then modified.
    fn load_state_dict(
        &mut self,
        model: &dyn Module,
        state: &NamedTensors,
    ) -> Result<(), StateError>;
}

impl<T: Float, R: UpdateRule<T>> Optimizer<T> for R {
    fn try_step(
        &mut self,
        model: &mut dyn Module,
        gradients: &Gradients<T>,
    ) -> Result<(), UpdateError> {
        step::step(self, model, gradients)
    }

    fn allows_missing(&self) -> bool {
        self.base().allow_missing
    }

    fn learning_rate(&self) -> f64 {
        self.base().learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        let before = std::mem::replace(&mut self.base_mut().learning_rate, learning_rate);
        if let Some(invalid @ InvalidHyperparameter { name: "lr", .. }) =
            InvalidHyperparameter::of(self)
        {
            let message = invalid.message(self);
            self.base_mut().learning_rate = before;
            panic!("{message}")
        }
    }

    fn set_momentum(&mut self, momentum: f64) {
        let Some(name) = self.momentum_setting() else {
            panic!(
                "set_momentum: {} has no momentum; if a `OneCycleLr` schedule sets it, build the schedule \
                 with `.cycle_momentum(false)`",
                self.name()
            )
        };
        let before = self.settings();
        self.set(name, Setting::Number(momentum));
        if let Some(invalid) =
            InvalidHyperparameter::of(self).filter(|invalid| invalid.name == name)
        {
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
