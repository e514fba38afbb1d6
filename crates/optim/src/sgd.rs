//! Stochastic gradient descent.

use crate::hyperparameters::{declared_methods, optimizer};
use crate::update_rule::{InvalidHyperparameter, UpdateRule, penalized};
use wengert_tensor::{Float, Program};

optimizer! {
    /// Stochastic gradient descent, with optional momentum.
    ///
    /// ```text
    /// g ← g + weight_decay · p
    /// v ← momentum · v + (1 - dampening) · g       (in the first step: v ← g)
    /// p ← p - lr · v                               (nesterov: p ← p - lr · (g + momentum · v))
    /// ```
    /// With momentum 0, v = g and v is not stored. If the momentum is set to a positive value later, the next
    /// step sets v ← g, whatever the dampening. If the momentum is set to 0 and then to a positive value again,
    /// updates continue with the v that was stored before. PyTorch does the same.
    ///
    /// Momentum: Polyak, "Some methods of speeding up the convergence of iteration methods", 1964. This form
    /// of Nesterov momentum: Sutskever, Martens, Dahl, Hinton, "On the importance of initialization and
    /// momentum in deep learning", 2013.
    ///
    /// ```
    /// use wengert::optim::Sgd;
    /// let optimizer = Sgd::new(0.1).momentum(0.9).nesterov(true).weight_decay(5e-4);
    /// let in_f64 = Sgd::<f64>::of(0.1);
    /// ```
    Sgd, PyTorch lr = "0.001";

    /// Sets the momentum factor. The default is 0. A usual value is 0.9.
    momentum(momentum: f64 = 0.0) in NOT_NEGATIVE;

    /// Sets the dampening of the momentum: the gradient is multiplied by `1 - dampening`. The default is 0.
    dampening(dampening: f64 = 0.0) in FINITE;

    /// Sets the weight decay: the factor of an L2 penalty ½ ‖p‖² on the loss. The default is 0.
    weight_decay(weight_decay: f64 = 0.0) in NOT_NEGATIVE;

    /// Sets whether Nesterov momentum is used. The default is `false`. With `true`, a step panics if the momentum is
    /// 0 or the dampening is not 0.
    nesterov(nesterov: bool = false);
}

impl<T: Float> Sgd<T> {
    /// Returns the program of an update. `first`: the momentum buffer is used for the first time.
    fn update_program(&self, first: bool) -> Program {
        let &Sgd { momentum, dampening, weight_decay, nesterov, ref base } = self;
        let lr = base.learning_rate;
        if momentum == 0.0 {
            return Program::new(|[p, g]| {
                let g = penalized(g, p, weight_decay);
                [p - lr * g]
            });
        }
        Program::new(|[p, v, g]| {
            let g = penalized(g, p, weight_decay);
            let v = if first { g } else { momentum * v + (1.0 - dampening) * g };
            let step = if nesterov { g + momentum * v } else { v };
            [p - lr * step, v]
        })
    }
}

impl<T: Float> UpdateRule<T> for Sgd<T> {
    fn program(&self, _t: u64) -> Program {
        self.update_program(false)
    }

    fn first_program(&self, _t: u64) -> Program {
        self.update_program(true)
    }

    fn slots(&self) -> &'static [&'static str] {
        &["momentum_buffer"]
    }

    fn slots_in_use(&self) -> usize {
        usize::from(self.momentum != 0.0)
    }

    fn invalid(&self) -> Option<InvalidHyperparameter> {
        let fits = !self.nesterov || (self.momentum > 0.0 && self.dampening == 0.0);
        let must = "false unless momentum is above 0 and dampening is 0";
        self.out_of_range().or_else(|| InvalidHyperparameter::first([("nesterov", fits, must)]))
    }

    declared_methods!(momentum, dampening, weight_decay, nesterov);

    fn momentum_setting(&self) -> Option<&'static str> {
        Some("momentum")
    }

    fn name(&self) -> &'static str {
        "Sgd"
    }
}
