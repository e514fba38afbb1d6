//! The recorded program: the tape and its arena of nodes, the handles of users (variables, masks,
//! indices), the bound parameters and buffers, scopes, errors, and the interface of observers.
//!
//! `graph`, `rules` and `engine` are the core and depend on each other. An [`Op`] is one enum over the
//! families of `rules`, and rules are written in terms of variables. `graph` imports nothing of
//! `engine`, but calls a few methods that the engine adds to the tape and the arena
//! (`tests/all/rooms.rs` lists them). It also depends on `module`.

mod arena;
mod bindings;
mod buffers;
mod errors;
mod index;
mod mask;
mod node_set;
mod observe;
mod op;
mod operand;
mod recycle;
mod scope;
mod scope_names;
mod tape;
mod var;

pub(crate) use arena::{
    ACTIVE, Arena, CLOSED, MASK, Mark, Node, PENDING, RELEASED, RETAINED, Region, RegionSpan,
    SAVED, Slot, TEMPORARY, TINY, place_in,
};
pub(crate) use bindings::{Binding, Bound};
pub(crate) use buffers::{Declaration, Declared};
pub use errors::{Cause, ShapeError};
pub use index::{Index, IntoIndex};
pub(crate) use mask::ValueKind;
pub use mask::{IntoMask, Mask};
pub(crate) use node_set::NodeSet;
pub(crate) use observe::{Derivative, Observer, Ran, Refusal, Verdict};
pub(crate) use op::Op;
pub use operand::{Given, Operand};
pub use scope::{OpenScope, ScopeResult, ScopeSummary};
pub(crate) use tape::RunKind;
pub use tape::{Mode, Policy, Tape};
pub use var::Var;
