//! The operations of nodes: one enum over the families of `rules`.

use crate::rules::{
    self, Assemble, ConvOp, Draw, IndexOp, LogSoftmax, MapAxis, MatMul, MaxPool, Random, Reduce,
    View, WholeOp,
};
use wengert_tensor::{Binary, Opcode, Unary};

/// The operation of a node. Payloads are small and `Copy`. The target shape is the shape of the node,
/// and larger payloads are in a table of the tape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Op {
    /// A given value, not differentiated.
    Constant,
    /// A given value whose gradient can be computed: a watched tensor or a parameter.
    Leaf,
    /// A constant with all elements equal to this number.
    Fill(f64),
    /// The value of its operand, through which no gradient flows.
    Detach,
    /// A further output of an operation. The number is the distance to the node of the first output.
    Output(u32),
    /// Integers; `place` is their place in the column of integers.
    Whole {
        op: WholeOp,
        place: u32,
    },
    /// A comparison of two tensors of integers.
    Compare(Binary),
    Unary(Unary),
    Binary(Binary),
    /// The second operand where the first is not zero, otherwise the third.
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
    /// A custom operation: an entry in the tape's table.
    Custom(u32),
}

/// Every node contains an `Op`, and tapes may have millions of nodes.
const _: () = assert!(size_of::<Op>() == 16);

impl Op {
    /// Returns the instruction of this operation in a pointwise program.
    #[inline]
    pub fn opcode(self) -> Option<Opcode> {
        match self {
            Op::Unary(op) => Some(Opcode::Unary(op)),
            Op::Binary(op) => Some(Opcode::Binary(op)),
            Op::Select => Some(Opcode::Select),
            _ => None,
        }
    }

    /// Returns whether the node's value was given and cannot be computed again.
    #[inline]
    pub fn is_given(self) -> bool {
        matches!(self, Op::Constant | Op::Leaf | Op::Fill(_) | Op::Whole { op: WholeOp::Given, .. })
    }

    /// Returns whether the operation may have further outputs.
    #[inline]
    pub fn has_outputs(self) -> bool {
        matches!(self, Op::Custom(_) | Op::MaxPool(_))
    }

    /// Returns whether the derivative can differ from zero. No gradient flows through other operations,
    /// such as comparisons.
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
