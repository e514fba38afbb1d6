//! Derivatives of functions of variables, as variables: each can be differentiated again, to any order.
//!
//! A function takes and returns one [`Var`], or several in a tuple, an array or a `Vec` ([`Variables`]).
//! It may use any other variable besides. The derivative is with respect to the arguments, at the given
//! point. The point may be a constant. Other uses of the same variables do not contribute.
//!
//! | function | derivative of f at x | passes over f |
//! |---|---|---|
//! | [`grad`], [`value_and_grad`] | ∂f/∂x of a scalar f | one backward |
//! | [`vjp`] | uᵀ·∂f/∂x | one backward |
//! | [`jvp`] | ∂f/∂x·t | one forward |
//! | [`jacobian`] | ∂fᵢ/∂xⱼ | one forward for each xⱼ, or one backward for each fᵢ if those are fewer |
//! | [`hvp`] | ∂²f/∂x²·v | one backward and one forward |
//! | [`hessian`] | ∂²f/∂xᵢ∂xⱼ | one backward, and one forward for each xⱼ |
//! | [`laplacian`] | Σ ∂²f/∂xᵢ² | as `hessian` |
//!
//! To differentiate with respect to a model's parameters, [`Tape::params`](crate::Tape::params) returns
//! the point, and [`Tape::with_params`](crate::Tape::with_params) evaluates the model with variables in
//! place of its parameters.
//!
//! ```
//! use wengert::autograd::transforms::{grad, hessian};
//! use wengert::autograd::{Tape, Var};
//! use wengert::tensor::Tensor;
//! /// Returns x₀²·x₁.
//! fn f<'t>(x: Var<'t, f64>) -> Var<'t, f64> {
//!     (x.narrow(0, 0, 1).square() * x.narrow(0, 1, 1)).sum_all()
//! }
//! let tape = Tape::new();
//! let x = tape.constant(Tensor::from([3.0, 5.0]));
//! assert_eq!(grad(f, x).value().to_vec(), [30.0, 9.0]);
//! assert_eq!(hessian(f, x).value().to_vec(), [10.0, 6.0, 6.0, 0.0]);
//! ```
//!
//! # Gradients of each sample
//! If a loss is a sum over the samples of a batch, its gradient is a sum of one gradient per sample. (In
//! a mean, such as the default of `cross_entropy`, each term is divided by N.) These gradients are
//! needed to clip each of them (differential privacy), to measure their variance, or to find wrong
//! samples.
//!
//! - *Any model:* one run for each sample. Use [`value_and_grad`](crate::value_and_grad()) or `backward`
//!   of a batch of one. Several threads can share the samples, since each run has its own tape.
//! - *In one pass:* give each sample its own parameters with [`broadcast_to`](Var::broadcast_to), of
//!   shape [N, …], which takes no memory, and compute the gradient with respect to these. Layers do not
//!   accept such parameters, so write the formula. A linear layer with weights [N, outputs, inputs] and
//!   biases [N, outputs] is `x.unsqueeze(1).matmul_t(weights, false, true) + biases.unsqueeze(1)`. A
//!   convolution is one with N groups on a single image: `x.reshape(&[1, N·C, H, W])` with the weights
//!   `[N·O, C, kh, kw]`. The gradients are N times as large as the parameters.
//!
//! ```
//! use wengert::autograd::{Param, Tape};
//! use wengert::tensor::Tensor;
//! let w = Param::new(Tensor::from([[1.0f64], [2.0]])); // 2 inputs, 1 output
//! let x = Tensor::from([[1.0, 0.0], [0.0, 1.0], [3.0, 1.0]]);
//!
//! // In one pass.
//! let tape = Tape::new();
//! let own = tape.param(&w).unsqueeze(0).broadcast_to([3, 2, 1]);
//! let y = tape.constant(x.clone()).unsqueeze(1).matmul(own); // [3, 1, 1]
//! let each = y.square().sum_all().grad(&[own])[0].value();
//! assert_eq!(each.to_vec(), [2.0, 0.0, 0.0, 4.0, 30.0, 10.0]); // 2·y·x
//!
//! // One run for each sample.
//! for i in 0..3 {
//!     let tape = Tape::new();
//!     let one = tape.constant(x.narrow(0, i, 1));
//!     let gradients = one.matmul(tape.param(&w)).square().sum_all().backward();
//!     assert_eq!(*gradients.get(&w).unwrap(), each.narrow(0, i, 1).squeeze(0));
//! }
//! ```

mod grad;
mod hessian;
mod hvp;
mod jacobian;
mod jvp;
mod laplacian;
mod params;
mod pushforward;
mod variables;
mod vjp;

