//! Test rows of the views.

use super::{Row, any};
use crate::graph::{Op, Tape, Var, View};
use wengert_tensor::{Shape, Tensor};

pub(super) fn after(op: View) -> Option<View> {
    match op {
        View::BroadcastTo => Some(View::Reshape),
        View::Reshape => {
            let tape = Tape::<f64>::new();
            match tape.watch(Tensor::zeros_of(&[2, 3])).t().op() {
                Op::View(permute) => Some(permute),
                _ => unreachable!("a transposition is a permutation"),
            }
        }
        View::Permute(_) => Some(View::Slice { axis: 0, start: 0, step: 1 }),
        View::Slice { .. } => Some(View::Unslice { axis: 0, start: 0, step: 1 }),
        View::Unslice { .. } => Some(View::Concat { axis: 0 }),
        View::Concat { .. } => None,
    }
}

pub(super) fn rows(op: View) -> Vec<Row> {
    let kind = op;
    let op = Op::View(op);
    match kind {
        View::BroadcastTo => vec![
            Row::new(op, "", vec![any(&[3, 1], 1)], |x| x[0].broadcast_to(&[2, 3, 5])).linear(),
            Row::new(op, "of a scalar", vec![any(&[], 1)], |x| x[0].broadcast_to(&[3, 4])).linear(),
            Row::new(op, "tiny", vec![any(&[3], 1)], |x| x[0].broadcast_to(&[2, 3])).linear(),
        ],
        View::Reshape => vec![
            Row::new(op, "", vec![any(&[3, 5], 1)], |x| x[0].reshape(&[5, -1])).linear(),
            Row::new(op, "of a transposed", vec![any(&[3, 5], 1)], |x| x[0].t().reshape(&[-1]))
                .linear(),
            Row::new(op, "squeeze", vec![any(&[3, 1, 5], 1)], |x| x[0].squeeze(-2)).linear(),
            Row::new(op, "unsqueeze", vec![any(&[3, 5], 1)], |x| x[0].unsqueeze(-1)).linear(),
            Row::new(op, "flatten", vec![any(&[2, 3, 5], 1)], |x| x[0].flatten(0, -2)).linear(),
            Row::new(op, "tiny", vec![any(&[2, 3], 1)], |x| x[0].reshape(&[3, 2])).linear(),
        ],
        View::Permute(_) => vec![
            Row::new(op, "cycle", vec![any(&[2, 3, 5], 1)], |x| x[0].permute(&[2, 0, 1])).linear(),
            Row::new(op, "from the end", vec![any(&[2, 3, 5], 1)], |x| x[0].permute(&[-1, -3, -2]))
                .linear(),
            Row::new(op, "transpose", vec![any(&[2, 3, 5], 1)], |x| x[0].transpose(0, -1)).linear(),
            Row::new(op, "t", vec![any(&[2, 3], 1)], |x| x[0].t()).linear(),
        ],
        View::Slice { .. } => vec![
            Row::new(op, "narrow", vec![any(&[3, 5], 1)], |x| x[0].narrow(1, 1, 3)).linear(),
            Row::new(op, "outer axis", vec![any(&[5, 3], 1)], |x| x[0].narrow(0, 2, 3)).linear(),
            Row::new(op, "steps", vec![any(&[3, 7], 1)], |x| x[0].slice(1, 1, None, 2)).linear(),
            Row::new(op, "flip", vec![any(&[3, 5], 1)], |x| x[0].slice(-1, None, None, -1))
                .linear(),
            Row::new(op, "back in steps", vec![any(&[7, 3], 1)], |x| x[0].slice(0, 5, None, -2))
                .linear(),
            Row::new(op, "back in the middle", vec![any(&[2, 7, 3], 1)], |x| {
                x[0].slice(1, -2, None, -3)
            })
            .linear(),
            Row::new(op, "split", vec![any(&[3, 6], 1)], |x| {
                let parts = x[0].split(1, &[1, 3, 2]);
                parts[0] * 2.0 + parts[1] - parts[2].narrow(1, 1, 1)
            })
            .linear(),
        ],
        View::Unslice { .. } => {
            fn unslice<'t>(
                x: Var<'t, f64>,
                axis: u8,
                start: u32,
                step: i32,
                shape: [usize; 2],
            ) -> Var<'t, f64> {
                let view = View::Unslice { axis, start, step };
                x.tape().apply(Op::View(view), &[x], Shape::new(&shape))
            }
            vec![
                Row::new(op, "", vec![any(&[3, 4], 1)], |x| unslice(x[0], 1, 2, 1, [3, 7]))
                    .linear(),
                Row::new(op, "steps", vec![any(&[3, 5], 1)], |x| unslice(x[0], 0, 1, 2, [7, 5]))
                    .linear(),
                Row::new(op, "back", vec![any(&[3, 4], 1)], |x| unslice(x[0], 1, 3, -1, [3, 4]))
                    .linear(),
                Row::new(op, "back in steps", vec![any(&[5, 3], 1)], |x| {
                    unslice(x[0], 1, 5, -2, [5, 7])
                })
                .linear(),
                Row::new(op, "pad", vec![any(&[3, 5], 1)], |x| x[0].pad(&[(1, 0), (2, 3)], 0.0))
                    .linear(),
            ]
        }
        View::Concat { .. } => vec![
            Row::new(
                op,
                "of three",
                vec![any(&[3, 2], 1), any(&[3, 1], 2), any(&[3, 4], 3)],
                |x| Var::concat(x, 1),
            )
            .linear(),
            Row::new(op, "outer axis", vec![any(&[2, 5], 1), any(&[1, 5], 2)], |x| {
                Var::concat(x, -2)
            })
            .linear(),
            Row::new(op, "of one", vec![any(&[3, 5], 1)], |x| Var::concat(x, 0)).linear(),
            Row::new(op, "pad with 1.5", vec![any(&[2, 3], 1)], |x| {
                x[0].pad(&[(0, 2), (1, 1)], 1.5).tanh()
            }),
            Row::new(op, "stack", vec![any(&[2, 3], 1), any(&[2, 3], 2), any(&[2, 3], 3)], |x| {
                Var::stack(x, 1)
            })
            .linear(),
        ],
    }
}
