//! The Adagrad optimizer.

use crate::hyperparameters::{declared_methods, optimizer};
use crate::update_rule::{InvalidHyperparameter, UpdateRule, penalized};
use wengert_tensor::{Float, Program};

optimizer! {
    /// Adagrad: each element's gradient is divided by the root of the sum of its squared gradients.
    ///
    /// ```text
    /// g ← g + weight_decay · p
    /// s ← s + g²                                   (s starts at initial_accumulator_value)
    /// p ← p - lr / (1 + (t - 1) · lr_decay) · g / (√s + eps)
    /// ```
    ///
    /// Duchi, Hazan, Singer, "Adaptive subgradient methods for online learning and stochastic
    /// optimization", 2011.
    ///
    /// ```
    /// use wengert::optim::Adagrad;
    /// let optimizer = Adagrad::new(0.01).lr_decay(1e-3);
    /// ```
    Adagrad, PyTorch lr = "0.01";

    /// Sets the decay of the learning rate: step t uses `lr / (1 + (t - 1) · lr_decay)`. The default is 0.
    lr_decay(lr_decay: f64 = 0.0) in NOT_NEGATIVE;

    /// Sets the weight decay: the factor of an L2 penalty ½ ‖p‖² on the loss. The default is 0.
    weight_decay(weight_decay: f64 = 0.0) in NOT_NEGATIVE;

    /// Sets the initial value of the sums of squared gradients. The default is 0.
    initial_accumulator_value(initial_accumulator_value: f64 = 0.0) in NOT_NEGATIVE;

    /// Sets `eps`, the term added to the denominator to avoid a division by zero. The default is 1e-10.
    eps(eps: f64 = 1e-10) in NOT_NEGATIVE;
}

impl<T: Float> UpdateRule<T> for Adagrad<T> {
    fn program(&self, t: u64) -> Program {
        let &Adagrad { weight_decay, eps, .. } = self;
        let lr = self.base.learning_rate / (1.0 + (t - 1) as f64 * self.lr_decay);
        Program::new(|[p, s, g]| {
            let g = penalized(g, p, weight_decay);
            let s = s + g * g;
            [p - (lr * g) / (s.sqrt() + eps), s]
        })
    }

    fn slots(&self) -> &'static [&'static str] {
        &["sum"]
    }

    fn initial(&self) -> f64 {
        self.initial_accumulator_value
    }

    fn invalid(&self) -> Option<InvalidHyperparameter> {
        self.out_of_range()
    }

    declared_methods!(lr_decay, weight_decay, initial_accumulator_value, eps);

    fn name(&self) -> &'static str {
        "Adagrad"
    }
}
