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
    /// The gain for the scaled exponential linear unit: 3/4, PyTorch's value. [`lecun_normal`] with
    /// gain 1 keeps the variance exactly.
    ///
    /// [`lecun_normal`]: super::lecun_normal
    pub const SELU: f64 = 0.75;

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

/// Draws the values uniformly with variance 1 / fan in. (LeCun, Bottou, Orr, Müller, "Efficient
/// backprop", 1998.)
///
/// # Panics
/// If the parameter has fewer than two axes.
#[track_caller]
pub fn lecun_uniform<T: Float>(param: &mut Param<T>, rng: &mut (impl Rng + ?Sized)) {
    let bound = 3f64.sqrt() * kaiming("lecun_uniform", param, Fan::In, gain::LINEAR);
    uniform(param, -bound, bound, rng);
}

/// Draws the values from a normal distribution with mean 0 and the variance of [`lecun_uniform`]. Use
/// it before [`Selu`](crate::Selu).
///
/// # Panics
/// If the parameter has fewer than two axes.
#[track_caller]
pub fn lecun_normal<T: Float>(param: &mut Param<T>, rng: &mut (impl Rng + ?Sized)) {
    normal(param, 0.0, kaiming("lecun_normal", param, Fan::In, gain::LINEAR), rng);
}

/// Draws the values from a normal distribution with this mean and standard deviation, cut off outside
/// the interval from `low` to `high`. PyTorch's defaults are -2 and 2, not multiplied by the standard
/// deviation.
///
/// Numbers outside the interval are drawn again. In an interval away from the mean, uniform numbers are
/// accepted with the density instead; there, numbers with a density below 2⁻⁵³ of the largest do not
/// occur. (Robert, "Simulation of truncated normal variables", 1995.)
///
/// ```
/// use wengert::autograd::Param;
/// use wengert::nn::init;
/// use wengert::tensor::{Philox, Tensor};
/// let mut weight: Param = Tensor::zeros(&[100]).into();
/// init::truncated_normal(&mut weight, 0.0, 0.02, [-0.04, 0.04], &mut Philox::new(0));
/// assert!(weight.value().to_vec().iter().all(|x| x.abs() <= 0.04));
/// ```
///
/// # Panics
/// If the mean is not finite, the standard deviation is not positive and finite, or `low` is not below `high`.
#[track_caller]
pub fn truncated_normal<T: Float>(
    param: &mut Param<T>,
    mean: f64,
    std: f64,
    [low, high]: [f64; 2],
    rng: &mut (impl Rng + ?Sized),
) {
    assert!(mean.is_finite(), "truncated_normal: the mean must be finite, got {mean:?}");
    assert!(
        std > 0.0 && std.is_finite(),
        "truncated_normal: the standard deviation must be positive and finite, got {std:?}"
    );
    assert!(low < high, "truncated_normal: low must be below high, got {low:?} and {high:?}");
    let [a, b] = [low, high].map(|end| (end - mean) / std);
    // The point of the interval where the density is largest, and the ends of the interval in which it is
    // above 2⁻⁵³ of that.
    let top = 0f64.clamp(a, b);
    if top.abs() > 1e100 {
        // So far away, all numbers are rounded to the end of the interval.
        param.set(Tensor::full_of(&param.shape(), T::of(mean.clamp(low, high))));
        return;
    }
    let far = (top * top + 2.0 * 53.0 * std::f64::consts::LN_2).sqrt();
    let (from, to) = (a.max(-far), b.min(far));
    let shape = param.shape();
    let mut values = Vec::with_capacity(shape.numel());
    while values.len() < shape.numel() {
        let need = shape.numel() - values.len();
        if a <= 0.0 && b >= 0.0 && b - a > 2.5 {
            let drawn = Tensor::<f64>::normal_of(&[need], 0.0, 1.0, rng).to_vec();
            values.extend(drawn.into_iter().filter(|x| (a..=b).contains(x)));
        } else {
            let drawn = Tensor::<f64>::uniform_of(&[need], from, to, rng).to_vec();
            let levels = Tensor::<f64>::uniform_of(&[need], 0.0, 1.0, rng).to_vec();
            let below =
                |(x, level): (f64, f64)| (level < (0.5 * (top * top - x * x)).exp()).then_some(x);
            values.extend(drawn.into_iter().zip(levels).filter_map(below));
        }
    }
    // Rounding to the type must not leave the interval.
    let values = values.into_iter().map(|x| T::of((mean + std * x).clamp(low, high))).collect();
    param.set(Tensor::from_vec(values, shape));
}

