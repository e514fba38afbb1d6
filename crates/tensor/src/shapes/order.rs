//! Positions by the order of elements: the shapes of sorting, of the k-th smallest element and of quantiles.

use super::{Reduced, ShapeResult, axis, ensure, extreme, resized, with_new_axis};
use crate::layout::Shape;

/// Returns the axis along which the first `k` elements in an order are taken, and the shape of the result.
pub fn topk(shape: &[usize], named: isize, k: usize) -> ShapeResult<(usize, Shape)> {
    let at = axis("topk", named, shape)?;
    ensure(k <= shape[at], || {
        format!("topk: axis {named} of shape {shape:?} has {} elements, {k} are wanted", shape[at])
    })?;
    Ok((at, resized("topk", shape, at, k)?))
}

/// Resolves the axis along which one element per line is taken by its order: its place, and the shapes of
/// the result.
pub fn one_along(op: &str, shape: &[usize], named: isize) -> ShapeResult<(usize, Reduced)> {
    let at = axis(op, named, shape)?;
    Ok((at, extreme(op, shape, &[named])?))
}

/// [`one_along`] for the k-th smallest element, counted from 1.
pub fn kthvalue(shape: &[usize], named: isize, k: usize) -> ShapeResult<(usize, Reduced)> {
    let found = one_along("kthvalue", shape, named)?;
    let size = shape[found.0];
    ensure((1..=size).contains(&k), || {
        format!(
            "kthvalue: k is {k}, but axis {named} of shape {shape:?} has the elements 1 to {size}, counted from 1"
        )
    })?;
    Ok(found)
}

/// [`one_along`] for a quantile, with the place of the quantile among the sorted elements.
pub fn quantile(shape: &[usize], named: isize, q: f64) -> ShapeResult<(usize, Reduced, f64)> {
    let (at, reduced) = one_along("quantile", shape, named)?;
    ensure((0.0..=1.0).contains(&q), || format!("quantile: q must be from 0 to 1, got {q}"))?;
    Ok((at, reduced, q * shape[at].saturating_sub(1) as f64))
}

/// [`quantile`] for several quantiles, whose results lie along a new first axis: the axis, the shapes of one
/// result, and the places.
pub fn quantiles(
    shape: &[usize],
    named: isize,
    qs: &[f64],
    keepdim: bool,
) -> ShapeResult<(usize, Reduced, Vec<f64>)> {
    let (at, reduced) = one_along("quantiles", shape, named)?;
    ensure(!qs.is_empty(), || "quantiles: expected at least one q, got none".into())?;
    let outside = qs.iter().find(|q| !(0.0..=1.0).contains(*q));
    ensure(outside.is_none(), || format!("quantiles: each q must be from 0 to 1, got {qs:?}"))?;
    let one = if keepdim { &reduced.kept } else { &reduced.dropped };
    with_new_axis("quantiles", one, 0, qs.len())?;
    let last = shape[at].saturating_sub(1) as f64;
    Ok((at, reduced, qs.iter().map(|q| q * last).collect()))
}

/// Checks sorted numbers along the last axis and values to be inserted. The result has the shape of the
/// values.
pub fn searchsorted(sorted: &[usize], values: &[usize]) -> ShapeResult {
    let fits = match (sorted, values) {
        ([_], _) => true,
        ([outer @ .., _], [outer_of_values @ .., _]) => outer == outer_of_values,
        _ => false,
    };
    ensure(fits, || {
        format!(
            "searchsorted: values of shape {values:?} do not fit sorted numbers of shape {sorted:?}: the sorted \
             numbers must be a vector, or all axes but the last must be equal"
        )
    })?;
    super::shape_of("searchsorted", values)
}
