//! Machine layer: recycled blocks of memory (`storage`), work distributed over threads
//! (`parallel`) that stay awake for a moment (`crew`), kernels compiled for several instruction sets (`simd`), requests for
//! memory (`prefetch`), results written past the caches (`streaming`), a clock (`clock`), and the macro that makes errors print
//! their text (`error_text`).
//!
//! This module knows layouts, because a block stores the shape and the strides of its tensor. It
//! does not know what the bytes in a block mean.
mod clock;
mod crew;
mod error_text;
mod parallel;
mod prefetch;
mod simd;
mod storage;
mod streaming;

pub use clock::Instant;
pub(crate) use parallel::{PARALLEL, cost, each_part, join, moves, parts, ranges, threads_for};
pub use parallel::{Shared, ThreadsError, num_threads, set_num_threads};
pub(crate) use prefetch::{LINE, prefetch};
#[cfg(test)]
pub use simd::Baseline;
#[cfg(target_arch = "x86_64")]
pub(crate) use simd::x86;
pub use simd::{Isa, Kernel, Unfused, dispatch, simd, simd_short};
pub(crate) use storage::Block;
pub use storage::{
    max_memory_allocated, memory_allocated, release_memory, reset_max_memory_allocated,
};
pub(crate) use streaming::{Streaming, is_streamed};
