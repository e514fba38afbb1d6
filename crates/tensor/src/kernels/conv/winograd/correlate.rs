//! The convolution, and its adjoint in the input, which is a convolution of the gradient with the weights reversed.

use super::super::ConvSizes;
use super::super::correlation::pieces;
use super::{
    GAP, POSITIONS, Pixels, TileBlock, TileProduct, Tiling, multiply, positions, transforms,
};
use crate::kernels::gemm::{
    Gemm, Panel, Results, Squares, TileTransform, TileTransforms, Unpack, Use, with_buffer,
};
use crate::machine::{Shared, cost, ranges};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The number of elements of the positions of a block, tiles times channels of both sides, that stay in
/// the L2 cache.
const NEAR: usize = 1 << 12;
/// Minimum number of tiles of a block, because each block reads all weights.
const LEAST: usize = 64;

/// Channels whose weights are transformed together.
const AT_ONCE: usize = 8;

/// Returns whether the convolution is computed by Winograd's method.
pub fn forward_applies<T: Gemm>(g: &ConvSizes) -> bool {
    super::applies::<T>(g) && super::pays::<T>(g)
}

/// Returns whether the adjoint in the input is computed by Winograd's method.
pub fn input_applies<T: Gemm>(g: &ConvSizes) -> bool {
    super::applies::<T>(g) && super::pays::<T>(&mirrored(g))
}

/// Returns the sizes of the convolution that the adjoint in the input is.
fn mirrored(g: &ConvSizes) -> ConvSizes {
    let padding = g.padding.map(|(before, after)| (2 - before, 2 - after));
    ConvSizes { c: g.o, o: g.c, size: g.out, out: g.size, padding, ..*g }
}

/// Where the weights of a map and a channel are: tap t at `group*… + map*i + channel*c + t`.
struct TapPlaces {
    map: usize,
    channel: usize,
    reversed: bool,
}

/// Computes the convolution. Returns whether all results are finite; if not, they are not those of the convolution.
///
/// # Safety
/// As [`super::super::forward`]; nothing is empty, and the method applies.
#[must_use]
pub unsafe fn forward<T: Gemm>(
    g: &ConvSizes,
    x: &[T],
    w: &[T],
    bias: Option<&[T]>,
    y: &mut [T],
) -> bool {
    let weights = TapPlaces { map: 9 * g.c, channel: 9, reversed: false };
    // SAFETY: the same contract.
    unsafe { run(g, x, (w, &weights), bias, y) }
}

/// Computes the adjoint in the input, with a result as that of [`forward`].
///
/// # Safety
/// As [`forward`].
#[must_use]
pub unsafe fn input<T: Gemm>(g: &ConvSizes, gy: &[T], w: &[T], gx: &mut [T]) -> bool {
    let weights = TapPlaces { map: 9, channel: 9 * g.c, reversed: true };
    // SAFETY: the same contract, for the convolution with the sides exchanged.
    unsafe { run(&mirrored(g), gy, (w, &weights), None, gx) }
}

