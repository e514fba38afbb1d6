//! Comparisons and choices by a mask over slices.

use super::blocks::{self, NumberSource, ZipLoop};
use crate::machine::simd;
use crate::number::Scalar;
use std::slice::from_raw_parts_mut;

/// A comparison of two elements. Every comparison with NaN is false, except `Ne`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// a > b.
    Gt,
    /// a ≥ b.
    Ge,
    /// a < b.
    Lt,
    /// a ≤ b.
    Le,
    /// a = b.
    Eq,
    /// a ≠ b.
    Ne,
}

/// Comparisons and choices of one element type, compiled once in this crate.
pub trait CompareKernels: Scalar {
    /// Compares each element of the first source with that of the second.
    ///
    /// # Safety
    /// Each source has as many elements as `out`.
    #[doc(hidden)]
    unsafe fn compare(op: Comparison, sources: [&NumberSource<Self>; 2], out: &mut [bool]);
    /// Writes the element of the first source where the mask is true, else that of the second.
    ///
    /// # Safety
    /// The mask and each source have as many elements as `out`.
    #[doc(hidden)]
    unsafe fn choose(
        mask: &NumberSource<bool>,
        sources: [&NumberSource<Self>; 2],
        out: &mut [Self],
    );
}

#[inline(always)]
fn each<T: Copy>(a: &[T], b: &[T], out: &mut [bool], f: impl Fn(T, T) -> bool) -> bool {
    for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
        *out = f(a, b);
    }
    true
}

/// Choices between bits. A mask of ones or zeros replaces the condition: from a condition, the compiler makes a choice
/// between two addresses, and a load from each address that was chosen.
mod bits {
    use crate::machine::simd;

    macro_rules! choices {
        ($($t:ident)*) => { $(
            pub(super) fn $t(mask: &[bool], a: &[$t], b: &[$t], out: &mut [$t]) {
                simd(
                    #[inline(always)]
                    move || {
                        for (((out, &which), &a), &b) in out.iter_mut().zip(mask).zip(a).zip(b) {
                            let ones = $t::from(which).wrapping_neg();
                            *out = (a & ones) | (b & !ones);
                        }
                    },
                );
            }
        )* };
    }
    choices! { u8 u32 i64 }
}

macro_rules! compare_kernels {
    ($($t:ident as $bits:ident)*) => { $(
        impl CompareKernels for $t {
            unsafe fn compare(op: Comparison, [a, b]: [&NumberSource<$t>; 2], out: &mut [bool]) {
                // a < b is b > a, which also holds for NaN. So four loops are enough.
                let sources = match op {
                    Comparison::Lt | Comparison::Le => [b, a],
                    _ => [a, b],
                };
                let loops: ZipLoop<$t, bool> = match op {
                    Comparison::Gt | Comparison::Lt => |a, b, out| simd(
                        #[inline(always)]
                        move || each(a, b, out, |a, b| a > b),
                    ),
                    Comparison::Ge | Comparison::Le => |a, b, out| simd(
                        #[inline(always)]
                        move || each(a, b, out, |a, b| a >= b),
                    ),
                    Comparison::Eq => |a, b, out| simd(
                        #[inline(always)]
                        move || each(a, b, out, |a, b| a == b),
                    ),
                    Comparison::Ne => |a, b, out| simd(
                        #[inline(always)]
                        move || each(a, b, out, |a, b| a != b),
                    ),
                };
                // SAFETY: the same contract.
                unsafe { blocks::zip(sources, out, loops) };
            }
            unsafe fn choose(mask: &NumberSource<bool>, sources: [&NumberSource<$t>; 2], out: &mut [$t]) {
                let [a, b] = sources.map(NumberSource::cast::<$bits>);
                // SAFETY: `$bits` has the size of `$t`, each result has the bits of an operand; and the same
                // contract.
                unsafe {
                    let out = from_raw_parts_mut(out.as_mut_ptr().cast::<$bits>(), out.len());
                    blocks::choose(mask, [&a, &b], out, bits::$bits);
                }
            }
        }
    )* };
}
compare_kernels! { f32 as u32 f64 as i64 i64 as i64 u32 as u32 u8 as u8 bool as u8 }
