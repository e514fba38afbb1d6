//! Padding modes and interpolation.

use super::pool::{images, not_empty};
use super::{ShapeResult, ensure, pad, shape_of};
use crate::geometry::PadMode;
use crate::geometry::{Interpolate, InterpolateSize};

/// Returns the shape with each axis extended by (before, after) elements of the axis itself.
///
/// ```
/// use wengert::tensor::{PadMode, shapes::pad_mode};
/// assert_eq!(pad_mode(&[2, 5], &[(0, 0), (1, 4)], PadMode::Reflect).unwrap(), [2, 10]);
/// let why = pad_mode(&[2, 5], &[(0, 0), (5, 0)], PadMode::Reflect).unwrap_err();
/// assert!(why.contains("axis 1 of shape [2, 5] has size 5: reflection adds at most 4"));
/// ```
pub fn pad_mode(shape: &[usize], padding: &[(usize, usize)], mode: PadMode) -> ShapeResult {
    let out = pad(shape, padding).map_err(|why| why.replacen("pad", "pad_mode", 1))?;
    for (axis, (&size, &(before, after))) in shape.iter().zip(padding).enumerate() {
        let (name, most) = match mode {
            _ if before + after == 0 => continue,
            PadMode::Zeros => continue,
            PadMode::Replicate => ("replication", if size > 0 { usize::MAX } else { 0 }),
            PadMode::Reflect => ("reflection", size.saturating_sub(1)),
            PadMode::Circular => ("circular padding", size),
        };
        ensure(before.max(after) <= most, || {
            format!(
                "pad_mode: axis {axis} of shape {shape:?} has size {size}: {name} adds at most \
                 {most} elements on each side, got {:?}",
                (before, after)
            )
        })?;
    }
    Ok(out)
}

/// Returns the shape of images `[…, C, H, W]` after resizing.
///
/// ```
/// use wengert::tensor::{Interpolate, shapes::interpolate};
/// assert_eq!(interpolate(&[8, 3, 7, 5], &Interpolate::scale(2.5)).unwrap(), [8, 3, 17, 12]);
/// assert_eq!(interpolate(&[8, 3, 7, 5], &Interpolate::size([4, 9])).unwrap(), [8, 3, 4, 9]);
/// ```
pub fn interpolate(shape: &[usize], how: &Interpolate) -> ShapeResult {
    let op = "interpolate";
    let at = images(op, shape)?;
    let mut out = shape_of(op, shape)?;
    for side in 0..2 {
        let axis = at + side;
        not_empty(op, shape, axis)?;
        let size = match how.to {
            InterpolateSize::To(size) => size[side],
            InterpolateSize::By(scale) => {
                let size = shape[axis] as f64 * scale[side];
                ensure(scale[side] > 0.0 && size < u32::MAX as f64, || {
                    format!(
                        "{op}: scale {scale:?} of images of shape {shape:?} is out of range: a scale must be positive, and the result must have fewer than 2³² rows and columns"
                    )
                })?;
                size as usize
            }
        };
        ensure(size > 0, || {
            format!(
                "{op}: the result would be empty along axis {axis} of shape {shape:?}: {:?}",
                how.to
            )
        })?;
        out[axis] = size;
    }
    shape_of(op, &out)
}
