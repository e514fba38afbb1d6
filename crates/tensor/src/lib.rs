//! Dense strided tensors on the CPU, and every kernel that touches their numbers.

mod any;
mod axis_map;
mod border;
mod compiled;
mod conv;
mod display;
mod element;
mod error_text;
mod file;
mod file_kind;
mod gemm;
mod index;
mod interpolate;
mod join;
mod math;
mod matmul;
mod named;
mod operand;
mod parallel;
mod pointwise;
mod pool;
mod random;
mod reduce;
mod safetensors;
mod shape;
pub mod shapes;
mod simd;
mod sizes;
mod storage;
mod strided;
mod tensor;
#[cfg(test)]
mod testing;
mod unfold;
mod views;

pub use any::AnyTensor;
pub use axis_map::AxisMap;
pub use border::PadMode;
pub use conv::{Conv, Padding, Pair};
pub use element::{Dtype, Element, Float, Number};
pub use file::{FileError, FileProblem, write_atomically};
pub use file_kind::FileKind;
pub use interpolate::{Interpolate, InterpolateMode, InterpolateSize};
pub use named::NamedTensors;
pub use operand::Operand;
#[doc(hidden)]
pub use operand::{Figure, Given};
pub use pointwise::{Binary, Expr, Instruction, Opcode, Program, Unary};
pub use pool::Pool;
/// What operations consist of that are linear maps along axes, for the tape.
#[doc(hidden)]
pub mod maps {
    pub use crate::axis_map::AxisMaps;
    pub use crate::border::border_maps;
    pub use crate::interpolate::interpolation_maps;
    pub use crate::pool::{adaptive_average_maps, average_maps};
    pub use crate::unfold::Windows;
}
pub use random::{Philox, keep_mask};
pub use shape::{MAX_RANK, Shape, broadcast_shapes};
pub use sizes::{Size, SizeList, Sizes};
pub use storage::{
    max_memory_allocated, memory_allocated, release_memory, reset_max_memory_allocated,
};
pub use tensor::Tensor;
#[doc(hidden)]
pub use views::copied_in_order;
