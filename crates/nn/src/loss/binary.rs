//! Losses of yes-or-no targets: cross-entropies of probabilities and logits, focal and Dice loss.

use super::{Target, equal_shapes, of_elements, options, plain, weighted};
use wengert_autograd::Var;
use wengert_tensor::{Float, Tensor};

options! {
    /// Options of [`bce`].
    Bce<T> {
        /// Sets weights of the elements, which broadcast to the input. The default is 1 for all.
        weights: Option<Tensor<T>> = None,
    }
}

impl<T: Float> Bce<T> {
    /// Computes the loss of probabilities and targets of the same shape.
    ///
    /// # Panics
    /// If the shapes differ, or the weights do not broadcast to them.
    #[track_caller]
    pub fn loss<'t>(&self, probabilities: Var<'t, T>, targets: impl Target<'t, T>) -> Var<'t, T> {
        of_elements("bce", probabilities, targets, self.reduction, |p, t| {
            let loss = -(t * limited_ln(p) + (1.0 - t) * limited_ln(1.0 - p));
            weighted("bce", loss, self.weights.as_ref())
        })
    }
}

/// Returns ln p, but at least -100, with the slope of ln p, but at most 1e12. These are PyTorch's
/// limits; the slope is that of 1e-12 in single precision.
fn limited_ln<T: Float>(p: Var<'_, T>) -> Var<'_, T> {
    const END: f64 = 1e-12f32 as f64;
    let small = p.lt(END);
    let end = p.detach();
    let at_the_end = end.ln().clamp_min(-100.0) + (p - end) / END;
    Var::where_(small, at_the_end, Var::where_(small, 1, p).ln())
}

plain! {
    /// Computes the binary cross-entropy between probabilities p and targets t from 0 to 1, in nats:
    /// mean of −t · ln p − (1 − t) · ln(1 − p).
    ///
    /// As in PyTorch, a logarithm is at least -100, and its slope at most 1e12. A probability outside 0
    /// to 1 gives NaN. [`bce_with_logits`](crate::bce_with_logits) loses no digits.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let p = tape.watch(Tensor::from([1.0f32, 0.5, 0.0]));
    /// let loss = wengert::nn::bce(p, &Tensor::from([1.0, 1.0, 1.0])).item();
    /// assert!((loss - (2f64.ln() + 100.0) / 3.0).abs() < 1e-5);
    /// ```
    bce, bce_with: Bce(probabilities: Var<'t, T>, targets: impl Target<'t, T>)
}

options! {
    /// Options of [`bce_with_logits`].
    BceWithLogits<T> {
        /// Sets weights of the elements, which broadcast to the logits. The default is 1 for all.
        weights: Option<Tensor<T>> = None,
        /// Sets factors of the terms of positive targets, which broadcast to the logits: numbers above 1
        /// make up for rare positives. The default is 1 for all.
        pos_weight: Option<Tensor<T>> = None,
    }
}

impl<T: Float> BceWithLogits<T> {
    /// Computes the loss of logits and targets of the same shape.
    ///
    /// # Panics
    /// If the shapes differ, or the weights do not broadcast to them.
    #[track_caller]
    pub fn loss<'t>(&self, logits: Var<'t, T>, targets: impl Target<'t, T>) -> Var<'t, T> {
        of_elements("bce_with_logits", logits, targets, self.reduction, |x, t| {
            let [positive, negative] = cross_entropy_terms(x, t);
            let positive = weighted("bce_with_logits", positive, self.pos_weight.as_ref());
            let loss = positive + negative;
            weighted("bce_with_logits", loss, self.weights.as_ref())
        })
    }
}

/// Returns the terms of the positive and of the negative target t in the binary cross-entropy between σ(x) and
/// t.
pub(super) fn cross_entropy_terms<'t, T: Float>(x: Var<'t, T>, t: Var<'t, T>) -> [Var<'t, T>; 2] {
    [t * (-x).softplus(), (1.0 - t) * x.softplus()]
}

plain! {
    /// Computes the binary cross-entropy between σ(logit) and a target t from 0 to 1, in nats: mean of
    /// t · ln(1 + e⁻ˣ) + (1 − t) · ln(1 + eˣ), where x is the logit.
    ///
    /// Neither term is negative, so no digits cancel, however large the logits are.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let logits = tape.watch(Tensor::from([1e4f32, -1e4, 1e4]));
    /// let loss = wengert::nn::bce_with_logits(logits, &Tensor::from([1.0, 0.0, 0.25]));
    /// assert_eq!(loss.item(), 2500.0);
    /// ```
    bce_with_logits, bce_with_logits_with: BceWithLogits(
        logits: Var<'t, T>, targets: impl Target<'t, T>
    )
}

