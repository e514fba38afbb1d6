//! Tests for custom operations. The library's own operations pass the same tests.
//!
//! [`check_op`] runs all tests on an operation ([`CustomOp`](crate::CustomOp)) or on any function. Its
//! parts can be used separately: [`spread`] (points in a domain), [`layouts`] (the same elements in six
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

use super::gradcheck::Gradcheck;
use crate::graph::{Policy, SAVED, Tape, Var};
use crate::transforms::jvp;
use rand::Rng;
use std::fmt;
use wengert_tensor::{Element, Philox, Tensor};

/// A function from variables to its results, on any tape.
pub trait Operation: for<'t> Fn(&[Var<'t, f64>]) -> Vec<Var<'t, f64>> {}
impl<F: for<'t> Fn(&[Var<'t, f64>]) -> Vec<Var<'t, f64>>> Operation for F {}

const POLICIES: [Policy; 2] = [Policy::Eager, Policy::Fused];

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
/// Tests run with both policies, [`Eager`](Policy::Eager) and [`Fused`](Policy::Fused). Messages name
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
        let message = format!("result {i} has other numbers each time: a pure function is wanted");
        return Err(named(error_in(Test::Derivatives, message)));
    }
    Gradcheck::new().order(2).run(function(|x| joined(&f(x))), inputs).map_err(|error| {
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

/// Returns the closure itself. The bound makes the compiler infer a closure for every lifetime.
fn function<F: for<'t> Fn(&[Var<'t, f64>]) -> Var<'t, f64>>(f: F) -> F {
    f
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
        low + (high - low) * (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    })
}

/// Returns the same elements in six memory layouts: contiguous; with the axes stored in reverse order;
/// every second element of the last axis of a larger tensor; stored in reverse along the first axis;
/// inside a larger tensor, after other elements; and repeated along the first axis without additional
/// memory. The last layout has other elements: it repeats the first row. A scalar has only the first and
/// the fifth layout.
pub fn layouts<T: Element>(x: &Tensor<T>) -> Vec<(&'static str, Tensor<T>)> {
    let x = x.contiguous();
    let (shape, rank) = (x.shape(), x.rank());
    let numbers = x.to_vec();
    let mut found = vec![("contiguous", x.clone())];
    let mut behind = numbers.clone();
    behind.extend_from_slice(&numbers);
    let n = numbers.len();
    let behind = Tensor::from_vec(behind, &[2 * n]).slice(0, n as isize, 2 * n as isize, 1);
    found.push(("behind others", behind.reshape(&shape)));
    if rank == 0 || n == 0 {
        return found;
    }
    let order: Vec<isize> = (0..rank as isize).rev().collect();
    found.push(("axes reversed", x.permute(&order).contiguous().permute(&order)));
    let mut wide = Vec::with_capacity(2 * n);
    for number in &numbers {
        wide.extend([*number, *number]);
    }
    let mut sizes = shape.to_vec();
    sizes[rank - 1] *= 2;
    let last = sizes[rank - 1] as isize;
    found.push(("every second", Tensor::from_vec(wide, &sizes).slice(-1, 0, last, 2)));
    found.push(("backwards", x.flip(0).contiguous().flip(0)));
    found.push(("repeated", x.narrow(0, 0, 1).broadcast_to(&shape)));
    found
}

/// Checks that results and gradients do not depend on the memory layout of the inputs ([`layouts`]), nor
/// on the policy, eager or fused. Rounding errors of sums in another order are permitted.
///
/// # Errors
/// If the results for a layout differ from those for contiguous inputs. The error describes the first
/// such layout.
pub fn check_layouts(inputs: &[Tensor<f64>], f: impl Operation) -> Result<(), OpError> {
    at_least_one(f(&watched(&Tape::eval(), inputs)), Test::Layouts)?;
    let run = |inputs: &[Tensor<f64>], policy| {
        let tape = Tape::eval().with_policy(policy);
        let x = watched(&tape, inputs);
        let y = f(&x);
        let mut all: Vec<_> = y.iter().map(|y| y.value().to_vec()).collect();
        let loss = weighted(&y);
        all.extend(loss.grad_or_zero(&x).iter().map(|g| g.value().to_vec()));
        all
    };
    let ways: Vec<_> = inputs.iter().map(layouts).collect();
    for way in 0..ways.iter().map(Vec::len).max().unwrap_or(0) {
        let chosen: Vec<_> =
            ways.iter().enumerate().map(|(i, ways)| &ways[(way + i) % ways.len()]).collect();
        let laid: Vec<_> = chosen.iter().map(|(_, x)| x.clone()).collect();
        let plain: Vec<_> = laid.iter().map(Tensor::copied).collect();
        let wanted = run(&plain, Policy::Eager);
        for policy in POLICIES {
            let got = run(&laid, policy);
            if !got.iter().zip(&wanted).all(|(got, wanted)| close(got, wanted, 1e-12)) {
                let names: Vec<_> = chosen.iter().map(|(name, _)| *name).collect();
                return Err(error_in(
                    Test::Layouts,
                    format!("other numbers with inputs that are {names:?}, policy {policy:?}"),
                ));
            }
        }
    }
    Ok(())
}

