//! Pairs of arithmetic operations that a program computes as one step.
//!
//! A step of a program reads its operands from the innermost cache and writes its result there, which takes longer
//! than an addition. Where a product is read by one sum alone, both are computed while the number is in a register.
//! Each is rounded: the result has the bits of the two steps.

use super::binary::Binary;
use super::step::{Instruction, Opcode, Pointwise};
use super::unary::Unary;
use crate::machine::{Isa, Kernel, dispatch};
use crate::number::{Math, block};
use std::slice::{from_raw_parts, from_raw_parts_mut};

/// Two operations, of which the second alone reads the result of the first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Pair {
    /// a · c + d.
    ScaleShift(f64, f64),
    /// a + b · c.
    AddScaled(f64),
    /// (a · b) · c.
    ScaleProduct(f64),
}

impl Pair {
    /// Returns the pair that computes the same as `second` after `first`, with the operands of the pair, if there is
    /// one. `first` computes operand number `at` of `second`.
    pub(super) fn of(
        first: Instruction,
        at: usize,
        second: Instruction,
    ) -> Option<(Self, [u8; 2])> {
        // The product with -1 is exact.
        let factor = match first.op {
            Opcode::Unary(Unary::Scale(c)) => Some(c),
            Opcode::Unary(Unary::Neg) => Some(-1.0),
            _ => None,
        };
        let [x, y, _] = first.args;
        match (second.op, factor) {
            (Opcode::Unary(Unary::Shift(d)), Some(c)) => Some((Pair::ScaleShift(c, d), [x, x])),
            (Opcode::Binary(Binary::Add), Some(c)) => {
                Some((Pair::AddScaled(c), [second.args[1 - at], x]))
            }
            (Opcode::Binary(Binary::Sub), Some(c)) if at == 1 => {
                Some((Pair::AddScaled(-c), [second.args[0], x]))
            }
            (Opcode::Unary(Unary::Scale(c)), _) if first.op == Opcode::Binary(Binary::Mul) => {
                Some((Pair::ScaleProduct(c), [x, y]))
            }
            _ => None,
        }
    }

    /// Returns whether the result may take the place of an operand, where the operands have these numbers. An optimizer
    /// updates parameters this way.
    pub(super) fn is_in_place(self, operands: &[u8], operand: u8) -> bool {
        matches!(self, Pair::AddScaled(_)) && (operands[0] == operand) != (operands[1] == operand)
    }

    /// Returns the number of operands.
    #[inline]
    pub(super) fn arity(self) -> usize {
        if let Pair::ScaleShift(..) = self { 1 } else { 2 }
    }
}

/// A pair of operations applied to `n` numbers.
#[derive(Clone, Copy)]
pub struct PairStep<T> {
    pub(super) pair: Pair,
    pub(super) args: [*const T; 2],
    pub(super) out: *mut T,
    pub(super) n: usize,
}

impl<T: Pointwise> PairStep<T> {
    /// Computes the pair.
    ///
    /// # Safety
    /// Each operand holds `n` numbers, `out` has room for `n` and overlaps no operand. In place, `out` is one of them: see
    /// [`Pair::is_in_place`].
    #[inline]
    pub(super) unsafe fn run(self) {
        // SAFETY: the same contract.
        unsafe { T::pair_step(self) }
    }

    /// Computes the pair with the best instruction set.
    pub(super) fn dispatch(self) {
        dispatch(self);
    }
}

impl<T: Math> Kernel for PairStep<T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let ([a, b], out, n) = (self.args, self.out, self.n);
        // SAFETY: a `PairStep` is run by `PairStep::run` alone, whose contract this is.
        unsafe {
            match self.pair {
                Pair::ScaleShift(c, d) => {
                    let (c, d) = (T::narrow(c), T::narrow(d));
                    block::map(
                        a,
                        out,
                        n,
                        #[inline(always)]
                        |a| a * c + d,
                    );
                }
                Pair::AddScaled(c) => {
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
                Pair::ScaleProduct(c) => {
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
