//! Division of integers: quotients and remainders.
//!
//! A division by a number takes 10 to 20 cycles in a processor. Many divisions by the same number are multiplications by
//! its reciprocal, a fraction of whole bits that is rounded up: the upper half of the product is the quotient (Granlund
//! and Montgomery, Division by Invariant Integers using Multiplication, 1994). So each block of divisors is tested for
//! whether they are all the same.

use super::blocks::BLOCK;
use crate::machine::simd;
use crate::number::Numeric;

/// What a division returns.
#[derive(Clone, Copy)]
pub(super) enum DivisionPart {
    /// The quotient, rounded towards zero.
    Quotient,
    /// The remainder with the sign of the dividend.
    Fmod,
    /// The remainder with the sign of the divisor.
    Remainder,
}

/// An integer type that can be divided.
pub(super) trait Division: Numeric {
    /// What is computed once for a divisor.
    type Reciprocal: Copy;
    /// Returns the reciprocal; `None` if a quotient may not fit the type, or the divisor has none.
    fn reciprocal(self) -> Option<Self::Reciprocal>;
    /// Returns the quotient, rounded towards zero, by the divisor of the reciprocal.
    fn quotient(self, by: Self::Reciprocal) -> Self;
    /// Returns `self - quotient · divisor`.
    fn rest(self, quotient: Self, divisor: Self) -> Self;
    /// Returns the remainder with the sign of the divisor, given that with the sign of the dividend.
    fn signed(rest: Self, divisor: Self) -> Self;
    /// Returns the quotient, if it fits the type, and the remainder, unless the divisor is 0.
    fn divided(self, divisor: Self) -> (Option<Self>, Option<Self>);
}

/// The reciprocal of the magnitude d of a divisor: `2^(63 + bits) / d` rounded up, where `2^bits` is the smallest power
/// of two that is not below d. Times d, it is `2^(63 + bits) + e` with `e < 2^bits`. With a dividend of at most 2⁶³, the
/// product of e and the dividend stays below `2^(63 + bits)`, so that the quotient is exact.
#[derive(Clone, Copy)]
pub(super) struct Wide {
    factor: u64,
    /// `bits - 1`.
    shift: u32,
    negative: bool,
}

impl Division for i64 {
    type Reciprocal = Wide;
    #[inline(always)]
    fn reciprocal(self) -> Option<Wide> {
        let size = self.unsigned_abs();
        if size < 2 {
            return None;
        }
        let shift = (size - 1).ilog2();
        let factor = (1u128 << (64 + shift)).div_ceil(size.into()) as u64;
        Some(Wide { factor, shift, negative: self < 0 })
    }
    #[inline(always)]
    fn quotient(self, by: Wide) -> i64 {
        let product = u128::from(self.unsigned_abs()) * u128::from(by.factor);
        let size = ((product >> 64) as u64 >> by.shift) as i64;
        if (self < 0) == by.negative { size } else { -size }
    }
    #[inline(always)]
    fn rest(self, quotient: i64, divisor: i64) -> i64 {
        self.wrapping_sub(quotient.wrapping_mul(divisor))
    }
    #[inline(always)]
    fn signed(rest: i64, divisor: i64) -> i64 {
        if rest != 0 && (rest < 0) != (divisor < 0) { rest + divisor } else { rest }
    }
    #[inline(always)]
    fn divided(self, divisor: i64) -> (Option<i64>, Option<i64>) {
        (self.checked_div(divisor), (divisor != 0).then(|| self.wrapping_rem(divisor)))
    }
}

/// Unsigned types of at most 32 bits: the reciprocal is `2^(2·BITS) / divisor`, rounded up, in two halves. Quotients are
/// exact for the same reason: e and the dividend are below `2^BITS`.
macro_rules! short {
    ($($t:ident in $wide:ident;)*) => { $(
        impl Division for $t {
            type Reciprocal = [$wide; 2];
            #[inline(always)]
            fn reciprocal(self) -> Option<[$wide; 2]> {
                // Twice the bits hold the reciprocals from the divisor 2 on.
                (self >= 2).then(|| {
                    let factor = $wide::MAX / $wide::from(self) + 1;
                    [factor >> $t::BITS, factor & $wide::from($t::MAX)]
                })
            }
            #[inline(always)]
            fn quotient(self, [high, low]: [$wide; 2]) -> $t {
                let x = $wide::from(self);
                ((x * high + ((x * low) >> $t::BITS)) >> $t::BITS) as $t
            }
            #[inline(always)]
            fn rest(self, quotient: $t, divisor: $t) -> $t {
                self.wrapping_sub(quotient.wrapping_mul(divisor))
            }
            #[inline(always)]
            fn signed(rest: $t, _: $t) -> $t {
                rest
            }
            #[inline(always)]
            fn divided(self, divisor: $t) -> (Option<$t>, Option<$t>) {
                (self.checked_div(divisor), self.checked_rem(divisor))
            }
        }
    )* };
}
short! {
    u32 in u64;
    u8 in u16;
}

