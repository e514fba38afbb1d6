//! Inception blocks: parallel branches with different kernel sizes.

use crate::prelude::*;
use rand::Rng;

/// A convolution followed by batch normalisation and ReLU.
#[derive(Debug, Clone, Module)]
#[module(crate = "wengert_autograd")]
pub struct ConvUnit<T: Float = f32> {
    /// The convolution; it keeps height and width.
    pub conv: Conv2d<T>,
    /// The normalisation after `conv`.
    pub bn: BatchNorm2d<T>,
}

impl ConvUnit {
    /// Creates a unit of `f32` from `inputs` to `outputs` maps. `kernel` must be odd, so that height
    /// and width are kept.
    pub fn new(
        inputs: usize,
        outputs: usize,
        kernel: usize,
        rng: &mut (impl Rng + ?Sized),
    ) -> Self {
        Self::of(inputs, outputs, kernel, rng)
    }
}

impl<T: Float> ConvUnit<T> {
    /// Creates a unit of any element type, as [`ConvUnit::new`] does for `f32`:
    /// `ConvUnit::<f64>::of(…)`.
    pub fn of(inputs: usize, outputs: usize, kernel: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        let conv = Conv2d::of(inputs, outputs, kernel, rng).padding(kernel / 2).without_bias();
        ConvUnit { conv, bn: BatchNorm2d::of(outputs) }
    }
}

impl<T: Float> Layer<T> for ConvUnit<T> {
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        self.bn.forward(self.conv.forward(x)).relu()
    }
}

/// Four parallel branches on the same input, joined along the channels: \[N, C, H, W\] → \[N,
/// 4·width, H, W\].
///
/// The branches are a 1×1 convolution; a narrow 1×1 and then a 3×3 convolution; a narrow 1×1 and
/// then a 5×5 convolution; and max-pooling and then a 1×1 convolution. (Szegedy et al., "Going
/// Deeper with Convolutions", 2015.)
///
/// ```
/// use wengert::models::Inception;
/// use wengert::prelude::*;
/// let block = Inception::new(16, 12, &mut Philox::new(0));
/// assert_eq!(block.parameter_count(), 3_144);
/// assert_eq!(block.predict(&Tensor::zeros(&[2, 16, 7, 9])).shape(), [2, 48, 7, 9]);
/// ```
#[derive(Debug, Clone, Module)]
#[module(crate = "wengert_autograd")]
pub struct Inception<T: Float = f32> {
    /// The branch with a 1×1 convolution.
    pub one: ConvUnit<T>,
    /// The branch with a 1×1 and then a 3×3 convolution.
    pub three: (ConvUnit<T>, ConvUnit<T>),
    /// The branch with a 1×1 and then a 5×5 convolution.
    pub five: (ConvUnit<T>, ConvUnit<T>),
    /// The branch with a 1×1 convolution on the maxima of 3×3 windows.
    pub pool: ConvUnit<T>,
}

impl Inception {
    /// Creates a block of `f32` in which each branch returns `width` maps.
    pub fn new(inputs: usize, width: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::of(inputs, width, rng)
    }
}

impl<T: Float> Inception<T> {
    /// Creates a block of any element type, as [`Inception::new`] does for `f32`:
    /// `Inception::<f64>::of(…)`.
    pub fn of(inputs: usize, width: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        let narrow = width.div_ceil(2);
        Inception {
            one: ConvUnit::of(inputs, width, 1, rng),
            three: (ConvUnit::of(inputs, narrow, 1, rng), ConvUnit::of(narrow, width, 3, rng)),
            five: (ConvUnit::of(inputs, narrow, 1, rng), ConvUnit::of(narrow, width, 5, rng)),
            pool: ConvUnit::of(inputs, width, 1, rng),
        }
    }
}

impl<T: Float> Layer<T> for Inception<T> {
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let largest = x.max_pool2d(&Pool::new(3).stride(1).padding(1));
        let branches = [
            self.one.forward(x),
            self.three.1.forward(self.three.0.forward(x)),
            self.five.1.forward(self.five.0.forward(x)),
            self.pool.forward(largest),
        ];
        Var::concat(&branches, 1)
    }
}

/// A small classifier of [`Inception`] blocks: \[N, C, H, W\] → \[N, classes\] logits.
///
/// ```
/// use wengert::models::InceptionNet;
/// use wengert::prelude::*;
/// let model = InceptionNet::new(1, 10, &mut Philox::new(0));
/// assert_eq!(model.parameter_count(), 17_778);
/// assert_eq!(model.predict(&Tensor::zeros(&[2, 1, 28, 28])).shape(), [2, 10]);
/// ```
#[derive(Debug, Clone, Module)]
#[module(crate = "wengert_autograd")]
pub struct InceptionNet<T: Float = f32> {
    /// The first convolution, from the image to 16 maps.
    pub stem: ConvUnit<T>,
    /// The blocks; max-pooling follows each block.
    pub blocks: Vec<Inception<T>>,
    /// The linear layer from the means of the maps to the classes.
    pub fc: Linear<T>,
}

impl InceptionNet {
    /// Creates a network of `f32` of two blocks, with branches of 12 and 24 maps.
    pub fn new(channels: usize, classes: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::of(channels, classes, rng)
    }
}

impl<T: Float> InceptionNet<T> {
    /// Creates a network of any element type, as [`InceptionNet::new`] does for `f32`:
    /// `InceptionNet::<f64>::of(…)`.
    pub fn of(channels: usize, classes: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        InceptionNet {
            stem: ConvUnit::of(channels, 16, 3, rng),
            blocks: vec![Inception::of(16, 12, rng), Inception::of(48, 24, rng)],
            fc: Linear::of(96, classes, rng),
        }
    }
}

impl<T: Float> Layer<T> for InceptionNet<T> {
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let mut x = self.stem.forward(x);
        for block in &self.blocks {
            x = block.forward(x).max_pool2d(&Pool::new(2));
        }
        self.fc.forward(x.mean(&[2, 3], false))
    }
}
