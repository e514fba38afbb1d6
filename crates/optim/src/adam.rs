//! The Adam optimizer.

use crate::base::Base;
use crate::rule::{Invalid, Rule, checked, not_negative, settings};
use wengert_tensor::{Expr, Float, Program};

/// Adam: each element's step is a running mean of its gradients, divided by the root of a running mean of
/// their squares.
///
/// ```text
/// g ← g + weight_decay · p
/// m ← β₁ m + (1 - β₁) g
/// v ← β₂ v + (1 - β₂) g²
/// p ← p - lr · m̂ / (√v̂ + eps)                 with m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ)
/// ```
/// With `amsgrad`, v̂ is computed from the elementwise maximum of all v so far. Weight decay is an L2 penalty
/// on the loss; [`AdamW`](crate::AdamW) has the better weight decay, decoupled from the gradients.
///
/// Kingma, Ba, "Adam: a method for stochastic optimization", 2015. With `amsgrad`: Reddi, Kale, Kumar,
/// "On the convergence of Adam and beyond", 2018.
///
/// ```
/// use wengert_optim::Adam;
/// let optimizer = Adam::new(1e-3).betas(0.9, 0.99);
/// ```
pub struct Adam<T: Float = f32> {
    base: Base<T>,
    beta1: f64,
    beta2: f64,
    eps: f64,
    weight_decay: f64,
    amsgrad: bool,
    /// Whether weight decay is decoupled from the gradients, as in `AdamW`.
    decoupled: bool,
}

impl Adam {
    /// Creates the optimizer for `f32` models, with learning rate `lr` (PyTorch's default is 0.001).
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> Self {
        Self::of(lr)
    }
}

impl<T: Float> Adam<T> {
    /// Creates the optimizer for models of element type `T`: `Adam::<f64>::of(1e-3)`. See [`Adam::new`].
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[track_caller]
    pub fn of(lr: f64) -> Self {
        Self::with(lr, 0.0, false)
    }

    #[track_caller]
    pub(crate) fn with(lr: f64, weight_decay: f64, decoupled: bool) -> Self {
        let (base, beta1, beta2, eps) = (Base::new(lr), 0.9, 0.999, 1e-8);
        let amsgrad = false;
        checked(Adam { base, beta1, beta2, eps, weight_decay, amsgrad, decoupled }, "lr")
    }

    /// Sets β₁ and β₂, the decay rates of the first and second moment estimates; default 0.9 and 0.999.
    ///
    /// # Panics
    /// If `beta1` or `beta2` is not in [0, 1).
    #[track_caller]
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        checked(checked(Adam { beta1, beta2, ..self }, "beta1"), "beta2")
    }

    /// Sets `eps`, the term added to the denominator to avoid a division by zero; default 1e-8.
    ///
    /// # Panics
    /// If `eps` is negative or not finite.
    #[track_caller]
    pub fn eps(self, eps: f64) -> Self {
        checked(Adam { eps, ..self }, "eps")
    }

    /// Sets the weight decay: the factor of an L2 penalty ½ ‖p‖² on the loss; default 0.
    ///
    /// # Panics
    /// If `weight_decay` is negative or not finite.
    #[track_caller]
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        checked(Adam { weight_decay, ..self }, "weight_decay")
    }

    /// Sets whether the denominator uses the maximum of all second moment estimates so far (`AMSGrad`);
    /// default `false`.
    pub fn amsgrad(self, amsgrad: bool) -> Self {
        Adam { amsgrad, ..self }
    }

    /// Makes `step` skip trainable parameters that have no gradient. By default `step` panics.
    pub fn allow_missing(mut self) -> Self {
        self.base.allow_missing();
        self
    }
}

impl<T: Float> Adam<T> {
    /// Applies weight decay. Returns the parameter and the new first and second moment estimates.
    fn moments<'b>(
        &self,
        p: Expr<'b>,
        m: Expr<'b>,
        v: Expr<'b>,
        g: Expr<'b>,
    ) -> (Expr<'b>, Expr<'b>, Expr<'b>) {
        let &Adam { beta1, beta2, weight_decay, .. } = self;
        let (p, g) = match weight_decay {
            0.0 => (p, g),
            _ if self.decoupled => (p * (1.0 - self.base.learning_rate * weight_decay), g),
            _ => (p, g + weight_decay * p),
        };
        (p, lerp(m, g, 1.0 - beta1), beta2 * v + (1.0 - beta2) * g * g)
    }

    /// Returns the parameter after the step, with bias-corrected moment estimates.
    fn descend<'b>(&self, t: u64, p: Expr<'b>, m: Expr<'b>, v: Expr<'b>) -> Expr<'b> {
        let correction = |beta: f64| 1.0 - beta.powf(t as f64);
        let step = self.base.learning_rate / correction(self.beta1);
        p - (step * m) / (v.sqrt() / correction(self.beta2).sqrt() + self.eps)
    }
}

/// Returns a + w (b - a), computed from the nearer end as in PyTorch: for w = 1 the result is exactly b.
fn lerp<'b>(a: Expr<'b>, b: Expr<'b>, w: f64) -> Expr<'b> {
    if w < 0.5 { a + w * (b - a) } else { b - (b - a) * (1.0 - w) }
}

impl<T: Float> Rule<T> for Adam<T> {
    fn program(&self, t: u64) -> Program {
        if self.amsgrad {
            return Program::new(|[p, m, v, max, g]| {
                let (p, m, v) = self.moments(p, m, v, g);
                let max = max.maximum(v);
                [self.descend(t, p, m, max), m, v, max]
            });
        }
        Program::new(|[p, m, v, g]| {
            let (p, m, v) = self.moments(p, m, v, g);
            [self.descend(t, p, m, v), m, v]
        })
    }

    fn slots(&self) -> &'static [&'static str] {
        &["exp_avg", "exp_avg_sq", "max_exp_avg_sq"]
    }

    fn slots_in_use(&self) -> usize {
        if self.amsgrad { 3 } else { 2 }
    }

    fn invalid(&self) -> Option<Invalid> {
        Invalid::first([
            ("beta1", (0.0..1.0).contains(&self.beta1), "at least 0 and below 1"),
            ("beta2", (0.0..1.0).contains(&self.beta2), "at least 0 and below 1"),
            ("eps", not_negative(self.eps), "a number not below 0"),
            ("weight_decay", not_negative(self.weight_decay), "a number not below 0"),
        ])
    }

    settings!(beta1: Number, beta2: Number, eps: Number, weight_decay: Number, amsgrad: Switch);

    fn momentum_setting(&self) -> Option<&'static str> {
        Some("beta1")
    }

    fn name(&self) -> &'static str {
        if self.decoupled { "AdamW" } else { "Adam" }
    }
    fn base(&self) -> &Base<T> {
        &self.base
    }
    fn base_mut(&mut self) -> &mut Base<T> {
        &mut self.base
    }
}
