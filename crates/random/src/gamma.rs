//! The gamma distribution, and those that are made of it.

use crate::draw::{Noise, shape_of_draws};
use crate::family::{distribution, sampled};
use crate::formulas::{log_beta, within, xlog1py};
use crate::implicit;
use crate::location::StudentT;
use crate::quantity::Quantity;
use rand::Rng;
use wengert_tensor::Sizes;

distribution! {
    /// The gamma distribution.
    ///
    /// The support is x ≥ 0. With the concentration α, the density is rate^α·x^(α - 1)·exp(-rate·x) / Γ(α).
    ///
    /// A draw is z / rate, where z is a draw of rate 1. Its derivative ∂z/∂α = -(∂F(α, z)/∂α) / p(z) keeps the value of the
    /// distribution function F (implicit reparametrisation: M. Figurnov, S. Mohamed, A. Mnih, "Implicit reparameterization
    /// gradients", 2018). It is computed in `f64`, with a relative error below 10⁻¹² for concentrations from 10⁻³ to 10⁵ (10⁻¹³ up to 300).
    /// Second derivatives are available, third ones refuse.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::random::Gamma;
    /// use wengert::tensor::{Philox, Tensor};
    /// let tape = Tape::new();
    /// let concentration = tape.watch(Tensor::from([0.5f32, 2.0]));
    /// let x = Gamma::new(concentration, 1.0).rsample([1000], &mut Philox::new(0));
    /// let slopes = x.mean(&[0], false).sum_all().backward();
    /// // The mean is the concentration, so the derivative is close to 1.
    /// assert!(slopes.wrt(concentration).unwrap().to_vec().iter().all(|d| (d - 1.0).abs() < 0.2));
    /// ```
    Gamma, event 0 {
        /// Returns the concentrations α (the shapes of the curves).
        concentration: Positive,
        /// Returns the rates (1 / scale).
        rate: Positive
    }
    check |new| {}
    /// Returns the mean: α / rate.
    fn mean = concentration / rate;
    /// Returns the variance: α / rate².
    fn variance = concentration / rate.square();
    /// Returns the differential entropy in nats: α - ln rate + ln Γ(α) + (1 - α) ψ(α).
    fn entropy = concentration - rate.ln() + concentration.lgamma()
        + (1.0 - concentration) * concentration.digamma();
    log_prob |x| within(x, x.lt(0) | x.eq(f64::INFINITY), 1.0, |x| {
        concentration * rate.ln() + (concentration - 1.0).xlogy(x) - rate * x - concentration.lgamma()
    });
}

impl<P: Quantity> Gamma<P> {
    /// Returns draws that are differentiable in both parameters. The shape of the result is `shape` followed by that of the
    /// parameters; `()` gives one draw for each of them.
    ///
    /// # Panics
    /// If the result would have too many axes or elements.
    #[track_caller]
    pub fn rsample(&self, shape: impl Sizes, rng: &mut (impl Rng + ?Sized)) -> P {
        let shape = shape_of_draws("Gamma: rsample", &shape, &self.rate);
        let key = rng.next_u64();
        P::apply(&self.parameters(), &|p| {
            let [z, _] = implicit::gamma(p[0].broadcast_to(shape), key);
            z / p[1]
        })
    }
}
sampled! { Gamma }

distribution! {
    /// The beta distribution.
    ///
    /// The support is [0, 1]. With the concentrations a and b, the density is x^(a - 1)·(1 - x)^(b - 1) / B(a, b).
    ///
    /// A draw is g / (g + h) with gamma numbers g and h of the concentrations a and b, computed from their logarithms: small
    /// concentrations give numbers near 0 and 1, and no NaN. Draws may be rounded to 0 or 1, where the density may be infinite.
    ///
    /// ```
    /// use wengert::random::Beta;
    /// assert_eq!(Beta::new(1.0, 3.0).mean().item(), 0.25);
    /// ```
    Beta, event 0 {
        /// Returns a, the concentrations at 1.
        concentration1: Positive,
        /// Returns b, the concentrations at 0.
        concentration0: Positive
    }
    check |new| {}
    /// Returns the mean: a / (a + b).
    fn mean = concentration1 / (concentration1 + concentration0);
    /// Returns the variance: ab / ((a + b)²·(a + b + 1)).
    fn variance = {
        let sum = concentration1 + concentration0;
        (concentration1 / sum) * (concentration0 / sum) / (sum + 1.0)
    };
    /// Returns the differential entropy in nats: ln B(a, b) - (a - 1) ψ(a) - (b - 1) ψ(b) + (a + b - 2) ψ(a + b).
    fn entropy = {
        let sum = concentration1 + concentration0;
        let parts = (concentration1 - 1.0) * concentration1.digamma()
            + (concentration0 - 1.0) * concentration0.digamma();
        log_beta(concentration1, concentration0) - parts + (sum - 2.0) * sum.digamma()
    };
    log_prob |x| within(x, x.lt(0) | x.gt(1), 0.5, |x| {
        (concentration1 - 1.0).xlogy(x) + xlog1py(concentration0 - 1.0, -x)
            - log_beta(concentration1, concentration0)
    });
}

