//! The operations, in one file per family. Each file holds the operations of the family, their shape
//! rules, the calls of their kernels, their derivative rules, the values that these rules read, and the
//! domains on which they are checked.
//!
//! # A result is not its operand
//! Every operation records its own node, even if it does nothing (the sum over an axis of size 1,
//! dropout in evaluation). A user's variable is a target of `grad`, and two variables with one node
//! would share one gradient. A node that does nothing is a reshape to the same shape, which shares the
//! memory of its operand (`Var::same`). Only helpers of rules and operands (`broadcast_shape`,
//! `sum_shape`) may return their operand.
//!
//! # Agreement with tensors
//! An operation of variables gives the same bits as the operation of tensors with the same name. A
//! number that is combined with a variable is rounded once, to the type of the elements. A division by a
//! number is a division: `x / c` is not `x * (1 / c)`.
//!
//! # Where a derivative does not exist
//! - relu′(0) = abs′(0) = sign′ = 0.
//! - `clamp_min` and `clamp_max` pass the gradient at the bound itself.
//! - `maximum`, `minimum`: equal operands get half of the gradient each. `max`, `min` over axes: equal
//!   elements share it evenly. (Both as in PyTorch.)
//! - `max_pool1d`, `max_pool2d` and the adaptive variants: among equal elements of a window, the first
//!   in row-major order gets the whole gradient. (As in PyTorch.)
//! - Comparisons have derivative zero everywhere. No gradient flows through them.
//! - aᵇ at a = 0: the derivative by b is 0 for b ≥ 0 (the limit for b > 0), and the derivative by a is 0
//!   at b = 0, where a⁰ = 1 is constant. (Both as in PyTorch.) Second derivatives are the limits where
//!   those are finite. For b ≤ 1 the mixed derivative has no finite limit.
//! - `floor`, `ceil`, `round` and `trunc` have derivative 0 everywhere, and `frac` has derivative 1. `fmod` and
//!   `remainder` are derived with a constant quotient. (All as in PyTorch.)
//! - `atan2` at (0, 0): 0. `hypot` at (0, 0), and `logaddexp` at equal infinities: NaN. (All as in PyTorch.)
//!   `copysign`: 0 by its first operand at 0, and 0 by its second.
//! - `xlogy` at a = 0: the derivative by a is 0 for b ≤ 0 (as in PyTorch). The derivative by b is 0 for b = 0,
//!   since the function is 0 along a = 0. (PyTorch: NaN.)
//! - `asin`, `acos`, `acosh`, `atanh`, `erfinv`: ±∞ at the ends of their domains.
//! - `logsumexp`: if all elements are -∞, it passes no gradient. An element +∞ gets the gradient NaN.
//!   (PyTorch: NaN for both.)
//!
//! # Gates
//! An operation such as `relu` passes some elements on and drops others. Its rule *selects* between the
//! cotangent and 0 (`Var::gate`). It does not multiply by a mask, since 0 · ∞ is NaN: d √(relu x) at x <
//! 0 is 0. The comparison that closes a gate is false for NaN. At NaN a gate is therefore open, and a
//! NaN of the forward pass reaches the gradient. No gradient flows into the comparison itself. The
//! public methods follow the same principle: `where_` and `masked_fill` select, and there is no product
//! of a variable and a `Mask`.
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
//! The same holds inside a rule. Masking the *value* of a branch does not mask its derivative, which is
//! computed and may be NaN. A rule therefore replaces the operand before a singular function (`pow`),
//! and adds a gate after a function whose derivative is infinite.

mod assemble;
mod binary;
mod call;
mod compare;
mod conv;
mod custom;
mod index;
mod lists;
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
pub use call::{Call, Reads};
pub use compare::WholeOperand;
pub(crate) use compare::compare;
pub(crate) use conv::ConvOp;
pub(crate) use custom::CustomCall;
pub use custom::CustomOp;
pub(crate) use index::IndexOp;
pub use lists::{Cotangents, Outputs};
pub(crate) use lists::{one, two};
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

/// Returns the values that the rule of `op` reads for the gradient of this argument.
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
        Op::LogSoftmax(op) => one(op.vjp(c)),
        Op::MatMul(op) => op.vjp(c),
        Op::Conv(op) => op.vjp(c),
        Op::Index(op) => two(Some(op.vjp(c)), None),
        Op::MaxPool(_) => one(MaxPool::vjp(c)),
        Op::MapAxis(op) => one(op.vjp(c)),
        Op::Random(op) => one(op.vjp(c)),
        Op::Custom(_) => unreachable!("`Tape::custom_vjp` calls the rule of a custom operation"),
        Op::Constant | Op::Leaf | Op::Fill(_) | Op::Draw(_) => unreachable!("leaves have no rule"),
        Op::Output(_) => unreachable!("the rule is that of the first output"),
        Op::Detach | Op::Whole { .. } | Op::Compare(_) => {
            unreachable!("no gradient flows through these operations")
        }
    }
}
