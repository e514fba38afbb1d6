//! Nonlinear functions as layers. They have no parameters, so one type serves every element type.

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
            #[track_caller]
            fn call<'t>(&self, $x: Var<'t, T>) -> Var<'t, T> {
                $y
            }
        }
    )* };
}
activations! {
    /// Computes the rectified linear unit, max(x, 0).
    Relu: |x| x.relu();
    /// Computes the hyperbolic tangent.
    Tanh: |x| x.tanh();
    /// Computes the logistic function, 1 / (1 + e⁻ˣ).
    Sigmoid: |x| x.sigmoid();
    /// Computes ln(1 + eˣ), a smooth version of the rectified linear unit.
    Softplus: |x| x.softplus();
    /// Computes x · σ(x), also called swish. (Elfwing, Uchibe, Doya, "Sigmoid-weighted linear units
    /// for neural network function approximation in reinforcement learning", 2017.)
    Silu: |x| x * x.sigmoid();
    /// Computes a piecewise linear version of the logistic function: 0 for x ≤ -3, 1 for x ≥ 3, and
    /// x/6 + ½ between them. At -3 and 3 the derivative is 0, as in PyTorch. NaN gives NaN.
    ///
    /// ```
    /// use wengert::nn::{Hardsigmoid, Layer};
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([-4.0, -3.0, 0.0, 1.5, 3.0, 5.0]);
    /// assert_eq!(Hardsigmoid.predict(&x).to_vec(), [0.0, 0.0, 0.5, 0.75, 1.0, 1.0]);
    /// ```
    // `clamp_max` would pass the gradient at 3, `where_` passes none.
    Hardsigmoid: |x| Var::where_(x.ge(3), 6, (x + 3.0).relu()) / 6.0;
    /// Returns the values of x in a new variable. Use it as a placeholder for another layer.
    Identity: |x| x.reshape(x.shape());
}

/// Computes x where x is positive, and slope · x elsewhere. The field is the slope; PyTorch's
/// default is 0.01. At 0 the derivative is the slope. (Maas, Hannun, Ng, "Rectifier nonlinearities
/// improve neural network acoustic models", 2013.)
#[derive(Clone, Copy, Debug, PartialEq, Module)]
#[module(crate = "wengert_autograd")]
pub struct LeakyRelu(pub f64);

impl<T: Float> Layer<T> for LeakyRelu {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        Var::where_(x.gt(0), x, self.0 * x)
    }
}

/// Computes eˣ / Σ eˣ along an axis (-1: the last). The computation is stable for inputs of any
/// size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Module)]
#[module(crate = "wengert_autograd")]
pub struct Softmax(pub isize);

impl<T: Float> Layer<T> for Softmax {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.softmax(self.0)
    }
}

/// Computes ln(eˣ / Σ eˣ) along an axis (-1: the last). The computation is stable for inputs of any
/// size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Module)]
#[module(crate = "wengert_autograd")]
pub struct LogSoftmax(pub isize);

impl<T: Float> Layer<T> for LogSoftmax {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.log_softmax(self.0)
    }
}
