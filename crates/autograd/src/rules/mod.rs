//! The rule book: a file per family of operations. In each stand side by side the operations, their
//! shape rules, the calls of their kernels, their derivative rules, what those read, and the domains on which
//! they are checked.
//!
//! # A result is not its operand
//! Every operation records a node of its own, also where it has nothing to do (the sum over an axis of
//! size 1, dropout in evaluation): a variable that a user holds is a target of `grad` and means just
//! itself. Such a node is a reshape to the same shape, which shares the numbers (`Var::same`). Only what
//! rules and operands use (`broadcast_shape`, `sum_shape`) may hand the operand back.
//!
//! # The tensor's operation of the same name
//! gives the same bits. A number beside a variable is rounded once, to the type of the elements, and
//! divides as itself: `x / c` is not `x * (1 / c)`.
//!
//! # Where a derivative does not exist
//! - relu′(0) = abs′(0) = sign′ = 0.
//! - `clamp_min`, `clamp_max` pass the gradient at the bound itself.
//! - `maximum`, `minimum`: equal operands get half each. `max`, `min` over axes: equal elements
//!   share evenly. (Both as in PyTorch.)
//! - `max_pool1d`, `max_pool2d` and the adaptive ones: of equal elements of a window the first, row
//!   by row, gets the whole gradient. (As in PyTorch.)
//! - Comparisons have derivative zero everywhere: a graph ends there.
//! - aᵇ at a = 0: by b it is 0 for b ≥ 0 (the limit for b > 0), by a at b = 0 it is 0 (a⁰ = 1 is flat).
//!   (Both as in PyTorch.) Second derivatives are the limits where those are finite; for b ≤ 1 the mixed
//!   one has none.
//! - `logsumexp` of nothing but -∞ passes no gradient; at +∞ it is NaN. (PyTorch: NaN for both.)
//!
//! # Gates
//! Where an operation passes some numbers on and not others, its rule *selects* between the cotangent and
//! 0 (`Var::gate`); it does not multiply by a mask, since 0 · ∞ is NaN: d √(relu x) at x < 0 is 0. The
//! comparison that closes a gate is false for NaN, so at NaN a gate is open, and a NaN of the forward
//! pass is seen in the gradient. Comparisons have no derivative: nothing flows into what closes a gate.
//! Users meet the same choice: there is no product of a variable and a `Mask`, only `where_` and
//! `masked_fill`.
//!
//! | operation | closed where | at NaN | PyTorch at NaN |
//! |---|---|---|---|
//! | `relu` | y = 0 | open | open |
//! | `clamp_min(k)`, `clamp_max(k)` | x < k, x > k | open | closed |
//! | `abs` | x = 0 | NaN | g · sgn(NaN) |
//! | `maximum`, `minimum` | a < b, a > b | open to both | open to both |
//! | `max`, `min` over axes | x ≠ y | the NaNs share evenly | the same for `max()`, NaN for `amax` |
//! | max pooling | not the position found | the first NaN gets all | the same |
//! | `where_`, `masked_fill` | not selected | by the mask: a comparison with NaN is false | by the mask |
//! | `dropout` | dropped | by the mask | by the mask (a product) |
//!
//! The same holds inside a rule. Masking its *value* afterwards does not mask the derivative of the branch
//! not taken, which is computed all the same: what would be singular gets a safe operand before the
//! singular function (`pow`), and a gate behind it where its own derivative is infinite.

mod assemble;
mod binary;
mod call;
mod compare;
mod conv;
mod custom;
mod index;
mod logic;
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
mod whole;

pub(crate) use assemble::{Assemble, Part};
pub(crate) use binary::is_differentiable as binary_differentiable;
pub use call::{Call, Cotangents, Reads};
pub(crate) use call::{one, two};
pub use compare::WholeOperand;
pub(crate) use compare::compare;
pub(crate) use conv::ConvOp;
pub use custom::{CustomOp, Outputs};
pub(crate) use index::IndexOp;
pub(crate) use map_axis::MapAxis;
pub(crate) use matmul::MatMul;
pub(crate) use pool::{MaxPool, PoolWindows};
pub(crate) use random::Distribution;
#[cfg(test)]
pub(crate) use random::Probability;
pub(crate) use random::{Draw, Random};
pub(crate) use reduce::Reduce;
pub(crate) use softmax::LogSoftmax;
pub(crate) use unary::{is_differentiable as unary_differentiable, vjp as unary_vjp};
pub(crate) use view::View;
pub(crate) use whole::WholeOp;

use crate::graph::Op;
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
        Op::Index(_) => IndexOp::READS,
        Op::MaxPool(_) => MaxPool::READS,
        Op::Assemble(_) => Assemble::READS,
        Op::View(_) | Op::MapAxis(_) | Op::Random(_) => Reads::NOTHING,
        Op::Custom(_) => Reads::ALL,
        Op::Constant | Op::Leaf | Op::Fill(_) | Op::Draw(_) => Reads::NOTHING,
        Op::Output(_) | Op::Detach | Op::Whole { .. } | Op::Compare(_) => Reads::NOTHING,
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
        Op::Assemble(op) => op.vjp(c),
        Op::Reduce(op) => one(op.vjp(c)),
        Op::LogSoftmax(op) => one(op.vjp(c)),
        Op::MatMul(op) => op.vjp(c),
        Op::Conv(op) => op.vjp(c),
        Op::Index(op) => two(Some(op.vjp(c)), None),
        Op::MaxPool(_) => one(MaxPool::vjp(c)),
        Op::MapAxis(op) => one(op.vjp(c)),
        Op::Random(op) => one(op.vjp(c)),
        Op::Custom(_) => c.tape.custom_vjp(op, c),
        Op::Constant | Op::Leaf | Op::Fill(_) | Op::Draw(_) => unreachable!("leaves have no rule"),
        Op::Output(_) => unreachable!("the rule is that of the first output"),
        Op::Detach | Op::Whole { .. } | Op::Compare(_) => {
            unreachable!("nothing flows through these")
        }
    }
}
