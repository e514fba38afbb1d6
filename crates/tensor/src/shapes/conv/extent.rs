//! Sizes along one axis: of a kernel with dilation, of an image with padding, and of the result of a convolution.

use super::operands::Space;
use crate::geometry::VolumeConv;
use crate::shapes::{ShapeResult, ensure, too_many};

/// Returns the number of positions of a window along an axis.
pub fn windows(
    space: Space,
    x: &[usize],
    size: usize,
    kernel: usize,
    side: usize,
    conv: &VolumeConv,
) -> ShapeResult<usize> {
    let op = space.op;
    let ((before, after), dilation) = (conv.padding[side], conv.dilation[side]);
    let span = span(op, kernel, dilation)?;
    let padded = padded(op, size, side, conv)?;
    ensure(padded >= span, || {
        let border = if before + after > 0 { format!(", padded {padded}") } else { String::new() };
        let dilated = if dilation > 1 {
            format!(" with dilation {dilation} spans {span}")
        } else {
            String::new()
        };
        format!(
            "{op}: input {x:?} has {} {size}{border}, a kernel of {kernel}{dilated} does not fit; \
             pad the {} by {} more in all, or take a smaller kernel",
            space.axis(side),
            space.thing,
            span - padded
        )
    })?;
    Ok((padded - span) / conv.stride[side] + 1)
}

/// Returns the size of an axis with its padding.
pub fn padded(op: &str, size: usize, side: usize, conv: &VolumeConv) -> ShapeResult<usize> {
    let (before, after) = conv.padding[side];
    before
        .checked_add(after)
        .and_then(|border| border.checked_add(size))
        .filter(|&padded| isize::try_from(padded).is_ok())
        .ok_or_else(|| format!("{op}: padding {:?} is too large", conv.padding[side]))
}

/// Returns the size of the result of a transposed convolution along an axis on which the input has `size`
/// elements.
pub fn spread(
    space: Space,
    x: &[usize],
    size: usize,
    kernel: usize,
    side: usize,
    conv: &VolumeConv,
    more: usize,
) -> ShapeResult<usize> {
    let (op, axis) = (space.op, space.axis(side));
    let (before, after) = conv.padding[side];
    let span = span(op, kernel, conv.dilation[side])?;
    ensure(size > 0, || format!("{op}: input {x:?} has no {axis}"))?;
    let counted = || {
        let steps = (size - 1).checked_mul(conv.stride[side])?;
        let full = steps.checked_add(span)?.checked_add(more)?;
        Some((full, before.checked_add(after)?))
    };
    let (full, border) = counted().ok_or_else(|| too_many(op, x))?;
    ensure(full > border, || {
        format!(
            "{op}: the result is empty: its {axis} is {full} before padding {:?} crops {border}",
            conv.padding[side]
        )
    })?;
    Ok(full - border)
}

/// Returns the extent of a kernel with dilation: the distance from its first to its last element, plus 1.
fn span(op: &str, kernel: usize, dilation: usize) -> ShapeResult<usize> {
    (kernel - 1)
        .checked_mul(dilation)
        .and_then(|reach| reach.checked_add(1))
        .filter(|&span| isize::try_from(span).is_ok())
        .ok_or_else(|| format!("{op}: a kernel of {kernel} with dilation {dilation} is too large"))
}

/// Returns the largest number of pixels that the kernels store for an axis of one image, all phases of the
/// stride together. `padded` is at least 1, and the dilated kernel fits.
///
/// The convolution reads min(stride, kernel) phases or fewer. With `H'` windows, a phase has
/// `H' + ⌊dilation·(kernel - 1)/stride⌋` pixels, which is at most `⌊(padded - 1)/stride⌋ + 1`. The gradient with
/// respect to the input has one phase, as long as a phase of the input, `⌈size/stride⌉`, and the distance between
/// the furthest taps, `⌈dilation·(kernel - 1)/stride⌉`.
pub fn plane(size: usize, padded: usize, kernel: usize, stride: usize, dilation: usize) -> usize {
    // No overflow: `padded` is at most `isize::MAX`, and not smaller than `reach + 1`, `kernel` and `size`.
    let reach = dilation * (kernel - 1);
    let phases = stride.min(kernel) * ((padded - 1) / stride + 1);
    phases.max(size.div_ceil(stride) + reach.div_ceil(stride))
}
