//! Padding with elements of the image itself.

use crate::geometry::{AxisMap, AxisMaps, PadMode};
use crate::shapes::{self, ShapeResult};

/// Returns the maps of `pad_mode`, for the tape.
#[doc(hidden)]
pub fn border_maps(
    shape: &[usize],
    padding: &[(usize, usize)],
    mode: PadMode,
) -> ShapeResult<AxisMaps> {
    shapes::pad_mode(shape, padding, mode)?;
    let padded = padding.iter().enumerate().filter(|&(_, &around)| around != (0, 0));
    Ok(padded
        .map(|(axis, &(before, after))| {
            let n = shape[axis];
            let places = -(before as isize)..(n + after) as isize;
            let row = |i| mode.element(i, n).map(|at| (at, 1.0));
            (axis as isize, AxisMap::new(n, places.map(row)))
        })
        .collect())
}
