//! Kernels.
pub(crate) mod axis_map;
pub(crate) mod compiled;
pub(crate) mod conv;
pub(crate) mod gemm;
pub(crate) mod pointwise;
pub(crate) mod pool;
pub(crate) mod reduce;

pub use axis_map::{AxisMap, AxisMaps};
pub use conv::{Conv, Padding, Pair};
pub use pointwise::{Binary, Expr, Instruction, Opcode, Program, Unary};
pub use pool::{Pool, adaptive_average_maps, average_maps};
