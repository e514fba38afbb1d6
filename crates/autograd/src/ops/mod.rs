//! The rule book: a file per family of operations. In each stand side by side the operations, their
//! shape rules, the calls of their kernels, their derivative rules, what those read, and the domains on which
//! they are checked.
//!
//! # Where a derivative does not exist
//! - relu′(0) = abs′(0) = sign′ = 0.
//! - `clamp_min`, `clamp_max` pass the gradient at the bound itself.
//! - `maximum`, `minimum`: equal operands get half each. `max`, `min` over axes: equal elements
//!   share evenly. (Both as in PyTorch.)
//! - `max_pool1d`, `max_pool2d` and the adaptive ones: of equal elements of a window the first, row
//!   by row, gets the whole gradient. (As in PyTorch.)
//! - Comparisons have derivative zero everywhere: a graph ends there.

mod binary;
mod conv;
mod custom;
mod index;
mod map_axis;
mod matmul;
mod pool;
mod random;
mod reduce;
mod resample;
mod softmax;
#[cfg(test)]
mod tests;
mod unary;
mod view;

pub(crate) use binary::is_differentiable as binary_differentiable;
pub(crate) use conv::ConvOp;
pub use custom::{CustomOp, Outputs};
pub(crate) use index::IndexOp;
pub(crate) use map_axis::MapAxis;
pub(crate) use matmul::MatMul;
#[cfg(test)]
pub(crate) use random::Probability;
pub(crate) use random::Random;
pub(crate) use reduce::Reduce;
pub(crate) use softmax::LogSoftmax;
pub(crate) use unary::{is_differentiable as unary_differentiable, vjp as unary_vjp};
pub(crate) use view::View;

use crate::op::{Call, Cotangents, Op, Reads, one};
use wengert_tensor::Float;

/// What the rule of `op` reads for the gradient of this argument.
#[inline]
pub(crate) fn reads(op: Op, arg: usize) -> Reads {
    match op {
        Op::Unary(op) => unary::reads(op),
        Op::Binary(op) => binary::reads(op, arg),
        Op::Select => Reads::X0,
        Op::Reduce(op) => op.reads(),
        Op::LogSoftmax(_) => LogSoftmax::READS,
        Op::MatMul(_) => MatMul::reads(arg),
        Op::Conv(_) => ConvOp::reads(arg),
        Op::View(_) | Op::Index(_) | Op::MapAxis(_) | Op::Random(_) => Reads::NOTHING,
        Op::Custom(_) => Reads::ALL,
        Op::Constant | Op::Leaf | Op::Output(_) => Reads::NOTHING,
    }
}

/// The cotangents of the wanted arguments. Called once per node.
#[inline]
pub(crate) fn vjp<'t, T: Float>(op: Op, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
    match op {
        Op::Unary(op) => one(unary::vjp(op, c)),
        Op::Binary(op) => binary::vjp(op, c),
        Op::Select => binary::select_vjp(c),
        Op::View(op) => op.vjp(c),
        Op::Reduce(op) => one(op.vjp(c)),
        Op::LogSoftmax(op) => one(op.vjp(c)),
        Op::MatMul(op) => op.vjp(c),
        Op::Conv(op) => op.vjp(c),
        Op::Index(op) => one(op.vjp(c)),
        Op::MapAxis(op) => one(op.vjp(c)),
        Op::Random(op) => one(op.vjp(c)),
        Op::Custom(i) => {
            let op = c.tape.arena.borrow().customs[i as usize].clone();
            op.vjp(c)
        }
        Op::Constant | Op::Leaf | Op::Output(_) => unreachable!("leaves have no rule"),
    }
}
