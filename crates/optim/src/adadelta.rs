//! The Adadelta optimizer.

use crate::base::Base;
use crate::rule::{Invalid, Rule, checked, not_negative, settings};
use wengert_tensor::{Float, Program};

/// Adadelta: the gradient is multiplied by the root mean square of recent updates and divided by the root
/// mean square of recent gradients, so that results depend little on the learning rate.
///
/// ```text
/// g ← g + weight_decay · p
/// v ← rho · v + (1 - rho) · g²
/// Δ ← √(u + eps) / √(v + eps) · g
/// u ← rho · u + (1 - rho) · Δ²
/// p ← p - lr · Δ
/// ```
/// Zeiler, "ADADELTA: an adaptive learning rate method", 2012 (there lr is always 1).
///
/// ```
/// use wengert_optim::Adadelta;
/// let optimizer = Adadelta::new(1.0).rho(0.95);
/// ```
pub struct Adadelta<T: Float = f32> {
    base: Base<T>,
    rho: f64,
    eps: f64,
    weight_decay: f64,
}

impl Adadelta {
    /// Creates the optimizer for `f32` models, with learning rate `lr` (PyTorch's default is 1).
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> Self {
        Self::of(lr)
    }
}

impl<T: Float> Adadelta<T> {
    /// Creates the optimizer for models of element type `T`: `Adadelta::<f64>::of(1.0)`. See
    /// [`Adadelta::new`].
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[track_caller]
    pub fn of(lr: f64) -> Self {
        checked(Adadelta { base: Base::new(lr), rho: 0.9, eps: 1e-6, weight_decay: 0.0 }, "lr")
    }

    /// Sets `rho`, the decay rate of the running averages of squares; default 0.9.
    ///
    /// # Panics
    /// If `rho` is not in [0, 1].
    #[track_caller]
    pub fn rho(self, rho: f64) -> Self {
        checked(Adadelta { rho, ..self }, "rho")
    }

    /// Sets `eps`, the term added to both running averages before their roots are taken; default 1e-6. It
    /// determines the size of the first step and avoids a division by zero.
    ///
    /// # Panics
    /// If `eps` is negative or not finite.
    #[track_caller]
    pub fn eps(self, eps: f64) -> Self {
        checked(Adadelta { eps, ..self }, "eps")
    }

    /// Sets the weight decay: the factor of an L2 penalty ½ ‖p‖² on the loss; default 0.
    ///
    /// # Panics
    /// If `weight_decay` is negative or not finite.
    #[track_caller]
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        checked(Adadelta { weight_decay, ..self }, "weight_decay")
    }

    /// Makes `step` skip trainable parameters that have no gradient. By default `step` panics.
    pub fn allow_missing(mut self) -> Self {
        self.base.allow_missing();
        self
    }
}

impl<T: Float> Rule<T> for Adadelta<T> {
    fn program(&self, _t: u64) -> Program {
        let &Adadelta { rho, eps, weight_decay, ref base } = self;
        let lr = base.learning_rate;
        Program::new(|[p, v, u, g]| {
            let g = if weight_decay == 0.0 { g } else { g + weight_decay * p };
            let v = rho * v + (1.0 - rho) * g * g;
            let delta = (u + eps).sqrt() / (v + eps).sqrt() * g;
            let u = rho * u + (1.0 - rho) * delta * delta;
            [p - lr * delta, v, u]
        })
    }

    fn slots(&self) -> &'static [&'static str] {
        &["square_avg", "acc_delta"]
    }

    fn invalid(&self) -> Option<Invalid> {
        Invalid::first([
            ("rho", (0.0..=1.0).contains(&self.rho), "from 0 to 1"),
            ("eps", not_negative(self.eps), "a number not below 0"),
            ("weight_decay", not_negative(self.weight_decay), "a number not below 0"),
        ])
    }

    settings!(rho: Number, eps: Number, weight_decay: Number);

    fn name(&self) -> &'static str {
        "Adadelta"
    }
    fn base(&self) -> &Base<T> {
        &self.base
    }
    fn base_mut(&mut self) -> &mut Base<T> {
        &mut self.base
    }
}
