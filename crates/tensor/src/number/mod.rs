//! Numbers.
mod math;

pub use math::Math;
pub(crate) use math::block;
