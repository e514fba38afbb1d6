//! Checks derivatives against finite differences. The check is public, for your functions and
//! [`CustomOp`](crate::CustomOp)s.

mod differences;
mod directions;
mod entries;
mod error;
mod order;
#[cfg(test)]
mod tests;

use crate::graph::Var;
pub use error::{GradcheckError, GradcheckPlace};
use order::OrderCheck;
use wengert_tensor::{Float, Philox, Tensor};

/// A function from variables to a variable, on any tape.
pub trait Function<T: Float = f64>: for<'t> Fn(&[Var<'t, T>]) -> Var<'t, T> {}
impl<T: Float, F: for<'t> Fn(&[Var<'t, T>]) -> Var<'t, T>> Function<T> for F {}

/// Checks the first derivatives of `f` at these inputs, with the default settings of [`Gradcheck`].
///
/// ```
/// use wengert::autograd::{Gradcheck, gradcheck};
/// use wengert::tensor::Tensor;
/// let x = Tensor::from([0.3, -0.7, 1.2]);
/// gradcheck(|x| x[0].tanh() * x[0], &[x.clone()]).unwrap();
/// // First and second derivatives:
/// Gradcheck::new().order(2).run(|x| x[0].sigmoid(), &[x]).unwrap();
/// ```
///
/// # Errors
/// If a derivative differs from the finite difference. The error is that of the first such derivative.
pub fn gradcheck<T: Float>(
    f: impl Function<T>,
    inputs: &[Tensor<T>],
) -> Result<(), GradcheckError> {
    Gradcheck::new().run(f, inputs)
}

/// The extent of the check of a Jacobian.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Extent {
    /// Depends on the size of the Jacobian.
    Automatic,
    Full,
    Directions(usize),
}

/// A check of derivatives with settings.
///
/// # What is compared
/// A Jacobian of at most 2,048 entries is checked entry by entry, and along one random direction.
/// ([`entries`](Gradcheck::entries) sets another limit, [`full`](Gradcheck::full) removes it.) For a
/// larger Jacobian, the derivatives of a random weighted sum of the outputs are checked along three
/// random directions. ([`directions`](Gradcheck::directions) does so for every size.) No weight and no
/// component of a direction is smaller than 0.5. A wrong entry is therefore found unless other wrong
/// entries cancel it in each of the three directions.
///
/// The check of order n is the check of order n - 1 of the gradient, as a function of the inputs and of
/// the cotangent. In addition, the results of `backward` and `grad`, and of both policies, are compared.
///
/// # Tolerance
/// Differences are central, of fourth order, with the step h. Two numbers a and b may differ by
///
/// tolerance · max(|a|, |b|, 1) + 16·ε·(M/h + A)
///
/// - The tolerance covers the truncation error, h⁴/30 times the fifth derivative. The default step is
///   about ε^(1/5), which balances truncation and rounding, and the default tolerance is h². In `f64` h
///   = 10⁻³ and the tolerance is 10⁻⁶; in `f32` h = 0.04 and the tolerance is 1.6·10⁻³.
/// - The second term covers two rounding errors: that of the values, of size M, divided by the step, and
///   that of the sum of size A that the rules compute. The size of a sum is the root of the sum of
///   squares. This term matters in `f32`.
///
/// # Kinks
/// A function that is not smooth within two steps of the point cannot be compared with finite
/// differences. The check distinguishes a kink or a jump from curvature with a second, smaller step. For
/// a smooth function, halving the step divides (fourth difference / step) by eight. For a kink
/// or a jump, the check fails with the argument and the element ([`GradcheckPlace::Kink`]).
///
/// # Mode
/// Layers run in evaluation mode, or in [training mode](Gradcheck::train) with the same random numbers
/// in each evaluation: the function must be the same at every call.
#[derive(Clone, Debug)]
pub struct Gradcheck {
    name: String,
    order: usize,
    step: Option<f64>,
    tolerance: Option<f64>,
    entries: usize,
    extent: Extent,
    train: Option<u64>,
    seed: u64,
}

impl Default for Gradcheck {
    fn default() -> Self {
        Gradcheck {
            name: String::new(),
            order: 1,
            step: None,
            tolerance: None,
            entries: 2048,
            extent: Extent::Automatic,
            train: None,
            seed: 0,
        }
    }
}

impl Gradcheck {
    /// Returns the default settings: first order, step and tolerance by element type, Jacobians of up to
    /// 2,048 entries in full.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the name of the checked function, for messages.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the highest order of the checked derivatives. The default is 1.
    #[must_use]
    pub fn order(mut self, order: usize) -> Self {
        self.order = order;
        self
    }

    /// Sets the step of the finite differences. If the function is linear in each input, every step is
    /// exact, and a step of 1 has the smallest rounding error.
    #[must_use]
    pub fn step(mut self, step: f64) -> Self {
        self.step = Some(step);
        self
    }

    /// Sets the permitted error, relative to the derivative, or to 1 if that is larger.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = Some(tolerance);
        self
    }

    /// Sets the largest number of entries of a Jacobian that is checked in full.
    #[must_use]
    pub fn entries(mut self, entries: usize) -> Self {
        self.entries = entries;
        self
    }

    /// Checks the Jacobian in full, whatever its size.
    #[must_use]
    pub fn full(mut self) -> Self {
        self.extent = Extent::Full;
        self
    }

    /// Checks along this number of random directions only, whatever the size of the Jacobian.
    #[must_use]
    pub fn directions(mut self, directions: usize) -> Self {
        self.extent = Extent::Directions(directions);
        self
    }

    /// Runs layers in training mode. Each evaluation draws the same random numbers, those of a tape made
    /// with this seed. Dropout thus always drops the same elements.
    #[must_use]
    pub fn train(mut self, seed: u64) -> Self {
        self.train = Some(seed);
        self
    }

    /// Sets the seed of directions and weights.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Checks `f` at these inputs.
    ///
    /// # Errors
    /// If a derivative differs from the finite difference. The error is that of the first such
    /// derivative.
    pub fn run<T: Float>(
        &self,
        f: impl Function<T>,
        inputs: &[Tensor<T>],
    ) -> Result<(), GradcheckError> {
        let (step, tolerance) = if T::EPSILON > 1e-10 { (0.04, 1.6e-3) } else { (1e-3, 1e-6) };
        let first = OrderCheck {
            set: self,
            f: &f,
            inputs,
            order: 1,
            arity: inputs.len(),
            step: self.step.unwrap_or(step),
            tolerance: self.tolerance.unwrap_or(tolerance),
        };
        first.check(&mut Philox::new(self.seed))
    }
}
