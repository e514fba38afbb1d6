//! The cotangent of a value that was read in parts: of a sequence that was cut into steps, of a
//! table whose rows were looked up. Each part adds to its places, so n parts cost what they hold
//! together, and not n times the whole.

use super::call::{Call, Cotangents, Reads};
use super::index::IndexOp;
use super::view::View;
use crate::graph::{Index, Op, Tape, Var};
use smallvec::SmallVec;
use wengert_tensor::{Float, Shape, Tensor};

/// Where an operand of the sum goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part {
    /// Everywhere: it has the shape of the result.
    Whole,
    /// To the elements `start, start + step, …` along one axis.
    Slice { axis: u8, start: u32, step: i32 },
    /// To the rows of an axis that an index, a node, names.
    Rows { axis: u8, index: u32 },
    /// To the element along an axis that an index, a node, names for each element of the operand.
    Elements { axis: u8, index: u32 },
}

/// y = Σᵢ Aᵢ·xᵢ, where Aᵢ puts the elements of xᵢ at the places of a part and zeros elsewhere. The
/// parts are an entry in a table of the tape. The operands are the xᵢ, then the indices of the parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Assemble(pub u32);

impl Part {
    /// The part of its operand that an op reads, if it reads just a part.
    #[inline]
    pub fn read_by(op: Op, operands: &[u32]) -> Option<Part> {
        match op {
            Op::View(View::Slice { axis, start, step }) => Some(Part::Slice { axis, start, step }),
            Op::Index(IndexOp::IndexSelect { axis }) => {
                Some(Part::Rows { axis, index: operands[1] })
            }
            Op::Index(IndexOp::Gather { axis }) => {
                Some(Part::Elements { axis, index: operands[1] })
            }
            _ => None,
        }
    }

    /// The node of the index that names the places.
    pub fn index(self) -> Option<u32> {
        match self {
            Part::Rows { index, .. } | Part::Elements { index, .. } => Some(index),
            Part::Whole | Part::Slice { .. } => None,
        }
    }

    /// This part of a variable.
    #[track_caller]
    pub fn read<'t, T: Float>(self, y: Var<'t, T>, shape: Shape) -> Var<'t, T> {
        let tape = y.tape;
        match self {
            Part::Whole => y,
            Part::Slice { axis, start, step } => y.view(View::Slice { axis, start, step }, shape),
            Part::Rows { axis, index } => {
                y.indexed(IndexOp::IndexSelect { axis }, Index { tape, id: index }, shape)
            }
            Part::Elements { axis, index } => {
                y.indexed(IndexOp::Gather { axis }, Index { tape, id: index }, shape)
            }
        }
    }

    /// A variable at the places of this part, among zeros.
    #[track_caller]
    fn put<'t, T: Float>(self, x: Var<'t, T>, shape: Shape) -> Var<'t, T> {
        let tape = x.tape;
        match self {
            Part::Whole => x,
            Part::Slice { axis, start, step } => x.view(View::Unslice { axis, start, step }, shape),
            Part::Rows { axis, index } => {
                x.indexed(IndexOp::IndexAdd { axis }, Index { tape, id: index }, shape)
            }
            Part::Elements { axis, index } => {
                x.indexed(IndexOp::ScatterAdd { axis }, Index { tape, id: index }, shape)
            }
        }
    }

    /// Where this part of y = view(x) lies in x, if it is a part of x, too: that part, and `g`, a cotangent
    /// of the part, laid out for it. Steps that are cut out of `x.transpose(0, 1)`, each out of a view
    /// of its own, cost what they hold and not n times the whole.
    pub fn in_operand<'t, T: Float>(
        self,
        view: View,
        [x, y]: [Shape; 2],
        g: Var<'t, T>,
    ) -> Option<(Part, Var<'t, T>)> {
        let (axis, len) = match self {
            Part::Slice { axis, .. } | Part::Rows { axis, .. } => (axis, g.shape()[axis as usize]),
            Part::Whole | Part::Elements { .. } => return None,
        };
        let along = |axis: u8| match self {
            Part::Slice { start, step, .. } => Part::Slice { axis, start, step },
            Part::Rows { index, .. } => Part::Rows { axis, index },
            other => other,
        };
        match view {
            View::Permute(order) => {
                let axis = order.shown_by(axis);
                let back = View::Permute(order.inverse(x.rank()));
                Some((along(axis), g.view(back, x.with(axis as usize, len))))
            }
            View::BroadcastTo => {
                let new = y.rank() - x.rank();
                let at =
                    (axis as usize).checked_sub(new).filter(|&at| x[at] == y[axis as usize])?;
                Some((along(at as u8), g.sum_shape(x.with(at, len))))
            }
            View::Reshape if x.numel() > 0 => {
                let Shared { at, split, merged } = Shared::of(&x, &y, axis as usize)?;
                let whole =
                    |n: usize| (n * split).is_multiple_of(merged).then_some(n * split / merged);
                let part = match along(at as u8) {
                    part if (split, merged) == (1, 1) => part,
                    Part::Slice { axis, start, step: 1 } => {
                        Part::Slice { axis, start: whole(start as usize)? as u32, step: 1 }
                    }
                    _ => return None,
                };
                Some((part, g.view(View::Reshape, x.with(at, whole(len)?))))
            }
            // Along another axis: the elements that the view left out are zero.
            View::Slice { axis: cut, start, step } if cut != axis => {
                let whole = View::Unslice { axis: cut, start, step };
                Some((along(axis), g.view(whole, x.with(axis as usize, len))))
            }
            View::Slice { start, step, .. } => {
                let Part::Rows { index, .. } = self else { return None };
                let rows = Index { tape: g.tape, id: index };
                let index = rows.affine(step.into(), start.into()).id;
                Some((Part::Rows { axis, index }, g))
            }
            View::Unslice { .. } | View::Concat { .. } | View::Reshape => None,
        }
    }

    /// Adds an operand to its places.
    #[track_caller]
    pub fn add<T: Float>(self, sum: &mut Tensor<T>, x: &Tensor<T>, tape: &Tape<T>) {
        match self {
            Part::Whole => *sum += x,
            Part::Slice { axis, start, step } => {
                sum.slice_add_in_place(axis as isize, start as usize, step as isize, x);
            }
            Part::Rows { axis, index } => {
                let index = tape.force_whole(index);
                IndexOp::IndexAdd { axis }.check(tape, &x.shape(), &index, &sum.shape());
                sum.index_add_in_place(axis as isize, &index, x);
            }
            Part::Elements { axis, index } => {
                let index = tape.force_whole(index);
                IndexOp::ScatterAdd { axis }.check(tape, &x.shape(), &index, &sum.shape());
                sum.scatter_add_in_place(axis as isize, &index, x);
            }
        }
    }
}

