//! The cotangent of a value that was read in parts, such as a sequence that was split into steps, or a
//! table from which rows were looked up. Each part is added at its positions. The cost of n parts is
//! therefore their total size, and not n times the size of the whole value.

use crate::graph::{Assemble, Call, Cotangents, Index, IndexOp, Op, Part, Reads, Tape, Var, View};
use smallvec::SmallVec;
use wengert_tensor::{Float, Shape, Tensor};

impl Part {
    /// Returns the part of its operand that an operation reads, if it does not read the whole.
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

    /// Returns the node of the index that selects the positions.
    pub fn index(self) -> Option<u32> {
        match self {
            Part::Rows { index, .. } | Part::Elements { index, .. } => Some(index),
            Part::Whole | Part::Slice { .. } => None,
        }
    }

    /// Reads this part of a variable.
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

    /// Puts the elements of a variable at the positions of this part, and zeros elsewhere.
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

    /// Maps a part of y = view(x) to a part of x, if that is possible. Returns the part of x, and `g`, a
    /// cotangent of the part of y, rearranged for it. Without this, steps that are each cut out of their
    /// own view `x.transpose(0, 1)` would cost n times the size of x instead of their total size.
    pub fn in_operand<'t, T: Float>(
        self,
        view: View,
        [x, y]: [Shape; 2],
        g: Var<'t, T>,
    ) -> Option<(Part, Var<'t, T>)> {
        let (part, g) = self.at_vector(g, &y);
        let (axis, len) = match part {
            Part::Slice { axis, .. } | Part::Rows { axis, .. } => (axis, g.shape()[axis as usize]),
            Part::Whole | Part::Elements { .. } => return None,
        };
        let along = |axis: u8| match part {
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
                let SharedAxis { at, split, merged } = SharedAxis::of(&x, &y, axis as usize)?;
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
            // The slice is along another axis: the elements that it left out have the cotangent zero. If
            // they are more than the whole of y, the parts are collected in the cotangent of y.
            View::Slice { axis: cut, start, step } if cut != axis => {
                let shape = x.with(axis as usize, len);
                let whole = View::Unslice { axis: cut, start, step };
                (shape.numel() <= y.numel()).then(|| (along(axis), g.view(whole, shape)))
            }
            View::Slice { start, step, .. } => {
                let Part::Rows { index, .. } = part else { return None };
                let rows = Index { tape: g.tape, id: index };
                let index = rows.affine(step.into(), start.into()).id;
                Some((Part::Rows { axis, index }, g))
            }
            View::Unslice { .. } | View::Concat { .. } | View::Reshape => None,
        }
    }

    /// Returns the same part of y and its cotangent, with a vector in place of an index with several axes.
    fn at_vector<'t, T: Float>(self, g: Var<'t, T>, y: &Shape) -> (Part, Var<'t, T>) {
        match self {
            Part::Rows { axis, index } if g.shape().rank() != y.rank() => {
                let index = Index { tape: g.tape, id: index };
                let count = index.shape().numel();
                let index = index.reshaped(Shape::new(&[count])).id;
                (Part::Rows { axis, index }, g.view(View::Reshape, y.with(axis as usize, count)))
            }
            part => (part, g),
        }
    }

    /// Adds an operand at its positions.
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

/// The relation between an axis of y = x.reshape(…) and an axis of x.
struct SharedAxis {
    /// The axis of x.
    at: usize,
    /// How many indices of this axis of x one index of y covers, if y splits the axis of x; else 1.
    split: usize,
    /// How many indices of y one index of this axis of x covers, if y merges axes of x; else 1.
    merged: usize,
}

impl SharedAxis {
    /// Finds the axis of x with as many elements before it as this axis of y. One of the two sizes must
    /// be a multiple of the other, by the sizes of the axes that follow it.
    fn of(x: &[usize], y: &[usize], axis: usize) -> Option<SharedAxis> {
        let outer: usize = y[..axis].iter().product();
        let outer_of = |at: usize| x[..at].iter().product::<usize>();
        let at = (0..x.len()).find(|&at| outer_of(at) == outer && (x[at] > 1 || y[axis] == 1))?;
        // The ratio of sizes must be the product of the axes that follow the smaller axis.
        let behind = |sizes: &[usize], ratio: usize| {
            let mut product = 1;
            sizes.iter().any(|size| {
                product *= size;
                product == ratio
            })
        };
        let (of_x, of_y) = (x[at], y[axis]);
        match (of_x / of_y, of_y / of_x) {
            _ if of_x == of_y => Some(SharedAxis { at, split: 1, merged: 1 }),
            (split, 0) if split * of_y == of_x && behind(&y[axis + 1..], split) => {
                Some(SharedAxis { at, split, merged: 1 })
            }
            (0, merged) if merged * of_x == of_y && behind(&x[at + 1..], merged) => {
                Some(SharedAxis { at, split: 1, merged })
            }
            _ => None,
        }
    }
}

impl Assemble {
    /// The rule reads the indices of the parts.
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
    /// Returns the sum of these parts. Each part comes with the node that holds its elements.
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
