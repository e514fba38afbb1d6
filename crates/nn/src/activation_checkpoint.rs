//! The [`ActivationCheckpoint`] layer, which saves memory by a second forward pass.

use crate::layer::Layer;
use wengert_autograd::{FirstState, Module, Outline, Path, See, SeeMut, Var};
use wengert_tensor::Float;

/// Wraps a layer and recomputes its intermediate values in the backward pass instead of keeping
/// them.
///
/// Outputs and gradients are the same as those of the inner layer, bit for bit; see
/// [`Tape::checkpoint`](wengert_autograd::Tape::checkpoint). Parameters keep the names that they
/// have in the inner layer, so a saved model can be loaded with and without activation checkpoints.
///
/// ```
/// use wengert::nn::{ActivationCheckpoint, Layer, Linear, Sequential, Tanh, sequential};
/// use wengert::tensor::{Philox, Tensor};
/// let rng = &mut Philox::new(0);
/// // 36 layers in activation checkpoints of 6.
/// let mut model = Sequential::new();
/// for _ in 0..6 {
///     let mut part = Sequential::new();
///     for _ in 0..6 {
///         part = part.add(Linear::new(8, 8, rng)).add(Tanh);
///     }
///     model = model.add(ActivationCheckpoint(part));
/// }
/// assert_eq!(model.predict(&Tensor::zeros(&[5, 8])).shape(), [5, 8]);
/// ```
#[derive(Clone, Debug)]
pub struct ActivationCheckpoint<L>(pub L);

/// Delegates to the inner layer.
impl<L: Module> Module for ActivationCheckpoint<L> {
    fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
        self.0.visit(path, see);
    }
    fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
        self.0.visit_mut(path, see);
    }
    fn first_state(&self) -> Option<FirstState> {
        self.0.first_state()
    }
    fn type_name(&self) -> &'static str {
        self.0.type_name()
    }
    fn outline(&self) -> Outline {
        self.0.outline()
    }
}

impl<T: Float, L: Layer<T> + Clone> Layer<T> for ActivationCheckpoint<L> {
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.tape().checkpoint(|| self.0.call(x))
    }
}
