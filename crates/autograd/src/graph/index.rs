//! Indices: integers on the tape. They select elements and are never differentiated.

use super::arena::RETAINED;
use super::errors::Cause;
use super::mode::RunKind;
use super::op::{IntegerOp, Op};
use super::tape::Tape;
use wengert_tensor::{Float, Shape, Tensor};

/// A tensor of indices on a tape: given ([`Tape::index`]) or computed ([`Var::argmax`](crate::Var::argmax)).
pub struct Index<'t, T: Float = f32> {
    pub(crate) tape: &'t Tape<T>,
    pub(crate) id: u32,
}
impl<T: Float> Clone for Index<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T: Float> Copy for Index<'_, T> {}

/// A value that can serve as an index: an [`Index`], or a tensor of integers.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be used as indices or classes",
    label = "expected `&Tensor<i64>`, `Tensor<i64>` or `Index`",
    note = "convert other integers to indices with `&labels.cast::<i64>()`",
    note = "convert one-hot rows and probabilities to classes with `&rows.argmax(1, false)`"
)]
pub trait IntoIndex<'t, T: Float> {
    /// Returns the index on this tape.
    ///
    /// # Panics
    /// If the index is on another tape.
    fn into_index(self, tape: &'t Tape<T>) -> Index<'t, T>;
}
impl<'t, T: Float> IntoIndex<'t, T> for Index<'t, T> {
    #[track_caller]
    fn into_index(self, tape: &'t Tape<T>) -> Index<'t, T> {
        tape.same_tape("index", self.tape);
        self
    }
}
impl<'t, T: Float> IntoIndex<'t, T> for &Tensor<i64> {
    #[track_caller]
    fn into_index(self, tape: &'t Tape<T>) -> Index<'t, T> {
        tape.index(self.clone())
    }
}
impl<'t, T: Float> IntoIndex<'t, T> for Tensor<i64> {
    #[track_caller]
    fn into_index(self, tape: &'t Tape<T>) -> Index<'t, T> {
        tape.index(self)
    }
}

impl<T: Float> Tape<T> {
    /// Puts indices on the tape.
    #[track_caller]
    pub fn index(&self, numbers: Tensor<i64>) -> Index<'_, T> {
        let shape = numbers.shape();
        let id = {
            let arena = &mut *self.arena.borrow_mut();
            arena.integers.push((self.run_kind != RunKind::ShapeOnly).then_some(numbers));
            let place = arena.integers.len() as u32 - 1;
            arena.push_shaped(Op::Integer { op: IntegerOp::Given, place }, shape, 0, None)
        };
        self.note(id);
        Index { tape: self, id }
    }

    /// Returns the integers of a node, and computes them if necessary.
    #[track_caller]
    pub(crate) fn force_whole(&self, id: u32) -> Tensor<i64> {
        if self.run_kind == RunKind::ShapeOnly {
            self.refuse(
                "a shape-only run has no values: compute values on a tape of Tape::new()".into(),
                Cause::Number,
            )
        }
        self.compute(id);
        let arena = self.arena.borrow();
        let place = arena.place_of_integers(id).expect("an index");
        arena.integers[place as usize].clone().expect("computed above")
    }
}

impl<'t, T: Float> Index<'t, T> {
    /// Returns the sizes of the axes.
    pub fn shape(self) -> Shape {
        *self.tape.arena.borrow().shape(self.id)
    }

    /// Returns the integers, and computes them if necessary.
    ///
    /// # Panics
    /// On a shape-only run, which has no values.
    #[track_caller]
    pub fn value(self) -> Tensor<i64> {
        self.tape.note_read();
        let numbers = self.tape.force_whole(self.id);
        self.tape.arena.borrow_mut().nodes[self.id as usize].flags |= RETAINED;
        numbers
    }
}
