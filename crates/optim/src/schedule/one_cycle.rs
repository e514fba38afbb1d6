//! One cycle: up, and down to nearly nothing.

use super::{Schedule, check, check_steps};
use std::f64::consts::PI;

/// The rate rises to `max_lr`, then falls to far below where it began; the momentum goes the other
/// way. With `lr₀ = max_lr / div_factor`, at the steps in between along half a cosine wave (or in
/// a straight line):
///
/// ```text
/// step                          rate                        momentum
/// 0                             lr₀                         max_momentum
/// pct_start · total_steps - 1   max_lr                      base_momentum
/// total_steps - 1               lr₀ / final_div_factor      max_momentum
/// ```
/// With `three_phase` it comes back to lr₀ at step `2 · pct_start · total_steps - 2`, as fast as it
/// rose, and falls from there.
///
/// Smith, Topin, "Super-convergence: very fast training of neural networks using large learning
/// rates", 2018.
///
/// ```
/// use wengert_optim::{OneCycleLr, Schedule};
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
    /// A cycle of `total_steps` steps, up to `max_lr` and down.
    ///
    /// # Panics
    /// If the rate is negative or no number, or `total_steps` is zero.
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

    /// Which part of the cycle the rate rises in, from 0 to 1 in spite of the name; default 0.3.
    ///
    /// # Panics
    /// If it is not from 0 to 1.
    #[track_caller]
    pub fn pct_start(self, pct_start: f64) -> Self {
        assert!(
            (0.0..=1.0).contains(&pct_start),
            "OneCycleLr: pct_start is {pct_start:?}, it must be from 0 to 1"
        );
        OneCycleLr { pct_start, ..self }
    }

    /// Straight lines in place of cosine waves.
    pub fn linear(self) -> Self {
        OneCycleLr { linear: true, ..self }
    }

    /// The momentum at the greatest rate; default 0.85.
    ///
    /// # Panics
    /// If it is not in [0, 1).
    #[track_caller]
    pub fn base_momentum(self, base_momentum: f64) -> Self {
        fraction("base_momentum", base_momentum);
        OneCycleLr { base_momentum, ..self }
    }

    /// The momentum at both ends; default 0.95.
    ///
    /// # Panics
    /// If it is not in [0, 1).
    #[track_caller]
    pub fn max_momentum(self, max_momentum: f64) -> Self {
        fraction("max_momentum", max_momentum);
        OneCycleLr { max_momentum, ..self }
    }

    /// Whether the momentum changes; default yes. If not, it stays as the optimizer has it.
    pub fn cycle_momentum(self, cycle_momentum: bool) -> Self {
        OneCycleLr { cycle_momentum, ..self }
    }

    /// How much lower the rate begins; default 25.
    ///
    /// # Panics
    /// If it is not above 0.
    #[track_caller]
    pub fn div_factor(self, div_factor: f64) -> Self {
        positive("div_factor", div_factor);
        OneCycleLr { div_factor, ..self }
    }

    /// How much lower than it begins the rate ends; default 1e4.
    ///
    /// # Panics
    /// If it is not above 0.
    #[track_caller]
    pub fn final_div_factor(self, final_div_factor: f64) -> Self {
        positive("final_div_factor", final_div_factor);
        OneCycleLr { final_div_factor, ..self }
    }

    /// Whether the rate falls as fast as it rose, and then to its end in a third phase; default
    /// no.
    ///
    /// # Panics
    /// The rate of a step, if `pct_start` is above 0.5: the third phase would begin after the end.
    pub fn three_phase(self, three_phase: bool) -> Self {
        OneCycleLr { three_phase, ..self }
    }

    /// The value at a step of what is `low` at first, `high` at the top, `last` at the end.
    #[track_caller]
    fn at(&self, step: usize, low: f64, high: f64, last: f64) -> f64 {
        let OneCycleLr { total_steps, pct_start, three_phase, .. } = *self;
        assert!(
            step <= total_steps,
            "OneCycleLr: step {step} of a cycle of {total_steps}; total_steps must be the number of \
             steps of the whole training"
        );
        assert!(
            !three_phase || pct_start <= 0.5,
            "OneCycleLr: pct_start is {pct_start:?}, with three phases it must be at most 0.5"
        );
        // PyTorch counts the ends of the phases so, in fractions of a step.
        let rise = pct_start * total_steps as f64;
        let end = (total_steps - 1) as f64;
        let phases = if three_phase {
            [(rise - 1.0, low, high), (2.0 * rise - 2.0, high, low), (end, low, last)]
        } else {
            [(rise - 1.0, low, high), (end, high, last), (end, high, last)]
        };
        // The step after the last, at which a loop has ended, is like the last.
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
    assert!(
        (0.0..1.0).contains(&value),
        "OneCycleLr: {name} is {value:?}, it must be at least 0 and below 1"
    );
}

#[track_caller]
fn positive(name: &str, value: f64) {
    assert!(
        value > 0.0 && value.is_finite(),
        "OneCycleLr: {name} is {value:?}, it must be a number above 0"
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
        // As PyTorch, which asks for one more rate than there are steps.
        Some(self.total_steps)
    }
}
