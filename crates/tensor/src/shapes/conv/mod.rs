//! Convolutions of signals, images and volumes: the shapes of inputs, weights and gradients that fit together.

mod extent;
mod forward;
mod gradients;
mod operands;
mod signals;
#[cfg(test)]
mod tests;
mod transposed;
mod volumes;

pub(super) use extent::windows;
pub use forward::conv2d;
pub use gradients::{conv2d_input, conv2d_weight};
pub(super) use operands::Space;
pub use signals::{conv_transpose1d, conv1d};
pub use transposed::conv_transpose2d;
pub use volumes::{conv_transpose3d, conv3d};
