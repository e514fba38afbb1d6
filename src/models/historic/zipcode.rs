//! The network of 1989 for handwritten zip codes.

use super::scaled_tanh::ScaledTanh;
use super::table_conv::TableConv2d;
use crate::models::check_images::check_images;
use crate::prelude::*;
use rand::Rng;
use wengert_nn::init;

/// The network of 1989 for handwritten zip codes: \[N, 1, 16, 16\] → \[N, 10\] scores. (LeCun et
/// al., "Backpropagation Applied to Handwritten Zip Code Recognition", Neural Computation 1(4),
/// 1989.)
///
/// | layer | | parameters |
/// |---|---|---|
/// | H1: 12 maps of 8×8 | 5×5 kernels, stride 2, a bias for every unit | 1,068 |
/// | H2: 12 maps of 4×4 | 5×5 kernels on 8 maps of H1, stride 2, a bias for every unit | 2,592 |
/// | H3: 30 units | linear | 5,790 |
/// | output: 10 units | linear | 310 |
///
/// The function 1.7159 tanh(2a/3) follows every layer. Positions beyond the border have the value
/// of the background, -1. The paper does not say which 8 maps of H1 each map of H2 reads. Here map
/// i reads the maps i to i + 7, modulo 12.
///
/// ```
/// use wengert::models::ZipcodeNet;
/// use wengert::prelude::*;
/// let model = ZipcodeNet::new(&mut Philox::new(0));
/// assert_eq!(model.parameter_count(), 9_760);
/// assert_eq!(model.predict(&Tensor::zeros(&[2, 1, 16, 16])).shape(), [2, 10]);
/// ```
#[derive(Debug, Clone, Module)]
#[module(crate = "wengert_autograd")]
pub struct ZipcodeNet<T: Float = f32> {
    /// The kernels of H1.
    pub h1: TableConv2d<T>,
    /// The biases of H1: \[12, 8, 8\].
    pub h1_bias: Param<T>,
    /// The kernels of H2.
    pub h2: TableConv2d<T>,
    /// The biases of H2: \[12, 4, 4\].
    pub h2_bias: Param<T>,
    /// H3, from 12·4·4 to 30 units.
    pub h3: Linear<T>,
    /// The output layer, from 30 to 10 units.
    pub output: Linear<T>,
}

impl ZipcodeNet {
    /// Creates a network of `f32` with weights drawn uniformly from ±2.4/F, where F is the number of
    /// inputs of a unit, its bias included. The biases are 0.
    pub fn new(rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::of(rng)
    }
}

impl<T: Float> ZipcodeNet<T> {
    /// Creates a network of any element type, as [`ZipcodeNet::new`] does for `f32`:
    /// `ZipcodeNet::<f64>::of(…)`.
    pub fn of(rng: &mut (impl Rng + ?Sized)) -> Self {
        let all: Vec<_> = (0..12).map(|_| vec![0]).collect();
        let some: Vec<_> = (0..12).map(|map| (map..map + 8).map(|i| i % 12).collect()).collect();
        let kernels = |inputs, table: &[Vec<usize>], rng: &mut _| {
            TableConv2d::of(inputs, table, 5, rng).stride(2).without_bias()
        };
        let mut model = ZipcodeNet {
            h1: kernels(1, &all, &mut *rng),
            h1_bias: Tensor::zeros_of(&[12, 8, 8]).into(),
            h2: kernels(12, &some, &mut *rng),
            h2_bias: Tensor::zeros_of(&[12, 4, 4]).into(),
            h3: Linear::of(12 * 4 * 4, 30, rng),
            output: Linear::of(30, 10, rng),
        };
        for layer in [&mut model.h3, &mut model.output] {
            let bound = 2.4 / (layer.inputs() + 1) as f64;
            init::uniform(&mut layer.weight, -bound, bound, rng);
            layer.bias.iter_mut().for_each(init::zeros);
        }
        model
    }
}

impl<T: Float> Layer<T> for ZipcodeNet<T> {
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        const BORDER: [(usize, usize); 4] = [(0, 0), (0, 0), (2, 2), (2, 2)];
        check_images("ZipcodeNet", x, 1, Some(16));
        let tape = x.tape();
        let squash = |x: Var<'t, T>| ScaledTanh.call(x); // `call` opens no scope
        let x = self.h1.forward(x.pad(&BORDER, -1.0));
        let x = squash(x + tape.param(&self.h1_bias));
        let x = self.h2.forward(x.pad(&BORDER, -1.0));
        let x = squash(x + tape.param(&self.h2_bias));
        let x = squash(self.h3.forward(x.flatten(1, -1)));
        squash(self.output.forward(x))
    }
}
