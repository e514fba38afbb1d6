//! The adjoint in the weight.

use super::super::ConvSizes;
use super::super::correlation::pieces;
use super::super::weight::chunks;
use super::{
    GAP, PER_LINE, POSITIONS, Pixels, TileProduct, Tiling, multiply, positions, transforms,
};
use crate::kernels::gemm::{Gemm, Squares, TileTransform, Use, with_buffer};
use crate::machine::{Shared, cost, each_part, ranges, simd};

/// The number of elements of the positions of a block, tiles times channels of both sides, that stay in
/// the cache.
const NEAR: usize = 1 << 12;
/// Minimum number of tiles of a block, because each block reads and writes the sums of all weights.
const LEAST: usize = 128;

/// Maximum number of elements of the sums of all chunks.
const MOST: usize = 1 << 25;

/// Returns whether the adjoint in the weight is computed by Winograd's method.
pub fn applies<T: Gemm>(g: &ConvSizes) -> bool {
    super::applies::<T>(g) && super::pays::<T>(&ConvSizes { c: g.o, o: g.c, ..*g })
}

/// Computes the adjoint in the weight. Returns whether all results are finite; if not, they are not those of the adjoint.
///
/// # Safety
/// As [`super::super::forward`]; nothing is empty, and the method applies.
#[must_use]
pub unsafe fn run<T: Gemm>(g: &ConvSizes, x: &[T], gy: &[T], gw: &mut [T]) -> bool {
    let pixels = Pixels::<T>::new(g.c, g.size, g.padding.map(|(before, _)| before), 2);
    let gradients = Pixels::<T>::new(g.o, g.out, [0; 2], 0);
    let tiling = Tiling::new(g, NEAR / (pixels.lanes + gradients.lanes), LEAST);
    let plan = WeightSums { g, pixels, gradients, tiling };
    let sums = g.groups * plan.group();
    let blocks = plan.tiling.blocks();
    let products = cost(&[gw.len(), g.n, g.out_pixels()]);
    let chunks = chunks(products, gw.len()).min(blocks).min((MOST / sums).max(1));
    with_buffer(Use::Weights, chunks * sums, |buffer: *mut T| {
        let shared = Shared(buffer);
        ranges(chunks, products / 16, 1, |range| {
            with_buffer(Use::Images, plan.room(), |near: *mut T| {
                for (chunk, blocks) in pieces(blocks, chunks).enumerate() {
                    if range.contains(&chunk) {
                        // SAFETY: each chunk has its own part of the buffer.
                        unsafe {
                            let to = shared.get().add(chunk * sums);
                            for (i, block) in blocks.enumerate() {
                                for group in 0..g.groups {
                                    let to = to.add(group * plan.group());
                                    plan.add(group, block, [x, gy], near, to, i > 0);
                                }
                            }
                        }
                    }
                }
            });
        });
        // SAFETY: the buffer has this length, and was written.
        let (total, others) =
            unsafe { std::slice::from_raw_parts_mut(buffer, chunks * sums) }.split_at_mut(sums);
        each_part(total, 1, cost(&[chunks, sums]), PER_LINE, |range, total| {
            for other in others.chunks(sums) {
                let (other, total) = (&other[range.clone()], &mut *total);
                simd(move || {
                    for (total, &other) in total.iter_mut().zip(other) {
                        *total = *total + other;
                    }
                });
            }
        });
        for (total, gw) in total.chunks(plan.group()).zip(gw.chunks_mut(9 * g.c * g.o)) {
            plan.weights(total, gw);
        }
    });
    all_finite(gw)
}

/// The sums of a weight, and how the tiles are cut into blocks.
struct WeightSums<'a, T: 'static> {
    g: &'a ConvSizes,
    pixels: Pixels<T>,
    gradients: Pixels<T>,
    tiling: Tiling,
}

