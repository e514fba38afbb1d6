//! Checks derivatives against finite differences: public, because your own functions and
//! [`CustomOp`](crate::CustomOp)s deserve it too.

use crate::tape::{Policy, Tape};
use crate::var::Var;
use rand::Rng;
use std::cmp::Ordering;
use std::fmt;
use wengert_tensor::{Philox, Tensor};

/// A function from variables to a variable, on any tape.
pub trait Function: for<'t> Fn(&[Var<'t, f64>]) -> Var<'t, f64> {}
impl<F: for<'t> Fn(&[Var<'t, f64>]) -> Var<'t, f64>> Function for F {}

/// Checks first derivatives of `f` at these inputs with the defaults of [`Gradcheck`].
///
/// ```
/// use wengert_autograd::{Gradcheck, gradcheck};
/// use wengert_tensor::Tensor;
/// let x = Tensor::from([0.3, -0.7, 1.2]);
/// gradcheck(|x| x[0].tanh() * x[0], &[x.clone()]).unwrap();
/// // Second derivatives too:
/// Gradcheck::new().order(2).run(|x| x[0].sigmoid(), &[x]).unwrap();
/// ```
///
/// # Errors
/// The first derivative that is off.
pub fn gradcheck(f: impl Function, inputs: &[Tensor<f64>]) -> Result<(), GradcheckError> {
    Gradcheck::new().run(f, inputs)
}

/// A derivative that differs from the finite difference.
#[derive(Clone, Debug, PartialEq)]
pub struct GradcheckError {
    /// 1: the gradient of the function is off; 2: the gradient of its gradient; …
    pub order: usize,
    /// Which derivative.
    pub at: Place,
    /// What the rules say.
    pub analytic: f64,
    /// What differences of the function say.
    pub numeric: f64,
}

/// Where a derivative was found to be off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Along a random direction through all inputs at once.
    Direction,
    /// Of one element of the output by one element of an input.
    Entry {
        /// Which input.
        input: usize,
        /// Its element, counted row by row.
        element: usize,
        /// The output's element.
        output: usize,
    },
    /// Gradients as numbers (`backward`) and as variables (`grad`) differ, or those of the eager
    /// and the fusing policy.
    Paths {
        /// Which input.
        input: usize,
    },
}

impl fmt::Display for GradcheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GradcheckError { order, at, analytic, numeric } = self;
        write!(f, "derivative of order {order} ")?;
        match at {
            Place::Direction => write!(f, "along a random direction")?,
            Place::Entry { input, element, output } => {
                write!(f, "of output element {output} by element {element} of input {input}")?;
            }
            Place::Paths { input } => {
                return write!(
                    f,
                    "by input {input}: {analytic:e} one way and {numeric:e} another (backward or \
                     grad, eager or fused)"
                );
            }
        }
        write!(f, ": the rules give {analytic:e}, differences {numeric:e}")
    }
}
impl std::error::Error for GradcheckError {}

/// A check of derivatives with settings.
///
/// Central differences of fourth order in `f64`. A random direction through all inputs is always
/// taken; the full Jacobian when it is small. The check of order n is that of order n - 1 applied
/// to the gradient, as a function of the inputs and of the cotangent. Layers run in evaluation mode:
/// the function must be the same at every call.
#[derive(Clone, Debug)]
pub struct Gradcheck {
    order: usize,
    step: f64,
    tolerance: f64,
    entries: usize,
    seed: u64,
}

impl Default for Gradcheck {
    fn default() -> Self {
        Gradcheck { order: 1, step: 1e-3, tolerance: 1e-6, entries: 2048, seed: 0 }
    }
}

impl Gradcheck {
    /// First order, step 10⁻³, tolerance 10⁻⁶, Jacobians up to 2,048 entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Check derivatives up to this order.
    #[must_use]
    pub fn order(mut self, order: usize) -> Self {
        self.order = order;
        self
    }

    /// The distance between points of the difference. For functions that are linear in each input
    /// any step is exact, and 1 has the least rounding.
    #[must_use]
    pub fn step(mut self, step: f64) -> Self {
        self.step = step;
        self
    }

    /// The error allowed, relative to the derivative or to 1 if that is more.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// The largest Jacobian that is computed in full.
    #[must_use]
    pub fn entries(mut self, entries: usize) -> Self {
        self.entries = entries;
        self
    }

