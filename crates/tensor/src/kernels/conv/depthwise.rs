//! Depthwise convolutions: each map of the result reads one channel of the input.
//!
//! Such a convolution multiplies each pixel by few weights, so the time goes into reading pixels, and no vector along
//! channels shares them. The kernels read the rows of a channel in place, with vectors along a row; the edges of
//! the image are masks: see [`lanes`](crate::kernels::lanes). The kernels for 3×3 and 5×5 taps pass over the rows of
//! the input from top to bottom ([`stream`], [`stream_weight`]): a row is loaded once for each column of taps,
//! and the sums of the results that it contributes to stay in registers.

#![allow(clippy::needless_range_loop)] // the indices are those of taps

use super::ConvSizes;
use crate::kernels::gemm::{Use, with_buffer};
use crate::kernels::lanes::{Lanes, StepVector, for_vectors, vector_bytes};
use crate::machine::{Shared, cost, ranges};
use std::ops::Range;

/// The maximum number of maps of the result that read the same channel. With more, [`correlation`](super::correlation)
/// shares the pixels among them.
const MAPS: usize = 2;
/// The most columns of taps in the adjoint with stride 2.
const COLUMNS: usize = 8;

/// Returns whether it is a depthwise convolution with a stride that the kernels of this module have.
fn depthwise_of_stride(g: &ConvSizes) -> bool {
    let strides = g.stride == [1, 1] || g.stride == [2, 2];
    g.c == 1 && g.o <= MAPS && g.groups > 1 && strides
}

/// Returns whether there are n×n taps with distance 1 for one of these n.
fn has_taps(g: &ConvSizes, sizes: &[usize]) -> bool {
    g.dilation == [1, 1] && g.kernel[0] == g.kernel[1] && sizes.contains(&g.kernel[0])
}

/// Returns whether there is a kernel that passes over the rows once, or enough rows to compute several at a time. With
/// short vectors only few taps pay.
fn rows_suffice(g: &ConvSizes, rows: usize) -> bool {
    match vector_bytes() {
        16 => has_taps(g, &[3]),
        _ => rows >= ROWS || has_taps(g, &[3, 5, 7]),
    }
}

/// Returns whether the kernels of this module compute the convolution.
pub fn applies(g: &ConvSizes) -> bool {
    depthwise_of_stride(g) && rows_suffice(g, g.out[0])
}

/// Returns whether the kernels of this module compute the adjoint in the input.
pub fn input_applies(g: &ConvSizes) -> bool {
    let one = depthwise_of_stride(g) && g.o == 1;
    let narrow = g.dilation == [1, 1] && g.kernel[1] <= COLUMNS;
    one && if g.stride == [1, 1] { rows_suffice(g, g.size[0]) } else { narrow }
}

/// Returns whether the kernels of this module compute the adjoint in the weight. Short vectors pass over an image many
/// times: with them only few taps, or short rows, pay.
pub fn weight_applies(g: &ConvSizes) -> bool {
    let columns = g.dilation[1] == 1 && matches!(g.kernel[1], 3 | 5 | 7);
    depthwise_of_stride(g)
        && columns
        && match vector_bytes() {
            64 => true,
            32 => g.stride == [2, 2] || has_taps(g, &[3]) && g.out[1] <= 16,
            _ => has_taps(g, &[3]),
        }
}

/// The sizes of one plane of a depthwise convolution.
#[derive(Clone, Copy)]
struct PlaneSizes {
    from: [usize; 2],
    to: [usize; 2],
    kernel: [usize; 2],
    dilation: [usize; 2],
    stride: usize,
    /// The rows and columns before the image that the first window covers. Negative if it begins inside.
    before: [isize; 2],
}

impl PlaneSizes {
    fn new(g: &ConvSizes) -> Self {
        PlaneSizes {
            from: g.size,
            to: g.out,
            kernel: g.kernel,
            dilation: g.dilation,
            stride: g.stride[0],
            before: g.padding.map(|(before, _)| before as isize),
        }
    }

    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }
}

