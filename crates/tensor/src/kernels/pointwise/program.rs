//! Programs: pointwise expressions that are evaluated in one pass over memory.
//!
//! The numbers are processed block by block. A block goes through all steps while it is in the
//! innermost cache, so an expression of ten steps reads its inputs once and writes its result once.

use super::binary::Binary;
use super::expr::{Expr, steps_of};
use super::pair::{FusedPair, PairStep};
use super::step::{Instruction, Opcode, Pointwise, PointwiseStep};
use super::unary::Unary;
use crate::kernels::blocks::{BLOCK, BlockReader, NumberSource};
use crate::kernels::scratch::Scratch;
use crate::machine::{Shared, Streaming, cost, is_streamed, ranges};
use smallvec::{SmallVec, smallvec};
use std::ops::Range;

/// A pointwise expression of some inputs, with one or several results, evaluated in one pass over
/// memory.
///
/// ```
/// use wengert::tensor::{Program, Tensor};
/// // Momentum, in place: v ← 0.9 v + g, then p ← p - 0.1 v.
/// let step = Program::new(|[p, v, g]| {
///     let v = 0.9 * v + g;
///     [p - 0.1 * v, v]
/// });
/// let (mut p, mut v) = (Tensor::ones(&[2]), Tensor::zeros(&[2]));
/// step.update(&mut [&mut p, &mut v], &[&Tensor::full(&[2], 2.0)]);
/// assert_eq!(p.to_vec(), [0.8, 0.8]);
/// ```
#[derive(Clone, Debug)]
pub struct Program {
    inputs: usize,
    steps: SmallVec<[ProgramStep; 8]>,
    /// The operand numbers of the results.
    results: SmallVec<[u8; 4]>,
    /// For each step, the register that its result is written to.
    registers: SmallVec<[u8; 8]>,
    /// The number of registers.
    width: usize,
}

