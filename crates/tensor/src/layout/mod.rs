//! Layout.
mod rule;
mod shape;
mod sizes;
mod strided;

pub use rule::Rule;
pub(crate) use shape::{MAX_NUMEL, MAX_SIZE, Strides, product};
pub use shape::{MAX_RANK, Shape, broadcast_shapes, broadcasts_to};
pub use sizes::{Size, SizeList, Sizes};
pub(crate) use strided::{Collapsed, Cursor};
