//! Dense strided tensors on the CPU, and every kernel that touches their numbers.

mod any;
mod axis_map;
mod compiled;
mod conv;
mod display;
mod element;
mod file;
mod gemm;
mod index;
mod join;
mod math;
mod matmul;
mod named;
mod parallel;
mod pointwise;
mod pool;
mod random;
mod reduce;
mod safetensors;
mod shape;
pub mod shapes;
mod simd;
mod storage;
mod strided;
mod tensor;
#[cfg(test)]
mod testing;
mod views;

pub use any::AnyTensor;
pub use axis_map::AxisMap;
pub use conv::{Conv, Padding, Pair};
pub use element::{Dtype, Element, Float, Number};
pub use file::{FileError, FileProblem, write_atomically};
pub use named::NamedTensors;
pub use pointwise::{Binary, Expr, Instruction, Opcode, Program, Unary};
pub use pool::Pool;
/// The linear maps that averages consist of, for the tape.
#[doc(hidden)]
pub mod pooling {
    pub use crate::pool::{PlaneMap, adaptive_average_maps, average_maps};
}
pub use random::{Philox, keep_mask};
pub use shape::{MAX_RANK, Shape, broadcast_shapes};
pub use storage::release_memory;
pub use tensor::Tensor;
