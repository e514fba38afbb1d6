//! Linear algebra on tensors and variables, with derivatives of every order: the feature `linalg` of wengert.
//!
//! The trait [`Linalg`] adds the methods. Its documentation lists them.
//!
//! ```
//! use wengert::linalg::Linalg;
//! use wengert::tensor::Tensor;
//! let a = Tensor::from([[2.0, 1.0], [1.0, 3.0]]);
//! let x = a.solve(Tensor::from([3.0, 4.0]));
//! assert!((x - Tensor::from([1.0, 1.0])).abs().max(&[], false).item() < 1e-6);
//! ```

// The modules in order of dependency: a module may import the modules above it in this list. In addition, an operation
// calls its rule, and a rule records operations, so `primitive` and `rules` depend on each other.

mod error; // typed errors, and their texts

mod kernels; // factorisations of one matrix

mod batch; // applies a kernel to each matrix

mod primitive; // the operations that a tape records

mod rules; // their derivatives

mod functions; // checks shapes, and combines operations

mod matrices; // tensors and variables

mod linalg; // the methods

pub use error::{LinalgError, LinalgProblem};
pub use linalg::Linalg;
pub use matrices::Matrices;
