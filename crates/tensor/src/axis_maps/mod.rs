//! Axis maps: linear maps along axes, of which average pooling, interpolation, padding modes and
//! unfolding consist.
//!
//! This module knows layouts, options and shape rules, and no numbers: `kernels` applies a map. The
//! tape of automatic differentiation uses this module, too.

mod average;
mod border;
mod interpolate;
mod unfold;
mod volume;

pub use crate::geometry::AxisMaps;
pub use average::{
    adaptive_average_maps, adaptive_volume_average_maps, average_maps, volume_average_maps,
};
pub use border::border_maps;
pub use interpolate::interpolation_maps;
pub use unfold::UnfoldMaps;
pub use volume::VolumeImages;

/// Orders maps of neighbouring axes, the columns last, by cost. Where images shrink, the map of rows goes
/// first: it is the faster direction, and fewer rows remain for the map of columns.
fn cheapest_first(mut maps: AxisMaps) -> AxisMaps {
    if maps[0].1.outputs() > maps[0].1.inputs() {
        maps.reverse();
    }
    maps
}