/// How an axis of y = x.reshape(…) and an axis of x share their elements.
struct Shared {
    /// The axis of x.
    at: usize,
    /// Into so many indices of x each index of y falls apart, because y has cut the axis of x,
    split: usize,
    /// or so many indices of y are one of x, because y has joined axes of x.
    merged: usize,
}

impl Shared {
    /// The axis of x behind as many elements as this axis of y, if one of the two is a multiple of the
    /// other by the sizes of the axes that follow it.
    fn of(x: &[usize], y: &[usize], axis: usize) -> Option<Shared> {
        let outer: usize = y[..axis].iter().product();
        let outer_of = |at: usize| x[..at].iter().product::<usize>();
        let at = (0..x.len()).find(|&at| outer_of(at) == outer && (x[at] > 1 || y[axis] == 1))?;
        // The ratio of sizes must be a product of the axes behind the larger.
        let behind = |sizes: &[usize], ratio: usize| {
            let mut product = 1;
            sizes.iter().any(|size| {
                product *= size;
                product == ratio
            })
        };
        let (of_x, of_y) = (x[at], y[axis]);
        match (of_x / of_y, of_y / of_x) {
            _ if of_x == of_y => Some(Shared { at, split: 1, merged: 1 }),
            (split, 0) if split * of_y == of_x && behind(&y[axis + 1..], split) => {
                Some(Shared { at, split, merged: 1 })
            }
            (0, merged) if merged * of_x == of_y && behind(&x[at + 1..], merged) => {
                Some(Shared { at, split: 1, merged })
            }
            _ => None,
        }
    }
}

impl Assemble {
    /// The indices are read for the cotangents of their parts.
    pub const READS: Reads = Reads::ALL;

    #[track_caller]
    pub fn eval<T: Float>(self, x: &[Tensor<T>], shape: Shape, tape: &Tape<T>) -> Tensor<T> {
        let parts = tape.arena.borrow().parts[self.0 as usize].clone();
        let mut parts = parts.iter().zip(x).peekable();
        let whole = parts.next_if(|(part, _)| **part == Part::Whole);
        let mut sum = whole.map_or_else(|| Tensor::zeros_of(&shape), |(_, x)| x.clone());
        for (part, x) in parts {
            part.add(&mut sum, x, tape);
        }
        sum
    }

    pub fn vjp<'t, T: Float>(self, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
        let parts = c.tape.arena.borrow().parts[self.0 as usize].clone();
        let of_part =
            |(arg, part): (usize, &Part)| c.wants(arg).then(|| part.read(c.gy(), c.x_shape(arg)));
        let of_indices = (parts.len()..c.arity()).map(|_| None);
        parts.iter().enumerate().map(of_part).chain(of_indices).collect()
    }
}

impl<T: Float> Tape<T> {
    /// The sum of these parts, each with the node that it takes its elements from.
    #[track_caller]
    pub(crate) fn assemble(&self, parts: &[(Part, u32)], shape: Shape) -> Var<'_, T> {
        let operand = |&(_, id): &(Part, u32)| Var { tape: self, id };
        if let [only @ (part, _)] = parts {
            return part.put(operand(only), shape);
        }
        let place = {
            let table = &mut self.arena.borrow_mut().parts;
            table.push(parts.iter().map(|&(part, _)| part).collect());
            table.len() as u32 - 1
        };
        let indices = parts.iter().filter_map(|(part, _)| part.index());
        let indices = indices.map(|id| Var { tape: self, id });
        let operands: SmallVec<[Var<'_, T>; 4]> =
            parts.iter().map(operand).chain(indices).collect();
        self.apply(Op::Assemble(Assemble(place)), &operands, shape)
    }
}
