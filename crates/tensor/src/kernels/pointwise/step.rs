//! One step of a program over contiguous numbers, with the best instruction set of this machine.

use super::binary::{self, Binary};
use super::far::{FarPiece, FarStep, PIECE};
use super::pair::PairStep;
use super::unary::{self, Unary};
use crate::machine::{Isa, Kernel, Shared, Streaming, dispatch, is_streamed, ranges};
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
    /// Applies the opcode to `n` numbers.
    ///
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
    let is_streamed = is_streamed(n * size_of::<T>());
    ranges(n, n, 64, |range| {
        let args = args.map(|p| p.get().cast_const().wrapping_add(range.start));
        // SAFETY: by the contract; the ranges are disjoint.
        unsafe {
            let step = PointwiseStep { op, args, out: out.get().add(range.start), n: range.len() };
            if is_streamed { streamed(&step) } else { step.run() }
        }
    });
}

/// Applies a step piece by piece: a piece of the result is computed in the innermost cache and then written
/// past the caches.
///
/// # Safety
/// As [`PointwiseStep::run`].
unsafe fn streamed<T: Pointwise>(step: &PointwiseStep<T>) {
    if let (Opcode::Binary(op), [a, b, _]) = (step.op, step.args) {
        // SAFETY: the same contract.
        if unsafe { T::far_step(FarStep { op, args: [a, b], out: step.out, n: step.n }) } {
            return;
        }
    }
    let (mut piece, streaming) = (FarPiece::new(), Streaming::new());
    let (piece, size) = (piece.start::<T>(), PIECE / size_of::<T>());
    for start in (0..step.n).step_by(size) {
        let n = size.min(step.n - start);
        let args = step.args.map(|p| p.wrapping_add(start));
        // SAFETY: by the contract; the piece has room for `n` numbers, and the step writes them.
        unsafe {
            PointwiseStep { op: step.op, args, out: piece, n }.run();
            streaming.copy(piece, step.out.add(start), n);
        }
    }
}

/// Floating-point types for which the steps are compiled, once for each type.
pub trait Pointwise: Math {
    /// Applies the opcode of a step to its numbers.
    ///
    /// # Safety
    /// As [`PointwiseStep::run`].
    #[doc(hidden)]
    unsafe fn step(step: PointwiseStep<Self>);

    /// Applies an opcode that is computed in `f64` for both types.
    ///
    /// # Safety
    /// As [`PointwiseStep::run`].
    #[doc(hidden)]
    unsafe fn wide_step(step: &PointwiseStep<Self>);

    /// Computes a pair of operations.
    ///
    /// # Safety
    /// As [`PairStep::dispatch`].
    #[doc(hidden)]
    unsafe fn pair_step(step: PairStep<Self>);

    /// Computes an operation of arithmetic, whose result is written past the caches. Returns false for other operations.
    ///
    /// # Safety
    /// As [`FarStep::dispatch`].
    #[doc(hidden)]
    unsafe fn far_step(step: FarStep<Self>) -> bool;
}

impl Pointwise for f64 {
    unsafe fn step(step: PointwiseStep<f64>) {
        dispatch(step);
    }
    unsafe fn pair_step(step: PairStep<f64>) {
        // SAFETY: the same contract.
        unsafe { step.dispatch() };
    }
    unsafe fn far_step(step: FarStep<f64>) -> bool {
        // SAFETY: the same contract.
        unsafe { step.dispatch() }
    }
    #[inline(never)]
    unsafe fn wide_step(step: &PointwiseStep<f64>) {
        dispatch(WideStep(step));
    }
}

impl Pointwise for f32 {
    unsafe fn step(step: PointwiseStep<f32>) {
        dispatch(step);
    }
    unsafe fn pair_step(step: PairStep<f32>) {
        // SAFETY: the same contract.
        unsafe { step.dispatch() };
    }
    unsafe fn far_step(step: FarStep<f32>) -> bool {
        // SAFETY: the same contract.
        unsafe { step.dispatch() }
    }
    #[inline(never)]
    unsafe fn wide_step(step: &PointwiseStep<f32>) {
        // SAFETY: the same contract.
        unsafe { widened(step) }
    }
}

/// Computes a step of `f32` in `f64`, block by block.
///
/// # Safety
/// As [`PointwiseStep::run`].
unsafe fn widened(step: &PointwiseStep<f32>) {
    const BLOCK: usize = 256;
    let mut wide = [[0.0f64; BLOCK]; 3];
    for start in (0..step.n).step_by(BLOCK) {
        let n = BLOCK.min(step.n - start);
        let [args @ .., y] = &mut wide;
        for (wide, &arg) in args.iter_mut().zip(&step.args[..step.op.arity()]) {
            // SAFETY: the operand holds the numbers from `start` to `start + n`.
            let arg = unsafe { from_raw_parts(arg.add(start), n) };
            for (wide, &x) in wide.iter_mut().zip(arg) {
                *wide = f64::from(x);
            }
        }
        let [a, b] = [args[0].as_ptr(), args[1].as_ptr()];
        // SAFETY: each block has room for `n` numbers, and the operands are those just written.
        unsafe {
            f64::wide_step(&PointwiseStep { op: step.op, args: [a, b, a], out: y.as_mut_ptr(), n });
        }
        // SAFETY: the result has room for these numbers.
        let out = unsafe { from_raw_parts_mut(step.out.add(start).cast::<MaybeUninit<f32>>(), n) };
        for (out, &y) in out.iter_mut().zip(y.iter()) {
            out.write(y as f32);
        }
    }
}

/// A step whose operation is computed in `f64`.
struct WideStep<'a>(&'a PointwiseStep<f64>);

impl Kernel for WideStep<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let &PointwiseStep { op, args: [a, b, _], out, n } = self.0;
        // SAFETY: the contract of `PointwiseStep::run`.
        unsafe {
            match op {
                Opcode::Unary(op) => unary::run_wide::<I>(op, a, out, n),
                Opcode::Binary(op) => binary::run_wide::<I>(op, a, b, out, n),
                Opcode::Select => unreachable!("computed in each type"),
            }
        }
    }
}

impl<T: Pointwise> Kernel for PointwiseStep<T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let ([a, b, c], y, n) = (self.args, self.out, self.n);
        // SAFETY: a `PointwiseStep` is run by `PointwiseStep::run` alone, whose contract this is.
        let wide = || unsafe { T::wide_step(&self) };
        // SAFETY: the same contract.
        unsafe {
            match self.op {
                Opcode::Unary(op) => unary::run::<T, I>(op, a, y, n, wide),
                Opcode::Binary(op) => binary::run::<T, I>(op, a, b, y, n, wide),
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
