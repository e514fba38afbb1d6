//! Functions of the gradients of all parameters together: lists, norms, clipping, weighted means.

use super::gradients::Gradients;
use crate::module::{Module, Param, each_param};
use wengert_tensor::{Dtype, Float, Tensor};

impl<T: Float> Gradients<T> {
    /// Returns name, parameter and gradient of each parameter of a model that has a gradient. Each
    /// parameter is listed once, in the order of the model.
    ///
    /// ```
    /// use wengert::autograd::{Param, Tape};
    /// use wengert::tensor::Tensor;
    /// let model = (Param::new(Tensor::from([3.0f32, 4.0])), Param::new(Tensor::scalar(1.0)));
    /// let tape = Tape::new();
    /// let gradients = tape.param(&model.0).square().sum_all().backward();
    /// for (name, param, gradient) in gradients.of(&model) {
    ///     println!("{name} {} {gradient}", param.shape());
    /// }
    /// let names: Vec<_> = gradients.of(&model).into_iter().map(|(name, ..)| name).collect();
    /// assert_eq!(names, ["0"]); // the loss does not depend on the other parameter
    /// ```
    pub fn of<'m>(&self, model: &'m dyn Module) -> Vec<(String, &'m Param<T>, &Tensor<T>)> {
        let mut found = Vec::new();
        each_param(model, |path, param| {
            if let Some(gradient) = self.get(param) {
                found.push((path.to_string(), param, gradient));
            }
        });
        found
    }

    /// Returns the norm √Σ g² of the gradients of all parameters (but not of watched variables). The
    /// terms are added in the order in which the parameters were created, so that the result has the
    /// same bits in each run.
    pub fn norm(&self) -> f64 {
        norm(&self.each().collect::<Vec<_>>())
    }

    /// Scales the gradients of all parameters by min(1, `max_norm` / (norm + 1e-6)), as PyTorch's
    /// `clip_grad_norm_` does, so that their [`norm`](Gradients::norm) is at most `max_norm`. Returns
    /// the norm before scaling. If a gradient is not finite, the gradients become NaN or 0: check the
    /// returned norm, or use [`backward_checked`](crate::Var::backward_checked).
    ///
    /// ```
    /// use wengert::autograd::{Param, Tape};
    /// use wengert::tensor::Tensor;
    /// let w = Param::new(Tensor::from([1.5f64, 2.0]));
    /// let mut gradients = Tape::new().param(&w).square().sum_all().backward();
    /// assert_eq!(gradients.clip_norm(1.0), 5.0); // √(3² + 4²)
    /// assert!((gradients.norm() - 1.0).abs() < 1e-6);
    /// ```
    ///
    /// # Panics
    /// If `max_norm` is negative or NaN.
    #[track_caller]
    pub fn clip_norm(&mut self, max_norm: f64) -> f64 {
        assert!(max_norm >= 0.0, "clip_norm: max_norm must be at least 0, got {max_norm}");
        let (unit, multiple) = norm_in_parts(&self.each().collect::<Vec<_>>());
        let norm = unit * multiple;
        let factor = max_norm / (norm + 1e-6);
        let normal = match T::DTYPE {
            Dtype::F64 => f64::MIN_POSITIVE,
            _ => f64::from(f32::MIN_POSITIVE),
        };
        if factor >= 1.0 {
            return norm;
        }
        // A NaN norm must not be hidden: it makes the gradients NaN.
        if factor.is_nan() || factor >= normal {
            self.scale(factor);
            return norm;
        }
        // The factor underflows, but its product with a large gradient may be a normal number. The norm
        // itself may exceed the range of `f64`; then 1e-6 is below its last digit and can be omitted.
        let (unit, multiple) = if norm.is_finite() { (norm + 1e-6, 1.0) } else { (unit, multiple) };
        for gradient in self.each_mut() {
            for x in gradient.make_mut() {
                *x = T::of(x.to() / unit / multiple * max_norm);
            }
        }
        norm
    }

    /// Clamps each element of the parameters' gradients to the range from `-max` to `max`, as PyTorch's
    /// `clip_grad_value_` does. NaN is kept.
    ///
    /// # Panics
    /// If `max` is negative or NaN.
    #[track_caller]
    pub fn clip_value(&mut self, max: f64) {
        assert!(max >= 0.0, "clip_value: max must be at least 0, got {max}");
        for gradient in self.each_mut() {
            *gradient = gradient.clamp(-max, max);
        }
    }

    /// Returns the weighted mean of the gradients of several runs of a model; `None` if `runs` is empty.
    /// The weight of a run is the number of samples over which its loss is a mean. The result for the
    /// parts of a batch is then the gradient of the whole batch. The gradients are added in the given
    /// order, so the result has the same bits for any number of threads.
    ///
    /// The example computes a step on several threads, with one model and one tape per part:
    ///
    /// ```
    /// use wengert::autograd::{Gradients, Param, Tape};
    /// use wengert::tensor::Tensor;
    /// let w = Param::new(Tensor::from([2.0f64]));
    /// let batch = [1.0, 2.0, 3.0, 4.0, 5.0];
    /// let of_part = |part: &[f64]| {
    ///     let tape = Tape::new();
    ///     let x = tape.constant(Tensor::from(part.to_vec()));
    ///     (x * tape.param(&w)).square().mean_all().backward()
    /// };
    /// let parts: Vec<&[f64]> = batch.chunks(2).collect(); // use the same number in each run
    /// let gradients = std::thread::scope(|threads| {
    ///     let runs = parts.iter().map(|&part| threads.spawn(move || of_part(part)));
    ///     let runs: Vec<_> = runs.collect();
    ///     let of = |(run, part): (std::thread::ScopedJoinHandle<_>, &&[f64])| {
    ///         (run.join().unwrap(), part.len() as f64)
    ///     };
    ///     Gradients::mean(runs.into_iter().zip(&parts).map(of))
    /// });
    /// // d/dw of the mean of (x·w)² is 2·w·Σx²/5.
    /// assert!((gradients.unwrap().get(&w).unwrap().item() - 44.0).abs() < 1e-12);
    /// ```
    ///
    /// # Panics
    /// Under the conditions of [`accumulate`](Gradients::accumulate), if a weight is negative or not
    /// finite, or if all weights are 0.
    #[track_caller]
    pub fn mean(runs: impl IntoIterator<Item = (Self, f64)>) -> Option<Self> {
        let runs: Vec<_> = runs.into_iter().collect();
        for (_, weight) in &runs {
            assert!(
                *weight >= 0.0 && weight.is_finite(),
                "mean: a weight must be finite and at least 0, got {weight}: pass the number of \
                 samples of each run"
            );
        }
        // The weights are divided by the largest weight. Otherwise the sum of the weights could overflow,
        // and with weights far from 1 the products of gradients and weights could, too.
        let largest = runs.iter().map(|(_, weight)| *weight).reduce(f64::max)?;
        assert!(largest > 0.0, "mean: at least one weight must be above 0, got only zeros");
        let total: f64 = runs.iter().map(|(_, weight)| weight / largest).sum();
        let weighted = runs.into_iter().map(|(mut run, weight)| {
            run.scale(weight / largest / total);
            run
        });
        weighted.reduce(|mut sum, run| {
            sum.accumulate(run);
            sum
        })
    }
}

