//! Geometry: the options of operations on images and signals (convolutions, pools, interpolation,
//! borders), where the windows of a pool lie, and linear maps along one axis as lists of weights.
//!
//! Values that a user writes. This room knows layouts. It does not judge whether the options fit a
//! shape: `shapes` does.

mod axis_map;
mod border;
mod conv;
mod interpolate;
mod pool;
mod windows;

pub use axis_map::{AxisMap, AxisMaps, Rows};
pub use border::PadMode;
pub use conv::{Conv, Padding, Pair};
pub use interpolate::{Interpolate, InterpolateMode, InterpolateSize};
pub use pool::Pool;
pub(crate) use windows::Windows;
