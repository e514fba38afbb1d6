//! Initial values for parameters.
//!
//! ```
//! use wengert::nn::{Linear, init};
//! use wengert::tensor::Philox;
//! let mut rng = Philox::new(0);
//! let mut layer = Linear::new(784, 256, &mut rng);
//! init::kaiming_normal(&mut layer.weight, init::Fan::In, init::gain::RELU, &mut rng);
//! init::zeros(layer.bias.as_mut().unwrap());
//! ```

use rand::Rng;
use wengert_autograd::Param;
use wengert_tensor::{Float, Tensor};

/// Gains: factors that make up for the effect of the nonlinearity after a layer on the variance.
pub mod gain {
    use std::f64::consts::SQRT_2;

    /// The gain without a nonlinearity, or with the logistic function: 1.
    pub const LINEAR: f64 = 1.0;
    /// The gain for the hyperbolic tangent: 5/3.
    pub const TANH: f64 = 5.0 / 3.0;
    /// The gain for the rectifier: √2, because half of the inputs pass through it.
    pub const RELU: f64 = SQRT_2;

    /// Returns the gain for a rectifier that multiplies negative inputs by `slope`: √(2 / (1 +
    /// slope²)).
    pub fn leaky_relu(slope: f64) -> f64 {
        (2.0 / (1.0 + slope * slope)).sqrt()
    }
}

/// Selects the number of connections that determines the scale of a unit's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fan {
    /// The connections into a unit. Values keep their variance in the forward pass.
    In,
    /// The connections out of a unit. Gradients keep their variance in the backward pass.
    Out,
}

/// Returns the numbers of connections into and out of a unit, for a weight [out, in, …]. Axes after
/// the second are those of a kernel.
///
/// # Panics
/// If the shape has fewer than two axes.
#[track_caller]
pub fn fans(shape: &[usize]) -> (usize, usize) {
    fans_for("fans", shape)
}

#[track_caller]
fn fans_for(op: &str, shape: &[usize]) -> (usize, usize) {
    let &[out, inputs, ref kernel @ ..] = shape else {
        panic!("{op}: expected a weight [out, in, …], got {shape:?}: use uniform or normal")
    };
    let area: usize = kernel.iter().product();
    (inputs * area, out * area)
}

/// Sets all values to 0.
pub fn zeros<T: Float>(param: &mut Param<T>) {
    constant(param, 0.0);
}

/// Sets all values to 1.
pub fn ones<T: Float>(param: &mut Param<T>) {
    constant(param, 1.0);
}

/// Sets all values to `value`.
pub fn constant<T: Float>(param: &mut Param<T>, value: f64) {
    param.set(Tensor::full_of(&param.shape(), T::of(value)));
}

/// Draws the values uniformly from [low, high).
///
/// # Panics
/// If `low` is above `high`.
#[track_caller]
pub fn uniform<T: Float>(param: &mut Param<T>, low: f64, high: f64, rng: &mut (impl Rng + ?Sized)) {
    param.set(Tensor::uniform_of(&param.shape(), low, high, rng));
}

/// Draws the values from a normal distribution with this mean and standard deviation.
///
/// # Panics
/// If the standard deviation is negative.
#[track_caller]
pub fn normal<T: Float>(param: &mut Param<T>, mean: f64, std: f64, rng: &mut (impl Rng + ?Sized)) {
    param.set(Tensor::normal_of(&param.shape(), mean, std, rng));
}

/// Draws the values uniformly with variance 2 gain² / (fan in + fan out). This is a compromise
/// between the variance of values in the forward pass and of gradients in the backward pass.
/// (Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural networks",
/// 2010.)
///
/// # Panics
/// If the parameter has fewer than two axes, or if the gain is negative or not finite.
#[track_caller]
pub fn xavier_uniform<T: Float>(param: &mut Param<T>, gain: f64, rng: &mut (impl Rng + ?Sized)) {
    let bound = 3f64.sqrt() * xavier("xavier_uniform", param, gain);
    uniform(param, -bound, bound, rng);
}

/// Draws the values from a normal distribution with mean 0 and the variance of [`xavier_uniform`].
///
/// # Panics
/// If the parameter has fewer than two axes, or if the gain is negative or not finite.
#[track_caller]
pub fn xavier_normal<T: Float>(param: &mut Param<T>, gain: f64, rng: &mut (impl Rng + ?Sized)) {
    normal(param, 0.0, xavier("xavier_normal", param, gain), rng);
}

/// Draws the values uniformly with variance gain² / fan. (He, Zhang, Ren, Sun, "Delving deep into
/// rectifiers", 2015.)
///
/// # Panics
/// If the parameter has fewer than two axes, or if the gain is negative or not finite.
#[track_caller]
pub fn kaiming_uniform<T: Float>(
    param: &mut Param<T>,
    fan: Fan,
    gain: f64,
    rng: &mut (impl Rng + ?Sized),
) {
    let bound = 3f64.sqrt() * kaiming("kaiming_uniform", param, fan, gain);
    uniform(param, -bound, bound, rng);
}

