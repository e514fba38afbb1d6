//! Losses that ask for a margin: between classes, between two scores, or from 0.

use super::binary::cross_entropy_terms;
use super::{
    Classes, Reduction, Target, class_weights, elementwise, equal_shapes, of_elements, options,
    plain,
};
use wengert_autograd::{IntoIndex, Var};
use wengert_tensor::{Float, Tensor};

elementwise! {
    /// Computes the hinge loss of scores x and targets t, which are 1 or -1: mean of max(0, 1 − t · x).
    /// At the kink the derivative is 0. (Cortes, Vapnik, "Support-vector networks", 1995.)
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let scores = tape.watch(Tensor::from([0.5f32, 0.5]));
    /// assert_eq!(wengert::nn::hinge(scores, &Tensor::from([1.0, -1.0])).item(), 1.0);
    /// ```
    hinge, hinge_with: |x, t| (1.0 - t * x).relu();
    /// Computes the squared hinge loss of scores x and targets t, which are 1 or -1: mean of
    /// max(0, 1 − t · x)².
    squared_hinge, squared_hinge_with: |x, t| (1.0 - t * x).relu().square();
    /// Computes the logistic loss of scores x and targets t, which are 1 or -1: mean of
    /// ln(1 + exp(−t · x)), without overflow.
    soft_margin, soft_margin_with: |x, t| (-t * x).softplus();
}

options! {
    /// Options of [`hinge_embedding`].
    HingeEmbedding {
        /// Sets the margin, the distance beyond which a pair of different samples has loss 0. The
        /// default is 1.
        margin: f64 = 1.0,
    }
}

impl HingeEmbedding {
    /// Computes the loss of distances and targets of the same shape.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn loss<'t, T: Float>(
        &self,
        distances: Var<'t, T>,
        targets: impl Target<'t, T>,
    ) -> Var<'t, T> {
        of_elements("hinge_embedding", distances, targets, self.reduction, |x, t| {
            let near = Var::where_(t.ne(1), (self.margin - x).clamp_min(0.0), 0);
            near + Var::where_(t.ne(-1), x, 0)
        })
    }
}

plain! {
    /// Computes the mean of the distance x of a pair where the target is 1 (the samples are alike), and
    /// of max(0, margin − x) where it is -1, with margin 1. At the kink the derivative is -1, as in
    /// PyTorch.
    hinge_embedding, hinge_embedding_with: HingeEmbedding(
        distances: Var<'t, T>, targets: impl Target<'t, T>
    )
}

options! {
    /// Options of [`multi_margin`].
    MultiMargin<T> {
        /// Sets the exponent: 1 or 2. The default is 1.
        p: i32 = 1,
        /// Sets the margin. The default is 1.
        margin: f64 = 1.0,
        /// Sets one weight per class, by which the loss of a sample of this class is multiplied. The
        /// default is 1 for all. The mean divides by the number of samples.
        weights: Option<Tensor<T>> = None,
    }
}

impl<T: Float> MultiMargin<T> {
    /// Computes the loss of scores [N, C] or \[C\], and class numbers.
    ///
    /// # Panics
    /// If the shapes do not fit, a class is not from 0 to C − 1, or the exponent is not 1 or 2.
    #[track_caller]
    pub fn loss<'t>(&self, scores: Var<'t, T>, classes: impl IntoIndex<'t, T>) -> Var<'t, T> {
        let (tape, shape, op) = (scores.tape(), scores.shape(), "multi_margin");
        assert!(matches!(self.p, 1 | 2), "{op}: p must be 1 or 2, got {}", self.p);
        if !(1..=2).contains(&shape.rank()) {
            tape.shape_error(format!("{op}: expected scores [N, C] or [C], got {shape}"))
        }
        let classes = Classes::of(op, scores, classes, None);
        let weights = class_weights(op, scores, self.weights.as_ref());
        tape.scope(op, || {
            let own = scores.gather(classes.axis, classes.index);
            let mut terms = (self.margin - own + scores).relu();
            if self.p == 2 {
                terms = terms.square();
            }
            let numbers = Tensor::from_fn(&[classes.count], |i| i as i64);
            let others = classes.index.ne(numbers);
            let losses = Var::where_(others, terms, 0).sum(&[-1], false) / classes.count as f64;
            let losses = weights
                .map_or(losses, |weights| losses * classes.pick(weights.broadcast_to(shape)));
            self.reduction.apply(losses)
        })
    }
}

plain! {
    /// Computes the hinge loss of several classes: the mean over samples of
    /// Σⱼ max(0, margin − xᵢ + xⱼ)ᵖ / C over the classes j other than the class i, with margin 1 and
    /// p = 1. (Weston, Watkins, "Support vector machines for multi-class pattern recognition", 1999.)
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::nn::{MultiMargin, multi_margin};
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let scores = tape.watch(Tensor::from([[0.5f32, 2.0, 0.0, 1.0]]));
    /// let class = Tensor::from([1i64]);
    /// assert_eq!(multi_margin(scores, &class).item(), 0.0);
    /// assert_eq!(MultiMargin::new().margin(2.0).loss(scores, &class).item(), 0.375);
    /// ```
    multi_margin, multi_margin_with: MultiMargin(
        scores: Var<'t, T>, classes: impl IntoIndex<'t, T>
    )
}

