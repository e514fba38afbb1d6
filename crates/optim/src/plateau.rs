//! A learning rate that falls when a metric stops improving.

use crate::optimizer::Optimizer;
use crate::setting::Bounds;
use wengert_tensor::Float;

/// Lowers the learning rate when a metric, usually the validation loss, has stopped improving.
///
/// Names, defaults and the order of operations are those of PyTorch's `ReduceLROnPlateau`. After each epoch:
///
/// 1. The metric is compared with the best value so far. The epoch is good if the metric is below
///    best · (1 - threshold), or, with [`maximize`](ReduceLrOnPlateau::maximize), above
///    best · (1 + threshold). With [`absolute_threshold`](ReduceLrOnPlateau::absolute_threshold) the bounds
///    are best - threshold and best + threshold. After a good epoch the metric is the new best value and the
///    count of bad epochs is 0. After a bad epoch the count grows by one.
/// 2. During a cooldown the count of bad epochs is set to 0.
/// 3. If more than `patience` epochs in a row were bad, the learning rate becomes
///    max(lr · factor, `min_lr`), and a cooldown begins. A change of at most `eps` is not made.
///
/// A NaN metric is never an improvement. The learning rate of a [group](crate::Group) falls by the same
/// factor.
///
/// ```
/// use wengert::optim::{Optimizer, ReduceLrOnPlateau, Sgd};
///
/// let mut optimizer: Sgd = Sgd::new(0.1);
/// let mut schedule = ReduceLrOnPlateau::new().patience(2);
/// for loss in [1.0, 0.8, 0.9, 0.9] {
///     schedule.step(loss, &mut optimizer);
///     assert_eq!(optimizer.learning_rate(), 0.1);
/// }
/// schedule.step(0.9, &mut optimizer);
/// assert!((optimizer.learning_rate() - 0.01).abs() < 1e-15);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ReduceLrOnPlateau {
    maximize: bool,
    factor: f64,
    patience: u64,
    threshold: f64,
    absolute: bool,
    cooldown: u64,
    min_lr: f64,
    eps: f64,
    best: f64,
    bad_epochs: u64,
    cooling: u64,
}

impl Default for ReduceLrOnPlateau {
    fn default() -> Self {
        Self::new()
    }
}

impl ReduceLrOnPlateau {
    /// Creates a schedule that multiplies the learning rate by 0.1 after more than 10 bad epochs in a row,
    /// for a metric that is minimized.
    pub fn new() -> Self {
        ReduceLrOnPlateau {
            maximize: false,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            absolute: false,
            cooldown: 0,
            min_lr: 0.0,
            eps: 1e-8,
            best: f64::INFINITY,
            bad_epochs: 0,
            cooling: 0,
        }
    }

    /// Treats larger values of the metric as better, as for an accuracy. The default is that smaller values are better.
    pub fn maximize(self) -> Self {
        ReduceLrOnPlateau { maximize: true, best: f64::NEG_INFINITY, ..self }
    }

    /// Sets the factor by which the learning rate is multiplied. The default is 0.1.
    ///
    /// # Panics
    /// If `factor` is not in [0, 1).
    #[track_caller]
    pub fn factor(self, factor: f64) -> Self {
        Bounds::BELOW_ONE.check("ReduceLrOnPlateau", "factor", factor);
        ReduceLrOnPlateau { factor, ..self }
    }

    /// Sets the number of bad epochs in a row after which the learning rate is still unchanged. The default is 10.
    pub fn patience(self, patience: u64) -> Self {
        ReduceLrOnPlateau { patience, ..self }
    }

    /// Sets the minimum relative improvement over the best value. The default is 1e-4.
    ///
    /// # Panics
    /// If `threshold` is negative or not finite.
    #[track_caller]
    pub fn threshold(self, threshold: f64) -> Self {
        checked("threshold", threshold);
        ReduceLrOnPlateau { threshold, absolute: false, ..self }
    }

