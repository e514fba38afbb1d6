//! Unfolding of images into columns of windows, and folding of such columns into images.

use super::conv::{Space, windows};
use super::pool::images;
use super::{ShapeResult, count, ensure, shape_of};
use crate::geometry::Conv;
use crate::layout::Shape;

/// Returns two shapes for `unfold` of images `[…, C, H, W]`: the shape with separate axes for the windows,
/// `[…, C, kh, H', kw, W']`, and the shape of the result, `[…, C·kh·kw, H'·W']`.
///
/// ```
/// use wengert::tensor::{Conv, shapes::unfold};
/// let conv = Conv::new().padding([1, 0]);
/// assert_eq!(unfold(&[8, 3, 7, 5], [3, 2], &conv).unwrap().1, [8, 18, 28]);
/// ```
pub fn unfold(shape: &[usize], kernel: [usize; 2], conv: &Conv) -> ShapeResult<(Shape, Shape)> {
    let op = "unfold";
    let at = images(op, shape)?;
    let [h, w] = places(op, shape, [shape[at], shape[at + 1]], kernel, conv)?;
    let [kh, kw] = kernel;
    let rows = count(op, &[shape[at - 1], kh, kw])?;
    let lead = &shape[..at - 1];
    let apart = [lead, &[shape[at - 1], kh, h, kw, w]].concat();
    let out = [lead, &[rows, count(op, &[h, w])?]].concat();
    check_mapped(op, lead, shape[at - 1], [kh, h, kw, w])?;
    Ok((shape_of(op, &apart)?, shape_of(op, &out)?))
}

/// Returns two shapes for `fold` of windows `[…, C·kh·kw, H'·W']`: the shape with separate axes for the
/// windows, `[…, C, kh, H', kw, W']`, and the shape of the images, `[…, C, H, W]`.
pub fn fold(
    shape: &[usize],
    size: [usize; 2],
    kernel: [usize; 2],
    conv: &Conv,
) -> ShapeResult<(Shape, Shape)> {
    let op = "fold";
    let &[ref lead @ .., rows, windows] = shape else {
        return Err(format!("{op}: expected windows [N, C·kh·kw, L], got shape {shape:?}"));
    };
    let [h, w] = places(op, &size, size, kernel, conv)?;
    let area = count(op, &kernel)?;
    ensure(rows.is_multiple_of(area), || {
        format!(
            "{op}: axis {} of shape {shape:?} has size {rows}, which does not divide into windows of \
             {} × {} elements",
            lead.len(),
            kernel[0],
            kernel[1]
        )
    })?;
    ensure(count(op, &[h, w])? == windows, || {
        format!(
            "{op}: axis {} of shape {shape:?} has {windows} windows, images of {} × {} have {h} × {w}",
            lead.len() + 1,
            size[0],
            size[1]
        )
    })?;
    let channels = rows / area;
    let apart = [lead, &[channels, kernel[0], h, kernel[1], w]].concat();
    let out = [lead, &[channels, size[0], size[1]]].concat();
    check_mapped(op, lead, channels, [kernel[0], h, kernel[1], w])?;
    Ok((shape_of(op, &apart)?, shape_of(op, &out)?))
}

/// Checks that a tensor can have the shape of the intermediate result, `[…, C, kh·H', kw·W']`.
fn check_mapped(op: &str, lead: &[usize], channels: usize, along: [usize; 4]) -> ShapeResult<()> {
    let [kh, h, kw, w] = along;
    let mapped = [lead, &[channels, count(op, &[kh, h])?, count(op, &[kw, w])?]].concat();
    shape_of(op, &mapped).map(drop)
}

/// Returns the number of positions of the window along both axes.
fn places(
    op: &'static str,
    shape: &[usize],
    size: [usize; 2],
    kernel: [usize; 2],
    conv: &Conv,
) -> ShapeResult<[usize; 2]> {
    let numbers = [("stride", conv.stride), ("dilation", conv.dilation), ("kernel", kernel)];
    for (name, value) in numbers {
        ensure(!value.contains(&0), || format!("{op}: {name} must be at least 1, got {value:?}"))?;
    }
    ensure(conv.groups == 1, || {
        format!("{op}: windows have no groups: groups must be 1, got {}", conv.groups)
    })?;
    let space = Space::images(op);
    let conv = (*conv).into();
    let along = |side: usize| windows(space, shape, size[side], kernel[side], side + 1, &conv);
    Ok([along(0)?, along(1)?])
}