/// Sets the values to `gain` times a random orthogonal matrix: the rows of [out, in · …] are orthogonal
/// to each other, or the columns if there are more rows than columns. The matrix has the uniform
/// distribution on the orthogonal matrices. (Saxe, McClelland, Ganguli, "Exact solutions to the nonlinear
/// dynamics of learning in deep linear neural networks", 2013.)
///
/// ```
/// use wengert::autograd::Param;
/// use wengert::nn::init;
/// use wengert::tensor::{Philox, Tensor};
/// let mut weight: Param = Tensor::zeros(&[2, 5]).into();
/// init::orthogonal(&mut weight, 1.0, &mut Philox::new(0));
/// let w = weight.value();
/// let products = w.matmul_t(&w, false, true).to_vec();
/// assert!(products.iter().zip([1.0, 0.0, 0.0, 1.0]).all(|(x, y)| (x - y).abs() < 1e-6));
/// ```
///
/// # Panics
/// If the parameter has fewer than two axes.
#[track_caller]
pub fn orthogonal<T: Float>(param: &mut Param<T>, gain: f64, rng: &mut (impl Rng + ?Sized)) {
    let shape = param.shape();
    assert!(shape.rank() >= 2, "orthogonal: expected a weight [out, in, …], got {shape}");
    let (rows, columns) = (shape[0], shape[1..].iter().product::<usize>());
    // Gram–Schmidt of a normal matrix. With positive lengths, the result is unique and so uniform.
    let (count, size) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    while vectors.len() < count {
        let mut vector = Tensor::<f64>::normal_of(&[size], 0.0, 1.0, rng).to_vec();
        // Twice: the second pass removes what rounding left.
        for _ in 0..2 {
            for other in &vectors {
                let along = dot(&vector, other);
                vector.iter_mut().zip(other).for_each(|(x, o)| *x -= along * o);
            }
        }
        let length = dot(&vector, &vector).sqrt();
        if length > 1e-8 {
            for x in &mut vector {
                *x /= length;
            }
            vectors.push(vector);
        }
    }
    let at = |i: usize| match (i / columns, i % columns) {
        (row, column) if rows <= columns => vectors[row][column],
        (row, column) => vectors[column][row],
    };
    param.set(Tensor::from_fn(shape, |i| T::of(gain * at(i))));
}

/// Draws the values of [out, in] from a normal distribution with mean 0 and this standard deviation,
/// and sets a part of each column to 0: `sparsity` · out entries, rounded up. (Martens, "Deep learning
/// via Hessian-free optimization", 2010.)
///
/// # Panics
/// If the parameter does not have two axes, or the sparsity is not from 0 to 1.
#[track_caller]
pub fn sparse<T: Float>(
    param: &mut Param<T>,
    sparsity: f64,
    std: f64,
    rng: &mut (impl Rng + ?Sized),
) {
    let (rows, columns) = matrix("sparse", param);
    assert!(
        (0.0..=1.0).contains(&sparsity),
        "sparse: sparsity must be from 0 to 1, got {sparsity}"
    );
    let zeros = (sparsity * rows as f64).ceil() as usize;
    let mut values = Tensor::<T>::normal_of(&[rows, columns], 0.0, std, rng);
    let entries = values.make_mut();
    for column in 0..columns {
        // The rows with the smallest of random numbers are a random choice.
        let keys = Tensor::<f64>::uniform_of(&[rows], 0.0, 1.0, rng).to_vec();
        let mut order: Vec<usize> = (0..rows).collect();
        order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
        for &row in &order[..zeros] {
            entries[row * columns + column] = T::of(0.0);
        }
    }
    param.set(values);
}