/// What a kernel of this module computes.
#[derive(Clone, Copy)]
enum Task<T> {
    /// Sums of products of pixels and weights: `to` from `from` and `weights`.
    Forward,
    /// The adjoint for stride 2: the image `to` from the gradient `from`. The sizes are those of the convolution.
    Input,
    /// The gradient of the weights, `to`, from the image `from` and the gradient `weights`. It holds room for the
    /// lanes of the sums of [`NEIGHBOURS`] maps.
    Weight(*mut T),
}

/// Some planes of a depthwise convolution.
pub struct Depthwise<'a, T> {
    sizes: PlaneSizes,
    task: Task<T>,
    /// Channels of the input, and maps of the result for each of them.
    channels: usize,
    maps: usize,
    /// Number of images.
    images: usize,
    from: *const T,
    weights: *const T,
    bias: Option<&'a [T]>,
    to: *mut T,
    /// The planes of the result, image by image; maps, for the gradient of the weights.
    units: Range<usize>,
}

for_vectors! {
    /// Depthwise convolutions, compiled for the instruction sets.
    DepthwiseKernel: depthwise(Depthwise) = depthwise
}

/// Computes the convolution y of x and w.
///
/// # Safety
/// As [`super::forward`]; nothing is empty, and it [`applies`].
pub unsafe fn forward<T: DepthwiseKernel>(
    g: &ConvSizes,
    x: &[T],
    w: &[T],
    bias: Option<&[T]>,
    y: &mut [T],
) {
    let sizes = PlaneSizes::new(g);
    // SAFETY: the same contract.
    unsafe { planes(g, sizes, Task::Forward, [x, w], bias, y) }
}

/// Computes the adjoint in the input, gx, of gy and w.
///
/// # Safety
/// As [`forward`]; [`input_applies`].
pub unsafe fn input<T: DepthwiseKernel>(g: &ConvSizes, gy: &[T], w: &[T], gx: &mut [T]) {
    let sizes = PlaneSizes::new(g);
    if sizes.stride == 2 {
        // SAFETY: the same contract.
        return unsafe { planes(g, sizes, Task::Input, [gy, w], None, gx) };
    }
    // The convolution of the gradient with the reversed taps.
    let taps = sizes.taps();
    let reversed: Vec<T> = w.chunks_exact(taps).flat_map(|w| w.iter().rev().copied()).collect();
    let reach = |axis: usize| (g.dilation[axis] * (g.kernel[axis] - 1)) as isize;
    let before = [0, 1].map(|axis| reach(axis) - sizes.before[axis]);
    let sizes = PlaneSizes { from: g.out, to: g.size, before, ..sizes };
    // SAFETY: the same contract.
    unsafe { planes(g, sizes, Task::Forward, [gy, &reversed], None, gx) }
}

/// # Safety
/// The slices have these sizes.
unsafe fn planes<T: DepthwiseKernel>(
    g: &ConvSizes,
    sizes: PlaneSizes,
    task: Task<T>,
    [from, w]: [&[T]; 2],
    bias: Option<&[T]>,
    to: &mut [T],
) {
    let units = g.n * g.groups * g.o;
    // A step is a product of vectors, and a vector is read and written.
    let cost = to.len().max(from.len()).max(cost(&[units, g.out_pixels(), sizes.taps()]) / 8);
    let (out, scatter) = (Shared(to.as_mut_ptr()), matches!(task, Task::Input));
    ranges(units, cost, 1, |units| {
        let job = Depthwise {
            sizes,
            task: if scatter { Task::Input } else { Task::Forward },
            channels: g.groups,
            maps: g.o,
            images: g.n,
            from: from.as_ptr(),
            weights: w.as_ptr(),
            bias,
            to: out.get(),
            units,
        };
        // SAFETY: the caller's promise; each call has its own planes.
        unsafe { T::depthwise(&job) };
    });
}

