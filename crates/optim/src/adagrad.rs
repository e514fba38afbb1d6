//! The Adagrad optimizer.

use crate::base::Base;
use crate::rule::{Invalid, Rule, checked, not_negative, settings};
use wengert_tensor::{Float, Program};

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
/// use wengert_optim::Adagrad;
/// let optimizer = Adagrad::new(0.01).lr_decay(1e-3);
/// ```
pub struct Adagrad<T: Float = f32> {
    base: Base<T>,
    lr_decay: f64,
    weight_decay: f64,
    initial_accumulator_value: f64,
    eps: f64,
}

impl Adagrad {
    /// Creates the optimizer for `f32` models, with learning rate `lr` (PyTorch's default is 0.01).
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> Self {
        Self::of(lr)
    }
}

impl<T: Float> Adagrad<T> {
    /// Creates the optimizer for models of element type `T`: `Adagrad::<f64>::of(0.01)`. See
    /// [`Adagrad::new`].
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[track_caller]
    pub fn of(lr: f64) -> Self {
        let (base, eps) = (Base::new(lr), 1e-10);
        let rule =
            Adagrad { base, lr_decay: 0.0, weight_decay: 0.0, initial_accumulator_value: 0.0, eps };
        checked(rule, "lr")
    }

    /// Sets the decay of the learning rate: step t uses `lr / (1 + (t - 1) · lr_decay)`; default 0.
    ///
    /// # Panics
    /// If `lr_decay` is negative or not finite.
    #[track_caller]
    pub fn lr_decay(self, lr_decay: f64) -> Self {
        checked(Adagrad { lr_decay, ..self }, "lr_decay")
    }

    /// Sets the weight decay: the factor of an L2 penalty ½ ‖p‖² on the loss; default 0.
    ///
    /// # Panics
    /// If `weight_decay` is negative or not finite.
    #[track_caller]
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        checked(Adagrad { weight_decay, ..self }, "weight_decay")
    }

    /// Sets the initial value of the sums of squared gradients; default 0.
    ///
    /// # Panics
    /// If `value` is negative or not finite.
    #[track_caller]
    pub fn initial_accumulator_value(self, value: f64) -> Self {
        checked(Adagrad { initial_accumulator_value: value, ..self }, "initial_accumulator_value")
    }

    /// Sets `eps`, the term added to the denominator to avoid a division by zero; default 1e-10.
    ///
    /// # Panics
    /// If `eps` is negative or not finite.
    #[track_caller]
    pub fn eps(self, eps: f64) -> Self {
        checked(Adagrad { eps, ..self }, "eps")
    }

    /// Makes `step` skip trainable parameters that have no gradient. By default `step` panics.
    pub fn allow_missing(mut self) -> Self {
        self.base.allow_missing();
        self
    }
}

impl<T: Float> Rule<T> for Adagrad<T> {
    fn program(&self, t: u64) -> Program {
        let &Adagrad { weight_decay, eps, .. } = self;
        let lr = self.base.learning_rate / (1.0 + (t - 1) as f64 * self.lr_decay);
        Program::new(|[p, s, g]| {
            let g = if weight_decay == 0.0 { g } else { g + weight_decay * p };
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

    fn invalid(&self) -> Option<Invalid> {
        Invalid::first([
            ("lr_decay", not_negative(self.lr_decay), "a number not below 0"),
            ("weight_decay", not_negative(self.weight_decay), "a number not below 0"),
            (
                "initial_accumulator_value",
                not_negative(self.initial_accumulator_value),
                "a number not below 0",
            ),
            ("eps", not_negative(self.eps), "a number not below 0"),
        ])
    }

    settings!(
        lr_decay: Number,
        weight_decay: Number,
        initial_accumulator_value: Number,
        eps: Number
    );

    fn name(&self) -> &'static str {
        "Adagrad"
    }
    fn base(&self) -> &Base<T> {
        &self.base
    }
    fn base_mut(&mut self) -> &mut Base<T> {
        &mut self.base
    }
}
