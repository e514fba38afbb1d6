//! Positions that are data.

use super::{Rule, axis, ensure, resized, shape_of};
use crate::layout::Shape;

/// Slices of an axis by a vector of indices.
pub fn index_select(shape: &[usize], named: isize, index: &[usize]) -> Rule<(usize, Shape)> {
    let at = axis("index_select", named, shape)?;
    let len = vector("index_select", index)?;
    Ok((at, resized("index_select", shape, at, len)?))
}

/// Slices added to those of an axis of size `len`, by a vector of indices.
pub fn index_add(
    shape: &[usize],
    named: isize,
    index: &[usize],
    len: usize,
) -> Rule<(usize, Shape)> {
    let at = axis("index_add", named, shape)?;
    let count = vector("index_add", index)?;
    ensure(count == shape[at], || {
        format!(
            "index_add: {count} indices for axis {named} of size {} (shape {shape:?})",
            shape[at]
        )
    })?;
    Ok((at, resized("index_add", shape, at, len)?))
}

/// A part that is added to elements of `own` in place: `wanted` is the shape that it would make.
pub fn part_fits(op: &str, own: &[usize], part: &[usize], wanted: &[usize]) -> Rule<()> {
    ensure(own == wanted, || {
        format!("{op}: a part of shape {part:?} does not fit into shape {own:?}")
    })
}

/// One element per index.
pub fn gather(shape: &[usize], named: isize, index: &[usize]) -> Rule<(usize, Shape)> {
    let at = axis("gather", named, shape)?;
    within("gather", shape, at, index)?;
    Ok((at, shape_of("gather", index)?))
}

/// Elements of `source` added at indices; the axis along which they count.
pub fn scatter_add(
    shape: &[usize],
    named: isize,
    index: &[usize],
    source: &[usize],
) -> Rule<usize> {
    let at = axis("scatter_add", named, shape)?;
    within("scatter_add", shape, at, index)?;
    let covered = index.len() == source.len() && index.iter().zip(source).all(|(i, s)| i <= s);
    ensure(covered, || {
        format!(
            "scatter_add: an index of shape {index:?} asks for more than there is in the source of \
             shape {source:?}: it needs as many axes, none longer"
        )
    })?;
    Ok(at)
}

/// That every number of an index lies within the axis. They do not count from the end.
pub fn index_range(op: &str, index: &[i64], named: isize, shape: &[usize]) -> Rule<()> {
    let size = shape[axis(op, named, shape)?];
    // A negative number is a large one, too.
    let fits = |i: i64| (i as u64) < size as u64;
    // Without a way out of the loop it becomes vector code.
    if index.iter().fold(true, |all, &i| all & fits(i)) {
        return Ok(());
    }
    match index.iter().enumerate().find(|&(_, &i)| !fits(i)) {
        None => Ok(()),
        Some((at, i)) => Err(format!(
            "{op}: index {i} (number {at} of {}) does not lie in 0..{size}, axis {named} of shape \
             {shape:?}; indices do not count from the end",
            index.len()
        )),
    }
}

fn vector(op: &str, index: &[usize]) -> Rule<usize> {
    match *index {
        [len] => Ok(len),
        _ => Err(format!(
            "{op}: the index must have one axis, its shape is {index:?}: flatten it, and reshape \
             the result"
        )),
    }
}

/// Along `axis` an index may have any length, along the others not more than there is.
fn within(op: &str, shape: &[usize], axis: usize, index: &[usize]) -> Rule<()> {
    let fits = index.len() == shape.len()
        && (0..shape.len()).all(|other| other == axis || index[other] <= shape[other]);
    ensure(fits, || {
        format!(
            "{op}: an index of shape {index:?} does not fit shape {shape:?}: it needs as many axes, \
             none but axis {axis} longer"
        )
    })
}