/// Checks derivatives that are cut off at an input or an output. The gradient with respect to one input
/// must be the same if the other inputs are constants. The gradient of all results together must be the
/// sum of the gradients of the results. The gradient with respect to a result must be its given
/// cotangent. No result may be the same node as an input.
///
/// # Errors
/// If one of these gradients differs. The error describes the first one.
pub fn check_cuts(inputs: &[Tensor<f64>], f: impl Operation) -> Result<(), OpError> {
    let fail = |message: String| Err(error_in(Test::Cuts, message));
    for policy in POLICIES {
        let tape = Tape::eval().with_policy(policy);
        let x = watched(&tape, inputs);
        let y = at_least_one(f(&x), Test::Cuts)?;
        if let Some(i) = y.iter().position(|y| x.iter().any(|x| x.is(*y))) {
            return fail(format!("result {i} is an input: a variable of its own is wanted"));
        }
        let seeds: Vec<_> = y.iter().map(|y| tape.constant(weights(&y.shape()))).collect();
        let whole = numbers_of(&Var::grad_of(&y, &seeds, &x), inputs);
        let mut sum: Vec<Vec<f64>> = inputs.iter().map(|x| vec![0.0; x.numel()]).collect();
        for (y, seed) in y.iter().zip(&seeds) {
            let one = numbers_of(&Var::grad_of(&[*y], &[*seed], &x), inputs);
            sum.iter_mut().zip(one).for_each(|(sum, one)| {
                sum.iter_mut().zip(one).for_each(|(sum, one)| *sum += one);
            });
        }
        for (i, (sum, whole)) in sum.iter().zip(&whole).enumerate() {
            if !close(sum, whole, 1e-12) {
                return fail(format!(
                    "by input {i}, the gradients of each result alone add up to {sum:?}, that of all \
                     is {whole:?}, policy {policy:?}"
                ));
            }
        }
        for (i, found) in Var::grad_of(&y, &seeds, &y).into_iter().enumerate() {
            let wanted = seeds[i].value();
            if y[i].is_active() && found.map(|g| g.value()) != Some(wanted) {
                return fail(format!(
                    "the gradient by result {i} is not its cotangent, policy {policy:?}"
                ));
            }
        }
        for i in 0..inputs.len() {
            let tape = Tape::eval().with_policy(policy);
            let put = |(j, x): (usize, &Tensor<f64>)| {
                if i == j { tape.watch(x.clone()) } else { tape.constant(x.clone()) }
            };
            let x: Vec<_> = inputs.iter().enumerate().map(put).collect();
            let y = f(&x);
            let seeds: Vec<_> = y.iter().map(|y| tape.constant(weights(&y.shape()))).collect();
            let alone = numbers_of(&Var::grad_of(&y, &seeds, &x[i..=i]), &inputs[i..=i]);
            if !close(&alone[0], &whole[i], 1e-12) {
                return fail(format!(
                    "by input {i} with the others constant {:?}, with all watched {:?}, policy {policy:?}",
                    alone[0], whole[i]
                ));
            }
        }
    }
    Ok(())
}

