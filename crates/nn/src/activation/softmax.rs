//! Functions that turn scores along an axis into probabilities.

use super::activations;
use wengert_autograd::{Mode, Var};
use wengert_tensor::{Float, Tensor};

activations! {
    /// Computes eˣ / Σ eˣ along an axis (-1: the last). The computation is stable for inputs of any
    /// size.
    #[derive(Eq)]
    Softmax(axis: isize) as softmax: |x| x.softmax(axis);
    /// Computes ln(eˣ / Σ eˣ) along an axis (-1: the last). The computation is stable for inputs of any
    /// size.
    #[derive(Eq)]
    LogSoftmax(axis: isize) as log_softmax: |x| x.log_softmax(axis);
    /// Computes e⁻ˣ / Σ e⁻ˣ along an axis (-1: the last): the softmax of −x.
    #[derive(Eq)]
    Softmin(axis: isize) as softmin: |x| (-x).softmax(axis);
    /// Draws from the categorical distribution of the logits x along an axis, with a gradient:
    /// softmax((x + g) / τ), where each g = −ln(−ln u) is drawn from the Gumbel distribution.
    ///
    /// The fields are the temperature τ, whether the sample is hard, and the axis. A hard sample is a
    /// one-hot vector at the largest entry of the soft sample, and its derivatives are those of the soft
    /// sample. In evaluation there is no noise: the result is softmax(x / τ), or the one-hot vector at
    /// the largest logit. PyTorch's function always draws. (Jang, Gu, Poole, "Categorical
    /// reparameterization with Gumbel-softmax", 2016.)
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::nn::functional::gumbel_softmax;
    /// use wengert::tensor::{Philox, Tensor};
    /// let tape = Tape::train(&mut Philox::new(0));
    /// let logits = tape.watch(Tensor::zeros(&[5, 3]));
    /// let samples = gumbel_softmax(logits, 0.5, true, -1);
    /// assert_eq!(samples.sum(&[1], false).value().to_vec(), [1.0; 5]);
    /// assert_eq!(samples.max(&[1], false).value().to_vec(), [1.0; 5]);
    /// ```
    ///
    /// # Panics
    /// If the temperature is not positive, the axis does not exist, or the tape has no mode.
    GumbelSoftmax(temperature: f64, hard: bool, axis: isize) as gumbel_softmax: |x| {
        assert!(
            temperature > 0.0,
            "gumbel_softmax: the temperature must be positive, got {temperature}"
        );
        let scores = match x.tape().expect_mode("gumbel_softmax") {
            // u is 0 once in 2²⁴ draws; a smaller number would make ln(−ln u) infinite.
            Mode::Train => x - (-x.tape().rand(x.shape()).clamp_min(1e-30).ln()).ln(),
            Mode::Eval => x,
        };
        let soft = (scores / temperature).softmax(axis);
        if hard { one_hot_of_largest(soft, axis) + (soft - soft.detach()) } else { soft }
    };
}

/// Returns 1 at the largest element along the axis, and 0 elsewhere.
#[track_caller]
fn one_hot_of_largest<T: Float>(x: Var<'_, T>, axis: isize) -> Var<'_, T> {
    let mut along = vec![1; x.rank()];
    let at = if axis < 0 { axis + x.rank() as isize } else { axis };
    along[at as usize] = x.size(axis);
    let positions = Tensor::from_fn(&along, |i| i as i64);
    x.argmax(axis, true).eq(positions).cast()
}
