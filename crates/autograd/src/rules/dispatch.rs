//! Chooses the rule of an operation by its family.

use super::{binary, unary};
use crate::graph::{
    Assemble, Call, ConvOp, Cotangents, IndexOp, MatMul, MaxPool, Op, Reads, one, two,
};
use wengert_tensor::Float;

impl Op {
    /// Returns whether the derivative can differ from zero. No gradient flows through other operations,
    /// such as comparisons.
    #[inline]
    pub fn is_differentiable(self) -> bool {
        match self {
            Op::Unary(op) => unary::is_differentiable(op),
            Op::Binary(op) => binary::is_differentiable(op),
            Op::Detach | Op::Integer { .. } | Op::Compare(_) => false,
            _ => true,
        }
    }
}

/// Returns the values that the rule of `op` reads for the gradient of this argument.
#[inline]
pub(super) fn reads(op: Op, arg: usize) -> Reads {
    match op {
        Op::Unary(op) => unary::reads(op),
        Op::Binary(op) => binary::reads(op, arg),
        Op::Select => Reads::X0,
        Op::Reduce(op) => op.reads(),
        Op::Softmax(op) => op.reads(arg),
        Op::Normalize(op) => op.reads(arg),
        Op::Lstm(op) => op.reads(),
        Op::Scan(op) => op.reads(arg),
        Op::MatMul(_) => MatMul::reads(arg),
        Op::Conv(_) => ConvOp::reads(arg),
        Op::Index(_) => IndexOp::READS,
        Op::MaxPool(_) => MaxPool::READS,
        Op::Assemble(_) => Assemble::READS,
        Op::View(_) | Op::MapAxis(_) | Op::Random(_) => Reads::NOTHING,
        Op::Custom(_) => Reads::ALL,
        Op::Constant | Op::Leaf | Op::Fill(_) | Op::Draw(_) => Reads::NOTHING,
        Op::Output(_) | Op::Detach | Op::Integer { .. } | Op::Compare(_) => Reads::NOTHING,
    }
}

/// Returns the cotangents of the wanted arguments. A walk calls it once per node.
#[inline]
pub(crate) fn vjp<'t, T: Float>(op: Op, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
    match op {
        Op::Unary(op) => one(unary::vjp(op, c)),
        Op::Binary(op) => binary::vjp(op, c),
        Op::Select => binary::select_vjp(c),
        Op::View(op) => op.vjp(c),
        Op::Assemble(op) => op.vjp(c),
        Op::Reduce(op) => one(op.vjp(c)),
        Op::Softmax(op) => op.vjp(c),
        Op::Normalize(op) => op.vjp(c),
        Op::Lstm(op) => op.vjp(c),
        Op::Scan(op) => op.vjp(c),
        Op::MatMul(op) => op.vjp(c),
        Op::Conv(op) => op.vjp(c),
        Op::Index(op) => two(Some(op.vjp(c)), None),
        Op::MaxPool(_) => one(MaxPool::vjp(c)),
        Op::MapAxis(op) => one(op.vjp(c)),
        Op::Random(op) => one(op.vjp(c)),
        Op::Custom(_) => unreachable!("`Tape::custom_vjp` calls the rule of a custom operation"),
        Op::Constant | Op::Leaf | Op::Fill(_) | Op::Draw(_) => unreachable!("leaves have no rule"),
        Op::Output(_) => unreachable!("the rule is that of the first output"),
        Op::Detach | Op::Integer { .. } | Op::Compare(_) => {
            unreachable!("no gradient flows through these operations")
        }
    }
}
