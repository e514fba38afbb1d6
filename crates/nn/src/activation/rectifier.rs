//! Rectifiers: functions that pass large positive numbers, and limit or shrink the others.

use super::activations;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};
use wengert_autograd::{Mode, Var};
use wengert_tensor::Float;

/// α and the scale of [`Selu`], from the paper: with them, mean 0 and variance 1 are a fixed point.
const SELU: [f64; 2] = [1.673_263_242_354_377_2, 1.050_700_987_355_480_5];

activations! {
    /// Computes the rectified linear unit, max(x, 0). At 0 the derivative is 0.
    Relu as relu: |x| x.relu();
    /// Computes min(max(x, 0), 6). At 0 and 6 the derivative is 0. (Krizhevsky, "Convolutional deep
    /// belief networks on CIFAR-10", 2010.)
    Relu6 as relu6: |x| hardtanh(x, 0.0, 6.0);
    /// Computes x limited to the interval from `low` to `high`, a piecewise linear version of the
    /// hyperbolic tangent. PyTorch's defaults are -1 and 1. At both ends the derivative is 0.
    ///
    /// ```
    /// use wengert::nn::{Hardtanh, Layer};
    /// use wengert::tensor::Tensor;
    /// let y = Hardtanh(-1.0, 1.0).predict(&Tensor::from([-4.0, 0.25, 4.0]));
    /// assert_eq!(y.to_vec(), [-1.0, 0.25, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If `low` is above `high`.
    Hardtanh(low: f64, high: f64) as hardtanh: |x| {
        assert!(low <= high, "hardtanh: low must not be above high, got {low} and {high}");
        Var::where_(x.le(low), low, Var::where_(x.ge(high), high, x))
    };
    /// Computes x where x is above a limit, and `value` elsewhere. The fields are the limit and the
    /// value. At the limit the derivative is 0.
    Threshold(limit: f64, value: f64) as threshold: |x| {
        Var::where_(x.le(limit), value, x)
    };
    /// Computes x where x is positive, and slope · x elsewhere. The field is the slope; PyTorch's
    /// default is 0.01. At 0 the derivative is the slope. (Maas, Hannun, Ng, "Rectifier nonlinearities
    /// improve neural network acoustic models", 2013.)
    LeakyRelu(slope: f64) as leaky_relu: |x| Var::where_(x.gt(0), x, slope * x);
    /// Computes x where x is positive, and a · x elsewhere. In training, each element has an `a` of
    /// its own, drawn uniformly from `lower` to `upper`; in evaluation, `a` is their mean. PyTorch's
    /// defaults are 1/8 and 1/3. At 0 the derivative is a. (Xu, Wang, Chen, Li, "Empirical evaluation
    /// of rectified activations in convolutional network", 2015.)
    ///
    /// # Panics
    /// If `lower` is above `upper`, or if the tape has no mode.
    RRelu(lower: f64, upper: f64) as rrelu: |x| {
        assert!(lower <= upper, "rrelu: lower must not be above upper, got {lower} and {upper}");
        if x.tape().expect_mode("rrelu") == Mode::Eval {
            return leaky_relu(x, f64::midpoint(lower, upper));
        }
        let slopes = lower + (upper - lower) * x.tape().rand(x.shape());
        Var::where_(x.gt(0), x, slopes * x)
    };
    /// Computes the exponential linear unit: x where x is positive, and α · (eˣ − 1) elsewhere. The
    /// field is α; PyTorch's default is 1. At 0 the derivative is α. (Clevert, Unterthiner, Hochreiter,
    /// "Fast and accurate deep network learning by exponential linear units", 2015.)
    ///
    /// ```
    /// use wengert::nn::{Elu, Layer};
    /// use wengert::tensor::Tensor;
    /// assert_eq!(Elu(2.0).predict(&Tensor::from([-1e4, 0.0, 3.0])).to_vec(), [-2.0, 0.0, 3.0]);
    /// ```
    Elu(alpha: f64) as elu: |x| Var::where_(x.gt(0), x, alpha * expm1_of_negative(x));
    /// Computes x where x is positive, and α · (exp(x / α) − 1) elsewhere. The field is α; PyTorch's
    /// default is 1. The derivative is continuous: 1 at 0. (Barron, "Continuously differentiable
    /// exponential linear units", 2017.)
    ///
    /// # Panics
    /// If α is not positive.
    Celu(alpha: f64) as celu: |x| {
        assert!(alpha > 0.0, "celu: alpha must be positive, got {alpha}");
        Var::where_(x.gt(0), x, alpha * expm1_of_negative(x / alpha))
    };
    /// Computes λ · x where x is positive, and λ · α · (eˣ − 1) elsewhere, with λ = 1.0507… and
    /// α = 1.6733…. With weights of [`init::lecun_normal`](crate::init::lecun_normal), the values keep
    /// mean 0 and variance 1 from layer to layer. At 0 the derivative is λ · α. (Klambauer,
    /// Unterthiner, Mayr, Hochreiter, "Self-normalizing neural networks", 2017.)
    Selu as selu: |x| SELU[1] * elu(x, SELU[0]);
    /// Computes ln(1 + eˣ), a smooth version of the rectified linear unit, accurate for every x.
    /// [`ScaledSoftplus`] has PyTorch's `beta` and `threshold`.
    Softplus as softplus: |x| x.softplus();
    /// Computes ln(1 + exp(βx)) / β, and x itself where βx is above the threshold. The fields are β
    /// and the threshold; PyTorch's defaults are 1 and 20. With an infinite threshold, the formula
    /// serves every x, without overflow.
    ///
    /// ```
    /// use wengert::nn::{Layer, ScaledSoftplus};
    /// use wengert::tensor::Tensor;
    /// let y = ScaledSoftplus(2.0, 20.0).predict(&Tensor::from([0.0, 1e4]));
    /// assert!((y.at(&[0]) - 0.5 * std::f32::consts::LN_2).abs() < 1e-6);
    /// assert_eq!(y.at(&[1]), 1e4);
    /// ```
    ScaledSoftplus(beta: f64, threshold: f64) as scaled_softplus: |x| {
        let scaled = beta * x;
        Var::where_(scaled.gt(threshold), x, scaled.softplus() / beta)
    };
    /// Computes x − λ where x is above λ, x + λ where x is below −λ, and 0 between them. The field is
    /// λ; PyTorch's default is ½. At ±λ the derivative is 0.
    ///
    /// # Panics
    /// If λ is negative.
    Softshrink(lambda: f64) as softshrink: |x| {
        assert!(lambda >= 0.0, "softshrink: lambda must not be negative, got {lambda}");
        Var::where_(x.abs().le(lambda), 0, x - lambda * x.sign())
    };
    /// Computes 0 where |x| is at most λ, and x elsewhere. The field is λ; PyTorch's default is ½. At
    /// ±λ the derivative is 0.
    ///
    /// # Panics
    /// If λ is negative.
    Hardshrink(lambda: f64) as hardshrink: |x| {
        assert!(lambda >= 0.0, "hardshrink: lambda must not be negative, got {lambda}");
        Var::where_(x.abs().le(lambda), 0, x)
    };
    /// Computes x · Φ(x), where Φ is the distribution function of the standard normal distribution,
    /// Φ(x) = ½ erfc(-x / √2). The result is accurate for every x, also where it is tiny: at -10 it is
    /// -7.62 · 10⁻²³ (PyTorch computes ½(1 + erf(x / √2)), which is 0 there). (Hendrycks, Gimpel, "Gaussian error linear units", 2016.)
    ///
    /// ```
    /// use wengert::nn::{Gelu, Layer};
    /// use wengert::tensor::Tensor;
    /// assert_eq!(Gelu.predict(&Tensor::from([-1e4, 0.0, 1e4])).to_vec(), [0.0, 0.0, 1e4]);
    /// ```
    Gelu as gelu: |x| x * x.ndtr();
    /// Computes an approximation of [`Gelu`] with the hyperbolic tangent:
    /// ½x · (1 + tanh(√(2/π) · (x + 0.044715x³))). PyTorch: `GELU(approximate="tanh")`.
    GeluTanh as gelu_tanh: |x| {
        let inner = FRAC_2_SQRT_PI * FRAC_1_SQRT_2 * (x + 0.044715 * x.powi(3));
        0.5 * x * (1.0 + inner.tanh())
    };
    /// Computes x · σ(x), also called swish. (Elfwing, Uchibe, Doya, "Sigmoid-weighted linear units
    /// for neural network function approximation in reinforcement learning", 2017.)
    Silu as silu: |x| x * x.sigmoid();
    /// Computes x · tanh(ln(1 + eˣ)). (Misra, "Mish: a self regularized non-monotonic activation
    /// function", 2019.)
    Mish as mish: |x| x * x.softplus().tanh();
    /// Computes a piecewise version of [`Silu`]: 0 for x ≤ -3, x for x ≥ 3, and x · (x + 3) / 6
    /// between them. The derivative is 0 at -3 and 1 at 3. (Howard and others, "Searching for
    /// MobileNetV3", 2019.)
    Hardswish as hardswish: |x| {
        // The square of an infinite number would have the derivative NaN, although it is not selected.
        let middle = x.clamp(-3.0, 3.0);
        Var::where_(x.le(-3), 0, Var::where_(x.ge(3), x, middle * (middle + 3.0) / 6.0))
    };
}

/// Returns eˣ − 1 for x ≤ 0, and 0 for larger x, where eˣ might overflow: the derivative would be 0 · ∞.
fn expm1_of_negative<T: Float>(x: Var<'_, T>) -> Var<'_, T> {
    x.clamp_max(0.0).expm1()
}