/// Divides each element of `a` by that of `b`. Returns whether every result exists and fits the type.
#[allow(clippy::needless_bitwise_bool)] // a loop with an early exit does not vectorise
pub(super) fn divide<T: Division>(part: DivisionPart, a: &[T], b: &[T], out: &mut [T]) -> bool {
    let blocks = a.chunks(BLOCK).zip(b.chunks(BLOCK)).zip(out.chunks_mut(BLOCK));
    let mut valid = true;
    for ((a, b), out) in blocks {
        let divisor = b[0];
        let same = simd(
            #[inline(always)]
            || b.iter().fold(true, |same, &b| same & (b == divisor)),
        );
        valid &= match divisor.reciprocal() {
            Some(by) if same => {
                by_one(part, a, (divisor, by), out);
                true
            }
            _ => one_by_one(part, a, b, out),
        };
    }
    valid
}

/// Divides by one number.
fn by_one<T: Division>(
    part: DivisionPart,
    a: &[T],
    (divisor, by): (T, T::Reciprocal),
    out: &mut [T],
) {
    simd(
        #[inline(always)]
        move || {
            let each = a.iter().zip(out);
            match part {
                DivisionPart::Quotient => each.for_each(|(&a, out)| *out = a.quotient(by)),
                DivisionPart::Fmod => {
                    each.for_each(|(&a, out)| *out = a.rest(a.quotient(by), divisor));
                }
                DivisionPart::Remainder => each.for_each(|(&a, out)| {
                    *out = T::signed(a.rest(a.quotient(by), divisor), divisor);
                }),
            }
        },
    );
}

/// Divides by different numbers.
fn one_by_one<T: Division>(part: DivisionPart, a: &[T], b: &[T], out: &mut [T]) -> bool {
    for ((&a, &b), out) in a.iter().zip(b).zip(out) {
        let (quotient, rest) = a.divided(b);
        let result = match part {
            DivisionPart::Quotient => quotient,
            DivisionPart::Fmod => rest,
            DivisionPart::Remainder => rest.map(|rest| T::signed(rest, b)),
        };
        let Some(result) = result else { return false };
        *out = result;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Debug;

    /// Divides each number by each, which a processor does exactly in `i128`.
    fn check<T: Division + Debug + TryFrom<i128>>(numbers: &[T])
    where
        i128: From<T>,
    {
        let lengths = [1, 7, 8, 9, 31, 64, 65, BLOCK + 3];
        for (k, &divisor) in numbers.iter().enumerate() {
            let n = lengths[k % lengths.len()].max(numbers.len());
            let a: Vec<T> = numbers.iter().copied().cycle().take(n).collect();
            let same = vec![divisor; n];
            let mut different = same.clone();
            different[n - 1] = numbers[(k + 1) % numbers.len()];
            for b in [&same, &different] {
                for part in [DivisionPart::Quotient, DivisionPart::Fmod, DivisionPart::Remainder] {
                    let wanted = |(&a, &b): (&T, &T)| {
                        let (a, b) = (i128::from(a), i128::from(b));
                        let rest = a.checked_rem(b)?;
                        T::try_from(match part {
                            DivisionPart::Quotient => a.checked_div(b)?,
                            DivisionPart::Fmod => rest,
                            DivisionPart::Remainder if rest != 0 && (rest < 0) != (b < 0) => {
                                rest + b
                            }
                            DivisionPart::Remainder => rest,
                        })
                        .ok()
                    };
                    let wanted: Option<Vec<T>> = a.iter().zip(b).map(wanted).collect();
                    let mut out = vec![T::default(); n];
                    let got = divide(part, &a, b, &mut out).then_some(out);
                    assert_eq!(got, wanted, "by {divisor:?}");
                }
            }
        }
    }

    #[test]
    fn quotients_and_remainders_agree_with_wider_ones() {
        // All bytes, and numbers around powers of two, 3ⁿ and the ends of the range.
        check(&(0..=u8::MAX).collect::<Vec<_>>());
        let mut wide = vec![0, 1, 2, 3, i64::MAX, i64::MAX - 1];
        for bits in 1..63 {
            wide.extend([(1 << bits) - 1, 1 << bits, (1 << bits) + 1]);
            wide.push(3i64.wrapping_pow(bits) & i64::MAX);
        }
        let short: Vec<u32> = wide.iter().map(|&x| x as u32).collect();
        check(&short);
        wide.extend(wide.clone().iter().map(|x| -x));
        wide.push(i64::MIN);
        check(&wide);
    }
}
