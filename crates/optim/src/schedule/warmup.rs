//! Linear warmup for any schedule.

use super::Schedule;

/// A schedule preceded by a linear warmup: for `steps` steps the learning rate rises linearly to the first
/// value of the schedule s:
///
/// ```text
/// lr(t) = s(0) · (t + 1) / (steps + 1)   for t < steps
///         s(t - steps)                   for t ≥ steps
/// ```
/// The momentum, if the schedule changes it, is shifted too: it has its first value for t < steps, and the
/// value of step t - steps of the schedule after that.
///
/// Goyal et al., "Accurate, large minibatch SGD: training `ImageNet` in 1 hour", 2017.
///
/// ```
/// use wengert::optim::{Schedule, StepLr};
/// let schedule = StepLr::new(1.0, 100).warmup(3);
/// assert_eq!(
///     [0, 1, 2, 3, 102, 103].map(|step| schedule.learning_rate(step)),
///     [0.25, 0.5, 0.75, 1.0, 1.0, 0.1]
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Warmup<S> {
    schedule: S,
    steps: usize,
}

impl<S: Schedule> Warmup<S> {
    pub(super) fn new(schedule: S, steps: usize) -> Self {
        Warmup { schedule, steps }
    }
}

impl<S: Schedule> Schedule for Warmup<S> {
    #[track_caller]
    fn learning_rate(&self, step: usize) -> f64 {
        match step.checked_sub(self.steps) {
            Some(step) => self.schedule.learning_rate(step),
            None => self.schedule.learning_rate(0) * (step + 1) as f64 / (self.steps as f64 + 1.0),
        }
    }

    #[track_caller]
    fn momentum(&self, step: usize) -> Option<f64> {
        self.schedule.momentum(step.saturating_sub(self.steps))
    }

    fn last_step(&self) -> Option<usize> {
        self.schedule.last_step().map(|last| last.saturating_add(self.steps))
    }
}
