//! The convolution of a batch with a weight.

use super::extent::{padded, plane, windows};
use super::operands::{Space, batch, check_bias, kernels};
use crate::geometry::{Conv, VolumeConv};
use crate::shapes::{ShapeResult, ensure, product, shape_of};

/// Returns the shape `[N, O, H', W']` of the convolution of a batch of images `[N, C, H, W]` with a weight
/// `[O, C/groups, kh, kw]` and an optional bias `[O]`. Along each axis
/// `H' = ⌊(H + before + after - dilation·(kh - 1) - 1) / stride⌋ + 1`.
///
/// ```
/// use wengert::tensor::{Conv, shapes::conv2d};
/// let same = Conv { padding: [(2, 2); 2], ..Conv::default() };
/// assert_eq!(conv2d(&[64, 1, 28, 28], &[6, 1, 5, 5], Some(&[6]), &same).unwrap(), [64, 6, 28, 28]);
/// let why = conv2d(&[64, 3, 28, 28], &[6, 1, 5, 5], None, &same).unwrap_err();
/// assert!(why.contains("input [64, 3, 28, 28] has 3 channels"));
/// ```
///
/// # Errors
/// If an operand has a wrong number of axes, the channels differ or are not divisible by the number of
/// groups, a stride, dilation, kernel size or the number of groups is zero, or the padded image is smaller
/// than the kernel.
pub fn conv2d(x: &[usize], weight: &[usize], bias: Option<&[usize]>, conv: &Conv) -> ShapeResult {
    convolution(Space::images("conv2d"), x, weight, bias, &(*conv).into())
}

pub fn convolution(
    space: Space,
    x: &[usize],
    weight: &[usize],
    bias: Option<&[usize]>,
    conv: &VolumeConv,
) -> ShapeResult {
    let op = space.op;
    let [_, c] = batch(space, "input", x)?;
    let [o, per_group] = kernels(space, "channels", weight, conv)?;
    let groups = conv.groups;
    ensure(per_group.checked_mul(groups) == Some(c), || {
        let wanted = per_group.saturating_mul(groups);
        let mend = if per_group > 0
            && c.is_multiple_of(per_group)
            && o.is_multiple_of(c / per_group)
            && c > 0
        {
            format!("; did you mean groups {}?", c / per_group)
        } else if c.is_multiple_of(groups) {
            let mut fitting = weight.to_vec();
            fitting[1] = c / groups;
            format!("; a weight {fitting:?} would fit")
        } else {
            String::new()
        };
        format!(
            "{op}: input {x:?} has {c} channels, weight {weight:?} with groups {groups} expects {wanted}{mend}"
        )
    })?;
    check_bias(op, weight, bias, o)?;
    let mut out = shape_of(op, x)?;
    out[1] = o;
    // The kernels store padded images in buffers: some images as they are, or one image by the phases of the
    // stride (`kernels/conv/planes.rs`).
    let mut images = out;
    images[1] = o.max(c);
    let mut planes = images;
    planes[0] = 1;
    for side in space.sides() {
        let at = space.at(side);
        out[at] = windows(space, x, x[at], weight[at], side, conv)?;
        images[at] = padded(op, x[at], side, conv)?;
        let (stride, dilation) = (conv.stride[side], conv.dilation[side]);
        planes[at] = plane(x[at], images[at], weight[at], stride, dilation);
    }
    ensure(product(&images).is_some() && product(&planes).is_some(), || {
        format!(
            "{op}: input {x:?} with padding {:?} is too large: as {:?} it has more elements than a tensor can have",
            &conv.padding[space.sides()],
            &images[2..],
        )
    })?;
    shape_of(op, &out)
}
