//! Learning rates that are multiplied by a factor at certain steps, and learning rates given by a function.

use super::{Schedule, check, check_steps};

/// A learning rate that is multiplied by `gamma` every `step_size` steps:
///
/// ```text
/// lr(t) = lr · gamma^⌊t / step_size⌋
/// ```
///
/// ```
/// use wengert::optim::{Schedule, StepLr};
/// let schedule = StepLr::new(1.0, 30).gamma(0.5);
/// assert_eq!([0, 29, 30, 60].map(|step| schedule.learning_rate(step)), [1.0, 1.0, 0.5, 0.25]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepLr {
    lr: f64,
    step_size: usize,
    gamma: f64,
}

impl StepLr {
    /// Creates a schedule that starts at `lr` and changes every `step_size` steps.
    ///
    /// # Panics
    /// If `lr` is negative or not finite, or `step_size` is zero.
    #[track_caller]
    pub fn new(lr: f64, step_size: usize) -> Self {
        check("StepLr", "lr", lr);
        check_steps("StepLr", "step_size", step_size);
        StepLr { lr, step_size, gamma: 0.1 }
    }

    /// Sets the factor. The default is 0.1.
    ///
    /// # Panics
    /// If `gamma` is negative or not finite.
    #[track_caller]
    pub fn gamma(self, gamma: f64) -> Self {
        check("StepLr", "gamma", gamma);
        StepLr { gamma, ..self }
    }
}

impl Schedule for StepLr {
    fn learning_rate(&self, step: usize) -> f64 {
        self.lr * power(self.gamma, step / self.step_size)
    }
}

/// A learning rate that is multiplied by `gamma` at each of the given steps:
///
/// ```text
/// lr(t) = lr · gamma^(number of milestones not above t)
/// ```
///
/// ```
/// use wengert::optim::{MultiStepLr, Schedule};
/// let schedule = MultiStepLr::new(1.0, [30, 80]).gamma(0.5);
/// assert_eq!([29, 30, 79, 80].map(|step| schedule.learning_rate(step)), [1.0, 0.5, 0.5, 0.25]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MultiStepLr {
    lr: f64,
    milestones: Vec<usize>,
    gamma: f64,
}

impl MultiStepLr {
    /// Creates a schedule that starts at `lr` and changes at these steps. Their order does not matter; a step
    /// that occurs twice counts twice.
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64, milestones: impl IntoIterator<Item = usize>) -> Self {
        check("MultiStepLr", "lr", lr);
        let mut milestones: Vec<usize> = milestones.into_iter().collect();
        milestones.sort_unstable();
        MultiStepLr { lr, milestones, gamma: 0.1 }
    }

    /// Sets the factor. The default is 0.1.
    ///
    /// # Panics
    /// If `gamma` is negative or not finite.
    #[track_caller]
    pub fn gamma(self, gamma: f64) -> Self {
        check("MultiStepLr", "gamma", gamma);
        MultiStepLr { gamma, ..self }
    }
}

impl Schedule for MultiStepLr {
    fn learning_rate(&self, step: usize) -> f64 {
        let passed = self.milestones.partition_point(|&milestone| milestone <= step);
        self.lr * power(self.gamma, passed)
    }
}

/// A learning rate that is multiplied by `gamma` at every step:
///
/// ```text
/// lr(t) = lr · gamma^t
/// ```
///
/// ```
/// use wengert::optim::{ExponentialLr, Schedule};
/// assert_eq!(ExponentialLr::new(1.0, 0.5).learning_rate(3), 0.125);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExponentialLr {
    lr: f64,
    gamma: f64,
}

impl ExponentialLr {
    /// Creates a schedule that starts at `lr`, with the factor `gamma`.
    ///
    /// # Panics
    /// If `lr` or `gamma` is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64, gamma: f64) -> Self {
        check("ExponentialLr", "lr", lr);
        check("ExponentialLr", "gamma", gamma);
        ExponentialLr { lr, gamma }
    }
}

impl Schedule for ExponentialLr {
    fn learning_rate(&self, step: usize) -> f64 {
        self.lr * power(self.gamma, step)
    }
}

/// A learning rate that is a base value times a function of the step.
///
/// ```
/// use wengert::optim::{LambdaLr, Schedule};
/// let schedule = LambdaLr::new(0.5, |step| 1.0 / (1.0 + step as f64));
/// assert_eq!(schedule.learning_rate(3), 0.125);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct LambdaLr<F> {
    lr: f64,
    factor: F,
}

impl<F: Fn(usize) -> f64> LambdaLr<F> {
    /// Creates a schedule whose learning rate at step `t` is `lr · factor(t)`.
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64, factor: F) -> Self {
        check("LambdaLr", "lr", lr);
        LambdaLr { lr, factor }
    }
}

impl<F: Fn(usize) -> f64> Schedule for LambdaLr<F> {
    fn learning_rate(&self, step: usize) -> f64 {
        self.lr * (self.factor)(step)
    }
}

fn power(base: f64, exponent: usize) -> f64 {
    base.powf(exponent as f64)
}
