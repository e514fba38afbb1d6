//! The recorded graph: the tape and its arena of nodes, the operations of nodes as data, the handles of users
//! (variables, masks, indices), the bound parameters and buffers, scopes, errors, and two interfaces: that of a
//! derivative rule (what it is called with, declares and returns), and that of an observer.
//!
//! This module depends on `module`. It knows no derivative and computes no value: `rules` and `engine`, which
//! stand above it, add methods to its types. It calls a few methods of the engine, which `tests/all/rooms.rs`
//! lists.

mod arena;
mod bindings;
mod buffers;
mod call;
mod custom;
mod errors;
mod given;
mod index;
mod lists;
mod mask;
mod mode;
mod node_set;
mod observe;
mod op;
mod operand;
mod recycle;
mod scope;
mod scope_names;
mod slices;
mod tape;
mod var;

pub(crate) use arena::{
    ACTIVE, Arena, CLOSED, MASK, Mark, Node, PENDING, RELEASED, RETAINED, Region, RegionSpan,
    SAVED, Slot, TEMPORARY, TINY, place_in,
};
pub(crate) use bindings::{Binding, Bound, ById, Declaration, Declared};
pub use call::{Call, Reads};
pub(crate) use custom::CustomCall;
pub use custom::CustomOp;
pub use errors::{Cause, OperationError};
pub use index::{Index, IntoIndex};
pub use lists::{Cotangents, Outputs};
pub(crate) use lists::{one, two};
pub(crate) use mask::ValueKind;
pub use mask::{IntoMask, Mask};
pub(crate) use mode::RunKind;
pub use mode::{Mode, Policy};
pub(crate) use node_set::NodeSet;
pub(crate) use observe::{Derivative, Observer, Ran, Refusal, Verdict};
pub(crate) use op::{
    Assemble, ConvOp, Distribution, Draw, IndexOp, IntegerOp, Lstm, MapAxis, MatMul, MaxPool,
    Normalize, Op, Order, PackedF64, Part, PoolWindows, Random, Reduce, ScanAlong, Softmax, View,
};
pub use operand::{Given, Operand};
pub use scope::{OpenScope, ScopeResult};
pub use scope_names::ScopeSummary;
pub(crate) use slices::{Slices, SlotParts};
pub use tape::Tape;
pub use var::Var;