unsafe fn run<T: Gemm>(
    g: &ConvSizes,
    x: &[T],
    (w, weights): (&[T], &TapPlaces),
    bias: Option<&[T]>,
    y: &mut [T],
) -> bool {
    let pixels = Pixels::<T>::new(g.c, g.size, g.padding.map(|(before, _)| before), 2);
    let maps = g.o.next_multiple_of(pixels.kernels.lanes);
    let tiling = Tiling::new(g, NEAR / (pixels.lanes + maps), LEAST);
    let correlation = TileCorrelation { g, pixels, maps, tiling };
    let (of_weights, of_group) = (POSITIONS * g.c * maps, (POSITIONS * g.c + 1) * maps);
    let finite = AtomicBool::new(true);
    with_buffer(Use::Weights, g.groups * of_group, |buffer: *mut T| {
        for group in 0..g.groups {
            let w = &w[group * 9 * g.c * g.o..][..9 * g.c * g.o];
            // SAFETY: the buffer has room for the weights of all groups, and for the bias behind them.
            unsafe {
                let to = buffer.add(group * of_group);
                correlation.weights(w, weights, to);
                if let Some(bias) = bias {
                    let to = to.add(of_weights);
                    to.write_bytes(0, maps);
                    to.copy_from_nonoverlapping(bias[group * g.o..][..g.o].as_ptr(), g.o);
                }
            }
        }
        let (buffer, y) = (Shared(buffer), Shared(y.as_mut_ptr()));
        let blocks = correlation.tiling.blocks();
        let products = cost(&[g.n, g.groups, g.o, g.out_pixels(), 4, g.c]);
        ranges(g.groups * blocks, products / 8, 1, |range| {
            with_buffer(Use::Images, correlation.room(), |near: *mut T| {
                for unit in range.clone() {
                    let of = |unit| Unit {
                        group: unit / blocks,
                        block: correlation.tiling.block(unit % blocks),
                    };
                    let next = (unit + 1 < range.end).then(|| of(unit + 1));
                    // SAFETY: the images and weights of this group, room for a block, and no other call writes the
                    // pixels of this block.
                    unsafe {
                        let unit = of(unit);
                        let u = buffer.get().add(unit.group * of_group).cast_const();
                        let bias = bias.map_or(std::ptr::null(), |_| u.add(of_weights));
                        if !correlation.block(&unit, next.as_ref(), x, [u, bias], near, y.get()) {
                            finite.store(false, Relaxed);
                        }
                    }
                }
            });
        });
    });
    finite.into_inner()
}

/// A block of tiles of a group.
struct Unit {
    group: usize,
    block: TileBlock,
}

/// A convolution and how it is cut.
struct TileCorrelation<'a, T: 'static> {
    g: &'a ConvSizes,
    pixels: Pixels<T>,
    /// Number of maps, rounded up to whole vectors.
    maps: usize,
    tiling: Tiling,
}

