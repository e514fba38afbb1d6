//! Pooling: the greatest element of each window, elements by their position in an image, and the
//! adjoint, elements put at their positions.

mod max;
mod pick;

pub(crate) use max::{Scene, max_pool};
pub(crate) use pick::{pick, place};
