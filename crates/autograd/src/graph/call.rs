//! The inputs of a derivative rule, the values that it declares to read, and its results.

use super::arena::{ACTIVE, PENDING};
use super::index::Index;
use super::mask::Mask;
use super::op::{Op, View};
use super::tape::Tape;
use super::var::Var;
use smallvec::SmallVec;
use std::cell::RefCell;
use wengert_tensor::{Float, Shape};

/// The values that a rule reads for the gradient of an argument: inputs (`X0`, …) and outputs (`Y0`, …).
/// Shapes are always known and need no declaration. A value that no rule declares is released early. If
/// a rule reads such a value, it is computed again each time.
/// [`check_reads`](crate::testing::check_reads) finds such a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reads(u8);

#[allow(missing_docs)] // described by the type
impl Reads {
    pub const NOTHING: Reads = Reads(0);
    pub const X0: Reads = Reads(1);
    pub const X1: Reads = Reads(2);
    pub const X2: Reads = Reads(4);
    pub const X3: Reads = Reads(8);
    pub const Y0: Reads = Reads(16);
    pub const Y1: Reads = Reads(32);
    pub const Y2: Reads = Reads(64);
    /// All inputs and all outputs, whatever their number.
    pub const ALL: Reads = Reads(255);

    /// Returns the union of both sets.
    #[must_use]
    pub const fn and(self, other: Reads) -> Reads {
        Reads(self.0 | other.0)
    }

    pub(crate) fn input(self, i: usize) -> bool {
        self == Reads::ALL || (i < 4 && self.0 >> i & 1 == 1)
    }

    pub(crate) fn output(self, i: usize) -> bool {
        self == Reads::ALL || (i < 4 && self.0 >> (4 + i) & 1 == 1)
    }
}

/// One call of a derivative rule: the operation's inputs, outputs and cotangents as variables.
///
/// From these a rule computes the cotangents of the inputs. The same rule serves first-order gradients,
/// where the nodes that it records are dropped once they are computed, and gradients that are variables
/// themselves.
pub struct Call<'a, 't, T: Float> {
    pub(crate) tape: &'t Tape<T>,
    pub(crate) id: u32,
    pub(crate) parents: &'a [u32],
    pub(crate) wanted: &'a [bool],
    pub(crate) gy: &'a [Option<Var<'t, T>>],
    /// Only for the rule of a custom operation: a node for each input that the rule has read.
    pub(crate) inputs: Option<&'a RefCell<SmallVec<[Option<u32>; 4]>>>,
}

