//! Machine layer: recycled blocks of memory (`storage`), work distributed over threads
//! (`parallel`), and kernels compiled for several instruction sets (`simd`).
//!
//! This module knows layouts, because a block stores the shape and the strides of its tensor. It
//! does not know what the bytes in a block mean.
mod parallel;
mod simd;
mod storage;

pub(crate) use parallel::{PARALLEL, cost, ranges};
pub use parallel::{Shared, ThreadsError, set_num_threads};
#[cfg(test)]
pub use simd::Baseline;
#[cfg(target_arch = "x86_64")]
pub(crate) use simd::x86;
pub use simd::{Isa, Kernel, dispatch, simd};
pub(crate) use storage::Block;
pub use storage::{
    max_memory_allocated, memory_allocated, release_memory, reset_max_memory_allocated,
};
