//! Pooling: the maximum of each window, reading elements by their position in an image, and its
//! adjoint, which adds elements at their positions.

mod max;
mod pick;
mod pool_sizes;
mod sliding;

pub(crate) use max::max_pool;
pub(crate) use pick::{pick, unpool};
pub(crate) use pool_sizes::PoolSizes;
