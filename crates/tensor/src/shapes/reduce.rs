//! Over which axes, and what is left of the shape.

use super::{Rule, axis, ensure, shape_of};
use crate::layout::{MAX_RANK, Shape, broadcasts_to};

/// What a reduction makes of a shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reduced {
    /// Whether each axis is reduced.
    pub chosen: [bool; MAX_RANK],
    /// The shape with the reduced axes at size 1.
    pub kept: Shape,
    /// The shape without them.
    pub dropped: Shape,
}

/// A reduction over the axes named, or all if none is.
///
/// ```
/// use wengert_tensor::shapes::reduce;
/// let reduced = reduce("sum", &[2, 3, 4], &[-1, 0]).unwrap();
/// assert_eq!(reduced.kept, [1, 3, 1]);
/// assert_eq!(reduced.dropped, [3]);
/// ```
pub fn reduce(op: &str, shape: &[usize], named: &[isize]) -> Rule<Reduced> {
    let mut kept = shape_of(op, shape)?;
    let mut chosen = [false; MAX_RANK];
    for &name in named {
        let at = axis(op, name, shape)?;
        ensure(!chosen[at], || {
            format!("{op}: axis {name} is named twice in {named:?} (shape {shape:?})")
        })?;
        chosen[at] = true;
    }
    if named.is_empty() {
        chosen[..shape.len()].fill(true);
    }
    let mut dropped = kept;
    // From the last on, so that the places of the others stay.
    for at in (0..shape.len()).rev().filter(|&at| chosen[at]) {
        kept[at] = 1;
        dropped = dropped.removed(at);
    }
    Ok(Reduced { chosen, kept, dropped })
}

/// The same for operations whose result is one of the elements, so that nothing has none. Where
/// there are no results either, none is missing.
pub fn extreme(op: &str, shape: &[usize], named: &[isize]) -> Rule<Reduced> {
    let reduced = reduce(op, shape, named)?;
    some(op, shape, &reduced.kept)?;
    Ok(reduced)
}

/// A smaller shape to reduce to: one that would broadcast to this one.
pub fn reduce_to(op: &str, from: &[usize], to: &[usize]) -> Rule {
    ensure(broadcasts_to(to, from), || {
        format!(
            "{op}: shape {from:?} does not reduce to {to:?}: matched from the last axis, sizes must \
             be equal or 1"
        )
    })?;
    shape_of(op, to)
}

/// The same for operations whose result is one of the elements.
pub fn extreme_to(op: &str, from: &[usize], to: &[usize]) -> Rule {
    let to = reduce_to(op, from, to)?;
    some(op, from, &to)?;
    Ok(to)
}

/// That each element of the result has something it can be.
fn some(op: &str, from: &[usize], to: &[usize]) -> Rule<()> {
    if to.contains(&0) {
        return Ok(());
    }
    match from.iter().position(|&size| size == 0) {
        None => Ok(()),
        Some(empty) => Err(format!(
            "{op}: axis {empty} of shape {from:?} is empty, and of no elements there is no {op}"
        )),
    }
}
