//! The loss of a sequence of labels whose alignment with the input is not known.

use super::{Reduction, options};
use wengert_autograd::Var;
use wengert_tensor::{Float, Tensor};

/// Stands for the logarithm of 0. Unlike −∞, it has no NaN among its derivatives.
const LN_0: f64 = -1e30;

options! {
    /// Options of [`ctc`].
    Ctc {
        /// Sets the class of the blank. The default is 0.
        blank: usize = 0,
        /// Sets whether samples without an alignment have the loss 0 instead of ∞. The default is
        /// false. The gradient of such a sample is 0 in either case.
        zero_infinity: bool = false,
    }
}

impl Ctc {
    /// Computes the loss of log-probabilities [T, N, C] and labels [N, S].
    ///
    /// # Panics
    /// If the shapes or lengths do not fit, or a label is the blank or not from 0 to C − 1.
    #[track_caller]
    pub fn loss<'t, T: Float>(
        &self,
        log_probs: Var<'t, T>,
        labels: &Tensor<i64>,
        input_lengths: &[usize],
        label_lengths: &[usize],
    ) -> Var<'t, T> {
        let paths = Paths::new(log_probs, labels, input_lengths, label_lengths, self.blank);
        log_probs.tape().scope("ctc", || {
            let losses = -paths.log_likelihoods(log_probs, input_lengths);
            let instead = if self.zero_infinity { 0.0 } else { f64::INFINITY };
            let losses = Var::where_(losses.ge(-LN_0 / 10.0), instead, losses);
            match self.reduction {
                Reduction::Mean => {
                    let lengths = label_lengths.iter().map(|&n| T::of(n.max(1) as f64)).collect();
                    let n = label_lengths.len();
                    (losses / log_probs.tape().constant(Tensor::from_vec(lengths, &[n]))).mean_all()
                }
                reduction => reduction.apply(losses),
            }
        })
    }
}

/// The labels of each sample with a blank before, between and after them: L = 2 S + 1 positions. A path
/// visits them in order; it may skip a blank between labels that differ.
struct Paths {
    /// The classes of the positions, [N, L].
    classes: Tensor<i64>,
    /// Whether a path may come from two positions before, [N, L].
    skips: Tensor<bool>,
    /// Whether a path may end at a position, [N, L].
    ends: Tensor<bool>,
}

impl Paths {
    #[track_caller]
    fn new<T: Float>(
        log_probs: Var<'_, T>,
        labels: &Tensor<i64>,
        input_lengths: &[usize],
        label_lengths: &[usize],
        blank: usize,
    ) -> Self {
        let (tape, shape, got) = (log_probs.tape(), log_probs.shape(), labels.shape());
        let (&[times, n, count], &[samples, s]) = (&*shape, &*got) else {
            tape.shape_error(format!(
                "ctc: expected log-probabilities [T, N, C] and labels [N, S], got {shape} and {got}"
            ))
        };
        if times == 0 {
            tape.shape_error(format!(
                "ctc: expected log-probabilities [T, N, C] of at least one time step, got {shape}"
            ))
        }
        if samples != n || input_lengths.len() != n || label_lengths.len() != n {
            tape.shape_error(format!(
                "ctc: log-probabilities {shape} require labels [{n}, S] and {n} lengths of inputs and of \
                 labels, got {got}, {} and {}",
                input_lengths.len(),
                label_lengths.len()
            ))
        }
        assert!(blank < count, "ctc: the blank must be one of the {count} classes, got {blank}");
        let labels = labels.to_vec();
        let l = 2 * s + 1;
        let mut paths = vec![blank as i64; n * l];
        for i in 0..n {
            let (time, length) = (input_lengths[i], label_lengths[i]);
            if time > times || length > s {
                tape.sample_error(
                    i,
                    format!(
                        "ctc: sample {i} has input length {time} and label length {length}: expected 0 to \
                         {times} and 0 to {s}"
                    ),
                )
            }
            for (j, &label) in labels[i * s..i * s + length].iter().enumerate() {
                if !(0..count as i64).contains(&label) || label == blank as i64 {
                    tape.sample_error(
                        i,
                        format!(
                            "ctc: label {label} of sample {i} must be from 0 to {} and not the blank, {blank}",
                            count - 1
                        ),
                    )
                }
                paths[i * l + 2 * j + 1] = label;
            }
        }
        let skips =
            Tensor::from_fn(&[n, l], |i| i % l >= 3 && i % l % 2 == 1 && paths[i] != paths[i - 2]);
        let ends = Tensor::from_fn(&[n, l], |i| {
            let last = 2 * label_lengths[i / l];
            i % l == last || i % l + 1 == last
        });
        Paths { classes: Tensor::from_vec(paths, &[n, l]), skips, ends }
    }

