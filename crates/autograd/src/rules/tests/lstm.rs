//! Test rows of the step of a long short-term memory.

use super::{Row, any};
use crate::graph::{Lstm, Op, Var};
use wengert_tensor::{Shape, Tensor};

/// The outputs of an operation, recorded as rules do.
fn outputs<'t>(op: Lstm, x: &[Var<'t, f64>], shapes: &[Shape]) -> Vec<Var<'t, f64>> {
    let tape = x[0].tape();
    let first = tape.apply_outputs(Op::Lstm(op), x, shapes, shapes.len() as u32);
    (first..).take(shapes.len()).map(|id| Var { tape, id }).collect()
}

fn with(batch: &[usize], n: usize) -> Vec<usize> {
    [batch, &[n]].concat()
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = vec![];
    for (batch, n) in [(&[][..], 2), (&[1], 1), (&[2], 3), (&[2, 1], 5)] {
        let gates = |seed| any(&with(batch, 4 * n), seed);
        let state = |seed| any(&with(batch, n), seed);
        let given = move || -> Vec<Tensor<f64>> { vec![gates(1), gates(2), state(3)] };
        let op = Op::Lstm(Lstm::Step);
        rows.push(Row::new(op, "h", given(), |x| x[0].lstm_step(x[1], x[2])[0]));
        rows.push(Row::new(op, "c", given(), |x| x[0].lstm_step(x[1], x[2])[1]));
        rows.push(Row::new(op, "both", given(), |x| {
            let [h, c] = x[0].lstm_step(x[1], x[2]);
            4.0 * h * c.exp()
        }));
        rows.push(Row::new(op, "two steps", given(), |x| {
            let [h, c] = x[0].lstm_step(x[1], x[2]);
            let gates = Var::concat(&[h, c, h * c, c], -1);
            let [h, c] = gates.lstm_step(x[0], c);
            h + c
        }));
        // The gates do not depend on c. So that c has a gradient, too, it is added.
        rows.push(Row::new(op, "gates", given(), move |x| {
            let shapes = [x[2].shape(), x[2].shape(), x[0].shape()];
            outputs(Lstm::Step, x, &shapes)[2].square() + x[2].sum_all()
        }));
        let op = Op::Lstm(Lstm::Gradient);
        for output in 0..2 {
            let of = vec![gates(1), state(2), state(3), state(4), state(5)];
            rows.push(Row::new(op, &format!("output {output}"), of, move |x| {
                let y = outputs(Lstm::Gradient, x, &[x[0].shape(), x[1].shape()])[output];
                // Each input has a gradient, also where the output does not depend on it.
                y + x.iter().fold(x[0].sum_all() * 0.3, |sum, &x| sum + x.sum_all())
            }));
        }
    }
    let tiny = vec![any(&[1, 4], 1), any(&[1, 4], 2), any(&[1, 1], 3)];
    let third =
        Row::new(Op::Lstm(Lstm::Step), "third order", tiny, |x| x[0].lstm_step(x[1], x[2])[0]);
    rows.push(third.order(3));
    rows
}
