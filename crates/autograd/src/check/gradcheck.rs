//! Checks derivatives against finite differences. The check is public, for your functions and
//! [`CustomOp`](crate::CustomOp)s.

use crate::graph::{Policy, Tape, Var};
use rand::Rng;
use std::cmp::Ordering;
use std::fmt;
use wengert_tensor::{Element, Float, Philox, Tensor};

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

/// A derivative that differs from the finite difference.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct GradcheckError {
    /// The name of the checked function, if it was [named](Gradcheck::named).
    pub name: String,
    /// The order of the wrong derivative. 1: the gradient of the function is wrong; 2: the gradient of
    /// its gradient; …
    pub order: usize,
    /// The place of the wrong derivative.
    pub at: GradcheckPlace,
    /// The derivative by the rules. At a kink: the slope on the left. At an edge of the domain: the
    /// function's value at the point.
    pub analytic: f64,
    /// The finite difference. At a kink: the slope on the right. At an edge of the domain: the
    /// function's value next to the point. Where the function is not finite: its value.
    pub numeric: f64,
    /// The largest permitted difference of the two.
    pub bound: f64,
    /// The number of inputs of the function. The gradient of order n - 1, which is checked at order n,
    /// has more inputs: the cotangents of the lower orders.
    pub inputs: usize,
}

/// The place of a wrong derivative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GradcheckPlace {
    /// Along a random direction through all inputs at once.
    Direction,
    /// The derivative of one element of the output with respect to one element of an input.
    Entry {
        /// The number of the input.
        input: usize,
        /// The element of the input, counted row by row.
        element: usize,
        /// The element of the output.
        output: usize,
    },
    /// The point is next to a kink or a jump. The derivative does not exist there, or finite differences
    /// cannot compute it. The rules may be right: choose another point.
    Kink {
        /// The number of the input.
        input: usize,
        /// The element of the input, counted row by row.
        element: usize,
        /// The element of the output that has the kink.
        output: usize,
    },
    /// The function is finite at the point, and NaN or infinite next to it. The point is at the edge of
    /// the domain, and finite differences cannot be computed. The rules may be right.
    Edge {
        /// The number of the input.
        input: usize,
        /// The element of the input, counted row by row.
        element: usize,
        /// The element of the output that is not finite.
        output: usize,
    },
    /// The point is so large that a step is lost in rounding: no differences can be taken. The rules may
    /// be right.
    Step {
        /// Which input.
        input: usize,
        /// Its element, counted row by row.
        element: usize,
    },
    /// The function is NaN or infinite at the point. The rules may be right.
    Value {
        /// The element of the output that is not finite.
        output: usize,
    },
    /// Two ways to compute the gradient differ: as tensors (`backward`) and as variables (`grad`), or
    /// with the eager and the fusing policy.
    Paths {
        /// The number of the input.
        input: usize,
    },
}

impl GradcheckError {
    /// Returns the element of the output that the error is about, if there is one.
    pub(crate) fn output_element(&self) -> Option<usize> {
        match self.at {
            GradcheckPlace::Entry { output, .. }
            | GradcheckPlace::Kink { output, .. }
            | GradcheckPlace::Edge { output, .. }
            | GradcheckPlace::Value { output } => Some(output),
            GradcheckPlace::Direction
            | GradcheckPlace::Paths { .. }
            | GradcheckPlace::Step { .. } => None,
        }
    }
}