/// Computes the hinge loss of samples with several classes: the mean over samples of
/// Σᵢⱼ max(0, 1 − (xᵢ − xⱼ)) / C over the classes i of a sample and the other classes j.
///
/// The scores are [N, C] or \[C\]. The targets have this shape; each row lists the classes of its
/// sample, followed by -1. What follows the first -1 is not read.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::nn::multilabel_margin;
/// use wengert::tensor::Tensor;
/// let tape = Tape::new();
/// let scores = tape.watch(Tensor::from([[0.5f32, 0.25, 0.0, 1.0]]));
/// let loss = multilabel_margin(scores, &Tensor::from([[3i64, 0, -1, 1]]));
/// assert_eq!(loss.item(), 0.375);
/// ```
///
/// # Panics
/// If the shapes differ, or a target is not from -1 to C − 1.
#[track_caller]
pub fn multilabel_margin<'t, T: Float>(
    scores: Var<'t, T>,
    targets: impl IntoIndex<'t, T>,
) -> Var<'t, T> {
    multilabel_margin_with(scores, targets, Reduction::Mean)
}

/// Computes [`multilabel_margin`] with another reduction; [`Reduction::None`] returns one loss per
/// sample.
///
/// # Panics
/// Under the same conditions as [`multilabel_margin`].
#[track_caller]
pub fn multilabel_margin_with<'t, T: Float>(
    scores: Var<'t, T>,
    targets: impl IntoIndex<'t, T>,
    reduction: Reduction,
) -> Var<'t, T> {
    let (tape, shape, op) = (scores.tape(), scores.shape(), "multilabel_margin");
    let targets = targets.into_index(tape);
    if !(1..=2).contains(&shape.rank()) || targets.shape() != shape {
        tape.shape_error(format!(
            "{op}: expected scores [N, C] or [C] and targets of the same shape, got {shape} and {}",
            targets.shape()
        ))
    }
    let count = shape[shape.rank() - 1];
    let targets = if shape.rank() == 1 { targets.unsqueeze(0) } else { targets };
    let index = targets.checked_classes_except(op, 2, count, -1);
    tape.scope(op, || {
        let x = if shape.rank() == 1 { scores.unsqueeze(0) } else { scores };
        // A position counts if no position up to it is negative: [N, positions].
        let upto = Tensor::from_fn(&[count, count], |i| i % count <= i / count);
        let ends = targets.lt(0).unsqueeze(1).and(tape.mask(upto)).any(&[2], false);
        let counts = ends.not().unsqueeze(2);
        let numbers = Tensor::from_fn(&[count], |i| i as i64);
        let own = index.eq(numbers).and(counts).any(&[1], true);
        // [N, positions, C]
        let x = x.unsqueeze(1);
        let listed = x.broadcast_to(&[x.size(0), count, count]).gather(2, index);
        let terms = (1.0 - listed + x).relu();
        let losses = Var::where_(counts.and(own.not()), terms, 0).sum(&[1, 2], false);
        let losses = losses / count as f64;
        reduction.apply(if shape.rank() == 1 { losses.squeeze(0) } else { losses })
    })
}

options! {
    /// Options of [`multilabel_soft_margin`].
    MultilabelSoftMargin<T> {
        /// Sets one weight per class, by which its term is multiplied. The default is 1 for all.
        weights: Option<Tensor<T>> = None,
    }
}

impl<T: Float> MultilabelSoftMargin<T> {
    /// Computes the loss of logits [N, C] or \[C\], and targets of the same shape.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    pub fn loss<'t>(&self, logits: Var<'t, T>, targets: impl Target<'t, T>) -> Var<'t, T> {
        let (tape, shape, op) = (logits.tape(), logits.shape(), "multilabel_soft_margin");
        let targets = targets.into_var(tape);
        equal_shapes(op, logits, targets);
        if !(1..=2).contains(&shape.rank()) {
            tape.shape_error(format!("{op}: expected logits [N, C] or [C], got {shape}"))
        }
        let weights = class_weights(op, logits, self.weights.as_ref());
        tape.scope(op, || {
            let [positive, negative] = cross_entropy_terms(logits, targets);
            let terms = positive + negative;
            let terms = weights.map_or(terms, |weights| weights * terms);
            self.reduction.apply(terms.mean(&[-1], false))
        })
    }
}

plain! {
    /// Computes the mean over samples and classes of the binary cross-entropy between σ(logit) and a
    /// target from 0 to 1. [`Reduction::None`] returns one loss per sample, the mean over its classes.
    multilabel_soft_margin, multilabel_soft_margin_with: MultilabelSoftMargin(
        logits: Var<'t, T>, targets: impl Target<'t, T>
    )
}

options! {
    /// Options of [`margin_ranking`].
    MarginRanking {
        /// Sets the margin. The default is 0.
        margin: f64 = 0.0,
    }
}

impl MarginRanking {
    /// Computes the loss of two inputs and a target of the same shape.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn loss<'t, T: Float>(
        &self,
        first: Var<'t, T>,
        second: Var<'t, T>,
        targets: impl Target<'t, T>,
    ) -> Var<'t, T> {
        equal_shapes("margin_ranking", first, second);
        of_elements("margin_ranking", first - second, targets, self.reduction, |d, t| {
            (self.margin - t * d).clamp_min(0.0)
        })
    }
}

plain! {
    /// Computes the mean of max(0, −t · (a − b)): the target t is 1 if a should be larger than b, and
    /// -1 if it should be smaller. At the kink the derivative is that of −t · (a − b), as in PyTorch.
    margin_ranking, margin_ranking_with: MarginRanking(
        first: Var<'t, T>, second: Var<'t, T>, targets: impl Target<'t, T>
    )
}
