//! Optimizers and learning rate schedules.
//!
//! An optimizer has hyperparameters, an update rule, and state tensors for each parameter (a momentum
//! buffer, for example). The state tensors are keyed by the parameter's identity and saved under the
//! parameter's name. Formulas, argument names, defaults and the order of operations are PyTorch's. Updates
//! are in-place pointwise programs: in steady state a step allocates no tensor memory.
//!
//! ```
//! use wengert::autograd::{Param, Tape};
//! use wengert::optim::{Optimizer, Sgd};
//! use wengert::tensor::Tensor;
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
//! | | rule | state tensors |
//! |---|---|---|
//! | [`Sgd`] | gradient descent, with optional momentum | `momentum_buffer`, with momentum only |
//! | [`Adadelta`] | gradient · RMS of recent updates / RMS of gradients | `square_avg`, `acc_delta` |
//! | [`Adagrad`] | gradient divided by the root of the sum of squared gradients | `sum` |
//! | [`Adam`] | momentum divided by the root of the mean squared gradient | `exp_avg`, `exp_avg_sq` |
//! | [`Adam::adamw`] | `AdamW`: Adam with decoupled weight decay | `exp_avg`, `exp_avg_sq` |
//!
//! A [`Schedule`] gives a learning rate for each step:
//!
//! | | the learning rate |
//! |---|---|
//! | [`StepLr`], [`MultiStepLr`], [`ExponentialLr`] | falls by a factor: every n steps, at given steps, at every step |
//! | [`CosineAnnealingLr`] | falls along half a cosine wave |
//! | [`OneCycleLr`] | rises, then falls to almost 0; the momentum falls, then rises |
//! | [`LinearLr`], [`ConstantLr`] | changes linearly, or in one step, and is then constant |
//! | [`LambdaLr`] | is a multiple given by a function of the step |
//! | [`warmup`](Schedule::warmup) of any schedule | first rises linearly to the schedule's first value |
//!
//! [`ReduceLrOnPlateau`] lowers the learning rate when a metric, usually the validation loss, stops
//! improving. It is not a `Schedule`, because it depends on the metric and not on the step. Call it after
//! each epoch.
//!
//! A [`Group`] sets different hyperparameters for some parameters, chosen by name or rank.
//!
//! To write your own optimizer, implement [`UpdateRule`].

mod adadelta;
mod adagrad;
mod adam;
mod applied;
mod base;
mod group;
mod hyperparameters;
mod optimizer;
mod plateau;
mod schedule;
mod setting;
mod sgd;
mod state;
mod step;
mod update_error;
mod update_rule;

pub use adadelta::Adadelta;
pub use adagrad::Adagrad;
pub use adam::Adam;
pub use base::Base;
pub use group::Group;
pub use optimizer::Optimizer;
pub use plateau::ReduceLrOnPlateau;
pub use schedule::{
    ConstantLr, CosineAnnealingLr, ExponentialLr, LambdaLr, LinearLr, MultiStepLr, OneCycleLr,
    Schedule, StepLr, Warmup,
};
pub use setting::Setting;
pub use sgd::Sgd;
pub use state::{StateError, StateProblem};
pub use update_error::UpdateError;
pub use update_rule::{InvalidHyperparameter, UpdateRule};
