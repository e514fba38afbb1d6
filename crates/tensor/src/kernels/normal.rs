//! Normal numbers from random bits, by the method of Box and Muller: √(-2 ln u) times the cosine and the sine of 2πv are
//! two independent standard normal numbers if u and v are uniform (G. E. P. Box, M. E. Muller, "A note on the
//! generation of random normal deviates", 1958).
//!
//! The functions are those of [`number`](crate::number), not those of the system, and without fused operations: so the
//! same words give the same bits on every processor. Each step is a loop over a block of pairs, which vectorises.

use crate::machine::{Shared, Unfused, ranges, simd};
use crate::number::{Math, Scalar, sin_cos_of_turns};
use rand::Rng;

/// Pairs of numbers that are computed together.
const BLOCK: usize = 64;
/// Pairs whose words are requested at once, so many that the work is worth waking another thread.
const PAIRS: usize = 1 << 14;
/// Elementary steps for a pair, roughly.
const COST: usize = 16;

/// Overwrites `numbers` with `place` of standard normal numbers. `units` returns the two uniform numbers, the first
/// in (0, 1], that `K` random bytes stand for; two numbers are computed from them. The second number of the last pair may be
/// left out. The threads share the computation.
pub(crate) fn normal<T: Scalar, const K: usize>(
    numbers: &mut [T],
    rng: &mut (impl Rng + ?Sized),
    units: impl Fn(&[u8; K]) -> [f64; 2] + Copy + Sync,
    place: impl Fn(f64) -> T + Copy + Sync,
) {
    let mut bytes = vec![0; PAIRS.min(numbers.len().div_ceil(2)) * K];
    for part in numbers.chunks_mut(2 * PAIRS) {
        let pairs = part.len().div_ceil(2);
        let bytes = &mut bytes[..pairs * K];
        rng.fill_bytes(bytes);
        let (words, len, to) = (bytes.as_chunks().0, part.len(), Shared(part.as_mut_ptr()));
        ranges(pairs, pairs * COST, BLOCK, |range| {
            let numbers = 2 * range.start..len.min(2 * range.end);
            // SAFETY: the ranges are disjoint parts of `part`.
            let to = unsafe {
                std::slice::from_raw_parts_mut(to.get().add(numbers.start), numbers.len())
            };
            let words = &words[range];
            simd(
                #[inline(always)]
                move || {
                    for (to, words) in to.chunks_mut(2 * BLOCK).zip(words.chunks(BLOCK)) {
                        pairs_of(words, to, units, place);
                    }
                },
            );
        });
    }
}

/// Computes the numbers of at most [`BLOCK`] pairs.
#[inline(always)]
fn pairs_of<T: Scalar, const K: usize>(
    words: &[[u8; K]],
    to: &mut [T],
    units: impl Fn(&[u8; K]) -> [f64; 2] + Copy,
    place: impl Fn(f64) -> T + Copy,
) {
    let (mut first, mut second) = ([1.0; BLOCK], [0.0; BLOCK]);
    for (words, (u, v)) in words.iter().zip(first.iter_mut().zip(&mut second)) {
        [*u, *v] = units(words);
    }
    for (u, v) in first.iter_mut().zip(&mut second) {
        let radius = (-2.0 * Math::ln::<Unfused>(*u)).sqrt();
        let [sin, cos] = sin_cos_of_turns::<Unfused>(*v);
        (*u, *v) = (radius * cos, radius * sin);
    }
    let (pairs, last) = to.as_chunks_mut();
    for (to, (&a, &b)) in pairs.iter_mut().zip(first.iter().zip(&second)) {
        *to = [place(a), place(b)];
    }
    if let [last] = last {
        *last = place(first[pairs.len()]);
    }
}