impl fmt::Display for GradcheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GradcheckError { name, order, at, analytic, numeric, bound, inputs } = self;
        if !name.is_empty() {
            write!(f, "{name}: ")?;
        }
        let argument = |input: usize| match input.checked_sub(*inputs) {
            None => format!("input {input}"),
            Some(0) => "the cotangent".into(),
            Some(i) => format!("the cotangent of order {}", i + 1),
        };
        write!(f, "derivative of order {order} ")?;
        match *at {
            GradcheckPlace::Direction => write!(f, "along a random direction")?,
            GradcheckPlace::Entry { input, element, output } => {
                let input = argument(input);
                write!(f, "of output element {output} by element {element} of {input}")?;
            }
            GradcheckPlace::Kink { input, element, output } => {
                let input = argument(input);
                return write!(
                    f,
                    "of output element {output} by element {element} of {input}: the function has a kink \
                     or a jump next to this point, its slope is {analytic:e} on the left and {numeric:e} on \
                     the right: choose a point farther away"
                );
            }
            GradcheckPlace::Edge { input, element, output } => {
                let input = argument(input);
                return write!(
                    f,
                    "of output element {output} by element {element} of {input}: the function is {analytic:e} \
                     at this point and {numeric} next to it: choose a point farther from the edge of the \
                     function's domain, or smaller steps"
                );
            }
            GradcheckPlace::Step { input, element } => {
                let input = argument(input);
                return write!(
                    f,
                    "by element {element} of {input}: a step of {numeric:e} from {analytic:e} is lost in \
                     rounding: choose a point nearer to 0, or a larger step"
                );
            }
            GradcheckPlace::Value { output } => {
                return write!(
                    f,
                    "of output element {output}: the function is {numeric} at this point: choose a point in \
                     the function's domain"
                );
            }
            GradcheckPlace::Paths { input } => {
                let input = argument(input);
                if analytic.is_nan() && numeric.is_nan() {
                    return write!(f, "by {input}: the rules give NaN");
                }
                return write!(
                    f,
                    "by {input}: {analytic:e} one way and {numeric:e} another (backward or grad, eager or \
                     fused), more than {bound:.1e} apart"
                );
            }
        }
        write!(
            f,
            ": the rules give {analytic:e}, differences {numeric:e}, more than {bound:.1e} apart"
        )
    }
}
impl std::error::Error for GradcheckError {}
wengert_tensor::debug_is_display!(GradcheckError);

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
/// a smooth function, half the step reduces the fourth difference divided by the step to an eighth. For
/// a kink or a jump, the check fails with the argument and the element ([`GradcheckPlace::Kink`]).
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

    /// Sets the highest order of the checked derivatives. Default: 1.
    #[must_use]
    pub fn order(mut self, order: usize) -> Self {
        self.order = order;
        self
    }

    /// Sets the step of the finite differences. For functions that are linear in each input every step
    /// is exact, and a step of 1 has the smallest rounding error.
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
        let run = OrderCheck {
            set: self,
            f: &f,
            inputs,
            order: 1,
            arity: inputs.len(),
            step: self.step.unwrap_or(step),
            tolerance: self.tolerance.unwrap_or(tolerance),
        };
        run.check(&mut Philox::new(self.seed))
    }
}

/// The check of one order: of one function at its inputs.
struct OrderCheck<'a, T: Float> {
    set: &'a Gradcheck,
    f: &'a dyn Function<T>,
    inputs: &'a [Tensor<T>],
    order: usize,
    /// The number of inputs that the user gave.
    arity: usize,
    step: f64,
    tolerance: f64,
}

/// Values at -2h, -h, 0, h, 2h.
type Points = [f64; 5];

/// The positions of these values, in steps.
const OFFSETS: Points = [-2.0, -1.0, 0.0, 1.0, 2.0];