    /// Returns the logarithm of the sum of the probabilities of all paths of each sample, by the forward
    /// algorithm: entry s of `forward` is the logarithm of the probability of all paths that are at
    /// position s.
    fn log_likelihoods<'t, T: Float>(
        &self,
        log_probs: Var<'t, T>,
        input_lengths: &[usize],
    ) -> Var<'t, T> {
        let (tape, [times, n]) = (log_probs.tape(), [0, 1].map(|axis| log_probs.size(axis)));
        let l = self.classes.shape()[1];
        let classes = self.classes.unsqueeze(0).broadcast_to(&[times, n, l]).contiguous();
        let emitted = log_probs.gather(2, classes).clamp_min(LN_0).split(0, &vec![1; times]);
        let [skips, ends] = [&self.skips, &self.ends].map(|mask| tape.mask(mask.clone()));
        // Moves every entry to a later position.
        let later = |x: Var<'t, T>, by: usize| {
            let by = by.min(l);
            x.narrow(1, 0, l - by).pad(&[(0, 0), (by, 0)], LN_0)
        };
        let starts = tape.mask(Tensor::from_fn(&[l], |i| i < 2));
        let mut forward = Var::where_(starts, emitted[0].squeeze(0), LN_0);
        for (t, emitted) in emitted.iter().enumerate().skip(1) {
            let skipped = Var::where_(skips, later(forward, 2), LN_0);
            let came = Var::stack(&[forward, later(forward, 1), skipped], 2);
            let next = came.logsumexp(&[2], false) + emitted.squeeze(0);
            forward = if input_lengths.iter().all(|&length| t < length) {
                next
            } else {
                let runs = Tensor::from_fn(&[n, 1], |i| t < input_lengths[i]);
                Var::where_(tape.mask(runs), next, forward)
            };
        }
        let all = Var::where_(ends, forward, LN_0).logsumexp(&[1], false);
        if !input_lengths.contains(&0) {
            return all;
        }
        // No steps spell the empty sequence, and no other one.
        let none = Tensor::from_fn(&[n], |i| input_lengths[i] == 0);
        let spelt = self.ends.select(1, 0).to_vec();
        let of_none = Tensor::from_fn(&[n], |i| T::of(if spelt[i] { 0.0 } else { LN_0 }));
        Var::where_(tape.mask(none), tape.constant(of_none), all)
    }
}

/// Computes the loss of connectionist temporal classification: the mean over samples of −ln of the
/// probability of the labels, divided by their number.
///
/// The probability is the sum over all alignments: sequences of one class per time step from which the
/// labels remain when repetitions are merged and then blanks (class 0) are removed. The log-probabilities
/// are [T, N, C], after [`LogSoftmax`](crate::LogSoftmax). The labels are [N, S]; only the first
/// `label_lengths[i]` labels and the first `input_lengths[i]` time steps of sample i are read. The type
/// [`Ctc`] has options. (Graves, Fernández, Gomez, Schmidhuber, "Connectionist temporal classification",
/// 2006.)
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::nn::ctc;
/// use wengert::tensor::Tensor;
/// let tape = Tape::<f32>::new();
/// // Three steps with two equally probable classes: 6 of the 8 sequences spell the label 1.
/// let log_probs = tape.watch(Tensor::full(&[3, 1, 2], 0.5f64.ln()));
/// let loss = ctc(log_probs, &Tensor::from([[1i64]]), &[3], &[1]);
/// assert!((loss.item() + (6.0f64 / 8.0).ln()).abs() < 1e-6);
/// ```
///
/// # Panics
/// If the shapes or lengths do not fit, or a label is the blank or not from 0 to C − 1.
#[track_caller]
pub fn ctc<'t, T: Float>(
    log_probs: Var<'t, T>,
    labels: &Tensor<i64>,
    input_lengths: &[usize],
    label_lengths: &[usize],
) -> Var<'t, T> {
    Ctc::new().loss(log_probs, labels, input_lengths, label_lengths)
}

/// Computes [`ctc`] with another reduction; [`Reduction::Sum`] and [`Reduction::None`] do not divide by
/// the numbers of labels.
///
/// # Panics
/// Under the same conditions as [`ctc`].
#[track_caller]
pub fn ctc_with<'t, T: Float>(
    log_probs: Var<'t, T>,
    labels: &Tensor<i64>,
    input_lengths: &[usize],
    label_lengths: &[usize],
    reduction: Reduction,
) -> Var<'t, T> {
    Ctc::new().reduction(reduction).loss(log_probs, labels, input_lengths, label_lengths)
}
