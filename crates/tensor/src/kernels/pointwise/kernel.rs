//! One step of a program over neighbouring numbers, on the best instruction set there is.

use super::binary::{self, Binary};
use super::unary::{self, Unary};
use crate::machine::{Isa, Kernel};
use crate::tensor::Float;
use std::mem::MaybeUninit;
use std::slice::{from_raw_parts, from_raw_parts_mut};

/// A pointwise operation with one, two or three operands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Opcode {
    /// One operand.
    Unary(Unary),
    /// Two operands.
    Binary(Binary),
    /// The second operand where the first is not zero, else the third.
    Select,
}

impl Opcode {
    /// How many operands it reads.
    #[inline]
    pub fn arity(self) -> usize {
        match self {
            Opcode::Unary(_) => 1,
            Opcode::Binary(_) => 2,
            Opcode::Select => 3,
        }
    }
}

/// One opcode over `n` numbers.
pub struct Step<T> {
    pub op: Opcode,
    pub args: [*const T; 3],
    pub out: *mut T,
    pub n: usize,
}

impl<T: Float> Step<T> {
    /// # Safety
    /// Each operand that the opcode reads holds `n` numbers, `out` has room for `n` and overlaps
    /// no operand.
    #[inline]
    pub unsafe fn run(self) {
        // SAFETY: the same contract.
        unsafe { T::step(self) }
    }
}

impl<T: Float> Kernel for Step<T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let ([a, b, c], y, n) = (self.args, self.out, self.n);
        // SAFETY: a `Step` is run by `Step::run` alone, whose contract this is.
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
