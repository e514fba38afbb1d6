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

use super::batch_norm::{self, BatchNormGradient, BatchNormOperands};
use super::blocks::NumberSource;
use super::conv::{self, ConvSizes};
use super::gemm::{self, Gemm, MatRef};
use super::lstm::{self, LstmGradient, LstmOperands, LstmResults};
use super::map_axis;
use super::pointwise::{Pointwise, Program, Split};
use super::pool::{self, PoolSizes};
use super::reduce::ReducedSizes;
use super::rows::{self, LayerNormGradient};
use super::small_products;
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
        sources: &[NumberSource<Self>],
        targets: &[Shared<Self>],
        n: usize,
    );
    /// Evaluates a program, and sums its results, which are also written to `kept`, if it is given.
    ///
    /// # Safety
    /// As [`Program::sum_here`].
    #[doc(hidden)]
    unsafe fn program_sum(
        program: &Program,
        sources: &[NumberSource<Self>],
        split: Split,
        kept: Option<Shared<Self>>,
        sums: &mut [Self],
    );
    /// Computes the maximum of each window, and its position if `positions` is given.
    #[doc(hidden)]
    fn max_pool(x: &[Self], sizes: PoolSizes, values: &mut [Self], positions: Option<&mut [i64]>);
    /// Computes softmax, or its logarithm, along the middle axis.
    #[doc(hidden)]
    fn softmax(log: bool, x: &[Self], sizes: ReducedSizes, out: &mut [Self]);
    /// Computes the gradient of softmax, or of its logarithm, along the middle axis.
    #[doc(hidden)]
    fn softmax_gradient(log: bool, gy: &[Self], y: &[Self], sizes: ReducedSizes, out: &mut [Self]);
    /// Normalises rows. Also writes their means and inverse deviations.
    #[doc(hidden)]
    fn layer_norm(
        x: &[Self],
        n: usize,
        affine: [&[Self]; 2],
        eps: Self,
        y: &mut [Self],
        statistics: [&mut [Self]; 2],
    );
    /// Computes the gradients of normalised rows.
    #[doc(hidden)]
    fn layer_norm_gradient(
        of: LayerNormGradient<'_, Self>,
        n: usize,
        gx: &mut [Self],
        affine: [&mut [Self]; 2],
    );
    /// Computes a step of a long short-term memory.
    #[doc(hidden)]
    fn lstm(of: LstmOperands<'_, Self>, n: usize, to: LstmResults<'_, Self>);
    /// Computes the gradients of a step of a long short-term memory.
    #[doc(hidden)]
    fn lstm_gradient(
        of: LstmGradient<'_, Self>,
        n: usize,
        by_gates: &mut [Self],
        by_c: &mut [Self],
    );
    /// Computes means and variances of the channels of images [n, c, inner].
    #[doc(hidden)]
    fn channel_moments(x: &[Self], sizes: [usize; 3], divisor: f64, results: [&mut [Self]; 2]);
    /// Normalises the channels of images [n, c, inner].
    #[doc(hidden)]
    fn batch_norm(of: BatchNormOperands<'_, Self>, sizes: [usize; 3], eps: f64, y: &mut [Self]);
    /// Computes the gradients of normalised channels.
    #[doc(hidden)]
    fn batch_norm_gradient(
        of: BatchNormGradient<'_, Self>,
        sizes: [usize; 3],
        eps: f64,
        kept: Option<&mut [Self]>,
        gx: &mut [Self],
        affine: [&mut [Self]; 2],
    );
    /// Computes means and variances over the second and the last of four axes.
    #[doc(hidden)]
    fn moments(x: &[Self], sizes: [usize; 4], divisor: f64, results: [&mut [Self]; 2]);
    /// Multiplies slices along an axis by a sparse matrix.
    #[doc(hidden)]
    fn map_axis(x: &[Self], n: usize, inner: usize, rows: &SparseRows, out: &mut [Self]);
    /// Computes a matrix product.
    ///
    /// # Safety
    /// As [`gemm::gemm`].
    #[doc(hidden)]
    unsafe fn gemm(a: MatRef<Self>, b: MatRef<Self>, c: *mut Self, ldc: usize, accumulate: bool);
    /// Computes products of small matrices, if there is a loop for their sizes. Returns whether it did.
    ///
    /// # Safety
    /// As [`small_products::small_products`].
    #[doc(hidden)]
    unsafe fn small_products(
        operands: [MatRef<Self>; 2],
        places: &mut dyn FnMut() -> [isize; 2],
        count: usize,
        out: *mut Self,
    ) -> bool;
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
                sources: &[NumberSource<$t>],
                targets: &[Shared<$t>],
                n: usize,
            ) {
                // SAFETY: the same contract.
                unsafe { program.evaluate_here(sources, targets, n) }
            }
            unsafe fn program_sum(
                program: &Program,
                sources: &[NumberSource<$t>],
                split: Split,
                kept: Option<Shared<$t>>,
                sums: &mut [$t],
            ) {
                // SAFETY: the same contract.
                unsafe { program.sum_here(sources, split, kept, sums) }
            }
            fn max_pool(
                x: &[$t],
                sizes: PoolSizes,
                values: &mut [$t],
                positions: Option<&mut [i64]>,
            ) {
                pool::max_pool(x, sizes, values, positions);
            }
            fn softmax(log: bool, x: &[$t], sizes: ReducedSizes, out: &mut [$t]) {
                rows::softmax(log, x, sizes, out);
            }
            fn softmax_gradient(
                log: bool,
                gy: &[$t],
                y: &[$t],
                sizes: ReducedSizes,
                out: &mut [$t],
            ) {
                rows::softmax_gradient(log, gy, y, sizes, out);
            }
            fn layer_norm(
                x: &[$t],
                n: usize,
                affine: [&[$t]; 2],
                eps: $t,
                y: &mut [$t],
                statistics: [&mut [$t]; 2],
            ) {
                rows::layer_norm(x, n, affine, eps, y, statistics);
            }
            fn layer_norm_gradient(
                of: LayerNormGradient<'_, $t>,
                n: usize,
                gx: &mut [$t],
                affine: [&mut [$t]; 2],
            ) {
                rows::layer_norm_gradient(of, n, gx, affine);
            }
            fn lstm(of: LstmOperands<'_, $t>, n: usize, to: LstmResults<'_, $t>) {
                lstm::lstm(of, n, to);
            }
            fn lstm_gradient(
                of: LstmGradient<'_, $t>,
                n: usize,
                by_gates: &mut [$t],
                by_c: &mut [$t],
            ) {
                lstm::lstm_gradient(of, n, by_gates, by_c);
            }
            fn channel_moments(
                x: &[$t],
                sizes: [usize; 3],
                divisor: f64,
                results: [&mut [$t]; 2],
            ) {
                batch_norm::statistics(x, sizes, divisor, results);
            }
            fn batch_norm(
                of: BatchNormOperands<'_, $t>,
                sizes: [usize; 3],
                eps: f64,
                y: &mut [$t],
            ) {
                batch_norm::batch_norm(of, sizes, eps, y);
            }
            fn batch_norm_gradient(
                of: BatchNormGradient<'_, $t>,
                sizes: [usize; 3],
                eps: f64,
                kept: Option<&mut [$t]>,
                gx: &mut [$t],
                affine: [&mut [$t]; 2],
            ) {
                batch_norm::batch_norm_gradient(of, sizes, eps, kept, gx, affine);
            }
            fn moments(x: &[$t], sizes: [usize; 4], divisor: f64, results: [&mut [$t]; 2]) {
                rows::moments(x, sizes, divisor, results);
            }
            fn map_axis(x: &[$t], n: usize, inner: usize, rows: &SparseRows, out: &mut [$t]) {
                map_axis::map_axis(x, n, inner, rows, out);
            }
            unsafe fn gemm(a: MatRef<$t>, b: MatRef<$t>, c: *mut $t, ldc: usize, accumulate: bool) {
                // SAFETY: the same contract.
                unsafe { gemm::gemm(a, b, c, ldc, accumulate) }
            }
            unsafe fn small_products(
                operands: [MatRef<$t>; 2],
                places: &mut dyn FnMut() -> [isize; 2],
                count: usize,
                out: *mut $t,
            ) -> bool {
                // SAFETY: the same contract.
                unsafe { small_products::small_products(operands, places, count, out) }
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
