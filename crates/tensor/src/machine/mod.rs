//! Machine.
mod parallel;
mod simd;
mod storage;

pub use parallel::Shared;
pub(crate) use parallel::{PARALLEL, cost, ranges};
#[cfg(test)]
pub use simd::Baseline;
#[cfg(target_arch = "x86_64")]
pub(crate) use simd::x86;
pub use simd::{Isa, Kernel, dispatch, simd};
pub(crate) use storage::Block;
pub use storage::{
    max_memory_allocated, memory_allocated, release_memory, reset_max_memory_allocated,
};
