//! The adjoint in the input: each phase of the stride is a correlation of stride 1.

use super::ConvSizes;
use super::correlation::{Correlation, Weights, planned, share};
use super::planes::Planes;
use crate::kernels::gemm::Gemm;
use crate::kernels::gemm::{Use, with_buffer};
use crate::machine::simd;
use crate::machine::{Shared, cost};

/// The pixels i ≡ `first` (mod stride) of an input image, along one axis.
struct Phase {
    first: usize,
    /// Number of pixels.
    len: usize,
    /// The taps that read these pixels, each with its distance: pixel first + u·stride reads
    /// pixel u + distance of the gradient.
    taps: Vec<(usize, isize)>,
}

/// Returns the phases of an axis, and the least distance of all taps.
fn phases(g: &ConvSizes, axis: usize) -> (Vec<Phase>, isize) {
    let stride = g.stride[axis];
    let phase = |first: usize| {
        let taps = (0..g.kernel[axis]).filter_map(|tap| {
            let at =
                first as isize + g.padding[axis].0 as isize - (tap * g.dilation[axis]) as isize;
            (at.rem_euclid(stride as isize) == 0).then(|| (tap, at.div_euclid(stride as isize)))
        });
        Phase { first, len: (g.size[axis] - first).div_ceil(stride), taps: taps.collect() }
    };
    let phases: Vec<Phase> = (0..stride.min(g.size[axis])).map(phase).collect();
    let distances = phases.iter().flat_map(|phase| phase.taps.iter().map(|tap| tap.1));
    let least = distances.min().unwrap_or_default();
    (phases, least)
}

/// Returns the number of pixels of the padded gradient that the phases of an axis read.
fn reach(phases: &[Phase], least: isize) -> usize {
    let ends = phases.iter().flat_map(|phase| {
        phase.taps.iter().map(|&(_, distance)| phase.len + (distance - least) as usize)
    });
    ends.max().unwrap_or_default()
}

/// All that is prepared for an adjoint before its numbers are read: the planes of the gradient, and the pixels of each
/// phase.
struct InputPlan<T: 'static> {
    planes: Planes,
    parts: Vec<PhasePixels<T>>,
}

fn plan<T: Gemm>(g: &ConvSizes) -> InputPlan<T> {
    let ((tall, top), (wide, left)) = (phases(g, 0), phases(g, 1));
    let planes = Planes {
        channels: g.o,
        size: g.out,
        stride: [1, 1],
        phases: vec![[0, 0]],
        origin: [top, left],
        rows: reach(&tall, top),
        pitch: reach(&wide, left),
    };
    let mut parts = Vec::with_capacity(tall.len() * wide.len());
    for vertical in &tall {
        for horizontal in &wide {
            let (mut taps, mut places) = (Vec::new(), Vec::new());
            for &(p, down) in &vertical.taps {
                for &(q, right) in &horizontal.taps {
                    taps.push((0, [(down - top) as usize, (right - left) as usize]));
                    places.push(p * g.kernel[1] + q);
                }
            }
            let size = [vertical.len, horizontal.len];
            let (map, of_output) = (g.taps(), g.c * g.taps());
            let steps = (0..g.o).flat_map(|o| places.iter().map(move |at| o * of_output + at));
            let weights = Weights { group: g.o * of_output, map, steps: steps.collect() };
            let correlation = Correlation::new(g.c, planes.shifts(&taps), size, planes.pitch);
            parts.push(PhasePixels {
                correlation,
                weights,
                size,
                first: [vertical.first, horizontal.first],
            });
        }
    }
    InputPlan { planes, parts }
}

/// Computes the adjoint. See [`Tensor::conv2d_input`](crate::Tensor::conv2d_input).
///
/// # Safety
/// As [`super::forward`]; nothing is empty.
pub unsafe fn run<T: Gemm>(g: &ConvSizes, gy: &[T], w: &[T], gx: &mut [T]) {
    let tiles = |plan: &InputPlan<T>| plan.parts.iter().map(|part| part.correlation.tiles()).sum();
    let plan = planned(g, || plan(g), tiles);
    let InputPlan { planes, parts } = &*plan;
    match &parts[..] {
        [part] if g.stride == [1, 1] => {
            // SAFETY: the planes and weights are those of `g`, as are the slices.
            unsafe {
                part.correlation.images(g.groups, planes, &part.weights, [gy, w], None, gx);
            }
        }
        // SAFETY: as above.
        parts => unsafe { interleaved(g, planes, parts, [gy, w], gx) },
    }
}

/// The input pixels of one phase along each axis.
struct PhasePixels<T: 'static> {
    correlation: Correlation<T>,
    weights: Weights,
    /// Number of rows and columns.
    size: [usize; 2],
    /// The first row and column.
    first: [usize; 2],
}

