//! Dense strided tensors on the CPU, and every kernel that touches their numbers.

// The rooms, from the ground up. A room imports only from rooms above it in this list: `tests/rooms.rs`.
mod files;
mod kernels;
mod layout;
mod machine;
mod number;
pub mod shapes;
mod tensor;
#[cfg(test)]
mod testing;

pub use files::{FileError, FileKind, FileProblem, NamedTensors, write_atomically};
pub use kernels::{
    AxisMap, Binary, Conv, Expr, Instruction, Opcode, Padding, Pair, Pool, Program, Unary,
};
pub use layout::{MAX_RANK, Shape, Size, SizeList, Sizes, broadcast_shapes};
pub use machine::{
    max_memory_allocated, memory_allocated, release_memory, reset_max_memory_allocated,
};
pub use tensor::{
    AnyTensor, Dtype, Element, Float, Interpolate, InterpolateMode, InterpolateSize, Number,
    Operand, PadMode, Philox, Tensor, keep_mask,
};
#[doc(hidden)]
pub use tensor::{Figure, Given, copied_in_order};
/// What operations consist of that are linear maps along axes, for the tape.
#[doc(hidden)]
pub mod maps {
    pub use crate::kernels::{AxisMaps, adaptive_average_maps, average_maps};
    pub use crate::tensor::{Windows, border_maps, interpolation_maps};
}
