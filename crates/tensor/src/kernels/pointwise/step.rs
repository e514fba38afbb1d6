//! One step of a program over contiguous numbers, with the best instruction set of this machine.

use super::binary::{self, Binary};
use super::unary::{self, Unary};
use crate::machine::{Isa, Kernel, Shared, dispatch, ranges};
use crate::number::Math;
use std::mem::MaybeUninit;
use std::slice::{from_raw_parts, from_raw_parts_mut};

/// A pointwise operation with one, two or three operands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Opcode {
    /// One operand.
    Unary(Unary),
    /// Two operands.
    Binary(Binary),
    /// Returns the second operand where the first is not zero, else the third.
    Select,
}

impl Opcode {
    /// Returns the number of operands.
    #[inline]
    pub fn arity(self) -> usize {
        match self {
            Opcode::Unary(_) => 1,
            Opcode::Binary(_) => 2,
            Opcode::Select => 3,
        }
    }
}

/// An operation and the numbers of its operands. Inputs have the first numbers, then the steps in
/// order.
#[derive(Clone, Copy, Debug)]
pub struct Instruction {
    /// The operation.
    pub op: Opcode,
    /// The numbers of the operands. Entries from the arity on are ignored.
    pub args: [u8; 3],
}

/// One opcode applied to `n` numbers.
pub struct PointwiseStep<T> {
    pub op: Opcode,
    pub args: [*const T; 3],
    pub out: *mut T,
    pub n: usize,
}

impl<T: Pointwise> PointwiseStep<T> {
    /// # Safety
    /// Each operand that the opcode reads holds `n` numbers, `out` has room for `n` and overlaps
    /// no operand.
    #[inline]
    pub unsafe fn run(self) {
        // SAFETY: the same contract.
        unsafe { T::step(self) }
    }
}

/// Applies one opcode to `n` numbers, on several threads.
///
/// # Safety
/// As [`PointwiseStep::run`].
#[cold]
pub(crate) unsafe fn in_parallel<T: Pointwise>(
    op: Opcode,
    args: [*const T; 3],
    out: *mut T,
    n: usize,
) {
    let (args, out) = (args.map(|p| Shared(p.cast_mut())), Shared(out));
    ranges(n, n, 64, |range| {
        let args = args.map(|p| p.get().cast_const().wrapping_add(range.start));
        // SAFETY: by the contract; the ranges are disjoint.
        unsafe {
            PointwiseStep { op, args, out: out.get().add(range.start), n: range.len() }.run();
        }
    });
}

/// Floating-point types for which the steps are compiled, once for each type.
pub trait Pointwise: Math {
    /// # Safety
    /// As [`PointwiseStep::run`].
    #[doc(hidden)]
    unsafe fn step(step: PointwiseStep<Self>);
}

macro_rules! pointwise {
    ($($t:ident)*) => { $(
        impl Pointwise for $t {
            unsafe fn step(step: PointwiseStep<$t>) {
                dispatch(step);
            }
        }
    )* };
}
pointwise! { f32 f64 }

impl<T: Math> Kernel for PointwiseStep<T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let ([a, b, c], y, n) = (self.args, self.out, self.n);
        // SAFETY: a `PointwiseStep` is run by `PointwiseStep::run` alone, whose contract this is.
        unsafe {
            match self.op {
                Opcode::Unary(op) => unary::run::<T, I>(op, a, y, n),
                Opcode::Binary(op) => binary::run::<T, I>(op, a, b, y, n),
                Opcode::Select => {
                    let [a, b, c] = [a, b, c].map(|p| from_raw_parts(p, n));
                    let y = from_raw_parts_mut(y.cast::<MaybeUninit<T>>(), n);
                    for (((y, &a), &b), &c) in y.iter_mut().zip(a).zip(b).zip(c) {
                        y.write(if a == T::default() { c } else { b });
                    }
                }
            }
        }
    }
}
