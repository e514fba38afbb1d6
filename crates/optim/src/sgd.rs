//! Stochastic gradient descent.

use crate::base::Base;
use crate::rule::{Invalid, Rule, checked, not_negative, settings};
use wengert_tensor::{Float, Program};

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
/// use wengert_optim::Sgd;
/// let optimizer = Sgd::new(0.1).momentum(0.9).nesterov(true).weight_decay(5e-4);
/// let in_f64 = Sgd::<f64>::of(0.1);
/// ```
pub struct Sgd<T: Float = f32> {
    base: Base<T>,
    momentum: f64,
    dampening: f64,
    weight_decay: f64,
    nesterov: bool,
}

impl Sgd {
    /// Creates the optimizer for `f32` models, with learning rate `lr`, no momentum and no weight decay.
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> Self {
        Self::of(lr)
    }
}

impl<T: Float> Sgd<T> {
    /// Creates the optimizer for models of element type `T`: `Sgd::<f64>::of(0.1)`. See [`Sgd::new`].
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[track_caller]
    pub fn of(lr: f64) -> Self {
        let base = Base::new(lr);
        let rule = Sgd { base, momentum: 0.0, dampening: 0.0, weight_decay: 0.0, nesterov: false };
        checked(rule, "lr")
    }

    /// Sets the momentum factor; default 0. A usual value is 0.9.
    ///
    /// # Panics
    /// If `momentum` is negative or not finite.
    #[track_caller]
    pub fn momentum(self, momentum: f64) -> Self {
        checked(Sgd { momentum, ..self }, "momentum")
    }

    /// Sets the dampening of the momentum: the gradient is multiplied by `1 - dampening`; default 0.
    ///
    /// # Panics
    /// If `dampening` is not finite.
    #[track_caller]
    pub fn dampening(self, dampening: f64) -> Self {
        checked(Sgd { dampening, ..self }, "dampening")
    }

    /// Sets the weight decay: the factor of an L2 penalty ½ ‖p‖² on the loss; default 0.
    ///
    /// # Panics
    /// If `weight_decay` is negative or not finite.
    #[track_caller]
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        checked(Sgd { weight_decay, ..self }, "weight_decay")
    }

    /// Sets whether Nesterov momentum is used; default `false`. With `true`, a step panics if the momentum is
    /// 0 or the dampening is not 0.
    pub fn nesterov(self, nesterov: bool) -> Self {
        Sgd { nesterov, ..self }
    }

    /// Makes `step` skip trainable parameters that have no gradient. By default `step` panics.
    pub fn allow_missing(mut self) -> Self {
        self.base.allow_missing();
        self
    }
}

impl<T: Float> Sgd<T> {
    /// Returns the program of an update. `first`: the momentum buffer is used for the first time.
    fn update(&self, first: bool) -> Program {
        let &Sgd { momentum, dampening, weight_decay, nesterov, ref base } = self;
        let lr = base.learning_rate;
        if momentum == 0.0 {
            return Program::new(|[p, g]| {
                let g = if weight_decay == 0.0 { g } else { g + weight_decay * p };
                [p - lr * g]
            });
        }
        Program::new(|[p, v, g]| {
            let g = if weight_decay == 0.0 { g } else { g + weight_decay * p };
            let v = if first { g } else { momentum * v + (1.0 - dampening) * g };
            let step = if nesterov { g + momentum * v } else { v };
            [p - lr * step, v]
        })
    }
}

impl<T: Float> Rule<T> for Sgd<T> {
    fn program(&self, _t: u64) -> Program {
        self.update(false)
    }

    fn first_program(&self, _t: u64) -> Program {
        self.update(true)
    }

    fn slots(&self) -> &'static [&'static str] {
        &["momentum_buffer"]
    }

    fn slots_in_use(&self) -> usize {
        usize::from(self.momentum != 0.0)
    }

    fn invalid(&self) -> Option<Invalid> {
        let goes_together = self.momentum > 0.0 && self.dampening == 0.0;
        Invalid::first([
            ("momentum", not_negative(self.momentum), "a number not below 0"),
            ("dampening", self.dampening.is_finite(), "a number"),
            ("weight_decay", not_negative(self.weight_decay), "a number not below 0"),
            (
                "nesterov",
                !self.nesterov || goes_together,
                "false unless there is momentum and no dampening",
            ),
        ])
    }

    settings!(momentum: Number, dampening: Number, weight_decay: Number, nesterov: Switch);

    fn momentum_setting(&self) -> Option<&'static str> {
        Some("momentum")
    }

    fn name(&self) -> &'static str {
        "Sgd"
    }
    fn base(&self) -> &Base<T> {
        &self.base
    }
    fn base_mut(&mut self) -> &mut Base<T> {
        &mut self.base
    }
}
