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

/// Defines layers that drop a channel or a sample as a whole. A row holds the documentation, the name,
/// the name of the operation, the axes of an input, and the number of axes that a mask has: one value
/// for each sample (1) or for each channel of each sample (2).
macro_rules! dropouts {
    ($($(#[$doc:meta])* $Name:ident: $op:literal, $axes:literal, $what:literal, $own:literal;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Module)]
        #[module(crate = "wengert_autograd")]
        pub struct $Name {
            p: f64,
        }

        impl $Name {
            /// Creates a layer with drop probability `p`.
            ///
            /// # Panics
            /// If `p` is not from 0 to 1.
            #[track_caller]
            pub fn new(p: f64) -> Self {
                assert!(
                    (0.0..=1.0).contains(&p),
                    concat!(stringify!($Name), ": p must be from 0 to 1, got {}"),
                    p
                );
                $Name { p }
            }

            #[doc = concat!("Returns the probability with which a ", $what, " is dropped.")]
            pub fn p(self) -> f64 {
                self.p
            }
        }

        impl<T: Float> Layer<T> for $Name {
            #[track_caller]
            fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
                let shape = x.shape();
                let axes: &str = $axes;
                let expected = if axes.contains('…') { None } else { Some(axes.split(", ").count()) };
                if expected.map_or(shape.rank() == 0, |rank| shape.rank() != rank) {
                    x.tape().shape_error(format!("{}: expected [{axes}], got {shape}", $op))
                }
                drop_parts($op, x, $own, self.p)
            }
        }
    )* };
}
dropouts! {
    /// Sets each channel of each signal of [N, C, L] to zero as a whole with probability p in training,
    /// and returns the input values in evaluation. Channels that are kept are divided by 1 - p.
    /// `forward` panics on a tape without a mode.
    Dropout1d: "dropout1d", "N, C, L", "channel", 2;
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
    Dropout2d: "dropout2d", "N, C, H, W", "channel", 2;
    /// Sets each channel of each volume of [N, C, D, H, W] to zero as a whole with probability p in
    /// training, and returns the input values in evaluation. Channels that are kept are divided by
    /// 1 - p. `forward` panics on a tape without a mode.
    Dropout3d: "dropout3d", "N, C, D, H, W", "channel", 2;
    /// Sets each sample of [N, …] to zero as a whole with probability p in training, and returns the
    /// input values in evaluation. Samples that are kept are divided by 1 - p. `forward` panics on a
    /// tape without a mode. In the layer of a [`Residual`](crate::Residual), it lets samples take the
    /// bypass only: stochastic depth. (Huang, Sun, Liu, Sedra, Weinberger, "Deep networks with
    /// stochastic depth", 2016.)
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::nn::{DropPath, Layer};
    /// use wengert::tensor::{Philox, Tensor};
    /// let tape = Tape::train(&mut Philox::new(0));
    /// let x = tape.constant(Tensor::ones(&[8, 3]));
    /// let sums = DropPath::new(0.25).forward(x).sum(&[1], false).value();
    /// assert!(sums.to_vec().iter().all(|&sum| sum == 0.0 || sum == 4.0));
    /// ```
    DropPath: "drop_path", "N, …", "sample", 1;
}

/// Drops parts of the input as a whole: one for each position of its first `own` axes.
#[track_caller]
fn drop_parts<'t, T: Float>(op: &str, x: Var<'t, T>, own: usize, p: f64) -> Var<'t, T> {
    if x.tape().expect_mode(op) == Mode::Eval || p == 0.0 {
        return x.dropout(0.0); // a new variable
    }
    let mut parts = x.shape().to_vec();
    parts[own..].fill(1);
    // `where_` rather than a product alone: a dropped part is zero even if it contains infinity.
    let kept = x.tape().ones(&parts).dropout(p);
    Var::where_(kept.ne(0), x * kept, 0)
}