/// Computes the adjoint in the weight, gw, of x and gy. Each weight is summed by one thread, image by image.
///
/// # Safety
/// As [`super::weight`]; nothing is empty, and [`weight_applies`].
pub unsafe fn weight<T: DepthwiseKernel>(g: &ConvSizes, x: &[T], gy: &[T], gw: &mut [T]) {
    let sizes = PlaneSizes::new(g);
    let cost = x.len().max(cost(&[gw.len(), g.n, g.out_pixels()]) / 8);
    let out = Shared(gw.as_mut_ptr());
    ranges(g.groups * g.o, cost, 1, |units| {
        with_buffer(Use::Weights, NEIGHBOURS * sizes.taps() * LANES, |sums: *mut T| {
            let job = Depthwise {
                sizes,
                task: Task::Weight(sums),
                channels: g.groups,
                maps: g.o,
                images: g.n,
                from: x.as_ptr(),
                weights: gy.as_ptr(),
                bias: None,
                to: out.get(),
                units,
            };
            // SAFETY: the caller's promise; each call has its own maps.
            unsafe { T::depthwise(&job) };
        });
    });
}

/// The most lanes that a vector has.
const LANES: usize = 16;

/// # Safety
/// The job has these planes, and the processor has the instructions.
#[inline(always)]
unsafe fn depthwise<V: Lanes>(job: &Depthwise<V::Scalar>) {
    let s = &job.sizes;
    let square = s.dilation == [1, 1] && s.kernel[0] == s.kernel[1];
    // SAFETY: the same contract.
    unsafe {
        match job.task {
            Task::Forward => match (s.stride, if square { s.kernel[0] } else { 0 }) {
                (1, 3) => forward_planes::<V, 1, 3>(job),
                (1, 5) => forward_planes::<V, 1, 5>(job),
                (1, 7) => forward_planes::<V, 1, 7>(job),
                (1, _) => forward_planes::<V, 1, 0>(job),
                (_, 3) => forward_planes::<V, 2, 3>(job),
                (_, 5) => forward_planes::<V, 2, 5>(job),
                (_, 7) => forward_planes::<V, 2, 7>(job),
                _ => forward_planes::<V, 2, 0>(job),
            },
            Task::Input => input_planes::<V>(job),
            Task::Weight(sums) => match (s.stride, s.kernel[1]) {
                (1, 3) => weight_maps::<V, 1, 3>(job, sums),
                (1, 5) => weight_maps::<V, 1, 5>(job, sums),
                (1, _) => weight_maps::<V, 1, 7>(job, sums),
                (_, 3) => weight_maps::<V, 2, 3>(job, sums),
                (_, 5) => weight_maps::<V, 2, 5>(job, sums),
                _ => weight_maps::<V, 2, 7>(job, sums),
            },
        }
    }
}

/// Computes planes of the convolution with stride `S` and `K`×`K` taps, or any taps if `K` is 0.
#[inline(always)]
unsafe fn forward_planes<V: Lanes, const S: usize, const K: usize>(job: &Depthwise<V::Scalar>) {
    let s = &job.sizes;
    let [from, to] = [s.from, s.to].map(|size| size[0] * size[1]);
    let zero = V::Scalar::default();
    for unit in job.units.clone() {
        let map = unit % (job.channels * job.maps);
        let start = job.bias.map_or(&raw const zero, |bias| &raw const bias[map]);
        let plane = Plane {
            x: job.from.wrapping_add(unit / job.maps * from),
            w: job.weights.wrapping_add(map * s.taps()),
            y: job.to.wrapping_add(unit * to),
        };
        // SAFETY: the caller promises the planes.
        unsafe {
            let start = V::splat(start);
            if K > 0 {
                let (mut o, lanes) = (0, V::LANES);
                if K == 3 {
                    // Few sums are open. Two vectors at a time hide their latency.
                    while o + lanes < s.to[1] {
                        stream::<V, S, K, 2>(s, &plane, start, o);
                        o += 2 * lanes;
                    }
                }
                while o < s.to[1] {
                    stream::<V, S, K, 1>(s, &plane, start, o);
                    o += lanes;
                }
            } else {
                any_taps::<V, S>(s, &plane, start);
            }
        }
    }
}

/// The planes of one map.
struct Plane<T> {
    x: *const T,
    w: *const T,
    y: *mut T,
}

/// The columns of a row that `K` taps with distance 1 read, for a vector of results with stride `S`.
#[derive(Clone, Copy)]
struct Taps<V: Lanes, const S: usize, const K: usize>([StepVector<V, S>; K]);

