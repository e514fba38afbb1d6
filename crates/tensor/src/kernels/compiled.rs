//! Compiles the kernels in this crate, once for each number type.
//!
//! A generic function is compiled again in every crate that uses it with a concrete type. Kernels
//! exist once per instruction set; compiling them in every program would take minutes. A
//! method of a trait that is implemented for `f32` is an ordinary function of this crate, and the
//! generic methods of the tensor call it. Kernels that other kernels call have their own traits
//! next to their loops ([`Pointwise`], [`Gemm`]), so that no kernel imports this list.
//!
//! The traits are public because they are bounds of [`Float`](crate::Float), so any crate can call
//! their methods through `T: Float`. No other crate can implement them for an element type, because
//! [`Element`](crate::Element) is sealed. A method that trusts its arguments is therefore `unsafe`,
//! although other crates can hardly construct its arguments.

use super::conv::{self, ConvSizes};
use super::gemm::{self, Gemm, MatRef};
use super::map_axis;
use super::pointwise::{Pointwise, Program, ProgramInput, Split};
use super::pool::{self, PoolSizes};
use crate::geometry::SparseRows;
use crate::machine::Shared;

/// Kernels of floating-point numbers.
pub trait FloatKernels: Pointwise + Gemm {
    /// Evaluates a program. Safe code cannot call it:
    ///
    /// ```compile_fail,E0133
    /// use wengert::tensor::{Float, Program};
    /// fn anywhere<T: Float>(program: &Program) {
    ///     T::evaluate(program, &[], &[], 1000);
    /// }
    /// ```
    ///
    /// # Safety
    /// As [`Program::evaluate_here`].
    #[doc(hidden)]
    unsafe fn evaluate(
        program: &Program,
        sources: &[ProgramInput<Self>],
        targets: &[Shared<Self>],
        n: usize,
    );
    /// Evaluates a program, and sums its results.
    ///
    /// # Safety
    /// As [`Program::sum_here`].
    #[doc(hidden)]
    unsafe fn program_sum(
        program: &Program,
        sources: &[ProgramInput<Self>],
        split: Split,
        sums: &mut [Self],
    );
    /// Computes the maximum of each window, and its position.
    #[doc(hidden)]
    fn max_pool(x: &[Self], sizes: PoolSizes, values: &mut [Self], positions: &mut [i64]);
    /// Multiplies slices along an axis by a sparse matrix.
    #[doc(hidden)]
    fn map_axis(x: &[Self], n: usize, inner: usize, rows: &SparseRows, out: &mut [Self]);
    /// Computes a matrix product.
    ///
    /// # Safety
    /// As [`gemm::gemm`].
    #[doc(hidden)]
    unsafe fn gemm(a: MatRef<Self>, b: MatRef<Self>, c: *mut Self, ldc: usize, accumulate: bool);
    /// Computes a convolution.
    ///
    /// # Safety
    /// The slices have the sizes of `g`, which was made from checked shapes.
    #[doc(hidden)]
    unsafe fn conv2d(g: &ConvSizes, x: &[Self], w: &[Self], bias: Option<&[Self]>, y: &mut [Self]);
    /// Computes the gradient of a convolution with respect to its input.
    ///
    /// # Safety
    /// As [`conv2d`](FloatKernels::conv2d).
    #[doc(hidden)]
    unsafe fn conv2d_input(g: &ConvSizes, gy: &[Self], w: &[Self], gx: &mut [Self]);
    /// Computes the gradient of a convolution with respect to its weight.
    ///
    /// # Safety
    /// As [`conv2d`](FloatKernels::conv2d).
    #[doc(hidden)]
    unsafe fn conv2d_weight(g: &ConvSizes, x: &[Self], gy: &[Self], gw: &mut [Self]);
}

macro_rules! float_kernels {
    ($($t:ident)*) => { $(
        impl FloatKernels for $t {
            unsafe fn evaluate(
                program: &Program,
                sources: &[ProgramInput<$t>],
                targets: &[Shared<$t>],
                n: usize,
            ) {
                // SAFETY: the same contract.
                unsafe { program.evaluate_here(sources, targets, n) }
            }
            unsafe fn program_sum(
                program: &Program,
                sources: &[ProgramInput<$t>],
                split: Split,
                sums: &mut [$t],
            ) {
                // SAFETY: the same contract.
                unsafe { program.sum_here(sources, split, sums) }
            }
            fn max_pool(x: &[$t], sizes: PoolSizes, values: &mut [$t], positions: &mut [i64]) {
                pool::max_pool(x, sizes, values, positions);
            }
            fn map_axis(x: &[$t], n: usize, inner: usize, rows: &SparseRows, out: &mut [$t]) {
                map_axis::map_axis(x, n, inner, rows, out);
            }
            unsafe fn gemm(a: MatRef<$t>, b: MatRef<$t>, c: *mut $t, ldc: usize, accumulate: bool) {
                // SAFETY: the same contract.
                unsafe { gemm::gemm(a, b, c, ldc, accumulate) }
            }
            unsafe fn conv2d(
                g: &ConvSizes,
                x: &[$t],
                w: &[$t],
                bias: Option<&[$t]>,
                y: &mut [$t],
            ) {
                // SAFETY: the same contract.
                unsafe { conv::forward(g, x, w, bias, y) }
            }
            unsafe fn conv2d_input(g: &ConvSizes, gy: &[$t], w: &[$t], gx: &mut [$t]) {
                // SAFETY: the same contract.
                unsafe { conv::input(g, gy, w, gx) }
            }
            unsafe fn conv2d_weight(g: &ConvSizes, x: &[$t], gy: &[$t], gw: &mut [$t]) {
                // SAFETY: the same contract.
                unsafe { conv::weight(g, x, gy, gw) }
            }
        }
    )* };
}
float_kernels! { f32 f64 }
