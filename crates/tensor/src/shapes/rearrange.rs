//! Repeating, rolling, diagonals and triangles.

use super::{ShapeResult, axis, count, ensure, resized, shape_of, too_many};
use crate::layout::{MAX_RANK, Shape};
use smallvec::SmallVec;

/// Resolves one index of an axis; a negative index counts from the end. Returns the axis, the index and the
/// shape without the axis.
pub fn select_index(shape: &[usize], named: isize, i: isize) -> ShapeResult<(usize, usize, Shape)> {
    let at = axis("select", named, shape)?;
    let size = shape[at] as i128;
    let index = if i < 0 { i as i128 + size } else { i as i128 };
    ensure((0..size).contains(&index), || {
        format!(
            "select: index {i} is out of range for axis {named} of shape {shape:?}: allowed are -{size}..{size}"
        )
    })?;
    Ok((at, index as usize, shape_of("select", shape)?.removed(at)))
}

/// Returns the axes of a reversal, each of which may be named once.
pub fn flip(shape: &[usize], named: &[isize]) -> ShapeResult<SmallVec<[usize; MAX_RANK]>> {
    let axes: SmallVec<[usize; MAX_RANK]> =
        named.iter().map(|&name| axis("flip", name, shape)).collect::<ShapeResult<_>>()?;
    let twice = (1..axes.len()).find(|&i| axes[..i].contains(&axes[i]));
    ensure(twice.is_none(), || {
        let name = twice.map_or(0, |i| named[i]);
        format!("flip: axis {name} is named twice in {named:?} (shape {shape:?})")
    })?;
    Ok(axes)
}

/// Returns the axes of a roll, each with how many of its last indices come first. An axis may be named
/// several times.
pub fn roll(
    shape: &[usize],
    named: &[isize],
    shifts: &[isize],
) -> ShapeResult<SmallVec<[(usize, usize); MAX_RANK]>> {
    ensure(named.len() == shifts.len(), || {
        format!("roll: axes {named:?} and shifts {shifts:?} must be pairs (shape {shape:?})")
    })?;
    let pairs = named.iter().zip(shifts);
    let resolved = pairs.map(|(&name, &shift)| {
        let at = axis("roll", name, shape)?;
        Ok((at, (shift as i128).rem_euclid(shape[at].max(1) as i128) as usize))
    });
    resolved.collect()
}

/// Resolves how often each axis of the result is repeated. Returns the shape of the operand with new axes of
/// size 1 in front, and the number of repetitions of each axis. `tile` adds missing numbers in front.
pub fn repeat(
    op: &str,
    shape: &[usize],
    counts: &[isize],
) -> ShapeResult<(Shape, SmallVec<[usize; MAX_RANK]>)> {
    let rank = if op == "tile" { counts.len().max(shape.len()) } else { counts.len() };
    ensure(rank >= shape.len() && counts.iter().all(|&n| n >= 0), || {
        format!(
            "{op}: expected at least {} numbers of repetitions, none of them negative, for shape {shape:?}, got {counts:?}",
            shape.len()
        )
    })?;
    ensure(rank <= MAX_RANK, || {
        format!("{op}: {counts:?} has {rank} numbers, a tensor has at most {MAX_RANK} axes")
    })?;
    let mut sizes: SmallVec<[usize; MAX_RANK]> = smallvec::smallvec![1; rank - shape.len()];
    sizes.extend_from_slice(shape);
    let mut times: SmallVec<[usize; MAX_RANK]> = smallvec::smallvec![1; rank - counts.len()];
    times.extend(counts.iter().map(|&n| n as usize));
    let product = sizes.iter().zip(&times).map(|(&n, &by)| n.checked_mul(by));
    let out: Option<SmallVec<[usize; MAX_RANK]>> = product.collect();
    shape_of(op, &out.ok_or_else(|| too_many(op, &(shape, counts)))?)?;
    Ok((shape_of(op, &sizes)?, times))
}

/// Returns the shape to which an operand is expanded: -1 keeps the size of an axis.
pub fn expand(shape: &[usize], sizes: &[isize]) -> ShapeResult {
    let misfit = || {
        format!(
            "expand: shape {shape:?} cannot be expanded to {sizes:?}: axes are matched from the last, only size 1 repeats, and -1 keeps the size of an axis of the operand"
        )
    };
    let lead = sizes.len().checked_sub(shape.len()).ok_or_else(misfit)?;
    ensure(sizes.len() <= MAX_RANK, misfit)?;
    let of = |(i, &size): (usize, &isize)| match (size, i.checked_sub(lead)) {
        (-1, Some(own)) => Some(shape[own]),
        (size, None) if size >= 0 => Some(size as usize),
        (size, Some(own)) if size >= 0 && (shape[own] == 1 || shape[own] == size as usize) => {
            Some(size as usize)
        }
        _ => None,
    };
    let to: Option<SmallVec<[usize; MAX_RANK]>> = sizes.iter().enumerate().map(of).collect();
    shape_of("expand", &to.ok_or_else(misfit)?)
}

