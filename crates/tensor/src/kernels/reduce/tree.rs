//! The tree along which every reduction combines numbers: the sizes of its leaves and blocks.

/// Number of accumulators: enough vectors to hide the latency of an addition.
pub(crate) const LANES: usize = 64;
/// Number of elements that are added to the accumulators before the accumulators are combined.
pub(crate) const LEAF: usize = 16 * LANES;
/// Maximum number of elements in one call of a kernel. It is `LEAF` times a power of two, so that
/// the tree inside a block is built like the tree above the blocks.
pub(crate) const BLOCK: usize = 32 * LEAF;
