//! Draws of the gamma distribution that are differentiable in its concentration.
//!
//! The draw `z(α)` keeps its value of the distribution function: F(α, z(α)) = u. So ∂z/∂α = `-F_α(α, z) / p(z; α)`, where p is the
//! density and `F_α` the derivative of F in α (M. Figurnov, S. Mohamed, A. Mnih, "Implicit reparameterization gradients",
//! 2018). Everything here is about y = ln z, whose density q(y) = e^(αy - eʸ) / Γ(α) does not underflow for small α:
//!
//! - slope: h(α, y) = ∂y/∂α = `-F_α / q`,
//! - curvature: K(α, y) = `F_αα / q`,
//!
//! and the derivatives of the slope are ∂h/∂y = -(y - ψ(α)) - h·(α - eʸ) and ∂h/∂α = -K - h·(y - ψ(α)).
//!
//! With E(v) = e^(αv - z(eᵛ - 1)) and L(v) = y + v - ψ(α), both are integrals over one side of y:
//!
//! - h = -∫ E L over v < 0, which equals ∫ E L over v > 0,
//! - K = ∫ E (L² - ψ′(α)) over v < 0, which equals -∫ E (L² - ψ′(α)) over v > 0.
//!
//! Each element takes the side where L has one sign, so that nothing cancels. Below, for small α, the power series of F takes
//! the place of the integral.

use crate::draw;
use std::sync::{Arc, OnceLock};
use wengert_autograd::{Call, Cotangents, CustomOp, Outputs, Var};
use wengert_tensor::{Float, Shape, Tensor};

/// Points of the Gauss–Legendre rule. It is exact to rounding for these integrands: they are entire, and between 1 and
/// e⁻⁶⁰.
const POINTS: usize = 48;

/// Returns the points of the Gauss–Legendre rule on [0, 1], with their weights: the zeros of the Legendre polynomial, by
/// Newton's method.
fn rule() -> &'static [[f64; 2]; POINTS] {
    static RULE: OnceLock<[[f64; 2]; POINTS]> = OnceLock::new();
    RULE.get_or_init(|| {
        std::array::from_fn(|i| {
            let n = POINTS as f64;
            let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n + 0.5)).cos();
            let mut slope = 0.0;
            for _ in 0..100 {
                let (mut before, mut p) = (1.0, x);
                for k in 2..=POINTS {
                    let k = k as f64;
                    (before, p) = (p, ((2.0 * k - 1.0) * x * p - (k - 1.0) * before) / k);
                }
                slope = n * (x * p - before) / (x * x - 1.0);
                let step = p / slope;
                x -= step;
                if step.abs() < 1e-16 {
                    break;
                }
            }
            [0.5 - 0.5 * x, 1.0 / ((1.0 - x * x) * slope * slope)]
        })
    })
}

/// Returns eᵛ - 1 - v without cancellation.
fn second_rest(v: f64) -> f64 {
    if v.abs() > 0.5 {
        return v.exp_m1() - v;
    }
    let (mut term, mut sum) = (0.5 * v * v, 0.0);
    let mut k = 3.0;
    while term.abs() > 1e-18 * sum {
        sum += term;
        term *= v / k;
        k += 1.0;
    }
    sum
}

/// A concentration and a point, with what both determine.
#[derive(Clone, Copy)]
struct At {
    concentration: f64,
    /// ψ(α + 1) and ψ′(α + 1).
    above: [f64; 2],
    /// y and eʸ.
    y: f64,
    z: f64,
}

impl At {
    /// Returns h and K.
    fn slope_and_curvature(self) -> [f64; 2] {
        let At { concentration: alpha, above: [digamma, trigamma], y, z } = self;
        if alpha.is_nan() || y.is_nan() || alpha <= 0.0 {
            return [f64::NAN; 2];
        }
        if y > digamma {
            let [h, k] = self.integral(1.0);
            [h, -k]
        } else if alpha < 30.0 {
            // F/q = Σ zⁿ / (α (α + 1) … (α + n)). The terms are positive, and so is ψ(α + n + 1) - y.
            let (mut weight, mut digamma, mut trigamma) = (1.0 / alpha, digamma, trigamma);
            let mut sums = [0.0; 2];
            let mut n = 1.0;
            loop {
                let far = digamma - y;
                let terms = [weight * far, weight * (far * far - trigamma)];
                sums = [sums[0] + terms[0], sums[1] + terms[1]];
                if terms[0] <= 1e-18 * sums[0] {
                    return sums;
                }
                let next = alpha + n;
                weight *= z / next;
                digamma += 1.0 / next;
                trigamma -= 1.0 / (next * next);
                n += 1.0;
            }
        } else {
            let [h, k] = self.integral(-1.0);
            [-h, k]
        }
    }

