//! Tensor.
mod any;
mod base;
mod border;
mod display;
mod element;
mod index;
mod interpolate;
mod join;
mod matmul;
mod operand;
mod random;
mod unfold;
mod views;

pub use any::AnyTensor;
pub use base::Tensor;
pub use border::{PadMode, border_maps};
pub use element::{Dtype, Element, Float, Number};
pub use interpolate::{Interpolate, InterpolateMode, InterpolateSize, interpolation_maps};
pub use operand::{Figure, Given, Operand};
pub use random::{Philox, keep_mask};
pub use unfold::Windows;
pub use views::copied_in_order;