/// Sets [out, in] to the identity matrix: 1 where both numbers are equal, 0 elsewhere.
///
/// # Panics
/// If the parameter does not have two axes.
#[track_caller]
pub fn eye<T: Float>(param: &mut Param<T>) {
    let (_, columns) = matrix("eye", param);
    let one = |i: usize| f64::from(u8::from(i / columns == i % columns));
    param.set(Tensor::from_fn(param.shape(), |i| T::of(one(i))));
}

/// Sets the weight [out, in, kernel…] of a convolution so that it passes its input through: output
/// channel i of each group is input channel i, as far as there is one, and the others are 0. The padding
/// must keep the size.
///
/// # Panics
/// If the parameter does not have three to five axes, or `out` is not a multiple of `groups`.
#[track_caller]
pub fn dirac<T: Float>(param: &mut Param<T>, groups: usize) {
    let shape = param.shape();
    assert!(
        (3..=5).contains(&shape.rank()) && groups > 0 && shape[0].is_multiple_of(groups),
        "dirac: expected a weight [out, in, kernel…] with out a multiple of groups, got {shape} and {groups} groups"
    );
    let (each, kernel) = (shape[0] / groups, &shape[2..]);
    let area: usize = kernel.iter().product();
    let centre = kernel.iter().fold(0, |at, size| at * size + size / 2);
    let one = |i: usize| {
        let (out, input) = (i / area / shape[1], i / area % shape[1]);
        f64::from(u8::from(i % area == centre && out % each == input))
    };
    param.set(Tensor::from_fn(shape, |i| T::of(one(i))));
}

