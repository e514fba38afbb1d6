//! The reasons why an optimizer refuses a step.

use wengert_tensor::Dtype;

/// The reason why [`Optimizer::try_step`](crate::Optimizer::try_step) refused a step. Nothing has been
/// modified. Parameters are given by their names in the model.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// Trainable parameters have another element type than the gradients.
    #[error(
        "the gradients have the element type {gradients}, but these parameters have another: {}; model, tape \
         and optimizer must have the same element type (for `f64`: `Sgd::<f64>::of(0.1)`)",
        parameters.join(", ")
    )]
    ElementType {
        /// The element type of the gradients.
        gradients: Dtype,
        /// The parameters, each with its element type: `fc1.weight (f64)`.
        parameters: Vec<String>,
    },
    /// Gradients have another shape than their parameters.
    #[error(
        "these gradients do not have the shape of their parameters: {}; code that changes a gradient must keep \
         its shape",
        parameters.join(", ")
    )]
    Shape {
        /// The parameters, each with both shapes: `fc1.bias (gradient [], parameter [2])`.
        parameters: Vec<String>,
    },
    /// Parameters have changed since their gradients were computed.
    #[error(
        "the gradients are stale: these parameters have changed since the gradients were computed: {}; compute \
         the gradients again, or mark them with `.allow_stale()` if the algorithm uses stale gradients",
        parameters.join(", ")
    )]
    Stale {
        /// The parameters.
        parameters: Vec<String>,
    },
    /// Parameters are trainable now, but were frozen when the gradients were computed.
    #[error(
        "no gradient for {}: these parameters were frozen when the gradients were computed; compute the \
         gradients again, or build the optimizer with `.allow_missing()`",
        parameters.join(", ")
    )]
    WasFrozen {
        /// The parameters.
        parameters: Vec<String>,
    },
    /// A counter of the model would exceed `i64`.
    #[error("{counter}")]
    Counter {
        /// The description of [`Gradients::full_counter`](wengert_autograd::Gradients::full_counter).
        counter: String,
    },
    /// No parameter of the model has a gradient, but parameters of another model have.
    #[error(
        "no gradient for {}: the gradients belong to another model; pass the model with which the loss was \
         computed (a clone is another model)",
        parameters.join(", ")
    )]
    OtherModel {
        /// The trainable parameters of the model.
        parameters: Vec<String>,
    },
    /// Trainable parameters have no gradient.
    #[error(
        "no gradient for {}: the loss does not depend on these parameters; freeze them if they are not to be \
         trained, or build the optimizer with `.allow_missing()`",
        parameters.join(", ")
    )]
    Missing {
        /// The parameters.
        parameters: Vec<String>,
    },
}

wengert_tensor::debug_is_display!(UpdateError);
