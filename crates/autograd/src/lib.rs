//! Reverse-mode automatic differentiation on a tape.

mod backward;
mod bindings;
mod buffers;
mod check;
mod containers;
mod force;
mod gradcheck;
mod gradients;
mod index;
mod invariants;
mod mask;
mod module;
mod node_set;
mod norms;
mod op;
mod operand;
mod ops;
mod outline;
mod param;
mod release;
mod scope;
mod spare;
mod state;
mod tape;
pub mod transforms;
mod var;
mod walk;

pub use check::{Cause, ShapeError};
pub use gradcheck::{Function, Gradcheck, GradcheckError, Place, gradcheck};
pub use gradients::{Gradients, NotFinite, value_and_grad, value_and_grad_with};
pub use index::{Index, IntoIndex};
pub use mask::{IntoMask, Mask};
pub use module::*;
pub use op::{Call, Cotangents, Reads};
#[doc(hidden)]
pub use operand::Given;
pub use operand::Operand;
pub use ops::{CustomOp, Outputs, WholeOperand};
pub use outline::Outline;
pub use param::{Buffer, BufferId, Param, ParamId};
pub use scope::{ScopeResult, Trace};
pub use state::*;
pub use tape::{Mode, Policy, Tape};
pub use var::Var;
