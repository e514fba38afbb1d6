//! The micro-kernels of convolutions. They are matrix products in which one operand is read in
//! place from an image, through tables of offsets, so no copy of its windows (im2col) is needed.
//!
//! [`correlate`] multiplies packed weights with shifted rows of pixels; vectors lie along the
//! pixels. [`weigh`] multiplies pixels with gradients; vectors lie along the channels of the
//! gradient.

#![allow(clippy::needless_range_loop)] // the indices show which elements are multiplied

use super::vector::Vector;

/// The arguments of [`correlate`]: `panels` panels of `MR` rows, one below the other, by `NV`
/// vectors.
pub struct Correlate<T> {
    /// Number of steps.
    pub k: usize,
    /// The packed weights: `MR` weights for each step of a panel, panel after panel.
    pub a: *const T,
    pub panels: usize,
    /// The address of the first pixel of each vector. Step p reads `shifts[p]` elements further on.
    pub b: [*const T; 4],
    /// With `JOIN`: an address and a lane for each vector. Lanes from this lane on are loaded from
    /// this address, where the next row of pixels lies.
    pub next: [(*const T, usize); 4],
    pub shifts: *const usize,
    /// The accumulators of row i start with `start[i*start_step]`.
    pub start: *const T,
    pub start_step: usize,
    /// Row i of the result is at `c + i*ldc`.
    pub c: *mut T,
    pub ldc: usize,
    /// Number of lanes of a row's last vector that belong to the result.
    pub last: usize,
    /// Whether the sums are added to the result. Then `start` is not read.
    pub accumulate: bool,
}

/// Computes the sums of weights times shifted pixels.
#[inline(always)]
pub unsafe fn correlate<V: Vector, const MR: usize, const NV: usize, const JOIN: bool>(
    t: &Correlate<V::Scalar>,
) {
    let &Correlate { k, mut a, panels, b, next, shifts, mut start, start_step, .. } = t;
    let &Correlate { mut c, ldc, last, accumulate, .. } = t;
    // SAFETY: the caller promises the instructions, the weights, whole vectors of pixels at every
    // shift, and the result. Pointers past the last panel are made but not used.
    unsafe {
        for _ in 0..panels {
            let mut acc = [[V::zero(); NV]; MR];
            if !accumulate {
                for i in 0..MR {
                    acc[i] = [V::splat(start.add(i * start_step)); NV];
                }
            }
            for p in 0..k {
                let shift = *shifts.add(p);
                let mut row = [V::zero(); NV];
                for j in 0..NV {
                    row[j] = if JOIN {
                        V::join(b[j].add(shift), next[j].0.add(shift), next[j].1)
                    } else {
                        V::load(b[j].add(shift))
                    };
                }
                for i in 0..MR {
                    let x = V::splat(a.add(i));
                    for j in 0..NV {
                        acc[i][j] = acc[i][j].add_product(x, row[j]);
                    }
                }
                a = a.add(MR);
            }
            // These loops have no branch inside, for the same reason as in `outer`.
            let at = |i: usize, j: usize| c.wrapping_add(i * ldc + j * V::LANES);
            if accumulate {
                for i in 0..MR {
                    for j in 0..NV - 1 {
                        acc[i][j] = V::load(at(i, j)).plus(acc[i][j]);
                    }
                    acc[i][NV - 1] = V::load_first(at(i, NV - 1), last).plus(acc[i][NV - 1]);
                }
            }
            if last == V::LANES {
                for i in 0..MR {
                    for j in 0..NV {
                        acc[i][j].store(at(i, j));
                    }
                }
            } else {
                for i in 0..MR {
                    for j in 0..NV - 1 {
                        acc[i][j].store(at(i, j));
                    }
                    acc[i][NV - 1].store_first(at(i, NV - 1), last);
                }
            }
            c = c.wrapping_add(MR * ldc);
            start = start.wrapping_add(MR * start_step);
        }
    }
}

/// A run of contiguous pixels, read at `from` and written from lane `lane` of a tile on.
#[derive(Clone, Copy, Debug)]
pub struct PixelRun {
    pub lane: usize,
    pub from: usize,
}

