//! Maps: linear maps along one axis (`axis_map`), and which maps an average, an interpolation, a border
//! or an unfolding consists of.
//!
//! It knows layouts, options and shape rules. A map is a list of weights; `kernels` applies it to numbers.
//! The tape of automatic differentiation uses this room, too.

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
