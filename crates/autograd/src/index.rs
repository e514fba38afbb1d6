//! Indices: whole numbers on the tape. They choose, and are never differentiated.

use crate::check::Cause;
use crate::op::Op;
use crate::tape::{KEPT, Run, Tape, place_in};
use crate::var::Var;
use wengert_tensor::{Float, Shape, Tensor, shapes};

/// Where whole numbers come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum WholeOp {
    /// From outside.
    Given,
    /// The position of the greatest element along an axis; the shape of the node says whether the axis
    /// stays.
    ArgMax { axis: u8 },
    /// The position of the least element along an axis.
    ArgMin { axis: u8 },
    /// Another index with one more axis, of size 1.
    Unsqueeze { axis: u8 },
    /// The classes of samples as an index along an axis; an entry of the tape's table says whose they
    /// are, and how many there are.
    Classes { axis: u8, of: u32 },
    /// Another index times a number, plus a number: an entry of the tape's table.
    Affine { of: u32 },
}

/// A tensor of indices on a tape: given ([`Tape::index`]) or computed ([`Var::argmax`]).
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

/// What can serve as an index: an [`Index`], or a tensor of whole numbers.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot serve as indices or classes",
    label = "expected `&Tensor<i64>`, `Tensor<i64>` or `Index`",
    note = "other whole numbers become indices with `&labels.cast::<i64>()`",
    note = "one-hot rows and probabilities become classes with `&rows.argmax(1, false)`"
)]
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
            arena.wholes.push((self.run != Run::Abstract).then_some(numbers));
            let place = arena.wholes.len() as u32 - 1;
            arena.push_shaped(Op::Whole { op: WholeOp::Given, place }, shape, 0, None)
        };
        self.note(id);
        Index { tape: self, id }
    }

    /// A new node of whole numbers.
    #[track_caller]
    fn whole(&self, op: WholeOp, parent: u32, shape: Shape) -> Index<'_, T> {
        let place = {
            let wholes = &mut self.arena.borrow_mut().wholes;
            wholes.push(None);
            wholes.len() as u32 - 1
        };
        Index { tape: self, id: self.apply_nodes(Op::Whole { op, place }, &[parent], shape) }
    }

    /// The whole numbers of a node.
    #[track_caller]
    pub(crate) fn force_whole(&self, id: u32) -> Tensor<i64> {
        if self.run == Run::Abstract {
            self.refuse("this run has shapes but no numbers".into(), Cause::Number)
        }
        self.compute(id);
        let arena = self.arena.borrow();
        let place = arena.place_of_whole(id).expect("an index");
        arena.wholes[place as usize].clone().expect("computed above")
    }
}

impl<'t, T: Float> Index<'t, T> {
    /// The sizes of the axes.
    pub fn shape(self) -> Shape {
        *self.tape.arena.borrow().shape(self.id)
    }

    /// The numbers.
    ///
    /// # Panics
    /// On an abstract run, which has none.
    #[track_caller]
    pub fn value(self) -> Tensor<i64> {
        self.tape.note_read();
        let numbers = self.tape.force_whole(self.id);
        self.tape.arena.borrow_mut().nodes[self.id as usize].flags |= KEPT;
        numbers
    }

    /// As the classes of samples, of which there are so many: an index along a new axis of size 1. `loss` is
    /// the name in the message where a class does not exist. For losses; the check is made when the
    /// numbers are computed.
    ///
    /// # Panics
    /// If there is no such position, or a class does not exist.
    #[track_caller]
    pub fn classes(self, loss: &'static str, axis: usize, count: usize) -> Self {
        let shape = self.shape().inserted(axis, 1);
        let entry = (loss, u32::try_from(count).unwrap_or(u32::MAX));
        let of = place_in(&mut self.tape.arena.borrow_mut().classes, entry);
        self.tape.whole(WholeOp::Classes { axis: axis as u8, of }, self.id, shape)
    }

