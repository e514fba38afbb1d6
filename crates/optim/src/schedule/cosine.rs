//! Cosine annealing of the learning rate.

use super::{Schedule, check, check_steps};
use std::f64::consts::PI;

/// Cosine annealing: the learning rate falls along half a cosine wave:
///
/// ```text
/// lr(t) = eta_min + (lr - eta_min) · (1 + cos(π t / t_max)) / 2
/// ```
/// After `t_max` steps the learning rate rises again, as in PyTorch.
///
/// Loshchilov, Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017 (without the
/// restarts).
///
/// ```
/// use wengert::optim::{CosineAnnealingLr, Schedule};
/// let schedule = CosineAnnealingLr::new(0.1, 100).eta_min(0.01);
/// assert_eq!(schedule.learning_rate(0), 0.1);
/// assert!((schedule.learning_rate(50) - 0.055).abs() < 1e-15);
/// assert_eq!(schedule.learning_rate(100), 0.01);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CosineAnnealingLr {
    lr: f64,
    t_max: usize,
    eta_min: f64,
}

impl CosineAnnealingLr {
    /// Creates a schedule from `lr` down to 0 in `t_max` steps.
    ///
    /// # Panics
    /// If `lr` is negative or not finite, or `t_max` is zero.
    #[track_caller]
    pub fn new(lr: f64, t_max: usize) -> Self {
        check("CosineAnnealingLr", "lr", lr);
        check_steps("CosineAnnealingLr", "t_max", t_max);
        CosineAnnealingLr { lr, t_max, eta_min: 0.0 }
    }

    /// Sets the minimum learning rate. The default is 0.
    ///
    /// # Panics
    /// If `eta_min` is negative or not finite.
    #[track_caller]
    pub fn eta_min(self, eta_min: f64) -> Self {
        check("CosineAnnealingLr", "eta_min", eta_min);
        CosineAnnealingLr { eta_min, ..self }
    }
}

impl Schedule for CosineAnnealingLr {
    fn learning_rate(&self, step: usize) -> f64 {
        let CosineAnnealingLr { lr, t_max, eta_min } = *self;
        // The wave has period 2 · t_max. The remainder keeps the argument of the cosine small, and so exact.
        let angle = PI * (step % t_max.saturating_mul(2)) as f64 / t_max as f64;
        eta_min + (lr - eta_min) * (1.0 + angle.cos()) / 2.0
    }
}