impl<T: Float> OrderCheck<'_, T> {
    fn check(&self, rng: &mut Philox) -> Result<(), GradcheckError> {
        let output = self.value(self.inputs);
        for (input, x) in self.inputs.iter().enumerate() {
            let error = |x: f64| (T::of(x + self.step).to() - x - self.step).abs();
            // Not `>=`: NaN is an error too.
            let kept = |x: &f64| error(*x) < 0.1 * self.step;
            if let Some(element) = numbers(x).iter().position(|x| !kept(x)) {
                let at = GradcheckPlace::Step { input, element };
                return Err(self.error(at, numbers(x)[element], self.step, 0.0));
            }
        }
        let center = numbers(&output);
        if let Some(o) = center.iter().position(|y| !y.is_finite()) {
            return Err(self.error(GradcheckPlace::Value { output: o }, f64::NAN, center[o], 0.0));
        }
        let weights = random_like(&output, rng);
        if let Err(error) = self.paths(&weights) {
            // A derivative that is NaN at the edge of a domain or at a kink: the point is the reason.
            if error.analytic.is_nan() && error.numeric.is_nan() {
                self.jacobian(&output)?;
            }
            return Err(error);
        }
        let size: usize = self.inputs.iter().map(Tensor::numel).sum();
        let (full, directions) = match self.set.extent {
            Extent::Full => (true, 1),
            Extent::Directions(directions) => (false, directions),
            Extent::Automatic if size * output.numel() <= self.set.entries => (true, 1),
            Extent::Automatic => (false, 3),
        };
        if full {
            self.jacobian(&output)?;
        }
        for _ in 0..directions {
            self.direction(&weights, rng)?;
        }
        if self.order >= self.set.order {
            return Ok(());
        }
        // The gradient, as one vector, is a function of the inputs and the cotangent.
        let (f, n) = (self.f, self.inputs.len());
        let mut inputs = self.inputs.to_vec();
        inputs.push(weights);
        let next = any_tape(move |x| gradient(f, x, n));
        OrderCheck { f: &next, inputs: &inputs, order: self.order + 1, ..*self }.check(rng)
    }

    fn error(&self, at: GradcheckPlace, analytic: f64, numeric: f64, bound: f64) -> GradcheckError {
        let (name, inputs) = (self.set.name.clone(), self.arity);
        GradcheckError { name, order: self.order, at, analytic, numeric, bound, inputs }
    }

    /// Returns the permitted difference of two numbers. `values` and `sum` are the sizes of what was
    /// rounded.
    fn bound(&self, analytic: f64, numeric: f64, values: f64, sum: f64) -> f64 {
        let scale = analytic.abs().max(numeric.abs()).max(1.0);
        self.tolerance * scale + 16.0 * T::EPSILON * (values / self.step + sum)
    }

    fn compare(
        &self,
        at: GradcheckPlace,
        [analytic, numeric]: [f64; 2],
        values: f64,
        sum: f64,
    ) -> Result<(), GradcheckError> {
        let bound = self.bound(analytic, numeric, values, sum);
        // `<=` instead of a negated `>`: a NaN is an error, too.
        if (analytic - numeric).abs() <= bound {
            Ok(())
        } else {
            Err(self.error(at, analytic, numeric, bound))
        }
    }

    fn tape(&self) -> Tape<T> {
        match self.set.train {
            Some(seed) => Tape::train(&mut Philox::new(seed)),
            None => Tape::eval(),
        }
    }

    fn value(&self, inputs: &[Tensor<T>]) -> Tensor<T> {
        let tape = self.tape();
        let x: Vec<_> = inputs.iter().map(|x| tape.watch(x.clone())).collect();
        (self.f)(&x).value()
    }

    /// Returns the values with one element of an input changed by `t`.
    fn moved(&self, input: usize, element: usize, t: f64) -> Vec<f64> {
        let mut inputs = self.inputs.to_vec();
        let x = &mut inputs[input].make_mut()[element];
        *x = T::of(x.to() + t);
        numbers(&self.value(&inputs))
    }

    /// Returns the values with all inputs moved by `t` along their directions.
    fn moved_along(&self, directions: &[Tensor<T>], t: f64) -> Vec<f64> {
        let pairs = self.inputs.iter().zip(directions);
        let moved: Vec<_> = pairs.map(|(x, v)| x + &(v * &Tensor::scalar_of(T::of(t)))).collect();
        numbers(&self.value(&moved))
    }

    fn direction(&self, weights: &Tensor<T>, rng: &mut Philox) -> Result<(), GradcheckError> {
        let directions: Vec<Tensor<T>> = self.inputs.iter().map(|x| random_like(x, rng)).collect();
        let weights_of = numbers(weights);
        let h = self.step;
        let all = OFFSETS.map(|k| self.moved_along(&directions, k * h));
        let infinite = (0..weights_of.len()).find(|&o| all.iter().any(|y| !y[o].is_finite()));
        if let Some(output) = infinite {
            return Err(self.edge(&directions, output));
        }
        let points = all.each_ref().map(|values| dot(values, &weights_of));
        let numeric = stencil(points, h);
        let slopes = self.gradients(weights, Policy::Fused, false);
        let pairs = slopes.iter().zip(&directions).map(|(g, v)| (g, numbers(v)));
        let (mut analytic, mut sum) = (0.0, 0.0);
        for (g, v) in pairs {
            analytic += dot(g, &v);
            sum += size_of(g, &v).powi(2);
        }
        let values = all.iter().map(|values| size_of(values, &weights_of)).fold(0.0, f64::max);
        let bound = self.bound(analytic, numeric, values, sum.sqrt());
        let off = (analytic - numeric).abs();
        if unsmooth(points) / h > bound || off.is_nan() || off > bound {
            self.find_kink(&directions, bound)?;
        }
        self.compare(GradcheckPlace::Direction, [analytic, numeric], values, sum.sqrt())
    }

    /// Returns whether a function has a kink or a jump between the points. `points` returns its values
    /// for a step. `off` tells whether the derivative differs from the finite difference.
    fn is_kink(&self, off: bool, bound: f64, mut points: impl FnMut(f64) -> Points) -> bool {
        let mut whole = unsmooth(points(self.step)) / self.step;
        for part in [0.5, 0.25] {
            if whole.is_nan() || whole <= bound {
                break;
            }
            let step = part * self.step;
            let half = unsmooth(points(step)) / step;
            // The ratio is 1/8 for a smooth function.
            if !(0.02..=0.3).contains(&(half / whole)) {
                return true;
            }
            whole = half;
        }
        if !off {
            return false;
        }
        // The fourth difference is zero for a function that is odd about the point, such as a jump. The third
        // difference finds it. The ratio is 1/4 for a smooth function.
        let [whole, half] = [1.0, 0.5].map(|part| {
            let step = part * self.step;
            lopsided(points(step)) / step
        });
        whole > bound && half > 0.4 * whole
    }

    /// Returns the values of one output along directions, with the step h.
    fn along(&self, directions: &[Tensor<T>], output: usize, h: f64) -> Points {
        OFFSETS.map(|k| self.moved_along(directions, k * h)[output])
    }

    /// Fails if an output has a kink next to the point along these directions. Finds the element of the
    /// inputs by bisection.
    fn find_kink(&self, directions: &[Tensor<T>], bound: f64) -> Result<(), GradcheckError> {
        let h = self.step;
        let steps = [1.0, 0.5, 0.25]
            .map(|part| OFFSETS.map(|k| self.moved_along(directions, k * part * h)));
        let of = |step: f64, o: usize| {
            let place = [1.0, 0.5, 0.25].iter().position(|part| part * h == step).unwrap_or(0);
            steps[place].each_ref().map(|values| values[o])
        };
        let outputs =
            (0..steps[0][0].len()).filter(|&o| self.is_kink(true, bound, |step| of(step, o)));
        let sharpness = |points: Points| unsmooth(points).max(lopsided(points));
        let sharpest = |&a: &usize, &b: &usize| sharpness(of(h, a)).total_cmp(&sharpness(of(h, b)));
        let Some(output) = outputs.max_by(sharpest) else { return Ok(()) };
        let (input, element) =
            largest_element(directions, |part| sharpness(self.along(part, output, h)));
        let moved = OFFSETS.map(|k| self.moved(input, element, k * h)[output]);
        Err(self.kink(GradcheckPlace::Kink { input, element, output }, moved, bound))
    }

    /// Returns the error for an output that is not finite along these directions.
    fn edge(&self, directions: &[Tensor<T>], output: usize) -> GradcheckError {
        let not_finite = |points: Points| points.into_iter().find(|y| !y.is_finite());
        let along = |part: &[Tensor<T>]| not_finite(self.along(part, output, self.step));
        let (input, element) =
            largest_element(directions, |part| f64::from(u8::from(along(part).is_some())));
        let center = numbers(&self.value(self.inputs))[output];
        let found = along(directions).expect("seen to be infinite along these directions");
        self.error(GradcheckPlace::Edge { input, element, output }, center, found, 0.0)
    }

    fn kink(&self, at: GradcheckPlace, [a, b, _, d, e]: Points, bound: f64) -> GradcheckError {
        self.error(at, (b - a) / self.step, (e - d) / self.step, bound)
    }

    fn jacobian(&self, output: &Tensor<T>) -> Result<(), GradcheckError> {
        let rows: Vec<Vec<Vec<f64>>> = (0..output.numel())
            .map(|o| {
                let unit = Tensor::from_fn(&output.shape(), |i| T::of(f64::from(u8::from(i == o))));
                self.gradients(&unit, Policy::Fused, false)
            })
            .collect();
        let center = numbers(output);
        let h = self.step;
        for (input, x) in self.inputs.iter().enumerate() {
            for element in 0..x.numel() {
                let around =
                    |h: f64| [-2.0, -1.0, 1.0, 2.0].map(|k| self.moved(input, element, k * h));
                let of = |around: &[Vec<f64>; 4], o: usize| -> Points {
                    let [a, b, d, e] = around.each_ref().map(|values| values[o]);
                    [a, b, center[o], d, e]
                };
                let whole = around(h);
                let not_finite = |o: &usize| whole.iter().any(|values| !values[*o].is_finite());
                if let Some(output) = (0..center.len()).find(not_finite) {
                    let next = whole.iter().map(|values| values[output]);
                    let next = { next }.find(|y| !y.is_finite()).expect("found above");
                    let at = GradcheckPlace::Edge { input, element, output };
                    return Err(self.error(at, center[output], next, 0.0));
                }
                let mut nearer: [Option<[Vec<f64>; 4]>; 2] = [None, None];
                for (o, row) in rows.iter().enumerate() {
                    let points = of(&whole, o);
                    let (analytic, numeric) = (row[input][element], stencil(points, h));
                    let values = points.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
                    // A derivative that is NaN says nothing about sizes.
                    let size = if analytic.is_finite() { analytic } else { numeric };
                    let bound = self.bound(size, numeric, values, size.abs());
                    let off = (analytic - numeric).abs();
                    let at_step = |step: f64| {
                        let place = match step / h {
                            1.0 => return points,
                            0.5 => 0,
                            _ => 1,
                        };
                        of(nearer[place].get_or_insert_with(|| around(step)), o)
                    };
                    if self.is_kink(off.is_nan() || off > bound, bound, at_step) {
                        return Err(self.kink(
                            GradcheckPlace::Kink { input, element, output: o },
                            points,
                            bound,
                        ));
                    }
                    let at = GradcheckPlace::Entry { input, element, output: o };
                    self.compare(at, [analytic, numeric], values, analytic.abs())?;
                }
            }
        }
        Ok(())
    }

    /// Checks that `backward`, `grad` and both policies agree, much more closely than finite differences
    /// do.
    fn paths(&self, weights: &Tensor<T>) -> Result<(), GradcheckError> {
        // The result is 10⁻¹⁰ in f64 and 4·10⁻⁵ in f32.
        let tolerance = T::EPSILON.powf(0.64);
        let numbers = self.gradients(weights, Policy::Fused, false);
        for (policy, variables) in
            [(Policy::Eager, false), (Policy::Fused, true), (Policy::Eager, true)]
        {
            let others = self.gradients(weights, policy, variables);
            for (input, (a, b)) in numbers.iter().zip(&others).enumerate() {
                let largest = a.iter().chain(b).fold(1.0, |m: f64, x| m.max(x.abs()));
                let bound = tolerance * largest.min(f64::MAX);
                for (&analytic, &numeric) in a.iter().zip(b) {
                    // Not `>`: infinities and NaN are errors, too.
                    if analytic != numeric
                        && (analytic - numeric).abs().partial_cmp(&bound) != Some(Ordering::Less)
                    {
                        return Err(self.error(
                            GradcheckPlace::Paths { input },
                            analytic,
                            numeric,
                            bound,
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns the gradient of Σ weights · f with respect to each input; zeros for inputs that f does
    /// not depend on.
    fn gradients(&self, weights: &Tensor<T>, policy: Policy, variables: bool) -> Vec<Vec<f64>> {
        let tape = self.tape().with_policy(policy);
        let x: Vec<_> = self.inputs.iter().map(|x| tape.watch(x.clone())).collect();
        let loss = ((self.f)(&x) * tape.constant(weights.clone())).sum_all();
        if variables {
            return loss.grad_or_zero(&x).iter().map(|g| numbers(&g.value())).collect();
        }
        if !loss.is_active() {
            return self.inputs.iter().map(|x| vec![0.0; x.numel()]).collect();
        }
        let found = loss.backward();
        let of = |x: &Var<'_, T>| found.wrt(*x).map_or(vec![0.0; x.shape().numel()], numbers);
        x.iter().map(of).collect()
    }
}

/// Finds, by bisection, the element of the inputs for which a function of directions is largest. Returns
/// the input and its element.
fn largest_element<T: Float>(
    directions: &[Tensor<T>],
    sharpness: impl Fn(&[Tensor<T>]) -> f64,
) -> (usize, usize) {
    let ends: Vec<usize> = directions
        .iter()
        .scan(0, |end, v| {
            *end += v.numel();
            Some(*end)
        })
        .collect();
    // The directions, with zeros outside a range of elements. Elements are counted over all inputs.
    let within = |low: usize, high: usize| -> Vec<Tensor<T>> {
        let cut = |(v, end): (&Tensor<T>, &usize)| {
            let (first, v_of) = (end - v.numel(), v.to_vec());
            let kept = |i: usize| (low..high).contains(&(first + i));
            Tensor::from_fn(&v.shape(), |i| if kept(i) { v_of[i] } else { T::of(0.0) })
        };
        directions.iter().zip(&ends).map(cut).collect()
    };
    let (mut low, mut high) = (0, ends.last().copied().unwrap_or(0));
    while high - low > 1 {
        let middle = usize::midpoint(low, high);
        let [left, right] =
            [within(low, middle), within(middle, high)].map(|part| sharpness(&part));
        (low, high) = if left >= right { (low, middle) } else { (middle, high) };
    }
    let input = ends.partition_point(|&end| end <= low);
    (input, low - (ends[input] - directions[input].numel()))
}

/// Returns the derivative from the values at -2h, -h, h, 2h. Its error is of fourth order in h.
fn stencil([a, b, _, d, e]: Points, h: f64) -> f64 {
    (8.0 * (d - b) - (e - a)) / (12.0 * h)
}

/// Returns the fourth difference. It is h⁴ times the fourth derivative of a smooth function, and of
/// order h for a kink.
fn unsmooth([a, b, c, d, e]: Points) -> f64 {
    (a - 4.0 * b + 6.0 * c - 4.0 * d + e).abs()
}

/// Returns the third difference of the outer points: 2·h³ times the third derivative of a smooth
/// function.
fn lopsided([a, b, _, d, e]: Points) -> f64 {
    (e - 2.0 * d + 2.0 * b - a).abs()
}

fn gradient<'t, T: Float>(f: &dyn Function<T>, x: &[Var<'t, T>], n: usize) -> Var<'t, T> {
    let loss = (f(&x[..n]) * x[n]).sum_all();
    let parts: Vec<_> = loss.grad_or_zero(&x[..n]).iter().map(|g| g.reshape(&[-1])).collect();
    Var::concat(&parts, 0)
}

/// Returns the closure itself. The bound makes its type serve every lifetime.
fn any_tape<T: Float, F: for<'t> Fn(&[Var<'t, T>]) -> Var<'t, T>>(f: F) -> F {
    f
}