impl Program {
    /// Builds a program from an expression: a function from inputs to results.
    ///
    /// # Panics
    /// If there are more than 255 inputs and steps together.
    pub fn new<const N: usize, const M: usize>(
        expression: impl for<'b> FnOnce([Expr<'b>; N]) -> [Expr<'b>; M],
    ) -> Self {
        let (steps, results) = steps_of(expression);
        Self::assemble(N, steps, results)
    }

    /// Builds a program from its parts. Operand `i` of a step is input `i`, or step `i - inputs`.
    ///
    /// # Panics
    /// If a step reads an operand that does not come before it, if a result is no operand, or if
    /// there are more than 255 inputs and steps together.
    pub fn assemble(
        inputs: usize,
        mut steps: SmallVec<[Instruction; 8]>,
        mut results: SmallVec<[u8; 4]>,
    ) -> Self {
        // A result that is an input becomes a step that copies it, so that results never share
        // memory with inputs.
        for result in results.iter_mut().filter(|r| usize::from(**r) < inputs) {
            let copy = Opcode::Unary(Unary::Scale(1.0));
            steps.push(Instruction { op: copy, args: [*result, 0, 0] });
            *result = (inputs + steps.len() - 1).min(255) as u8;
        }
        let operands = inputs + steps.len();
        assert!(operands <= 255, "a program has at most 255 inputs and steps, this has {operands}");
        for (k, step) in steps.iter().enumerate() {
            let known = inputs + k;
            assert!(
                step.args[..step.op.arity()].iter().all(|&a| usize::from(a) < known),
                "program: step {k} ({step:?}) reads an operand that is not computed before it"
            );
        }
        assert!(
            results.iter().all(|&r| usize::from(r) < operands),
            "program: results {results:?} must be among its {operands} operands"
        );
        let steps = paired(inputs, &steps, &mut results);
        let (registers, width) = allocate(inputs, &steps, &results);
        Program { inputs, steps, results, registers, width }
    }

    /// Returns the number of inputs, including those that are updated in place.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Returns the number of steps.
    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    /// Returns the number of results.
    pub(crate) fn results(&self) -> usize {
        self.results.len()
    }

    #[track_caller]
    pub(crate) fn check_inputs(&self, given: usize) {
        assert!(given == self.inputs, "program: expected {} inputs, got {given}", self.inputs);
    }

    #[track_caller]
    pub(crate) fn check_result(&self) {
        assert!(!self.results.is_empty(), "program: the program must have at least one result");
    }

    /// Evaluates the program over `n` numbers. [`FloatKernels`](crate::kernels::FloatKernels)
    /// instantiates it for each type.
    ///
    /// # Safety
    /// There is a source for each input, with `n` numbers in its layout, and no more targets than
    /// results, each with room for `n` numbers. Targets overlap neither each other nor a source, but
    /// a target may be a source that is in order.
    pub(crate) unsafe fn evaluate_here<T: Pointwise>(
        &self,
        sources: &[NumberSource<T>],
        targets: &[Shared<T>],
        n: usize,
    ) {
        let in_place = targets.iter().any(|target| source_of(target, sources).is_some());
        let streaming = !in_place && is_streamed(n * size_of::<T>());
        ranges(n, cost(&[n, self.steps.len() + 1]), BLOCK, |range| {
            let streaming = streaming.then(Streaming::new);
            // SAFETY: the same contract; the ranges are disjoint.
            unsafe { self.block_range(sources, targets, range, 0, streaming.as_ref()) }
        });
    }

    /// Evaluates the numbers in `range`. The number at `origin` goes to the start of each target. With
    /// `streaming`, results are computed in registers and written past the caches.
    ///
    /// # Safety
    /// As [`Program::evaluate_here`], with room for the numbers from `origin` to the end of the range in
    /// each target; no other code uses these.
    pub(super) unsafe fn block_range<T: Pointwise>(
        &self,
        sources: &[NumberSource<T>],
        targets: &[Shared<T>],
        range: Range<usize>,
        origin: usize,
        streaming: Option<&Streaming>,
    ) {
        // The registers, then one block for each input that is not contiguous.
        let mut scratch = Scratch::<T>::new((self.width + sources.len()) * BLOCK);
        let scratch = scratch.numbers().as_mut_ptr();
        // SAFETY: `scratch` has that many blocks.
        let block_of = |i: usize| unsafe { scratch.add(i * BLOCK) };
        let mut readers: SmallVec<[BlockReader<T>; 6]> = SmallVec::new();
        for (i, source) in sources.iter().enumerate() {
            readers.push(BlockReader::new(source, range.start, block_of(self.width + i)));
        }
        let direct = match streaming {
            Some(_) => smallvec![None; self.steps.len()],
            None => self.direct(targets.iter().map(|target| source_of(target, sources))),
        };
        let mut at: SmallVec<[*const T; 16]> =
            smallvec![std::ptr::null(); self.inputs + self.steps.len()];
        for start in range.clone().step_by(BLOCK) {
            let n = BLOCK.min(range.end - start);
            for (at, reader) in at.iter_mut().zip(&mut readers) {
                *at = reader.next(start, n);
            }
            for (k, step) in self.steps.iter().enumerate() {
                let out = match direct[k] {
                    // SAFETY: targets have room for every number of the range.
                    Some(target) => unsafe {
                        targets[usize::from(target)].get().add(start - origin)
                    },
                    None => block_of(usize::from(self.registers[k])),
                };
                let args =
                    step.args.map(|a| at.get(usize::from(a)).copied().unwrap_or(std::ptr::null()));
                // SAFETY: operands were set above or by earlier steps, each with `n` numbers; a
                // register or target is written only when no later step reads what it held
                // (`allocate`, `direct`).
                unsafe {
                    match step.op {
                        OpcodeOrPair::One(op) => PointwiseStep { op, args, out, n }.run(),
                        OpcodeOrPair::Two(pair) => {
                            T::pair_step(PairStep { pair, args: [args[0], args[1]], out, n });
                        }
                    }
                }
                at[self.inputs + k] = out;
            }
            for (target, &result) in targets.iter().zip(&self.results) {
                let (from, to) = (at[usize::from(result)], target.get());
                // SAFETY: both have `n` numbers; equal pointers need no copy.
                unsafe {
                    let to = to.add(start - origin);
                    match streaming {
                        Some(streaming) => streaming.copy(from, to, n),
                        None if from == to => {}
                        None => std::ptr::copy_nonoverlapping(from, to, n),
                    }
                }
            }
        }
    }

    /// Returns for each step the target that it may write directly: the step is the target's
    /// result, no later step reads the old contents of the target, and this step does not or may. `sources` has the
    /// source that each target is, if any.
    fn direct(&self, sources: impl Iterator<Item = Option<usize>>) -> SmallVec<[Option<u8>; 8]> {
        let mut out: SmallVec<[Option<u8>; 8]> = smallvec![None; self.steps.len()];
        for (target, (source, &result)) in sources.zip(&self.results).enumerate() {
            let Some(k) = usize::from(result).checked_sub(self.inputs) else { continue };
            if out[k].is_none() && source.is_none_or(|source| self.may_overwrite(source, k)) {
                out[k] = Some(target as u8);
            }
        }
        out
    }

    /// Returns whether step `k` may write to the memory of an input: no later step reads the input, and step `k` reads
    /// it in place or not at all.
    fn may_overwrite(&self, input: usize, k: usize) -> bool {
        let reads = |step: &ProgramStep| step.operands().contains(&(input as u8));
        let step = &self.steps[k];
        let in_place = match step.op {
            OpcodeOrPair::One(_) => false,
            OpcodeOrPair::Two(pair) => pair.is_in_place(step.operands(), input as u8),
        };
        (in_place || !reads(step)) && !self.steps[k + 1..].iter().any(reads)
    }

    /// Returns whether the last step, which computes the first result, may write it to the memory of this input.
    pub(crate) fn may_replace(&self, input: usize) -> bool {
        let last = self.steps.len() - 1;
        usize::from(self.results[0]) == self.inputs + last && self.may_overwrite(input, last)
    }
}

