//! Reading and adding at positions that are data.

use super::{ShapeResult, axis, broadcast, ensure, shape_of};
use crate::layout::{MAX_RANK, Shape, broadcasts_to};
use smallvec::SmallVec;
use std::ops::Range;

/// Returns the axis from which an index selects, and the shape of the result: the axes of the index replace it.
pub fn index_select(shape: &[usize], named: isize, index: &[usize]) -> ShapeResult<(usize, Shape)> {
    let at = axis("index_select", named, shape)?;
    has_axes("index_select", index)?;
    Ok((at, replaced("index_select", shape, at..at + 1, index)?))
}

/// Returns the axis of size `len` to which slices are added at an index, and the shape of the result. The axes of the
/// index are axes of `shape` at this place.
pub fn index_add(
    shape: &[usize],
    named: isize,
    index: &[usize],
    len: usize,
) -> ShapeResult<(usize, Shape)> {
    has_axes("index_add", index)?;
    // The result has one axis for all axes of the index.
    let rank = (shape.len() + 1).checked_sub(index.len()).filter(|&rank| rank > 0);
    let at = match rank {
        _ if index.len() == 1 => axis("index_add", named, shape)?,
        Some(rank) if (-(rank as isize)..rank as isize).contains(&named) => {
            named.rem_euclid(rank as isize) as usize
        }
        _ => shape.len(),
    };
    let replaces = at..at + index.len();
    ensure(
        shape.get(replaces.clone()).is_some_and(|of_shape| of_shape == index),
        || match *index {
            [count] => format!(
                "index_add: expected {} indices, the size of axis {named} of shape {shape:?}, got {count}",
                shape[at]
            ),
            _ => format!(
                "index_add: expected a source with the axes {index:?} of the index in place of axis {named} of the result, got \
             {shape:?}"
            ),
        },
    )?;
    Ok((at, replaced("index_add", shape, replaces, &[len])?))
}

/// Checks that a part can be added in place to elements of `own`. `wanted` is the shape that results from
/// adding it to zeros.
pub fn part_fits(op: &str, own: &[usize], part: &[usize], wanted: &[usize]) -> ShapeResult<()> {
    ensure(own == wanted, || {
        format!("{op}: a part of shape {part:?} does not fit into shape {own:?}")
    })
}

/// Returns the axis along which one element is read per index, and the shape of the result.
pub fn gather(shape: &[usize], named: isize, index: &[usize]) -> ShapeResult<(usize, Shape)> {
    let at = axis("gather", named, shape)?;
    within("gather", shape, at, index)?;
    Ok((at, shape_of("gather", index)?))
}

/// Returns the axis along which elements of `source` are added at indices.
pub fn scatter_add(
    shape: &[usize],
    named: isize,
    index: &[usize],
    source: &[usize],
) -> ShapeResult<usize> {
    scatter("scatter_add", shape, named, index, source)
}

/// Returns the axis along which elements of `source` are combined with elements at indices.
pub fn scatter(
    op: &str,
    shape: &[usize],
    named: isize,
    index: &[usize],
    source: &[usize],
) -> ShapeResult<usize> {
    let at = axis(op, named, shape)?;
    within(op, shape, at, index)?;
    let covered = index.len() == source.len() && index.iter().zip(source).all(|(i, s)| i <= s);
    ensure(covered, || {
        format!(
            "{op}: an index of shape {index:?} does not fit the source of shape {source:?}: it must have as many axes, none of them longer"
        )
    })?;
    Ok(at)
}

/// The shapes of writing at positions along the first axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IndexPut {
    /// The shape to which the indices broadcast.
    pub index: Shape,
    /// The shape to which the values broadcast.
    pub values: Shape,
    /// The product of the sizes of the indexed axes, and of the other axes.
    pub size: [usize; 2],
}

/// Resolves the shapes of writing values at positions that one index for each of the first axes names.
pub fn index_put(shape: &[usize], indices: &[Shape], values: &[usize]) -> ShapeResult<IndexPut> {
    let count = indices.len();
    ensure((1..=shape.len()).contains(&count), || {
        format!("index_put: expected 1 to {} indices for shape {shape:?}, got {count}", shape.len())
    })?;
    let mut index = Shape::SCALAR;
    for other in indices {
        index = broadcast("index_put", &index, other)?;
    }
    let sizes: SmallVec<[usize; 2 * MAX_RANK]> =
        index.iter().chain(&shape[count..]).copied().collect();
    let to = shape_of("index_put", &sizes)?;
    ensure(broadcasts_to(values, &to), || {
        format!(
            "index_put: values of shape {values:?} do not broadcast to {to}: the shape {index} of the indices, followed by the other axes of shape {shape:?}"
        )
    })?;
    let size =
        [super::count("index_put", &shape[..count])?, super::count("index_put", &shape[count..])?];
    Ok(IndexPut { index, values: to, size })
}

/// Checks that every index lies within the axis. Negative indices are errors.
pub fn index_range(op: &str, index: &[i64], named: isize, shape: &[usize]) -> ShapeResult<()> {
    let size = shape[axis(op, named, shape)?];
    // Of an index outside the axis, itself or its distance from the last element is negative. Without an early exit and
    // without comparisons, which vectors of the baseline lack, the compiler vectorises the loop.
    let last = size as i64 - 1;
    if index.iter().fold(0, |signs, &i| signs | i | last.wrapping_sub(i)) >= 0 {
        return Ok(());
    }
    let fits = |i: i64| (i as u64) < size as u64; // a negative number is a large `u64`
    match index.iter().enumerate().find(|&(_, &i)| !fits(i)) {
        None => Ok(()),
        Some((at, i)) => Err(format!(
            "{op}: index {i} (number {at} of {}) is out of range 0..{size} of axis {named} of shape \
             {shape:?}; negative indices are not allowed",
            index.len()
        )),
    }
}

fn has_axes(op: &str, index: &[usize]) -> ShapeResult<()> {
    ensure(!index.is_empty(), || {
        format!("{op}: the index must have at least one axis, its shape is []: reshape it to [1]")
    })
}

/// Returns the shape with other axes in place of some.
fn replaced(op: &str, shape: &[usize], axes: Range<usize>, by: &[usize]) -> ShapeResult {
    let (before, after) = (&shape[..axes.start], &shape[axes.end..]);
    let sizes: SmallVec<[usize; 2 * MAX_RANK]> =
        before.iter().chain(by).chain(after).copied().collect();
    shape_of(op, &sizes)
}

/// Checks the shape of an index: it may have any size along `axis`, and at most the size of `shape` along
/// the other axes.
fn within(op: &str, shape: &[usize], axis: usize, index: &[usize]) -> ShapeResult<()> {
    let fits = index.len() == shape.len()
        && (0..shape.len()).all(|other| other == axis || index[other] <= shape[other]);
    ensure(fits, || {
        format!(
            "{op}: an index of shape {index:?} does not fit shape {shape:?}: it must have as many axes, and only axis {axis} may be longer"
        )
    })
}