impl<V: Lanes, const S: usize, const K: usize> Taps<V, S, K> {
    /// Returns the columns for the results from `o` on. `apart` is the distance of the first column from that of the
    /// first tap. The pixels of lanes beyond the last result are not loaded: they may be infinite.
    #[inline(always)]
    unsafe fn new(s: &PlaneSizes, o: usize, apart: usize) -> Self {
        let at = (o * S + apart) as isize - s.before[1];
        let lanes = V::LANES.min(s.to[1] - o);
        let column = |q: usize| {
            let at = at + q as isize;
            (at, (at + (S * lanes) as isize).clamp(0, s.from[1] as isize) as usize)
        };
        // SAFETY: the caller promises the instructions.
        unsafe {
            let mut columns = [StepVector::new(0, 0); K];
            for q in 0..K {
                let (at, end) = column(q);
                columns[q] = StepVector::new(at, end);
            }
            Taps(columns)
        }
    }

    /// Loads the pixels under each tap of a row, which may be outside the image.
    #[inline(always)]
    unsafe fn load(&self, s: &PlaneSizes, x: *const V::Scalar, row: isize) -> [V; K] {
        // SAFETY: the caller promises the plane and the instructions.
        unsafe {
            let zero = V::zero();
            let mut pixels = [zero; K];
            if row < 0 || row >= s.from[0] as isize {
                return pixels;
            }
            let row = x.wrapping_offset(row * s.from[1] as isize);
            if S == 1 {
                for q in 0..K {
                    pixels[q] = self.0[q].load(row, zero)[0];
                }
            } else {
                // The odd columns from one tap on are the even ones from the next on.
                for pair in 0..K.div_ceil(2) {
                    let both = self.0[2 * pair].load(row, zero);
                    pixels[2 * pair] = both[0];
                    if 2 * pair + 1 < K {
                        pixels[2 * pair + 1] = both[S - 1];
                    }
                }
            }
            pixels
        }
    }
}

/// The most results along a column that a row of pixels contributes to: 7 taps, stride 1.
const OPEN: usize = 7;

/// Computes `NV` vectors of columns of the result from `o` on, with `K`×`K` taps. `sums[a]` are those of row t - a of the
/// result, when the rows of pixels from `S·t` on are read.
#[inline(always)]
unsafe fn stream<V: Lanes, const S: usize, const K: usize, const NV: usize>(
    s: &PlaneSizes,
    plane: &Plane<V::Scalar>,
    start: V,
    o: usize,
) {
    let open = K.div_ceil(S);
    // SAFETY: the caller promises the plane and the instructions.
    unsafe {
        let mut weights = [[start; K]; K];
        for p in 0..K {
            for q in 0..K {
                weights[p][q] = V::splat(plane.w.wrapping_add(p * K + q));
            }
        }
        let mut taps = [Taps::<V, S, K>::new(s, o, 0); NV];
        let mut used = [0; NV];
        for j in 0..NV {
            let o = o + j * V::LANES;
            taps[j] = Taps::new(s, o, 0);
            used[j] = V::LANES.min(s.to[1] - o);
        }
        let mut sums = [[start; NV]; OPEN];
        for t in 0..s.to[0] + open - 1 {
            for a in (1..open).rev() {
                sums[a] = sums[a - 1];
            }
            sums[0] = [start; NV];
            for i in 0..S {
                let row = (S * t + i) as isize - s.before[0];
                for j in 0..NV {
                    let pixels = taps[j].load(s, plane.x, row);
                    for a in 0..open {
                        if i + a * S < K {
                            for q in 0..K {
                                sums[a][j] =
                                    sums[a][j].add_product(pixels[q], weights[i + a * S][q]);
                            }
                        }
                    }
                }
            }
            if t + 1 >= open {
                let row = plane.y.wrapping_add((t + 1 - open) * s.to[1] + o);
                for j in 0..NV {
                    sums[open - 1][j].store_used(row.wrapping_add(j * V::LANES), used[j]);
                }
            }
        }
    }
}

/// The rows of results that [`any_taps`] computes at a time.
const ROWS: usize = 4;

