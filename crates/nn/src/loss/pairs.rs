//! Losses of vectors that should be near each other or far apart.

use super::{Reduction, Target, cross_entropy_with, options, plain};
use wengert_autograd::Var;
use wengert_tensor::{Float, Tensor};

/// Reports a shape error unless the vectors of all inputs have the same shape, with at least one axis.
#[track_caller]
fn check_vectors<T: Float>(op: &str, vectors: &[Var<'_, T>]) {
    let first = vectors[0].shape();
    if first.rank() == 0 || vectors.iter().any(|x| x.shape() != first) {
        let shapes: Vec<String> = vectors.iter().map(|x| x.shape().to_string()).collect();
        vectors[0].tape().shape_error(format!(
            "{op}: expected vectors […, D] of the same shape, got {}",
            shapes.join(" and ")
        ))
    }
}

options! {
    /// Options of [`cosine_embedding`].
    CosineEmbedding {
        /// Sets the margin, the cosine below which a pair of different vectors has loss 0. The default
        /// is 0.
        margin: f64 = 0.0,
    }
}

impl CosineEmbedding {
    /// Computes the loss of two lists of vectors […, D] and targets […], which are 1 or -1.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    pub fn loss<'t, T: Float>(
        &self,
        first: Var<'t, T>,
        second: Var<'t, T>,
        targets: impl Target<'t, T>,
    ) -> Var<'t, T> {
        let (tape, op) = (first.tape(), "cosine_embedding");
        check_vectors(op, &[first, second]);
        let (shape, targets) = (first.shape(), targets.into_var(tape));
        let samples = &shape[..shape.rank() - 1];
        if *targets.shape() != *samples {
            tape.shape_error(format!(
                "{op}: vectors {shape} require targets {samples:?}, one for each pair, got {}",
                targets.shape()
            ))
        }
        tape.scope(op, || {
            // PyTorch adds 1e-12 to the squared lengths, so that a vector of zeros has cosine 0.
            let squared = |x: Var<'t, T>| x.square().sum(&[-1], false) + 1e-12;
            let product = (first * second).sum(&[-1], false);
            let cosine = product / (squared(first) * squared(second)).sqrt();
            let alike = Var::where_(targets.eq(1), 1.0 - cosine, 0);
            let apart = (cosine - self.margin).clamp_min(0.0);
            self.reduction.apply(alike + Var::where_(targets.eq(-1), apart, 0))
        })
    }
}

plain! {
    /// Computes the mean over pairs of vectors of 1 − cos where the target is 1 (the vectors should be
    /// alike), and of max(0, cos − margin) where it is -1, with margin 0.
    cosine_embedding, cosine_embedding_with: CosineEmbedding(
        first: Var<'t, T>, second: Var<'t, T>, targets: impl Target<'t, T>
    )
}

options! {
    /// Options of [`triplet_margin`].
    TripletMargin {
        /// Sets the margin. The default is 1.
        margin: f64 = 1.0,
        /// Sets the exponent p of the distance ‖a − b + ε‖ₚ; infinity is the maximum. The default is 2.
        p: f64 = 2.0,
        /// Sets ε, which is added to each difference. The default is 1e-6.
        eps: f64 = 1e-6,
        /// Sets whether the distance of the positive from the negative takes the place of that of the
        /// anchor where it is smaller. The default is false. (Balntas, Riba, Ponsa, Mikolajczyk,
        /// "Learning local feature descriptors with triplets and shallow convolutional neural networks",
        /// 2016.)
        swap: bool = false,
    }
}

