//! The random number generator Philox4x32-10.

use crate::machine::simd;
use rand::rand_core::Infallible;
use rand::{Rng, SeedableRng, TryRng};

/// Computes the bijection Philox4x32 with ten rounds: four random words for each (counter, key). J. K.
/// Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC
/// 2011.
///
/// Words are stored in the lower halves of `u64`; the upper halves are ignored. Each step of many
/// such computations side by side is then one instruction on vectors of 64-bit lanes, whose
/// multiplication reads only the lower halves.
#[inline(always)]
fn philox([mut c0, mut c1, mut c2, mut c3]: [u64; 4], key: u64) -> [u64; 4] {
    const ROUNDS: u32 = 10;
    const MULTIPLIERS: [u64; 2] = [0xD251_1F53, 0xCD9E_8D57];
    // The golden ratio and √3 - 1: the increments of the keys from round to round.
    const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
    let (k0, k1) = (key as u32, (key >> 32) as u32);
    for round in 0..ROUNDS {
        let a = MULTIPLIERS[0] * (c0 & LOWER);
        let b = MULTIPLIERS[1] * (c2 & LOWER);
        c0 = (b >> 32) ^ c1 ^ u64::from(k0.wrapping_add(WEYL[0].wrapping_mul(round)));
        c1 = b;
        c2 = (a >> 32) ^ c3 ^ u64::from(k1.wrapping_add(WEYL[1].wrapping_mul(round)));
        c3 = a;
    }
    [c0, c1, c2, c3]
}

const LOWER: u64 = 0xFFFF_FFFF;

/// Returns one block of a stream: each number holds two words, the first in its lower half.
#[inline(always)]
fn block(key: u64, stream: u64, number: u64) -> [u64; 2] {
    let [w0, w1, w2, w3] = philox([number, number >> 32, stream, stream >> 32], key);
    [(w0 & LOWER) | w1 << 32, (w2 & LOWER) | w3 << 32]
}

/// Blocks that are computed at a time, and their size in bytes.
const BLOCKS: usize = 32;
pub(super) const BATCH: usize = 16 * BLOCKS;

/// Calls `take` with the bytes of a stream, starting at the word at `position`: up to [`BATCH`]
/// bytes at a time, `count` in all. The first argument of `take` is the number of bytes before
/// these.
#[inline(always)]
pub(super) fn for_bytes(
    key: u64,
    stream: u64,
    position: u64,
    count: usize,
    mut take: impl FnMut(usize, &[u8]),
) {
    let mut done = 0;
    // The first word may be in the middle of a block.
    let mut skip = (position % 4) as usize * 4;
    let mut first = position / 4;
    while done < count {
        let mut made = [[0; 2]; BLOCKS];
        for (i, made) in made.iter_mut().enumerate() {
            *made = block(key, stream, first.wrapping_add(i as u64));
        }
        let bytes = made.map(|[low, high]| [low.to_le_bytes(), high.to_le_bytes()]);
        let n = (BATCH - skip).min(count - done);
        take(done, &bytes.as_flattened().as_flattened()[skip..skip + n]);
        done += n;
        skip = 0;
        first = first.wrapping_add(BLOCKS as u64);
    }
}

/// The counter-based random number generator Philox4x32-10.
///
/// Word `4b + w` of a stream is word `w` of the bijection of (block `b`, stream) under the key. The
/// state is the key, the stream and a position, so three numbers store it. Streams with different
/// keys or stream numbers are independent. The generator passes the test batteries of TestU01
/// (Salmon et al. 2011). It is not suitable for cryptography.
///
/// It implements [`rand::Rng`], so everything that `rand` offers works with it. The trait must be
/// in scope for a call such as `rng.next_u64()`: the package `wengert` exports the crate as
/// `wengert::rand`.
///
/// ```
/// use wengert::tensor::{Philox, Tensor};
/// let mut rng = Philox::new(7);
/// let saved = rng.state();
/// let x = Tensor::uniform(&[2, 2], 0.0, 1.0, &mut rng);
/// let again = Tensor::uniform(&[2, 2], 0.0, 1.0, &mut Philox::from_state(saved));
/// assert_eq!(x, again);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Philox {
    key: u64,
    stream: u64,
    /// Number of words generated so far.
    position: u64,
    /// The block that contains the next word, unless the next word is the first of its block.
    block: [u64; 2],
}

impl Philox {
    /// Creates a generator with the key `seed`, at the beginning of stream 0.
    pub fn new(seed: u64) -> Self {
        Self::with_stream(seed, 0)
    }

    /// Creates a generator with the key `seed`, at the beginning of a stream. Streams do not
    /// overlap.
    pub fn with_stream(seed: u64, stream: u64) -> Self {
        Self::from_state([seed, stream, 0])
    }

    /// Returns a new generator, independent of this one and of all others split from it, before or
    /// after. Its key is drawn from this generator, which advances by two words.
    pub fn split(&mut self) -> Self {
        Self::new(self.next_u64())
    }

    /// Returns the whole state: the key, the stream, and the number of 32-bit words generated so
    /// far.
    pub fn state(&self) -> [u64; 3] {
        [self.key, self.stream, self.position]
    }