/// Computes several phases, each on its own, image by image, and interleaves them.
///
/// # Safety
/// As [`run`]; planes and parts are those of `g`.
unsafe fn interleaved<T: Gemm>(
    g: &ConvSizes,
    planes: &Planes,
    parts: &[PhasePixels<T>],
    [gy, w]: [&[T]; 2],
    gx: &mut [T],
) {
    let packed_len = |part: &PhasePixels<T>| g.groups * part.correlation.packed_len();
    let room = parts.iter().map(packed_len).sum::<usize>() + Correlation::<T>::excess();
    with_buffer(Use::Weights, room, |packed: *mut T| {
        let mut from = packed;
        let packed: Vec<(*const T, usize)> = parts
            .iter()
            .map(|part| {
                let to = from;
                from = from.wrapping_add(packed_len(part));
                // SAFETY: the lengths and a vector more add up to that of the buffer. Parts are packed in
                // ascending order.
                unsafe { part.correlation.pack(g.groups, w, &part.weights, to) };
                (to.cast_const(), packed_len(part))
            })
            .collect();
        // SAFETY: all parts were packed; the buffer is not written any more.
        let packed: Vec<&[T]> = packed
            .into_iter()
            .map(|(part, len)| unsafe { std::slice::from_raw_parts(part, len) })
            .collect();
        let (source, image) = (planes.image_len(), g.c * g.pixels());
        let gathered_len = parts.iter().map(|part| part.correlation.gathered_len()).max();
        let behind = planes.len() + Correlation::<T>::excess();
        let maps = behind + gathered_len.unwrap_or_default();
        let products = cost(&[g.n * g.groups, g.o, g.out_pixels(), g.c, g.taps()]);
        let out = Shared(gx.as_mut_ptr());
        share([g.n * g.groups, 1], products, [behind, maps + image], |unit, _, buffer: *mut T| {
            // SAFETY: the image is in `gy`; planes, gathered pixels and maps fit the buffer; no
            // other call writes this image of `gx`.
            unsafe {
                planes.fill(gy.as_ptr().add(unit * source), buffer);
                let mut map = buffer.add(maps);
                let to = out.get().add(unit * image);
                for (part, packed) in parts.iter().zip(&packed) {
                    let correlation = &part.correlation;
                    let packed = &packed[unit % g.groups * correlation.packed_len()..];
                    let gathered = buffer.add(behind);
                    correlation.run(0..correlation.tiles(), buffer, packed, None, gathered, map);
                    map = map.add(g.c * correlation.pixels);
                }
                let maps = buffer.add(maps).cast_const();
                simd(
                    #[inline(always)]
                    move || interleave(g, parts, maps, to),
                );
            }
        });
    });
}

/// Copies the maps of all phases, which follow each other at `from`, to their pixels in the image.
///
/// # Safety
/// All maps are at `from`, and `to` has room for the channels of an image.
#[inline(always)]
unsafe fn interleave<T: Gemm>(g: &ConvSizes, parts: &[PhasePixels<T>], from: *const T, to: *mut T) {
    let (step, across) = (g.stride, g.stride[1].min(g.size[1]));
    let mut from = from;
    // Parts that differ only in their columns follow each other.
    for parts in parts.chunks(across) {
        let rows = parts[0].size[0];
        for line in 0..g.c * rows {
            let (c, row) = (line / rows, parts[0].first[0] + line % rows * step[0]);
            // SAFETY: the rows of a phase are rows of the image.
            unsafe {
                let to = to.add((c * g.size[0] + row) * g.size[1]);
                let mut map = from;
                if let ([even, odd], 2) = (parts, step[1]) {
                    let cols = even.size[1];
                    let (even, odd, n) = (
                        map.add(line * cols),
                        map.add(g.c * rows * cols + line * odd.size[1]),
                        odd.size[1],
                    );
                    pairs(even, odd, to, n);
                    if cols > n {
                        *to.add(2 * n) = *even.add(n);
                    }
                    continue;
                }
                for part in parts {
                    let cols = part.size[1];
                    let from = map.add(line * cols);
                    for j in 0..cols {
                        *to.add(part.first[1] + j * step[1]) = *from.add(j);
                    }
                    map = map.add(g.c * rows * cols);
                }
            }
        }
        from = from.wrapping_add(g.c * rows * g.size[1]);
    }
}

/// Interleaves one row of two phases, for a stride of 2 along the rows: writes pairs.
#[inline(always)]
unsafe fn pairs<T: Gemm>(even: *const T, odd: *const T, to: *mut T, n: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let to = std::slice::from_raw_parts_mut(to.cast::<[T; 2]>(), n);
        for (i, pair) in to.iter_mut().enumerate() {
            *pair = [*even.add(i), *odd.add(i)];
        }
    }
}
