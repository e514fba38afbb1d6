//! Reverse-mode automatic differentiation on a tape.

// The rooms, from the bottom to the top. `graph`, `rules` and `engine` are the core, and know each other;
// `tests/rooms.rs` holds which room may know which.
mod module;

mod engine;
mod graph;
mod rules;

mod check;
mod inspect;
pub mod transforms;

pub use check::{Function, Gradcheck, GradcheckError, GradcheckPlace, gradcheck, testing};
pub use engine::{
    Gradients, HookSite, Hooks, NotFinite, Replay, value_and_grad, value_and_grad_with,
};
#[doc(hidden)]
pub use graph::Given;
pub use graph::{
    Cause, Index, IntoIndex, IntoMask, Mask, Mode, OpenScope, Operand, Policy, ScopeResult,
    ScopeSummary, ShapeError, Tape, Var,
};
pub use inspect::{
    Anomalies, Anomaly, AnomalyPlace, Attribute, Charged, Cost, Dot, GradientReport, GradientRow,
    Graph, GraphNode, GraphScope, Handle, NodeKind, Profile, ProfileLine, ProfileRow, Remark,
    Source, ValueState, ValueSummary,
};
pub use module::{
    Buffer, BufferId, FirstState, Kind, Misfit, Module, Outline, Param, ParamHandle, ParamId, Path,
    See, SeeMut, State, StateId,
};
pub use rules::{Call, Cotangents, CustomOp, Outputs, Reads, WholeOperand};