/// Returns the number of the source that a target is.
fn source_of<T>(target: &Shared<T>, sources: &[NumberSource<T>]) -> Option<usize> {
    sources.iter().position(|source| std::ptr::eq(source.base, target.0))
}

/// A step of a program, with the numbers of its operands.
#[derive(Clone, Copy, Debug)]
struct ProgramStep {
    op: OpcodeOrPair,
    args: [u8; 3],
}

#[derive(Clone, Copy, Debug)]
enum OpcodeOrPair {
    One(Opcode),
    Two(FusedPair),
}

impl ProgramStep {
    fn operands(&self) -> &[u8] {
        let arity = match self.op {
            OpcodeOrPair::One(op) => op.arity(),
            OpcodeOrPair::Two(pair) => pair.arity(),
        };
        &self.args[..arity]
    }
}

/// A pair, with the numbers of its operands.
type Joined = (FusedPair, [u8; 2]);

/// Returns the pair that computes the same as `second` after `first`, with the operands of the pair, if there is
/// one. `first` computes operand number `at` of `second`.
fn pair_of(first: Instruction, at: usize, second: Instruction) -> Option<Joined> {
    // The product with -1 is exact.
    let factor = match first.op {
        Opcode::Unary(Unary::Scale(c)) => Some(c),
        Opcode::Unary(Unary::Neg) => Some(-1.0),
        _ => None,
    };
    let [x, y, _] = first.args;
    match (second.op, factor) {
        (Opcode::Unary(Unary::Shift(d)), Some(c)) => Some((FusedPair::ScaleShift(c, d), [x, x])),
        (Opcode::Binary(Binary::Add), Some(c)) => {
            Some((FusedPair::AddScaled(c), [second.args[1 - at], x]))
        }
        (Opcode::Binary(Binary::Sub), Some(c)) if at == 1 => {
            Some((FusedPair::AddScaled(-c), [second.args[0], x]))
        }
        (Opcode::Unary(Unary::Scale(c)), _) if first.op == Opcode::Binary(Binary::Mul) => {
            Some((FusedPair::ScaleProduct(c), [x, y]))
        }
        _ => None,
    }
}

