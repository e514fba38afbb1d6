//! Dense strided tensors on the CPU, and the kernels that compute on their elements.

// The modules ("rooms"), lowest layer first. A module imports only from modules above it in this list;
// `tests/all/rooms.rs` checks that. Each `mod.rs` says what the module holds and what it may import.

// Shapes, sizes, strides.
mod layout;

// Memory, threads, instruction sets.
mod machine;

// Element types and elementary functions.
mod number;

// Options of operations on images and signals; linear maps along axes.
mod geometry;

// Shape rules.
pub mod shapes;

// The linear maps of which pooling, padding, interpolation and unfolding consist. The tape uses them too.
#[doc(hidden)]
pub mod axis_maps;

// Loops over numbers.
mod kernels;

// The type and its methods.
mod tensor;

// Named tensors on disk.
mod files;

#[cfg(test)]
mod testing;

pub use files::{FileError, FileKind, FileProblem, NamedTensors, write_atomically};
pub use geometry::{
    AxisMap, Conv, Interpolate, InterpolateMode, InterpolateSize, PadMode, Padding, Pair, Pool,
    Triple, VolumeConv, VolumePadding, VolumePool,
};
pub use kernels::{Binary, Expr, Instruction, Opcode, Philox, Program, Unary};
#[doc(hidden)]
pub use kernels::{LinePick, Scan};
pub use layout::{MAX_RANK, Shape, Size, SizeList, Sizes, broadcast_shapes};
#[doc(hidden)]
pub use machine::{Instant, simd};
pub use machine::{
    ThreadsError, max_memory_allocated, memory_allocated, num_threads, release_memory,
    reset_max_memory_allocated, set_num_threads,
};
pub use number::Dtype;
pub use tensor::{AnyTensor, Element, Float, Number, Operand, ScatterReduce, Tensor, keep_mask};
#[doc(hidden)]
pub use tensor::{Figure, Given, Grouping, PerType, copied_in_order};
