//! Options of operations on signals, images and volumes (convolutions, pools, interpolation, padding modes), the
//! positions of the windows of a pool, and linear maps along one axis as lists of weights.
//!
//! The options are values that a user writes. This module may import `layout`. It does not check whether
//! the options fit a shape; the rules in `shapes` do.

mod axis_map;
mod border;
mod conv;
mod interpolate;
mod pool;
mod volume;
mod windows;

pub use axis_map::{AxisMap, AxisMaps, SparseRows};
pub use border::PadMode;
pub use conv::{Conv, Padding, Pair};
pub use interpolate::{Interpolate, InterpolateMode, InterpolateSize};
pub use pool::Pool;
pub use volume::{Triple, VolumeConv, VolumePadding, VolumePool};
pub(crate) use windows::Windows;
