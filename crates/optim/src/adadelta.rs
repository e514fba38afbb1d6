//! The Adadelta optimizer.

use crate::hyperparameters::{declared_methods, optimizer};
use crate::update_rule::{InvalidHyperparameter, UpdateRule, penalized};
use wengert_tensor::{Float, Program};

optimizer! {
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
    /// use wengert::optim::Adadelta;
    /// let optimizer = Adadelta::new(1.0).rho(0.95);
    /// ```
    Adadelta, PyTorch lr = "1.0";

    /// Sets `rho`, the decay rate of the running averages of squares. The default is 0.9.
    rho(rho: f64 = 0.9) in UNIT;

    /// Sets `eps`, the term added to both running averages before their roots are taken. The default is 1e-6. It
    /// determines the size of the first step and avoids a division by zero.
    eps(eps: f64 = 1e-6) in NOT_NEGATIVE;

    /// Sets the weight decay: the factor of an L2 penalty ½ ‖p‖² on the loss. The default is 0.
    weight_decay(weight_decay: f64 = 0.0) in NOT_NEGATIVE;
}

impl<T: Float> UpdateRule<T> for Adadelta<T> {
    fn program(&self, _t: u64) -> Program {
        let &Adadelta { rho, eps, weight_decay, ref base } = self;
        let lr = base.learning_rate;
        Program::new(|[p, v, u, g]| {
            let g = penalized(g, p, weight_decay);
            let v = rho * v + (1.0 - rho) * g * g;
            let delta = (u + eps).sqrt() / (v + eps).sqrt() * g;
            let u = rho * u + (1.0 - rho) * delta * delta;
            [p - lr * delta, v, u]
        })
    }

    fn slots(&self) -> &'static [&'static str] {
        &["square_avg", "acc_delta"]
    }

    fn invalid(&self) -> Option<InvalidHyperparameter> {
        self.out_of_range()
    }

    declared_methods!(rho, eps, weight_decay);

    fn name(&self) -> &'static str {
        "Adadelta"
    }
}
