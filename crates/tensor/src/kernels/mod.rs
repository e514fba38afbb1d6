//! Kernels: the loops over numbers. Matrix products, convolutions, pools, reductions, normalisations of rows and of
//! channels, steps of a long short-term memory, scans, orders, pointwise programs, maps along axes, indexing, copies and
//! random numbers.
//!
//! A kernel takes slices, pointers with strides, and sizes that are already checked, and writes
//! into a slice of the caller. This module knows the modules below it and no tensor: the caller has
//! checked the shapes and allocated the result.
//!
//! `compiled` lists the kernels that are compiled once for each type. Families of kernels import
//! from `blocks`, `gemm`, `lanes` and `reduce`; only `matmul` imports from `compiled`.

pub(crate) mod batch_norm;
mod blocks;
mod compare;
mod compiled;
pub(crate) mod conv;
mod copy;
mod division;
pub(crate) mod gemm;
pub(crate) mod index;
mod integer;
mod lanes;
pub(crate) mod lstm;
mod map_axis;
pub(crate) mod matmul;
pub(crate) mod normal;
pub(crate) mod order;
mod philox;
pub(crate) mod pointwise;
pub(crate) mod pool;
pub(crate) mod random;
pub(crate) mod reduce;
pub(crate) mod row_sums;
pub(crate) mod rows;
pub(crate) mod scan;
mod scratch;
mod small_products;
mod transpose;

pub use blocks::NumberSource;
pub use compare::{CompareKernels, Comparison};
pub use compiled::FloatKernels;
pub use copy::CopyKernel;
pub use integer::IntegerKernels;
pub use order::LinePick;
pub use philox::Philox;
pub use pointwise::{Binary, Expr, Instruction, Opcode, Program, Unary};
pub use scan::{Scan, ScanKernel};
