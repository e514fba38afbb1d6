//! Losses of classes: cross-entropies, negative log-likelihoods, and the divergence of distributions.

use super::{Classes, Reduction, Target, class_weights, equal_shapes, of_elements, options, plain};
use wengert_autograd::{IntoIndex, Var};
use wengert_tensor::{Float, Tensor};

options! {
    /// Options of [`cross_entropy`] and [`soft_cross_entropy`].
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::nn::CrossEntropy;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let logits = tape.watch(Tensor::from([[0.0f32, 0.0], [1.0, 2.0], [3.0, 4.0]]));
    /// let options = CrossEntropy::new().weights(Tensor::from([2.0, 1.0])).ignore_index(-100);
    /// let loss = options.loss(logits, &Tensor::from([0i64, -100, -100]));
    /// assert!((loss.item() - 2f64.ln()).abs() < 1e-6);
    /// ```
    CrossEntropy<T> {
        /// Sets one weight per class. The default is 1 for all. The mean is then a weighted mean: the
        /// sum of the losses, divided by the sum of the weights of the samples' classes.
        weights: Option<Tensor<T>> = None,
        /// Sets a class number whose samples have the loss 0 and do not count in the mean. The default
        /// is none. If all samples are ignored, the mean is NaN.
        ignore_index: Option<i64> = None,
        /// Sets ε: a part ε of the probability of each class is spread evenly over all classes. The
        /// default is 0. (Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, "Rethinking the Inception
        /// architecture for computer vision", 2015.)
        label_smoothing: f64 = 0.0,
    }
}

impl<T: Float> CrossEntropy<T> {
    /// Computes the loss of logits and class numbers. [`Reduction::None`] returns the shape of the
    /// classes.
    ///
    /// # Panics
    /// If the shapes do not fit, a class that is not ignored is not from 0 to C − 1, or ε is not from 0
    /// to 1.
    #[track_caller]
    pub fn loss<'t>(&self, logits: Var<'t, T>, classes: impl IntoIndex<'t, T>) -> Var<'t, T> {
        let op = "cross_entropy";
        self.check_smoothing();
        let classes = Classes::of(op, logits, classes, self.ignore_index);
        let weights = class_weights(op, logits, self.weights.as_ref());
        logits.tape().scope(op, || {
            let (scores, ignored) = (logits.log_softmax(classes.axis), self.ignore_index);
            if self.label_smoothing == 0.0 {
                return of_picked(classes, scores, weights, ignored, self.reduction, None);
            }
            let part = self.label_smoothing / classes.count as f64;
            let all = weights.map_or(scores, |weights| weights * scores);
            let more = Some(part * all.sum(&[classes.axis], false));
            let scores = (1.0 - self.label_smoothing) * scores;
            of_picked(classes, scores, weights, ignored, self.reduction, more)
        })
    }

    /// Computes the loss of logits and probabilities of the classes, which have the shape of the
    /// logits. [`Reduction::None`] returns this shape without the class axis. The mean is taken over
    /// the samples, whatever their weights. `ignore_index` has no effect.
    ///
    /// # Panics
    /// If the shapes do not fit, or ε is not from 0 to 1.
    #[track_caller]
    pub fn loss_of_probabilities<'t>(
        &self,
        logits: Var<'t, T>,
        probabilities: impl Target<'t, T>,
    ) -> Var<'t, T> {
        let (tape, shape, op) = (logits.tape(), logits.shape(), "soft_cross_entropy");
        self.check_smoothing();
        let mut targets = probabilities.into_var(tape);
        equal_shapes(op, logits, targets);
        if shape.rank() == 0 {
            tape.shape_error(format!("{op}: expected [N, C] for N samples and C classes, got []"))
        }
        let axis = usize::from(shape.rank() > 1);
        let weights = class_weights(op, logits, self.weights.as_ref());
        tape.scope(op, || {
            if self.label_smoothing > 0.0 {
                let part = self.label_smoothing / shape[axis] as f64;
                targets = (1.0 - self.label_smoothing) * targets + part;
            }
            let axis = axis as isize;
            let losses = -targets * logits.log_softmax(axis);
            let losses = weights.map_or(losses, |weights| weights * losses);
            self.reduction.apply(losses.sum(&[axis], false))
        })
    }

    #[track_caller]
    fn check_smoothing(&self) {
        assert!(
            (0.0..=1.0).contains(&self.label_smoothing),
            "cross_entropy: label_smoothing must be from 0 to 1, got {}",
            self.label_smoothing
        );
    }
}

/// Combines the losses of the samples: minus the score of the class of each sample times the weight of
/// the class, minus `more`. Ignored samples have the loss 0 and the weight 0.
fn of_picked<'t, T: Float>(
    classes: Classes<'t, T>,
    scores: Var<'t, T>,
    weights: Option<Var<'t, T>>,
    ignored: Option<i64>,
    reduction: Reduction,
    more: Option<Var<'t, T>>,
) -> Var<'t, T> {
    let mut losses = -classes.pick(scores);
    let mut weight = weights.map(|weights| classes.pick(weights.broadcast_to(scores.shape())));
    if let Some(weight) = weight {
        losses = losses * weight;
    }
    if let Some(more) = more {
        losses = losses - more;
    }
    if let Some(ignored) = ignored {
        let counts = classes.given.ne(ignored);
        losses = Var::where_(counts, losses, 0);
        weight =
            Some(weight.map_or_else(|| counts.cast(), |weight| Var::where_(counts, weight, 0)));
    }
    match (reduction, weight) {
        (Reduction::Mean, Some(weight)) => losses.sum_all() / weight.sum_all(),
        _ => reduction.apply(losses),
    }
}

