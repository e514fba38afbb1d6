//! Units left out at random.

use crate::layer::Layer;
use wengert_autograd::Var;
use wengert_nn_derive::Module;
use wengert_tensor::Float;

/// In training each element is zero with probability p and otherwise divided by 1 - p, so that its
/// expected value stays; in evaluation nothing happens. (Srivastava, Hinton, Krizhevsky, Sutskever,
/// Salakhutdinov, "Dropout: a simple way to prevent neural networks from overfitting", 2014.)
///
/// The mode and the random numbers are the tape's: [`Tape::train`](wengert_autograd::Tape::train)
/// gives each step another mask.
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
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.dropout(self.p)
    }
}