impl<T: Gemm> WeightSums<'_, T> {
    /// Returns the number of sums of a group: for each position a matrix [maps, channels].
    fn group(&self) -> usize {
        POSITIONS * self.g.o * self.pixels.lanes
    }

    /// Elements of a position of a block, for the pixels and for the gradients.
    fn position(&self) -> [usize; 2] {
        let (tiles, _) = self.tiling.most();
        [self.pixels.lanes, self.gradients.lanes].map(|channels| tiles * channels + GAP)
    }

    /// Elements of the pixels, or of the gradients, of an image of a block.
    fn image(&self) -> usize {
        let (_, [rows, cols]) = self.tiling.most();
        let of = |pixels: &Pixels<T>| pixels.len(rows) * pixels.len(cols) * pixels.lanes;
        of(&self.pixels).max(of(&self.gradients))
    }

    fn room(&self) -> usize {
        let [pixels, gradients] = self.position();
        self.image() + POSITIONS * (pixels + gradients)
    }

    /// Adds the products of a block to `sums`, or writes them there. Requests the numbers of the next group or block.
    ///
    /// # Safety
    /// `x` and `gy` have all images, `near` has its room, and `sums` the sums of a group.
    unsafe fn add(
        &self,
        group: usize,
        number: usize,
        [x, gy]: [&[T]; 2],
        near: *mut T,
        sums: *mut T,
        accumulate: bool,
    ) {
        let g = self.g;
        let transforms = transforms::<T>();
        let block = self.tiling.block(number);
        let last = group + 1 == g.groups;
        let (next_group, next) = if last { (0, number + 1) } else { (group + 1, number) };
        let next = (next < self.tiling.blocks()).then(|| self.tiling.block(next));
        let [of_pixels, of_gradients] = self.position();
        let (rows, cols) = (block.rows.clone(), block.cols.clone());
        let v = near.wrapping_add(self.image());
        let d = v.wrapping_add(POSITIONS * of_pixels);
        // SAFETY: for all calls, the caller's promises; the parts of `near` have the length of the largest block.
        unsafe {
            for (pixels, all, to, position, transform) in [
                (&self.pixels, x, v, of_pixels, transforms.pixels),
                (&self.gradients, gy, d, of_gradients, transforms.gradient),
            ] {
                let source = pixels.points(cols.len());
                let image_len = pixels.channels * pixels.size[0] * pixels.size[1];
                for (i, image) in block.images.clone().enumerate() {
                    let from = all.as_ptr().add((image * g.groups + group) * image_len);
                    pixels.read(from, [rows.clone(), cols.clone()], near);
                    for row in 0..rows.len() {
                        let tile = (i * rows.len() + row) * cols.len();
                        transform(&TileTransform {
                            from: near.offset(2 * row as isize * source.row).cast_const(),
                            source,
                            to: to.add(tile * pixels.lanes),
                            target: positions(position, pixels.lanes),
                            tiles: cols.len(),
                            channels: pixels.lanes,
                            half: transforms.half,
                        });
                    }
                }
            }
            let group = [next_group, g.groups];
            let mut requests = next.map(|next| {
                [self.pixels.requests(&next, group, x), self.gradients.requests(&next, group, gy)]
            });
            let product = |position: usize| TileProduct {
                a: d.add(position * of_gradients).cast_const(),
                a_row: 1,
                a_col: self.gradients.lanes,
                b: v.add(position * of_pixels).cast_const(),
                c: sums.add(position * g.o * self.pixels.lanes),
                width: self.pixels.lanes,
                rows: g.o,
                k: block.tiles(),
                accumulate,
            };
            multiply::<T, true>(product, requests.as_mut().map_or(&mut [], |both| both));
        }
    }

    /// Transforms the sums of a group to weights.
    fn weights(&self, sums: &[T], gw: &mut [T]) {
        let (g, lanes, transforms) = (self.g, self.pixels.lanes, transforms::<T>());
        each_part(gw, 9 * g.c, cost(&[POSITIONS, g.c, g.o]), 1, |maps, gw| {
            with_buffer(Use::Images, 9 * lanes, |taps: *mut T| {
                for (map, gw) in maps.clone().zip(gw.chunks_mut(9 * g.c)) {
                    // SAFETY: a row of the sums at each position, and room for nine taps of all channels.
                    let taps = unsafe {
                        (transforms.weight_gradient)(&TileTransform {
                            from: sums[map * lanes..].as_ptr(),
                            source: positions(g.o * lanes, lanes),
                            to: taps,
                            target: Squares {
                                row: 3 * lanes as isize,
                                col: lanes as isize,
                                tile: 0,
                            },
                            tiles: 1,
                            channels: lanes,
                            half: transforms.half,
                        });
                        std::slice::from_raw_parts(taps, 9 * lanes)
                    };
                    for (channel, gw) in gw.chunks_mut(9).enumerate() {
                        for (tap, gw) in gw.iter_mut().enumerate() {
                            *gw = taps[tap * lanes + channel];
                        }
                    }
                }
            });
        });
    }
}

/// Returns whether all numbers are finite: then the sum of their products with zero is zero.
fn all_finite<T: Gemm>(numbers: &[T]) -> bool {
    let zero = T::default();
    let sums = simd(move || {
        let mut sums = [zero; 32];
        let (blocks, rest) = numbers.as_chunks::<32>();
        for block in blocks {
            for (sum, &number) in sums.iter_mut().zip(block) {
                *sum = *sum + number * zero;
            }
        }
        for (sum, &number) in sums.iter_mut().zip(rest) {
            *sum = *sum + number * zero;
        }
        sums
    });
    sums.iter().all(|&sum| sum == zero)
}
