//! The one-cycle policy.

use super::{Schedule, check, check_steps};
use crate::setting::Bounds;
use std::f64::consts::PI;

/// The one-cycle policy: the learning rate rises to `max_lr`, then falls far below its initial value, while
/// the momentum falls and rises.
///
/// With `lr₀ = max_lr / div_factor`, the values are as follows. Between these steps they follow half a cosine
/// wave, or a straight line with [`linear`](OneCycleLr::linear).
///
/// ```text
/// step                          rate                        momentum
/// 0                             lr₀                         max_momentum
/// pct_start · total_steps - 1   max_lr                      base_momentum
/// total_steps - 1               lr₀ / final_div_factor      max_momentum
/// ```
/// With `three_phase`, the learning rate returns to lr₀ at step `2 · pct_start · total_steps - 2`, as fast as
/// it rose, and then falls to its final value.
///
/// Smith, Topin, "Super-convergence: very fast training of neural networks using large learning
/// rates", 2018.
///
/// ```
/// use wengert::optim::{OneCycleLr, Schedule};
/// let schedule = OneCycleLr::new(0.1, 100);
/// let close = |a: f64, b: f64| (a - b).abs() < 1e-15;
/// assert!(close(schedule.learning_rate(0), 0.1 / 25.0));
/// assert!(close(schedule.learning_rate(29), 0.1));
/// assert!(close(schedule.learning_rate(99), 0.1 / 25.0 / 1e4));
/// assert!(close(schedule.momentum(29).unwrap(), 0.85));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneCycleLr {
    max_lr: f64,
    total_steps: usize,
    pct_start: f64,
    linear: bool,
    cycle_momentum: bool,
    base_momentum: f64,
    max_momentum: f64,
    div_factor: f64,
    final_div_factor: f64,
    three_phase: bool,
}

impl OneCycleLr {
    /// Creates a cycle of `total_steps` steps with the maximum learning rate `max_lr`.
    ///
    /// # Panics
    /// If `max_lr` is negative or not finite, or `total_steps` is zero.
    #[track_caller]
    pub fn new(max_lr: f64, total_steps: usize) -> Self {
        check("OneCycleLr", "max_lr", max_lr);
        check_steps("OneCycleLr", "total_steps", total_steps);
        OneCycleLr {
            max_lr,
            total_steps,
            pct_start: 0.3,
            linear: false,
            cycle_momentum: true,
            base_momentum: 0.85,
            max_momentum: 0.95,
            div_factor: 25.0,
            final_div_factor: 1e4,
            three_phase: false,
        }
    }

    /// Sets the fraction of the cycle in which the learning rate rises. The default is 0.3. Despite its name, it is
    /// not in percent but from 0 to 1.
    ///
    /// # Panics
    /// If `pct_start` is not from 0 to 1.
    #[track_caller]
    pub fn pct_start(self, pct_start: f64) -> Self {
        Bounds::UNIT.check("OneCycleLr", "pct_start", pct_start);
        OneCycleLr { pct_start, ..self }
    }

    /// Uses straight lines instead of cosine waves.
    pub fn linear(self) -> Self {
        OneCycleLr { linear: true, ..self }
    }

    /// Sets the momentum at the maximum learning rate. The default is 0.85.
    ///
    /// # Panics
    /// If `base_momentum` is not in [0, 1).
    #[track_caller]
    pub fn base_momentum(self, base_momentum: f64) -> Self {
        fraction("base_momentum", base_momentum);
        OneCycleLr { base_momentum, ..self }
    }

    /// Sets the momentum at the first and the last step. The default is 0.95.
    ///
    /// # Panics
    /// If `max_momentum` is not in [0, 1).
    #[track_caller]
    pub fn max_momentum(self, max_momentum: f64) -> Self {
        fraction("max_momentum", max_momentum);
        OneCycleLr { max_momentum, ..self }
    }

    /// Sets whether the schedule changes the momentum. The default is `true`. With `false`, the optimizer keeps its
    /// momentum.
    pub fn cycle_momentum(self, cycle_momentum: bool) -> Self {
        OneCycleLr { cycle_momentum, ..self }
    }