fn numbers<T: Float>(x: &Tensor<T>) -> Vec<f64> {
    x.to_vec().into_iter().map(Element::to).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Returns √Σ (a·b)².
fn size_of(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a * b).powi(2)).sum::<f64>().sqrt()
}

/// Returns numbers uniform in ±[0.5, 1.5). No weight is so small that it could hide an error.
fn random_like<T: Float>(x: &Tensor<T>, rng: &mut Philox) -> Tensor<T> {
    Tensor::from_fn(&x.shape(), |_| {
        let bits = rng.next_u64();
        let magnitude = 0.5 + (bits >> 11) as f64 / (1u64 << 53) as f64;
        T::of(if bits & 1 == 0 { magnitude } else { -magnitude })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Call, Cotangents, CustomOp, Outputs};
    use std::sync::Arc;
    use wengert_tensor::Shape;

    /// tanh with a wrong rule: its gradient is scaled by `factor`, and through `inner` only its second
    /// derivative is wrong.
    struct Scaled {
        factor: f64,
        inner: f64,
    }
    impl<T: Float> CustomOp<T> for Scaled {
        fn name(&self) -> &'static str {
            "scaled"
        }
        fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
            Ok([x[0]].into())
        }
        fn forward(&self, x: &[Tensor<T>]) -> Outputs<Tensor<T>> {
            [x[0].tanh()].into()
        }
        fn vjp<'t>(&self, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
            let y = c.y(0);
            // The value is right for every `inner`, the derivative only for `inner` = 1.
            let y = self.inner * y + (1.0 - self.inner) * y.detach();
            [Some(self.factor * c.gy() * (1.0 - y * y))].into()
        }
    }

    fn apply<'t, T: Float>(factor: f64, inner: f64, x: &[Var<'t, T>]) -> Var<'t, T> {
        x[0].tape().custom(Arc::new(Scaled { factor, inner }), &[x[0]])[0]
    }

    fn check(factor: f64, inner: f64, order: usize) -> Result<(), GradcheckError> {
        let x = Tensor::from([0.3, -0.8, 1.1]);
        let f64s = Gradcheck::new()
            .order(order)
            .run(any_tape(move |x| apply(factor, inner, x)), std::slice::from_ref(&x));
        if (factor - 1.0).abs() >= 0.01 || (inner - 1.0).abs() >= 0.01 || f64s.is_ok() {
            let x = x.cast::<f32>();
            let f32s =
                Gradcheck::new().order(order).run(any_tape(move |x| apply(factor, inner, x)), &[x]);
            assert_eq!(f32s.map_err(|e| e.order), f64s.clone().map_err(|e| e.order));
        }
        f64s
    }

    #[test]
    fn a_right_rule_passes() {
        check(1.0, 1.0, 3).unwrap();
    }

    #[test]
    fn a_scaled_rule_fails() {
        assert_eq!(check(1.01, 1.0, 1).unwrap_err().order, 1);
        assert_eq!(check(1.0001, 1.0, 1).unwrap_err().order, 1);
    }

    #[test]
    fn a_rule_of_zero_fails() {
        assert_eq!(check(0.0, 1.0, 1).unwrap_err().order, 1);
    }

    #[test]
    fn a_wrong_second_derivative_fails_only_at_second_order() {
        check(1.0, 0.99, 1).unwrap();
        assert_eq!(check(1.0, 0.99, 2).unwrap_err().order, 2);
        assert_eq!(check(1.0, 0.0, 2).unwrap_err().order, 2);
    }

    #[test]
    fn the_message_says_where() {
        let text = check(1.01, 1.0, 1).unwrap_err().to_string();
        assert!(text.contains("order 1") && text.contains("differences"), "{text}");
    }

    #[test]
    fn the_message_names_function_argument_index_numbers_and_bound() {
        let (a, x) = (Tensor::from([1.0, 2.0]), Tensor::from([0.3, -0.8]));
        let f = any_tape(|x| x[0] + apply(1.01, 1.0, &[x[1]]));
        let error = Gradcheck::new().named("my op").run(f, &[a.clone(), x.clone()]).unwrap_err();
        assert_eq!(error.at, GradcheckPlace::Entry { input: 1, element: 0, output: 0 });
        let slope = 1.0 - 0.3f64.tanh().powi(2);
        assert!((error.analytic - 1.01 * slope).abs() < 1e-12);
        assert!((error.numeric - slope).abs() < error.bound && error.bound < 1.1e-6);
        let text = error.to_string();
        assert!(
            text.starts_with("my op: derivative of order 1 of output element 0 by element 0 of")
        );
        assert!(
            text.contains("input 1: the rules give") && text.contains("more than 1.0e-6 apart")
        );
        // Only the second derivative is wrong.
        let error = Gradcheck::new().order(2).run(any_tape(|x| apply(1.0, 0.0, x)), &[x]);
        assert!(matches!(error.unwrap_err().at, GradcheckPlace::Entry { input: 0, .. }));
    }

    #[test]
    fn kinks_are_refused_by_name() {
        let at = |f: fn(Var<'_, f64>) -> Var<'_, f64>, x: f64| {
            let x = [Tensor::from([5.0]), Tensor::from([3.0, x, 1.0])];
            let f = any_tape(move |x| f(x[1]) * x[0]);
            let full = Gradcheck::new().named("f").run(&f, &x);
            let along = Gradcheck::new().named("f").directions(2).run(&f, &x);
            assert_eq!(full.is_ok(), along.is_ok());
            if let (Err(full), Err(along)) = (&full, &along) {
                let here = GradcheckPlace::Kink { input: 1, element: 1, output: 1 };
                assert_eq!((full.at, along.at), (here, here));
                assert!(full.to_string().contains("f: derivative of order 1 of output element 1"));
                assert!(full.to_string().contains("choose a point farther away"));
            }
            full
        };
        // Points at which the central difference equals the slope of the rules, and points at which it
        // does not. They are on both sides of the kink, nearer than one step and nearer than two steps.
        for x in [0.0, 1e-9, 3e-4, -3e-4, 8e-4, 1.3e-3, -1.7e-3] {
            at(|x| x.abs(), x).unwrap_err();
            at(|x| x.relu(), x).unwrap_err();
            at(|x| x.clamp(0.0, 2.0), x).unwrap_err();
            at(|x| x.maximum(0.0) * x.exp(), x).unwrap_err();
            at(|x| x.gt(0.0).numbers() + x, x).unwrap_err();
            at(|x| x.sign(), x).unwrap_err();
        }
        let error = at(|x| x.abs(), 0.0).unwrap_err();
        assert!((error.analytic + 5.0).abs() < 1e-9 && (error.numeric - 5.0).abs() < 1e-9);
        for x in [0.01, -0.01, 0.7] {
            at(|x| x.abs(), x).unwrap();
            at(|x| x.maximum(0.0) * x.exp(), x).unwrap();
        }
        // Curvature must not be reported as a kink.
        for x in [0.1, 0.05] {
            at(|x| x.ln().square(), x)
                .unwrap_or_else(|e| assert!(!matches!(e.at, GradcheckPlace::Kink { .. })));
            at(|x| (20.0 * x).sin(), x)
                .unwrap_or_else(|e| assert!(!matches!(e.at, GradcheckPlace::Kink { .. })));
        }
        at(|x| x * x.abs(), 0.0).unwrap_err(); // its second derivative has a jump
        at(|x| x.square() * x.abs(), 0.0).unwrap(); // its third derivative has a jump
    }

    #[test]
    fn points_at_the_edge_of_a_domain_are_refused_by_name() {
        type Unary = fn(Var<'_, f64>) -> Var<'_, f64>;
        let at = |f: Unary, x: f64| {
            let x = [Tensor::from([5.0]), Tensor::from([3.0, x, 1.0])];
            let f = any_tape(move |x| f(x[1]) * x[0]);
            let errors = [Gradcheck::new().full(), Gradcheck::new().directions(2)]
                .map(|check| check.order(2).run(&f, &x).unwrap_err());
            assert_eq!(errors[0].at, errors[1].at);
            errors[0].clone()
        };
        let cases: [(Unary, f64); 4] = [
            (|x| x.sqrt(), 1e-4),
            (|x| x.ln(), 1e-5),
            (|x| x.pow(0.5), 1e-3),
            (|x| (4.0 - x).sqrt() * 0.0 + (x - 1e-9).ln(), 2e-9),
        ];
        for (f, x) in cases {
            let error = at(f, x);
            assert_eq!(
                error.at,
                GradcheckPlace::Edge { input: 1, element: 1, output: 1 },
                "{error}"
            );
            assert!(
                error.to_string().contains("NaN next to it: choose a point farther"),
                "{error}"
            );
        }
        let cases: [(Unary, f64); 3] =
            [(|x| x.sqrt(), -1.0), (|x| x.ln(), 0.0), (|x| x.recip(), 0.0)];
        for (f, x) in cases {
            let error = at(f, x);
            assert_eq!(error.at, GradcheckPlace::Value { output: 1 }, "{error}");
        }
        // At the edge of the domain the derivative is NaN, although the function is finite.
        let x = [Tensor::from([0.0, 1.0])];
        let root = |f: fn(Var<'_, f64>) -> Var<'_, f64>| {
            Gradcheck::new().run(any_tape(move |x| f(x[0])), &x).unwrap_err().at
        };
        let edge = GradcheckPlace::Edge { input: 0, element: 0, output: 0 };
        assert_eq!(root(|x| x.sqrt() * x), edge);
        assert_eq!(root(|x| x.sqrt() * x.sqrt()), edge);
        let text = at(|x| x.ln(), 0.0).to_string();
        assert!(text.contains("output element 1: the function is -inf at this point"), "{text}");
    }

    #[test]
    fn points_where_a_step_is_lost_are_refused_by_name() {
        // The gradient of `x.detach() * x` is half of the derivative of the value.
        fn wrong<'t, T: Float>(x: &[Var<'t, T>]) -> Var<'t, T> {
            x[0].detach() * x[0]
        }
        for x in [1e7f32, 1e12] {
            let error = Gradcheck::new().run(wrong, &[Tensor::from([1.0, x])]).unwrap_err();
            assert_eq!(error.at, GradcheckPlace::Step { input: 0, element: 1 }, "{error}");
            assert!(error.to_string().contains("is lost in rounding: choose a point"), "{error}");
        }
        let error = Gradcheck::new().run(wrong, &[Tensor::from([1e15f64])]).unwrap_err();
        assert_eq!(error.at, GradcheckPlace::Step { input: 0, element: 0 });
        let error = Gradcheck::new().step(1e-20).run(wrong, &[Tensor::from([1.0f64])]).unwrap_err();
        assert_eq!(error.at, GradcheckPlace::Step { input: 0, element: 0 });
        for x in [300.0f32, 2.0] {
            let error = Gradcheck::new().run(wrong, &[Tensor::from([x])]).unwrap_err();
            assert!(matches!(error.at, GradcheckPlace::Entry { .. }), "{error}");
        }
    }

    #[test]
    fn a_kink_of_the_gradient_is_found_at_second_order() {
        let f = any_tape(|x| x[0].square() * x[0].abs());
        let x = [Tensor::from([1.0, 0.0])];
        Gradcheck::new().run(&f, &x).unwrap();
        let error = Gradcheck::new().order(2).run(&f, &x).unwrap_err();
        assert_eq!(error.order, 2);
        assert!(matches!(error.at, GradcheckPlace::Kink { input: 0, element: 1, .. }), "{error}");
    }

    /// The sine with one wrong entry in its Jacobian: the entry is multiplied by a factor.
    struct OneWrong(usize, f64);
    impl<T: Float> CustomOp<T> for OneWrong {
        fn name(&self) -> &'static str {
            "one_wrong"
        }
        fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
            Ok([x[0]].into())
        }
        fn forward(&self, x: &[Tensor<T>]) -> Outputs<Tensor<T>> {
            [x[0].sin()].into()
        }
        fn vjp<'t>(&self, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
            let off = |i| T::of(if i == self.0 { self.1 } else { 1.0 });
            let factor = Tensor::from_fn(&c.x_shape(0), off);
            [Some(c.gy() * c.x(0).cos() * c.tape().constant(factor))].into()
        }
    }

    #[test]
    fn one_wrong_entry_of_many_is_found_along_directions() {
        fn apply<'t, T: Float>(at: usize, factor: f64, x: &[Var<'t, T>]) -> Var<'t, T> {
            x[0].tape().custom(Arc::new(OneWrong(at, factor)), &[x[0]])[0]
        }
        let n = 20_000;
        let x = Tensor::from_fn(&[n], |i| ((i * 37) % 101) as f64 * 0.01);
        Gradcheck::new().run(any_tape(|x| apply(0, 1.0, x)), std::slice::from_ref(&x)).unwrap();
        for seed in 0..20 {
            let at = (seed as usize * 7919) % n;
            let f = any_tape(move |x| apply(at, 1.01, x));
            let check = Gradcheck::new().seed(seed);
            let error = check.run(f, std::slice::from_ref(&x)).unwrap_err();
            assert_eq!(error.at, GradcheckPlace::Direction);
        }
        let x = x.cast::<f32>();
        Gradcheck::new().run(any_tape(|x| apply(0, 1.0, x)), std::slice::from_ref(&x)).unwrap();
        Gradcheck::new().run(any_tape(|x| apply(5, 3.0, x)), &[x]).unwrap_err();
    }

    #[test]
    fn the_extent_can_be_forced() {
        let x = Tensor::from_fn(&[50], |i| 0.1 + i as f64 * 0.01);
        let f = any_tape(|x| apply(1.01, 1.0, x));
        let at = |check: Gradcheck| check.run(&f, std::slice::from_ref(&x)).unwrap_err().at;
        let entry = GradcheckPlace::Entry { input: 0, element: 0, output: 0 };
        assert_eq!(at(Gradcheck::new()), GradcheckPlace::Direction); // 2500 entries
        assert_eq!(at(Gradcheck::new().full()), entry);
        assert_eq!(at(Gradcheck::new().entries(2500)), entry);
        assert_eq!(at(Gradcheck::new().full().directions(1)), GradcheckPlace::Direction);
    }

    #[test]
    fn training_mode_draws_the_same_numbers_each_time() {
        let f = any_tape(|x| x[0].sin().dropout(0.5) * x[0]);
        let x = Tensor::from_fn(&[20], |i| 0.1 * i as f64);
        Gradcheck::new().order(2).train(7).run(&f, std::slice::from_ref(&x)).unwrap();
        let x = x.cast::<f32>();
        let f = any_tape(|x| x[0].sin().dropout(0.5) * x[0]);
        Gradcheck::new().order(2).train(7).run(f, &[x]).unwrap();
        // A wrong rule after the dropout.
        let f = any_tape(|x| apply(1.01, 1.0, &[x[0].dropout(0.3)]));
        Gradcheck::new().train(7).run(f, &[Tensor::from([0.5, 0.2, 0.4, 0.9])]).unwrap_err();
    }

    #[test]
    fn single_precision_at_honest_tolerances() {
        let x = [Tensor::from([0.5f32, 1.5, 2.5]), Tensor::from([0.7f32, -1.2, 0.4])];
        let f = any_tape(|x| (x[0].ln() * x[1].exp()).sin() + x[0].sqrt() * x[1]);
        Gradcheck::new().order(2).run(f, &x).unwrap();
        let f = any_tape(|x| x[0].matmul(x[1]).softmax(1));
        let random = |shape: &[usize]| Tensor::<f32>::normal(shape, 0.0, 1.0, &mut Philox::new(4));
        Gradcheck::new().order(2).run(f, &[random(&[3, 4]), random(&[4, 3])]).unwrap();
    }
}
