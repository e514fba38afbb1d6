//! The convolution.

use super::ConvSizes;
use super::correlation::{Correlation, Weights, planned};
use super::planes::Planes;
use crate::kernels::gemm::Gemm;

/// Returns the planes of an image that the taps read, and for each tap its plane and its shift
/// there.
fn planes(g: &ConvSizes) -> (Planes, Vec<(usize, [usize; 2])>) {
    let mut phases = Vec::new();
    let mut taps = Vec::with_capacity(g.taps());
    let mut furthest = [0, 0];
    for p in 0..g.kernel[0] {
        for q in 0..g.kernel[1] {
            let at = [p * g.dilation[0], q * g.dilation[1]];
            let phase = [at[0] % g.stride[0], at[1] % g.stride[1]];
            let known = phases.iter().position(|&known| known == phase);
            let number = known.unwrap_or(phases.len());
            if known.is_none() {
                phases.push(phase);
            }
            let shift = [at[0] / g.stride[0], at[1] / g.stride[1]];
            furthest = [furthest[0].max(shift[0]), furthest[1].max(shift[1])];
            taps.push((number, shift));
        }
    }
    let planes = Planes {
        channels: g.c,
        size: g.size,
        stride: g.stride,
        phases,
        origin: [-(g.padding[0].0 as isize), -(g.padding[1].0 as isize)],
        rows: g.out[0] + furthest[0],
        pitch: g.out[1] + furthest[1],
    };
    (planes, taps)
}

/// All that is prepared for a convolution before its numbers are read.
struct ForwardPlan<T: 'static> {
    planes: Planes,
    correlation: Correlation<T>,
    weights: Weights,
}

impl<T: Gemm> ForwardPlan<T> {
    fn new(g: &ConvSizes) -> Self {
        let (planes, taps) = planes(g);
        let correlation = Correlation::new(g.o, planes.shifts(&taps), g.out, planes.pitch);
        let steps = g.c * g.taps();
        let weights = Weights { group: g.o * steps, map: steps, steps: (0..steps).collect() };
        ForwardPlan { planes, correlation, weights }
    }
}

/// Computes the convolution as a correlation over the planes of each image.
///
/// # Safety
/// As [`super::forward`]; nothing is empty.
pub unsafe fn run<T: Gemm>(g: &ConvSizes, x: &[T], w: &[T], bias: Option<&[T]>, y: &mut [T]) {
    let plan = planned(g, || ForwardPlan::<T>::new(g), |plan| plan.correlation.tiles());
    let ForwardPlan { planes, correlation, weights } = &*plan;
    // SAFETY: the planes and weights are those of `g`, as are the slices.
    unsafe { correlation.images(g.groups, planes, weights, [x, w], bias, y) }
}
