//! Losses of numbers: squared and absolute errors, and negative log-likelihoods of distributions.

use super::{Target, elementwise, equal_shapes, of_elements, options, plain};
use std::f64::consts::PI;
use wengert_autograd::Var;
use wengert_tensor::Float;

elementwise! {
    /// Computes the mean squared error: mean of (input − target)².
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let input = tape.watch(Tensor::from([1.0f32, 2.0]));
    /// assert_eq!(wengert::nn::mse(input, &Tensor::from([0.0, 4.0])).item(), 2.5);
    /// ```
    mse, mse_with: |input, target| (input - target).square();
    /// Computes the mean absolute error: mean of |input − target|. The derivative is 0 where both are
    /// equal.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let input = tape.watch(Tensor::from([1.0f32, 2.0]));
    /// assert_eq!(wengert::nn::l1(input, &Tensor::from([0.0, 4.0])).item(), 1.5);
    /// ```
    l1, l1_with: |input, target| (input - target).abs();
}

options! {
    /// Options of [`smooth_l1`].
    SmoothL1 {
        /// Sets β, the distance at which the squared error becomes an absolute error. 0 gives
        /// [`l1`]. The default is 1.
        beta: f64 = 1.0,
    }
}

impl SmoothL1 {
    /// Computes the loss of an input and a target of the same shape.
    ///
    /// # Panics
    /// If the shapes differ, or β is negative.
    #[track_caller]
    pub fn loss<'t, T: Float>(&self, input: Var<'t, T>, target: impl Target<'t, T>) -> Var<'t, T> {
        let beta = self.beta;
        assert!(beta >= 0.0, "smooth_l1: beta must not be negative, got {beta}");
        of_elements("smooth_l1", input, target, self.reduction, |input, target| {
            let (d, far) = (input - target, (input - target).abs());
            if beta == 0.0 {
                return far;
            }
            Var::where_(far.lt(beta), (0.5 / beta) * d.square(), far - 0.5 * beta)
        })
    }
}

plain! {
    /// Computes the mean of d² / (2β) where |d| is below β, and of |d| − β/2 elsewhere, with
    /// d = input − target and β = 1. (Girshick, "Fast R-CNN", 2015.)
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::nn::{SmoothL1, smooth_l1};
    /// use wengert::tensor::Tensor;
    /// let (tape, target) = (Tape::new(), Tensor::from([0.0, 0.0]));
    /// let input = tape.watch(Tensor::from([1.0, -3.0]));
    /// assert_eq!(smooth_l1(input, &target).item(), 1.5);
    /// assert_eq!(SmoothL1::new().beta(2.0).loss(input, &target).item(), 1.125);
    /// ```
    smooth_l1, smooth_l1_with: SmoothL1(input: Var<'t, T>, target: impl Target<'t, T>)
}

options! {
    /// Options of [`huber`].
    Huber {
        /// Sets δ, the distance at which the squared error becomes an absolute error. The default is 1.
        delta: f64 = 1.0,
    }
}

impl Huber {
    /// Computes the loss of an input and a target of the same shape.
    ///
    /// # Panics
    /// If the shapes differ, or δ is not positive.
    #[track_caller]
    pub fn loss<'t, T: Float>(&self, input: Var<'t, T>, target: impl Target<'t, T>) -> Var<'t, T> {
        let delta = self.delta;
        assert!(delta > 0.0, "huber: delta must be positive, got {delta}");
        of_elements("huber", input, target, self.reduction, |input, target| {
            let (d, far) = (input - target, (input - target).abs());
            Var::where_(far.le(delta), 0.5 * d.square(), delta * (far - 0.5 * delta))
        })
    }
}

plain! {
    /// Computes the mean of d²/2 where |d| is at most δ, and of δ · (|d| − δ/2) elsewhere, with
    /// d = input − target and δ = 1. (Huber, "Robust estimation of a location parameter", 1964.)
    huber, huber_with: Huber(input: Var<'t, T>, target: impl Target<'t, T>)
}

