//! Functions of the shape of an S, and their relatives.

use super::activations;
use wengert_autograd::Var;

activations! {
    /// Computes the hyperbolic tangent.
    Tanh as tanh: |x| x.tanh();
    /// Computes the logistic function, 1 / (1 + e⁻ˣ).
    Sigmoid as sigmoid: |x| x.sigmoid();
    /// Computes ln σ(x) = −ln(1 + e⁻ˣ), accurate for every x.
    LogSigmoid as log_sigmoid: |x| -(-x).softplus();
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
    Hardsigmoid as hardsigmoid: |x| Var::where_(x.ge(3), 6, (x + 3.0).relu()) / 6.0;
    /// Computes x / (1 + |x|). The derivative is 1 at 0.
    ///
    /// ```
    /// use wengert::nn::{Layer, Softsign};
    /// use wengert::tensor::Tensor;
    /// assert_eq!(Softsign.predict(&Tensor::from([-1.0, 0.0, 3.0])).to_vec(), [-0.5, 0.0, 0.75]);
    /// ```
    Softsign as softsign: |x| x / (1.0 + x.abs());
    /// Computes the inverse tangent, from -π/2 to π/2. The derivative is 1 / (1 + x²).
    ///
    /// ```
    /// use wengert::nn::{Arctan, Layer};
    /// use wengert::tensor::Tensor;
    /// let y = Arctan.predict(&Tensor::from([-1.0, 0.0, f32::INFINITY]));
    /// assert_eq!(y.to_vec(), [-std::f32::consts::FRAC_PI_4, 0.0, std::f32::consts::FRAC_PI_2]);
    /// ```
    Arctan as arctan: |x| x.atan();
    /// Computes x − tanh x.
    Tanhshrink as tanhshrink: |x| x - x.tanh();
}