options! {
    /// Options of [`focal`].
    Focal {
        /// Sets γ, which lowers the weight of targets that are predicted well. 0 gives
        /// [`bce_with_logits`]. The default is 2.
        gamma: f64 = 2.0,
        /// Sets α, the weight of positive targets; that of negative targets is 1 − α. `None` weights
        /// both equally. The default is 0.25.
        alpha: Option<f64> = Some(0.25),
    }
}

impl Focal {
    /// Computes the loss of logits and targets of the same shape.
    ///
    /// # Panics
    /// If the shapes differ, or γ is negative.
    #[track_caller]
    pub fn loss<'t, T: Float>(
        &self,
        logits: Var<'t, T>,
        targets: impl Target<'t, T>,
    ) -> Var<'t, T> {
        assert!(self.gamma >= 0.0, "focal: gamma must not be negative, got {}", self.gamma);
        of_elements("focal", logits, targets, self.reduction, |x, t| {
            let [positive, negative] = cross_entropy_terms(x, t);
            // 1 − p of the target, without cancellation. The limit keeps its powers differentiable.
            let missed = t * (-x).sigmoid() + (1.0 - t) * x.sigmoid();
            let loss = missed.clamp_min(1e-30).powf(self.gamma) * (positive + negative);
            self.alpha.map_or(loss, |alpha| (alpha * t + (1.0 - alpha) * (1.0 - t)) * loss)
        })
    }
}

plain! {
    /// Computes the focal loss of logits: the mean of α (1 − p)² times the binary cross-entropy, where
    /// p is the probability of the target, and α = 0.25 for positive and 0.75 for negative targets.
    /// torchvision: `sigmoid_focal_loss`. (Lin, Goyal, Girshick, He, Dollár, "Focal loss for dense
    /// object detection", 2017.)
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let logits = tape.watch(Tensor::from([0.0f32, 1e4]));
    /// let loss = wengert::nn::focal(logits, &Tensor::from([1.0, 1.0])).item();
    /// assert!((loss - 0.5 * 0.25 * 0.25 * 2f64.ln()).abs() < 1e-7);
    /// ```
    focal, focal_with: Focal(logits: Var<'t, T>, targets: impl Target<'t, T>)
}

options! {
    /// Options of [`dice`].
    Dice {
        /// Sets s, which is added above and below: an empty prediction of an empty target has loss 0.
        /// The default is 1.
        smooth: f64 = 1.0,
    }
}

impl Dice {
    /// Computes the loss of probabilities and targets of the same shape [N, …].
    ///
    /// # Panics
    /// If the shapes differ, or have fewer than two axes.
    #[track_caller]
    pub fn loss<'t, T: Float>(
        &self,
        probabilities: Var<'t, T>,
        targets: impl Target<'t, T>,
    ) -> Var<'t, T> {
        let (tape, shape) = (probabilities.tape(), probabilities.shape());
        let targets = targets.into_var(tape);
        equal_shapes("dice", probabilities, targets);
        if shape.rank() < 2 {
            tape.shape_error(format!(
                "dice: expected [N, …], got {shape} (for one sample, add the batch axis with unsqueeze(0))"
            ))
        }
        tape.scope("dice", || {
            let axes: Vec<isize> = (1..shape.rank() as isize).collect();
            let sum = |x: Var<'t, T>| x.sum(&axes, false);
            let both = 2.0 * sum(probabilities * targets) + self.smooth;
            let each = sum(probabilities) + sum(targets) + self.smooth;
            self.reduction.apply(1.0 - both / each)
        })
    }
}

plain! {
    /// Computes the Dice loss of probabilities p and targets t [N, …]: the mean over samples of
    /// 1 − (2 Σ p t + s) / (Σ p + Σ t + s), with s = 1 and sums over a sample. (Sudre, Li, Vercauteren,
    /// Ourselin, Cardoso, "Generalised Dice overlap as a deep learning loss function", 2017.)
    dice, dice_with: Dice(probabilities: Var<'t, T>, targets: impl Target<'t, T>)
}
