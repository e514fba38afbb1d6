//! Views: the same elements, or some of them, with another shape.

use super::{
    ShapeResult, axis, count, ensure, product, resized, shape_of, too_many, with_new_axis,
};
use crate::layout::{MAX_RANK, Shape};
use smallvec::SmallVec;

/// Returns the new shape of a reshape. One size of `to` may be -1; it is inferred from the other sizes.
///
/// ```
/// use wengert::tensor::shapes::reshape;
/// assert_eq!(reshape(&[2, 6], &[-1, 4]).unwrap(), [3, 4]);
/// ```
pub fn reshape(from: &[usize], to: &[isize]) -> ShapeResult {
    let inferred = to.iter().filter(|&&size| size < 0).count();
    ensure(inferred <= 1, || format!("reshape: only one size may be -1, {to:?} has {inferred}"))?;
    ensure(to.len() <= MAX_RANK, || {
        format!("reshape: shape {to:?} has {} axes, a tensor has at most {MAX_RANK}", to.len())
    })?;
    let total = count("reshape", from)?;
    let mut sizes: SmallVec<[usize; MAX_RANK]> =
        to.iter().map(|&size| usize::try_from(size).unwrap_or(1)).collect();
    let known = product(&sizes).ok_or_else(|| too_many("reshape", &to))?;
    let misfit = || format!("reshape: {total} elements of shape {from:?} do not fit {to:?}");
    match to.iter().position(|&size| size < 0) {
        None => ensure(known == total, misfit)?,
        Some(_) if known == 0 && total == 0 => {
            return Err(format!(
                "reshape: the size -1 in {to:?} is ambiguous, because another size is 0 (shape {from:?}): give all sizes"
            ));
        }
        Some(at) => {
            ensure(to[at] == -1 && known != 0 && total.is_multiple_of(known), misfit)?;
            sizes[at] = total / known;
        }
    }
    shape_of("reshape", &sizes)
}

/// Returns the shape with the axes from `start` to `end`, both included, merged. A scalar becomes a vector
/// of one element.
pub fn flatten(shape: &[usize], start: isize, end: isize) -> ShapeResult {
    if shape.is_empty() && [0, -1].contains(&start) && [0, -1].contains(&end) {
        return shape_of("flatten", &[1]);
    }
    let first = axis("flatten", start, shape)?;
    let last = axis("flatten", end, shape)?;
    ensure(first <= last, || {
        format!("flatten: axis {end} comes before axis {start} in shape {shape:?}")
    })?;
    let merged = count("flatten", &shape[first..=last])?;
    let mut sizes: SmallVec<[usize; MAX_RANK]> = shape[..=first].into();
    sizes[first] = merged;
    sizes.extend_from_slice(&shape[last + 1..]);
    shape_of("flatten", &sizes)
}

/// Resolves an order of axes: entry `i` of the result is the old axis that becomes axis `i`.
pub fn permutation(shape: &[usize], named: &[isize]) -> ShapeResult<[usize; MAX_RANK]> {
    shape_of("permute", shape)?;
    ensure(named.len() == shape.len(), || {
        format!(
            "permute: got {} axes, but a tensor of shape {shape:?} has {}",
            named.len(),
            shape.len()
        )
    })?;
    let mut order = [0; MAX_RANK];
    let mut seen = [false; MAX_RANK];
    for (to, &from) in order.iter_mut().zip(named) {
        let resolved = axis("permute", from, shape)?;
        ensure(!seen[resolved], || {
            format!("permute: axis {from} is named twice in {named:?} (shape {shape:?})")
        })?;
        seen[resolved] = true;
        *to = resolved;
    }
    Ok(order)
}

/// Checks that the tensor has at least two axes, so that it can be transposed.
pub fn t(shape: &[usize]) -> ShapeResult<()> {
    ensure(shape.len() >= 2, || {
        format!(
            "t: expected two axes, shape {shape:?} has {}; a vector becomes a column with \
             unsqueeze(-1), a row with unsqueeze(0)",
            shape.len()
        )
    })
}

/// Returns the shape without an axis of size 1.
pub fn squeeze(shape: &[usize], named: isize) -> ShapeResult {
    let at = axis("squeeze", named, shape)?;
    ensure(shape[at] == 1, || {
        format!("squeeze: axis {named} of shape {shape:?} has size {}, not 1", shape[at])
    })?;
    Ok(shape_of("squeeze", shape)?.removed(at))
}

/// Returns the shape with a new axis of size 1.
pub fn unsqueeze(shape: &[usize], named: isize) -> ShapeResult {
    Ok(with_new_axis("unsqueeze", shape, named, 1)?.1)
}

