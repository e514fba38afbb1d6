//! Arithmetic of integers over slices: the exact result, or the news that one does not fit.
//!
//! A loop that stops at the first result that does not fit does not vectorise. These loops compute every result wrapped,
//! and collect in one number whether a result was wrong: for sums and differences, the carry out of
//! the top bit; for products, the upper half. The caller finds the operands that do not fit.

use super::blocks::{self, NumberSource, ZipLoop};
use super::division::{DivisionPart, divide};
use super::pointwise::Binary;
use crate::machine::simd;
use crate::number::Numeric;

/// Arithmetic of one integer type, compiled once in this crate.
pub trait IntegerKernels: Numeric {
    /// Computes `a op b` for each element. Returns `None` if the operation has no vectorised loop, and
    /// otherwise whether every result fits the type.
    ///
    /// # Safety
    /// Each source has as many elements as `out`.
    #[doc(hidden)]
    unsafe fn zip(op: Binary, sources: [&NumberSource<Self>; 2], out: &mut [Self]) -> Option<bool>;
}

/// Computes each result and its mark. Returns the marks, joined by `|`.
#[inline(always)]
fn marked<T: Copy + Default + std::ops::BitOr<Output = T>>(
    a: &[T],
    b: &[T],
    out: &mut [T],
    f: impl Fn(T, T) -> (T, T),
) -> T {
    let mut marks = T::default();
    for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
        let (result, mark) = f(a, b);
        *out = result;
        marks = marks | mark;
    }
    marks
}

macro_rules! integer_kernels {
    ($($t:ident: $sum:expr, $difference:expr, $product:expr;)*) => { $(
        impl IntegerKernels for $t {
            unsafe fn zip(
                op: Binary,
                sources: [&NumberSource<Self>; 2],
                out: &mut [Self],
            ) -> Option<bool> {
                /// The highest bit, which holds the mark of a sum.
                const TOP: $t = 1 << ($t::BITS - 1);
                let loops: ZipLoop<$t, $t> = match op {
                    Binary::Add => |a, b, out| simd(
                        #[inline(always)]
                        move || marked(a, b, out, $sum) & TOP == 0,
                    ),
                    Binary::Sub => |a, b, out| simd(
                        #[inline(always)]
                        move || marked(a, b, out, $difference) & TOP == 0,
                    ),
                    Binary::Mul => |a, b, out| simd(
                        #[inline(always)]
                        move || marked(a, b, out, $product) == 0,
                    ),
                    Binary::Maximum => |a, b, out| simd(
                        #[inline(always)]
                        move || marked(a, b, out, |a, b| (if a > b { a } else { b }, 0)) == 0,
                    ),
                    Binary::Minimum => |a, b, out| simd(
                        #[inline(always)]
                        move || marked(a, b, out, |a, b| (if a < b { a } else { b }, 0)) == 0,
                    ),
                    Binary::Div => |a, b, out| divide(DivisionPart::Quotient, a, b, out),
                    Binary::Fmod => |a, b, out| divide(DivisionPart::Fmod, a, b, out),
                    Binary::Remainder => |a, b, out| divide(DivisionPart::Remainder, a, b, out),
                    _ => return None,
                };
                // SAFETY: the same contract.
                Some(unsafe { blocks::zip(sources, out, loops) })
            }
        }
    )* };
}
integer_kernels! {
    i64:
        |a, b| { let r = a.wrapping_add(b); (r, (a ^ r) & (b ^ r)) },
        |a, b| { let r = a.wrapping_sub(b); (r, (a ^ b) & (a ^ r)) },
        |a, b| { let (r, over) = a.overflowing_mul(b); (r, i64::from(over)) };
    u32:
        |a, b| { let r = a.wrapping_add(b); (r, (a & b) | ((a | b) & !r)) },
        |a, b| { let r = a.wrapping_sub(b); (r, (!a & b) | ((!a | b) & r)) },
        |a, b| { let r = u64::from(a) * u64::from(b); (r as u32, (r >> 32) as u32) };
    u8:
        |a, b| { let r = a.wrapping_add(b); (r, (a & b) | ((a | b) & !r)) },
        |a, b| { let r = a.wrapping_sub(b); (r, (!a & b) | ((!a | b) & r)) },
        |a, b| { let r = u16::from(a) * u16::from(b); (r as u8, (r >> 8) as u8) };
}