/// Draws the values from a normal distribution with mean 0 and the variance of [`kaiming_uniform`].
///
/// # Panics
/// If the parameter has fewer than two axes, or if the gain is negative or not finite.
#[track_caller]
pub fn kaiming_normal<T: Float>(
    param: &mut Param<T>,
    fan: Fan,
    gain: f64,
    rng: &mut (impl Rng + ?Sized),
) {
    normal(param, 0.0, kaiming("kaiming_normal", param, fan, gain), rng);
}

/// Returns the standard deviation. At least 1 connection is assumed, so that empty weights are no
/// error.
#[track_caller]
fn xavier<T: Float>(op: &str, param: &Param<T>, gain: f64) -> f64 {
    check_gain(op, gain);
    let (inputs, outputs) = fans_for(op, &param.shape());
    gain * (2.0 / (inputs + outputs).max(1) as f64).sqrt()
}

#[track_caller]
fn kaiming<T: Float>(op: &str, param: &Param<T>, fan: Fan, gain: f64) -> f64 {
    check_gain(op, gain);
    let (inputs, outputs) = fans_for(op, &param.shape());
    let fan = if fan == Fan::In { inputs } else { outputs };
    gain / (fan.max(1) as f64).sqrt()
}

#[track_caller]
fn check_gain(op: &str, gain: f64) {
    assert!(
        gain >= 0.0 && gain.is_finite(),
        "{op}: gain must be finite and at least 0, got {gain:?}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tensor::Philox;

    /// Returns the mean, the standard deviation and the largest absolute value of a parameter.
    fn statistics(param: &Param<f64>) -> [f64; 3] {
        let numbers = param.value().to_vec();
        let n = numbers.len() as f64;
        let mean = numbers.iter().sum::<f64>() / n;
        let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        [mean, variance.sqrt(), numbers.iter().fold(0.0, |most, x| x.abs().max(most))]
    }

    #[track_caller]
    fn assert_spread(param: &Param<f64>, std: f64, bound: Option<f64>) {
        let [mean, found, largest] = statistics(param);
        let n = param.shape().numel() as f64;
        assert!(mean.abs() < 5.0 * std / n.sqrt(), "mean {mean}");
        assert!((found / std - 1.0).abs() < 5.0 / (2.0 * n).sqrt(), "deviation {found} for {std}");
        match bound {
            Some(bound) => {
                assert!(largest <= bound && largest > 0.99 * bound, "{largest} of {bound}");
            }
            None => assert!(largest > 3.0 * std),
        }
    }

    #[test]
    fn initial_values_have_the_spread_of_the_papers() {
        let rng = &mut Philox::new(4);
        // 30 output channels, 20 input channels, 3×5 kernels: the fans are 300 and 450.
        let param = &mut Param::<f64>::new(Tensor::zeros_of(&[30, 20, 3, 5]));
        assert_eq!(fans(&param.shape()), (300, 450));

        xavier_uniform(param, gain::TANH, rng);
        let std = 5.0 / 3.0 * (2.0 / 750f64).sqrt();
        assert_spread(param, std, Some(std * 3f64.sqrt()));
        xavier_normal(param, gain::LINEAR, rng);
        assert_spread(param, (2.0 / 750f64).sqrt(), None);
        kaiming_uniform(param, Fan::In, gain::RELU, rng);
        assert_spread(param, (2.0 / 300f64).sqrt(), Some((6.0 / 300f64).sqrt()));
        kaiming_normal(param, Fan::Out, gain::leaky_relu(2.0), rng);
        assert_spread(param, (0.4 / 450f64).sqrt(), None);
        uniform(param, -0.5, 0.5, rng);
        assert_spread(param, 1.0 / 12f64.sqrt(), Some(0.5));
        normal(param, 0.0, 2.0, rng);
        assert_spread(param, 2.0, None);
    }

    #[test]
    fn constant_initialisers_fill_a_parameter() {
        let param = &mut Param::new(Tensor::zeros(&[2]));
        ones(param);
        assert_eq!(param.value().to_vec(), [1.0; 2]);
        constant(param, 0.25);
        assert_eq!(param.value().to_vec(), [0.25; 2]);
        zeros(param);
        assert_eq!(param.value().to_vec(), [0.0; 2]);
        assert_eq!(param.version(), 3);
    }

    #[test]
    #[should_panic(
        expected = "xavier_normal: expected a weight [out, in, …], got [3]: use uniform or normal"
    )]
    fn fan_based_initialisation_of_a_bias_panics() {
        xavier_normal(&mut Param::new(Tensor::zeros(&[3])), 1.0, &mut Philox::new(0));
    }
}
