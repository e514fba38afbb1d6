//! The paths of the package `wengert`, for the examples in the documentation of its parts.
//!
//! An example in the documentation of a part says `use wengert::tensor::Tensor;`, because a program
//! that depends on `wengert` can paste that line. The examples of a part are compiled with the tests
//! of the part, and a part cannot depend on the whole package without building the parts above it.
//! Therefore each part has this package as a development dependency by the name `wengert`, with
//! the features of the parts below. A dependency without a version is removed when a part is published.
//!
//! `tests/all/api` compares the paths with those of `wengert`.

#[cfg(feature = "autograd")]
pub use wengert_autograd as autograd;
#[cfg(feature = "data")]
pub use wengert_data as data;
#[cfg(feature = "linalg")]
pub use wengert_linalg as linalg;
#[cfg(feature = "nn")]
pub use wengert_nn as nn;
#[cfg(feature = "optim")]
pub use wengert_optim as optim;
#[cfg(feature = "plot")]
pub use wengert_plot as plot;
#[cfg(feature = "random")]
pub use wengert_random as random;
pub use wengert_tensor as tensor;
#[cfg(feature = "train")]
pub use wengert_train as train;