/// Checks ⟨u, J·t⟩ = ⟨Jᵀ·u, t⟩ for random t and u. J·t is computed in forward mode ([`jvp`]), and as the
/// derivative of Jᵀ·u with respect to u. A rule that is not linear in its cotangent fails.
///
/// # Errors
/// If the two sides differ by more than rounding.
pub fn check_adjoint(inputs: &[Tensor<f64>], f: impl Operation) -> Result<(), OpError> {
    for policy in POLICIES {
        let tape = Tape::eval().with_policy(policy);
        let random = |x: &Var<'_, f64>, seed: usize| {
            spread(&x.shape(), &[(-1.0, -0.3), (0.3, 1.0)], 900 + seed as u64)
        };
        let x = watched(&tape, inputs);
        let y = at_least_one(f(&x), Test::Adjoint)?;
        let u: Vec<_> = y.iter().enumerate().map(|(i, y)| tape.watch(random(y, i))).collect();
        let t: Vec<_> =
            x.iter().enumerate().map(|(i, x)| tape.constant(random(x, 50 + i))).collect();
        let pulled = Var::grad_of(&y, &u, &x);
        let along = pulled.into_iter().zip(&t).filter_map(|(g, t)| Some((g? * *t).sum_all()));
        let Some(left) = along.reduce(|a, b| a + b) else { continue };
        let twice = left.grad_or_zero(&u);
        let (_, pushed) = jvp(|x: Vec<Var<'_, f64>>| f(&x), x.clone(), t.clone());
        let mut right = 0.0;
        for (i, ((u, twice), pushed)) in u.iter().zip(twice).zip(pushed).enumerate() {
            let [u, twice, pushed] = [*u, twice, pushed].map(|v| v.value().to_vec());
            if !close(&twice, &pushed, 1e-10) {
                return Err(error_in(
                    Test::Adjoint,
                    format!(
                        "J·t of result {i} is {pushed:?} forwards, and {twice:?} as the derivative of \
                         Jᵀ·u by u, policy {policy:?}"
                    ),
                ));
            }
            right += u.iter().zip(&pushed).map(|(u, p)| u * p).sum::<f64>();
        }
        let left = left.item();
        if !close(&[left], &[right], 1e-10) {
            return Err(error_in(
                Test::Adjoint,
                format!("⟨Jᵀ·u, t⟩ = {left:e} and ⟨u, J·t⟩ = {right:e}, policy {policy:?}"),
            ));
        }
    }
    Ok(())
}

/// Checks that rules read only what they declare ([`CustomOp::reads`](crate::CustomOp::reads)). Every
/// value that no rule declared is replaced by NaN, and gradients of first and second order must not
/// change. The check runs with all inputs watched, and with each input watched alone.
///
/// # Errors
/// If a gradient changes.
pub fn check_reads(inputs: &[Tensor<f64>], f: impl Operation) -> Result<(), OpError> {
    for policy in POLICIES {
        for alone in std::iter::once(None).chain((0..inputs.len()).map(Some)) {
            let watched: Vec<bool> =
                (0..inputs.len()).map(|i| alone.is_none_or(|alone| i == alone)).collect();
            for order in 1..=2 {
                reads_of_order(inputs, &f, policy, &watched, order)
                    .map_err(|message| error_in(Test::Reads, message))?;
            }
        }
    }
    Ok(())
}

/// Returns a message if a gradient of this order reads a value that no rule declared.
pub(crate) fn reads_of_order(
    inputs: &[Tensor<f64>],
    f: &dyn Operation,
    policy: Policy,
    watched: &[bool],
    order: usize,
) -> Result<(), String> {
    let tape = Tape::new().with_policy(policy);
    let put = |(x, &watched): (&Tensor<f64>, _)| {
        if watched { tape.watch(x.clone()) } else { tape.constant(x.clone()) }
    };
    let x: Vec<_> = inputs.iter().zip(watched).map(put).collect();
    let leaves: Vec<_> = x.iter().copied().filter(|x| x.is_active()).collect();
    let y = at_least_one(f(&x), Test::Reads).map_err(|error| error.message)?;
    let mut loss = weighted(&y);
    if order == 2 {
        if !loss.is_active() {
            return Ok(());
        }
        let slopes = loss.grad_or_zero(&leaves);
        loss = weighted(&slopes);
    }
    if !loss.is_active() {
        return Ok(());
    }
    for id in 0..tape.len() as u32 {
        tape.compute(id);
    }
    let numbers = || {
        let gradients = loss.backward_retain();
        let of = |&x: &Var<'_, f64>| gradients.wrt(x).map(|g| bits(&g.to_vec()));
        leaves.iter().map(of).collect::<Vec<_>>()
    };
    // Gradients through comparisons are active but reach no leaf.
    let Ok(clean) = tape.catch(numbers) else { return Ok(()) };
    tape.poison();
    if numbers() == clean {
        return Ok(());
    }
    Err(format!(
        "the gradient of order {order} reads a value that no rule declared: of {} nodes, with inputs \
         watched {watched:?}, policy {policy:?}",
        tape.len()
    ))
}