/// The arguments of [`gather`]: the pixels of a tile, of which some vectors consist of several runs.
pub struct Gather<'a, T> {
    /// The number of vectors, if none has more than two runs; otherwise 0.
    pub vectors: usize,
    /// As [`Correlate::b`], for the vectors.
    pub b: [*const T; 4],
    /// As [`Correlate::next`]. A vector that is one run has `V::LANES` lanes before the next.
    pub next: [(*const T, usize); 4],
    /// The runs in ascending order, each at most one vector long.
    pub runs: &'a [PixelRun],
    pub src: *const T,
    /// The offset of each step.
    pub shifts: &'a [usize],
    /// Elements from one step to the next in `dst`.
    pub pitch: usize,
    pub dst: *mut T,
}

/// Copies the runs of every step next to each other. Each run is written as a whole vector, and the
/// next run overwrites the excess. Therefore `src` and `dst` must have one vector more than the
/// runs.
#[inline(always)]
pub unsafe fn gather<V: Vector>(g: &Gather<V::Scalar>) {
    // SAFETY: the caller promises the instructions and room on both sides.
    unsafe {
        match g.vectors {
            1 => return gather_vectors::<V, 1>(g),
            2 => return gather_vectors::<V, 2>(g),
            3 => return gather_vectors::<V, 3>(g),
            4 => return gather_vectors::<V, 4>(g),
            _ => {}
        }
        match g.runs.len() {
            2 => gather_few::<V, 2>(g),
            3 => gather_few::<V, 3>(g),
            4 => gather_few::<V, 4>(g),
            _ => {
                let &Gather { runs, src, shifts, pitch, mut dst, .. } = g;
                for &shift in shifts {
                    let src = src.add(shift);
                    for run in runs {
                        V::load(src.add(run.from)).store(dst.add(run.lane));
                    }
                    dst = dst.wrapping_add(pitch);
                }
            }
        }
    }
}

/// Copies `N` vectors. Each is written once, aligned: a store across two cache lines takes twice as long.
#[inline(always)]
unsafe fn gather_vectors<V: Vector, const N: usize>(g: &Gather<V::Scalar>) {
    let &Gather { b, next, shifts, pitch, mut dst, .. } = g;
    for &shift in shifts {
        for j in 0..N {
            let (from, lane) = next[j];
            // SAFETY: as `gather`.
            unsafe {
                let vector = if lane == V::LANES {
                    V::load(b[j].add(shift))
                } else {
                    V::join(b[j].add(shift), from.add(shift), lane)
                };
                vector.store(dst.add(j * V::LANES));
            }
        }
        dst = dst.wrapping_add(pitch);
    }
}

/// Copies `R` runs, few enough that their addresses stay in registers.
#[inline(always)]
unsafe fn gather_few<V: Vector, const R: usize>(g: &Gather<V::Scalar>) {
    let &Gather { runs, src, shifts, pitch, dst, .. } = g;
    let (mut from, mut to) = ([src; R], [dst; R]);
    for i in 0..R {
        from[i] = src.wrapping_add(runs[i].from);
        to[i] = dst.wrapping_add(runs[i].lane);
    }
    let mut at = 0;
    for &shift in shifts {
        for i in 0..R {
            // SAFETY: as `gather`.
            unsafe { V::load(from[i].add(shift)).store(to[i].add(at)) };
        }
        at += pitch;
    }
}

/// The arguments of [`weigh`]: a tile of `MR` taps by `NV` vectors of channels.
pub struct Weigh<T> {
    /// Pixel (s, w) under tap i is at `x + taps[i] + segments[s] + w*step`.
    pub x: *const T,
    pub taps: *const usize,
    pub segments: *const usize,
    pub count: usize,
    /// Number of pixels in a segment.
    pub width: usize,
    pub step: usize,
    /// The gradients: `NV` vectors for each pixel.
    pub b: *const T,
    /// Row i of the result is at `c + i*ldc` and has `NV` whole vectors.
    pub c: *mut T,
    pub ldc: usize,
}

