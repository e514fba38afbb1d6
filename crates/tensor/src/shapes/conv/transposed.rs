//! The transposed convolution of a batch with a weight.

use super::extent::spread;
use super::operands::{Space, batch, check_bias, kernels};
use crate::geometry::{Conv, VolumeConv};
use crate::shapes::{ShapeResult, ensure, shape_of, too_many};

/// Returns the shape `[N, O, H', W']` of the transposed convolution of `[N, I, H, W]` with a weight
/// `[I, O/groups, kh, kw]` and an optional bias `[O]`. Along each axis
/// `H' = (H - 1)·stride - before - after + dilation·(kh - 1) + output_padding + 1`.
///
/// ```
/// use wengert::tensor::{Conv, shapes::conv_transpose2d};
/// let conv = Conv { stride: [2, 2], padding: [(1, 1); 2], ..Conv::default() };
/// let shape = conv_transpose2d(&[8, 16, 7, 7], &[16, 4, 3, 3], None, &conv, [1, 1]);
/// assert_eq!(shape.unwrap(), [8, 4, 14, 14]);
/// ```
///
/// # Errors
/// If an operand has a wrong number of axes, the channels differ or are not divisible by the number of
/// groups, a stride, dilation, kernel size or the number of groups is zero, the output padding is neither
/// smaller than the stride nor smaller than the dilation, or the result would have no pixels.
pub fn conv_transpose2d(
    x: &[usize],
    weight: &[usize],
    bias: Option<&[usize]>,
    conv: &Conv,
    output_padding: [usize; 2],
) -> ShapeResult {
    let ([h, w], space) = (output_padding, Space::images("conv_transpose2d"));
    transposed(space, x, weight, bias, &(*conv).into(), [0, h, w])
}

pub fn transposed(
    space: Space,
    x: &[usize],
    weight: &[usize],
    bias: Option<&[usize]>,
    conv: &VolumeConv,
    output_padding: [usize; 3],
) -> ShapeResult {
    let op = space.op;
    let [_, c] = batch(space, "input", x)?;
    let [i, per_group] = kernels(space, "channels of the input", weight, conv)?;
    ensure(c == i, || {
        let mend = if per_group.checked_mul(conv.groups) == Some(c) {
            "; did you mean the weight with its first two axes exchanged?"
        } else {
            ""
        };
        format!("{op}: input {x:?} has {c} channels, weight {weight:?} expects {i}{mend}")
    })?;
    let o = per_group.checked_mul(conv.groups).ok_or_else(|| too_many(op, weight))?;
    check_bias(op, weight, bias, o)?;
    let mut out = shape_of(op, x)?;
    out[1] = o;
    for side in space.sides() {
        let (stride, dilation) = (conv.stride[side], conv.dilation[side]);
        let more = output_padding[side];
        ensure(more < stride.max(dilation), || {
            format!(
                "{op}: output padding {more} of the {} must be smaller than the stride {stride} or the \
                 dilation {dilation}",
                space.axis(side)
            )
        })?;
        let at = space.at(side);
        out[at] = spread(space, x, x[at], weight[at], side, conv, more)?;
    }
    shape_of(op, &out)
}