options! {
    /// Options of [`poisson_nll`].
    PoissonNll {
        /// Sets whether the input is the logarithm of the rate. If it is not, the loss is
        /// x − n · ln(x + ε). The default is true.
        log_input: bool = true,
        /// Adds Stirling's approximation of ln n! for counts above 1: n ln n − n + ½ ln(2πn). The
        /// default is false.
        full: bool = false,
        /// Sets ε, which keeps ln(x + ε) finite for a rate of 0. The default is 1e-8.
        eps: f64 = 1e-8,
    }
}

impl PoissonNll {
    /// Computes the loss of rates, or their logarithms, and counts of the same shape.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn loss<'t, T: Float>(&self, input: Var<'t, T>, counts: impl Target<'t, T>) -> Var<'t, T> {
        of_elements("poisson_nll", input, counts, self.reduction, |x, n| {
            let loss = if self.log_input { x.exp() - n * x } else { x - n * (x + self.eps).ln() };
            if !self.full {
                return loss;
            }
            let many = n.gt(1);
            let n = Var::where_(many, n, 2);
            loss + Var::where_(many, n * n.ln() - n + 0.5 * (2.0 * PI * n).ln(), 0)
        })
    }
}

plain! {
    /// Computes the negative log-likelihood of counts n under Poisson distributions, without the term
    /// ln n!, which depends on no parameter: mean of eˣ − n · x, where x is the logarithm of the rate.
    ///
    /// Counts need not be integers. As in PyTorch, the loss of a rate of 0 (x = -∞) is infinite, or NaN
    /// if the count is 0 too.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let log_rates = tape.watch(Tensor::from([0.0f32, 2f32.ln()]));
    /// assert_eq!(wengert::nn::poisson_nll(log_rates, &Tensor::from([0.0, 0.0])).item(), 1.5);
    /// ```
    poisson_nll, poisson_nll_with: PoissonNll(log_rates: Var<'t, T>, counts: impl Target<'t, T>)
}

options! {
    /// Options of [`gaussian_nll`].
    GaussianNll {
        /// Adds the constant ½ ln 2π. The default is false.
        full: bool = false,
        /// Sets ε, the smallest variance: smaller ones count as ε in the value, and have the derivative
        /// at ε. The default is 1e-6.
        eps: f64 = 1e-6,
    }
}

impl GaussianNll {
    /// Computes the loss of means, targets and variances. The variances have the shape of the means,
    /// or the size 1 on their last axis, or lack this axis.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    pub fn loss<'t, T: Float>(
        &self,
        means: Var<'t, T>,
        targets: impl Target<'t, T>,
        variances: Var<'t, T>,
    ) -> Var<'t, T> {
        let (tape, shape) = (means.tape(), means.shape());
        let targets = targets.into_var(tape);
        equal_shapes("gaussian_nll", means, targets);
        let got = variances.shape();
        let whole = got == shape;
        let (lacks, one) = match shape.split_last() {
            Some((_, rest)) => (got == *rest, got.split_last() == Some((&1, rest))),
            None => (false, false),
        };
        if !whole && !lacks && !one {
            tape.shape_error(format!(
                "gaussian_nll: means {shape} require variances of this shape, or with the size 1 on the last \
                 axis, got {got}"
            ))
        }
        tape.scope("gaussian_nll", || {
            let given = if whole || one { variances } else { variances.unsqueeze(-1) };
            // As in PyTorch, the limit changes the value and passes the derivative.
            let variance = given + (given.clamp_min(self.eps) - given).detach();
            let mut loss = 0.5 * (variance.ln() + (means - targets).square() / variance);
            if self.full {
                loss = loss + 0.5 * (2.0 * PI).ln();
            }
            self.reduction.apply(loss)
        })
    }
}

plain! {
    /// Computes the negative log-likelihood of targets t under normal distributions with means x and
    /// variances v, without the constant ½ ln 2π: mean of ½ (ln v + (x − t)² / v). (Nix, Weigend,
    /// "Estimating the mean and variance of the target probability distribution", 1994.)
    gaussian_nll, gaussian_nll_with: GaussianNll(
        means: Var<'t, T>, targets: impl Target<'t, T>, variances: Var<'t, T>
    )
}
