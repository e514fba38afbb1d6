//! Units and channels left out at random.

use crate::layer::Layer;
use wengert_autograd::{Mode, Var};
use wengert_nn_derive::Module;
use wengert_tensor::Float;

/// In training each element is zero with probability p and otherwise divided by 1 - p, so that its
/// expected value stays; in evaluation nothing happens. (Srivastava, Hinton, Krizhevsky, Sutskever,
/// Salakhutdinov, "Dropout: a simple way to prevent neural networks from overfitting", 2014.)
///
/// The mode and the random numbers are the tape's: [`Tape::train`](wengert_autograd::Tape::train)
/// gives each step another mask. On a tape without mode `forward` panics, whatever p is.
#[derive(Clone, Copy, Debug, PartialEq, Module)]
#[module(crate = "wengert_autograd")]
pub struct Dropout {
    p: f64,
}

impl Dropout {
    /// Drops with probability `p`.
    ///
    /// # Panics
    /// If `p` is not within 0 to 1.
    #[track_caller]
    pub fn new(p: f64) -> Self {
        assert!((0.0..=1.0).contains(&p), "Dropout: p is a probability, this is {p}");
        Dropout { p }
    }

    /// The probability with which an element is dropped.
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

/// In training each channel of each image of [N, C, H, W] is zero as a whole with probability p and
/// otherwise divided by 1 - p; in evaluation nothing happens; on a tape without mode `forward` panics.
/// Neighbouring pixels say much the same, so
/// that dropping single ones would leave the information where it is. (Tompson, Goroshin, Jain, LeCun,
/// Bregler, "Efficient object localization using convolutional networks", 2015.)
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{Dropout2d, Layer};
/// use wengert_tensor::{Philox, Tensor};
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
    /// Drops with probability `p`.
    ///
    /// # Panics
    /// If `p` is not within 0 to 1.
    #[track_caller]
    pub fn new(p: f64) -> Self {
        assert!((0.0..=1.0).contains(&p), "Dropout2d: p is a probability, this is {p}");
        Dropout2d { p }
    }

    /// The probability with which a channel is dropped.
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
            return x.dropout(0.0); // a variable of its own
        }
        // Selected: what is dropped is zero, though it be infinite.
        let kept = tape.ones(&[n, c, 1, 1]).dropout(self.p);
        Var::where_(kept.ne(0), x * kept, 0)
    }
}
