//! The Adam optimizer, with weight decay as a penalty or decoupled from the gradients (`AdamW`).

use crate::base::Base;
use crate::hyperparameters::{checked, declared_methods, optimizer};
use crate::update_rule::{InvalidHyperparameter, UpdateRule, penalized};
use wengert_tensor::{Expr, Float, Program};

optimizer! {
    /// Adam and `AdamW`: each element's step is a running mean of its gradients, divided by the root of a running
    /// mean of their squares.
    ///
    /// ```text
    /// Adam::new     g ← g + weight_decay · p                  Adam::adamw   p ← p - lr · weight_decay · p
    ///
    /// m ← β₁ m + (1 - β₁) g
    /// v ← β₂ v + (1 - β₂) g²
    /// p ← p - lr · m̂ / (√v̂ + eps)                 with m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ)
    /// ```
    /// With `amsgrad`, v̂ is computed from the elementwise maximum of all v so far.
    ///
    /// | constructor | PyTorch | weight decay | default |
    /// |---|---|---|---|
    /// | [`Adam::new`] | `torch.optim.Adam` | an L2 penalty: it is part of g, and is divided by √v̂ | 0 |
    /// | [`Adam::adamw`] | `torch.optim.AdamW` | decoupled: it is applied to the parameter itself | 0.01 |
    ///
    /// The constructors give optimizers of one type. Saved states name the algorithm: an `AdamW` optimizer refuses
    /// the state of an `Adam` optimizer, and conversely.
    ///
    /// Adam: Kingma, Ba, "Adam: a method for stochastic optimization", 2015. `AdamW`: Loshchilov, Hutter, "Decoupled
    /// weight decay regularization", 2019. With `amsgrad`: Reddi, Kale, Kumar, "On the convergence of Adam and
    /// beyond", 2018.
    ///
    /// ```
    /// use wengert::optim::Adam;
    /// let adam = Adam::new(1e-3).betas(0.9, 0.99);
    /// let adamw = Adam::adamw(1e-3).weight_decay(0.05);
    /// ```
    #[doc(alias = "AdamW")]
    Adam, PyTorch lr = "0.001", with decoupled: bool = false;

    /// Sets β₁ and β₂, the decay rates of the first and second moment estimates. The defaults are 0.9 and 0.999.
    betas(beta1: f64 = 0.9, beta2: f64 = 0.999) in BELOW_ONE;

    /// Sets `eps`, the term added to the denominator to avoid a division by zero. The default is 1e-8.
    eps(eps: f64 = 1e-8) in NOT_NEGATIVE;

    /// Sets the weight decay. For [`Adam::new`] it is the factor of an L2 penalty ½ ‖p‖² on the loss. The default is
    /// 0. For [`Adam::adamw`] each step multiplies the parameters by `1 - lr · weight_decay`, and the default is 0.01.
    weight_decay(weight_decay: f64 = 0.0) in NOT_NEGATIVE;

    /// Sets whether the denominator uses the maximum of all second moment estimates so far (`AMSGrad`).
    /// The default is `false`.
    amsgrad(amsgrad: bool = false);
}

impl Adam {
    /// Creates an `AdamW` optimizer for `f32` models, with learning rate `lr` (PyTorch's default is 0.001):
    /// Adam with weight decay that is decoupled from the gradients. The default is 0.01.
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[doc(alias = "AdamW")]
    #[track_caller]
    pub fn adamw(lr: f64) -> Self {
        Self::adamw_of(lr)
    }
}

impl<T: Float> Adam<T> {
    /// Creates an `AdamW` optimizer for models of element type `T`: `Adam::<f64>::adamw_of(0.001)`. See
    /// [`adamw`](Adam::adamw).
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[doc(alias = "AdamW")]
    #[track_caller]
    pub fn adamw_of(lr: f64) -> Self {
        let (base, weight_decay) = (Base::new(lr), 0.01);
        checked(Adam { base, weight_decay, decoupled: true, ..Self::of(0.0) }, "lr")
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
            _ => (p, penalized(g, p, weight_decay)),
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

impl<T: Float> UpdateRule<T> for Adam<T> {
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

    fn invalid(&self) -> Option<InvalidHyperparameter> {
        self.out_of_range()
    }

    declared_methods!(beta1, beta2, eps, weight_decay, amsgrad);

    fn momentum_setting(&self) -> Option<&'static str> {
        Some("beta1")
    }

    fn name(&self) -> &'static str {
        if self.decoupled { "AdamW" } else { "Adam" }
    }
}
