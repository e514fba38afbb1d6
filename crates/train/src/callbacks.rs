//! The callbacks that the crate brings along: those that a [`Trainer`](crate::Trainer)'s settings add,
//! and those that are added with [`Trainer::callback`](crate::Trainer::callback).

mod clip;
mod monitor;
mod own;
mod plateau;
mod stopping;

pub use clip::{ClipNorm, ClipValue};
pub use monitor::Monitor;
pub(crate) use own::{Checkpoint, KeepBest, Scheduled, StopAfter, Validate};
pub use plateau::OnPlateau;
pub use stopping::{EarlyStopping, TimeLimit};
