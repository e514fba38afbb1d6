//! Root mean square normalisation.

use super::times;
use crate::check_input::check_last_axes;
use crate::layer::Layer;
use wengert_autograd::{Param, Var};
use wengert_nn_derive::Module;
use wengert_tensor::{Float, Shape, Tensor};

/// Divides each sample by the root mean square over its last axes, then scales element by element:
///
/// y = x / √(mean of x² + ε) · weight
///
/// The layer does the same in training and evaluation. The weights start at 1. By default ε is the
/// distance from 1 to the next number of the element type, as in PyTorch. (Zhang, Sennrich, "Root
/// mean square layer normalization", 2019.)
///
/// ```
/// use wengert::nn::{Layer, RmsNorm};
/// use wengert::tensor::Tensor;
/// let y = RmsNorm::new(&[2]).eps(0.0).predict(&Tensor::from([[1.0, 7.0], [-5.0, 5.0]]));
/// assert_eq!(y.to_vec(), [0.2, 1.4, -1.0, 1.0]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct RmsNorm<T: Float = f32> {
    /// The weight γ, in the normalised shape.
    pub weight: Option<Param<T>>,
    normalized_shape: Shape,
    eps: f64,
}

impl RmsNorm {
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

impl<T: Float> RmsNorm<T> {
    /// Creates a layer of any element type, as [`RmsNorm::new`] does for `f32`:
    /// `RmsNorm::<f64>::of(…)`.
    ///
    /// # Panics
    /// If `normalized_shape` is empty.
    #[track_caller]
    pub fn of(normalized_shape: &[usize]) -> Self {
        assert!(
            !normalized_shape.is_empty(),
            "RmsNorm: normalized_shape must contain the size of at least one axis, got []"
        );
        RmsNorm {
            weight: Some(Tensor::ones_of(normalized_shape).into()),
            normalized_shape: Shape::new(normalized_shape),
            eps: T::EPSILON,
        }
    }

    /// Creates a layer from a weight in the normalised shape.
    ///
    /// # Panics
    /// If the weight has no axis.
    #[track_caller]
    pub fn from_tensors(weight: Tensor<T>) -> Self {
        let shape = weight.shape();
        assert!(shape.rank() > 0, "RmsNorm::from_tensors: expected a weight […], got {shape}");
        RmsNorm { weight: Some(weight.into()), ..Self::of(&shape) }
    }

    /// Returns the sizes of the axes that the layer normalises over.
    pub fn normalized_shape(&self) -> &[usize] {
        &self.normalized_shape
    }

    /// Sets ε, which is added to the mean square. The default is the distance from 1 to the next
    /// number of the element type.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        RmsNorm { eps, ..self }
    }

    /// Removes the weight.
    #[must_use]
    pub fn without_affine(self) -> Self {
        RmsNorm { weight: None, ..self }
    }
}

impl<T: Float> Layer<T> for RmsNorm<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let axes = check_last_axes("rms_norm", x, &self.normalized_shape);
        let scale = (x.square().mean(&axes, true) + self.eps).sqrt().recip();
        // Two separate products: the scale has one value per sample, the weight one per element.
        times(x * scale, self.weight.as_ref().map(|weight| x.tape().param(weight)))
    }
}
