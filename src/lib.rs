//! Reverse-mode automatic differentiation and neural networks in pure Rust.
//!
//! A Wengert list is the tape of reverse-mode differentiation: it records every operation in the
//! order of execution (R. E. Wengert, "A simple automatic derivative evaluation program", 1964). In
//! this library the list is a [`Tape`](autograd::Tape). The values on a tape are
//! [`Var`](autograd::Var)s. They compute like numbers, and they have derivatives of any order:
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
//! This package combines the parts of the library. [`prelude`] contains the names that most
//! programs use. The page [How it works, in ten minutes](guide::how_it_works) explains tapes, modes,
//! memory and reproducibility, and defines the terms of this documentation.
//!
//! | module | content |
//! |---|---|
//! | [`tensor`] | dense strided tensors on the CPU, and the kernels that compute with them |
//! | [`autograd`] | tape, variables, derivative rules, parameters, gradient checking |
//! | `linalg` | solvers and factorisations of matrices: the [feature](#features) `linalg` |
//! | [`nn`] | layers, losses, initialisation, saved models; it contains no derivative rules |
//! | [`optim`] | optimizers and learning rate schedules |
//! | [`data`] | data sets, and the loader that makes batches |
//! | [`train`] | the training loop, evaluation, checkpoints |
//! | `random` | probability distributions, with the feature `random` |
//! | [`plot`] | charts, confusion matrices and images as SVG and PNG |
//! | [`models`] | well-known networks |
//! | [`rand`] | the traits of random number generators |
//! | [`testing`] | tests for operations that you define |
//! | [`guide`] | pages to read: introduction, names in PyTorch and NumPy, errors of the compiler |
//!
//! The page [From PyTorch and NumPy](guide::from_pytorch) lists the public methods, layers, losses
//! and optimizers of wengert beside their names in those libraries.
//!
//! # Training a model
//! One tape is one step: create a tape, run the model, compute the gradients, and let the optimizer
//! update the parameters. The tape has a mode, which layers such as dropout follow: training on
//! [`Tape::train`](autograd::Tape::train), evaluation on [`Tape::eval`](autograd::Tape::eval) and
//! [`Tape::inference`](autograd::Tape::inference). A tape of [`Tape::new`](autograd::Tape::new) has
//! no mode and is for derivatives of functions: these layers panic on it.
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
//! [`train::Trainer`] runs the loop over epochs and batches, with a progress line, validation and
//! checkpoints. [`plot`] draws the results.
//!
//! # Profiles, and the origin of a NaN
//! [`Tape::profiled`](autograd::Tape::profiled) records each kernel of a run. It gives a table per
//! operation and per layer, and a trace for Chrome and Perfetto. `cargo run --release --example
//! profile` shows a profile. [`Tape::detecting_anomalies`](autograd::Tape::detecting_anomalies)
//! panics at the first NaN or infinity, in a value or in a gradient, and names the operation that
//! produced it, its layer and its source line.
//!
//! # Features
//! Two features are enabled by default. The last column is the number of packages that a program
//! compiles, including the seven to nine packages of this library.
//!
//! | feature | content | packages |
//! |---|---|---|
//! | none | tensors, derivatives, layers, optimizers, data | 40 |
//! | `train` | [`train`]: the training loop with its progress line | 46 |
//! | `plots` | [`plot`]: SVG and PNG plots, without system libraries | 46 |
//! | both | | 52 |
//!
//! Five further features are disabled by default, and add packages:
//!
//! | feature | | packages |
//! |---|---|---|
//! | `random` | `random`: probability distributions with reparametrised gradients | 3 |
//! | `csv` | `data::Csv`: tables in text files | 3 |
//! | `images` | `data::ImageFolder`: folders of PNG and JPEG pictures; enables `csv` | 14 |
//! | `linalg` | `linalg::Linalg`: solvers and factorisations of matrices, with derivatives | 1 |
//! | `download` | fetching data sets: `data::Mnist::load_or_download` | 31 |
//!
//! Without `download`, all packages are Rust. The encryption of its connections is the package `ring`, which contains C
//! and assembly: building it needs a C compiler.

/// The traits of random number generators. [`Philox`](tensor::Philox) implements
/// [`Rng`](rand::Rng), the trait that functions with random draws require. Import
/// [`RngExt`](rand::RngExt) to draw numbers yourself: it has `random`, `random_range` and
/// `random_bool`.
///
/// ```
/// use wengert::rand::RngExt;
/// use wengert::tensor::Philox;
/// let die = Philox::new(0).random_range(1..=6);
/// assert!((1..=6).contains(&die));
/// ```
pub use rand;
#[doc(inline)]
pub use wengert_autograd as autograd;
pub use wengert_autograd::testing;
#[doc(inline)]
pub use wengert_data as data;
#[cfg(feature = "linalg")]
#[doc(inline)]
pub use wengert_linalg as linalg;
#[doc(inline)]
pub use wengert_nn as nn;
#[doc(inline)]
pub use wengert_optim as optim;
#[cfg(feature = "plots")]
#[doc(inline)]
pub use wengert_plot as plot;
#[cfg(feature = "random")]
#[doc(inline)]
pub use wengert_random as random;
#[doc(inline)]
pub use wengert_tensor as tensor;
#[cfg(feature = "train")]
#[doc(inline)]
pub use wengert_train as train;

pub mod models;
pub mod prelude;

/// Runs the programs of the README as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Pages to read. This module exists only in the documentation.
// The first definition of a link counts: those here replace the links to files at the end of a page.
#[cfg(any(doc, doctest))]
pub mod guide {
    /// [rustc]: crate::guide::what_rustc_says
    /// [json]: crate::guide::graph_json
    /// [readme]: https://github.com/wengert-rs/wengert#a-first-program
    /// [engine]: https://github.com/wengert-rs/wengert/blob/main/crates/autograd/src/engine/mod.rs
    #[doc = ""]
    #[doc = include_str!("../docs/how-it-works.md")]
    pub mod how_it_works {}

    #[doc = include_str!("../docs/from-pytorch.md")]
    pub mod from_pytorch {}

    /// [cases]: https://github.com/wengert-rs/wengert/tree/main/tests/ui/cases
    #[doc = ""]
    #[doc = include_str!("../docs/what-rustc-says.md")]
    pub mod what_rustc_says {}

    #[doc = include_str!("../docs/graph-json.md")]
    pub mod graph_json {}
}
