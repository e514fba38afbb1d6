//! `AdamW`.

use crate::adam::Adam;
use crate::base::Base;
use crate::rule::{Invalid, Rule, Setting};
use wengert_tensor::{Float, Program};

/// `AdamW`: [`Adam`] with weight decay apart from the gradients, so that it is not scaled with them.
///
/// ```text
/// p ← (1 - lr · weight_decay) · p
/// m ← β₁ m + (1 - β₁) g
/// v ← β₂ v + (1 - β₂) g²
/// p ← p - lr · m̂ / (√v̂ + eps)                 with m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ)
/// ```
/// With `amsgrad`, v̂ is taken of the greatest v so far.
///
/// Loshchilov, Hutter, "Decoupled weight decay regularization", 2019.
///
/// ```
/// use wengert_optim::AdamW;
/// let optimizer = AdamW::new(1e-3).weight_decay(0.05);
/// ```
pub struct AdamW<T: Float = f32>(Adam<T>);

impl AdamW {
    /// With this learning rate (PyTorch's default is 0.001), for `f32` models.
    ///
    /// # Panics
    /// If the learning rate is negative or no number.
    #[track_caller]
    pub fn new(lr: f64) -> Self {
        Self::of(lr)
    }
}

impl<T: Float> AdamW<T> {
    /// As [`AdamW::new`], for models of another type: `AdamW::<f64>::of(1e-3)`.
    ///
    /// # Panics
    /// If the learning rate is negative or no number.
    #[track_caller]
    pub fn of(lr: f64) -> Self {
        AdamW(Adam::with(lr, 0.01, true))
    }

    /// How much of the averages of gradients and of their squares stays; default 0.9, 0.999.
    ///
    /// # Panics
    /// If one is not in [0, 1).
    #[track_caller]
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        AdamW(self.0.betas(beta1, beta2))
    }

    /// What keeps the divisor from zero; default 1e-8.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    pub fn eps(self, eps: f64) -> Self {
        AdamW(self.0.eps(eps))
    }

    /// How fast parameters shrink, in units of the learning rate; default 0.01.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        AdamW(self.0.weight_decay(weight_decay))
    }

    /// Whether steps are scaled by the greatest average of squares so far; default no.
    pub fn amsgrad(self, amsgrad: bool) -> Self {
        AdamW(self.0.amsgrad(amsgrad))
    }

    /// Steps pass over trainable parameters that got no gradient; by default they panic.
    pub fn allow_missing(self) -> Self {
        AdamW(self.0.allow_missing())
    }
}

impl<T: Float> Rule<T> for AdamW<T> {
    fn program(&self, t: u64) -> Program {
        self.0.program(t)
    }
    fn first_program(&self, t: u64) -> Program {
        self.0.first_program(t)
    }
    fn slots(&self) -> &'static [&'static str] {
        self.0.slots()
    }
    fn slots_in_use(&self) -> usize {
        self.0.slots_in_use()
    }
    fn invalid(&self) -> Option<Invalid> {
        self.0.invalid()
    }
    fn settings(&self) -> Vec<(&'static str, Setting)> {
        self.0.settings()
    }
    fn set(&mut self, name: &str, to: Setting) {
        self.0.set(name, to);
    }
    fn momentum_setting(&self) -> Option<&'static str> {
        self.0.momentum_setting()
    }
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn base(&self) -> &Base<T> {
        self.0.base()
    }
    fn base_mut(&mut self) -> &mut Base<T> {
        self.0.base_mut()
    }
}
