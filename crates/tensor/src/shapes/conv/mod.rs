//! Convolutions of images and signals: the shapes of inputs, weights and gradients that fit together.

mod extent;
mod forward;
mod gradients;
mod operands;
mod signals;
#[cfg(test)]
mod tests;
mod transposed;

pub(super) use extent::windows;
pub use forward::conv2d;
pub use gradients::{conv2d_input, conv2d_weight};
pub(super) use operands::Space;
pub use signals::{conv_transpose1d, conv1d};
pub use transposed::conv_transpose2d;
