//! The transforms of Winograd's convolution between pixels, or weights, and the 16 positions of a tile
//! (see `conv/winograd`), and the way back from channels side by side to planes.
//!
//! Each transform is a linear map of a line of points that is applied to the rows of a square of points, and
//! then to its columns. Vectors lie along the channels, so that no transform moves numbers between lanes.

#![allow(clippy::needless_range_loop)] // the indices show which points are combined

use super::vector::Vector;

/// A linear map from `I` points on a line to `O` points.
pub trait LineMap<const I: usize, const O: usize> {
    /// Applies the map. `half` is ½ in every lane.
    unsafe fn apply<V: Vector>(points: [V; I], half: V) -> [V; O];
}

/// Bᵀ: four neighbouring pixels.
pub struct PixelLine;
impl LineMap<4, 4> for PixelLine {
    #[inline(always)]
    unsafe fn apply<V: Vector>([a, b, c, d]: [V; 4], _: V) -> [V; 4] {
        // SAFETY: for all of them, the caller promises the instructions.
        unsafe { [a.minus(c), b.plus(c), c.minus(b), d.minus(b)] }
    }
}

/// Aᵀ: the sums at the positions, for two neighbouring pixels of the result.
pub struct SumLine;
impl LineMap<4, 2> for SumLine {
    #[inline(always)]
    unsafe fn apply<V: Vector>([a, b, c, d]: [V; 4], half: V) -> [V; 2] {
        unsafe { [a.add_product(b.plus(c), half), d.add_product(b.minus(c), half)] }
    }
}

/// A, the adjoint of [`SumLine`] without its halves: the gradient of two neighbouring pixels.
pub struct GradientLine;
impl LineMap<2, 4> for GradientLine {
    #[inline(always)]
    unsafe fn apply<V: Vector>([a, b]: [V; 2], _: V) -> [V; 4] {
        unsafe { [a, a.plus(b), a.minus(b), b] }
    }
}

/// G: the three weights along an axis. Halves are taken of sums, because half of a subnormal weight would be rounded.
pub struct WeightLine;
impl LineMap<3, 4> for WeightLine {
    #[inline(always)]
    unsafe fn apply<V: Vector>([a, b, c]: [V; 3], _: V) -> [V; 4] {
        unsafe {
            let ends = a.plus(c);
            [a, ends.plus(b), ends.minus(b), c]
        }
    }
}

/// Gᵀ, the adjoint of [`WeightLine`], with the halves that [`GradientLine`] does not have.
pub struct WeightGradientLine;
impl LineMap<4, 3> for WeightGradientLine {
    #[inline(always)]
    unsafe fn apply<V: Vector>([a, b, c, d]: [V; 4], half: V) -> [V; 3] {
        unsafe {
            let sum = b.plus(c);
            [
                a.add_product(sum, half),
                V::zero().add_product(b.minus(c), half),
                d.add_product(sum, half),
            ]
        }
    }
}

/// The transforms of one instruction set.
#[derive(Clone, Copy)]
pub struct TileTransforms<T> {
    pub pixels: unsafe fn(&TileTransform<T>),
    pub gradient: unsafe fn(&TileTransform<T>),
    pub results: unsafe fn(&Results<T>) -> bool,
    pub weight: unsafe fn(&TileTransform<T>),
    pub weight_gradient: unsafe fn(&TileTransform<T>),
    pub unpack: unsafe fn(&Unpack<T>),
    /// One half.
    pub half: T,
}

/// Squares of points with the same distances on each side: point (i, j) of square s is `channels` elements at
/// `address + i*row + j*col + s*tile`.
#[derive(Clone, Copy)]
pub struct Squares {
    pub row: isize,
    pub col: isize,
    pub tile: usize,
}

/// The arguments of [`transform`].
pub struct TileTransform<T> {
    pub from: *const T,
    pub source: Squares,
    pub to: *mut T,
    pub target: Squares,
    /// The number of squares.
    pub tiles: usize,
    /// Elements of a point, a multiple of a vector.
    pub channels: usize,
    /// One half.
    pub half: T,
}