impl<P: Quantity> Beta<P> {
    /// Returns draws that are differentiable in both parameters. The shape of the result is `shape` followed by that of the
    /// parameters; `()` gives one draw for each of them.
    ///
    /// # Panics
    /// If the result would have too many axes or elements.
    #[track_caller]
    pub fn rsample(&self, shape: impl Sizes, rng: &mut (impl Rng + ?Sized)) -> P {
        let shape = shape_of_draws("Beta: rsample", &shape, &self.concentration0);
        let keys = [rng.next_u64(), rng.next_u64()];
        P::apply(&self.parameters(), &|p| {
            let [_, a] = implicit::gamma(p[0].broadcast_to(shape), keys[0]);
            let [_, b] = implicit::gamma(p[1].broadcast_to(shape), keys[1]);
            (a - b).sigmoid()
        })
    }
}
sampled! { Beta }

distribution! {
    /// The Dirichlet distribution of vectors of probabilities, along the last axis.
    ///
    /// The support are vectors of non-negative numbers whose sum is 1, up to rounding (10⁻⁶, and more for long vectors of
    /// `f32`). With the concentrations αᵢ, the density is Γ(Σ αᵢ) · Π xᵢ^(αᵢ - 1) / Γ(αᵢ).
    ///
    /// A draw has the elements gᵢ / Σ gⱼ with gamma numbers gᵢ of the concentrations αᵢ. It is the softmax of their logarithms, so
    /// that small concentrations give no NaN.
    ///
    /// ```
    /// use wengert::random::Dirichlet;
    /// use wengert::tensor::{Philox, Tensor};
    /// let x = Dirichlet::new(Tensor::from([0.001f32, 0.001, 0.001])).sample([5], &mut Philox::new(0));
    /// assert_eq!(x.shape(), [5, 3]);
    /// assert!(x.sum(&[1], false).to_vec().iter().all(|sum| (sum - 1.0).abs() < 1e-6));
    /// ```
    Dirichlet, event 1 {
        /// Returns the concentrations αᵢ.
        concentration: Positive
    }
    check |new| {
        if new.concentration.sizes().is_empty() {
            new.concentration.refuse(
                "Dirichlet: concentration must have at least one axis, whose elements belong to one distribution; got a scalar".into()
            )
        }
    }
    /// Returns the mean: αᵢ / Σ αⱼ.
    fn mean = concentration / concentration.sum(&[-1], true);
    /// Returns the variance of each element: mᵢ (1 - mᵢ) / (Σ αⱼ + 1) with the mean mᵢ.
    fn variance = {
        let sum = concentration.sum(&[-1], true);
        concentration * (sum - concentration) / (sum.square() * (sum + 1.0))
    };
    /// Returns the differential entropy in nats, without the last axis.
    fn entropy = {
        let n = concentration.size(-1) as f64;
        let sum = concentration.sum(&[-1], false);
        let parts = concentration.lgamma() - (concentration - 1.0) * concentration.digamma();
        parts.sum(&[-1], false) - sum.lgamma() + (sum - n) * sum.digamma()
    };
    log_prob |x| {
        let n = concentration.size(-1) as f64;
        let tolerance = 1e-6 + 4.0 * n * T::EPSILON;
        let sum = x.sum(&[-1], false);
        let outside = (sum - 1.0).abs().gt(tolerance) | x.lt(0).any(&[-1], false);
        let x = x.masked_fill(outside.unsqueeze(-1), 1.0 / n);
        let terms = (concentration - 1.0).xlogy(x) - concentration.lgamma();
        let log = terms.sum(&[-1], false) + concentration.sum(&[-1], false).lgamma();
        log.masked_fill(outside, f64::NEG_INFINITY)
    };
}

impl<P: Quantity> Dirichlet<P> {
    /// Returns draws that are differentiable in the concentrations. The shape of the result is `shape` followed by that of
    /// the concentrations; `()` gives one draw for each vector of concentrations.
    ///
    /// # Panics
    /// If the result would have too many axes or elements.
    #[track_caller]
    pub fn rsample(&self, shape: impl Sizes, rng: &mut (impl Rng + ?Sized)) -> P {
        let shape = shape_of_draws("Dirichlet: rsample", &shape, &self.concentration);
        let key = rng.next_u64();
        P::apply(&self.parameters(), &|p| {
            let [_, logs] = implicit::gamma(p[0].broadcast_to(shape), key);
            logs.softmax(-1)
        })
    }
}
sampled! { Dirichlet }

impl<P: Quantity> StudentT<P> {
    /// Returns draws that are differentiable in all parameters. The shape of the result is `shape` followed by that of the
    /// parameters; `()` gives one draw for each of them.
    ///
    /// # Panics
    /// If the result would have too many axes or elements.
    #[track_caller]
    pub fn rsample(&self, shape: impl Sizes, rng: &mut (impl Rng + ?Sized)) -> P {
        let mut given = self.parameters();
        let shape = shape_of_draws("StudentT: rsample", &shape, &given[0]);
        let noise = Noise::Normal.tensor(&shape, rng.next_u64());
        given.push(given[0].beside(noise));
        let key = rng.next_u64();
        P::apply(&given, &|p| {
            let half = 0.5 * p[0];
            let [_, log] = implicit::gamma(half.broadcast_to(shape), key);
            p[1] + p[2] * p[3] * (0.5 * (half.ln() - log)).exp()
        })
    }
}
sampled! { StudentT }
