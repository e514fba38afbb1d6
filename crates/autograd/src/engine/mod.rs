//! The engine: computes values when they are needed, releases them when they are not, and walks back.
//!
//! DOC

mod backward;
mod checkpoint;
mod force;
mod gradients;
mod hooks;
mod invariants;
mod norms;
mod release;
mod replay;
mod walk;

pub use gradients::{Gradients, NotFinite, value_and_grad, value_and_grad_with};
pub use hooks::{HookSite, Hooks};
pub(crate) use norms::norm;
pub use replay::Replay;
