//! Callbacks that end a run before its last epoch.

use crate::callback::{Callback, CallbackState};
use crate::callbacks::Monitor;
use crate::context::Context;
use crate::error::Outcome;
use std::time::Duration;
use wengert_tensor::{Float, Instant, NamedTensors};

/// Stops the run when a monitored number has not improved for some epochs in a row. It monitors the
/// validation loss, unless [`monitor`](EarlyStopping::monitor) sets another number. A NaN is never an
/// improvement.
///
/// With [`keep_best`](crate::Trainer::keep_best) the model gets the weights of the best epoch at the
/// end.
///
/// ```
/// use wengert::train::{EarlyStopping, Monitor, Trainer};
/// let trainer: Trainer = Trainer::classifier()
///     .epochs(1000)
///     .callback(EarlyStopping::new(5).monitor(Monitor::validation("accuracy")).maximize());
/// ```
#[derive(Clone, Debug)]
pub struct EarlyStopping {
    patience: u64,
    min_delta: f64,
    maximize: bool,
    monitor: Monitor,
    best: Option<f64>,
    waited: u64,
}

impl EarlyStopping {
    /// Stops after `patience` epochs in a row without an improvement. A `patience` of 0 is treated as 1:
    /// the run stops after the first such epoch.
    pub fn new(patience: u64) -> Self {
        EarlyStopping {
            patience: patience.max(1),
            min_delta: 0.0,
            maximize: false,
            monitor: Monitor::default(),
            best: None,
            waited: 0,
        }
    }

    /// Sets the difference to the best number that an improvement must exceed. The default is 0, so that every
    /// improvement counts.
    ///
    /// # Panics
    /// If `min_delta` is negative or not finite.
    #[track_caller]
    pub fn min_delta(self, min_delta: f64) -> Self {
        assert!(
            min_delta >= 0.0 && min_delta.is_finite(),
            "EarlyStopping::min_delta: min_delta must be finite and at least 0, got {min_delta:?}"
        );
        EarlyStopping { min_delta, ..self }
    }

    /// Treats larger numbers as better. The default is that smaller numbers are better.
    pub fn maximize(self) -> Self {
        EarlyStopping { maximize: true, ..self }
    }

    /// Sets the monitored number.
    pub fn monitor(self, monitor: Monitor) -> Self {
        EarlyStopping { monitor, ..self }
    }

    fn stop_if_due<T: Float>(&self, run: &mut Context<'_, T>) {
        if self.waited >= self.patience {
            let best = self.best.unwrap_or(f64::NAN);
            run.stop(format!("no improvement on {best:.4} for {} epochs", self.waited));
        }
    }
}

impl<T: Float> Callback<T> for EarlyStopping {
    /// A resumed run that had already run out of patience stops at once.
    fn start(&mut self, run: &mut Context<'_, T>) -> Outcome {
        if !run.resumed() {
            (self.best, self.waited) = (None, 0);
        }
        self.stop_if_due(run);
        Ok(())
    }

    fn after_epoch(&mut self, run: &mut Context<'_, T>) -> Outcome {
        let value = self.monitor.last(run.history(), "EarlyStopping")?;
        let better = |best: f64| {
            if self.maximize {
                value > best + self.min_delta
            } else {
                value < best - self.min_delta
            }
        };
        if !value.is_nan() && self.best.is_none_or(better) {
            (self.best, self.waited) = (Some(value), 0);
        } else {
            self.waited += 1;
        }
        self.stop_if_due(run);
        Ok(())
    }

    fn state(&self) -> CallbackState {
        let best = self.best.unwrap_or(f64::NAN);
        CallbackState::numbers([("best", best), ("waited", self.waited as f64)])
    }

    fn load_state(&mut self, saved: &NamedTensors) -> Result<(), String> {
        let (best, waited) =
            (CallbackState::number(saved, "best")?, CallbackState::number(saved, "waited")?);
        self.best = Some(best).filter(|best| !best.is_nan());
        self.waited = waited as u64;
        Ok(())
    }
}

/// Stops after the first step that ends when this time has passed since the start of the call of
/// [`fit`](crate::Trainer::fit). A resumed run has the whole time again. The step at which the run
/// stops depends on the speed of the machine.
#[derive(Clone, Debug)]
pub struct TimeLimit {
    limit: Duration,
    started: Option<Instant>,
}

impl TimeLimit {
    /// Stops the run after this time.
    pub fn new(limit: Duration) -> Self {
        TimeLimit { limit, started: None }
    }
}

impl<T: Float> Callback<T> for TimeLimit {
    fn start(&mut self, _run: &mut Context<'_, T>) -> Outcome {
        self.started = Some(Instant::now());
        Ok(())
    }

    fn after_step(&mut self, run: &mut Context<'_, T>) -> Outcome {
        if self.started.is_some_and(|started| started.elapsed() >= self.limit) {
            run.stop(format!("{:.1} s have passed", self.limit.as_secs_f64()));
        }
        Ok(())
    }

    fn state(&self) -> CallbackState {
        CallbackState::Nothing
    }
}