/// Computes a plane of the result for any taps and dilation.
#[inline(always)]
unsafe fn any_taps<V: Lanes, const S: usize>(s: &PlaneSizes, plane: &Plane<V::Scalar>, start: V) {
    let [tall, wide] = s.kernel;
    // SAFETY: the caller promises the plane and the instructions.
    unsafe {
        let mut o = 0;
        while o < s.to[1] {
            let used = V::LANES.min(s.to[1] - o);
            let mut y = 0;
            while y < s.to[0] {
                let mut sums = [start; ROWS];
                for p in 0..tall {
                    for q in 0..wide {
                        let weight = V::splat(plane.w.wrapping_add(p * wide + q));
                        let taps = Taps::<V, S, 1>::new(s, o, q * s.dilation[1]);
                        for r in 0..ROWS {
                            let row = ((y + r) * S + p * s.dilation[0]) as isize - s.before[0];
                            sums[r] = sums[r].add_product(taps.load(s, plane.x, row)[0], weight);
                        }
                    }
                }
                for r in 0..ROWS {
                    if y + r < s.to[0] {
                        sums[r].store_used(plane.y.wrapping_add((y + r) * s.to[1] + o), used);
                    }
                }
                y += ROWS;
            }
            o += V::LANES;
        }
    }
}

/// Computes planes of the gradient of the input for stride 2 and dilation 1. Along a row, the even and the odd pixels are
/// read by different taps: one vector for each, which are stored in pairs.
#[inline(always)]
unsafe fn input_planes<V: Lanes>(job: &Depthwise<V::Scalar>) {
    let s = &job.sizes;
    let ([height, width], [high, wide], [tall, across]) = (s.from, s.to, s.kernel);
    let [above, left] = s.before;
    for unit in job.units.clone() {
        let (w, gy, gx) = (
            job.weights.wrapping_add(unit % job.channels * s.taps()),
            job.from.wrapping_add(unit * high * wide),
            job.to.wrapping_add(unit * height * width),
        );
        let mut o = 0;
        // SAFETY: the caller promises the planes and the instructions.
        unsafe {
            while 2 * o < width {
                // Tap q of pixel 2v + b reads column v + (b + left - q) / 2 of the gradient, if that is an integer.
                let mut columns = [StepVector::<V, 1>::new(0, 0); COLUMNS];
                for q in 0..across {
                    let odd = (left - q as isize).rem_euclid(2);
                    let at = o as isize + (odd + left - q as isize).div_euclid(2);
                    columns[q] = StepVector::new(at, wide);
                }
                let first = left.rem_euclid(2) as usize; // the first tap of even pixels
                let used = [0, V::LANES].map(|at| V::LANES.min(width.saturating_sub(2 * o + at)));
                for i in 0..height {
                    let mut sums = [V::zero(); 2];
                    let mut p = (i as isize + above).rem_euclid(2) as usize;
                    while p < tall {
                        let row = (i as isize + above - p as isize).div_euclid(2);
                        if row >= 0 && row < high as isize {
                            let row = gy.wrapping_offset(row * wide as isize);
                            for b in 0..2 {
                                let mut q = first ^ b;
                                while q < across {
                                    let weight = V::splat(w.wrapping_add(p * across + q));
                                    let gradient = columns[q].load(row, V::zero())[0];
                                    sums[b] = sums[b].add_product(gradient, weight);
                                    q += 2;
                                }
                            }
                        }
                        p += 2;
                    }
                    let (low, high) = V::paired(sums[0], sums[1]);
                    let row = gx.wrapping_add(i * width + 2 * o);
                    low.store_used(row, used[0]);
                    high.store_used(row.wrapping_add(V::LANES), used[1]);
                }
                o += V::LANES;
            }
        }
    }
}

/// The maps of an image whose sums are computed before those of the next image: their planes follow each other in
/// memory.
const NEIGHBOURS: usize = 16;