plain! {
    /// Computes the cross-entropy between softmax(logits) and the true classes, in nats: mean over
    /// samples of ln Σⱼ exp(xⱼ) − xᵢ, where i is the class.
    ///
    /// The logits are `[C]`, `[N, C]` or `[N, C, d₁, …]`, with the classes on the second axis (on the
    /// only axis of `[C]`). `classes` has the shape of the logits without the class axis and contains
    /// numbers from 0 to C − 1. The computation is stable for logits of any size.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let logits = tape.watch(Tensor::from([[2.0f32, 0.0, 0.0], [0.0, 0.0, 1e4]]));
    /// let loss = wengert::nn::cross_entropy(logits, &Tensor::from([0i64, 2]));
    /// assert!((loss.item() - 0.5 * (1.0 + 2.0 * (-2.0f64).exp()).ln()).abs() < 1e-6);
    /// ```
    cross_entropy, cross_entropy_with: CrossEntropy(
        logits: Var<'t, T>, classes: impl IntoIndex<'t, T>
    )
}

/// Computes the cross-entropy between softmax(logits) and probabilities t of the classes, in nats: mean
/// over samples of −Σⱼ tⱼ ln softmax(x)ⱼ. Both have the same shape, with the classes on the axis of
/// [`cross_entropy`]. PyTorch: `cross_entropy` with a target of floats. The type [`CrossEntropy`] has
/// options.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::nn::soft_cross_entropy;
/// use wengert::tensor::Tensor;
/// let tape = Tape::new();
/// let logits = tape.watch(Tensor::from([[0.0f32, 0.0]]));
/// let loss = soft_cross_entropy(logits, &Tensor::from([[0.25, 0.75]]));
/// assert!((loss.item() - 2f64.ln()).abs() < 1e-6);
/// ```
///
/// # Panics
/// If the shapes differ.
#[track_caller]
pub fn soft_cross_entropy<'t, T: Float>(
    logits: Var<'t, T>,
    probabilities: impl Target<'t, T>,
) -> Var<'t, T> {
    CrossEntropy::new().loss_of_probabilities(logits, probabilities)
}

/// Computes [`soft_cross_entropy`] with another reduction; [`Reduction::None`] returns the shape
/// without the class axis.
///
/// # Panics
/// Under the same conditions as [`soft_cross_entropy`].
#[track_caller]
pub fn soft_cross_entropy_with<'t, T: Float>(
    logits: Var<'t, T>,
    probabilities: impl Target<'t, T>,
    reduction: Reduction,
) -> Var<'t, T> {
    CrossEntropy::new().reduction(reduction).loss_of_probabilities(logits, probabilities)
}

options! {
    /// Options of [`nll`].
    Nll<T> {
        /// Sets one weight per class. The default is 1 for all. The mean is then a weighted mean.
        weights: Option<Tensor<T>> = None,
        /// Sets a class number whose samples have the loss 0 and do not count in the mean. The default
        /// is none.
        ignore_index: Option<i64> = None,
    }
}

impl<T: Float> Nll<T> {
    /// Computes the loss of log-probabilities and class numbers. [`Reduction::None`] returns the shape
    /// of the classes.
    ///
    /// # Panics
    /// If the shapes do not fit, or a class that is not ignored is not from 0 to C − 1.
    #[track_caller]
    pub fn loss<'t>(&self, log_probs: Var<'t, T>, classes: impl IntoIndex<'t, T>) -> Var<'t, T> {
        let classes = Classes::of("nll", log_probs, classes, self.ignore_index);
        let weights = class_weights("nll", log_probs, self.weights.as_ref());
        log_probs.tape().scope("nll", || {
            of_picked(classes, log_probs, weights, self.ignore_index, self.reduction, None)
        })
    }
}

plain! {
    /// Computes the negative log-likelihood of the true classes: mean over samples of −xᵢ, where i is
    /// the class.
    ///
    /// After [`LogSoftmax`](crate::LogSoftmax) it equals the [`cross_entropy`] of the logits. The
    /// shapes are those of [`cross_entropy`].
    nll, nll_with: Nll(log_probs: Var<'t, T>, classes: impl IntoIndex<'t, T>)
}

options! {
    /// Options of [`kl_div`].
    KlDiv {
        /// Sets whether the targets are logarithms of probabilities. The default is false.
        log_target: bool = false,
    }
}

impl KlDiv {
    /// Computes the loss of log-probabilities and targets of the same shape.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn loss<'t, T: Float>(
        &self,
        log_probs: Var<'t, T>,
        targets: impl Target<'t, T>,
    ) -> Var<'t, T> {
        of_elements("kl_div", log_probs, targets, self.reduction, |x, t| {
            if self.log_target {
                return t.exp() * (t - x);
            }
            // 0 · ln 0 is 0.
            t * (Var::where_(t.eq(0), 1, t).ln() - x)
        })
    }
}

plain! {
    /// Computes the Kullback–Leibler divergence of the distribution of the input from the target:
    /// mean over all elements of t · (ln t − x), where x is the logarithm of a probability and 0 · ln 0
    /// is 0.
    ///
    /// As in PyTorch, the mean is over elements. The divergence per sample is the sum, divided by the
    /// number of samples (PyTorch: `reduction="batchmean"`). (Kullback, Leibler, "On information and
    /// sufficiency", 1951.)
    kl_div, kl_div_with: KlDiv(log_probs: Var<'t, T>, targets: impl Target<'t, T>)
}
