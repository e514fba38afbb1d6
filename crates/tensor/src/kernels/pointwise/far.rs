//! Arithmetic on two operands whose result is written past the caches.
//!
//! Each number is read once, and an addition takes no time: memory is the limit, and a call of a kernel for each piece
//! of the result would be a pause in which nothing is read. So the four operations of arithmetic have a kernel that goes
//! through all pieces.

use super::binary::Binary;
use crate::machine::{Isa, Kernel, Streaming, dispatch};
use crate::number::{Math, block};
use std::mem::MaybeUninit;

/// The bytes of a piece of the result. The stores of a piece wait in the store buffer while the next piece is computed;
/// more lines would fill it, and the next piece would wait.
pub(super) const PIECE: usize = 1024;

/// A piece of the result in the innermost cache.
#[repr(align(64))]
pub(super) struct FarPiece([MaybeUninit<u8>; PIECE]);

impl FarPiece {
    pub(super) fn new() -> Self {
        FarPiece([MaybeUninit::uninit(); PIECE])
    }

    pub(super) fn start<T>(&mut self) -> *mut T {
        self.0.as_mut_ptr().cast()
    }
}

/// An operation of arithmetic on `n` pairs of numbers.
#[derive(Clone, Copy)]
pub struct FarStep<T> {
    pub(super) op: Binary,
    pub(super) args: [*const T; 2],
    pub(super) out: *mut T,
    pub(super) n: usize,
}

impl<T: Math> FarStep<T> {
    /// Computes the numbers, if the operation is one of arithmetic. Returns whether it is.
    ///
    /// # Safety
    /// Each operand holds `n` numbers, `out` has room for `n` and overlaps no operand.
    pub(super) unsafe fn dispatch(self) -> bool {
        dispatch(self)
    }

    /// Computes the numbers piece by piece.
    ///
    /// # Safety
    /// As [`dispatch`](FarStep::dispatch).
    #[inline(always)]
    unsafe fn stream(self, f: impl Fn(T, T) -> T) {
        let ([a, b], size) = (self.args, PIECE / size_of::<T>());
        let (mut piece, streaming) = (FarPiece::new(), Streaming::new());
        let piece = piece.start::<T>();
        for start in (0..self.n).step_by(size) {
            let n = size.min(self.n - start);
            // SAFETY: by the contract; the piece has room for `n` numbers, and the loop writes them.
            unsafe {
                block::zip(a.add(start), b.add(start), piece, n, &f);
                streaming.copy(piece, self.out.add(start), n);
            }
        }
    }
}

impl<T: Math> Kernel for FarStep<T> {
    type Output = bool;
    #[inline(always)]
    fn run<I: Isa>(self) -> bool {
        // SAFETY: a `FarStep` is run by `FarStep::dispatch` alone, whose contract this is.
        unsafe {
            match self.op {
                Binary::Add => self.stream(
                    #[inline(always)]
                    |a, b| a + b,
                ),
                Binary::Sub => self.stream(
                    #[inline(always)]
                    |a, b| a - b,
                ),
                Binary::Mul => self.stream(
                    #[inline(always)]
                    |a, b| a * b,
                ),
                Binary::Div => self.stream(
                    #[inline(always)]
                    |a, b| a / b,
                ),
                _ => return false,
            }
        }
        true
    }
}
