//! What a model holds: parameters and buffers, the [`Module`] trait that visits them, their names and saved
//! state, the printed form of a model, and the changes of buffers that a run produces.
//!
//! This module depends on tensors only. It does not know tapes, variables or derivatives.

mod containers;
mod copies;
mod finite;
mod first_state;
mod names;
mod outline;
mod param;
mod path;
mod state;
mod updates;
mod visit;

pub(crate) use finite::is_finite;
pub use first_state::FirstState;
pub(crate) use names::{Entered, ModelPath, Register};
pub use outline::Outline;
pub use param::{Buffer, BufferId, Param, ParamHandle, ParamId};
pub use path::{Path, See, SeeMut};
pub use state::{Misfit, State, StateId, StateKind};
pub(crate) use updates::{Change, Updates};
pub use visit::Module;
pub(crate) use visit::each_param;
