//! The first parameter or buffer of a module, which identifies the module.

use super::state::{State, StateId};

/// The first parameter or buffer of a module, and its depth below the module.
/// [`Module::first_state`](crate::Module::first_state) returns it.
///
/// It identifies the module without its address: `conv1.weight` without its last step is `conv1`.
///
/// ```
/// use wengert::autograd::{FirstState, Module, Param};
/// use wengert::tensor::Tensor;
/// let layer: (Param, Param) = (Tensor::zeros(&[2, 3]).into(), Tensor::zeros(&[2]).into());
/// assert_eq!(layer.first_state(), Some(FirstState::of(&layer.0).below()));
/// assert_eq!((1.5, "configuration").first_state(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstState {
    pub(super) id: StateId,
    pub(super) depth: u32,
}

impl FirstState {
    /// Returns the first state of a parameter or buffer: itself, at depth 0.
    #[inline]
    pub fn of(state: &dyn State) -> Self {
        Self::at(state.id(), 0)
    }

    #[inline]
    pub(crate) fn at(id: StateId, depth: u32) -> Self {
        FirstState { id, depth }
    }

    /// Returns the first state of a module that contains this one under a name or a position: one step
    /// deeper.
    #[inline]
    #[must_use]
    pub fn below(self) -> Self {
        FirstState { depth: self.depth + 1, ..self }
    }
}
