//! Kernels for one matrix: plain slices in row-major order, computed in `f64`.
//!
//! A kernel for one number type is compiled once, and matrices of `f32` gain precision by it. Large updates go through
//! the matrix product of tensors, which is distributed over threads and gives the same bits for every number of
//! threads.

pub(crate) mod bidiagonal;
pub(crate) mod cholesky;
pub(crate) mod eigh;
pub(crate) mod expm;
pub(crate) mod lu;
pub(crate) mod qr;
pub(crate) mod reflections;
pub(crate) mod rotations;
pub(crate) mod svd;
pub(crate) mod triangular;
pub(crate) mod vectors;
