//! What a model holds: parameters and buffers, the [`Module`] trait that visits them, their names and saved
//! state, the printed form of a model, and the changes of buffers that a run produces.
//!
//! This module depends on tensors only. It does not know tapes, variables or derivatives.

mod containers;
mod copies;
mod finite;
mod names;
mod outline;
mod param;
mod state;
mod updates;
mod visit;

pub(crate) use finite::is_finite;
pub use names::FirstState;
pub(crate) use names::{Entered, ModelPath, Register};
pub use outline::Outline;
pub use param::{Buffer, BufferId, Param, ParamHandle, ParamId, StateId};
pub use state::{Kind, Misfit, State};
pub(crate) use updates::{Change, Updates};
pub(crate) use visit::each_param;
pub use visit::{Module, Path, See, SeeMut};
