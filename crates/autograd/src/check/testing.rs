//! Tests for custom operations. The library's own operations pass the same tests.
//!
//! [`check_op`] runs all tests on an operation ([`CustomOp`](crate::CustomOp)) or on any function. Its
//! parts can be used separately: [`spread`] (points in a domain), [`layouts`] (tensors in six
//! memory layouts), [`check_layouts`], [`check_cuts`], [`check_adjoint`], [`check_reads`],
//! [`check_replay`], and [`Gradcheck`].
//!
//! The example is an operation with two outputs, the square root and its reciprocal:
//!
//! ```
//! use std::sync::Arc;
//! use wengert::autograd::testing::{check_op, spread};
//! use wengert::autograd::{Call, Cotangents, CustomOp, Outputs, Reads};
//! use wengert::tensor::{Shape, Tensor};
//!
//! struct Roots;
//! impl CustomOp<f64> for Roots {
//!     fn name(&self) -> &str {
//!         "roots"
//!     }
//!     fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
//!         Ok([x[0], x[0]].into())
//!     }
//!     fn forward(&self, x: &[Tensor<f64>]) -> Outputs<Tensor<f64>> {
//!         let root = x[0].sqrt();
//!         let inverse = root.recip();
//!         [root, inverse].into()
//!     }
//!     // y₀ = x^½, y₁ = x^(-½): ∂y₀/∂x = y₁/2, ∂y₁/∂x = -y₁³/2. A missing cotangent is 0.
//!     fn vjp<'t>(&self, c: &Call<'_, 't, f64>) -> Cotangents<'t, f64> {
//!         let by_root = c.gy_of(0).map(|g| 0.5 * g * c.y(1));
//!         let by_inverse = c.gy_of(1).map(|g| -0.5 * g * c.y(1).powi(3));
//!         let sum = by_root.into_iter().chain(by_inverse).reduce(|a, b| a + b);
//!         [sum].into()
//!     }
//!     // The rule reads only the second output: the input and the root may be dropped.
//!     fn reads(&self, _: usize) -> Reads {
//!         Reads::Y1
//!     }
//! }
//!
//! // The points are in the domain, away from 0.
//! let x = spread(&[3, 5], &[(0.5, 3.0)], 1);
//! check_op("roots", &[x], |x| x[0].tape().custom(Arc::new(Roots), &[x[0]]).to_vec()).unwrap();
//! ```

mod adjoint;
mod cuts;
mod layouts;
mod reads;
pub(crate) mod replay;

use super::common::{POLICIES, any_tape, fraction, joined};
use super::gradcheck::Gradcheck;
use crate::graph::{Tape, Var};
pub use adjoint::check_adjoint;
pub use cuts::check_cuts;
pub use layouts::{check_layouts, layouts};
use rand::Rng;
pub use reads::check_reads;
pub use replay::check_replay;
use std::fmt;
use wengert_tensor::{Philox, Tensor};

/// A function from variables to its results, on any tape.
pub trait Operation: for<'t> Fn(&[Var<'t, f64>]) -> Vec<Var<'t, f64>> {}
impl<F: for<'t> Fn(&[Var<'t, f64>]) -> Vec<Var<'t, f64>>> Operation for F {}

/// The error of an operation that failed a test.
#[derive(Clone, PartialEq, thiserror::Error)]
#[error("{}{test}: {message}", if name.is_empty() { String::new() } else { format!("{name}: ") })]
#[non_exhaustive]
pub struct OpError {
    /// The operation's name.
    pub name: String,
    /// The failed test.
    pub test: Test,
    /// The reason.
    pub message: String,
}

wengert_tensor::debug_is_display!(OpError);

/// The tests of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Test {
    /// [`Gradcheck`] up to the second order, of all results together.
    Derivatives,
    /// [`check_layouts`].
    Layouts,
    /// [`check_cuts`].
    Cuts,
    /// [`check_adjoint`].
    Adjoint,
    /// [`check_reads`].
    Reads,
    /// [`check_replay`].
    Replay,
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Test::Derivatives => "derivatives",
            Test::Layouts => "layouts in memory",
            Test::Cuts => "cuts",
            Test::Adjoint => "adjoint",
            Test::Reads => "reads",
            Test::Replay => "replay",
        })
    }
}

