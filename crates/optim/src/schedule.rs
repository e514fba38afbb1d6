//! Learning rate schedules.

mod cosine;
mod linear;
mod one_cycle;
mod steps;
mod warmup;

pub use cosine::CosineAnnealingLr;
pub use linear::{ConstantLr, LinearLr};
pub use one_cycle::OneCycleLr;
pub use steps::{ExponentialLr, LambdaLr, MultiStepLr, StepLr};
pub use warmup::Warmup;

use crate::optimizer::Optimizer;
use crate::setting::Bounds;
use std::sync::Arc;
use wengert_tensor::Float;

/// A function that gives the learning rate of each step, and the momentum if the schedule changes it.
///
/// A schedule depends only on the index of the step, counted from 0, and has no state. To resume training,
/// the index is enough. A step is an optimizer step or an epoch: call [`apply`](Schedule::apply) before
/// each one.
///
/// ```
/// use wengert::optim::{CosineAnnealingLr, Optimizer, Schedule, Sgd};
///
/// let mut optimizer = Sgd::new(0.1);
/// let schedule = CosineAnnealingLr::new(0.1, 100).warmup(5);
/// for step in 0..105 {
///     schedule.apply(&mut optimizer, step);
///     // … optimizer.step(&mut model, &gradients);
/// }
/// assert!(optimizer.learning_rate() < 1e-4);
/// ```
///
/// Names, formulas and defaults are PyTorch's. PyTorch takes the base learning rate from the optimizer;
/// here it is the first argument of the constructor.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a schedule",
    label = "not a `Schedule`",
    note = "to compute the learning rate yourself, call `optimizer.set_learning_rate(rate)` before each step"
)]
pub trait Schedule {
    /// Returns the learning rate of this step.
    ///
    /// # Panics
    /// If the schedule ends before this step.
    #[track_caller]
    fn learning_rate(&self, step: usize) -> f64;

    /// Returns the momentum of this step, or `None` if the schedule does not change the momentum.
    ///
    /// # Panics
    /// If the schedule ends before this step.
    #[track_caller]
    fn momentum(&self, _step: usize) -> Option<f64> {
        None
    }

    /// Returns the last step that has a learning rate, or `None` if the schedule has no end.
    fn last_step(&self) -> Option<usize> {
        None
    }

    /// Sets the learning rate and the momentum of an optimizer to those of this step.
    ///
    /// A `Box<dyn Schedule>` or a reference is a schedule too: call `(&schedule).apply(…)` for a
    /// `schedule: &dyn Schedule`.
    ///
    /// # Panics
    /// If the schedule ends before the step, if the schedule changes the momentum and the optimizer has none,
    /// or if the learning rate or the momentum is out of range. The optimizer is then unchanged.
    #[track_caller]
    fn apply<T: Float, O: Optimizer<T> + ?Sized>(&self, optimizer: &mut O, step: usize)
    where
        Self: Sized,
    {
        let (rate, momentum) = (self.learning_rate(step), self.momentum(step));
        // If the optimizer will reject the rate, do not set the momentum before.
        if let Some(momentum) = momentum.filter(|_| (Bounds::NOT_NEGATIVE.contains)(rate)) {
            optimizer.set_momentum(momentum);
        }
        optimizer.set_learning_rate(rate);
    }

    /// Returns this schedule, preceded by `steps` steps in which the learning rate rises linearly to the
    /// schedule's first value; see [`Warmup`].
    fn warmup(self, steps: usize) -> Warmup<Self>
    where
        Self: Sized,
    {
        Warmup::new(self, steps)
    }
}

macro_rules! forward {
    ($($handle:ty),*) => {
        $(impl<S: Schedule + ?Sized> Schedule for $handle {
            #[track_caller]
            fn learning_rate(&self, step: usize) -> f64 {
                (**self).learning_rate(step)
            }
            #[track_caller]
            fn momentum(&self, step: usize) -> Option<f64> {
                (**self).momentum(step)
            }
            fn last_step(&self) -> Option<usize> {
                (**self).last_step()
            }
        })*
    };
}
forward!(&S, Box<S>, Arc<S>);

/// Panics if a learning rate or a factor is negative or not finite.
#[track_caller]
fn check(schedule: &str, name: &str, value: f64) {
    Bounds::NOT_NEGATIVE.check(schedule, name, value);
}

/// Panics if a number of steps is zero.
#[track_caller]
fn check_steps(schedule: &str, name: &str, steps: usize) {
    assert!(steps > 0, "{schedule}: {name} must be at least 1, got 0");
}
