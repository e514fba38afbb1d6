//! Kernels.

mod compiled;
pub(crate) mod conv;
mod copy;
pub(crate) mod gemm;
mod map_lines;
pub(crate) mod matmul;
mod philox;
pub(crate) mod pointwise;
pub(crate) mod pool;
pub(crate) mod reduce;
mod scratch;

pub use compiled::FloatKernels;
pub(crate) use copy::copy;
pub use philox::Philox;
pub(crate) use philox::{BATCH, for_bytes};
pub use pointwise::{Binary, Expr, Instruction, Opcode, Program, Unary};
