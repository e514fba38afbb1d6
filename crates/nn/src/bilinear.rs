//! Layers of affine maps with more than one product.

use crate::activation::maxout;
use crate::check_input::check_bias;
use crate::layer::Layer;
use crate::linear::Linear;
use rand::Rng;
use wengert_autograd::{Param, Var};
use wengert_nn_derive::Module;
use wengert_tensor::{Float, Tensor};

/// Computes yₖ = aᵀ Wₖ b + biasₖ of two vectors along the last axis: \[…, first\] and \[…, second\] →
/// \[…, outputs\].
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::nn::Bilinear;
/// use wengert::tensor::Tensor;
/// let weight = Tensor::from([[1.0, 0.0], [0.0, 2.0]]).unsqueeze(0);
/// let layer = Bilinear::from_tensors(weight, Some(Tensor::from([0.5])));
/// let tape = Tape::new();
/// let [a, b] = [[1.0, 2.0], [3.0, 4.0]].map(|x| tape.constant(Tensor::from(x)));
/// assert_eq!(layer.forward(a, b).value().to_vec(), [19.5]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct Bilinear<T: Float = f32> {
    /// The weight W: [outputs, first, second].
    pub weight: Param<T>,
    /// The bias: \[outputs\].
    pub bias: Option<Param<T>>,
}

impl Bilinear {
    /// Creates a layer of `f32` for vectors of `first` and `second` numbers. Weight and bias are drawn
    /// uniformly from ±1/√first, PyTorch's default.
    ///
    /// # Panics
    /// If `first` is 0.
    #[track_caller]
    pub fn new(first: usize, second: usize, outputs: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::of(first, second, outputs, rng)
    }
}

impl<T: Float> Bilinear<T> {
    /// Creates a layer of any element type, as [`Bilinear::new`] does for `f32`:
    /// `Bilinear::<f64>::of(…)`.
    ///
    /// # Panics
    /// If `first` is 0.
    #[track_caller]
    pub fn of(first: usize, second: usize, outputs: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        assert!(
            first > 0,
            "Bilinear: first must be at least 1, got 0 (the weights are drawn from ±1/√first)"
        );
        let bound = 1.0 / (first as f64).sqrt();
        let weight = Tensor::uniform_of(&[outputs, first, second], -bound, bound, rng);
        let bias = Tensor::uniform_of(&[outputs], -bound, bound, rng);
        Bilinear { weight: weight.into(), bias: Some(bias.into()) }
    }

    /// Creates a layer from a weight [outputs, first, second] and a bias \[outputs\].
    ///
    /// # Panics
    /// If the weight or the bias has another shape.
    #[track_caller]
    pub fn from_tensors(weight: Tensor<T>, bias: Option<Tensor<T>>) -> Self {
        let shape = weight.shape();
        assert!(
            shape.rank() == 3,
            "Bilinear::from_tensors: expected a weight [outputs, first, second], got {shape}"
        );
        check_bias("Bilinear::from_tensors", &weight, bias.as_ref());
        Bilinear { weight: weight.into(), bias: bias.map(Into::into) }
    }

    /// Removes the bias.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Bilinear { bias: None, ..self }
    }

    /// Computes the output of two inputs, whose axes before the last are equal.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    pub fn forward<'t>(&self, first: Var<'t, T>, second: Var<'t, T>) -> Var<'t, T> {
        let tape = first.tape();
        let scope = tape.open(self);
        let (a, b, weight) = (first.shape(), second.shape(), self.weight.shape());
        let (outputs, i, j) = (weight[0], weight[1], weight[2]);
        let fits =
            a.last() == Some(&i) && b.last() == Some(&j) && a[..a.rank() - 1] == b[..b.rank() - 1];
        if !fits {
            tape.shape_error(format!("bilinear: expected […, {i}] and […, {j}], got {a} and {b}"))
        }
        let n: usize = a[..a.rank() - 1].iter().product();
        // aᵀ W for all outputs at once: [n, i] times [i, outputs · j].
        let weight = tape.param(&self.weight).transpose(0, 1).reshape(&[i, outputs * j]);
        let products = first.reshape(&[n, i]).matmul(weight).reshape(&[n, outputs, j]);
        let y = products.matmul(second.reshape(&[n, j, 1])).squeeze(2);
        let y = y.reshape(&[&a[..a.rank() - 1], &[outputs]].concat());
        scope.close(match &self.bias {
            Some(bias) => y + tape.param(bias),
            None => y,
        })
    }
}

/// Computes the largest of several affine maps for each output: yᵢ = maxⱼ (x Wᵢⱼᵀ + bᵢⱼ), along the
/// last axis. (Goodfellow, Warde-Farley, Mirza, Courville, Bengio, "Maxout networks", 2013.)
///
/// ```
/// use wengert::nn::{Layer, Maxout};
/// use wengert::tensor::{Philox, Tensor};
/// let layer = Maxout::new(8, 4, 3, &mut Philox::new(0));
/// assert_eq!(layer.linear.weight.shape(), [12, 8]);
/// assert_eq!(layer.predict(&Tensor::zeros(&[5, 8])).shape(), [5, 4]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct Maxout<T: Float = f32> {
    /// The affine maps: rows i · pieces to i · pieces + pieces − 1 of the weight belong to output i.
    pub linear: Linear<T>,
    pieces: usize,
}

impl Maxout {
    /// Creates a layer of `f32` with this number of maps for each output. Weights and biases are those
    /// of [`Linear::new`].
    ///
    /// # Panics
    /// If `inputs` or `pieces` is 0.
    #[track_caller]
    pub fn new(
        inputs: usize,
        outputs: usize,
        pieces: usize,
        rng: &mut (impl Rng + ?Sized),
    ) -> Self {
        Self::of(inputs, outputs, pieces, rng)
    }
}

impl<T: Float> Maxout<T> {
    /// Creates a layer of any element type, as [`Maxout::new`] does for `f32`: `Maxout::<f64>::of(…)`.
    ///
    /// # Panics
    /// If `inputs` or `pieces` is 0.
    #[track_caller]
    pub fn of(inputs: usize, outputs: usize, pieces: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        assert!(pieces > 0, "Maxout: pieces must be at least 1, got 0");
        Maxout { linear: Linear::of(inputs, outputs * pieces, rng), pieces }
    }

    /// Creates a layer from a weight [outputs · pieces, inputs] and a bias [outputs · pieces].
    ///
    /// # Panics
    /// If the weight or the bias has another shape.
    #[track_caller]
    pub fn from_tensors(weight: Tensor<T>, bias: Option<Tensor<T>>, pieces: usize) -> Self {
        let shape = weight.shape();
        assert!(
            shape.rank() == 2 && pieces > 0 && shape[0].is_multiple_of(pieces),
            "Maxout::from_tensors: expected a weight [outputs · pieces, inputs], got {shape} and {pieces} pieces"
        );
        Maxout { linear: Linear::from_tensors(weight, bias), pieces }
    }
}

impl<T: Float> Layer<T> for Maxout<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        maxout(self.linear.forward(x), self.pieces)
    }
}