/// Sets each element to −λα with probability p in training, and returns the input values in
/// evaluation. The elements are then scaled and shifted, so that mean 0 and variance 1 stay the same.
/// Use it with [`Selu`](crate::Selu), which has the limit −λα = −1.7581….
///
/// With q = 1 − p: y = a · x + b for a kept and a · (−λα) + b for a dropped element, where
/// a = (q + λ²α² q p)^(−½) and b = a · p · λα. With p = 1, all elements are 0, as in PyTorch. `forward`
/// panics on a tape without a mode. (Klambauer, Unterthiner, Mayr, Hochreiter, "Self-normalizing neural
/// networks", 2017.)
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::nn::{AlphaDropout, Layer};
/// use wengert::tensor::{Philox, Tensor};
/// let tape = Tape::train(&mut Philox::new(0));
/// let x = tape.constant(Tensor::normal(&[10_000], 0.0, 1.0, &mut Philox::new(1)));
/// let y = AlphaDropout::new(0.3).forward(x);
/// assert!(y.mean_all().item().abs() < 0.05 && (y.square().mean_all().item() - 1.0).abs() < 0.05);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
#[module(crate = "wengert_autograd")]
pub struct AlphaDropout {
    p: f64,
}

impl AlphaDropout {
    /// Creates a layer with drop probability `p`.
    ///
    /// # Panics
    /// If `p` is not from 0 to 1.
    #[track_caller]
    pub fn new(p: f64) -> Self {
        assert!((0.0..=1.0).contains(&p), "AlphaDropout: p must be from 0 to 1, got {p}");
        AlphaDropout { p }
    }

    /// Returns the probability with which an element is dropped.
    pub fn p(self) -> f64 {
        self.p
    }
}

impl<T: Float> Layer<T> for AlphaDropout {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        alpha_dropout("alpha_dropout", x, &x.shape(), self.p)
    }
}

/// Sets parts of the input to −λα: one for each element of `parts`, a shape that broadcasts to that of the input.
#[track_caller]
fn alpha_dropout<'t, T: Float>(op: &str, x: Var<'t, T>, parts: &[usize], p: f64) -> Var<'t, T> {
    /// λα of the scaled exponential linear unit.
    const LIMIT: f64 = 1.758_099_340_847_376_6;
    if x.tape().expect_mode(op) == Mode::Eval || p == 0.0 || p == 1.0 {
        return x.dropout(p); // a new variable, of zeros for p = 1 in training
    }
    let kept = x.tape().ones(parts).dropout(p).ne(0);
    let a = ((1.0 - p) * (1.0 + LIMIT * LIMIT * p)).sqrt().recip();
    a * Var::where_(kept, x, -LIMIT) + a * LIMIT * p
}

/// Sets each channel of each sample of [N, C, …] to −λα as a whole with probability p in training, and
/// returns the input values in evaluation: [`AlphaDropout`] of channels. `forward` panics on a tape
/// without a mode.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::nn::{FeatureAlphaDropout, Layer};
/// use wengert::tensor::{Philox, Tensor};
/// let tape = Tape::train(&mut Philox::new(0));
/// let x = tape.constant(Tensor::ones(&[2, 3, 4, 5]));
/// let y = FeatureAlphaDropout::new(0.5).forward(x).flatten(2, -1);
/// assert_eq!(y.max(&[2], false).value(), y.min(&[2], false).value());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
#[module(crate = "wengert_autograd")]
pub struct FeatureAlphaDropout {
    p: f64,
}

impl FeatureAlphaDropout {
    /// Creates a layer with drop probability `p`.
    ///
    /// # Panics
    /// If `p` is not from 0 to 1.
    #[track_caller]
    pub fn new(p: f64) -> Self {
        assert!((0.0..=1.0).contains(&p), "FeatureAlphaDropout: p must be from 0 to 1, got {p}");
        FeatureAlphaDropout { p }
    }

    /// Returns the probability with which a channel is dropped.
    pub fn p(self) -> f64 {
        self.p
    }
}

impl<T: Float> Layer<T> for FeatureAlphaDropout {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let op = "feature_alpha_dropout";
        let mut parts = x.shape().to_vec();
        if parts.len() < 2 {
            x.tape().shape_error(format!("{op}: expected [N, C, …], got {parts:?}"))
        }
        parts[2..].fill(1);
        alpha_dropout(op, x, &parts, self.p)
    }
}
