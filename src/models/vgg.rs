//! Stacks of small convolutions.

use crate::prelude::*;
use rand::Rng;
use wengert_nn::init::{self, Fan, gain};

/// Stages of 3×3 convolutions, each with batch normalisation and ReLU, a max-pooling after each
/// stage, then a linear layer on the means of the maps (after Simonyan, Zisserman, "Very Deep
/// Convolutional Networks for Large-Scale Image Recognition", 2015).
/// \[N, C, H, W\] → \[N, classes\] logits.
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
pub struct Vgg {
    /// The convolutions of each stage.
    pub stages: Vec<Vec<(Conv2d, BatchNorm2d)>>,
    /// Before the last layer.
    pub dropout: Dropout,
    /// From the means of the maps to the classes.
    pub fc: Linear,
}

impl Vgg {
    /// A stage of two convolutions for each of these numbers of maps.
    ///
    /// # Panics
    /// If there is no stage.
    #[track_caller]
    pub fn new(
        channels: usize,
        classes: usize,
        widths: &[usize],
        rng: &mut (impl Rng + ?Sized),
    ) -> Self {
        let last = *widths.last().expect("Vgg: a stage");
        let mut inputs = channels;
        let mut layer = |outputs: usize| {
            let mut conv = Conv2d::new(inputs, outputs, 3, rng).padding(1).without_bias();
            init::kaiming_normal(&mut conv.weight, Fan::Out, gain::RELU, rng);
            inputs = outputs;
            (conv, BatchNorm2d::new(outputs))
        };
        let stages = widths.iter().map(|&maps| vec![layer(maps), layer(maps)]).collect();
        Vgg { stages, dropout: Dropout::new(0.2), fc: Linear::new(last, classes, rng) }
    }
}

impl Layer for Vgg {
    fn call<'t>(&self, mut x: Var<'t>) -> Var<'t> {
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
