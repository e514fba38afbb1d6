//! Maps.

mod average;
mod axis_map;
mod border;
mod interpolate;
mod unfold;

pub use average::{adaptive_average_maps, average_maps};
use axis_map::cheapest_first;
pub use axis_map::{AxisMap, AxisMaps, Rows};
pub use border::border_maps;
pub use interpolate::interpolation_maps;
pub use unfold::Windows;
