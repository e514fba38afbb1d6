//! The type [`Tensor`], its element types, and its methods.
//!
//! A method checks the shapes with a rule of `shapes`, allocates the result, and calls a kernel. Views,
//! operators, joining and printing are implemented here without kernels of their own. This room may
//! import every other room except `files`.
//!
//! The modules import each other in no circle: `figure`, `element`, `base` (the type and the access to its memory),
//! `views`, and above them the operations. One exception: an element type has the traits of `arithmetic` and
//! `reduce`, so `element` imports them. `tests/all/rooms.rs` checks it.

mod any;
mod arithmetic;
mod base;
mod border;
mod conv;
mod create;
mod display;
mod einsum;
mod element;
mod figure;
mod found;
mod index;
mod interpolate;
mod join;
mod lstm;
mod map_axis;
mod matmul;
mod operand;
mod order;
mod per_type;
mod pool;
mod products;
mod programs;
mod put;
mod random;
mod rearrange;
mod reduce;
mod rows;
mod scan;
mod unfold;
mod views;

pub use any::AnyTensor;
pub use base::Tensor;
pub use element::{Element, Float, Number};
pub use figure::Figure;
pub use operand::{Given, Operand};
pub use per_type::PerType;
pub use put::{Grouping, ScatterReduce};
pub use random::keep_mask;
pub use views::copied_in_order;
