//! Random numbers: masks and uniform numbers from random bits.

use super::philox::{BATCH, for_bytes};
use crate::machine::{each_part, simd};
use crate::number::Scalar;
use rand::Rng;

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
