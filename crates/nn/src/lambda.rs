//! Functions as layers, and layers with a bypass.

use crate::activation::Identity;
use crate::layer::Layer;
use std::fmt;
use std::marker::PhantomData;
use wengert_autograd::{FirstState, Module, Outline, Path, See, SeeMut, Var};
use wengert_nn_derive::Module;
use wengert_tensor::Float;

/// A function without parameters as a layer, for a step of a [`Sequential`](crate::Sequential) that
/// needs no type of its own.
///
/// ```
/// use wengert::nn::{Lambda, Layer, Linear, sequential};
/// use wengert::tensor::{Philox, Tensor};
/// let mut rng = Philox::new(0);
/// let model = sequential![
///     Lambda::new(|x| x.reshape([-1, 16])),
///     Linear::new(16, 4, &mut rng),
///     Lambda::new(|x| x.square().sum(&[1], true)),
/// ];
/// assert_eq!(model.predict(&Tensor::zeros(&[5, 4, 4])).shape(), [5, 1]);
/// ```
///
/// The function may capture numbers and tensors, but no parameters: they would be neither trained nor
/// saved. Its text has no name in summaries but `Lambda`.
pub struct Lambda<T: Float, F> {
    function: F,
    of: PhantomData<fn() -> T>,
}

impl<T: Float, F: for<'t> Fn(Var<'t, T>) -> Var<'t, T>> Lambda<T, F> {
    /// Creates a layer that applies this function.
    pub fn new(function: F) -> Self {
        Lambda { function, of: PhantomData }
    }
}

impl<T: Float, F> Layer<T> for Lambda<T, F>
where
    F: for<'t> Fn(Var<'t, T>) -> Var<'t, T> + Clone + Send + Sync + 'static,
{
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let y = (self.function)(x);
        // The output of a layer is a new variable.
        if y.is(x) { Identity.call(x) } else { y }
    }
}

impl<T: Float, F> Module for Lambda<T, F> {
    fn visit<'m>(&'m self, _: &Path<'_>, _: &mut See<'_, 'm>) {}
    fn visit_mut<'m>(&'m mut self, _: &Path<'_>, _: &mut SeeMut<'_, 'm>) {}
    fn first_state(&self) -> Option<FirstState> {
        None
    }
    fn type_name(&self) -> &'static str {
        "Lambda"
    }
    fn outline(&self) -> Outline {
        Outline::new("Lambda")
    }
}

impl<T: Float, F: Clone> Clone for Lambda<T, F> {
    fn clone(&self) -> Self {
        Lambda { function: self.function.clone(), of: PhantomData }
    }
}

impl<T: Float, F> fmt::Debug for Lambda<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lambda")
    }
}

impl<T: Float, F> fmt::Display for Lambda<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outline().fmt(f)
    }
}

/// Adds the input to the output of a layer: y = x + f(x). With a layer in the bypass, y = s(x) + f(x).
/// (He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2015.)
///
/// ```
/// use wengert::nn::{Layer, Linear, Residual, Tanh, sequential};
/// use wengert::tensor::{Philox, Tensor};
/// let mut rng = Philox::new(0);
/// let block = Residual::new(sequential![Linear::new(8, 8, &mut rng), Tanh]);
/// assert_eq!(block.predict(&Tensor::zeros(&[5, 8])).shape(), [5, 8]);
/// let wider = Residual::new(sequential![Linear::new(8, 16, &mut rng), Tanh])
///     .shortcut(Linear::new(8, 16, &mut rng).without_bias());
/// assert_eq!(wider.predict(&Tensor::zeros(&[5, 8])).shape(), [5, 16]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct Residual<L, S = Identity> {
    /// The layer f.
    pub layer: L,
    /// The layer s in the bypass.
    pub shortcut: S,
}

impl<L> Residual<L> {
    /// Creates a layer that adds its input to the output of `layer`.
    pub fn new(layer: L) -> Self {
        Residual { layer, shortcut: Identity }
    }
}

impl<L, S> Residual<L, S> {
    /// Sets the layer in the bypass, for outputs of another shape than the input.
    #[must_use]
    pub fn shortcut<R>(self, shortcut: R) -> Residual<L, R> {
        Residual { layer: self.layer, shortcut }
    }
}

impl<T: Float, L: Layer<T> + Clone, S: Layer<T> + Clone> Layer<T> for Residual<L, S> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let (bypass, y) = (self.shortcut.forward(x), self.layer.forward(x));
        if bypass.shape() != y.shape() {
            x.tape().shape_error(format!(
                "residual: the layer and its bypass must have outputs of the same shape, got {} and {} (use \
                 shortcut for a layer that changes the shape)",
                y.shape(),
                bypass.shape()
            ))
        }
        bypass + y
    }
}