    /// Returns ∫ E L and ∫ E (L² - ψ′) over v > 0 (`side` = 1) or v < 0 (`side` = -1).
    fn integral(self, side: f64) -> [f64; 2] {
        const DEPTH: f64 = 40.0;
        let At { concentration: alpha, above: [digamma, trigamma], y, z } = self;
        let digamma = digamma - 1.0 / alpha;
        let trigamma = trigamma + 1.0 / (alpha * alpha);
        // The logarithm of E. It is concave and falls from 0.
        let log = |v: f64| (alpha - z) * v - z * second_rest(v);
        // The parabola at 0 falls to -DEPTH here. E falls faster above, and more slowly below.
        let fall = (side * (z - alpha)).max(0.0);
        let mut end = 2.0 * DEPTH / (fall + (fall * fall + 2.0 * DEPTH * z).sqrt());
        while log(side * end) > -DEPTH {
            end *= 1.25;
        }
        while log(side * end * 0.8) < -DEPTH {
            end *= 0.8;
        }
        let mut sums = [0.0; 2];
        for [at, weight] in rule() {
            let v = side * end * at;
            let far = y - digamma + v;
            let mass = weight * log(v).exp();
            sums[0] += mass * far;
            sums[1] += mass * (far * far - trigamma);
        }
        sums.map(|sum| end * sum)
    }
}

/// Returns slopes (`which` = 0) or curvatures (`which` = 1), computed in `f64`.
fn derivative<T: Float>(x: &[Tensor<T>], which: usize) -> Outputs<Tensor<T>> {
    let concentration: Tensor<f64> = x[0].cast();
    let above = &concentration + 1.0;
    let (digamma, trigamma) = (above.digamma().to_vec(), above.polygamma(1).to_vec());
    let (concentration, logs, draws) = (concentration.to_vec(), x[1].to_vec(), x[2].to_vec());
    // A draw has more digits than its logarithm, unless it is so small that it is rounded.
    let least = if T::EPSILON > 1e-10 { 1e-30 } else { 1e-290 };
    let results = draw::each(concentration.len(), 0, &|i, _| {
        let (z, y) = (draws[i].to(), logs[i].to());
        let [z, y] = if z > least && z.is_finite() { [z, z.ln()] } else { [y.exp(), y] };
        let above = [digamma[i], trigamma[i]];
        At { concentration: concentration[i], above, y, z }.slope_and_curvature()[which]
    });
    [Tensor::from_vec(results.into_iter().map(T::of).collect(), &x[0].shape())].into()
}

/// Draws z and ln z of the gamma distribution of rate 1, for each concentration.
struct GammaDraw {
    key: u64,
}

/// ∂ ln z/∂α from α, ln z and z.
struct GammaSlope;

/// The second derivative of the distribution function in α over the density of ln z, from α, ln z and z.
struct GammaCurvature;

/// Applies an operation of this module that has three inputs.
#[track_caller]
fn of_three<'t, T: Float>(op: impl CustomOp<T> + 'static, x: [Var<'t, T>; 3]) -> Var<'t, T> {
    x[0].tape().custom(Arc::new(op), &x)[0]
}

impl<T: Float> CustomOp<T> for GammaDraw {
    fn name(&self) -> &'static str {
        "gamma draw"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0], x[0]].into())
    }
    fn forward(&self, x: &[Tensor<T>]) -> Outputs<Tensor<T>> {
        let concentration = x[0].to_vec();
        let draws = draw::each(concentration.len(), self.key, &|i, rng| {
            draw::gamma(concentration[i].to(), rng)
        });
        [0, 1]
            .map(|which| {
                let numbers = draws.iter().map(|draw| T::of(draw[which])).collect();
                Tensor::from_vec(numbers, &x[0].shape())
            })
            .into()
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
        let (z, log) = (c.y(0), c.y(1));
        let by_log = match (c.gy_of(0), c.gy_of(1)) {
            (Some(a), Some(b)) => a * z + b,
            (Some(a), None) => a * z,
            (None, Some(b)) => b,
            (None, None) => c.tape().zeros(&c.x_shape(0)),
        };
        [Some(by_log * of_three(GammaSlope, [c.x(0), log, z]))].into()
    }
}

impl<T: Float> CustomOp<T> for GammaSlope {
    fn name(&self) -> &'static str {
        "gamma slope"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0]].into())
    }
    fn forward(&self, x: &[Tensor<T>]) -> Outputs<Tensor<T>> {
        derivative(x, 0)
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
        let (alpha, log, z, slope, gy) = (c.x(0), c.x(1), c.x(2), c.y(0), c.gy());
        let far = log - alpha.digamma();
        let by_alpha =
            c.wants(0).then(|| -gy * (of_three(GammaCurvature, [alpha, log, z]) + slope * far));
        let by_log = c.wants(1).then(|| -gy * (far + slope * (alpha - z)));
        // The slope is a function of the logarithm; the draw only has more digits.
        let by_z = c.wants(2).then(|| c.tape().zeros(&c.x_shape(2)));
        [by_alpha, by_log, by_z].into()
    }
}

impl<T: Float> CustomOp<T> for GammaCurvature {
    fn name(&self) -> &'static str {
        "gamma curvature"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0]].into())
    }
    fn forward(&self, x: &[Tensor<T>]) -> Outputs<Tensor<T>> {
        derivative(x, 1)
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
        c.tape().shape_error(
            "rsample: the third derivative of a draw of a gamma distribution in its concentration is not available: \
             draws of Gamma, Beta, Dirichlet and StudentT have first and second derivatives",
        )
    }
}

/// Returns z and ln z for draws of the gamma distribution of rate 1 with these concentrations.
#[track_caller]
pub fn gamma<T: Float>(concentration: Var<'_, T>, key: u64) -> [Var<'_, T>; 2] {
    let outputs = concentration.tape().custom(Arc::new(GammaDraw { key }), &[concentration]);
    [outputs[0], outputs[1]]
}

#[cfg(test)]
mod tests;
