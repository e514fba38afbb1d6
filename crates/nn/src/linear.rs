//! The fully connected layer.

use crate::check_input::check_bias;
use crate::layer::Layer;
use rand::Rng;
use wengert_autograd::{Param, Var};
use wengert_nn_derive::Module;
use wengert_tensor::{Float, Tensor};

/// Applies y = x Wᵀ + b along the last axis: \[…, inputs\] → \[…, outputs\].
///
/// ```
/// use wengert::nn::{Layer, Linear};
/// use wengert::tensor::Tensor;
/// let layer = Linear::from_tensors(
///     Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
///     Some(Tensor::from([0.5, 0.0, -0.5])),
/// );
/// assert_eq!(layer.predict(&Tensor::from([1.0, 10.0])).to_vec(), [21.5, 43.0, 64.5]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct Linear<T: Float = f32> {
    /// The weight W: [outputs, inputs].
    pub weight: Param<T>,
    /// The bias b: \[outputs\].
    pub bias: Option<Param<T>>,
}

impl Linear {
    /// Creates a layer of `f32`. Weight and bias are drawn uniformly from ±1/√inputs, PyTorch's
    /// default. For the weight, this equals [`kaiming_uniform`](crate::init::kaiming_uniform) with
    /// gain √⅓.
    ///
    /// # Panics
    /// If `inputs` is 0.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::of(inputs, outputs, rng)
    }
}

impl<T: Float> Linear<T> {
    /// Creates a layer of any element type, as [`Linear::new`] does for `f32`:
    /// `Linear::<f64>::of(…)`.
    ///
    /// # Panics
    /// If `inputs` is 0.
    #[track_caller]
    pub fn of(inputs: usize, outputs: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        assert!(
            inputs > 0,
            "Linear: inputs must be at least 1, got 0 (the weights are drawn from ±1/√inputs)"
        );
        let bound = 1.0 / (inputs as f64).sqrt();
        let weight = Tensor::uniform_of(&[outputs, inputs], -bound, bound, rng);
        let bias = Tensor::uniform_of(&[outputs], -bound, bound, rng);
        Linear { weight: weight.into(), bias: Some(bias.into()) }
    }

    /// Removes the bias: y = x Wᵀ.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Linear { bias: None, ..self }
    }

    /// Creates a layer from a weight [outputs, inputs] and a bias \[outputs\].
    ///
    /// # Panics
    /// If the weight or the bias has another shape.
    #[track_caller]
    pub fn from_tensors(weight: Tensor<T>, bias: Option<Tensor<T>>) -> Self {
        let shape = weight.shape();
        assert!(
            shape.rank() == 2,
            "Linear::from_tensors: expected a weight [outputs, inputs], got {shape}"
        );
        check_bias("Linear::from_tensors", &weight, bias.as_ref());
        Linear { weight: weight.into(), bias: bias.map(Into::into) }
    }

    /// Returns the size of the input's last axis.
    pub fn inputs(&self) -> usize {
        self.weight.shape()[1]
    }

    /// Returns the size of the output's last axis.
    pub fn outputs(&self) -> usize {
        self.weight.shape()[0]
    }
}

impl<T: Float> Layer<T> for Linear<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let (tape, shape, inputs) = (x.tape(), x.shape(), self.inputs());
        if shape.last() != Some(&inputs) {
            tape.shape_error(format!(
                "linear: expected […, {inputs}], got {shape}{}",
                hint(&shape, inputs)
            ))
        }
        let y = x.matmul_t(tape.param(&self.weight), false, true); // x Wᵀ
        match &self.bias {
            Some(bias) => y + tape.param(bias),
            None => y,
        }
    }
}

/// Returns a hint for the error message: the probable mistake of the caller.
fn hint(shape: &[usize], inputs: usize) -> &'static str {
    let ends_in_them = |from: usize| shape[from..].iter().product::<usize>() == inputs;
    match shape.len() {
        0 => "",
        rank if (0..rank - 1).any(ends_in_them) => " (flatten the axes of each sample first)",
        rank if shape[..rank - 1].contains(&inputs) => {
            " (another axis has this size: transpose first)"
        }
        _ => "",
    }
}
