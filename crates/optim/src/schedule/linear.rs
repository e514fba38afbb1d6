//! Learning rates that change linearly or are scaled by a constant for some steps.

use super::{Schedule, check, check_steps};

/// A learning rate that changes linearly from `lr · start_factor` to `lr · end_factor` and then stays
/// constant:
///
/// ```text
/// lr(t) = lr · (start_factor + (end_factor - start_factor) · min(t, total_iters) / total_iters)
/// ```
///
/// ```
/// use wengert::optim::{LinearLr, Schedule};
/// let schedule = LinearLr::new(0.1, 4).start_factor(0.5);
/// assert_eq!(schedule.learning_rate(0), 0.05);
/// assert_eq!(schedule.learning_rate(4), 0.1);
/// assert_eq!(schedule.learning_rate(9), 0.1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinearLr {
    lr: f64,
    total_iters: usize,
    start_factor: f64,
    end_factor: f64,
}

impl LinearLr {
    /// Creates a schedule from `lr / 3` to `lr` in `total_iters` steps (PyTorch's default is 5).
    ///
    /// # Panics
    /// If `lr` is negative or not finite, or `total_iters` is zero.
    #[track_caller]
    pub fn new(lr: f64, total_iters: usize) -> Self {
        check("LinearLr", "lr", lr);
        check_steps("LinearLr", "total_iters", total_iters);
        LinearLr { lr, total_iters, start_factor: 1.0 / 3.0, end_factor: 1.0 }
    }

    /// Sets the factor of the learning rate at step 0. The default is 1/3.
    ///
    /// # Panics
    /// If `start_factor` is negative or not finite.
    #[track_caller]
    pub fn start_factor(self, start_factor: f64) -> Self {
        check("LinearLr", "start_factor", start_factor);
        LinearLr { start_factor, ..self }
    }

    /// Sets the factor of the learning rate from step `total_iters` on. The default is 1.
    ///
    /// # Panics
    /// If `end_factor` is negative or not finite.
    #[track_caller]
    pub fn end_factor(self, end_factor: f64) -> Self {
        check("LinearLr", "end_factor", end_factor);
        LinearLr { end_factor, ..self }
    }
}

impl Schedule for LinearLr {
    fn learning_rate(&self, step: usize) -> f64 {
        let LinearLr { lr, total_iters, start_factor, end_factor } = *self;
        let done = step.min(total_iters) as f64 / total_iters as f64;
        lr * (start_factor + (end_factor - start_factor) * done)
    }
}

/// A learning rate that is multiplied by `factor` for the first `total_iters` steps:
///
/// ```text
/// lr(t) = lr · (factor if t < total_iters, else 1)
/// ```
///
/// ```
/// use wengert::optim::{ConstantLr, Schedule};
/// let schedule = ConstantLr::new(0.5, 10).factor(0.25);
/// assert_eq!([9, 10].map(|step| schedule.learning_rate(step)), [0.125, 0.5]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConstantLr {
    lr: f64,
    total_iters: usize,
    factor: f64,
}

impl ConstantLr {
    /// Creates a schedule with `lr / 3` for `total_iters` steps (PyTorch's default is 5), then `lr`.
    /// If `total_iters` is zero, the learning rate is always `lr`.
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64, total_iters: usize) -> Self {
        check("ConstantLr", "lr", lr);
        ConstantLr { lr, total_iters, factor: 1.0 / 3.0 }
    }

    /// Sets the factor of the first `total_iters` steps. The default is 1/3.
    ///
    /// # Panics
    /// If `factor` is negative or not finite.
    #[track_caller]
    pub fn factor(self, factor: f64) -> Self {
        check("ConstantLr", "factor", factor);
        ConstantLr { factor, ..self }
    }
}

impl Schedule for ConstantLr {
    fn learning_rate(&self, step: usize) -> f64 {
        if step < self.total_iters { self.lr * self.factor } else { self.lr }
    }
}
