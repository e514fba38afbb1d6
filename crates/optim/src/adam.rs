//! Adam.

use crate::base::Base;
use crate::rule::{Invalid, Rule, checked, not_negative, settings};
use wengert_tensor::{Expr, Float, Program};

/// Adam: momentum, each number's step scaled by the recent size of its gradients.
///
/// ```text
/// g ← g + weight_decay · p
/// m ← β₁ m + (1 - β₁) g
/// v ← β₂ v + (1 - β₂) g²
/// p ← p - lr · m̂ / (√v̂ + eps)                 with m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ)
/// ```
/// With `amsgrad`, v̂ is taken of the greatest v so far. [`AdamW`](crate::AdamW) has the better
/// weight decay.
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
    /// Whether weight decay is `AdamW`'s.
    decoupled: bool,
}

impl Adam {
    /// With this learning rate (PyTorch's default is 0.001), for `f32` models.
    ///
    /// # Panics
    /// If the learning rate is negative or no number.
    #[track_caller]
    pub fn new(lr: f64) -> Self {
        Self::of(lr)
    }
}

impl<T: Float> Adam<T> {
    /// As [`Adam::new`], for models of another type: `Adam::<f64>::of(1e-3)`.
    ///
    /// # Panics
    /// If the learning rate is negative or no number.
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

    /// How much of the averages of gradients and of their squares stays; default 0.9, 0.999.
    ///
    /// # Panics
    /// If one is not in [0, 1).
    #[track_caller]
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        checked(checked(Adam { beta1, beta2, ..self }, "beta1"), "beta2")
    }

    /// What keeps the divisor from zero; default 1e-8.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    pub fn eps(self, eps: f64) -> Self {
        checked(Adam { eps, ..self }, "eps")
    }

    /// The factor of the penalty ½ ‖p‖²; default 0.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        checked(Adam { weight_decay, ..self }, "weight_decay")
    }

    /// Whether steps are scaled by the greatest average of squares so far; default no.
    pub fn amsgrad(self, amsgrad: bool) -> Self {
        Adam { amsgrad, ..self }
    }

    /// Steps pass over trainable parameters that got no gradient; by default they panic.
    pub fn allow_missing(mut self) -> Self {
        self.base.allow_missing();
        self
    }
}

impl<T: Float> Adam<T> {
    /// Weight decay, and the two averages.
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

    /// The step, after the averages' pull towards their start at zero is taken out.
    fn descend<'b>(&self, t: u64, p: Expr<'b>, m: Expr<'b>, v: Expr<'b>) -> Expr<'b> {
        let correction = |beta: f64| 1.0 - beta.powf(t as f64);
        let step = self.base.learning_rate / correction(self.beta1);
        p - (step * m) / (v.sqrt() / correction(self.beta2).sqrt() + self.eps)
    }
}

/// a + w (b - a), from the nearer end as PyTorch does: exactly b for w = 1.
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
