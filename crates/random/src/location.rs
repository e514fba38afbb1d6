//! Distributions whose draws are simple functions of noise without parameters.

use crate::family::{distribution, reparametrised};
use crate::formulas::{EULER, log_beta, within};
use std::f64::consts::{LN_2, PI};
use wengert_autograd::Var;
use wengert_tensor::Float;

/// ln √(2π).
const LN_SQRT_TAU: f64 = 0.918_938_533_204_672_8;

distribution! {
    /// The uniform distribution on [low, high).
    ///
    /// The density is 1 / (high - low). A draw is low + u·(high - low).
    ///
    /// ```
    /// use wengert::random::Uniform;
    /// use wengert::tensor::Philox;
    /// let x = Uniform::new(-1.0, 1.0).sample([2, 3], &mut Philox::new(0));
    /// assert!(x.to_vec().iter().all(|x| (-1.0..1.0).contains(x)));
    /// ```
    Uniform, event 0 {
        /// Returns the lower ends.
        low: Real,
        /// Returns the upper ends, which are excluded.
        high: Real
    }
    check |new| {
        use crate::quantity::Quantity;
        if new.low.has_numbers() {
            let ends = [new.low.numbers().to_vec(), new.high.numbers().to_vec()];
            let wrong = |i: &usize| {
                let width = subtract(ends[1][*i], ends[0][*i]);
                !(width > 0.0 && width.is_finite())
            };
            if let Some(i) = (0..ends[0].len()).find(wrong) {
                new.low.refuse(format!(
                    "Uniform: low must be less than high, and high - low finite; got {} and {} at position {i} of shape {} (in row-major order)",
                    ends[0][i], ends[1][i], new.low.sizes()
                ))
            }
        }
    }
    /// Returns the mean: (low + high)/2.
    fn mean = 0.5 * low + 0.5 * high;
    /// Returns the variance: (high - low)²/12.
    fn variance = (high - low).square() / 12.0;
    /// Returns the differential entropy in nats: ln(high - low).
    fn entropy = (high - low).ln();
    log_prob |x| {
        let outside = x.lt(low) | x.ge(high);
        (0.0 * x - (high - low).ln()).masked_fill(outside, f64::NEG_INFINITY)
    };
}
/// Returns the difference, rounded to the type.
fn subtract<T: Float>(a: T, b: T) -> f64 {
    T::of(a.to() - b.to()).to()
}

reparametrised! { Uniform(low, high), Uniform, |unit| {
    let x = low + unit * (high - low);
    // Rounding may give `high`, which is excluded.
    Var::where_(x.lt(high), x, low)
} }

distribution! {
    /// The normal (Gaussian) distribution.
    ///
    /// The density is exp(-((x - loc)/scale)²/2) / (scale·√(2π)). A draw is loc + scale·n.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::random::{Normal, kl_divergence};
    /// use wengert::tensor::{Philox, Tensor};
    /// let tape = Tape::new();
    /// let mean = tape.watch(Tensor::from([0.0, 1.0]));
    /// let posterior = Normal::new(mean, 0.5);
    /// let z = posterior.rsample([4], &mut Philox::new(0));
    /// assert_eq!(z.shape(), [4, 2]);
    /// let loss = kl_divergence(&posterior, &Normal::new(0.0, 1.0)).sum_all();
    /// assert_eq!(loss.backward().wrt(mean).unwrap().to_vec(), [0.0, 1.0]);
    /// ```
    Normal, event 0 {
        /// Returns the means.
        loc: Real,
        /// Returns the standard deviations.
        scale: Positive
    }
    check |new| {}
    /// Returns the mean: loc.
    fn mean = loc;
    /// Returns the variance: scale².
    fn variance = scale.square();
    /// Returns the differential entropy in nats: ln scale + ln(2πe)/2.
    fn entropy = scale.ln() + (0.5 + LN_SQRT_TAU);
    log_prob |x| -0.5 * ((x - loc) / scale).square() - scale.ln() - LN_SQRT_TAU;
}
reparametrised! { Normal(loc, scale), Normal, |noise| loc + scale * noise }

distribution! {
    /// The distribution of eⁿ for n of the normal distribution with these parameters.
    ///
    /// The support is x > 0. The density is that of the normal distribution at ln x, divided by x. A draw is
    /// exp(loc + scale·n).
    ///
    /// ```
    /// use wengert::random::LogNormal;
    /// let median_is_one = LogNormal::new(0.0, 0.5);
    /// assert!(median_is_one.log_prob(-1.0).item() == f32::NEG_INFINITY);
    /// ```
    LogNormal, event 0 {
        /// Returns the means of the logarithm.
        loc: Real,
        /// Returns the standard deviations of the logarithm.
        scale: Positive
    }
    check |new| {}
    /// Returns the mean: exp(loc + scale²/2).
    fn mean = (loc + 0.5 * scale.square()).exp();
    /// Returns the variance: (exp(scale²) - 1)·exp(2 loc + scale²).
    fn variance = scale.square().expm1() * (2.0 * loc + scale.square()).exp();
    /// Returns the differential entropy in nats: ln scale + ln(2πe)/2 + loc.
    fn entropy = scale.ln() + loc + (0.5 + LN_SQRT_TAU);
    log_prob |x| within(x, x.le(0), 1.0, |x| {
        let log = x.ln();
        -0.5 * ((log - loc) / scale).square() - scale.ln() - log - LN_SQRT_TAU
    });
}
reparametrised! { LogNormal(loc, scale), Normal, |noise| (loc + scale * noise).exp() }

