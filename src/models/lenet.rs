//! LeNet in its modern form.

use super::check_images::check_images;
use crate::prelude::*;
use rand::Rng;

/// LeNet with ReLU and max-pooling, as it is taught today: \[N, 1, 28, 28\] → \[N, 10\] logits,
/// with 61,706 parameters.
///
/// It has two convolutions with max-pooling and three linear layers, with ReLU between them. The
/// layers are those of LeNet-5 (LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to
/// Document Recognition", 1998); [`LeNet5`](crate::models::LeNet5) is the network as published.
///
/// ```
/// use wengert::models::LeNet;
/// use wengert::prelude::*;
/// let model = LeNet::new(&mut Philox::new(0));
/// assert_eq!(model.parameter_count(), 61_706);
/// assert_eq!(model.predict(&Tensor::zeros(&[2, 1, 28, 28])).shape(), [2, 10]);
/// ```
#[derive(Debug, Clone, Module)]
#[module(crate = "wengert_autograd")]
pub struct LeNet<T: Float = f32> {
    /// The convolution from 1 to 6 maps: 5×5, padding 2.
    pub conv1: Conv2d<T>,
    /// The convolution from 6 to 16 maps: 5×5.
    pub conv2: Conv2d<T>,
    /// The linear layer from 16·5·5 to 120 units.
    pub fc1: Linear<T>,
    /// The linear layer from 120 to 84 units.
    pub fc2: Linear<T>,
    /// The linear layer from 84 units to the 10 classes.
    pub fc3: Linear<T>,
}

impl LeNet {
    /// Creates a network of `f32` with PyTorch's initial values.
    pub fn new(rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::of(rng)
    }
}

impl<T: Float> LeNet<T> {
    /// Creates a network of any element type, as [`LeNet::new`] does for `f32`:
    /// `LeNet::<f64>::of(…)`.
    pub fn of(rng: &mut (impl Rng + ?Sized)) -> Self {
        LeNet {
            conv1: Conv2d::of(1, 6, 5, rng).padding(2),
            conv2: Conv2d::of(6, 16, 5, rng),
            fc1: Linear::of(16 * 5 * 5, 120, rng),
            fc2: Linear::of(120, 84, rng),
            fc3: Linear::of(84, 10, rng),
        }
    }
}

impl<T: Float> Layer<T> for LeNet<T> {
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        check_images("LeNet", x, 1, Some(28));
        let x = self.conv1.forward(x).relu().max_pool2d(&Pool::new(2));
        let x = self.conv2.forward(x).relu().max_pool2d(&Pool::new(2));
        let x = self.fc1.forward(x.flatten(1, -1)).relu();
        let x = self.fc2.forward(x).relu();
        self.fc3.forward(x)
    }
}
