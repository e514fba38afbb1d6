//! Reverse-mode automatic differentiation on a tape.

mod anomaly;
mod backward;
mod bindings;
mod buffers;
mod check;
mod checkpoint;
mod containers;
mod copies;
mod force;
mod gradcheck;
mod gradients;
mod graph;
mod hooks;
mod index;
mod invariants;
mod json;
mod mask;
mod module;
mod names;
mod node_set;
mod norms;
mod observe;
mod op;
mod operand;
mod ops;
mod outline;
mod param;
mod profile;
mod release;
mod replay;
mod report;
mod scope;
mod spare;
mod state;
mod tape;
pub mod testing;
pub mod transforms;
mod var;
mod walk;

pub use anomaly::{Anomalies, Anomaly, AnomalyPlace, ValueSummary};
pub use check::{Cause, ShapeError};
pub use gradcheck::{Function, Gradcheck, GradcheckError, Place, gradcheck};
pub use gradients::{Gradients, NotFinite, value_and_grad, value_and_grad_with};
pub use graph::{
    Attribute, Dot, Graph, GraphNode, GraphScope, Handle, NodeKind, Source, ValueState,
};
pub use hooks::{HookSite, Hooks};
pub use index::{Index, IntoIndex};
pub use mask::{IntoMask, Mask};
pub use module::*;
pub use names::FirstState;
pub use op::{Call, Cotangents, Reads};
#[doc(hidden)]
pub use operand::Given;
pub use operand::Operand;
pub use ops::{CustomOp, Outputs, WholeOperand};
pub use outline::Outline;
pub use param::{Buffer, BufferId, Param, ParamHandle, ParamId, StateId};
pub use profile::{Charged, Cost, Profile, ProfileLine, ProfileRow};
pub use replay::Replay;
pub use report::{GradientReport, GradientRow, Remark};
pub use scope::{OpenScope, ScopeResult, Trace};
pub use state::*;
pub use tape::{Mode, Policy, Tape};
pub use var::Var;
