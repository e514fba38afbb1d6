//! A learning rate that falls when a measure stops improving.

use crate::optimizer::Optimizer;
use crate::rule::not_negative;
use wengert_tensor::Float;

/// Lowers a learning rate when a measure, the loss on validation data as a rule, has stopped improving.
///
/// Names, defaults and the order of what is done are PyTorch's `ReduceLROnPlateau`. After each epoch:
///
/// 1. the measure is compared with the best so far: it must be below best · (1 - threshold), or with
///    [`maximize`](ReduceLrOnPlateau::maximize) above best · (1 + threshold); with
///    [`absolute_threshold`](ReduceLrOnPlateau::absolute_threshold) below best - threshold, or above
///    best + threshold. If it is, it is the best, and the count of bad epochs is 0, else it grows by one;
/// 2. during a cooldown the count of bad epochs is 0;
/// 3. if more than `patience` epochs in a row were bad, the rate becomes max(rate · factor, `min_lr`), and
///    the cooldown begins. A change of at most `eps` is not made.
///
/// A NaN is no improvement. The rate of a [group](crate::Group) falls in proportion.
///
/// ```
/// use wengert_optim::{Optimizer, ReduceLrOnPlateau, Sgd};
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
    /// By a factor of 0.1 after more than 10 bad epochs, for a measure that is to become small.
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

    /// For a measure that is to become large: an accuracy.
    pub fn maximize(self) -> Self {
        ReduceLrOnPlateau { maximize: true, best: f64::NEG_INFINITY, ..self }
    }

    /// Sets what the rate is multiplied with; default 0.1.
    ///
    /// # Panics
    /// If it is not in [0, 1).
    #[track_caller]
    pub fn factor(self, factor: f64) -> Self {
        assert!(
            (0.0..1.0).contains(&factor),
            "ReduceLrOnPlateau: factor is {factor:?}, it must be at least 0 and below 1"
        );
        ReduceLrOnPlateau { factor, ..self }
    }

    /// Sets how many bad epochs in a row pass without a change; default 10.
    pub fn patience(self, patience: u64) -> Self {
        ReduceLrOnPlateau { patience, ..self }
    }

    /// Sets by which part of the best a measure must be better to count; default 1e-4.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    pub fn threshold(self, threshold: f64) -> Self {
        checked("threshold", threshold);
        ReduceLrOnPlateau { threshold, absolute: false, ..self }
    }

    /// Sets by how much a measure must be better to count, whatever the best is.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    pub fn absolute_threshold(self, threshold: f64) -> Self {
        checked("threshold", threshold);
        ReduceLrOnPlateau { threshold, absolute: true, ..self }
    }

    /// Sets how many epochs after a change do not count as bad; default 0.
    pub fn cooldown(self, cooldown: u64) -> Self {
        ReduceLrOnPlateau { cooldown, ..self }
    }

    /// Sets the rate below which none falls; default 0.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    pub fn min_lr(self, min_lr: f64) -> Self {
        checked("min_lr", min_lr);
        ReduceLrOnPlateau { min_lr, ..self }
    }

    /// Sets the change up to which none is made; default 1e-8.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    pub fn eps(self, eps: f64) -> Self {
        checked("eps", eps);
        ReduceLrOnPlateau { eps, ..self }
    }

    /// After an epoch: takes the measure, and lowers the optimizer's rate if it is time. Returns
    /// whether it was time.
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

    /// Takes the measure of an epoch, and says whether rates are to be lowered now: the first half of
    /// [`step`](ReduceLrOnPlateau::step), for several optimizers.
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

    /// Lowers the rate of an optimizer: the second half of [`step`](ReduceLrOnPlateau::step).
    pub fn reduce<T: Float, O: Optimizer<T> + ?Sized>(&self, optimizer: &mut O) {
        let old = optimizer.learning_rate();
        let new = (old * self.factor).max(self.min_lr);
        if old - new > self.eps {
            optimizer.set_learning_rate(new);
        }
    }

    /// The best measure so far; infinite before the first.
    pub fn best(&self) -> f64 {
        self.best
    }

    /// What it remembers, by name, to be saved.
    pub fn state(&self) -> [(&'static str, f64); 3] {
        let (bad, cooling) = (self.bad_epochs as f64, self.cooling as f64);
        [("best", self.best), ("bad_epochs", bad), ("cooldown_counter", cooling)]
    }

    /// Goes on from a [`state`](ReduceLrOnPlateau::state), in its order.
    pub fn set_state(&mut self, [best, bad_epochs, cooling]: [f64; 3]) {
        (self.best, self.bad_epochs, self.cooling) = (best, bad_epochs as u64, cooling as u64);
    }
}

#[track_caller]
fn checked(name: &str, value: f64) {
    assert!(
        not_negative(value),
        "ReduceLrOnPlateau: {name} is {value:?}, it must be a number not below 0"
    );
}
