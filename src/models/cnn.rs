//! The convolutional network of PyTorch's MNIST example.

use super::check_images::check_images;
use crate::prelude::*;
use rand::Rng;

/// The network of PyTorch's `examples/mnist`: \[N, 1, 28, 28\] → \[N, 10\] logits, with 1,199,882
/// parameters.
///
/// It consists of convolutions with 32 and 64 maps, max-pooling, dropout, a linear layer of 128
/// units, dropout, and a linear layer of 10 units. Names, shapes and initial values are those of
/// PyTorch's example, which trains the network with Adadelta.
///
/// ```
/// use wengert::models::Cnn;
/// use wengert::prelude::*;
/// let model = Cnn::new(&mut Philox::new(0));
/// assert_eq!(model.parameter_count(), 1_199_882);
/// ```
#[derive(Debug, Clone, Module)]
#[module(crate = "wengert_autograd")]
pub struct Cnn<T: Float = f32> {
    /// The convolution from 1 to 32 maps: 3×3.
    pub conv1: Conv2d<T>,
    /// The convolution from 32 to 64 maps: 3×3.
    pub conv2: Conv2d<T>,
    /// The dropout after the pooling.
    pub dropout1: Dropout,
    /// The linear layer from 64·12·12 to 128 units.
    pub fc1: Linear<T>,
    /// The dropout before the last layer.
    pub dropout2: Dropout,
    /// The linear layer from 128 units to the 10 classes.
    pub fc2: Linear<T>,
}

impl Cnn {
    /// Creates a network of `f32` with PyTorch's initial values.
    pub fn new(rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::of(rng)
    }
}

impl<T: Float> Cnn<T> {
    /// Creates a network of any element type, as [`Cnn::new`] does for `f32`:
    /// `Cnn::<f64>::of(…)`.
    pub fn of(rng: &mut (impl Rng + ?Sized)) -> Self {
        Cnn {
            conv1: Conv2d::of(1, 32, 3, rng),
            conv2: Conv2d::of(32, 64, 3, rng),
            dropout1: Dropout::new(0.25),
            fc1: Linear::of(64 * 12 * 12, 128, rng),
            dropout2: Dropout::new(0.5),
            fc2: Linear::of(128, 10, rng),
        }
    }
}

impl<T: Float> Layer<T> for Cnn<T> {
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        check_images("Cnn", x, 1, Some(28));
        let x = self.conv1.forward(x).relu();
        let x = self.conv2.forward(x).relu().max_pool2d(&Pool::new(2));
        let x = self.dropout1.forward(x).flatten(1, -1);
        let x = self.fc1.forward(x).relu();
        let x = self.dropout2.forward(x);
        self.fc2.forward(x)
    }
}
