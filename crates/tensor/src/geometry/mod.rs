//! Geometry.

mod border;
mod conv;
mod interpolate;
mod pool;
mod windows;

pub use border::PadMode;
pub use conv::{Conv, Padding, Pair};
pub use interpolate::{Interpolate, InterpolateMode, InterpolateSize};
pub use pool::Pool;
pub(crate) use windows::Windows;