/// Adds the products of pixels and gradients to the result, summed over the pixels.
#[inline(always)]
pub unsafe fn weigh<V: Vector, const MR: usize, const NV: usize>(t: &Weigh<V::Scalar>) {
    let &Weigh { x, taps, segments, count, width, step, mut b, c, ldc } = t;
    let at = |i: usize, j: usize| c.wrapping_add(i * ldc + j * V::LANES);
    // SAFETY: the caller promises the instructions, and that pixels, gradients and result exist.
    unsafe {
        let mut acc = [[V::zero(); NV]; MR];
        let mut rows = [x; MR];
        for i in 0..MR {
            rows[i] = x.wrapping_add(*taps.add(i));
        }
        for s in 0..count {
            let mut pixel = *segments.add(s);
            for _ in 0..width {
                let mut row = [V::zero(); NV];
                for j in 0..NV {
                    row[j] = V::load(b.add(j * V::LANES));
                }
                for i in 0..MR {
                    let x = V::splat(rows[i].add(pixel));
                    for j in 0..NV {
                        acc[i][j] = acc[i][j].add_product(x, row[j]);
                    }
                }
                pixel += step;
                b = b.wrapping_add(NV * V::LANES);
            }
        }
        for i in 0..MR {
            for j in 0..NV {
                acc[i][j] = V::load(at(i, j)).plus(acc[i][j]);
            }
        }
        for i in 0..MR {
            for j in 0..NV {
                acc[i][j].store(at(i, j));
            }
        }
    }
}

/// The arguments of [`dots`]: a tile of `MR` taps by `NV` channels of the gradient.
pub struct Dots<T> {
    /// Pixel (s, w) under tap i is at `x + taps[i] + segments[s] + w`.
    pub x: *const T,
    pub taps: *const usize,
    pub segments: *const usize,
    pub count: usize,
    /// Number of pixels in a segment.
    pub width: usize,
    /// The gradient in channel j is at `y + j*channel`, segment after segment.
    pub y: *const T,
    pub channel: usize,
    /// Sum (i, j) is at `c + i*ldc + j`.
    pub c: *mut T,
    pub ldc: usize,
}

/// Computes the same as [`weigh`] by dot products along the pixels, for few channels: vectors along
/// the channels would leave lanes idle.
#[inline(always)]
pub unsafe fn dots<V: Vector, const MR: usize, const NV: usize>(t: &Dots<V::Scalar>) {
    let &Dots { x, taps, segments, count, width, y, channel, c, ldc } = t;
    // SAFETY: the caller promises the instructions, and that pixels, gradients and sums exist.
    unsafe {
        let mut acc = [[V::zero(); NV]; MR];
        let mut rows = [x; MR];
        for i in 0..MR {
            rows[i] = x.wrapping_add(*taps.add(i));
        }
        let mut maps = [y; NV];
        for j in 0..NV {
            maps[j] = y.wrapping_add(j * channel);
        }
        let (full, rest) = (width / V::LANES, width % V::LANES);
        let mut gradient = 0;
        for s in 0..count {
            let mut pixel = *segments.add(s);
            for _ in 0..full {
                let mut row = [V::zero(); NV];
                for j in 0..NV {
                    row[j] = V::load(maps[j].add(gradient));
                }
                for i in 0..MR {
                    let x = V::load(rows[i].add(pixel));
                    for j in 0..NV {
                        acc[i][j] = acc[i][j].add_product(x, row[j]);
                    }
                }
                pixel += V::LANES;
                gradient += V::LANES;
            }
            if rest > 0 {
                let mut row = [V::zero(); NV];
                for j in 0..NV {
                    row[j] = V::load_first(maps[j].add(gradient), rest);
                }
                for i in 0..MR {
                    let x = V::load_first(rows[i].add(pixel), rest);
                    for j in 0..NV {
                        acc[i][j] = acc[i][j].add_product(x, row[j]);
                    }
                }
                gradient += rest;
            }
        }
        for i in 0..MR {
            let mut row = [V::zero(); 4];
            row[..NV].copy_from_slice(&acc[i]);
            let sums = V::sums(row);
            for j in 0..NV {
                let c = c.add(i * ldc + j);
                *c = *c + sums[j];
            }
        }
    }
}
