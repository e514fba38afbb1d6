//! Nonlinear functions as layers. Without parameters, so they are the same for every element type.

use crate::layer::Layer;
use wengert_autograd::Var;
use wengert_nn_derive::Module;
use wengert_tensor::Float;

macro_rules! activations {
    ($($(#[$doc:meta])* $Name:ident: |$x:ident| $y:expr;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Module)]
        #[module(crate = "wengert_autograd")]
        pub struct $Name;

        impl<T: Float> Layer<T> for $Name {
            fn forward<'t>(&self, $x: Var<'t, T>) -> Var<'t, T> {
                $y
            }
        }
    )* };
}
activations! {
    /// max(x, 0), the rectified linear unit.
    Relu: |x| x.relu();
    /// The hyperbolic tangent.
    Tanh: |x| x.tanh();
    /// The logistic function, 1 / (1 + e⁻ˣ).
    Sigmoid: |x| x.sigmoid();
    /// ln(1 + eˣ), a smooth relu.
    Softplus: |x| x.softplus();
    /// x itself: a place kept for something else.
    Identity: |x| x;
}

/// eˣ / Σ eˣ along an axis (-1: the last), stable for inputs of any size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Module)]
#[module(crate = "wengert_autograd")]
pub struct Softmax(pub isize);

impl<T: Float> Layer<T> for Softmax {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.softmax(self.0)
    }
}

/// ln(eˣ / Σ eˣ) along an axis (-1: the last), stable for inputs of any size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Module)]
#[module(crate = "wengert_autograd")]
pub struct LogSoftmax(pub isize);

impl<T: Float> Layer<T> for LogSoftmax {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.log_softmax(self.0)
    }
}
