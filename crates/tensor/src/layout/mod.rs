//! Shapes, the ways to write sizes in a call, strides, and the order in which elements are read.
//!
//! This module computes with integers only. It knows no memory, no element types and no operations, and
//! imports no other module.
mod shape;
mod sizes;
mod strided;

pub(crate) use shape::{MAX_NUMEL, MAX_SIZE, Strides, product};
pub use shape::{MAX_RANK, Shape, ShapeResult, broadcast_shapes, broadcasts_to};
pub use sizes::{Size, SizeList, Sizes};
pub(crate) use strided::{Collapsed, Cursor};
