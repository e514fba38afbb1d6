//! Loss functions.
//!
//! Each loss returns the mean over a batch. The variant whose name ends in `_with` takes another
//! [`Reduction`].

use wengert_autograd::{Index, IntoIndex, Var};
use wengert_tensor::{Float, Shape};

/// Selects how the losses of single elements or samples are combined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// Returns the mean of the losses. This is the default.
    #[default]
    Mean,
    /// Returns the sum of the losses.
    Sum,
    /// Returns every loss, without combining them.
    None,
}

impl Reduction {
    fn apply<T: Float>(self, losses: Var<'_, T>) -> Var<'_, T> {
        match self {
            Reduction::Mean => losses.mean_all(),
            Reduction::Sum => losses.sum_all(),
            Reduction::None => losses,
        }
    }
}

/// Computes the mean squared error: mean of (input - target)².
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::tensor::Tensor;
/// let tape = Tape::new();
/// let input = tape.watch(Tensor::from([1.0f32, 2.0]));
/// let target = tape.constant(Tensor::from([0.0, 4.0]));
/// assert_eq!(wengert::nn::mse(input, target).item(), 2.5);
/// ```
///
/// # Panics
/// If the shapes differ. (`[n]` and `[n, 1]` would broadcast to n² differences.)
#[track_caller]
pub fn mse<'t, T: Float>(input: Var<'t, T>, target: Var<'t, T>) -> Var<'t, T> {
    mse_with(input, target, Reduction::Mean)
}

/// Computes [`mse`] with another reduction; [`Reduction::None`] keeps the shape.
///
/// # Panics
/// Under the same conditions as [`mse`].
#[track_caller]
pub fn mse_with<'t, T: Float>(
    input: Var<'t, T>,
    target: Var<'t, T>,
    reduction: Reduction,
) -> Var<'t, T> {
    equal_shapes("mse", input, target);
    input.tape().scope("mse", || reduction.apply((input - target).square()))
}

/// Computes the binary cross-entropy between σ(logit) and a target t from 0 to 1, in nats: mean of
/// t · ln(1 + e⁻ˣ) + (1 - t) · ln(1 + eˣ), where x is the logit.
///
/// Neither term is negative, so no digits cancel, however large the logits are.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::tensor::Tensor;
/// let tape = Tape::new();
/// let logits = tape.watch(Tensor::from([1e4f32, -1e4, 1e4]));
/// let targets = tape.constant(Tensor::from([1.0, 0.0, 0.25]));
/// assert_eq!(wengert::nn::bce_with_logits(logits, targets).item(), 2500.0);
/// ```
///
/// # Panics
/// If the shapes differ.
#[track_caller]
pub fn bce_with_logits<'t, T: Float>(logits: Var<'t, T>, targets: Var<'t, T>) -> Var<'t, T> {
    bce_with_logits_with(logits, targets, Reduction::Mean)
}

/// Computes [`bce_with_logits`] with another reduction; [`Reduction::None`] keeps the shape.
///
/// # Panics
/// Under the same conditions as [`bce_with_logits`].
#[track_caller]
pub fn bce_with_logits_with<'t, T: Float>(
    logits: Var<'t, T>,
    targets: Var<'t, T>,
    reduction: Reduction,
) -> Var<'t, T> {
    equal_shapes("bce_with_logits", logits, targets);
    let loss = || targets * (-logits).softplus() + (1.0 - targets) * logits.softplus();
    logits.tape().scope("bce_with_logits", || reduction.apply(loss()))
}

/// Computes the cross-entropy between softmax(logits) and the true classes, in nats: mean over
/// samples of ln Σⱼ exp(xⱼ) - xᵢ, where i is the class.
///
/// The logits are `[C]`, `[N, C]` or `[N, C, d₁, …]`, with the classes on the second axis (on the
/// only axis of `[C]`). `classes` has the shape of the logits without the class axis and contains
/// numbers from 0 to C - 1. The computation is stable for logits of any size.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::tensor::Tensor;
/// let tape = Tape::new();
/// let logits = tape.watch(Tensor::from([[2.0f32, 0.0, 0.0], [0.0, 0.0, 1e4]]));
/// let loss = wengert::nn::cross_entropy(logits, &Tensor::from([0i64, 2]));
/// assert!((loss.item() - 0.5 * (1.0 + 2.0 * (-2.0f64).exp()).ln()).abs() < 1e-6);
/// ```
///
/// # Panics
/// If the shapes do not fit, or a class is not from 0 to C - 1.
#[track_caller]
pub fn cross_entropy<'t, T: Float>(
    logits: Var<'t, T>,
    classes: impl IntoIndex<'t, T>,
) -> Var<'t, T> {
    cross_entropy_with(logits, classes, Reduction::Mean)
}