impl<'t, T: Float> Call<'_, 't, T> {
    /// Returns the tape, for example to make constants.
    pub fn tape(&self) -> &'t Tape<T> {
        self.tape
    }

    /// Returns the number of inputs.
    pub fn arity(&self) -> usize {
        self.parents.len()
    }

    /// Returns whether the cotangent of this input is needed.
    ///
    /// # Panics
    /// If the input does not exist.
    #[track_caller]
    pub fn wants(&self, arg: usize) -> bool {
        self.input(arg);
        self.wanted[arg]
    }

    /// Returns the cotangent of the only output. Index outputs have no cotangent and do not count.
    ///
    /// # Panics
    /// If the operation has several outputs: use [`gy_of`](Call::gy_of).
    #[inline]
    #[track_caller]
    pub fn gy(&self) -> Var<'t, T> {
        match *self.gy {
            [Some(gy)] => gy,
            // The second output of a max pool holds positions, which have no cotangent.
            [Some(gy), ..] if self.inputs.is_none() => gy,
            _ => self.several(),
        }
    }

    /// Returns the cotangent of one of several outputs, counted from 0; `None` means zero.
    ///
    /// # Panics
    /// If the output does not exist.
    #[track_caller]
    pub fn gy_of(&self, output: usize) -> Option<Var<'t, T>> {
        match self.gy.get(output) {
            Some(gy) => *gy,
            None => self.missing("output", output, self.gy.len()),
        }
    }

    #[cold]
    #[track_caller]
    fn several(&self) -> ! {
        self.tape.fail(format!(
            "Call::gy: the operation has {} outputs, and gy() returns the cotangent of a single one: \
             call gy_of(0), gy_of(1), … in its rule",
            self.gy.len()
        ))
    }

    #[cold]
    #[track_caller]
    fn missing(&self, what: &str, place: usize, count: usize) -> ! {
        self.tape.fail(format!(
            "Call: the rule requested {what} {place}, but the operation has {count}, counted from 0"
        ))
    }

    /// Returns the node of an input.
    #[inline]
    #[track_caller]
    fn input(&self, arg: usize) -> u32 {
        match self.parents.get(arg) {
            Some(&id) => id,
            None => self.missing("input", arg, self.parents.len()),
        }
    }

    /// Returns an input.
    ///
    /// In the rule of a [`CustomOp`](crate::CustomOp) the input is a separate variable. The rule may use
    /// [`Var::grad`] to differentiate what it computes from the input, even if the cotangent of the
    /// input is not wanted. The outputs are constants for such a derivative.
    ///
    /// # Panics
    /// If the input does not exist.
    #[inline]
    #[track_caller]
    pub fn x(&self, arg: usize) -> Var<'t, T> {
        let (tape, id) = (self.tape, self.input(arg));
        let id = match self.inputs {
            None => id,
            Some(inputs) => *inputs.borrow_mut()[arg].get_or_insert_with(|| tape.alias(id, true)),
        };
        Var { tape, id }
    }

    /// Returns an output.
    ///
    /// # Panics
    /// If the output does not exist.
    #[inline]
    #[track_caller]
    pub fn y(&self, output: usize) -> Var<'t, T> {
        if self.inputs.is_some() && output >= self.gy.len() {
            self.missing("output", output, self.gy.len())
        }
        Var { tape: self.tape, id: self.id + output as u32 }
    }

    /// Returns the cotangent, the input and the output of a built-in operation with one of each.
    #[inline(always)]
    pub(crate) fn of_one_operand(&self) -> [Var<'t, T>; 3] {
        let tape = self.tape;
        match (self.gy, self.parents) {
            (&[Some(gy)], &[x]) => [gy, Var { tape, id: x }, Var { tape, id: self.id }],
            _ => unreachable!("the operation has one operand, and its result has a cotangent"),
        }
    }

    /// Returns an input that is a mask.
    pub(crate) fn x_mask(&self, arg: usize) -> Mask<'t, T> {
        Mask { tape: self.tape, id: self.parents[arg] }
    }

    /// Returns an input that is an index.
    pub(crate) fn x_index(&self, arg: usize) -> Index<'t, T> {
        Index { tape: self.tape, id: self.parents[arg] }
    }

    /// Returns an [index output](crate::CustomOp::index_shapes) of a custom operation, counted from 0
    /// among the index outputs.
    ///
    /// # Panics
    /// If the output does not exist.
    #[track_caller]
    pub fn y_index(&self, output: usize) -> Index<'t, T> {
        let numbers = self.gy.len();
        let count = self.tape.arena.borrow().outputs(self.id) - numbers;
        if output >= count {
            self.missing("index output", output, count)
        }
        Index { tape: self.tape, id: self.id + (numbers + output) as u32 }
    }

    /// Returns the second output of a max pool: the positions.
    pub(crate) fn positions(&self) -> Index<'t, T> {
        Index { tape: self.tape, id: self.id + 1 }
    }

    /// Returns the shape of an input.
    ///
    /// # Panics
    /// If the input does not exist.
    #[track_caller]
    pub fn x_shape(&self, arg: usize) -> Shape {
        *self.tape.arena.borrow().shape(self.input(arg))
    }
}

impl<T: Float> Tape<T> {
    /// Records a pending view of a node, so that a custom rule can differentiate with respect to it.
    pub(crate) fn alias(&self, id: u32, active: bool) -> u32 {
        let arena = &mut *self.arena.borrow_mut();
        let node = &mut arena.nodes[id as usize];
        node.readers += 1;
        let (shape, flags) = (node.shape, if active { ACTIVE } else { node.flags & ACTIVE });
        let id = arena.push(Op::View(View::Reshape), &[id], shape, flags | PENDING, None);
        self.note_own(id);
        id
    }
}