/// Runs all tests of this module on an operation, at these inputs: see [`Test`]. Choose inputs inside
/// the domain and away from kinks. The same must hold for the inputs with their elements in reverse
/// order, which [`check_replay`] uses. Few elements are enough, but one input should have more than 8:
/// values of up to 8 elements are computed when they are recorded, so their release would not be tested.
/// Tests run with both policies, [`Eager`](crate::Policy::Eager) and [`Fused`](crate::Policy::Fused). Messages name
/// the policy of a failed test.
///
/// # Errors
/// If a test fails. The error describes the first failed test.
///
/// # Panics
/// If the function panics, or if the number or the shapes of outputs or cotangents differ from those
/// that the operation declared.
pub fn check_op(name: &str, inputs: &[Tensor<f64>], f: impl Operation) -> Result<(), OpError> {
    let named = |error: OpError| OpError { name: name.into(), ..error };
    let results = || -> Vec<Vec<u64>> {
        let bits = |y: &Var<'_, f64>| y.value().to_vec().into_iter().map(f64::to_bits).collect();
        f(&watched(&Tape::eval(), inputs)).iter().map(bits).collect()
    };
    let first = at_least_one(results(), Test::Derivatives).map_err(named)?;
    let sizes: Vec<usize> = first.iter().map(Vec::len).collect();
    if let Some(i) = first.into_iter().zip(results()).position(|(a, b)| a != b) {
        let message = format!(
            "result {i} has different values in two runs on the same inputs: the operation is not a pure function"
        );
        return Err(named(error_in(Test::Derivatives, message)));
    }
    Gradcheck::new().order(2).run(any_tape(|x| joined(&f(x))), inputs).map_err(|error| {
        // The check sees the results as one vector.
        let of = error.output_element().filter(|_| sizes.len() > 1 && error.order == 1);
        let of = of.map_or(String::new(), |mut element| {
            let mut result = 0;
            while element >= sizes[result] {
                element -= sizes[result];
                result += 1;
            }
            format!("; the output element is element {element} of result {result}")
        });
        named(error_in(Test::Derivatives, format!("{error}{of}")))
    })?;
    check_layouts(inputs, &f).map_err(named)?;
    check_cuts(inputs, &f).map_err(named)?;
    check_adjoint(inputs, &f).map_err(named)?;
    check_reads(inputs, &f).map_err(named)?;
    check_replay(inputs, &f).map_err(named)
}

fn error_in(test: Test, message: String) -> OpError {
    OpError { name: String::new(), test, message }
}

/// Returns these results of an operation, or the error of a test if there are none.
fn at_least_one<Y>(results: Vec<Y>, test: Test) -> Result<Vec<Y>, OpError> {
    if results.is_empty() {
        let message = "the function returned no results: return at least one variable";
        return Err(error_in(test, message.into()));
    }
    Ok(results)
}

/// Returns a tensor of random numbers whose elements are taken from these intervals in turn. Use
/// intervals on both sides of a kink.
///
/// ```
/// use wengert::autograd::testing::spread;
/// let x = spread(&[4], &[(-2.0, -1.0), (1.0, 2.0)], 0);
/// assert!(x.to_vec().iter().enumerate().all(|(i, x)| (i % 2 == 1) == (*x > 0.0)));
/// ```
///
/// # Panics
/// If there are no intervals.
#[track_caller]
pub fn spread(shape: &[usize], intervals: &[(f64, f64)], seed: u64) -> Tensor<f64> {
    assert!(!intervals.is_empty(), "spread: expected at least one interval (low, high), got none");
    let mut rng = Philox::new(seed);
    Tensor::from_fn(shape, |i| {
        let (low, high) = intervals[i % intervals.len()];
        low + (high - low) * fraction(rng.next_u64())
    })
}

/// Puts the inputs on a tape as watched variables.
fn watched<'t>(tape: &'t Tape<f64>, inputs: &[Tensor<f64>]) -> Vec<Var<'t, f64>> {
    inputs.iter().map(|x| tape.watch(x.clone())).collect()
}

/// Returns weights for a sum to which every element contributes differently.
pub(crate) fn weights(shape: &[usize]) -> Tensor<f64> {
    Tensor::from_fn(shape, |i| 0.7 + 0.3 * ((i * 5 + 1) % 7) as f64)
}

/// Returns a scalar to which every element contributes differently.
pub(crate) fn weighted<'t>(y: &[Var<'t, f64>]) -> Var<'t, f64> {
    let sums = y.iter().map(|y| (*y * y.tape().constant(weights(&y.shape()))).sum_all());
    sums.reduce(|a, b| a + b).expect("the callers refuse operations without results")
}

fn bits(x: &[f64]) -> Vec<u64> {
    x.iter().map(|x| x.to_bits()).collect()
}

/// Returns whether the numbers differ by at most `tolerance` times the largest absolute value, or times
/// 1 if all are smaller.
fn close(a: &[f64], b: &[f64], tolerance: f64) -> bool {
    let largest = a.iter().chain(b).fold(1.0, |m: f64, x| m.max(x.abs()));
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance * largest)
}