/// Computes [`cross_entropy`] with another reduction; [`Reduction::None`] returns the shape of the
/// classes.
///
/// # Panics
/// Under the same conditions as [`cross_entropy`].
#[track_caller]
pub fn cross_entropy_with<'t, T: Float>(
    logits: Var<'t, T>,
    classes: impl IntoIndex<'t, T>,
    reduction: Reduction,
) -> Var<'t, T> {
    let (axis, classes) = classes_of("cross_entropy", logits, classes);
    logits.tape().scope("cross_entropy", || {
        reduction.apply(-logits.log_softmax(axis).gather(axis, classes).squeeze(axis))
    })
}

/// Computes the negative log-likelihood of the true classes: mean over samples of -xᵢ, where i is
/// the class.
///
/// After [`LogSoftmax`](crate::LogSoftmax) it equals the [`cross_entropy`] of the logits. The
/// shapes are those of [`cross_entropy`].
///
/// # Panics
/// If the shapes do not fit, or a class is not from 0 to C - 1.
#[track_caller]
pub fn nll<'t, T: Float>(log_probs: Var<'t, T>, classes: impl IntoIndex<'t, T>) -> Var<'t, T> {
    nll_with(log_probs, classes, Reduction::Mean)
}

/// Computes [`nll`] with another reduction; [`Reduction::None`] returns the shape of the classes.
///
/// # Panics
/// Under the same conditions as [`nll`].
#[track_caller]
pub fn nll_with<'t, T: Float>(
    log_probs: Var<'t, T>,
    classes: impl IntoIndex<'t, T>,
    reduction: Reduction,
) -> Var<'t, T> {
    let (axis, classes) = classes_of("nll", log_probs, classes);
    log_probs
        .tape()
        .scope("nll", || reduction.apply(-log_probs.gather(axis, classes).squeeze(axis)))
}

/// Computes the negative log-likelihood of counts n under Poisson distributions, without the term
/// ln n!, which depends on no parameter: mean of eˣ - n · x, where x is the logarithm of the rate.
///
/// Counts need not be integers. As in PyTorch, the loss of a rate of 0 (x = -∞) is infinite, or NaN if the
/// count is 0 too.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::tensor::Tensor;
/// let tape = Tape::new();
/// let log_rates = tape.watch(Tensor::from([0.0f32, 2f32.ln()]));
/// let counts = tape.constant(Tensor::from([0.0, 0.0]));
/// assert_eq!(wengert::nn::poisson_nll(log_rates, counts).item(), 1.5);
/// ```
///
/// # Panics
/// If the shapes differ.
#[track_caller]
pub fn poisson_nll<'t, T: Float>(log_rates: Var<'t, T>, counts: Var<'t, T>) -> Var<'t, T> {
    poisson_nll_with(log_rates, counts, Reduction::Mean)
}

/// Computes [`poisson_nll`] with another reduction; [`Reduction::None`] keeps the shape.
///
/// # Panics
/// Under the same conditions as [`poisson_nll`].
#[track_caller]
pub fn poisson_nll_with<'t, T: Float>(
    log_rates: Var<'t, T>,
    counts: Var<'t, T>,
    reduction: Reduction,
) -> Var<'t, T> {
    equal_shapes("poisson_nll", log_rates, counts);
    let loss = || log_rates.exp() - counts * log_rates;
    log_rates.tape().scope("poisson_nll", || reduction.apply(loss()))
}

#[track_caller]
fn equal_shapes<T: Float>(op: &str, input: Var<'_, T>, target: Var<'_, T>) {
    let (a, b) = (input.shape(), target.shape());
    if a == b {
        return;
    }
    let hint = if a.numel() == b.numel() { " (reshape one of them)" } else { "" };
    input.tape().shape_error(format!(
        "{op}: input and target must have the same shape, got {a} and {b}{hint}"
    ))
}

/// Returns the class axis, and the class numbers as an index along this axis.
#[track_caller]
fn classes_of<'t, T: Float>(
    op: &'static str,
    input: Var<'t, T>,
    classes: impl IntoIndex<'t, T>,
) -> (isize, Index<'t, T>) {
    let tape = input.tape();
    let (shape, classes) = (input.shape(), classes.into_index(tape));
    let got = classes.shape();
    let axis = usize::from(shape.rank() > 1);
    if shape.rank() == 0 {
        tape.shape_error(format!("{op}: expected [N, C] for N samples and C classes, got []"))
    }
    let expected: Shape = shape[..axis].iter().chain(&shape[axis + 1..]).copied().collect();
    if got != expected {
        let hint =
            if got == shape { " (convert one-hot rows to class numbers with argmax)" } else { "" };
        tape.shape_error(format!(
            "{op}: scores {shape} with classes on axis {axis} require class numbers {expected}, got {got}{hint}"
        ))
    }
    (axis as isize, classes.checked_classes(op, axis, shape[axis]))
}
