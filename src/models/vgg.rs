//! Networks of stacked 3×3 convolutions.

use crate::prelude::*;
use rand::Rng;
use wengert_nn::init::{self, Fan, gain};

/// A network of stacked 3×3 convolutions: \[N, C, H, W\] → \[N, classes\] logits.
///
/// Batch normalisation and ReLU follow each convolution, and max-pooling follows each stage. A
/// linear layer on the means of the maps is the last layer. (After Simonyan, Zisserman, "Very Deep
/// Convolutional Networks for Large-Scale Image Recognition", 2015.)
///
/// ```
/// use wengert::models::Vgg;
/// use wengert::prelude::*;
/// let model = Vgg::new(3, 10, &[16, 32], &mut Philox::new(0));
/// assert_eq!(model.parameter_count(), 17_082);
/// assert_eq!(model.predict(&Tensor::zeros(&[2, 3, 16, 16])).shape(), [2, 10]);
/// ```
#[derive(Debug, Clone, Module)]
#[module(crate = "wengert_autograd")]
pub struct Vgg<T: Float = f32> {
    /// The convolutions of each stage, with their normalisations.
    pub stages: Vec<Vec<(Conv2d<T>, BatchNorm2d<T>)>>,
    /// The dropout before the last layer.
    pub dropout: Dropout,
    /// The linear layer from the means of the maps to the classes.
    pub fc: Linear<T>,
}

impl Vgg {
    /// Creates a network of `f32` with one stage of two convolutions for each number of maps in `widths`.
    ///
    /// # Panics
    /// If `widths` is empty.
    #[track_caller]
    pub fn new(
        channels: usize,
        classes: usize,
        widths: &[usize],
        rng: &mut (impl Rng + ?Sized),
    ) -> Self {
        Self::of(channels, classes, widths, rng)
    }
}

impl<T: Float> Vgg<T> {
    /// Creates a network of any element type, as [`Vgg::new`] does for `f32`:
    /// `Vgg::<f64>::of(…)`.
    ///
    /// # Panics
    /// If `widths` is empty.
    #[track_caller]
    pub fn of(
        channels: usize,
        classes: usize,
        widths: &[usize],
        rng: &mut (impl Rng + ?Sized),
    ) -> Self {
        let &[.., last] = widths else {
            panic!("Vgg: widths must contain the number of maps of at least one stage, got []")
        };
        let mut inputs = channels;
        let mut layer = |outputs: usize| {
            let mut conv = Conv2d::of(inputs, outputs, 3, rng).padding(1).without_bias();
            init::kaiming_normal(&mut conv.weight, Fan::Out, gain::RELU, rng);
            inputs = outputs;
            (conv, BatchNorm2d::of(outputs))
        };
        let stages = widths.iter().map(|&maps| vec![layer(maps), layer(maps)]).collect();
        Vgg { stages, dropout: Dropout::new(0.2), fc: Linear::of(last, classes, rng) }
    }
}

impl<T: Float> Layer<T> for Vgg<T> {
    fn call<'t>(&self, mut x: Var<'t, T>) -> Var<'t, T> {
        for stage in &self.stages {
            for layer @ (conv, bn) in stage {
                x = x.tape().enter(layer, || bn.forward(conv.forward(x)).relu());
            }
            x = x.max_pool2d(&Pool::new(2));
        }
        let x = self.dropout.forward(x.mean(&[2, 3], false));
        self.fc.forward(x)
    }
}