impl TripletMargin {
    /// Computes the loss of three lists of vectors […, D] of the same shape.
    ///
    /// # Panics
    /// If the shapes differ, or p is not positive.
    #[track_caller]
    pub fn loss<'t, T: Float>(
        &self,
        anchor: Var<'t, T>,
        positive: Var<'t, T>,
        negative: Var<'t, T>,
    ) -> Var<'t, T> {
        assert!(self.p > 0.0, "triplet_margin: p must be positive, got {}", self.p);
        check_vectors("triplet_margin", &[anchor, positive, negative]);
        self.loss_with_distance(anchor, positive, negative, |a, b| {
            (a - b + self.eps).norm(self.p, &[-1], false)
        })
    }

    /// Computes the loss with a distance of your own, which takes two of the inputs. PyTorch:
    /// `TripletMarginWithDistanceLoss`.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::nn::TripletMargin;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let [a, p, n] = [0.0, 1.0, 3.0].map(|x| tape.watch(Tensor::from([[x, 0.0]])));
    /// let loss = TripletMargin::new()
    ///     .margin(10.0)
    ///     .loss_with_distance(a, p, n, |x, y| (x - y).square().sum(&[1], false));
    /// assert_eq!(loss.item(), 2.0);
    /// ```
    #[track_caller]
    pub fn loss_with_distance<'t, T: Float>(
        &self,
        anchor: Var<'t, T>,
        positive: Var<'t, T>,
        negative: Var<'t, T>,
        mut distance: impl FnMut(Var<'t, T>, Var<'t, T>) -> Var<'t, T>,
    ) -> Var<'t, T> {
        anchor.tape().scope("triplet_margin", || {
            let near = distance(anchor, positive);
            let mut far = distance(anchor, negative);
            if self.swap {
                far = far.minimum(distance(positive, negative));
            }
            self.reduction.apply((self.margin + near - far).clamp_min(0.0))
        })
    }
}

plain! {
    /// Computes the triplet loss: the mean over triplets of max(0, d(a, p) − d(a, n) + margin), where a
    /// is the anchor, p a sample that should be near it and n one that should be far, with the Euclidean
    /// distance d and margin 1. (Schroff, Kalenichenko, Philbin, "FaceNet", 2015.)
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let [a, p, n] = [0.0, 3.0, 2.0].map(|x| tape.watch(Tensor::from([[x, 0.0]])));
    /// assert!((wengert::nn::triplet_margin(a, p, n).item() - 2.0).abs() < 1e-5);
    /// ```
    triplet_margin, triplet_margin_with: TripletMargin(
        anchor: Var<'t, T>, positive: Var<'t, T>, negative: Var<'t, T>
    )
}

options! {
    /// Options of [`info_nce`].
    InfoNce {
        /// Sets the temperature τ. The default is 0.07.
        temperature: f64 = 0.07,
        /// Sets whether the loss is the mean of both directions: keys among queries, too, as in CLIP.
        /// The default is false.
        symmetric: bool = false,
    }
}

impl InfoNce {
    /// Computes the loss of queries and keys [N, D], where key i belongs to query i.
    ///
    /// # Panics
    /// If the shapes differ or do not have two axes, or the temperature is not positive.
    #[track_caller]
    pub fn loss<'t, T: Float>(&self, queries: Var<'t, T>, keys: Var<'t, T>) -> Var<'t, T> {
        let (tape, shape, op) = (queries.tape(), queries.shape(), "info_nce");
        assert!(
            self.temperature > 0.0,
            "{op}: the temperature must be positive, got {}",
            self.temperature
        );
        if shape.rank() != 2 || keys.shape() != shape {
            tape.shape_error(format!(
                "{op}: expected queries and keys [N, D], one key for each query, got {shape} and {}",
                keys.shape()
            ))
        }
        tape.scope(op, || {
            // The limit keeps a vector of zeros from the division by 0.
            let unit = |x: Var<'t, T>| x / x.square().sum(&[1], true).clamp_min(1e-24).sqrt();
            let logits = unit(queries).matmul_t(unit(keys), false, true) / self.temperature;
            let own = Tensor::from_fn(&[shape[0]], |i| i as i64);
            let losses = cross_entropy_with(logits, &own, Reduction::None);
            let losses = if self.symmetric {
                0.5 * (losses + cross_entropy_with(logits.t(), &own, Reduction::None))
            } else {
                losses
            };
            self.reduction.apply(losses)
        })
    }
}

plain! {
    /// Computes the contrastive loss InfoNCE of queries q and keys k [N, D]: the mean over i of
    /// −ln(exp(cos(qᵢ, kᵢ) / τ) / Σⱼ exp(cos(qᵢ, kⱼ) / τ)), with τ = 0.07. Key i belongs to query i, and
    /// the other keys of the batch are its negatives. (van den Oord, Li, Vinyals, "Representation
    /// learning with contrastive predictive coding", 2018.)
    info_nce, info_nce_with: InfoNce(queries: Var<'t, T>, keys: Var<'t, T>)
}