/// Returns the shapes in which two operands are multiplied for their Kronecker product, and the shape of the
/// product.
pub fn kron(a: &[usize], b: &[usize]) -> ShapeResult<[Shape; 3]> {
    let rank = a.len().max(b.len());
    ensure(2 * rank <= MAX_RANK, || {
        format!("kron: operands have at most {} axes, got shapes {a:?} and {b:?}", MAX_RANK / 2)
    })?;
    let of = |x: &[usize], i: usize| (i + x.len()).checked_sub(rank).map_or(1, |at| x[at]);
    let wide = |x: &[usize], side: usize| -> SmallVec<[usize; MAX_RANK]> {
        (0..2 * rank).map(|i| if i % 2 == side { of(x, i / 2) } else { 1 }).collect()
    };
    let product = |i| of(a, i).checked_mul(of(b, i)).ok_or_else(|| too_many("kron", &(a, b)));
    let out: SmallVec<[usize; MAX_RANK]> = (0..rank).map(product).collect::<ShapeResult<_>>()?;
    Ok([shape_of("kron", &wide(a, 0))?, shape_of("kron", &wide(b, 1))?, shape_of("kron", &out)?])
}

/// Returns the shape of a grid with one axis for each vector. Scalars count as vectors of one element.
pub fn meshgrid(shapes: &[Shape]) -> ShapeResult {
    let mut sizes = SmallVec::<[usize; MAX_RANK]>::new();
    for (i, shape) in shapes.iter().enumerate() {
        ensure(shape.rank() <= 1, || {
            format!("meshgrid: expected vectors, operand {i} has shape {shape}")
        })?;
        sizes.push(shape.numel());
    }
    shape_of("meshgrid", &sizes)
}

/// Returns the numbers of rows and columns of the matrices in the last two axes.
pub fn matrices(op: &str, shape: &[usize]) -> ShapeResult<[usize; 2]> {
    match *shape {
        [.., rows, columns] => Ok([rows, columns]),
        _ => Err(format!("{op}: expected a matrix or a batch of matrices, got shape {shape:?}")),
    }
}

/// A diagonal of the matrices that two axes form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Diagonal {
    /// The axis of the rows and the axis of the columns.
    pub axes: [usize; 2],
    /// The row and the column of the first element.
    pub first: [usize; 2],
    /// The shape without the two axes, followed by the number of elements.
    pub out: Shape,
}

/// Resolves the diagonal with this offset: 0 is the main diagonal, and positive offsets lie above it.
pub fn diagonal(
    op: &str,
    shape: &[usize],
    offset: isize,
    named: [isize; 2],
) -> ShapeResult<Diagonal> {
    let axes = [axis(op, named[0], shape)?, axis(op, named[1], shape)?];
    ensure(axes[0] != axes[1], || {
        format!("{op}: the axes {} and {} of shape {shape:?} are the same", named[0], named[1])
    })?;
    let first = [offset.min(0).unsigned_abs(), offset.max(0).unsigned_abs()];
    let len = (0..2).map(|side| shape[axes[side]].saturating_sub(first[side])).min().unwrap_or(0);
    let (high, low) = (axes[0].max(axes[1]), axes[0].min(axes[1]));
    let rest = shape_of(op, shape)?.removed(high).removed(low);
    let out = shape_of(op, &rest.inserted(rest.rank(), len))?;
    Ok(Diagonal { axes, first: if len == 0 { [0, 0] } else { first }, out })
}

/// Returns the size of the square matrix with a vector on this diagonal.
pub fn diagonal_matrix(shape: &[usize], offset: isize) -> ShapeResult<usize> {
    let [n] = *shape else {
        return Err(format!("diag: expected a vector or a matrix, got shape {shape:?}"));
    };
    let side = n.checked_add(offset.unsigned_abs()).ok_or_else(|| too_many("diag", shape))?;
    count("diag", &[side, side])?;
    resized("diag", shape, 0, side)?;
    Ok(side)
}
