//! Random numbers: masks, uniform and normal numbers from random bits.

use super::philox::{BATCH, for_bytes};
use crate::machine::{Shared, each_part, ranges, simd};
use crate::number::Scalar;
use rand::Rng;
use std::f64::consts::TAU;

/// Fills `out` with a random mask: element i is `one` if the 32-bit word i of the stream is less
/// than `below`, else `zero`.
pub(crate) fn keep<T: Scalar>(
    key: u64,
    stream: u64,
    below: u64,
    [zero, one]: [T; 2],
    out: &mut [T],
) {
    let (some, last) = (below > 0, below.saturating_sub(1) as u32);
    let n = out.len();
    each_part(out, 1, n, BATCH / 4, |range, to| {
        simd(
            #[inline(always)]
            move || {
                for_bytes(key, stream, range.start as u64, 4 * to.len(), move |done, bytes| {
                    let words = bytes.as_chunks().0;
                    for (x, &word) in to[done / 4..done / 4 + words.len()].iter_mut().zip(words) {
                        *x = if u32::from_le_bytes(word) <= last && some { one } else { zero };
                    }
                });
            },
        );
    });
}

/// Bytes that are requested from a generator at a time.
const BYTES: usize = 2048;

/// Overwrites `numbers` with random numbers: `f` computes `PER` numbers from each group of `K`
/// random bytes. A group at the end may be cut.
#[inline(always)]
pub(crate) fn draw<T: Scalar, const K: usize, const PER: usize>(
    numbers: &mut [T],
    rng: &mut (impl Rng + ?Sized),
    f: impl Fn(&[u8; K]) -> [T; PER] + Copy,
) {
    let mut bytes = [0; BYTES];
    for part in numbers.chunks_mut(BYTES / K * PER) {
        let bytes = &mut bytes[..part.len().div_ceil(PER) * K];
        rng.fill_bytes(bytes);
        convert(part, bytes, f);
    }
}

/// Computes numbers from random bytes.
#[inline(always)]
fn convert<T: Scalar, const K: usize, const PER: usize>(
    numbers: &mut [T],
    bytes: &[u8],
    f: impl Fn(&[u8; K]) -> [T; PER] + Copy,
) {
    let groups = bytes.as_chunks().0;
    simd(
        #[inline(always)]
        move || {
            let (whole, cut) = numbers.as_chunks_mut();
            for (to, bytes) in whole.iter_mut().zip(groups) {
                *to = f(bytes);
            }
            if let Some(bytes) = groups.get(whole.len()) {
                cut.copy_from_slice(&f(bytes)[..cut.len()]);
            }
        },
    );
}

/// Does the same as [`draw`] for a costly `f`: the bytes are requested for many numbers at once, and the
/// threads share the computation of these numbers.
pub(crate) fn draw_shared<T: Scalar, const K: usize, const PER: usize>(
    numbers: &mut [T],
    rng: &mut (impl Rng + ?Sized),
    f: impl Fn(&[u8; K]) -> [T; PER] + Copy + Sync,
) {
    /// Groups per request, so many that the work is worth waking another thread.
    const GROUPS: usize = 1 << 14;
    /// Elementary steps per group, roughly.
    const COST: usize = 64;
    let most = GROUPS.min(numbers.len().div_ceil(PER));
    let mut bytes = vec![0; most * K];
    for part in numbers.chunks_mut(GROUPS * PER) {
        let groups = part.len().div_ceil(PER);
        let bytes = &mut bytes[..groups * K];
        rng.fill_bytes(bytes);
        let (bytes, len, to) = (&*bytes, part.len(), Shared(part.as_mut_ptr()));
        ranges(groups, groups * COST, 64, |range| {
            let numbers = range.start * PER..len.min(range.end * PER);
            // SAFETY: the ranges are disjoint parts of `part`.
            let to = unsafe {
                std::slice::from_raw_parts_mut(to.get().add(numbers.start), numbers.len())
            };
            convert(to, &bytes[range.start * K..range.end * K], f);
        });
    }
}

/// Returns 24 random bits as a multiple of 2⁻²⁴ in [0, 1).
#[inline(always)]
pub(crate) fn unit24(word: u32) -> f64 {
    f64::from(word >> 8) * 2f64.powi(-24)
}

/// Returns 53 random bits as a multiple of 2⁻⁵³ in [0, 1).
#[inline(always)]
pub(crate) fn unit53(words: u64) -> f64 {
    (words >> 11) as f64 * 2f64.powi(-53)
}

/// Returns two independent standard normal numbers from two uniform numbers, of which the first is
/// in (0, 1]: √(-2 ln u) times the cosine and the sine of 2πv. G. E. P. Box, M. E. Muller, "A note
/// on the generation of random normal deviates", 1958.
pub(crate) fn box_muller(u: f64, v: f64) -> [f64; 2] {
    let radius = (-2.0 * u.ln()).sqrt();
    let (sin, cos) = (TAU * v).sin_cos();
    [radius * cos, radius * sin]
}
