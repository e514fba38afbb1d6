//! Joining, splitting and padding.

use super::{ShapeResult, axis, ensure, resized, shape_of, too_many, with_new_axis};
use crate::layout::{MAX_RANK, Shape};
use smallvec::SmallVec;

/// Returns the axis along which tensors are joined, and the shape of the result.
pub fn concat(shapes: &[Shape], named: isize) -> ShapeResult<(usize, Shape)> {
    let Some(first) = shapes.first() else {
        return Err("concat: expected at least one tensor, got none".into());
    };
    let at = axis("concat", named, first)?;
    let mut size = first[at];
    for (i, shape) in shapes.iter().enumerate().skip(1) {
        let fits = shape.rank() == first.rank() && shape.with(at, 0) == first.with(at, 0);
        ensure(fits, || {
            format!(
                "concat: tensor {i} has shape {shape}, tensor 0 has {first}: only axis {named} may \
                 differ"
            )
        })?;
        size = size.checked_add(shape[at]).ok_or_else(|| too_many("concat", &shapes))?;
    }
    Ok((at, resized("concat", first, at, size)?))
}

/// Returns the new axis along which tensors of equal shape are stacked, and the shape of the result.
pub fn stack(shapes: &[Shape], named: isize) -> ShapeResult<(usize, Shape)> {
    let Some(first) = shapes.first() else {
        return Err("stack: expected at least one tensor, got none".into());
    };
    let stacked = with_new_axis("stack", first, named, shapes.len())?;
    match shapes.iter().enumerate().find(|(_, shape)| *shape != first) {
        None => Ok(stacked),
        Some((i, shape)) => Err(format!(
            "stack: tensor {i} has shape {shape}, tensor 0 has {first}: all must have the same \
             shape"
        )),
    }
}

/// Returns the axis that is split into consecutive parts of these sizes.
pub fn split(shape: &[usize], named: isize, sizes: &[usize]) -> ShapeResult<usize> {
    let at = axis("split", named, shape)?;
    let sum: u128 = sizes.iter().map(|&size| size as u128).sum();
    ensure(sum == shape[at] as u128, || {
        format!(
            "split: sizes {sizes:?} must add up to {}, the size of axis {named} of shape {shape:?}; they add \
             up to {sum}",
            shape[at]
        )
    })?;
    Ok(at)
}

/// Returns the axis that is split into at most `count` parts, and the size of a part. The last part may be
/// smaller.
pub fn chunk(shape: &[usize], named: isize, count: usize) -> ShapeResult<(usize, usize)> {
    let at = axis("chunk", named, shape)?;
    ensure(count > 0, || {
        format!("chunk: the number of pieces must be at least 1 (axis {named} of shape {shape:?})")
    })?;
    Ok((at, shape[at].div_ceil(count).max(1)))
}

/// Returns the shape with each axis extended by (before, after).
pub fn pad(shape: &[usize], padding: &[(usize, usize)]) -> ShapeResult {
    ensure(padding.len() == shape.len(), || {
        format!(
            "pad: got {} pairs, but a tensor of shape {shape:?} needs {}, one pair (before, after) per axis",
            padding.len(),
            shape.len()
        )
    })?;
    let padded: Option<SmallVec<[usize; MAX_RANK]>> = shape
        .iter()
        .zip(padding)
        .map(|(size, &(before, after))| size.checked_add(before)?.checked_add(after))
        .collect();
    let sizes = padded.ok_or_else(|| {
        format!(
            "pad: shape {shape:?} padded by {padding:?} has more elements than a tensor can have"
        )
    })?;
    shape_of("pad", &sizes)
}
