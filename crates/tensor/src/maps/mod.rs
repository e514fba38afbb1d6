//! Maps: the linear maps along axes that an average, an interpolation, a border or an unfolding consists
//! of.
//!
//! It knows layouts, options and shape rules, and no numbers: `kernels` applies a map. The tape of
//! automatic differentiation uses this room, too.

mod average;
mod border;
mod interpolate;
mod unfold;

pub use crate::geometry::AxisMaps;
pub use average::{adaptive_average_maps, average_maps};
pub use border::border_maps;
pub use interpolate::interpolation_maps;
pub use unfold::Windows;

use crate::geometry::AxisMap;
use smallvec::SmallVec;

/// The maps of rows and columns in the order that costs least: where images shrink, the rows go
/// first, for that is the faster direction, and the columns are then fewer.
fn cheapest_first(maps: [(isize, AxisMap); 2]) -> AxisMaps {
    let [rows, columns] = maps;
    let shrinks = rows.1.outputs() <= rows.1.inputs();
    SmallVec::from_buf(if shrinks { [rows, columns] } else { [columns, rows] })
}
