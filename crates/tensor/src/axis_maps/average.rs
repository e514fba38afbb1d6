//! Averages over the windows of a pool.

use super::cheapest_first;
use crate::geometry::{AxisMap, AxisMaps, Pool, Windows};
use crate::shapes::{self, ShapeResult};

fn averages(shape: &[usize], out: &[usize], windows: [Windows; 2]) -> AxisMaps {
    let map = |side: usize| {
        let axis = shape.len() - 2 + side;
        (axis as isize, average(windows[side], shape[axis], out[axis]))
    };
    cheapest_first([map(0), map(1)])
}

/// Returns the maps of `avg_pool2d`, for the tape.
#[doc(hidden)]
pub fn average_maps(op: &str, shape: &[usize], pool: &Pool) -> ShapeResult<AxisMaps> {
    shapes::no_dilation(op, pool)?;
    let out = shapes::pool2d(op, shape, pool)?;
    Ok(averages(shape, &out, [Windows::sliding(pool, 0), Windows::sliding(pool, 1)]))
}

/// Returns the maps of `adaptive_avg_pool2d`, for the tape.
#[doc(hidden)]
pub fn adaptive_average_maps(op: &str, shape: &[usize], size: [usize; 2]) -> ShapeResult<AxisMaps> {
    let out = shapes::adaptive_pool2d(op, shape, size)?;
    Ok(averages(shape, &out, [Windows::Adaptive; 2]))
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
