//! The `AdamW` optimizer.

use crate::adam::Adam;
use crate::base::Base;
use crate::rule::{Invalid, Rule, Setting};
use wengert_tensor::{Float, Program};

/// `AdamW`: [`Adam`] with decoupled weight decay. The decay is applied to the parameter directly, so that it
/// is not divided by the second moment estimate.
///
/// ```text
/// p ← (1 - lr · weight_decay) · p
/// m ← β₁ m + (1 - β₁) g
/// v ← β₂ v + (1 - β₂) g²
/// p ← p - lr · m̂ / (√v̂ + eps)                 with m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ)
/// ```
/// With `amsgrad`, v̂ is computed from the elementwise maximum of all v so far.
///
/// Loshchilov, Hutter, "Decoupled weight decay regularization", 2019.
///
/// ```
/// use wengert_optim::AdamW;
/// let optimizer = AdamW::new(1e-3).weight_decay(0.05);
/// ```
pub struct AdamW<T: Float = f32>(Adam<T>);

impl AdamW {
    /// Creates the optimizer for `f32` models, with learning rate `lr` (PyTorch's default is 0.001).
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> Self {
        Self::of(lr)
    }
}

impl<T: Float> AdamW<T> {
    /// Creates the optimizer for models of element type `T`: `AdamW::<f64>::of(1e-3)`. See [`AdamW::new`].
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[track_caller]
    pub fn of(lr: f64) -> Self {
        AdamW(Adam::with(lr, 0.01, true))
    }

    /// Sets β₁ and β₂, the decay rates of the first and second moment estimates; default 0.9 and 0.999.
    ///
    /// # Panics
    /// If `beta1` or `beta2` is not in [0, 1).
    #[track_caller]
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        AdamW(self.0.betas(beta1, beta2))
    }

    /// Sets `eps`, the term added to the denominator to avoid a division by zero; default 1e-8.
    ///
    /// # Panics
    /// If `eps` is negative or not finite.
    #[track_caller]
    pub fn eps(self, eps: f64) -> Self {
        AdamW(self.0.eps(eps))
    }

    /// Sets the weight decay: each step multiplies the parameters by `1 - lr · weight_decay`; default 0.01.
    ///
    /// # Panics
    /// If `weight_decay` is negative or not finite.
    #[track_caller]
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        AdamW(self.0.weight_decay(weight_decay))
    }

    /// Sets whether the denominator uses the maximum of all second moment estimates so far (`AMSGrad`);
    /// default `false`.
    pub fn amsgrad(self, amsgrad: bool) -> Self {
        AdamW(self.0.amsgrad(amsgrad))
    }

    /// Makes `step` skip trainable parameters that have no gradient. By default `step` panics.
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