    /// Creates the generator that had this [`state`](Philox::state). Any three numbers are a valid
    /// state.
    pub fn from_state([key, stream, position]: [u64; 3]) -> Self {
        let mut rng = Philox { key, stream, position, block: [0; 2] };
        if position % 4 != 0 {
            rng.load();
        }
        rng
    }

    /// Computes the block that contains the next word.
    #[inline]
    fn load(&mut self) {
        self.block = block(self.key, self.stream, self.position / 4);
    }

    #[inline]
    fn word(&mut self) -> u32 {
        let w = self.position % 4;
        if w == 0 {
            self.load();
        }
        self.position = self.position.wrapping_add(1);
        (self.block[(w / 2) as usize] >> (w % 2 * 32)) as u32
    }
}

impl TryRng for Philox {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.word())
    }

    /// Returns two words, the first in the lower half.
    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let low = u64::from(self.word());
        Ok(low | u64::from(self.word()) << 32)
    }

    /// Fills `bytes` with the next words, least significant byte first. Unused bytes of the last
    /// word are dropped.
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        let Philox { key, stream, position, .. } = *self;
        let count = bytes.len().div_ceil(4) as u64;
        simd(
            #[inline(always)]
            move || {
                for_bytes(key, stream, position, bytes.len(), move |done, made| {
                    bytes[done..done + made.len()].copy_from_slice(made);
                });
            },
        );
        *self = Self::from_state([key, stream, position.wrapping_add(count)]);
        Ok(())
    }
}

impl SeedableRng for Philox {
    type Seed = [u8; 8];

    /// Creates a generator whose key is `seed`, least significant byte first.
    fn from_seed(seed: [u8; 8]) -> Self {
        Self::new(u64::from_le_bytes(seed))
    }

    /// Creates the same generator as [`Philox::new`].
    fn seed_from_u64(seed: u64) -> Self {
        Self::new(seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    /// Test vectors for philox4x32 with ten rounds from the Random123 distribution of Salmon et al.
    #[test]
    fn philox_agrees_with_the_published_test_vectors() {
        let answer = |counter: [u32; 4], key: [u32; 2]| {
            let key = u64::from(key[0]) | u64::from(key[1]) << 32;
            philox(counter.map(u64::from), key).map(|word| word as u32)
        };
        assert_eq!(answer([0; 4], [0; 2]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
        assert_eq!(answer([!0; 4], [!0; 2]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
        assert_eq!(
            answer([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
            [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]
        );
        let mut rng = Philox::new(0);
        assert_eq!(rng.next_u32(), 0x6627e8d5);
        assert_eq!(rng.next_u64(), 0xbc57ac4c_e169c58d);
        let rng = Philox::from_state([0x299f31d0_a4093822, 0x03707344_13198a2e, 0]);
        let counter = [0, 0, 0x13198a2e, 0x03707344];
        let expected = answer(counter, [0xa4093822, 0x299f31d0]);
        assert_eq!(rng.random_iter::<u32>().take(4).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn every_way_to_read_gives_the_same_words() {
        let mut rng = Philox::with_stream(42, 5);
        let words: Vec<u32> = (0..300).map(|_| rng.next_u32()).collect();
        for skip in 0..9 {
            for len in [0, 1, 3, 4, 17, 255, 256, 257, 1000] {
                let mut rng = Philox::with_stream(42, 5);
                for _ in 0..skip {
                    rng.next_u32();
                }
                let mut bytes = vec![0; len];
                rng.fill_bytes(&mut bytes);
                let all: Vec<u8> =
                    words[skip..].iter().flat_map(|word| word.to_le_bytes()).collect();
                assert_eq!(bytes, all[..len], "{skip} {len}");
                assert_eq!(rng.next_u32(), words[skip + len.div_ceil(4)], "{skip} {len}");
            }
        }
    }

    #[test]
    fn a_generator_continues_from_a_saved_state() {
        let mut rng = Philox::new(3);
        for _ in 0..13 {
            let mut resumed = Philox::from_state(rng.state());
            assert_eq!(resumed.next_u64(), rng.clone().next_u64());
            rng.next_u32();
        }
        assert_eq!(Philox::seed_from_u64(3), Philox::new(3));
        assert_eq!(Philox::from_seed([3, 0, 0, 0, 0, 0, 0, 0]), Philox::new(3));
        // The position wraps around at the end of a stream.
        let mut last = Philox::from_state([3, 0, u64::MAX]);
        last.next_u32();
        assert_eq!(last.next_u32(), Philox::new(3).next_u32());
    }

    #[test]
    fn split_generators_have_different_numbers() {
        let mut rng = Philox::new(1);
        let (mut a, mut b) = (rng.split(), rng.split());
        let draws: Vec<u64> = [&mut a, &mut b, &mut rng].map(Rng::next_u64).to_vec();
        assert!(draws[0] != draws[1] && draws[1] != draws[2] && draws[0] != draws[2]);
        let again = Philox::new(1).split();
        assert_eq!(again.state()[0], a.state()[0]);
        assert!((0..10).contains(&rng.random_range(0..10)));
    }
}