    /// Sets the minimum absolute improvement over the best value. It replaces the relative threshold.
    ///
    /// # Panics
    /// If `threshold` is negative or not finite.
    #[track_caller]
    pub fn absolute_threshold(self, threshold: f64) -> Self {
        checked("absolute_threshold", threshold);
        ReduceLrOnPlateau { threshold, absolute: true, ..self }
    }

    /// Sets the number of epochs after a reduction that do not count as bad. The default is 0.
    pub fn cooldown(self, cooldown: u64) -> Self {
        ReduceLrOnPlateau { cooldown, ..self }
    }

    /// Sets the lower bound of the learning rate. The default is 0.
    ///
    /// # Panics
    /// If `min_lr` is negative or not finite.
    #[track_caller]
    pub fn min_lr(self, min_lr: f64) -> Self {
        checked("min_lr", min_lr);
        ReduceLrOnPlateau { min_lr, ..self }
    }

    /// Sets the largest change of the learning rate that is ignored. The default is 1e-8.
    ///
    /// # Panics
    /// If `eps` is negative or not finite.
    #[track_caller]
    pub fn eps(self, eps: f64) -> Self {
        checked("eps", eps);
        ReduceLrOnPlateau { eps, ..self }
    }

    /// Records the metric of an epoch and lowers the optimizer's learning rate if a reduction is due. Returns
    /// whether a reduction was due. Call this method after each epoch.
    pub fn step<T: Float, O: Optimizer<T> + ?Sized>(
        &mut self,
        measure: f64,
        optimizer: &mut O,
    ) -> bool {
        let time = self.observe(measure);
        if time {
            self.reduce(optimizer);
        }
        time
    }

    /// Records the metric of an epoch and returns whether learning rates must be lowered now.
    ///
    /// This is the first half of [`step`](ReduceLrOnPlateau::step). With several optimizers, call it once and
    /// then [`reduce`](ReduceLrOnPlateau::reduce) for each optimizer.
    pub fn observe(&mut self, measure: f64) -> bool {
        let better = match (self.maximize, self.absolute) {
            (false, false) => measure < self.best * (1.0 - self.threshold),
            (false, true) => measure < self.best - self.threshold,
            (true, false) => measure > self.best * (self.threshold + 1.0),
            (true, true) => measure > self.best + self.threshold,
        };
        if better {
            self.best = measure;
            self.bad_epochs = 0;
        } else {
            self.bad_epochs += 1;
        }
        if self.cooling > 0 {
            self.cooling -= 1;
            self.bad_epochs = 0;
        }
        let time = self.bad_epochs > self.patience;
        if time {
            self.cooling = self.cooldown;
            self.bad_epochs = 0;
        }
        time
    }

    /// Lowers the learning rate of an optimizer. This is the second half of
    /// [`step`](ReduceLrOnPlateau::step).
    pub fn reduce<T: Float, O: Optimizer<T> + ?Sized>(&self, optimizer: &mut O) {
        let old = optimizer.learning_rate();
        let new = (old * self.factor).max(self.min_lr);
        if old - new > self.eps {
            optimizer.set_learning_rate(new);
        }
    }

    /// Returns the best metric so far. Before the first epoch it is infinite.
    pub fn best(&self) -> f64 {
        self.best
    }

    /// Returns the state by name, to be saved.
    pub fn state(&self) -> [(&'static str, f64); 3] {
        let (bad, cooling) = (self.bad_epochs as f64, self.cooling as f64);
        [("best", self.best), ("bad_epochs", bad), ("cooldown_counter", cooling)]
    }

    /// Restores the values that [`state`](ReduceLrOnPlateau::state) returned, in the same order.
    pub fn set_state(&mut self, [best, bad_epochs, cooling]: [f64; 3]) {
        (self.best, self.bad_epochs, self.cooling) = (best, bad_epochs as u64, cooling as u64);
    }
}

#[track_caller]
fn checked(name: &str, value: f64) {
    Bounds::NOT_NEGATIVE.check("ReduceLrOnPlateau", name, value);
}
