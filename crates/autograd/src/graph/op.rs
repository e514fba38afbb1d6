//! The operations of nodes: one enum over the families of the rule book.

use crate::rules::{
    self, Assemble, ConvOp, Draw, IndexOp, LogSoftmax, MapAxis, MatMul, MaxPool, Random, Reduce,
    View, WholeOp,
};
use wengert_tensor::{Binary, Opcode, Unary};

/// The operation behind a node. Payloads are small and `Copy`: target shapes are the node's own,
/// what is larger lies in a table of the tape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Op {
    /// A given value, not differentiated.
    Constant,
    /// A given value whose gradient may be asked for: a watched tensor or a parameter.
    Leaf,
    /// A constant with all elements equal to this number.
    Fill(f64),
    /// The value of its operand, through which no gradient flows.
    Detach,
    /// A further output of the op so many nodes before.
    Output(u32),
    /// Whole numbers, at this place of their column.
    Whole {
        op: WholeOp,
        place: u32,
    },
    /// A comparison of two whole numbers.
    Compare(Binary),
    Unary(Unary),
    Binary(Binary),
    /// The second operand where the first is not zero, else the third.
    Select,
    View(View),
    Assemble(Assemble),
    Reduce(Reduce),
    LogSoftmax(LogSoftmax),
    MatMul(MatMul),
    Conv(ConvOp),
    Index(IndexOp),
    MaxPool(MaxPool),
    MapAxis(MapAxis),
    Random(Random),
    Draw(Draw),
    /// An entry in the tape's table of custom operations.
    Custom(u32),
}

/// A node holds one; tapes of a million nodes are meant to be possible.
const _: () = assert!(size_of::<Op>() == 16);

impl Op {
    /// The step this op is in a pointwise program.
    #[inline]
    pub fn opcode(self) -> Option<Opcode> {
        match self {
            Op::Unary(op) => Some(Opcode::Unary(op)),
            Op::Binary(op) => Some(Opcode::Binary(op)),
            Op::Select => Some(Opcode::Select),
            _ => None,
        }
    }

    /// Whether the node's value came from outside and cannot be computed again.
    #[inline]
    pub fn is_given(self) -> bool {
        matches!(self, Op::Constant | Op::Leaf | Op::Fill(_) | Op::Whole { op: WholeOp::Given, .. })
    }

    /// Whether the op may have further outputs.
    #[inline]
    pub fn has_outputs(self) -> bool {
        matches!(self, Op::Custom(_) | Op::MaxPool(_))
    }

    /// Whether the derivative is not zero everywhere: comparisons and the like end a graph.
    #[inline]
    pub fn is_differentiable(self) -> bool {
        match self {
            Op::Unary(op) => rules::unary_differentiable(op),
            Op::Binary(op) => rules::binary_differentiable(op),
            Op::Detach | Op::Whole { .. } | Op::Compare(_) => false,
            _ => true,
        }
    }
}
