//! Interpolation of images to another size, as maps of rows and columns.

use super::cheapest_first;
use crate::geometry::{AxisMap, AxisMaps, Interpolate, InterpolateMode, InterpolateSize};
use crate::shapes::{self, ShapeResult};

impl Interpolate {
    /// Returns the map from an axis of size `n` to one of size `m`, along height (0) or width (1).
    fn map(&self, n: usize, m: usize, side: usize) -> AxisMap {
        let step = match self.to {
            InterpolateSize::To(_) => n as f64 / m as f64,
            InterpolateSize::By(scale) => 1.0 / scale[side],
        };
        // An axis that keeps its size keeps its pixels, whatever the scale is.
        let one = |i: usize| [(i, 1.0), (i, 0.0)];
        let between = |at: f64| {
            let i = (at as usize).min(n - 1);
            let part = (at - i as f64).min(1.0);
            [(i, 1.0 - part), ((i + 1).min(n - 1), part)]
        };
        let row = |o: usize| match self.mode {
            _ if n == m => one(o),
            // In `f32`, as in PyTorch: where o·n/m is an integer, rounding decides which pixel is
            // read.
            InterpolateMode::Nearest => one(((o as f32 * step as f32) as usize).min(n - 1)),
            InterpolateMode::Bilinear { align_corners: true } => {
                between(if m > 1 { o as f64 * ((n - 1) as f64 / (m - 1) as f64) } else { 0.0 })
            }
            InterpolateMode::Bilinear { align_corners: false } => {
                between(((o as f64 + 0.5) * step - 0.5).max(0.0))
            }
        };
        AxisMap::new(n, (0..m).map(|o| row(o).into_iter().filter(|&(_, weight)| weight != 0.0)))
    }
}

/// Returns the maps of `interpolate`, for the tape.
#[doc(hidden)]
pub fn interpolation_maps(shape: &[usize], how: &Interpolate) -> ShapeResult<AxisMaps> {
    let out = shapes::interpolate(shape, how)?;
    let map = |side: usize| {
        let axis = shape.len() - 2 + side;
        (axis as isize, how.map(shape[axis], out[axis], side))
    };
    Ok(cheapest_first([map(0), map(1)].into_iter().collect()))
}
