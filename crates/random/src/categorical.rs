//! Draws of one of several classes.

use crate::constraint::{Constraint, parameters};
use crate::draw::{self, shape_of_draws};
use crate::quantity::{Combine, Quantity};
use rand::Rng;
use wengert_autograd::Var;
use wengert_tensor::{Element, Float, Shape, Sizes, Tensor};

/// The categorical distribution of class numbers 0, …, k - 1. The last axis of its parameter has the classes.
///
/// The probability of class i is wᵢ / Σ wⱼ with weights w, or the softmax of logits. Draws are a `Tensor<i64>`. They have no
/// derivative, so there is no `rsample`.
///
/// ```
/// use wengert::random::Categorical;
/// use wengert::tensor::{Philox, Tensor};
/// let classes = Categorical::new(Tensor::from([1.0, 0.0, 3.0]));
/// let drawn = classes.sample([1000], &mut Philox::new(0));
/// let counts = drawn.bincount(3).to_vec();
/// assert!(counts[1] == 0 && (200..300).contains(&counts[0]));
/// assert!((classes.log_prob(&Tensor::from([2])).item() - 0.75f32.ln()).abs() < 1e-6);
/// ```
#[derive(Clone, Debug)]
pub struct Categorical<P = Tensor> {
    /// Weights or logits.
    weights: P,
    logits: bool,
}

impl Categorical {
    /// Creates the distribution from weights, which are divided by their sum.
    ///
    /// # Panics
    /// If a weight is negative, infinite or NaN, or if the weights of a distribution are all 0 or there are none. The values of
    /// variables are computed for this check.
    #[track_caller]
    pub fn new<A: Combine<f64>>(probs: A) -> Categorical<A::Out> {
        let [weights] = parameters(
            "Categorical",
            ["probs"],
            [Constraint::NonNegative],
            &A::joined(&[probs], &[]),
        );
        check_lines("Categorical", "probs", &weights, 0.0);
        Categorical { weights, logits: false }
    }

    /// Creates the distribution from logits: the probabilities are their softmax. The logit −∞ is the probability 0.
    ///
    /// # Panics
    /// If a logit is ∞ or NaN, or if the logits of a distribution are all −∞ or there are none. The values of variables are
    /// computed for this check.
    #[track_caller]
    pub fn from_logits<A: Combine<f64>>(logits: A) -> Categorical<A::Out> {
        let [weights] = parameters(
            "Categorical",
            ["logits"],
            [Constraint::LogWeight],
            &A::joined(&[logits], &[]),
        );
        check_lines("Categorical", "logits", &weights, f64::NEG_INFINITY);
        Categorical { weights, logits: true }
    }
}

/// Refuses weights without an axis of classes, and lines that have only the number `none`.
#[track_caller]
fn check_lines<P: Quantity>(of: &str, name: &str, weights: &P, none: f64) {
    let shape = weights.sizes();
    if shape.last().is_none_or(|&classes| classes == 0) {
        weights.refuse(format!(
            "{of}: the last axis of {name} has the classes, and there must be at least one; got shape {shape}"
        ))
    }
    if !weights.has_numbers() {
        return;
    }
    let numbers = weights.numbers().to_vec();
    let mut lines = numbers.chunks(shape[shape.len() - 1]);
    if let Some(line) = lines.position(|line| {
        line.iter().all(|x| x.to() == none)
            || P::Float::of(line.iter().map(|x| x.to()).sum()).to() == f64::INFINITY
    }) {
        weights.refuse(format!(
            "{of}: {name} must have a weight above 0 and a finite sum in each distribution, but distribution {line} of shape \
             {shape} (in row-major order) does not"
        ))
    }
}

