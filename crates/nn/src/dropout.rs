//! Dropout layers.

use crate::layer::Layer;
use wengert_autograd::{Mode, Var};
use wengert_nn_derive::Module;
use wengert_tensor::Float;

/// Sets each element to zero with probability p in training, and returns the input values in
/// evaluation. Elements that are kept are divided by 1 - p, so that the expected value does not
/// change. (Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout: a simple way to
/// prevent neural networks from overfitting", 2014.)
///
/// The mode and the random numbers come from the tape: with
/// [`Tape::train`](wengert_autograd::Tape::train), each step has a new mask. `forward` panics on a
/// tape without a mode, whatever p is.
#[derive(Clone, Copy, Debug, PartialEq, Module)]
#[module(crate = "wengert_autograd")]
pub struct Dropout {
    p: f64,
}

impl Dropout {
    /// Creates a layer with drop probability `p`.
    ///
    /// # Panics
    /// If `p` is not from 0 to 1.
    #[track_caller]
    pub fn new(p: f64) -> Self {
        assert!((0.0..=1.0).contains(&p), "Dropout: p must be from 0 to 1, got {p}");
        Dropout { p }
    }

    /// Returns the probability with which an element is dropped.
    pub fn p(self) -> f64 {
        self.p
    }
}

impl<T: Float> Layer<T> for Dropout {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.dropout(self.p)
    }
}

/// Sets each channel of each image of [N, C, H, W] to zero as a whole with probability p in
/// training, and returns the input values in evaluation.
///
/// Channels that are kept are divided by 1 - p. `forward` panics on a tape without a mode.
/// Neighbouring pixels carry similar information, so dropping single pixels would remove little of
/// it. (Tompson, Goroshin, Jain, LeCun, Bregler, "Efficient object localization using convolutional
/// networks", 2015.)
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::nn::{Dropout2d, Layer};
/// use wengert::tensor::{Philox, Tensor};
/// let tape = Tape::train(&mut Philox::new(0));
/// let x = tape.constant(Tensor::ones(&[2, 3, 4, 5]));
/// let sums = Dropout2d::new(0.5).forward(x).sum(&[2, 3], false).value();
/// assert!(sums.to_vec().iter().all(|&sum| sum == 0.0 || sum == 40.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
#[module(crate = "wengert_autograd")]
pub struct Dropout2d {
    p: f64,
}

impl Dropout2d {
    /// Creates a layer with drop probability `p`.
    ///
    /// # Panics
    /// If `p` is not from 0 to 1.
    #[track_caller]
    pub fn new(p: f64) -> Self {
        assert!((0.0..=1.0).contains(&p), "Dropout2d: p must be from 0 to 1, got {p}");
        Dropout2d { p }
    }

    /// Returns the probability with which a channel is dropped.
    pub fn p(self) -> f64 {
        self.p
    }
}

impl<T: Float> Layer<T> for Dropout2d {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let (tape, shape) = (x.tape(), x.shape());
        let [n, c, _, _] = *shape else {
            tape.shape_error(format!("dropout2d: expected [N, C, H, W], got {shape}"))
        };
        if tape.expect_mode("dropout2d") == Mode::Eval || self.p == 0.0 {
            return x.dropout(0.0); // a new variable
        }
        // `where_` rather than a product alone: a dropped channel is zero even if it contains
        // infinity.
        let kept = tape.ones(&[n, c, 1, 1]).dropout(self.p);
        Var::where_(kept.ne(0), x * kept, 0)
    }
}
