//! The cotangent of a value that was read in parts: of a sequence that was cut into steps, of a
//! table whose rows were looked up. Each part adds to its places, so n parts cost what they hold
//! together, and not n times the whole.

use crate::op::{Call, Cotangents, Op};
use crate::ops::{IndexOp, View};
use crate::tape::Tape;
use crate::var::Var;
use smallvec::SmallVec;
use wengert_tensor::{Float, Shape, Tensor};

/// Where an operand of the sum goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part {
    /// Everywhere: it has the shape of the result.
    Whole,
    /// To the elements `start, start + step, …` along one axis.
    Slice { axis: u8, start: u32, step: i32 },
    /// To the rows of an axis that an index names.
    Rows { axis: u8, index: u32 },
    /// To the element along an axis that an index names for each element of the operand.
    Elements { axis: u8, index: u32 },
}

/// y = Σᵢ Aᵢ·xᵢ, where Aᵢ puts the elements of xᵢ at the places of a part and zeros elsewhere. The
/// parts are an entry in a table of the tape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Assemble(pub u32);

impl Part {
    /// The part of its operand that an op reads, if it reads just a part.
    #[inline]
    pub fn read_by(op: Op) -> Option<Part> {
        match op {
            Op::View(View::Slice { axis, start, step }) => Some(Part::Slice { axis, start, step }),
            Op::Index(IndexOp::IndexSelect { axis, index }) => Some(Part::Rows { axis, index }),
            Op::Index(IndexOp::Gather { axis, index }) => Some(Part::Elements { axis, index }),
            _ => None,
        }
    }

    /// The op that reads this part of an operand, and the one that puts it among zeros.
    fn ops(self) -> Option<(Op, Op)> {
        let index = |read, put| Some((Op::Index(read), Op::Index(put)));
        match self {
            Part::Whole => None,
            Part::Slice { axis, start, step } => Some((
                Op::View(View::Slice { axis, start, step }),
                Op::View(View::Unslice { axis, start, step }),
            )),
            Part::Rows { axis, index: i } => {
                index(IndexOp::IndexSelect { axis, index: i }, IndexOp::IndexAdd { axis, index: i })
            }
            Part::Elements { axis, index: i } => {
                index(IndexOp::Gather { axis, index: i }, IndexOp::ScatterAdd { axis, index: i })
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
        match (view, self) {
            (View::Permute(order), _) => {
                let axis = order.shown_by(axis);
                let back = View::Permute(order.inverse(x.rank()));
                Some((along(axis), g.view(back, x.with(axis as usize, len))))
            }
            (View::Reshape, _) if x.numel() > 0 => {
                // The axis that is as long, and lies behind as many elements.
                let size = y[axis as usize];
                let outer: usize = y[..axis as usize].iter().product();
                let mut before = 1;
                let at = (0..x.rank()).find(|&at| {
                    let found = before == outer && x[at] == size;
                    before *= x[at];
                    found
                })?;
                Some((along(at as u8), g.view(View::Reshape, x.with(at, len))))
            }
            (View::Slice { axis: cut, start, step }, Part::Slice { start: s, step: by, .. })
                if cut == axis =>
            {
                let start = i64::from(start) + i64::from(step) * i64::from(s);
                let step = i64::from(step) * i64::from(by);
                let (start, step) = (u32::try_from(start).ok()?, i32::try_from(step).ok()?);
                Some((Part::Slice { axis, start, step }, g))
            }
            _ => None,
        }
    }

    /// Adds an operand to its places.
    pub fn add<T: Float>(self, sum: &mut Tensor<T>, x: &Tensor<T>, tape: &Tape<T>) {
        let numbers = |index: u32| tape.arena.borrow().indices[index as usize].numbers();
        match self {
            Part::Whole => *sum += x,
            Part::Slice { axis, start, step } => {
                sum.slice_add_in_place(axis as isize, start as usize, step as isize, x);
            }
            Part::Rows { axis, index } => {
                sum.index_add_in_place(axis as isize, &numbers(index), x);
            }
            Part::Elements { axis, index } => {
                sum.scatter_add_in_place(axis as isize, &numbers(index), x);
            }
        }
    }
}

impl Assemble {
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
        let of_part = |(arg, part): (usize, &Part)| {
            c.wants(arg).then(|| match part.ops() {
                Some((read, _)) => c.tape.apply(read, &[c.gy()], c.x_shape(arg)),
                None => c.gy(),
            })
        };
        parts.iter().enumerate().map(of_part).collect()
    }
}

impl<T: Float> Tape<T> {
    /// The sum of these parts, each with the node that it takes its elements from.
    pub(crate) fn assemble(&self, parts: &[(Part, u32)], shape: Shape) -> Var<'_, T> {
        let operand = |&(_, id): &(Part, u32)| Var { tape: self, id };
        if let [only @ (part, _)] = parts {
            return match part.ops() {
                Some((_, put)) => self.apply(put, &[operand(only)], shape),
                None => operand(only),
            };
        }
        let place = {
            let table = &mut self.arena.borrow_mut().parts;
            table.push(parts.iter().map(|&(part, _)| part).collect());
            table.len() as u32 - 1
        };
        let operands: SmallVec<[Var<'_, T>; 4]> = parts.iter().map(operand).collect();
        self.apply(Op::Assemble(Assemble(place)), &operands, shape)
    }
}