/// Returns false if [`pair_of`] finds no pair among these instructions. Most programs are short and have none.
fn may_have_pairs(list: &[Instruction]) -> bool {
    let (mut products, mut pairs) = (false, false);
    for next in list {
        match next.op {
            Opcode::Unary(Unary::Shift(_)) | Opcode::Binary(Binary::Add | Binary::Sub) => {
                pairs |= products;
            }
            Opcode::Unary(Unary::Scale(_)) => {
                pairs |= products;
                products = true;
            }
            Opcode::Unary(Unary::Neg) | Opcode::Binary(Binary::Mul) => products = true,
            _ => {}
        }
    }
    pairs
}

/// Makes the steps of a program: one for each instruction, or one for two of which the second alone reads the result
/// of the first. Renames the results accordingly.
fn paired(inputs: usize, list: &[Instruction], results: &mut [u8]) -> SmallVec<[ProgramStep; 8]> {
    let one = |next: &Instruction, args| ProgramStep { op: OpcodeOrPair::One(next.op), args };
    if !may_have_pairs(list) {
        return list.iter().map(|next| one(next, next.args)).collect();
    }
    // A program has at most 255 operands. Arrays are made faster than lists, and programs are made often.
    // How often each operand is read.
    let mut readers = [0u8; 256];
    for &operand in list.iter().flat_map(|next| &next.args[..next.op.arity()]).chain(&*results) {
        let readers = &mut readers[usize::from(operand)];
        *readers = readers.saturating_add(1);
    }
    // For the second instruction of a pair, which of its operands the first one computes, counted from 1; whether an
    // instruction is the first of a pair.
    let (mut seconds, mut is_first) = ([0u8; 256], [false; 256]);
    for (k, second) in list.iter().enumerate() {
        for at in 0..second.op.arity().min(2) {
            let Some(j) = usize::from(second.args[at]).checked_sub(inputs) else { continue };
            let free = readers[inputs + j] == 1 && seconds[j] == 0 && seconds[k] == 0;
            if free && pair_of(list[j], at, *second).is_some() {
                (seconds[k], is_first[j]) = (at as u8 + 1, true);
            }
        }
    }
    // The new number of each operand.
    let mut names = [0u8; 256];
    for (input, name) in names.iter_mut().enumerate().take(inputs) {
        *name = input as u8;
    }
    let mut steps = SmallVec::new();
    for (k, next) in list.iter().enumerate() {
        names[inputs + k] = (inputs + steps.len()) as u8;
        if is_first[k] {
            continue;
        }
        let new = |a: u8| names[usize::from(a)];
        let pair = usize::from(seconds[k]).checked_sub(1).and_then(|at| {
            let first = list[usize::from(next.args[at]) - inputs];
            pair_of(first, at, *next)
        });
        steps.push(match pair {
            Some((pair, [a, b])) => {
                ProgramStep { op: OpcodeOrPair::Two(pair), args: [new(a), new(b), 0] }
            }
            None => one(next, next.args.map(new)),
        });
    }
    for result in results {
        *result = names[usize::from(*result)];
    }
    steps
}

/// Assigns a register to each step. A register is reused after the last reader of its contents.
fn allocate(inputs: usize, steps: &[ProgramStep], results: &[u8]) -> (SmallVec<[u8; 8]>, usize) {
    let mut last: SmallVec<[usize; 16]> = (0..steps.len()).collect();
    for (k, step) in steps.iter().enumerate() {
        for &a in step.operands() {
            if let Some(operand) = usize::from(a).checked_sub(inputs) {
                last[operand] = k;
            }
        }
    }
    for &result in results {
        if let Some(operand) = usize::from(result).checked_sub(inputs) {
            last[operand] = usize::MAX;
        }
    }
    let mut busy_until: SmallVec<[usize; 16]> = SmallVec::new();
    let mut registers = SmallVec::new();
    for (k, &last) in last.iter().enumerate() {
        // Do not use the register of an operand: a loop whose result may be the same memory as its
        // operand does not vectorise.
        let free = busy_until.iter().position(|&until| until < k);
        let register = free.unwrap_or_else(|| {
            busy_until.push(0);
            busy_until.len() - 1
        });
        busy_until[register] = last;
        registers.push(register as u8);
    }
    (registers, busy_until.len())
}
