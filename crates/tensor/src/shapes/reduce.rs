//! Reductions: the reduced axes, and the shape of the result.

use super::{ShapeResult, axis, ensure, shape_of};
use crate::layout::{MAX_RANK, Shape, broadcasts_to};
use smallvec::SmallVec;

/// The reduced axes of a reduction, and the shape of its result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reduced {
    /// Whether each axis is reduced.
    pub chosen: [bool; MAX_RANK],
    /// The shape with the reduced axes at size 1.
    pub kept: Shape,
    /// The shape without the reduced axes.
    pub dropped: Shape,
}

/// Resolves a reduction over the named axes, or over all axes if `named` is empty.
///
/// ```
/// use wengert::tensor::shapes::reduce;
/// let reduced = reduce("sum", &[2, 3, 4], &[-1, 0]).unwrap();
/// assert_eq!(reduced.kept, [1, 3, 1]);
/// assert_eq!(reduced.dropped, [3]);
/// ```
pub fn reduce(op: &str, shape: &[usize], named: &[isize]) -> ShapeResult<Reduced> {
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
    // Axes are removed from the last on, so that the positions of earlier axes stay valid.
    for at in (0..shape.len()).rev().filter(|&at| chosen[at]) {
        kept[at] = 1;
        dropped = dropped.removed(at);
    }
    Ok(Reduced { chosen, kept, dropped })
}

/// Does the same as [`reduce`] for an operation whose result is one of the elements, such as the maximum. A result over
/// no elements is an error. If the result has no elements either, nothing is missing.
pub fn extreme(op: &str, shape: &[usize], named: &[isize]) -> ShapeResult<Reduced> {
    let reduced = reduce(op, shape, named)?;
    some(op, shape, &reduced.kept)?;
    Ok(reduced)
}

/// Returns `to`, if it broadcasts to `from`, so that `from` can be reduced to it.
pub fn reduce_to(op: &str, from: &[usize], to: &[usize]) -> ShapeResult {
    ensure(broadcasts_to(to, from), || {
        format!(
            "{op}: shape {from:?} does not reduce to {to:?}: matched from the last axis, sizes must \
             be equal or 1"
        )
    })?;
    shape_of(op, to)
}

/// Does the same as [`reduce_to`] for an operation whose result is one of the elements.
pub fn extreme_to(op: &str, from: &[usize], to: &[usize]) -> ShapeResult {
    let to = reduce_to(op, from, to)?;
    some(op, from, &to)?;
    Ok(to)
}

/// Checks the shapes of a layer normalisation over the last axes, `axes` in number, and of its weight and bias. Returns
/// the shape of the means: the normalised axes have size 1.
pub fn layer_norm(shape: &[usize], axes: usize, given: [Option<&Shape>; 2]) -> ShapeResult {
    let op = "layer_norm";
    let mut kept = shape_of(op, shape)?;
    ensure((1..=shape.len()).contains(&axes), || {
        format!("{op}: expected 1 to {} axes for shape {shape:?}, got {axes}", shape.len())
    })?;
    let sizes = &shape[shape.len() - axes..];
    affine(op, || format!("{axes} normalised axes of {shape:?} require"), sizes, given)?;
    kept[shape.len() - axes..].fill(1);
    Ok(kept)
}

/// Checks the shapes of a batch normalisation of [N, C, …], and of its weight and bias \[C\]. Returns the shape of the
/// means: [1, C, 1, …].
pub fn batch_norm(shape: &[usize], given: [Option<&Shape>; 2]) -> ShapeResult {
    let op = "batch_norm";
    let mut kept = shape_of(op, shape)?;
    ensure(shape.len() >= 2, || format!("{op}: expected [N, C, …], got {shape:?}"))?;
    affine(op, || format!("{shape:?} requires"), &shape[1..2], given)?;
    kept.fill(1);
    kept[1] = shape[1];
    Ok(kept)
}

/// Checks that a weight and a bias have these sizes, and that there is no bias without a weight. `who` begins the
/// sentence "… require a weight".
fn affine(
    op: &str,
    who: impl Fn() -> String,
    sizes: &[usize],
    [weight, bias]: [Option<&Shape>; 2],
) -> ShapeResult<()> {
    for (name, got) in [("weight", weight), ("bias", bias)] {
        let Some(got) = got else { continue };
        ensure(**got == *sizes, || format!("{op}: {} a {name} {sizes:?}, got {got}", who()))?;
    }
    ensure(weight.is_some() || bias.is_none(), || {
        format!("{op}: a bias requires a weight: add the bias to the result")
    })
}

/// Checks that each result has at least one element to choose from.
fn some(op: &str, from: &[usize], to: &[usize]) -> ShapeResult<()> {
    if to.contains(&0) {
        return Ok(());
    }
    match from.iter().position(|&size| size == 0) {
        None => Ok(()),
        Some(empty) => Err(format!(
            "{op}: axis {empty} of shape {from:?} has size 0: {op} of no elements is not defined"
        )),
    }
}

/// Returns the order of the axes in which the reduced ones come last, and the shape of the kept axes,
/// followed by one axis for all reduced elements.
pub fn lines(shape: &[usize], reduced: &Reduced) -> (SmallVec<[isize; MAX_RANK]>, Shape) {
    let mut order: SmallVec<[isize; MAX_RANK]> = (0..shape.len() as isize).collect();
    order.sort_by_key(|&axis| reduced.chosen[axis as usize]);
    let chosen = shape.iter().zip(reduced.chosen).filter(|(_, chosen)| *chosen);
    let n = chosen.map(|(size, _)| size).product();
    (order, reduced.dropped.inserted(reduced.dropped.rank(), n))
}

/// Checks the axes of a p-norm.
pub fn norm(shape: &[usize], named: &[isize], p: f64) -> ShapeResult<Reduced> {
    ensure(!p.is_nan(), || format!("norm: p must be a number, got NaN (shape {shape:?})"))?;
    if p.is_infinite() { extreme("norm", shape, named) } else { reduce("norm", shape, named) }
}