distribution! {
    /// The Laplace (double exponential) distribution.
    ///
    /// The density is exp(-|x - loc|/scale) / (2 scale). A draw is loc ± scale·e with an exponential number e.
    ///
    /// ```
    /// use wengert::random::Laplace;
    /// assert_eq!(Laplace::new(0.0, 0.5).log_prob(0.0).item(), 0.0);
    /// ```
    Laplace, event 0 {
        /// Returns the means.
        loc: Real,
        /// Returns the scales, which are the mean distances to the mean.
        scale: Positive
    }
    check |new| {}
    /// Returns the mean: loc.
    fn mean = loc;
    /// Returns the variance: 2 scale².
    fn variance = 2.0 * scale.square();
    /// Returns the differential entropy in nats: 1 + ln(2 scale).
    fn entropy = scale.ln() + (1.0 + LN_2);
    log_prob |x| -(x - loc).abs() / scale - scale.ln() - LN_2;
}
reparametrised! { Laplace(loc, scale), Laplace, |noise| loc + scale * noise }

distribution! {
    /// The Gumbel distribution: the limit of the largest of many independent numbers.
    ///
    /// With z = (x - loc)/scale, the density is exp(-z - e^(-z)) / scale. A draw is loc - scale·ln e with an exponential number
    /// e.
    ///
    /// ```
    /// use wengert::random::Gumbel;
    /// assert_eq!(Gumbel::new(0.0, 1.0).log_prob(0.0).item(), -1.0);
    /// ```
    Gumbel, event 0 {
        /// Returns the most probable values.
        loc: Real,
        /// Returns the scales.
        scale: Positive
    }
    check |new| {}
    /// Returns the mean: loc + γ·scale with Euler's constant γ.
    fn mean = loc + EULER * scale;
    /// Returns the variance: π²/6·scale².
    fn variance = scale.square() * (PI * PI / 6.0);
    /// Returns the differential entropy in nats: ln scale + 1 + γ.
    fn entropy = scale.ln() + (1.0 + EULER);
    log_prob |x| {
        let outside = x.eq(f64::NEG_INFINITY);
        within(x, outside, 0.0, |x| {
            let z = (x - loc) / scale;
            -z - (-z).exp() - scale.ln()
        })
    };
}
reparametrised! { Gumbel(loc, scale), Gumbel, |noise| loc + scale * noise }

distribution! {
    /// The exponential distribution.
    ///
    /// The support is x ≥ 0. The density is rate·exp(-rate·x). A draw is e / rate with a number e of rate 1.
    ///
    /// ```
    /// use wengert::random::Exponential;
    /// assert_eq!(Exponential::new(4.0).mean().item(), 0.25);
    /// ```
    Exponential, event 0 {
        /// Returns the rates.
        rate: Positive
    }
    check |new| {}
    /// Returns the mean: 1/rate.
    fn mean = rate.recip();
    /// Returns the variance: 1/rate².
    fn variance = rate.recip().square();
    /// Returns the differential entropy in nats: 1 - ln rate.
    fn entropy = 1.0 - rate.ln();
    log_prob |x| within(x, x.lt(0), 0.0, |x| rate.ln() - rate * x);
}
reparametrised! { Exponential(rate), Exponential, |noise| noise / rate }

distribution! {
    /// Student's t distribution, moved and scaled.
    ///
    /// With y = (x - loc)/scale, the density is (1 + y²/df)^(-(df + 1)/2) · Γ((df + 1)/2) / (Γ(df/2)·√(π df)·scale). A draw is loc +
    /// scale·n/√(2g/df) with a normal number n and a number g of the gamma distribution of concentration df/2; its derivative
    /// in df is that of g (see [`Gamma`](crate::Gamma)).
    ///
    /// ```
    /// use wengert::random::StudentT;
    /// assert_eq!(StudentT::new(3.0, 1.0, 2.0).variance().item(), 12.0);
    /// ```
    StudentT, event 0 {
        /// Returns the degrees of freedom.
        df: Positive,
        /// Returns the centres.
        loc: Real,
        /// Returns the scales.
        scale: Positive
    }
    check |new| {}
    /// Returns the mean: loc. It is NaN for df ≤ 1, where there is no mean.
    fn mean = loc.masked_fill(df.le(1), f64::NAN);
    /// Returns the variance: scale²·df/(df - 2). It is ∞ for 1 < df ≤ 2, and NaN for df ≤ 1.
    fn variance = {
        let none = df.le(2);
        let df_ = df.masked_fill(none, 3);
        let variance = scale.square() * df_ / (df_ - 2.0);
        variance.masked_fill(none, f64::INFINITY).masked_fill(df.le(1), f64::NAN)
    };
    /// Returns the differential entropy in nats: ln scale + (df + 1)/2·(ψ((df + 1)/2) - ψ(df/2)) + ln(df)/2 + ln B(df/2, 1/2).
    fn entropy = {
        let half = 0.5 * df;
        let beta = log_beta(half, 0.0 * half + 0.5);
        scale.ln() + (half + 0.5) * ((half + 0.5).digamma() - half.digamma()) + 0.5 * df.ln() + beta
    };
    log_prob |x| {
        let y = (x - loc) / scale;
        let ratio = y / df.sqrt();
        // Far values have a square that overflows.
        let far = ratio.abs().gt(1e4);
        let near = ratio.masked_fill(far, 0).square().log1p();
        let log = 2.0 * Var::where_(far, ratio.abs(), 1).ln();
        let half = 0.5 * df;
        let norm = log_beta(half, 0.0 * half + 0.5) + 0.5 * df.ln() + scale.ln();
        -(half + 0.5) * Var::where_(far, log, near) - norm
    };
}
