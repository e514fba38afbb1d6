//! The clock that all crates of wengert read.

/// A point in time, as `std::time::Instant`. `wasm32-unknown-unknown` has no clock in `std`, whose
/// `Instant::now` panics there; on that target this is the clock of the surrounding JavaScript.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use std::time::Instant;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub use web_time::Instant;
