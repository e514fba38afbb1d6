//! Dense strided tensors on the CPU, and every kernel that touches their numbers.

// The rooms, from the ground up. A room imports only from rooms above it in this list: `tests/rooms.rs`.
mod files;
mod geometry;
mod kernels;
mod layout;
mod machine;
#[doc(hidden)]
pub mod maps;
mod number;
pub mod shapes;
mod tensor;
#[cfg(test)]
mod testing;

pub use files::{FileError, FileKind, FileProblem, NamedTensors, write_atomically};
pub use geometry::{
    Conv, Interpolate, InterpolateMode, InterpolateSize, PadMode, Padding, Pair, Pool,
};
pub use kernels::{Binary, Expr, Instruction, Opcode, Philox, Program, Unary};
pub use layout::{MAX_RANK, Shape, Size, SizeList, Sizes, broadcast_shapes};
pub use machine::{
    max_memory_allocated, memory_allocated, release_memory, reset_max_memory_allocated,
};
pub use maps::AxisMap;
pub use number::Dtype;
pub use tensor::{AnyTensor, Element, Float, Number, Operand, Tensor, keep_mask};
#[doc(hidden)]
pub use tensor::{Figure, Given, copied_in_order};
