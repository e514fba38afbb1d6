//! The gradients of a convolution of images with respect to its input and its weight.

use super::forward::conv2d;
use super::operands::{Space, batch, kernels};
use crate::geometry::Conv;
use crate::shapes::{ShapeResult, ensure, shape_of, too_many};

/// Returns the shape `[N, C, H, W]` of the gradient of a convolution with respect to its input, for a
/// gradient `[N, O, H', W']` of its result and a weight `[O, C/groups, kh, kw]`. `size` is H and W.
///
/// # Errors
/// As [`conv2d`], or if `gy` does not have the shape of the convolution of such images.
pub fn conv2d_input(gy: &[usize], weight: &[usize], size: [usize; 2], conv: &Conv) -> ShapeResult {
    let op = "conv2d_input";
    let [n, o] = batch(Space::images(op), "gradient", gy)?;
    let [_, per_group] = kernels(Space::images(op), "channels", weight, &(*conv).into())?;
    ensure(o == weight[0], || {
        format!("{op}: gradient {gy:?} has {o} channels, weight {weight:?} expects {}", weight[0])
    })?;
    let c = per_group.checked_mul(conv.groups).ok_or_else(|| too_many(op, weight))?;
    let x = shape_of(op, &[n, c, size[0], size[1]])?;
    check_result(op, gy, &x, weight, conv)?;
    Ok(x)
}

/// Returns the shape `[O, C/groups, kh, kw]` of the gradient of a convolution with respect to its weight,
/// for an input `[N, C, H, W]` and a gradient `[N, O, H', W']` of its result. `kernel` is kh and kw.
///
/// # Errors
/// As [`conv2d`], or if `gy` does not have the shape of the convolution with such a weight.
pub fn conv2d_weight(x: &[usize], gy: &[usize], kernel: [usize; 2], conv: &Conv) -> ShapeResult {
    let op = "conv2d_weight";
    let [_, c] = batch(Space::images(op), "input", x)?;
    let [_, o] = batch(Space::images(op), "gradient", gy)?;
    let groups = conv.groups;
    ensure(groups > 0, || format!("{op}: groups must be at least 1, got 0"))?;
    ensure(c.is_multiple_of(groups), || {
        format!("{op}: the {c} channels of input {x:?} do not divide into {groups} groups")
    })?;
    let weight = shape_of(op, &[o, c / groups, kernel[0], kernel[1]])?;
    kernels(Space::images(op), "channels", &weight, &(*conv).into())?;
    check_result(op, gy, x, &weight, conv)?;
    Ok(weight)
}

/// Checks that `gy` has the shape of the result.
fn check_result(
    op: &str,
    gy: &[usize],
    x: &[usize],
    weight: &[usize],
    conv: &Conv,
) -> ShapeResult<()> {
    let result = conv2d(x, weight, None, conv).map_err(|why| format!("{op}: {why}"))?;
    ensure(*result == *gy, || {
        format!(
            "{op}: gradient {gy:?} does not belong to input {x:?} and weight {weight:?}, whose \
             result has shape {result}"
        )
    })
}
