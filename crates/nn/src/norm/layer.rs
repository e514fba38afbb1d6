//! Layer normalisation.

use super::plus;
use crate::check_input::check_last_axes;
use crate::layer::Layer;
use wengert_autograd::{Param, Var};
use wengert_nn_derive::Module;
use wengert_tensor::{Float, Shape, Tensor};

/// Normalises each sample to mean 0 and variance 1 over its last axes, then scales and shifts
/// element by element:
///
/// y = (x − mean) / √(variance + ε) · weight + bias
///
/// The layer does the same in training and evaluation. The weights start at 1 and the biases at 0.
/// By default ε is 1e-5, as in PyTorch. (Ba, Kiros, Hinton, "Layer normalization", 2016.)
///
/// ```
/// use wengert::nn::{Layer, LayerNorm};
/// use wengert::tensor::Tensor;
/// let y = LayerNorm::new(&[2]).eps(0.0).predict(&Tensor::from([[1.0, 3.0], [-5.0, 5.0]]));
/// assert_eq!(y.to_vec(), [-1.0, 1.0, -1.0, 1.0]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct LayerNorm<T: Float = f32> {
    /// The weight γ, in the normalised shape.
    pub weight: Option<Param<T>>,
    /// The bias β, in the normalised shape.
    pub bias: Option<Param<T>>,
    normalized_shape: Shape,
    eps: f64,
}

impl LayerNorm {
    /// Creates a layer of `f32` that normalises over the last axes; `normalized_shape` gives their
    /// sizes.
    ///
    /// # Panics
    /// If `normalized_shape` is empty.
    #[track_caller]
    pub fn new(normalized_shape: &[usize]) -> Self {
        Self::of(normalized_shape)
    }
}

impl<T: Float> LayerNorm<T> {
    /// Creates a layer of any element type, as [`LayerNorm::new`] does for `f32`:
    /// `LayerNorm::<f64>::of(…)`.
    ///
    /// # Panics
    /// If `normalized_shape` is empty.
    #[track_caller]
    pub fn of(normalized_shape: &[usize]) -> Self {
        assert!(
            !normalized_shape.is_empty(),
            "LayerNorm: normalized_shape must contain the size of at least one axis, got []"
        );
        LayerNorm {
            weight: Some(Tensor::ones_of(normalized_shape).into()),
            bias: Some(Tensor::zeros_of(normalized_shape).into()),
            normalized_shape: Shape::new(normalized_shape),
            eps: 1e-5,
        }
    }

    /// Creates a layer from a weight and a bias in the normalised shape.
    ///
    /// # Panics
    /// If the weight has no axis, or the bias has another shape.
    #[track_caller]
    pub fn from_tensors(weight: Tensor<T>, bias: Option<Tensor<T>>) -> Self {
        let shape = weight.shape();
        assert!(shape.rank() > 0, "LayerNorm::from_tensors: expected a weight […], got {shape}");
        if let Some(got) = bias.as_ref().map(Tensor::shape).filter(|got| *got != shape) {
            panic!("LayerNorm::from_tensors: a weight {shape} requires a bias {shape}, got {got}")
        }
        let (weight, bias) = (Some(weight.into()), bias.map(Into::into));
        LayerNorm { weight, bias, ..Self::of(&shape) }
    }

    /// Returns the sizes of the axes that the layer normalises over.
    pub fn normalized_shape(&self) -> &[usize] {
        &self.normalized_shape
    }

    /// Sets ε, which is added to the variance. The default is 1e-5.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        LayerNorm { eps, ..self }
    }

    /// Removes weight and bias.
    #[must_use]
    pub fn without_affine(self) -> Self {
        LayerNorm { weight: None, bias: None, ..self }
    }

    /// Removes the bias.
    #[must_use]
    pub fn without_bias(self) -> Self {
        LayerNorm { bias: None, ..self }
    }
}

impl<T: Float> Layer<T> for LayerNorm<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let axes = check_last_axes("layer_norm", x, &self.normalized_shape).len();
        let param = |param: &Option<Param<T>>| param.as_ref().map(|param| x.tape().param(param));
        let (weight, bias) = (param(&self.weight), param(&self.bias));
        if weight.is_some() {
            return x.layer_norm(axes, weight, bias, self.eps);
        }
        plus(x.layer_norm(axes, None, None, self.eps), bias)
    }
}
