//! The tree along which every reduction combines numbers: the sizes of its leaves and blocks, and its two
//! branches on two threads.

use crate::machine::PARALLEL;

/// Number of accumulators: enough vectors to hide the latency of an addition.
pub(crate) const LANES: usize = 64;
/// Number of elements that are added to the accumulators before the accumulators are combined.
pub(crate) const LEAF: usize = 16 * LANES;
/// Maximum number of elements in one call of a kernel. It is `LEAF` times a power of two, so that
/// the tree inside a block is built like the tree above the blocks.
pub(crate) const BLOCK: usize = 32 * LEAF;

/// Calls both functions, on two threads if there are many elements.
pub(crate) fn join(elements: usize, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
    if elements >= PARALLEL {
        rayon::join(a, b);
    } else {
        a();
        b();
    }
}
