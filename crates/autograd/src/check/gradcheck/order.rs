//! The check of the derivatives of one order, which leads to the check of the next order.

use super::error::{GradcheckError, GradcheckPlace};
use super::settings::{Extent, Function, Gradcheck};
use crate::check::common::{any_tape, fraction, joined};
use crate::graph::{Policy, Tape, Var};
use rand::Rng;
use std::cmp::Ordering;
use wengert_tensor::{Element, Float, Philox, Tensor};

/// The check of one order: of one function at its inputs.
pub(super) struct OrderCheck<'a, T: Float> {
    pub(super) set: &'a Gradcheck,
    pub(super) f: &'a dyn Function<T>,
    pub(super) inputs: &'a [Tensor<T>],
    pub(super) order: usize,
    /// The number of inputs that the user gave.
    pub(super) arity: usize,
    pub(super) step: f64,
    pub(super) tolerance: f64,
}

impl<T: Float> OrderCheck<'_, T> {
    /// Checks this order, and then the next one up to the highest.
    pub(super) fn check(&self, rng: &mut Philox) -> Result<(), GradcheckError> {
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

    pub(super) fn error(
        &self,
        at: GradcheckPlace,
        analytic: f64,
        numeric: f64,
        bound: f64,
    ) -> GradcheckError {
        let (name, inputs) = (self.set.name.clone(), self.arity);
        GradcheckError { name, order: self.order, at, analytic, numeric, bound, inputs }
    }

    /// Returns the permitted difference of two numbers. `values` and `sum` are the sizes of what was
    /// rounded.
    pub(super) fn bound(&self, analytic: f64, numeric: f64, values: f64, sum: f64) -> f64 {
        let scale = analytic.abs().max(numeric.abs()).max(1.0);
        self.tolerance * scale + 16.0 * T::EPSILON * (values / self.step + sum)
    }

    /// Fails if a derivative differs from the finite difference by more than the bound.
    pub(super) fn compare(
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

    /// Returns a tape in the mode of the check, with the same random numbers each time.
    fn tape(&self) -> Tape<T> {
        match self.set.train {
            Some(seed) => Tape::train(&mut Philox::new(seed)),
            None => Tape::eval(),
        }
    }

    /// Returns the value of the function at these inputs.
    pub(super) fn value(&self, inputs: &[Tensor<T>]) -> Tensor<T> {
        let tape = self.tape();
        let x: Vec<_> = inputs.iter().map(|x| tape.watch(x.clone())).collect();
        (self.f)(&x).value()
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
    pub(super) fn gradients(
        &self,
        weights: &Tensor<T>,
        policy: Policy,
        variables: bool,
    ) -> Vec<Vec<f64>> {
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

/// Returns the gradients with respect to the first n variables, as one vector. The variable after them is the
/// cotangent of the function.
fn gradient<'t, T: Float>(f: &dyn Function<T>, x: &[Var<'t, T>], n: usize) -> Var<'t, T> {
    let loss = (f(&x[..n]) * x[n]).sum_all();
    joined(&loss.grad_or_zero(&x[..n]))
}

pub(super) fn numbers<T: Float>(x: &Tensor<T>) -> Vec<f64> {
    x.to_vec().into_iter().map(Element::to).collect()
}

/// Returns numbers uniform in ±[0.5, 1.5). No weight is so small that it could hide an error.
pub(super) fn random_like<T: Float>(x: &Tensor<T>, rng: &mut Philox) -> Tensor<T> {
    Tensor::from_fn(&x.shape(), |_| {
        let bits = rng.next_u64();
        let magnitude = 0.5 + fraction(bits);
        T::of(if bits & 1 == 0 { magnitude } else { -magnitude })
    })
}