/// Transforms squares of `I` by `I` points to squares of `O` by `O` points.
#[inline(always)]
pub unsafe fn transform<V: Vector, L: LineMap<I, O>, const I: usize, const O: usize>(
    t: &TileTransform<V::Scalar>,
) {
    let &TileTransform { from, source, to, target, tiles, channels, ref half } = t;
    // SAFETY: the caller promises the instructions, and the points on both sides.
    unsafe {
        let half = V::splat(half);
        for tile in 0..tiles {
            let (from, to) = (from.add(tile * source.tile), to.add(tile * target.tile));
            let mut channel = 0;
            while channel < channels {
                let (from, to) = (from.add(channel), to.add(channel));
                // The columns of the source become the rows in between, and the columns of the target.
                let mut between = [[V::zero(); I]; O];
                for j in 0..I {
                    let mut column = [V::zero(); I];
                    for i in 0..I {
                        let at = i as isize * source.row + j as isize * source.col;
                        column[i] = V::load(from.offset(at));
                    }
                    let column = L::apply(column, half);
                    for i in 0..O {
                        between[i][j] = column[i];
                    }
                }
                for i in 0..O {
                    let row = L::apply(between[i], half);
                    for j in 0..O {
                        let at = i as isize * target.row + j as isize * target.col;
                        row[j].store(to.offset(at));
                    }
                }
                channel += V::LANES;
            }
        }
    }
}

/// The arguments of [`results`].
pub struct Results<T> {
    /// From the sums at the positions to the pixels of the result.
    pub sums: TileTransform<T>,
    /// A number for each channel that is added to its pixels, or null.
    pub bias: *const T,
}

/// Transforms the sums at the positions of tiles to pixels of the result, and adds the bias last: a bias that is larger than
/// the sums is then rounded once. Returns whether all pixels are finite: then the sum of their products with zero is zero.
#[inline(always)]
pub unsafe fn results<V: Vector>(r: &Results<V::Scalar>) -> bool
where
    V::Scalar: PartialEq,
{
    // SAFETY: the same contract.
    unsafe { if r.bias.is_null() { pixels::<V, false>(r) } else { pixels::<V, true>(r) } }
}

/// Computes [`results`] with or without a bias: +0 is not added to a result that is -0.
#[inline(always)]
unsafe fn pixels<V: Vector, const BIAS: bool>(r: &Results<V::Scalar>) -> bool
where
    V::Scalar: PartialEq,
{
    let &TileTransform { from, source, to, target, tiles, channels, ref half } = &r.sums;
    // SAFETY: the caller promises the instructions, the points on both sides, and the bias of all channels.
    unsafe {
        let (half, zero) = (V::splat(half), V::zero());
        let mut checks = [zero; 4];
        for tile in 0..tiles {
            let (from, to) = (from.add(tile * source.tile), to.add(tile * target.tile));
            let mut channel = 0;
            while channel < channels {
                let (from, to) = (from.add(channel), to.add(channel));
                let bias = if BIAS { V::load(r.bias.add(channel)) } else { zero };
                let mut between = [[zero; 4]; 2];
                for j in 0..4 {
                    let mut column = [zero; 4];
                    for i in 0..4 {
                        let at = i as isize * source.row + j as isize * source.col;
                        column[i] = V::load(from.offset(at));
                    }
                    [between[0][j], between[1][j]] = SumLine::apply(column, half);
                }
                for i in 0..2 {
                    let row = SumLine::apply(between[i], half);
                    for j in 0..2 {
                        let pixel = if BIAS { row[j].plus(bias) } else { row[j] };
                        checks[2 * i + j] = checks[2 * i + j].add_product(pixel, zero);
                        let at = i as isize * target.row + j as isize * target.col;
                        pixel.store(to.offset(at));
                    }
                }
                channel += V::LANES;
            }
        }
        V::sums(checks) == [V::Scalar::default(); 4]
    }
}

/// The arguments of [`unpack`].
pub struct Unpack<T> {
    /// Channel c of pixel p is at `from + p*channels + c`; `channels` is a multiple of a vector.
    pub from: *const T,
    pub channels: usize,
    pub pixels: usize,
    /// Pixel p of map m is at `to + m*map + p`.
    pub to: *mut T,
    pub map: usize,
    /// The number of maps, at most `channels`.
    pub maps: usize,
}

/// Copies pixels with their channels side by side to one plane for each channel.
#[inline(always)]
pub unsafe fn unpack<V: Vector>(u: &Unpack<V::Scalar>) {
    let &Unpack { from, channels, pixels, to, map, maps } = u;
    let (whole_pixels, whole_maps) = (pixels - pixels % V::LANES, maps - maps % V::LANES);
    // SAFETY: the caller promises the instructions, and the pixels on both sides.
    unsafe {
        for m in (0..whole_maps).step_by(V::LANES) {
            for p in (0..whole_pixels).step_by(V::LANES) {
                let (from, to) = (from.add(p * channels + m), to.add(m * map + p));
                V::transpose(from, channels as isize, V::LANES, to, map);
            }
        }
        for m in 0..maps {
            let done = if m < whole_maps { whole_pixels } else { 0 };
            for p in done..pixels {
                *to.add(m * map + p) = *from.add(p * channels + m);
            }
        }
    }
}