    /// Each number times `by`, plus `add`: the places of slices of an axis within the axis.
    pub(crate) fn affine(self, by: i64, add: i64) -> Self {
        let of = {
            let table = &mut self.tape.arena.borrow_mut().affine;
            table.push((by, add));
            table.len() as u32 - 1
        };
        self.tape.whole(WholeOp::Affine { of }, self.id, self.shape())
    }

    /// With a new axis of size 1 at this position.
    ///
    /// # Panics
    /// If there is no such position.
    #[track_caller]
    pub fn unsqueeze(self, axis: isize) -> Self {
        let own = self.shape();
        let shape = self.tape.fits(shapes::unsqueeze(&own, axis));
        let at = if axis < 0 { axis + own.rank() as isize + 1 } else { axis };
        self.tape.whole(WholeOp::Unsqueeze { axis: at as u8 }, self.id, shape)
    }
}

/// Says which class is out of range, and of which sample.
#[track_caller]
fn check_classes<T: Float>(tape: &Tape<T>, (name, count): (&str, u32), classes: &Tensor<i64>) {
    let classes = classes.contiguous();
    let all = classes.as_slice().unwrap_or_default();
    let within = |class: &i64| (0..i64::from(count)).contains(class);
    if let Some((at, class)) = all.iter().enumerate().find(|(_, class)| !within(class)) {
        // The first axis counts the samples; without it there is only one.
        let sample = at / (all.len() / classes.shape().first().copied().unwrap_or(1));
        tape.sample_error(
            sample,
            format!(
                "{name}: class {class} of sample {sample} does not exist: {count} classes count from 0"
            ),
        )
    }
}

impl WholeOp {
    /// From numbers, or from whole numbers.
    #[track_caller]
    pub fn eval<T: Float>(
        self,
        tape: &Tape<T>,
        x: Option<&Tensor<T>>,
        index: Option<&Tensor<i64>>,
        shape: Shape,
    ) -> Tensor<i64> {
        let keepdim = |x: &Tensor<T>| x.shape().rank() == shape.rank();
        match (self, x, index) {
            (WholeOp::ArgMax { axis }, Some(x), _) => x.argmax(axis as isize, keepdim(x)),
            (WholeOp::ArgMin { axis }, Some(x), _) => x.argmin(axis as isize, keepdim(x)),
            (WholeOp::Unsqueeze { axis }, _, Some(index)) => index.unsqueeze(axis as isize),
            (WholeOp::Classes { axis, of }, _, Some(classes)) => {
                let of = tape.arena.borrow().classes[of as usize];
                check_classes(tape, of, classes);
                classes.unsqueeze(axis as isize)
            }
            (WholeOp::Affine { of }, _, Some(index)) => {
                let (by, add) = tape.arena.borrow().affine[of as usize];
                index * &Tensor::scalar_of(by) + &Tensor::scalar_of(add)
            }
            _ => unreachable!("given, or of another kind"),
        }
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// The position of the greatest element along an axis, the first of equal ones.
    ///
    /// # Panics
    /// If there is no such axis, or it is empty.
    #[track_caller]
    pub fn argmax(self, axis: isize, keepdim: bool) -> Index<'t, T> {
        self.position("argmax", axis, keepdim, |axis| WholeOp::ArgMax { axis })
    }

    /// The position of the least element along an axis, the first of equal ones.
    ///
    /// # Panics
    /// If there is no such axis, or it is empty.
    #[track_caller]
    pub fn argmin(self, axis: isize, keepdim: bool) -> Index<'t, T> {
        self.position("argmin", axis, keepdim, |axis| WholeOp::ArgMin { axis })
    }

    #[track_caller]
    fn position(
        self,
        op: &str,
        axis: isize,
        keepdim: bool,
        of: impl FnOnce(u8) -> WholeOp,
    ) -> Index<'t, T> {
        let shape = self.shape();
        let reduced = self.fits(shapes::extreme(op, &shape, &[axis]));
        let at = self.fits(shapes::axis(op, axis, &shape));
        let shape = if keepdim { reduced.kept } else { reduced.dropped };
        self.tape.whole(of(at as u8), self.id, shape)
    }
}
