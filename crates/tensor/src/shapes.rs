//! Shape rules: what comes out of an operation on operands of these shapes, or why they do not
//! fit. Tensors panic with the text, variables of a tape add where in a model it happened, and a
//! run on shapes alone returns it.

use crate::shape::{MAX_RANK, Shape, broadcasts_to};
use std::ops::{Bound, RangeBounds};

/// A shape rule's answer, or what does not fit and how to mend it.
pub type Rule<R = Shape> = Result<R, String>;

/// Panics at the caller's line with the text of a rule.
pub(crate) trait OrPanic<R> {
    fn or_panic(self) -> R;
}
impl<R> OrPanic<R> for Rule<R> {
    #[inline]
    #[track_caller]
    fn or_panic(self) -> R {
        match self {
            Ok(answer) => answer,
            Err(why) => fail(&why),
        }
    }
}
#[cold]
#[track_caller]
fn fail(why: &str) -> ! {
    panic!("{why}")
}

fn ensure(fits: bool, why: impl FnOnce() -> String) -> Rule<()> {
    if fits { Ok(()) } else { Err(why()) }
}

fn numel(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// Resolves an axis that may count from the end.
pub fn axis(op: &str, axis: isize, shape: &[usize]) -> Rule<usize> {
    let rank = shape.len() as isize;
    let resolved = if axis < 0 { axis + rank } else { axis };
    ensure((0..rank).contains(&resolved), || match rank {
        0 => format!("{op}: axis {axis} of a scalar: it has no axes"),
        _ => format!("{op}: axis {axis} of a tensor of shape {shape:?}: it has axes {}..{rank}", -rank),
    })?;
    Ok(resolved as usize)
}

/// Resolves the place of a new axis: there is one more than there are axes, and -1 is the last.
pub fn new_axis(op: &str, axis: isize, shape: &[usize]) -> Rule<usize> {
    let places = shape.len() as isize + 1;
    let resolved = if axis < 0 { axis + places } else { axis };
    ensure((0..places).contains(&resolved), || {
        format!(
            "{op}: no place {axis} for a new axis in shape {shape:?}: it has places {}..{places}",
            -places
        )
    })?;
    Ok(resolved as usize)
}

/// Which axes to reduce: those named, or all if none is.
pub fn axes(op: &str, axes: &[isize], shape: &[usize]) -> Rule<[bool; MAX_RANK]> {
    let mut chosen = [false; MAX_RANK];
    for &named in axes {
        let resolved = axis(op, named, shape)?;
        ensure(!chosen[resolved], || {
            format!("{op}: axis {named} is named twice in {axes:?} (shape {shape:?})")
        })?;
        chosen[resolved] = true;
    }
    if axes.is_empty() {
        chosen[..shape.len()].fill(true);
    }
    Ok(chosen)
}

/// The shapes after a reduction: with the reduced axes at size 1, and without them.
pub fn reduce(op: &str, shape: &[usize], named: &[isize]) -> Rule<(Shape, Shape)> {
    let chosen = axes(op, named, shape)?;
    let extreme = matches!(op, "max" | "min" | "argmax" | "argmin");
    if let Some(empty) = (0..shape.len()).find(|&i| extreme && chosen[i] && shape[i] == 0) {
        return Err(format!("{op}: axis {empty} of shape {shape:?} is empty, nothing has an extreme"));
    }
    let sizes = || shape.iter().zip(&chosen);
    let kept = sizes().map(|(&size, &gone)| if gone { 1 } else { size }).collect();
    let dropped = sizes().filter(|(_, gone)| !**gone).map(|(&size, _)| size).collect();
    Ok((kept, dropped))
}

/// A smaller shape to sum to.
pub fn sum_to(from: &[usize], to: &[usize]) -> Rule {
    ensure(broadcasts_to(to, from), || {
        format!("sum_to: {to:?} does not broadcast to {from:?}, so nothing sums to it")
    })?;
    Ok(Shape::new(to))
}

/// A larger shape to repeat to.
pub fn broadcast_to(from: &[usize], to: &[usize]) -> Rule {
    ensure(broadcasts_to(from, to), || {
        format!(
            "broadcast_to: shape {from:?} does not broadcast to {to:?}: sizes, from the last axis, \
             must be equal or 1"
        )
    })?;
    Ok(Shape::new(to))
}

/// A target shape in which one size may be -1: what the others leave.
pub fn reshape(from: &[usize], to: &[isize]) -> Rule {
    let total = numel(from);
    let known: usize = to.iter().filter(|&&size| size >= 0).map(|&size| size as usize).product();
    let inferred = to.iter().filter(|&&size| size < 0).count();
    ensure(inferred <= 1, || format!("reshape: only one size may be -1, {to:?} has {inferred}"))?;
    let fits = match inferred {
        0 => known == total,
        _ => known != 0 && total % known == 0 && to.iter().all(|&size| size >= -1),
    };
    ensure(fits, || format!("reshape: {total} elements of shape {from:?} do not fit {to:?}"))?;
    Ok(to.iter().map(|&size| if size < 0 { total / known } else { size as usize }).collect())
}

/// The axes from `start` to `end`, both included, merged. A scalar becomes a vector of one.
pub fn flatten(shape: &[usize], start: isize, end: isize) -> Rule {
    if shape.is_empty() && [0, -1].contains(&start) && [0, -1].contains(&end) {
        return Ok(Shape::from([1]));
    }
    let first = axis("flatten", start, shape)?;
    let last = axis("flatten", end, shape)?;
    ensure(first <= last, || {
        format!("flatten: axis {end} comes before axis {start} in shape {shape:?}")
    })?;
    let merged = numel(&shape[first..=last]);
    Ok(shape[..first].iter().copied().chain([merged]).chain(shape[last + 1..].iter().copied()).collect())
}

/// An order of axes: position `i` of the result names the axis that comes to stand there.
pub fn permutation(shape: &[usize], named: &[isize]) -> Rule<[usize; MAX_RANK]> {
    ensure(named.len() == shape.len(), || {
        format!(
            "permute: {} axes given, a tensor of shape {shape:?} has {}",
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

/// Without an axis of size 1.
pub fn squeeze(shape: &[usize], named: isize) -> Rule {
    let at = axis("squeeze", named, shape)?;
    ensure(shape[at] == 1, || {
        format!("squeeze: axis {named} of shape {shape:?} has size {}, not 1", shape[at])
    })?;
    Ok(Shape::new(shape).removed(at))
}

/// With a new axis of size 1.
pub fn unsqueeze(shape: &[usize], named: isize) -> Rule {
    let at = new_axis("unsqueeze", named, shape)?;
    ensure(shape.len() < MAX_RANK, || {
        format!("unsqueeze: shape {shape:?} has {MAX_RANK} axes already, the most there can be")
    })?;
    Ok(Shape::new(shape).inserted(at, 1))
}

/// `len` elements from `start` on.
pub fn narrow(shape: &[usize], axis: usize, start: usize, len: usize) -> Rule {
    let size = shape[axis];
    ensure(start.checked_add(len).is_some_and(|end| end <= size), || {
        format!("narrow: {len} elements from {start} on exceed axis {axis} of shape {shape:?}, which has {size}")
    })?;
    Ok(Shape::new(shape).with(axis, len))
}

/// Resolves a range with a step as Python resolves `[start:end:step]` on an axis of this size:
/// negative bounds count from the end, bounds outside are moved to the nearest end, and a negative
/// step walks backwards, from `start` down to what comes before `end` is reached. A missing bound
/// is the end of the axis on its side. Returns first index, step and how many there are.
///
/// ```
/// use wengert_tensor::shapes::slice_range;
/// assert_eq!(slice_range(10, 2..8, 3), Ok((2, 3, 2))); // 2 5
/// assert_eq!(slice_range(10, -3.., 1), Ok((7, 1, 3))); // 7 8 9
/// assert_eq!(slice_range(10, .., -4), Ok((9, -4, 3))); // 9 5 1
/// assert_eq!(slice_range(10, 4..99, 1), Ok((4, 1, 6))); // 4 5 6 7 8 9
/// ```
pub fn slice_range(
    size: usize,
    range: impl RangeBounds<isize>,
    step: isize,
) -> Rule<(usize, isize, usize)> {
    ensure(step != 0, || "slice: the step must not be 0".into())?;
    let n = size as isize;
    // Where a walk in this direction may begin, and the first place behind its last.
    let (lowest, highest) = if step > 0 { (0, n) } else { (-1, n - 1) };
    let (first, last) = if step > 0 { (lowest, highest) } else { (highest, lowest) };
    let position = |index: isize, beyond: isize| {
        let from_start = if index < 0 { index + n } else { index };
        from_start.saturating_add(beyond).clamp(lowest, highest)
    };
    let start = match range.start_bound() {
        Bound::Included(&index) => position(index, 0),
        Bound::Excluded(&index) => position(index, step.signum()),
        Bound::Unbounded => first,
    };
    let end = match range.end_bound() {
        Bound::Included(&index) => position(index, step.signum()),
        Bound::Excluded(&index) => position(index, 0),
        Bound::Unbounded => last,
    };
    let distance = (end - start) * step.signum();
    if distance <= 0 {
        return Ok((0, step, 0));
    }
    Ok((start as usize, step, (distance as usize - 1) / step.unsigned_abs() + 1))
}

/// Tensors joined along an axis.
pub fn concat(shapes: &[Shape], named: isize) -> Rule {
    ensure(!shapes.is_empty(), || "concat: no tensors given".into())?;
    let mut out = shapes[0];
    let at = axis("concat", named, &out)?;
    for (i, shape) in shapes.iter().enumerate().skip(1) {
        let fits = shape.rank() == out.rank() && shape.with(at, 0) == out.with(at, 0);
        ensure(fits, || {
            format!(
                "concat: tensor {i} has shape {shape}, tensor 0 has {}: only axis {named} may differ",
                shapes[0]
            )
        })?;
        out[at] += shape[at];
    }
    Ok(out)
}

/// Tensors of equal shape along a new axis.
pub fn stack(shapes: &[Shape], named: isize) -> Rule {
    ensure(!shapes.is_empty(), || "stack: no tensors given".into())?;
    let at = new_axis("stack", named, &shapes[0])?;
    for (i, shape) in shapes.iter().enumerate().skip(1) {
        ensure(*shape == shapes[0], || {
            format!("stack: tensor {i} has shape {shape}, tensor 0 has {}: all must be equal", shapes[0])
        })?;
    }
    ensure(shapes[0].rank() < MAX_RANK, || {
        format!("stack: shape {} has {MAX_RANK} axes already, the most there can be", shapes[0])
    })?;
    Ok(shapes[0].inserted(at, shapes.len()))
}

/// Consecutive parts of these sizes.
pub fn split(shape: &[usize], axis: usize, sizes: &[usize]) -> Rule<()> {
    let sum: usize = sizes.iter().sum();
    ensure(sum == shape[axis], || {
        format!("split: parts of {sizes:?} make {sum}, axis {axis} of shape {shape:?} has {}", shape[axis])
    })
}

/// Each axis extended by (before, after).
pub fn pad(shape: &[usize], padding: &[(usize, usize)]) -> Rule {
    ensure(padding.len() == shape.len(), || {
        format!(
            "pad: {} pairs given, a tensor of shape {shape:?} needs {}, one (before, after) per axis",
            padding.len(),
            shape.len()
        )
    })?;
    Ok(shape.iter().zip(padding).map(|(size, (before, after))| before + size + after).collect())
}

/// Slices of an axis by a vector of indices.
pub fn index_select(shape: &[usize], axis: usize, index: &[usize]) -> Rule {
    ensure(index.len() == 1, || {
        format!(
            "index_select: the index must have one axis, its shape is {index:?}: flatten it, and \
             reshape the result"
        )
    })?;
    Ok(Shape::new(shape).with(axis, index[0]))
}

/// One element per index.
pub fn gather(shape: &[usize], axis: usize, index: &[usize]) -> Rule {
    let fits = index.len() == shape.len()
        && (0..shape.len()).all(|i| i == axis || index[i] <= shape[i]);
    ensure(fits, || {
        format!(
            "gather: an index of shape {index:?} does not fit shape {shape:?}: it needs as many axes, \
             none but axis {axis} longer"
        )
    })?;
    Ok(Shape::new(index))
}

/// Elements of `source` added at indices.
pub fn scatter_add(shape: &[usize], axis: usize, index: &[usize], source: &[usize]) -> Rule<()> {
    let within = |outer: &[usize], skip: usize| {
        index.len() == outer.len() && (0..outer.len()).all(|i| i == skip || index[i] <= outer[i])
    };
    ensure(within(shape, axis), || {
        format!(
            "scatter_add: an index of shape {index:?} does not fit shape {shape:?}: it needs as many \
             axes, none but axis {axis} longer"
        )
    })?;
    ensure(within(source, usize::MAX), || {
        format!("scatter_add: an index of shape {index:?} is larger than the source, of shape {source:?}")
    })
}
