//! Learning rates that change as training goes on.

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
use crate::rule::not_negative;
use std::sync::Arc;
use wengert_tensor::Float;

/// A learning rate for each step, and a momentum if the schedule has one.
///
/// A schedule is a function of the step's number, counted from 0, and remembers nothing: training
/// goes on anywhere with that number alone. What a step is, one of the optimizer or an epoch, is up
/// to whoever calls [`apply`](Schedule::apply) before it.
///
/// ```
/// use wengert_optim::{CosineAnnealingLr, Optimizer, Schedule, Sgd};
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
/// Names, formulas and defaults are PyTorch's; what is its `base_lr`, taken from the optimizer, is
/// the first argument here.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a schedule",
    label = "not a `Schedule`",
    note = "a rate of your own is set at each step: `optimizer.set_learning_rate(rate)`"
)]
pub trait Schedule {
    /// The learning rate of this step.
    ///
    /// # Panics
    /// If the schedule ends before it.
    #[track_caller]
    fn learning_rate(&self, step: usize) -> f64;

    /// The momentum of this step, if the schedule changes it.
    ///
    /// # Panics
    /// If the schedule ends before it.
    #[track_caller]
    fn momentum(&self, _step: usize) -> Option<f64> {
        None
    }

    /// The last step that has a learning rate; `None` if the schedule has no end.
    fn last_step(&self) -> Option<usize> {
        None
    }

    /// Gives an optimizer the learning rate and the momentum of this step. (A `Box<dyn Schedule>` or
    /// a reference is a schedule too: `(&schedule).apply(…)` for a `schedule: &dyn Schedule`.)
    ///
    /// # Panics
    /// If the schedule ends before the step, if there is a momentum and the optimizer has none, or
    /// if one of the two is out of range. The optimizer is then as it was.
    #[track_caller]
    fn apply<T: Float, O: Optimizer<T> + ?Sized>(&self, optimizer: &mut O, step: usize)
    where
        Self: Sized,
    {
        let (rate, momentum) = (self.learning_rate(step), self.momentum(step));
        // A rate that the optimizer refuses is not preceded by a momentum that it takes.
        if let Some(momentum) = momentum.filter(|_| not_negative(rate)) {
            optimizer.set_momentum(momentum);
        }
        optimizer.set_learning_rate(rate);
    }

    /// This schedule after `steps` steps in which the rate rises to its first value; see [`Warmup`].
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

/// Panics if a learning rate or a factor is negative or no number.
#[track_caller]
fn check(schedule: &str, name: &str, value: f64) {
    assert!(
        not_negative(value),
        "{schedule}: {name} is {value:?}, it must be a number not below 0"
    );
}

/// Panics if a number of steps is zero.
#[track_caller]
fn check_steps(schedule: &str, name: &str, steps: usize) {
    assert!(steps > 0, "{schedule}: {name} is 0, it must be at least 1");
}
