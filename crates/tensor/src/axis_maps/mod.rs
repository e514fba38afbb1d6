//! Axis maps: linear maps along axes, of which average pooling, interpolation, padding modes and
//! unfolding consist.
//!
//! This module knows layouts, options and shape rules, and no numbers: `kernels` applies a map. The
//! tape of automatic differentiation uses this module, too.

mod average;
mod border;
mod interpolate;
mod unfold;

pub use crate::geometry::AxisMaps;
pub use average::{adaptive_average_maps, average_maps};
pub use border::border_maps;
pub use interpolate::interpolation_maps;
pub use unfold::UnfoldMaps;

use crate::geometry::AxisMap;
use smallvec::SmallVec;

/// Orders the maps of rows and columns by cost. Where images shrink, the map of rows goes first: it
/// is the faster direction, and fewer rows remain for the map of columns.
fn cheapest_first(maps: [(isize, AxisMap); 2]) -> AxisMaps {
    let [rows, columns] = maps;
    let shrinks = rows.1.outputs() <= rows.1.inputs();
    SmallVec::from_buf(if shrinks { [rows, columns] } else { [columns, rows] })
}
