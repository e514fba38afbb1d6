//! Reverse-mode automatic differentiation and neural networks in pure Rust.
//!
//! A Wengert list is the tape of reverse-mode differentiation: every operation, in the order it
//! happened (R. E. Wengert, "A simple automatic derivative evaluation program", 1964). Here it is a
//! [`Tape`](autograd::Tape). Values on it are [`Var`](autograd::Var)s, which compute like numbers
//! and know their derivatives, of any order:
//!
//! ```
//! use wengert::prelude::*;
//!
//! let tape = Tape::new();
//! let x = tape.watch(Tensor::from([0.5f32, 1.0, 2.0]));
//! let y = (x * x.sin()).sum_all();
//! let slope = y.grad(&[x])[0]; // sin x + x cos x
//! let curvature = slope.sum_all().grad(&[x])[0]; // 2 cos x - x sin x
//! assert!((curvature.value().at(&[1]) - (2.0 * 1f32.cos() - 1f32.sin())).abs() < 1e-6);
//! ```
//!
//! This package holds the parts together; [`prelude`] has the names that most programs use.
//!
//! | | |
//! |---|---|
//! | [`tensor`] | dense strided tensors on the CPU and every kernel that touches their numbers |
//! | [`autograd`] | tape, variables, the rules of derivatives, parameters, gradient checking |
//! | [`nn`] | layers, losses, initialisation, saved models; no derivative is written there |
//! | [`optim`] | what makes better parameters from gradients |
//! | [`data`] | data sets and the loader that makes batches of them |
//! | [`train`] | the training loop, evaluation, checkpoints, pictures |
//! | [`models`] | networks known by name |
//! | [`testing`] | tests of operations of your own |
//!
//! # Training a model
//! A tape is one step: make one, run the model, take the gradients, let the optimizer change the
//! parameters. The tape says how layers such as dropout behave: as in training on
//! [`Tape::train`](autograd::Tape::train), as in evaluation on [`Tape::eval`](autograd::Tape::eval)
//! and [`Tape::inference`](autograd::Tape::inference). On [`Tape::new`](autograd::Tape::new), which
//! is for calculus, they refuse to run.
//!
//! ```
//! use wengert::prelude::*;
//!
//! #[derive(Clone, Module)]
//! struct Mlp {
//!     fc1: Linear,
//!     fc2: Linear,
//! }
//!
//! impl Layer for Mlp {
//!     fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
//!         let hidden = self.fc1.forward(x).tanh();
//!         self.fc2.forward(hidden)
//!     }
//! }
//!
//! let mut rng = Philox::new(0);
//! let mut model = Mlp { fc1: Linear::new(64, 32, &mut rng), fc2: Linear::new(32, 10, &mut rng) };
//! let mut optimizer = Sgd::new(0.5);
//! let digits = Digits::load();
//! let (x, classes) = (digits.scaled_images().flatten(1, -1), digits.labels);
//!
//! let mut losses = vec![];
//! for _ in 0..20 {
//!     let tape = Tape::train(&mut rng);
//!     let loss = cross_entropy(model.forward(tape.constant(x.clone())), &classes);
//!     losses.push(loss.item());
//!     optimizer.step(&mut model, &loss.backward());
//! }
//! assert!(losses[19] < 0.6 * losses[0]);
//! ```
//!
//! The loop of epochs and batches need not be written again: [`train::Trainer`] runs it, with
//! progress, validation and checkpoints, and [`train::plot`] draws what came of it.
//!
//! # Where time goes, and where NaN comes from
//! [`Tape::profiled`](autograd::Tape::profiled) notes each kernel of a run: a table per operation and per
//! layer, and a trace for Chrome and Perfetto. `cargo run --release --example profile` shows one.
//! [`Tape::detecting_anomalies`](autograd::Tape::detecting_anomalies) refuses the first NaN or infinity, in
//! a value or in a gradient, and names the operation that made it, its layer and its line.
//!
//! # Features
//! Both are on by default; numbers are the packages that a program compiles, this library's own seven
//! or eight included.
//!
//! | feature | | packages |
//! |---|---|---|
//! | | tensors, derivatives, layers, optimizers, data | 40 |
//! | `train` | [`train`]: the loop with its progress line | 46 |
//! | `plots` | [`train::plot`]: SVG and PNG pictures, nothing of the system is needed | 51 |

/// The traits of random generators: [`Philox`](tensor::Philox) is an [`Rng`](rand::Rng), whose methods need the
/// trait in scope.
pub use rand;
pub use wengert_autograd as autograd;
pub use wengert_autograd::testing;
pub use wengert_data as data;
pub use wengert_nn as nn;
pub use wengert_optim as optim;
pub use wengert_tensor as tensor;
#[cfg(feature = "train")]
pub use wengert_train as train;

pub mod models;
pub mod prelude;

/// The program of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// So are the programs of the page on messages of the compiler.
#[cfg(doctest)]
#[doc = include_str!("../docs/what-rustc-says.md")]
struct WhatRustcSays;
