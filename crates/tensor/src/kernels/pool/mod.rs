//! Pooling: the maximum of each window, reading elements by their position in an image, and its
//! adjoint, which adds elements at their positions.

mod max;
mod pick;
mod sliding;
mod spread;

pub(crate) use max::{PoolSizes, max_pool};
pub(crate) use pick::{pick, unpool};