impl<P: Quantity> Categorical<P> {
    /// Returns ln p of each class, from weights or logits.
    fn logs<'t, T: Float>(x: Var<'t, T>, logits: bool) -> Var<'t, T> {
        if logits { x.log_softmax(-1) } else { x.ln() - x.sum(&[-1], true).ln() }
    }

    /// Returns the probabilities, whose sum is 1.
    #[track_caller]
    pub fn probs(&self) -> P {
        let logits = self.logits;
        P::apply(std::slice::from_ref(&self.weights), &|p| {
            if logits { p[0].softmax(-1) } else { p[0] / p[0].sum(&[-1], true) }
        })
    }

    /// Returns the logarithms of the probabilities.
    #[track_caller]
    pub fn logits(&self) -> P {
        let logits = self.logits;
        P::apply(std::slice::from_ref(&self.weights), &|p| Self::logs(p[0], logits))
    }

    /// Returns the shape of the distributions: that of the parameter, without the axis of the classes.
    pub fn batch_shape(&self) -> Shape {
        let shape = self.weights.sizes();
        Shape::new(&shape[..shape.len() - 1])
    }

    /// Returns the entropy in nats: -Σ p ln p. Classes of the probability 0 contribute nothing, also to the derivative.
    #[track_caller]
    pub fn entropy(&self) -> P {
        let logits = self.logits;
        P::apply(std::slice::from_ref(&self.weights), &|p| {
            let x = p[0];
            let none = x.eq(if logits { f64::NEG_INFINITY } else { 0.0 });
            let (probs, logs) = if logits {
                (x.softmax(-1), x.log_softmax(-1).masked_fill(none, 0))
            } else {
                let sum = x.sum(&[-1], true);
                (x / sum, x.masked_fill(none, 1).ln() - sum.ln())
            };
            -(probs * logs).masked_fill(none, 0).sum(&[-1], false)
        })
    }

    /// Returns the logarithm of the probability of classes. The shape of the classes ends with that of the distributions,
    /// or broadcasts with it.
    ///
    /// # Panics
    /// If a class does not exist, or if the shapes do not broadcast.
    #[track_caller]
    pub fn log_prob(&self, classes: &Tensor<i64>) -> P {
        let (weights, batch) = (self.weights.sizes(), self.batch_shape());
        let count = weights[weights.len() - 1];
        let Some(shape) = wengert_tensor::broadcast_shapes(&classes.shape(), &batch) else {
            self.weights.refuse(format!(
                "Categorical: log_prob: the shape {} of the classes does not broadcast with the shape {batch} of the \
                 distributions: from the last axis on, sizes must be equal or 1",
                classes.shape()
            ))
        };
        if let Some(class) =
            classes.to_vec().into_iter().find(|&class| !(0..count as i64).contains(&class))
        {
            self.weights.refuse(format!(
                "Categorical: log_prob: class {class} does not exist: there are {count} classes, counted from 0"
            ))
        }
        let classes = classes.broadcast_to(shape).unsqueeze(-1);
        let logits = self.logits;
        let mut whole = shape.to_vec();
        whole.push(count);
        P::apply(std::slice::from_ref(&self.weights), &|p| {
            let x = p[0];
            // Only the weight of the class is a factor, so that the probability 0 of another one has a derivative.
            let log = if logits {
                x.log_softmax(-1).broadcast_to(&whole).gather(-1, &classes)
            } else {
                let sum = x.sum(&[-1], true).broadcast_to(&with_last(&whole, 1));
                x.broadcast_to(&whole).gather(-1, &classes).ln() - sum.ln()
            };
            log.squeeze(-1)
        })
    }

    /// Returns draws, as a tensor of class numbers. The shape of the result is `shape` followed by that of the
    /// distributions; `()` gives one draw for each of them.
    ///
    /// # Panics
    /// If the result would have too many axes or elements.
    #[track_caller]
    pub fn sample(&self, shape: impl Sizes, rng: &mut (impl Rng + ?Sized)) -> Tensor<i64> {
        let weights = self.weights.sizes();
        let (count, lines) = (weights[weights.len() - 1], self.batch_shape().numel());
        let with_classes = shape_of_draws("Categorical: sample", &shape, &self.weights);
        let shape = Shape::new(&with_classes[..with_classes.len() - 1]);
        let sums = running_sums(&self.probs().numbers().to_vec(), count);
        let drawn = draw::each(shape.numel(), rng.next_u64(), &|i, rng| {
            pick(&sums[i % lines * count..][..count], rng)
        });
        Tensor::from_vec(drawn, &shape)
    }
}

