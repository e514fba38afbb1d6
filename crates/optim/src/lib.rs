//! Optimizers: from gradients to better parameters.
//!
//! An optimizer is a set of hyperparameters and an update rule; what it remembers of each parameter
//! is keyed by the parameter's identity and saved under its name. Formulas, argument names,
//! defaults and the order of operations are PyTorch's. Updates are in-place pointwise programs: in
//! steady state a step asks for no memory for tensors.
//!
//! ```
//! use wengert_autograd::{Param, Tape};
//! use wengert_optim::{Optimizer, Sgd};
//! use wengert_tensor::Tensor;
//!
//! // The minimum of (w - 3)².
//! let mut w = Param::new(Tensor::scalar(0.0));
//! let mut optimizer = Sgd::new(0.1).momentum(0.5);
//! for _ in 0..100 {
//!     let tape = Tape::new();
//!     let loss = (tape.param(&w) - 3.0).square();
//!     optimizer.step(&mut w, &loss.backward());
//! }
//! assert!((w.value().item() - 3.0).abs() < 1e-5);
//! ```
//!
//! | | rule | remembers |
//! |---|---|---|
//! | [`Sgd`] | steepest descent, with momentum | `momentum_buffer`, once there was momentum |
//! | [`Adadelta`] | steps of the size of the recent steps | `square_avg`, `acc_delta` |
//! | [`Adagrad`] | steps shrink with the gradients seen | `sum` |
//! | [`Adam`] | momentum, scaled by the recent size of the gradients | `exp_avg`, `exp_avg_sq` |
//! | [`AdamW`] | Adam, weight decay apart from the gradients | `exp_avg`, `exp_avg_sq` |
//!
//! Learning rates that change with the step are [`Schedule`]s:
//!
//! | | the rate |
//! |---|---|
//! | [`StepLr`], [`MultiStepLr`], [`ExponentialLr`] | falls by a factor: every n steps, at given steps, at every step |
//! | [`CosineAnnealingLr`] | falls along half a cosine wave |
//! | [`OneCycleLr`] | rises, then falls to nearly nothing; the momentum goes the other way |
//! | [`LinearLr`], [`ConstantLr`] | rises in a straight line, or at once |
//! | [`LambdaLr`] | is what a function says |
//! | [`warmup`](Schedule::warmup) of any | rises to the schedule's beginning first |
//!
//! [`ReduceLrOnPlateau`] follows a measure, the validation loss as a rule, and is no function of the
//! step: it is asked after each epoch.
//!
//! A [`Group`] gives some parameters, chosen by name or rank, hyperparameters of their own.
//!
//! One's own optimizer is a [`Rule`]: its formula and a few names.

mod adadelta;
mod adagrad;
mod adam;
mod adamw;
mod base;
mod group;
mod optimizer;
mod plateau;
mod rule;
mod schedule;
mod sgd;
mod state;
mod step;

pub use adadelta::Adadelta;
pub use adagrad::Adagrad;
pub use adam::Adam;
pub use adamw::AdamW;
pub use base::Base;
pub use group::Group;
pub use optimizer::Optimizer;
pub use plateau::ReduceLrOnPlateau;
pub use rule::{Invalid, Rule, Setting};
pub use schedule::{
    ConstantLr, CosineAnnealingLr, ExponentialLr, LambdaLr, LinearLr, MultiStepLr, OneCycleLr,
    Schedule, StepLr, Warmup,
};
pub use sgd::Sgd;
pub use state::{StateError, StateProblem};