    /// Sets the initial learning rate to `max_lr / div_factor`. The default is 25.
    ///
    /// # Panics
    /// If `div_factor` is not above 0.
    #[track_caller]
    pub fn div_factor(self, div_factor: f64) -> Self {
        positive("div_factor", div_factor);
        OneCycleLr { div_factor, ..self }
    }

    /// Sets the final learning rate to the initial learning rate divided by `final_div_factor`. The default is 1e4.
    ///
    /// # Panics
    /// If `final_div_factor` is not above 0.
    #[track_caller]
    pub fn final_div_factor(self, final_div_factor: f64) -> Self {
        positive("final_div_factor", final_div_factor);
        OneCycleLr { final_div_factor, ..self }
    }

    /// Sets whether the learning rate falls to its initial value as fast as it rose, and then to its final
    /// value in a third phase. The default is `false`.
    ///
    /// # Panics
    /// With `true`, [`learning_rate`](Schedule::learning_rate) and [`momentum`](Schedule::momentum) panic if
    /// `pct_start` is above 0.5: the third phase would begin after the end of the cycle.
    pub fn three_phase(self, three_phase: bool) -> Self {
        OneCycleLr { three_phase, ..self }
    }

    /// Returns the value at a step of a quantity that starts at `low`, is `high` when the learning rate is at
    /// its maximum, and ends at `last`.
    #[track_caller]
    fn at(&self, step: usize, low: f64, high: f64, last: f64) -> f64 {
        let OneCycleLr { total_steps, pct_start, three_phase, .. } = *self;
        assert!(
            step <= total_steps,
            "OneCycleLr: the step must be at most total_steps = {total_steps}, got {step}: set \
             total_steps to the number of steps of the whole training"
        );
        assert!(
            !three_phase || pct_start <= 0.5,
            "OneCycleLr: pct_start must be at most 0.5 with three phases, got {pct_start:?}"
        );
        // As in PyTorch, phases end at fractional steps.
        let rise = pct_start * total_steps as f64;
        let end = (total_steps - 1) as f64;
        let phases = if three_phase {
            [(rise - 1.0, low, high), (2.0 * rise - 2.0, high, low), (end, low, last)]
        } else {
            [(rise - 1.0, low, high), (end, high, last), (end, high, last)]
        };
        // Step `total_steps`, requested when a loop has ended, has the values of the last step.
        let step = (step as f64).min(end);
        let mut start = 0.0;
        for (stop, from, to) in phases {
            if step <= stop {
                let done = if stop > start { (step - start) / (stop - start) } else { 1.0 };
                return self.between(from, to, done);
            }
            start = stop;
        }
        last
    }

    fn between(&self, from: f64, to: f64, done: f64) -> f64 {
        if self.linear {
            from + (to - from) * done
        } else {
            to + (from - to) / 2.0 * (1.0 + (PI * done).cos())
        }
    }
}

#[track_caller]
fn fraction(name: &str, value: f64) {
    Bounds::BELOW_ONE.check("OneCycleLr", name, value);
}

#[track_caller]
fn positive(name: &str, value: f64) {
    assert!(
        value > 0.0 && value.is_finite(),
        "OneCycleLr: {name} must be finite and above 0, got {value:?}"
    );
}

impl Schedule for OneCycleLr {
    #[track_caller]
    fn learning_rate(&self, step: usize) -> f64 {
        let initial = self.max_lr / self.div_factor;
        self.at(step, initial, self.max_lr, initial / self.final_div_factor)
    }

    #[track_caller]
    fn momentum(&self, step: usize) -> Option<f64> {
        let OneCycleLr { cycle_momentum, base_momentum, max_momentum, .. } = *self;
        cycle_momentum.then(|| self.at(step, max_momentum, base_momentum, max_momentum))
    }

    fn last_step(&self) -> Option<usize> {
        // As in PyTorch, which requests one more learning rate than there are steps.
        Some(self.total_steps)
    }
}
