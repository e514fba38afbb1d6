//! Convolution of batches of images, and its adjoints in the input and in the weight.

mod conv_sizes;
mod correlation;
mod depthwise;
mod forward;
mod input;
mod one_window;
mod planes;
mod weight;
mod winograd;

pub(crate) use conv_sizes::ConvSizes;

use super::gemm::Gemm;
use depthwise::DepthwiseKernel;

/// Numbers with the kernels of convolutions: `f32` and `f64`.
pub trait Convolve: Gemm + DepthwiseKernel {}
impl<T: Gemm + DepthwiseKernel> Convolve for T {}

/// Computes the convolution y of x and w, plus an optional bias.
///
/// # Safety
/// The slices have the sizes of `g`, which was made from checked shapes.
pub unsafe fn forward<T: Convolve>(
    g: &ConvSizes,
    x: &[T],
    w: &[T],
    bias: Option<&[T]>,
    y: &mut [T],
) {
    if y.is_empty() {
    } else if w.is_empty() {
        nothing_but_bias(g, bias, y);
    } else if one_window::applies(g) {
        one_window::forward(g, x, w, bias, y);
    } else if depthwise::applies(g) {
        // SAFETY: the same contract.
        unsafe { depthwise::forward(g, x, w, bias, y) }
    } else if winograd::correlate::forward_applies::<T>(g)
        // SAFETY: the same contract.
        && unsafe { winograd::correlate::forward(g, x, w, bias, y) }
    {
        // All results are finite and written.
    } else {
        // SAFETY: the same contract.
        unsafe { forward::run(g, x, w, bias, y) }
    }
}

/// Writes the result for an input without channels: empty sums plus the bias.
fn nothing_but_bias<T: Gemm>(g: &ConvSizes, bias: Option<&[T]>, y: &mut [T]) {
    let (pixels, maps) = (g.out_pixels(), g.groups * g.o);
    for (map, y) in y.chunks_mut(pixels).enumerate() {
        y.fill(bias.map_or(T::default(), |bias| bias[map % maps]));
    }
}

/// Computes the adjoint in the input: gx from gy and w.
///
/// # Safety
/// As [`forward`].
pub unsafe fn input<T: Convolve>(g: &ConvSizes, gy: &[T], w: &[T], gx: &mut [T]) {
    if gx.is_empty() || gy.is_empty() || w.is_empty() {
        gx.fill(T::default());
    } else if one_window::applies(g) {
        one_window::input(g, gy, w, gx);
    } else if depthwise::input_applies(g) {
        // SAFETY: the same contract.
        unsafe { depthwise::input(g, gy, w, gx) }
    } else if winograd::correlate::input_applies::<T>(g)
        // SAFETY: the same contract.
        && unsafe { winograd::correlate::input(g, gy, w, gx) }
    {
        // All results are finite and written.
    } else {
        // SAFETY: the same contract.
        unsafe { input::run(g, gy, w, gx) }
    }
}

/// Computes the adjoint in the weight: gw from x and gy.
///
/// # Safety
/// As [`forward`].
pub unsafe fn weight<T: Convolve>(g: &ConvSizes, x: &[T], gy: &[T], gw: &mut [T]) {
    if x.is_empty() || gy.is_empty() || gw.is_empty() {
        gw.fill(T::default());
    } else if one_window::applies(g) {
        one_window::weight(g, x, gy, gw);
    } else if depthwise::weight_applies(g) {
        // SAFETY: the same contract.
        unsafe { depthwise::weight(g, x, gy, gw) }
    } else if winograd::weight::applies::<T>(g)
        // SAFETY: the same contract.
        && unsafe { winograd::weight::run(g, x, gy, gw) }
    {
        // All results are finite and written.
    } else {
        // SAFETY: the same contract.
        unsafe { weight::run(g, x, gy, gw) }
    }
}