    /// Another seed for directions and weights.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Checks `f` at these inputs.
    ///
    /// # Errors
    /// The first derivative that is off.
    pub fn run(&self, f: impl Function, inputs: &[Tensor<f64>]) -> Result<(), GradcheckError> {
        let mut rng = Philox::new(self.seed);
        self.at_order(1, &f, inputs, &mut rng)
    }

    fn at_order(
        &self,
        order: usize,
        f: &dyn Function,
        inputs: &[Tensor<f64>],
        rng: &mut Philox,
    ) -> Result<(), GradcheckError> {
        let output = evaluate(f, inputs);
        let weights = random_like(&output, rng);
        paths(order, f, inputs, &weights)?;
        self.direction(order, f, inputs, &weights, rng)?;
        let size: usize = inputs.iter().map(Tensor::numel).sum();
        if size * output.numel() <= self.entries {
            self.jacobian(order, f, inputs, &output)?;
        }
        if order >= self.order {
            return Ok(());
        }
        // The gradient, as one vector, is a function of the inputs and the cotangent.
        let n = inputs.len();
        let mut more = inputs.to_vec();
        more.push(weights);
        let next = any_tape(move |x| gradient(f, x, n));
        self.at_order(order + 1, &next, &more, rng)
    }

    fn compare(
        &self,
        order: usize,
        at: Place,
        analytic: f64,
        numeric: f64,
    ) -> Result<(), GradcheckError> {
        let scale = analytic.abs().max(numeric.abs()).max(1.0);
        // Not `>`: a NaN is an error too.
        if (analytic - numeric).abs() <= self.tolerance * scale {
            Ok(())
        } else {
            Err(GradcheckError { order, at, analytic, numeric })
        }
    }

    fn direction(
        &self,
        order: usize,
        f: &dyn Function,
        inputs: &[Tensor<f64>],
        weights: &Tensor<f64>,
        rng: &mut Philox,
    ) -> Result<(), GradcheckError> {
        let directions: Vec<Tensor<f64>> = inputs.iter().map(|x| random_like(x, rng)).collect();
        let along = |t: f64| {
            let moved: Vec<_> = inputs.iter().zip(&directions).map(|(x, v)| x + v * t).collect();
            dot(&evaluate(f, &moved).to_vec(), &weights.to_vec())
        };
        let numeric = self.difference(along);
        let slopes = gradients(f, inputs, weights, Policy::Fused, false);
        let analytic = slopes.iter().zip(&directions).map(|(g, v)| dot(g, &v.to_vec())).sum();
        self.compare(order, Place::Direction, analytic, numeric)
    }

    fn jacobian(
        &self,
        order: usize,
        f: &dyn Function,
        inputs: &[Tensor<f64>],
        output: &Tensor<f64>,
    ) -> Result<(), GradcheckError> {
        let rows: Vec<Vec<Vec<f64>>> = (0..output.numel())
            .map(|o| {
                let unit = Tensor::from_fn(&output.shape(), |i| f64::from(u8::from(i == o)));
                gradients(f, inputs, &unit, Policy::Fused, false)
            })
            .collect();
        for (input, x) in inputs.iter().enumerate() {
            for element in 0..x.numel() {
                let moved = |t: f64| {
                    let mut inputs = inputs.to_vec();
                    inputs[input].make_mut()[element] += t;
                    evaluate(f, &inputs).to_vec()
                };
                let points = [-2.0, -1.0, 1.0, 2.0].map(|k| moved(k * self.step));
                for (o, row) in rows.iter().enumerate() {
                    let numeric = stencil(points.each_ref().map(|p| p[o]), self.step);
                    let at = Place::Entry { input, element, output: o };
                    self.compare(order, at, row[input][element], numeric)?;
                }
            }
        }
        Ok(())
    }

    fn difference(&self, f: impl Fn(f64) -> f64) -> f64 {
        stencil([-2.0, -1.0, 1.0, 2.0].map(|k| f(k * self.step)), self.step)
    }
}

/// `backward`, `grad` and both policies must agree far more closely than any difference.
fn paths(
    order: usize,
    f: &dyn Function,
    inputs: &[Tensor<f64>],
    weights: &Tensor<f64>,
) -> Result<(), GradcheckError> {
    let numbers = gradients(f, inputs, weights, Policy::Fused, false);
    for (policy, variables) in
        [(Policy::Eager, false), (Policy::Fused, true), (Policy::Eager, true)]
    {
        let others = gradients(f, inputs, weights, policy, variables);
        for (input, (a, b)) in numbers.iter().zip(&others).enumerate() {
            let largest = a.iter().chain(b).fold(1.0, |m: f64, x| m.max(x.abs()));
            for (&analytic, &numeric) in a.iter().zip(b) {
                // Not `>`: infinities and NaN are no agreement.
                if analytic != numeric
                    && (analytic - numeric).abs().partial_cmp(&(1e-10 * largest.min(f64::MAX)))
                        != Some(Ordering::Less)
                {
                    return Err(GradcheckError {
                        order,
                        at: Place::Paths { input },
                        analytic,
                        numeric,
                    });
                }
            }
        }
    }
    Ok(())
}

