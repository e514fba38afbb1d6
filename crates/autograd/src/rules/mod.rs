//! The operations, in one file per family. Each file holds the methods that record operations of the family, their
//! shape rules, the calls of their kernels, their derivative rules, the values that these rules read, and the
//! domains on which they are checked. `graph/op.rs` holds the operations as data. `record.rs` adds the node of an
//! operation to the tape, and `dispatch.rs` chooses the rule of a node. This module depends on `graph`.
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
//! - `max_pool1d`, `max_pool2d`, `max_pool3d` and the adaptive variants: among equal elements of a window, the first
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
//! - `sort`, `topk`, `kthvalue`, `median`, `mode`, `max_with_indices`, `cummax` and their brothers: the element at
//!   the returned position gets the whole gradient. (As in PyTorch.)
//! - `scatter` and `index_put` at a position that is named twice: the element that was written gets the gradient.
//!   `scatter_reduce`: equal maxima and minima share it evenly. (Both as in PyTorch, where it is defined.)
//! - `std` and `norm` where the result is 0: 0. `norm` by an element that is 0: 0. (As in PyTorch.)
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
mod compare;
mod conv;
mod custom;
mod detach;
mod dispatch;
mod einsum;
mod index;
mod integer;
mod logic;
mod lstm;
mod map_axis;
mod matmul;
mod normalize;
mod norms;
mod order;
mod pool;
mod products;
mod put;
mod random;
mod rearrange;
mod record;
mod reduce;
mod resample;
mod scan;
mod softmax;
#[cfg(test)]
mod tests;
mod unary;
mod view;

pub use compare::IntegerOperand;
pub(crate) use compare::compare;
pub(crate) use dispatch::vjp;
pub(crate) use unary::{ConstantSlope, constant_slope, vjp as unary_vjp};
