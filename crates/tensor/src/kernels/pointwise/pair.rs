//! Pairs of arithmetic operations that a program computes as one step.
//!
//! A step of a program reads its operands from the innermost cache and writes its result there, which takes longer
//! than an addition. Where a product is read by one sum alone, both are computed while the number is in a register.
//! Each is rounded: the result has the bits of the two steps.

use crate::machine::{Isa, Kernel, dispatch};
use crate::number::{Math, block};
use std::slice::{from_raw_parts, from_raw_parts_mut};

/// Two operations, of which the second alone reads the result of the first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum FusedPair {
    /// a · c + d.
    ScaleShift(f64, f64),
    /// a + b · c.
    AddScaled(f64),
    /// (a · b) · c.
    ScaleProduct(f64),
}

impl FusedPair {
    /// Returns the number of operands.
    #[inline]
    pub(super) fn arity(self) -> usize {
        if let FusedPair::ScaleShift(..) = self { 1 } else { 2 }
    }

    /// Returns whether the result may take the place of an operand, where the operands have these numbers. An optimizer
    /// updates parameters this way.
    pub(super) fn is_in_place(self, operands: &[u8], operand: u8) -> bool {
        matches!(self, FusedPair::AddScaled(_))
            && (operands[0] == operand) != (operands[1] == operand)
    }
}

/// A pair of operations applied to `n` numbers.
#[derive(Clone, Copy)]
pub struct PairStep<T> {
    pub(super) pair: FusedPair,
    pub(super) args: [*const T; 2],
    pub(super) out: *mut T,
    pub(super) n: usize,
}

impl<T: Math> PairStep<T> {
    /// Computes the pair with the best instruction set.
    ///
    /// # Safety
    /// Each operand holds `n` numbers, `out` has room for `n` and overlaps no operand. In place, `out` is one of them: see
    /// [`FusedPair::is_in_place`].
    pub(super) unsafe fn dispatch(self) {
        dispatch(self);
    }
}

impl<T: Math> Kernel for PairStep<T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let ([a, b], out, n) = (self.args, self.out, self.n);
        // SAFETY: a `PairStep` is run by `PairStep::dispatch` alone, whose contract this is.
        unsafe {
            match self.pair {
                FusedPair::ScaleShift(c, d) => {
                    let (c, d) = (T::narrow(c), T::narrow(d));
                    block::map(
                        a,
                        out,
                        n,
                        #[inline(always)]
                        |a| a * c + d,
                    );
                }
                FusedPair::AddScaled(c) => {
                    let c = T::narrow(c);
                    if std::ptr::eq(a, out) {
                        let (sums, b) = (from_raw_parts_mut(out, n), from_raw_parts(b, n));
                        for (sum, &b) in sums.iter_mut().zip(b) {
                            *sum = *sum + b * c;
                        }
                    } else if std::ptr::eq(b, out) {
                        let (a, sums) = (from_raw_parts(a, n), from_raw_parts_mut(out, n));
                        for (sum, &a) in sums.iter_mut().zip(a) {
                            *sum = a + *sum * c;
                        }
                    } else {
                        block::zip(
                            a,
                            b,
                            out,
                            n,
                            #[inline(always)]
                            |a, b| a + b * c,
                        );
                    }
                }
                FusedPair::ScaleProduct(c) => {
                    let c = T::narrow(c);
                    block::zip(
                        a,
                        b,
                        out,
                        n,
                        #[inline(always)]
                        |a, b| a * b * c,
                    );
                }
            }
        }
    }
}