pub use grad::{grad, value_and_grad};
pub use hessian::hessian;
pub use hvp::hvp;
pub use jacobian::jacobian;
pub use jvp::jvp;
pub use laplacian::laplacian;
pub use variables::Variables;
pub use vjp::vjp;

use crate::graph::{ScopeResult, Tape, Var};
use wengert_tensor::{Float, Tensor};

/// An evaluation of a function at aliases of its arguments. While it exists, the aliases are active,
/// whatever the arguments are. When it ends, nodes that depend on no leaf become constants again.
struct FunctionEvaluation<'t, T: Float> {
    tape: &'t Tape<T>,
    /// The first node of the evaluation.
    first: u32,
}

/// The result of an evaluation.
struct Evaluated<'t, T: Float, X, Y> {
    evaluation: FunctionEvaluation<'t, T>,
    /// The aliases of the arguments.
    x: Vec<Var<'t, T>>,
    /// The structure of the arguments.
    form: X,
    y: Y,
}

impl<'t, T: Float> FunctionEvaluation<'t, T> {
    /// Evaluates `f` at aliases of `x`.
    #[track_caller]
    fn of<X: Variables<'t, T>, Y: ScopeResult<'t, T>>(
        name: &str,
        f: impl FnOnce(X) -> Y,
        x: X,
    ) -> Evaluated<'t, T, X, Y> {
        let list = x.list();
        let Some(tape) = list.first().map(|x| x.tape) else {
            panic!("{name}: expected at least one variable, got none")
        };
        for x in &list {
            tape.same_tape(name, x.tape);
        }
        tape.check_history(name);
        let evaluation = FunctionEvaluation { tape, first: tape.len() as u32 };
        let form = x.map(&mut |x| Var { tape, id: tape.alias(x.id, true) });
        let x = form.list();
        let y = f(form.clone());
        let mut results = Vec::new();
        y.each(&mut |y| results.push(y));
        for y in results {
            tape.same_tape(name, y.tape);
        }
        Evaluated { evaluation, x, form, y }
    }
}

/// Returns other variables in the same structure.
fn in_place_of<'t, T: Float, X: Variables<'t, T>>(form: X, list: Vec<Var<'t, T>>) -> X {
    let mut list = list.into_iter();
    form.map(&mut |_| list.next().expect("as many as in the structure"))
}

impl<T: Float> Drop for FunctionEvaluation<'_, T> {
    /// Runs also when the function panics.
    fn drop(&mut self) {
        if let Ok(mut arena) = self.tape.arena.try_borrow_mut() {
            arena.recompute_active_since(self.first);
        }
    }
}

/// Returns the gradients of Σ weight · result, and zeros for variables on which no result depends.
#[track_caller]
fn pulled<'t, T: Float>(
    results: &[Var<'t, T>],
    weights: &[Var<'t, T>],
    x: &[Var<'t, T>],
) -> Vec<Var<'t, T>> {
    let found = Var::grad_of(results, weights, x).into_iter();
    let zeros = |x: &Var<'t, T>| x.tape.zeros(&x.shape());
    found.zip(x).map(|(g, x)| g.unwrap_or_else(|| zeros(x))).collect()
}

/// Checks that directions or seeds have the shapes of the variables that they belong to.
#[track_caller]
fn check_like<T: Float>(
    name: &str,
    what: &str,
    given: &[Var<'_, T>],
    of: &str,
    wanted: &[Var<'_, T>],
) {
    let Some(tape) = wanted.first().map(|x| x.tape) else { return };
    let (n, m) = (given.len(), wanted.len());
    if n != m {
        tape.fail(format!(
            "{name}: expected one {what} for each {of}, got {n} {what}s and {m} {of}s"
        ))
    }
    for (i, (given, wanted)) in given.iter().zip(wanted).enumerate() {
        tape.same_tape(name, given.tape);
        let (given, wanted) = (given.shape(), wanted.shape());
        if given != wanted {
            tape.fail(format!(
                "{name}: {what} {i} and {of} {i} must have the same shape, got {given} and \
                 {wanted}"
            ))
        }
    }
}

/// Returns the unit vectors of a shape: 1 at one element and 0 elsewhere.
fn unit_vectors<'t, T: Float>(like: Var<'t, T>) -> impl Iterator<Item = Var<'t, T>> {
    let (tape, shape) = (like.tape, like.shape());
    (0..shape.numel()).map(move |i| {
        let at = |j| if i == j { T::of(1.0) } else { T::of(0.0) };
        if tape.is_shape_only() {
            tape.input(shape)
        } else {
            tape.constant(Tensor::from_fn(&shape, at))
        }
    })
}
