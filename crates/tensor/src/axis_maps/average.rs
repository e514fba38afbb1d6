//! Averages over the windows of a pool.

use super::cheapest_first;
use crate::geometry::{AxisMap, AxisMaps, Pool, VolumePool, Windows};
use crate::shapes::{self, ShapeResult};

/// Returns the maps along the last axes, one for each entry of `windows`.
fn averages(shape: &[usize], out: &[usize], windows: &[Windows]) -> AxisMaps {
    let first = shape.len() - windows.len();
    let map = |(side, &windows): (usize, &Windows)| {
        let axis = first + side;
        (axis as isize, average(windows, shape[axis], out[axis]))
    };
    cheapest_first(windows.iter().enumerate().map(map).collect())
}

/// Returns the maps of `avg_pool2d`, for the tape.
#[doc(hidden)]
pub fn average_maps(op: &str, shape: &[usize], pool: &Pool) -> ShapeResult<AxisMaps> {
    shapes::no_dilation(op, &pool.dilation)?;
    let out = shapes::pool2d(op, shape, pool)?;
    Ok(averages(shape, &out, &Windows::sliding(*pool)[1..]))
}

/// Returns the maps of `avg_pool3d`, for the tape.
#[doc(hidden)]
pub fn volume_average_maps(op: &str, shape: &[usize], pool: &VolumePool) -> ShapeResult<AxisMaps> {
    shapes::no_dilation(op, &pool.dilation)?;
    let out = shapes::pool3d(op, shape, pool)?;
    Ok(averages(shape, &out, &Windows::sliding(*pool)))
}

/// Returns the maps of `adaptive_avg_pool2d`, for the tape.
#[doc(hidden)]
pub fn adaptive_average_maps(op: &str, shape: &[usize], size: [usize; 2]) -> ShapeResult<AxisMaps> {
    let out = shapes::adaptive_pool2d(op, shape, size)?;
    Ok(averages(shape, &out, &[Windows::Adaptive; 2]))
}

/// Returns the maps of `adaptive_avg_pool3d`, for the tape.
#[doc(hidden)]
pub fn adaptive_volume_average_maps(
    op: &str,
    shape: &[usize],
    size: [usize; 3],
) -> ShapeResult<AxisMaps> {
    let out = shapes::adaptive_pool3d(op, shape, size)?;
    Ok(averages(shape, &out, &[Windows::Adaptive; 3]))
}

/// Returns the map that averages the elements of each window.
fn average(windows: Windows, n: usize, m: usize) -> AxisMap {
    AxisMap::new(
        n,
        (0..m).map(|o| {
            let (first, count, step) = windows.span(n, m, o);
            let weight = 1.0 / windows.divisor(n, m, o) as f64;
            (0..count).map(move |k| (first + k * step, weight))
        }),
    )
}