/// Computes the gradients of the weights of maps with `K` columns of taps.
#[inline(always)]
unsafe fn weight_maps<V: Lanes, const S: usize, const K: usize>(
    job: &Depthwise<V::Scalar>,
    sums: *mut V::Scalar,
) {
    let s = &job.sizes;
    let taps = s.taps();
    let [from, to] = [s.from, s.to].map(|size| size[0] * size[1]);
    let mut first = job.units.start;
    while first < job.units.end {
        let maps = first..job.units.end.min(first + NEIGHBOURS);
        first = maps.end;
        // SAFETY: the caller promises the planes, the sums and the instructions.
        unsafe {
            for tap in 0..maps.len() * taps {
                V::zero().store(sums.wrapping_add(tap * V::LANES));
            }
            for image in 0..job.images {
                for (i, map) in maps.clone().enumerate() {
                    let channel = image * job.channels + map / job.maps;
                    let of_map = image * job.channels * job.maps + map;
                    let plane = Plane {
                        x: job.from.wrapping_add(channel * from),
                        w: job.weights.wrapping_add(of_map * to),
                        y: sums.wrapping_add(i * taps * V::LANES),
                    };
                    add_products::<V, S, K>(s, &plane);
                }
            }
            for (i, map) in maps.enumerate() {
                for tap in 0..taps {
                    let lanes = V::load(sums.wrapping_add((i * taps + tap) * V::LANES));
                    let [sum, ..] = V::sums([lanes, V::zero(), V::zero(), V::zero()]);
                    *job.to.wrapping_add(map * taps + tap) = sum;
                }
            }
        }
    }
}

/// Adds the products of an image and a gradient to the sums, several rows of taps at a time: as many as have room in
/// the registers.
#[inline(always)]
unsafe fn add_products<V: Lanes, const S: usize, const K: usize>(
    s: &PlaneSizes,
    plane: &Plane<V::Scalar>,
) {
    // 32 registers hold three rows of 5 sums, or two rows of 7.
    let many = V::LANES * size_of::<V::Scalar>() == 64;
    let most = match K {
        _ if s.dilation[0] > 1 => 1,
        3 => 3,
        5 if many => 3,
        7 if many => 2,
        _ => 1,
    };
    let mut p = 0;
    while p < s.kernel[0] {
        let rows = most.min(s.kernel[0] - p);
        // SAFETY: the same contract.
        unsafe {
            match rows {
                3 if K < 7 => stream_weight::<V, S, K, 3>(s, plane, p),
                2 => stream_weight::<V, S, K, 2>(s, plane, p),
                _ => stream_weight::<V, S, K, 1>(s, plane, p),
            }
        }
        p += rows;
    }
}

/// Adds the products of an image and a gradient to the sums, for `P` rows of `K` taps from row `first` on. `gradients[a]`
/// is row t - a of the gradient, when the rows of pixels under row `S·t` of the taps are read.
#[inline(always)]
unsafe fn stream_weight<V: Lanes, const S: usize, const K: usize, const P: usize>(
    s: &PlaneSizes,
    plane: &Plane<V::Scalar>,
    first: usize,
) {
    let open = P.div_ceil(S);
    let above = (first * s.dilation[0]) as isize - s.before[0];
    // SAFETY: the caller promises the plane and the instructions.
    unsafe {
        let zero = V::zero();
        let mut sums = [[zero; K]; P];
        let mut o = 0;
        while o < s.to[1] {
            let taps = Taps::<V, S, K>::new(s, o, 0);
            let used = V::range(0, V::LANES.min(s.to[1] - o));
            let mut gradients = [zero; P];
            for t in 0..s.to[0] + open - 1 {
                for a in (1..open).rev() {
                    gradients[a] = gradients[a - 1];
                }
                gradients[0] = zero;
                if t < s.to[0] {
                    let row = plane.w.wrapping_add(t * s.to[1] + o);
                    gradients[0] = V::load_masked(row, used, zero);
                }
                for i in 0..S.min(P) {
                    let pixels = taps.load(s, plane.x, (S * t + i) as isize + above);
                    for a in 0..open {
                        // Rows of pixels without a gradient are not multiplied: they may be infinite.
                        if i + a * S < P && t >= a && t - a < s.to[0] {
                            for q in 0..K {
                                let sum = &mut sums[i + a * S][q];
                                *sum = sum.add_product(pixels[q], gradients[a]);
                            }
                        }
                    }
                }
            }
            o += V::LANES;
        }
        for p in 0..P {
            for q in 0..K {
                let at = plane.y.wrapping_add(((first + p) * K + q) * V::LANES);
                V::load(at).plus(sums[p][q]).store(at);
            }
        }
    }
}
