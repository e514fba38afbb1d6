//! Probability distributions: draws, logarithms of densities, entropies, divergences.
//!
//! The names are those of `torch.distributions`. A distribution has parameters, which are numbers (`f64`), tensors or
//! variables, and broadcast with each other. If a parameter is a variable, results are recorded on its tape, else they are
//! tensors.
//!
//! ```
//! use wengert::autograd::Tape;
//! use wengert::random::{Gamma, Normal};
//! use wengert::tensor::{Philox, Tensor};
//! let mut rng = Philox::new(0);
//!
//! let x = Normal::new(0.0, 1.0).sample([2, 3], &mut rng); // a tensor
//! assert_eq!(x.shape(), [2, 3]);
//!
//! let tape = Tape::new();
//! let concentration = tape.watch(Tensor::from([0.5, 2.0]));
//! let gamma = Gamma::new(concentration, 1.0);
//! let draws = gamma.rsample([10], &mut rng); // a variable, differentiable in the concentration
//! assert_eq!(draws.shape(), [10, 2]);
//! assert!(gamma.log_prob(-1.0).value().to_vec().iter().all(|log| *log == f32::NEG_INFINITY));
//! ```
//!
//! | | `rsample` | `entropy` | [`kl_divergence`] |
//! |---|---|---|---|
//! | [`Uniform`], [`Normal`], [`LogNormal`], [`Laplace`], [`Gumbel`], [`Exponential`] | yes | yes | yes |
//! | [`Gamma`], [`Beta`], [`Dirichlet`] | yes | yes | yes |
//! | [`StudentT`] | yes | yes | |
//! | [`Bernoulli`], [`Geometric`], [`Binomial`], [`Categorical`] | | yes | yes |
//! | [`Poisson`] | | | yes |
//! | [`multinomial`]: draws with or without replacement | | | |
//!
//! All have `new`, `sample`, `log_prob`, `batch_shape`, and accessors of their parameters. All but [`Categorical`] have `mean`
//! and `variance`. `sample` returns a tensor without derivatives. `rsample` returns draws whose derivatives in the parameters
//! exist, and whose numbers are those that `sample` would return. `log_prob`, `entropy`, `mean`, `variance` and `kl_divergence`
//! are differentiable any number of times.
//!
//! # Seeds
//! Each call of `sample` or `rsample` takes one key from the generator, or two (`Beta`, `StudentT`). Element i of the result (in row-major order)
//! depends on the key, on i and on its own parameters alone. So the numbers do not depend on the number of threads, on the shape,
//! or on the other elements. In a layer, which has no generator, use the one of the tape:
//! [`Tape::rng`](wengert_autograd::Tape::rng).
//!
//! # Checks
//! A constructor refuses parameters that are out of range or NaN, at the line of the call. It computes the values of variables
//! for this check, except in a shape-only run.

mod categorical;
mod constraint;
mod discrete;
mod draw;
mod family;
mod formulas;
mod gamma;
mod implicit;
mod kl;
mod location;
mod quantity;

pub use categorical::{Categorical, multinomial};
pub use discrete::{Bernoulli, Binomial, Geometric, Poisson};
pub use gamma::{Beta, Dirichlet, Gamma};
pub use kl::{KlDivergence, kl_divergence};
pub use location::{Exponential, Gumbel, Laplace, LogNormal, Normal, StudentT, Uniform};
pub use quantity::{Combine, Quantity};
