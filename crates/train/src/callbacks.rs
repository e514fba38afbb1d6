//! The callbacks of this crate: those that the settings of a [`Trainer`](crate::Trainer) add, and those
//! for [`Trainer::callback`](crate::Trainer::callback).

mod clip;
mod monitor;
mod own;
mod plateau;
mod stopping;

pub use clip::{ClipNorm, ClipValue};
pub use monitor::Monitor;
pub(crate) use own::{KeepBest, ModelCheckpoint, Scheduled, StopAfter, Validate};
pub use plateau::OnPlateau;
pub use stopping::{EarlyStopping, TimeLimit};