/// Returns √Σx² over all elements of these tensors, computed in `f64`.
pub(crate) fn norm<T: Float>(all: &[&Tensor<T>]) -> f64 {
    let (unit, multiple) = norm_in_parts(all);
    unit * multiple
}

/// Returns two numbers whose product is √Σx². They are finite if all elements are, even if the product is
/// beyond `f64`.
fn norm_in_parts<T: Float>(all: &[&Tensor<T>]) -> (f64, f64) {
    let squares = |scale: f64| all.iter().map(|x| sum_of_squares(x, scale)).sum::<f64>();
    let sum = squares(1.0);
    if sum.is_normal() || sum.is_nan() {
        return (sum.sqrt(), 1.0);
    }
    // The squares of such small or large numbers underflow or overflow. The numbers are therefore
    // divided by the largest of them.
    let numbers = all.iter().flat_map(|x| x.to_vec());
    let largest = numbers.fold(0.0, |most: f64, x| most.max(x.to().abs()));
    if largest == 0.0 || largest.is_infinite() {
        return (largest, 1.0);
    }
    (largest, squares(largest).sqrt())
}

fn sum_of_squares<T: Float>(x: &Tensor<T>, scale: f64) -> f64 {
    let x = x.contiguous();
    x.as_slice().unwrap_or_default().iter().map(|x| (x.to() / scale).powi(2)).sum()
}