/// The derivative from values at -2h, -h, h, 2h; its error is of fourth order in h.
fn stencil([a, b, c, d]: [f64; 4], h: f64) -> f64 {
    (8.0 * (c - b) - (d - a)) / (12.0 * h)
}

fn gradient<'t>(f: &dyn Function, x: &[Var<'t, f64>], n: usize) -> Var<'t, f64> {
    let loss = (f(&x[..n]) * x[n]).sum_all();
    let parts: Vec<_> = loss.grad_or_zero(&x[..n]).iter().map(|g| g.reshape(&[-1])).collect();
    Var::concat(&parts, 0)
}

/// The closure itself: spelled out so that it is seen to serve every lifetime.
fn any_tape<F: for<'t> Fn(&[Var<'t, f64>]) -> Var<'t, f64>>(f: F) -> F {
    f
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Uniform in ±[0.5, 1.5): no weight so small that it would hide an error.
fn random_like(x: &Tensor<f64>, rng: &mut Philox) -> Tensor<f64> {
    Tensor::from_fn(&x.shape(), |_| {
        let bits = rng.next_u64();
        let magnitude = 0.5 + (bits >> 11) as f64 / (1u64 << 53) as f64;
        if bits & 1 == 0 { magnitude } else { -magnitude }
    })
}

fn evaluate(f: &dyn Function, inputs: &[Tensor<f64>]) -> Tensor<f64> {
    let tape = Tape::eval();
    let x: Vec<_> = inputs.iter().map(|x| tape.watch(x.clone())).collect();
    f(&x).value()
}

/// The gradient of Σ weights · f by each input; zeros where it does not depend on one.
fn gradients(
    f: &dyn Function,
    inputs: &[Tensor<f64>],
    weights: &Tensor<f64>,
    policy: Policy,
    variables: bool,
) -> Vec<Vec<f64>> {
    let tape = Tape::eval().with_policy(policy);
    let x: Vec<_> = inputs.iter().map(|x| tape.watch(x.clone())).collect();
    let loss = (f(&x) * tape.constant(weights.clone())).sum_all();
    if variables {
        return loss.grad_or_zero(&x).iter().map(|g| g.value().to_vec()).collect();
    }
    if !loss.is_active() {
        return inputs.iter().map(|x| vec![0.0; x.numel()]).collect();
    }
    let found = loss.backward();
    let of = |x: &Var<'_, f64>| found.wrt(*x).map_or(vec![0.0; x.shape().numel()], Tensor::to_vec);
    x.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::{Call, Cotangents};
    use crate::ops::{CustomOp, Outputs};
    use smallvec::smallvec;
    use std::sync::Arc;
    use wengert_tensor::Shape;

    /// tanh with its rule scaled: at first order, and (through `inner`) only at second order.
    struct Scaled {
        factor: f64,
        inner: f64,
    }
    impl CustomOp<f64> for Scaled {
        fn name(&self) -> &'static str {
            "scaled"
        }
        fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
            Ok(smallvec![x[0]])
        }
        fn forward(&self, x: &[Tensor<f64>]) -> Outputs<Tensor<f64>> {
            smallvec![x[0].tanh()]
        }
        fn vjp<'t>(&self, c: &Call<'_, 't, f64>) -> Cotangents<'t, f64> {
            let y = c.y(0);
            // The value is right whatever `inner`, the derivative only for 1.
            let y = self.inner * y + (1.0 - self.inner) * y.detach();
            smallvec![Some(self.factor * c.gy() * (1.0 - y * y))]
        }
    }

    fn apply<'t>(factor: f64, inner: f64, x: &[Var<'t, f64>]) -> Var<'t, f64> {
        x[0].tape().custom(Arc::new(Scaled { factor, inner }), &[x[0]])[0]
    }

    fn check(factor: f64, inner: f64, order: usize) -> Result<(), GradcheckError> {
        let x = Tensor::from([0.3, -0.8, 1.1]);
        Gradcheck::new().order(order).run(any_tape(move |x| apply(factor, inner, x)), &[x])
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
}
