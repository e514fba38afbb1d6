//! Indices: whole numbers on the tape. They choose, and are never differentiated.

use crate::check::Cause;
use crate::tape::Tape;
use crate::var::Var;
use wengert_tensor::{Float, Shape, Tensor, shapes};

/// An entry of the tape's table of indices. Abstract runs have no numbers.
pub(crate) struct IndexNode {
    shape: Shape,
    numbers: Option<Tensor<i64>>,
}

impl IndexNode {
    pub fn numbers(&self) -> Tensor<i64> {
        self.numbers.clone().expect("only abstract runs have no numbers, and they compute nothing")
    }
}

/// A tensor of indices on a tape: given ([`Tape::index`]) or computed ([`Var::argmax`]).
pub struct Index<'t, T: Float = f32> {
    tape: &'t Tape<T>,
    place: u32,
}
impl<T: Float> Clone for Index<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T: Float> Copy for Index<'_, T> {}

/// What can serve as an index: an [`Index`], or a tensor of whole numbers.
pub trait IntoIndex<'t, T: Float> {
    /// The index on this tape.
    ///
    /// # Panics
    /// If it lies on another.
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
    fn into_index(self, tape: &'t Tape<T>) -> Index<'t, T> {
        tape.index(self.clone())
    }
}
impl<'t, T: Float> IntoIndex<'t, T> for Tensor<i64> {
    fn into_index(self, tape: &'t Tape<T>) -> Index<'t, T> {
        tape.index(self)
    }
}

impl<T: Float> Tape<T> {
    /// Puts indices on the tape.
    pub fn index(&self, numbers: Tensor<i64>) -> Index<'_, T> {
        self.push_index(numbers.shape(), (!self.is_abstract()).then_some(numbers))
    }

    pub(crate) fn push_index(&self, shape: Shape, numbers: Option<Tensor<i64>>) -> Index<'_, T> {
        let indices = &mut self.arena.borrow_mut().indices;
        indices.push(IndexNode { shape, numbers });
        Index { tape: self, place: indices.len() as u32 - 1 }
    }
}

impl<T: Float> Index<'_, T> {
    pub(crate) fn place(self) -> u32 {
        self.place
    }

    /// The sizes of the axes.
    pub fn shape(self) -> Shape {
        self.tape.arena.borrow().indices[self.place as usize].shape
    }

    /// The numbers.
    ///
    /// # Panics
    /// On an abstract run, which has none.
    #[track_caller]
    pub fn value(self) -> Tensor<i64> {
        let numbers = self.tape.arena.borrow().indices[self.place as usize].numbers.clone();
        match numbers {
            Some(numbers) => numbers,
            None => self.tape.refuse("this run has shapes but no numbers".into(), Cause::Number),
        }
    }

    /// Whether every index is within this axis.
    pub(crate) fn check_range(self, op: &str, axis: isize, shape: &[usize]) -> shapes::Rule<()> {
        let arena = self.tape.arena.borrow();
        let Some(numbers) = &arena.indices[self.place as usize].numbers else { return Ok(()) };
        let numbers = numbers.contiguous();
        shapes::index_range(op, numbers.as_slice().unwrap_or_default(), axis, shape)
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// The position of the greatest element along an axis, the first of equal ones.
    ///
    /// # Panics
    /// If there is no such axis, or it is empty.
    #[track_caller]
    pub fn argmax(self, axis: isize, keepdim: bool) -> Index<'t, T> {
        self.position("argmax", axis, keepdim, |x, axis| x.argmax(axis, keepdim))
    }

    /// The position of the least element along an axis, the first of equal ones.
    ///
    /// # Panics
    /// If there is no such axis, or it is empty.
    #[track_caller]
    pub fn argmin(self, axis: isize, keepdim: bool) -> Index<'t, T> {
        self.position("argmin", axis, keepdim, |x, axis| x.argmin(axis, keepdim))
    }

    #[track_caller]
    fn position(
        self,
        op: &str,
        axis: isize,
        keepdim: bool,
        find: impl FnOnce(&Tensor<T>, isize) -> Tensor<i64>,
    ) -> Index<'t, T> {
        let reduced = self.fits(shapes::extreme(op, &self.shape(), &[axis]));
        let numbers = (!self.tape.is_abstract()).then(|| find(&self.tape.force(self.id), axis));
        self.tape.push_index(if keepdim { reduced.kept } else { reduced.dropped }, numbers)
    }
}