impl Tape<f64> {
    /// Replaces each value that no rule has declared to read: numbers by NaN, integers by one that is
    /// out of range for every axis.
    pub(crate) fn poison(&self) {
        let arena = &mut *self.arena.borrow_mut();
        for id in 0..arena.len() {
            if arena.nodes[id as usize].has(SAVED) {
                continue;
            }
            let shape = *arena.shape(id);
            match arena.place_of_whole(id) {
                Some(place) => {
                    arena.wholes[place as usize] = Some(Tensor::full_of(&shape, i64::MAX));
                }
                None => arena.values[id as usize] = Some(Tensor::full_of(&shape, f64::NAN)),
            }
        }
    }
}

/// Checks replays. A run is replayed with the elements of the inputs in reverse order. Its results and
/// gradients of first and second order must equal those of a new run, bit for bit. The same must hold
/// for a second replay.
///
/// # Errors
/// If they differ. The operation has then read values while it was recorded.
pub fn check_replay(inputs: &[Tensor<f64>], f: impl Operation) -> Result<(), OpError> {
    at_least_one(f(&watched(&Tape::train(&mut Philox::new(5)), inputs)), Test::Replay)?;
    let other: Vec<_> = inputs.iter().map(reversed).collect();
    for policy in POLICIES {
        let make = || Tape::train(&mut Philox::new(5)).with_policy(policy);
        let fresh = |inputs: &[Tensor<f64>]| RecordedProgram::of(&f, &make(), inputs).numbers();
        let tape = make();
        let recording = RecordedProgram::of(&f, &tape, inputs);
        if recording.numbers() != fresh(inputs) {
            let message = "two runs on the same numbers differ: the operation is no pure function";
            return Err(error_in(Test::Replay, message.into()));
        }
        for inputs in [&other[..], &other, inputs] {
            recording.replay(inputs);
            if recording.numbers() != fresh(inputs) {
                return Err(error_in(
                    Test::Replay,
                    format!(
                        "a replay on other numbers is not a new run on them, policy {policy:?}"
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// Returns the elements in reverse order: they are in the same domain, but the maxima are at other
/// positions.
pub(crate) fn reversed(x: &Tensor<f64>) -> Tensor<f64> {
    Tensor::from_vec(x.to_vec().into_iter().rev().collect(), &x.shape())
}

/// A run of an operation with its derivatives of first and second order as variables.
pub(crate) struct RecordedProgram<'t> {
    tape: &'t Tape<f64>,
    leaves: Vec<Var<'t, f64>>,
    loss: Var<'t, f64>,
    results: Vec<Var<'t, f64>>,
}

impl<'t> RecordedProgram<'t> {
    pub fn of(f: &dyn Operation, tape: &'t Tape<f64>, inputs: &[Tensor<f64>]) -> Self {
        let leaves = watched(tape, inputs);
        let mut results = f(&leaves);
        let loss = weighted(&results);
        results.push(loss);
        if loss.is_active() {
            let slopes = loss.grad_or_zero(&leaves);
            let bend = weighted(&slopes);
            results.extend(slopes);
            if bend.is_active() {
                results.extend(bend.grad_or_zero(&leaves));
            }
        }
        RecordedProgram { tape, leaves, loss, results }
    }

    /// Replays the program with other inputs.
    pub fn replay(&self, inputs: &[Tensor<f64>]) {
        let replay = self.tape.replay(&()).allow_reads();
        let leaves = self.leaves.iter().zip(inputs);
        leaves.fold(replay, |replay, (&x, value)| replay.set(x, value.clone())).run();
    }

    /// Returns the bits of all values, and of the gradients as tensors: first with the history kept,
    /// then with the history ended.
    pub fn numbers(&self) -> Vec<Vec<u64>> {
        let mut all: Vec<_> = self.results.iter().map(|y| bits(&y.value().to_vec())).collect();
        if self.loss.is_active() {
            for gradients in [self.loss.backward_retain(), self.loss.backward()] {
                let of = |&x: &Var<'t, f64>| gradients.wrt(x).map(|g| bits(&g.to_vec()));
                all.extend(self.leaves.iter().map(|x| of(x).unwrap_or_default()));
            }
        }
        all
    }
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

/// Concatenates all results.
fn joined<'t>(y: &[Var<'t, f64>]) -> Var<'t, f64> {
    let parts: Vec<_> = y.iter().map(|y| y.reshape(&[-1])).collect();
    Var::concat(&parts, 0)
}

fn numbers_of(gradients: &[Option<Var<'_, f64>>], inputs: &[Tensor<f64>]) -> Vec<Vec<f64>> {
    let pairs = gradients.iter().zip(inputs);
    pairs.map(|(g, x)| g.map_or(vec![0.0; x.numel()], |g| g.value().to_vec())).collect()
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