impl<T: Gemm> TileCorrelation<'_, T> {
    /// Elements of a position of a block, for the pixels and for the sums.
    fn position(&self) -> [usize; 2] {
        let (tiles, _) = self.tiling.most();
        [self.pixels.lanes, self.maps].map(|channels| tiles * channels + GAP)
    }

    /// Elements of the pixels, or of the results, of an image of a block.
    fn image(&self) -> usize {
        let (_, [rows, cols]) = self.tiling.most();
        (self.pixels.len(rows) * self.pixels.len(cols) * self.pixels.lanes)
            .max(4 * rows * cols * self.maps)
    }

    fn room(&self) -> usize {
        let [pixels, sums] = self.position();
        self.image() + POSITIONS * (pixels + sums)
    }

    /// Transforms the weights of a group: one matrix [channels, maps] for each position.
    ///
    /// # Safety
    /// `w` has the weights of a group, and `to` has room.
    unsafe fn weights(&self, w: &[T], weights: &TapPlaces, to: *mut T) {
        let (g, maps) = (self.g, self.maps);
        let TileTransforms { weight: transform, half, .. } = *transforms::<T>();
        let (row, to) = (maps as isize, Shared(to));
        let (first, sign) = if weights.reversed { (8 * maps, -1) } else { (0, 1) };
        let source = Squares { row: sign * 3 * row, col: sign * row, tile: 9 * maps };
        let target = positions(g.c * maps, maps);
        ranges(g.c, cost(&[9, g.c, g.o]), 1, |range| {
            with_buffer(Use::Images, AT_ONCE * 9 * maps, |taps: *mut T| {
                for channels in pieces(range.len(), range.len().div_ceil(AT_ONCE)) {
                    let channel = range.start + channels.start;
                    let panel = |channel: usize, k: usize| Panel {
                        src: w[channel * weights.channel..].as_ptr(),
                        stride: weights.map as isize,
                        k_stride: 1,
                        width: maps,
                        valid: g.o,
                        k,
                    };
                    // SAFETY: all weights are in the slice. The taps have room for nine taps of all maps for each channel;
                    // rows of whole vectors are packed without writing beyond them.
                    unsafe {
                        let pack = self.pixels.kernels.pack;
                        if weights.channel == 9 {
                            pack(&panel(channel, 9 * channels.len()), taps);
                        } else {
                            for i in 0..channels.len() {
                                pack(&panel(channel + i, 9), taps.add(i * 9 * maps));
                            }
                        }
                        transform(&TileTransform {
                            from: taps.add(first).cast_const(),
                            source,
                            to: to.get().add(channel * maps),
                            target,
                            tiles: channels.len(),
                            channels: maps,
                            half,
                        });
                    }
                }
            });
        });
    }

    /// Computes a block, and requests the pixels of the next one. Returns whether all results are finite.
    ///
    /// # Safety
    /// `x` and `y` have all images, `u` the weights of the group, and `near` has its room. The bias has all maps, or is null.
    unsafe fn block(
        &self,
        unit: &Unit,
        next: Option<&Unit>,
        x: &[T],
        [u, bias]: [*const T; 2],
        near: *mut T,
        y: *mut T,
    ) -> bool {
        let (g, maps, lanes) = (self.g, self.maps, self.pixels.lanes);
        let &Unit { group, ref block } = unit;
        let transforms = transforms::<T>();
        let half = transforms.half;
        let [of_pixels, of_sums] = self.position();
        let (rows, cols) = (block.rows.clone(), block.cols.clone());
        let in_image = rows.len() * cols.len();
        let v = near.wrapping_add(self.image());
        let sums = v.wrapping_add(POSITIONS * of_pixels);
        // SAFETY: for all calls, the caller's promises; the parts of `near` have the length of the largest block.
        unsafe {
            for (i, image) in block.images.clone().enumerate() {
                let from = x.as_ptr().add((image * g.groups + group) * g.c * g.pixels());
                self.pixels.read(from, [rows.clone(), cols.clone()], near);
                let source = self.pixels.points(cols.len());
                for row in 0..rows.len() {
                    (transforms.pixels)(&TileTransform {
                        from: near.wrapping_offset(2 * row as isize * source.row).cast_const(),
                        source,
                        to: v.add((i * in_image + row * cols.len()) * lanes),
                        target: positions(of_pixels, lanes),
                        tiles: cols.len(),
                        channels: lanes,
                        half,
                    });
                }
            }
            let mut requests =
                next.map(|next| self.pixels.requests(&next.block, [next.group, g.groups], x));
            let product = |position: usize| TileProduct {
                a: v.add(position * of_pixels).cast_const(),
                a_row: lanes,
                a_col: 1,
                b: u.add(position * g.c * maps),
                c: sums.add(position * of_sums),
                width: maps,
                rows: block.tiles(),
                k: g.c,
                accumulate: false,
            };
            multiply::<T, false>(product, requests.as_mut_slice());
            let mut finite = true;
            let width = (g.out[1] - 2 * cols.start).min(2 * cols.len());
            let height = (g.out[0] - 2 * rows.start).min(2 * rows.len());
            for (i, image) in block.images.clone().enumerate() {
                let pitch = 2 * cols.len() * maps;
                for row in 0..rows.len() {
                    finite &= (transforms.results)(&Results {
                        sums: TileTransform {
                            from: sums.add((i * in_image + row * cols.len()) * maps).cast_const(),
                            source: positions(of_sums, maps),
                            to: near.add(2 * row * pitch),
                            target: Squares {
                                row: pitch as isize,
                                col: maps as isize,
                                tile: 2 * maps,
                            },
                            tiles: cols.len(),
                            channels: maps,
                            half,
                        },
                        bias,
                    });
                }
                if width < 2 * cols.len() {
                    // The last column of pixels is outside the result.
                    for row in 1..height {
                        near.add(row * pitch).copy_to(near.add(row * width * maps), width * maps);
                    }
                }
                let pixels = height * width;
                let to = y.add((image * g.groups + group) * g.o * g.out_pixels());
                let first = to.add(2 * rows.start * g.out[1] + 2 * cols.start);
                let (run, runs) = if width == g.out[1] { (pixels, 1) } else { (width, height) };
                for i in 0..runs {
                    (transforms.unpack)(&Unpack {
                        from: near.add(i * width * maps).cast_const(),
                        channels: maps,
                        pixels: run,
                        to: first.add(i * g.out[1]),
                        map: g.out_pixels(),
                        maps: g.o,
                    });
                }
            }
            finite
        }
    }
}
