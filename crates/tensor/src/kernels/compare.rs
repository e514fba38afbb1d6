//! Comparisons and choices by a mask over slices.

use super::blocks::{self, Source, Zip};
use crate::machine::simd;
use crate::number::Scalar;

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
    unsafe fn compare(op: Comparison, sources: [&Source<Self>; 2], out: &mut [bool]);
    /// Writes the element of the first source where the mask is true, else that of the second.
    ///
    /// # Safety
    /// The mask and each source have as many elements as `out`.
    #[doc(hidden)]
    unsafe fn choose(mask: &Source<bool>, sources: [&Source<Self>; 2], out: &mut [Self]);
}

#[inline(always)]
fn each<T: Copy>(a: &[T], b: &[T], out: &mut [bool], f: impl Fn(T, T) -> bool) -> bool {
    for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
        *out = f(a, b);
    }
    true
}

macro_rules! compare_kernels {
    ($($t:ident)*) => { $(
        impl CompareKernels for $t {
            unsafe fn compare(op: Comparison, [a, b]: [&Source<$t>; 2], out: &mut [bool]) {
                // a < b is b > a, which also holds for NaN. So four loops are enough.
                let sources = match op {
                    Comparison::Lt | Comparison::Le => [b, a],
                    _ => [a, b],
                };
                let loops: Zip<$t, bool> = match op {
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
            unsafe fn choose(mask: &Source<bool>, sources: [&Source<$t>; 2], out: &mut [$t]) {
                // Both operands are read whatever the mask is, so that the loop has selects and no branches.
                let loops: fn(&[bool], &[$t], &[$t], &mut [$t]) = |mask, a, b, out| simd(
                    #[inline(always)]
                    move || {
                        for (((out, &which), &a), &b) in out.iter_mut().zip(mask).zip(a).zip(b) {
                            *out = if which { a } else { b };
                        }
                    },
                );
                // SAFETY: the same contract.
                unsafe { blocks::choose(mask, sources, out, loops) };
            }
        }
    )* };
}
compare_kernels! { f32 f64 i64 u32 u8 bool }
