//! Reverse-mode automatic differentiation on a tape.

// The modules in order of dependency: a module may import the modules above it in this list. In addition, `graph` and
// `rules` call six methods that `engine` adds to the tape and to the arena, so these three modules depend on each other.
// `tests/all/rooms.rs` lists the permitted imports and these calls.

mod module; // parameters, buffers and their names

mod graph; // the recorded graph: tape, nodes, operations as data, variables

mod rules; // records and computes the operations, and differentiates them

mod engine; // computes values on demand, gradients, replays

mod inspect; // graphs, profiles and reports

pub mod transforms;

mod check; // checks derivatives against finite differences

pub use check::{Function, Gradcheck, GradcheckError, GradcheckPlace, gradcheck, testing};
pub use engine::{
    Gradients, HookSite, Hooks, NotFinite, Replay, value_and_grad, value_and_grad_with,
};
#[doc(hidden)]
pub use graph::Given;
pub use graph::{
    Call, Cause, Cotangents, CustomOp, Index, IntoIndex, IntoMask, Mask, Mode, OpenScope, Operand,
    OperationError, Outputs, Policy, Reads, ScopeResult, ScopeSummary, Tape, Var,
};
pub use inspect::{
    Anomalies, Anomaly, AnomalyPlace, Attribute, Charged, Cost, Dot, GradientReport, GradientRow,
    Graph, GraphNode, GraphScope, Handle, NodeKind, Profile, ProfileLine, ProfileRow, Remark,
    Source, ValueState, ValueSummary,
};
pub use module::{
    Buffer, BufferId, FirstState, Misfit, Module, Outline, Param, ParamHandle, ParamId, Path, See,
    SeeMut, State, StateId, StateKind,
};
pub use rules::IntegerOperand;
