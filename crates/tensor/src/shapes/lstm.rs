//! The shapes of a step of a long short-term memory.

use super::{ShapeResult, ensure};
use crate::layout::Shape;

/// Checks the shapes of the two contributions to the gates, [… , 4 · n], and of a state, [… , n].
pub fn lstm_step(x: &Shape, r: &Shape, state: &Shape) -> ShapeResult<()> {
    let op = "lstm_step";
    ensure(state.rank() > 0, || format!("{op}: expected a state with an axis, got {state}"))?;
    let last = state.rank() - 1;
    let wanted = state.with(last, state[last].saturating_mul(4));
    ensure(*x == wanted && *r == wanted, || {
        format!("{op}: expected gates {wanted} for a state {state}, got {x} and {r}")
    })
}