/// Returns the axis from which `len` indices are taken, from `start` on, and the shape of the result.
pub fn narrow(
    shape: &[usize],
    named: isize,
    start: usize,
    len: usize,
) -> ShapeResult<(usize, Shape)> {
    let at = axis("narrow", named, shape)?;
    let size = shape[at];
    ensure(start.checked_add(len).is_some_and(|end| end <= size), || {
        format!(
            "narrow: {len} indices from {start} on do not lie within axis {named} of size {size} \
             (shape {shape:?})"
        )
    })?;
    Ok((at, resized("narrow", shape, at, len)?))
}

/// Resolves `[start:end:step]` on an axis of this size as Python does. Returns the first index, the step
/// and the number of indices.
///
/// A negative bound counts from the end. A bound outside the axis is moved to the nearest end. A bound that
/// is `None` is the end of the axis on its side. A negative step goes backwards, from `start` down to
/// `end`, which is excluded.
///
/// ```
/// use wengert::tensor::shapes::slice_range;
/// assert_eq!(slice_range(10, Some(2), Some(8), 3), Ok((2, 3, 2))); // 2 5
/// assert_eq!(slice_range(10, Some(-3), None, 1), Ok((7, 1, 3))); // 7 8 9
/// assert_eq!(slice_range(10, None, None, -4), Ok((9, -4, 3))); // 9 5 1
/// assert_eq!(slice_range(10, Some(4), Some(99), 1), Ok((4, 1, 6))); // 4 5 6 7 8 9
/// ```
pub fn slice_range(
    size: usize,
    start: Option<isize>,
    end: Option<isize>,
    step: isize,
) -> ShapeResult<(usize, isize, usize)> {
    ensure(step != 0, || "slice: the step must not be 0".into())?;
    let n = isize::try_from(size).map_err(|_| too_many("slice", &[size]))?;
    // The lowest and the highest bound: all indices, and one position beyond the end of the slice.
    let (lowest, highest) = if step > 0 { (0, n) } else { (-1, n - 1) };
    let (first, last) = if step > 0 { (lowest, highest) } else { (highest, lowest) };
    let position = |index: isize| if index < 0 { index + n } else { index }.clamp(lowest, highest);
    let start = start.map_or(first, position);
    let end = end.map_or(last, position);
    let distance = (end - start) * step.signum();
    if distance <= 0 {
        return Ok((0, step, 0));
    }
    let len = (distance as usize - 1) / step.unsigned_abs() + 1;
    Ok((start as usize, step, len))
}

/// Returns the axis from which the `len` indices `start, start + step, …` are taken, and the shape of the
/// result.
pub fn slice_steps(
    shape: &[usize],
    named: isize,
    start: usize,
    step: isize,
    len: usize,
) -> ShapeResult<(usize, Shape)> {
    let at = axis("slice_steps", named, shape)?;
    ensure(steps_fit(start, step, len, shape[at]), || {
        format!(
            "slice_steps: {len} indices from {start} in steps of {step} do not lie within axis \
             {named} of size {} (shape {shape:?})",
            shape[at]
        )
    })?;
    Ok((at, resized("slice_steps", shape, at, len)?))
}

/// Returns the axis whose indices are spread to `start, start + step, …` of an axis of this size, and the
/// shape of the result.
pub fn unslice(
    shape: &[usize],
    named: isize,
    start: usize,
    step: isize,
    size: usize,
) -> ShapeResult<(usize, Shape)> {
    steps_to("unslice", shape, named, start, step, size)
}

/// Does the same as [`unslice`] for the operation `op`.
pub(crate) fn steps_to(
    op: &str,
    shape: &[usize],
    named: isize,
    start: usize,
    step: isize,
    size: usize,
) -> ShapeResult<(usize, Shape)> {
    let at = axis(op, named, shape)?;
    let len = shape[at];
    // With step 0, several elements would have the same position.
    let apart = step != 0 || len <= 1;
    ensure(apart && steps_fit(start, step, len, size), || {
        format!(
            "{op}: {len} indices from {start} in steps of {step} must be distinct and lie within axis \
             {named} of size {size} (shape {shape:?})"
        )
    })?;
    Ok((at, resized(op, shape, at, size)?))
}

/// Returns whether the `len` numbers `start, start + step, …` are all indices of an axis of this size.
pub(super) fn steps_fit(start: usize, step: isize, len: usize, size: usize) -> bool {
    let Some(steps) = len.checked_sub(1) else {
        return true;
    };
    let last = steps as i128 * step as i128 + start as i128;
    start < size && (0..size as i128).contains(&last)
}