#[track_caller]
fn matrix<T: Float>(op: &str, param: &Param<T>) -> (usize, usize) {
    let shape = param.shape();
    assert!(shape.rank() == 2, "{op}: expected a weight [out, in], got {shape}");
    (shape[0], shape[1])
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
    fn lecun_and_truncated_normal_values_have_their_spread() {
        let rng = &mut Philox::new(5);
        let param = &mut Param::<f64>::new(Tensor::zeros_of(&[30, 20, 3, 5]));
        lecun_uniform(param, rng);
        assert_spread(param, (1.0 / 300f64).sqrt(), Some((3.0 / 300f64).sqrt()));
        lecun_normal(param, rng);
        assert_spread(param, (1.0 / 300f64).sqrt(), None);
        // Mean and variance of a truncated normal distribution, by Simpson's rule over its density.
        for (mean, std, [low, high]) in [
            (0.0, 1.0, [-2.0, 2.0]),
            (1.0, 2.0, [0.5, 1.0]),
            (0.0, 1.0, [0.0, f64::INFINITY]),
            (-3.0, 0.5, [0.0, 4.0]),
            (0.0, 1.0, [5.0, f64::INFINITY]),
            (0.0, 1.0, [f64::NEG_INFINITY, -1.0]),
        ] {
            truncated_normal(param, mean, std, [low, high], rng);
            let values = param.value().to_vec();
            assert!(values.iter().all(|x| (low..=high).contains(x)));
            let ends = [low, high].map(|x| x.clamp(mean - 40.0 * std, mean + 40.0 * std));
            let steps = 400_000;
            let h = (ends[1] - ends[0]) / f64::from(steps);
            let top = mean.clamp(low, high);
            let mut moments = [0.0; 3];
            for i in 0..=steps {
                let x = ends[0] + f64::from(i) * h;
                let z = [(x - mean) / std, (top - mean) / std];
                let weight = if i == 0 || i == steps { 1.0 } else { 2.0 + 2.0 * f64::from(i % 2) };
                let density = weight * (0.5 * (z[1] * z[1] - z[0] * z[0])).exp();
                for (k, moment) in moments.iter_mut().enumerate() {
                    *moment += density * (x - top).powi(k as i32);
                }
            }
            let centre = moments[1] / moments[0];
            let spread = (moments[2] / moments[0] - centre * centre).sqrt();
            let [found, deviation, _] = statistics(param);
            let n = values.len() as f64;
            assert!((found - top - centre).abs() < 5.0 * spread / n.sqrt(), "{found}");
            assert!((deviation / spread - 1.0).abs() < 0.06, "{deviation} for {spread}");
        }
    }

    #[test]
    fn truncated_normal_far_from_the_mean_is_at_the_end() {
        let mut param = Param::<f64>::new(Tensor::zeros_of(&[3]));
        for (std, [low, high], end) in [
            (1e-300, [1.0, 2.0], 1.0),
            (1.0, [1e200, f64::INFINITY], 1e200),
            (1e-10, [f64::NEG_INFINITY, -1e305], -1e305),
            (1.0, [1e9, 2e9], 1e9),
        ] {
            truncated_normal(&mut param, 0.0, std, [low, high], &mut Philox::new(1));
            let values = param.value().to_vec();
            assert!(values.iter().all(|x| (x / end - 1.0).abs() < 1e-15), "{values:?}");
        }
    }

    #[test]
    #[should_panic(expected = "truncated_normal: the mean must be finite, got NaN")]
    fn truncated_normal_refuses_a_mean_that_is_not_finite() {
        let mut param = Param::<f64>::new(Tensor::zeros_of(&[3]));
        truncated_normal(&mut param, f64::NAN, 1.0, [1.0, 2.0], &mut Philox::new(1));
    }

    #[test]
    #[should_panic(
        expected = "truncated_normal: the standard deviation must be positive and finite, got inf"
    )]
    fn truncated_normal_refuses_an_infinite_deviation() {
        let mut param = Param::<f64>::new(Tensor::zeros_of(&[3]));
        truncated_normal(&mut param, 0.0, f64::INFINITY, [1.0, 2.0], &mut Philox::new(1));
    }

    #[test]
    fn orthogonal_values_are_orthogonal_in_the_smaller_direction() {
        for shape in [&[4, 7][..], &[7, 4], &[5, 5], &[3, 2, 2, 2], &[6, 1, 2], &[0, 3]] {
            let param = &mut Param::<f64>::new(Tensor::zeros_of(shape));
            orthogonal(param, 1.5, &mut Philox::new(1));
            let (rows, columns) = (shape[0], shape[1..].iter().product::<usize>());
            let values = param.value().to_vec();
            for i in 0..rows.min(columns) {
                for j in 0..rows.min(columns) {
                    let at = |i: usize, k: usize| {
                        values[if rows <= columns { i * columns + k } else { k * columns + i }]
                    };
                    let product: f64 = (0..rows.max(columns)).map(|k| at(i, k) * at(j, k)).sum();
                    let exact = if i == j { 2.25 } else { 0.0 };
                    assert!((product - exact).abs() < 1e-14, "{shape:?}: {i} {j} {product}");
                }
            }
        }
    }

    #[test]
    fn sparse_eye_and_dirac_set_single_entries() {
        let param = &mut Param::<f64>::new(Tensor::zeros_of(&[10, 40]));
        sparse(param, 0.31, 0.5, &mut Philox::new(2));
        let values = param.value().to_vec();
        let zeros = |column: usize| (0..10).filter(|row| values[row * 40 + column] == 0.0).count();
        assert!((0..40).all(|column| zeros(column) == 4));
        let rows: Vec<usize> = (0..10)
            .map(|row| values[row * 40..][..40].iter().filter(|&&x| x == 0.0).count())
            .collect();
        assert!(rows.iter().all(|&count| count > 4), "{rows:?}");

        let param = &mut Param::new(Tensor::ones(&[2, 3]));
        eye(param);
        assert_eq!(param.value().to_vec(), [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        let param = &mut Param::new(Tensor::ones(&[4, 1, 3]));
        dirac(param, 2);
        let passes = [0.0, 1.0, 0.0];
        assert_eq!(param.value().to_vec(), [passes, [0.0; 3], passes, [0.0; 3]].concat());
        let param = &mut Param::new(Tensor::ones(&[2, 2, 3, 2]));
        dirac(param, 1);
        let value = param.value();
        assert_eq!((value.at(&[0, 0, 1, 1]), value.at(&[1, 1, 1, 1])), (1.0, 1.0));
        assert_eq!(value.sum_all(), 2.0);
    }

    #[test]
    #[should_panic(
        expected = "xavier_normal: expected a weight [out, in, …], got [3]: use uniform or normal"
    )]
    fn fan_based_initialisation_of_a_bias_panics() {
        xavier_normal(&mut Param::new(Tensor::zeros(&[3])), 1.0, &mut Philox::new(0));
    }
}
