//! Residual networks for small images.

use crate::prelude::*;
use rand::Rng;
use wengert_nn::init::{self, Fan, gain};

/// A residual block: two 3×3 convolutions with batch normalisation, and a shortcut around them.
///
/// y = relu(F(x) + S(x)), where F is the two convolutions. The shortcut S is the identity, or a 1×1
/// convolution where the shape changes.
#[derive(Debug, Clone, Module)]
#[module(crate = "wengert_autograd")]
pub struct BasicBlock<T: Float = f32> {
    /// The first convolution; it has the stride of the block.
    pub conv1: Conv2d<T>,
    /// The normalisation after `conv1`.
    pub bn1: BatchNorm2d<T>,
    /// The second convolution; it keeps the shape.
    pub conv2: Conv2d<T>,
    /// The normalisation after `conv2`.
    pub bn2: BatchNorm2d<T>,
    /// A 1×1 convolution and its normalisation, if input and output differ in shape.
    pub shortcut: Option<(Conv2d<T>, BatchNorm2d<T>)>,
}

impl BasicBlock {
    /// Creates a block of `f32` from `inputs` to `outputs` maps with this stride.
    pub fn new(
        inputs: usize,
        outputs: usize,
        stride: usize,
        rng: &mut (impl Rng + ?Sized),
    ) -> Self {
        Self::of(inputs, outputs, stride, rng)
    }
}

impl<T: Float> BasicBlock<T> {
    /// Creates a block of any element type, as [`BasicBlock::new`] does for `f32`:
    /// `BasicBlock::<f64>::of(…)`.
    pub fn of(inputs: usize, outputs: usize, stride: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        let shortcut = (stride != 1 || inputs != outputs).then(|| {
            let conv = Conv2d::of(inputs, outputs, 1, rng).stride(stride).without_bias();
            (conv, BatchNorm2d::of(outputs))
        });
        BasicBlock {
            conv1: conv3x3(inputs, outputs, rng).stride(stride),
            bn1: BatchNorm2d::of(outputs),
            conv2: conv3x3(outputs, outputs, rng),
            bn2: BatchNorm2d::of(outputs),
            shortcut,
        }
    }
}

/// Creates a 3×3 convolution without bias, because the normalisation that follows has a bias.
fn conv3x3<T: Float>(inputs: usize, outputs: usize, rng: &mut (impl Rng + ?Sized)) -> Conv2d<T> {
    let mut conv = Conv2d::of(inputs, outputs, 3, rng).padding(1).without_bias();
    init::kaiming_normal(&mut conv.weight, Fan::Out, gain::RELU, rng);
    conv
}

impl<T: Float> Layer<T> for BasicBlock<T> {
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let y = self.bn1.forward(self.conv1.forward(x)).relu();
        let y = self.bn2.forward(self.conv2.forward(y));
        let x = match &self.shortcut {
            Some(shortcut @ (conv, bn)) => x.tape().enter(shortcut, || bn.forward(conv.forward(x))),
            None => x,
        };
        (y + x).relu()
    }
}

/// A residual network for small images: \[N, C, H, W\] → \[N, classes\] logits.
///
/// It consists of a 3×3 convolution, stages of [`BasicBlock`]s (in the paper three, with 16, 32 and
/// 64 maps), the mean of each map, and a linear layer. (He, Zhang, Ren, Sun, "Deep Residual
/// Learning for Image Recognition", 2016, section 4.2.)
///
/// ```
/// use wengert::models::ResNet;
/// use wengert::prelude::*;
/// let model = ResNet::resnet20(3, 10, &mut Philox::new(0));
/// assert_eq!(model.predict(&Tensor::zeros(&[2, 3, 32, 32])).shape(), [2, 10]);
/// ```
#[derive(Debug, Clone, Module)]
#[module(crate = "wengert_autograd")]
pub struct ResNet<T: Float = f32> {
    /// The convolution from the image to the maps of the first stage.
    pub conv1: Conv2d<T>,
    /// The normalisation after `conv1`.
    pub bn1: BatchNorm2d<T>,
    /// The blocks of each stage. Each stage but the first begins with stride 2.
    pub stages: Vec<Vec<BasicBlock<T>>>,
    /// The linear layer from the means of the maps to the classes.
    pub fc: Linear<T>,
}

impl ResNet {
    /// Creates a network of `f32` with one stage for each number of maps in `widths`, and with `blocks`
    /// blocks in each stage.
    ///
    /// # Panics
    /// If `widths` is empty.
    #[track_caller]
    pub fn new(
        channels: usize,
        classes: usize,
        blocks: usize,
        widths: &[usize],
        rng: &mut (impl Rng + ?Sized),
    ) -> Self {
        Self::of(channels, classes, blocks, widths, rng)
    }

    /// Creates ResNet-20 of `f32`, a network of twenty layers: three stages of three blocks, with 16, 32
    /// and 64 maps. For another element type: `ResNet::<f64>::of(channels, classes, 3, &[16, 32, 64], rng)`.
    pub fn resnet20(channels: usize, classes: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::new(channels, classes, 3, &[16, 32, 64], rng)
    }
}

impl<T: Float> ResNet<T> {
    /// Creates a network of any element type, as [`ResNet::new`] does for `f32`:
    /// `ResNet::<f64>::of(…)`.
    ///
    /// # Panics
    /// If `widths` is empty.
    #[track_caller]
    pub fn of(
        channels: usize,
        classes: usize,
        blocks: usize,
        widths: &[usize],
        rng: &mut (impl Rng + ?Sized),
    ) -> Self {
        let (&[first, ..], &[.., last]) = (widths, widths) else {
            panic!("ResNet: widths must contain the number of maps of at least one stage, got []")
        };
        let mut inputs = first;
        let stages = widths
            .iter()
            .enumerate()
            .map(|(stage, &outputs)| {
                (0..blocks)
                    .map(|block| {
                        let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                        let block = BasicBlock::of(inputs, outputs, stride, rng);
                        inputs = outputs;
                        block
                    })
                    .collect()
            })
            .collect();
        ResNet {
            conv1: conv3x3(channels, first, rng),
            bn1: BatchNorm2d::of(first),
            stages,
            fc: Linear::of(last, classes, rng),
        }
    }
}

impl<T: Float> Layer<T> for ResNet<T> {
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let mut x = self.bn1.forward(self.conv1.forward(x)).relu();
        for block in self.stages.iter().flatten() {
            x = block.forward(x);
        }
        self.fc.forward(x.mean(&[2, 3], false))
    }
}
