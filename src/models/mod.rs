//! Models that are known by name, to be trained, taken apart or built upon.
//!
//! | | |
//! |---|---|
//! | [`LeNet`] | the modern form of LeNet-5: ReLU, max-pooling, cross-entropy |
//! | [`LeNet5`] | LeNet-5 as published in 1998: trainable sub-sampling, sparse C3, radial output |
//! | [`ZipcodeNet`] | the network that read zip codes in 1989 |
//! | [`Cnn`] | two convolutions, dropout, two linear layers: PyTorch's MNIST example |
//! | [`ResNet`] | residual networks for small images: [`ResNet::resnet20`] |
//! | [`Vgg`] | stacks of 3×3 convolutions |
//! | [`Inception`] | branches side by side |
//! | [`Autoencoder`] | an image through a narrow code and back |
//!
//! Each is a struct of layers with a `forward` to read: branches and shortcuts are plain Rust.

mod autoencoder;
mod cnn;
mod inception;
mod lenet;
mod lenet5;
mod resnet;
mod table;
mod vgg;
mod zipcode;

pub use autoencoder::Autoencoder;
pub use cnn::Cnn;
pub use inception::{Inception, InceptionNet};
pub use lenet::LeNet;
pub use lenet5::{LeNet5, map_loss};
pub use resnet::{BasicBlock, ResNet};
pub use table::TableConv2d;
pub use vgg::Vgg;
pub use zipcode::ZipcodeNet;