fn with_last(shape: &[usize], size: usize) -> Vec<usize> {
    let mut shape = shape.to_vec();
    *shape.last_mut().expect("the axis of the classes") = size;
    shape
}

/// Returns the running sums of each line of weights.
fn running_sums<T: Element>(weights: &[T], count: usize) -> Vec<f64> {
    let mut sums = Vec::with_capacity(weights.len());
    for line in weights.chunks(count) {
        let mut sum = 0.0;
        sums.extend(line.iter().map(|weight| {
            sum += weight.to();
            sum
        }));
    }
    sums
}

/// Draws a class from the running sums of its weights. A class of weight 0 is never drawn.
fn pick(sums: &[f64], rng: &mut wengert_tensor::Philox) -> i64 {
    let total = sums[sums.len() - 1];
    let at = draw::unit(rng) * total;
    let class = sums.partition_point(|&sum| sum <= at);
    // The product may be rounded to the total: then the last class that has a weight is drawn.
    class.min(sums.partition_point(|&sum| sum < total)) as i64
}

/// Draws `count` class numbers for each line of `weights` (its last axis has the classes), as `torch.multinomial` does. The
/// weights need not have the sum 1. The result has the shape of the weights with `count` in the place of the classes.
///
/// With replacement, the draws are independent. Without, each class is drawn at most once, with the probability of its weight among
/// those that are left, in the order of the draws: the classes of the smallest of the numbers eᵢ/wᵢ with exponential eᵢ (P. S.
/// Efraimidis, P. G. Spirakis, "Weighted random sampling with a reservoir", 2006).
///
/// ```
/// use wengert::random::multinomial;
/// use wengert::tensor::{Philox, Tensor};
/// let weights = Tensor::from([1.0, 2.0, 0.0, 5.0]);
/// let mut drawn = multinomial(&weights, 3, false, &mut Philox::new(0)).to_vec();
/// drawn.sort();
/// assert_eq!(drawn, [0, 1, 3]);
/// ```
///
/// # Panics
/// If a weight is negative, infinite or NaN, if the weights of a line are all 0, or if a line has fewer than `count` positive
/// weights and draws are not replaced.
#[track_caller]
pub fn multinomial<T: Float>(
    weights: &Tensor<T>,
    count: usize,
    replacement: bool,
    rng: &mut (impl Rng + ?Sized),
) -> Tensor<i64> {
    Constraint::NonNegative.check("multinomial", "weights", weights);
    check_lines("multinomial", "weights", weights, 0.0);
    let shape = with_last(&weights.shape(), count);
    let classes = weights.size(-1);
    let (numbers, key) = (weights.to_vec(), rng.next_u64());
    if replacement {
        let sums = running_sums(&numbers, classes);
        let n = shape.iter().product();
        let drawn =
            draw::each(n, key, &|i, rng| pick(&sums[i / count * classes..][..classes], rng));
        return Tensor::from_vec(drawn, &shape);
    }
    for (i, line) in numbers.chunks(classes).enumerate() {
        let positive = line.iter().filter(|weight| weight.to() > 0.0).count();
        assert!(
            positive >= count,
            "multinomial: {count} draws without replacement need as many positive weights, but line {i} has {positive}: \
             draw fewer, or with replacement"
        );
    }
    let times = draw::each(numbers.len(), key, &|i, rng| {
        let weight = numbers[i].to();
        // In logarithms, since a quotient by a small weight would overflow.
        if weight > 0.0 { draw::exponential(rng).ln() - weight.ln() } else { f64::INFINITY }
    });
    let mut drawn = Vec::new();
    for line in times.chunks(classes) {
        let mut order: Vec<usize> = (0..classes).collect();
        order.sort_by(|&a, &b| line[a].total_cmp(&line[b]));
        drawn.extend(order[..count].iter().map(|&class| class as i64));
    }
    Tensor::from_vec(drawn, &shape)
}

/// The parts of a distribution that `kl` compares.
impl<P: Quantity> Categorical<P> {
    pub(crate) fn weights(&self) -> (&P, bool) {
        (&self.weights, self.logits)
    }
}
