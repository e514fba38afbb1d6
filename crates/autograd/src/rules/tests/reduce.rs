//! Test rows of the reductions.

use super::{Row, any};
use crate::graph::{Op, Reduce, Softmax, Var};
use wengert_tensor::Tensor;

pub(super) fn after(op: Reduce) -> Option<Reduce> {
    match op {
        Reduce::Sum => Some(Reduce::Max),
        Reduce::Max => Some(Reduce::Min),
        Reduce::Min => Some(Reduce::LogSumExp),
        Reduce::LogSumExp => None,
    }
}

/// Returns elements that all differ clearly.
fn distinct(shape: &[usize]) -> Tensor<f64> {
    let n: usize = shape.iter().product();
    Tensor::from_fn(shape, |i| 0.3 * ((i * 7 + 3) % n) as f64 - 1.0)
}

pub(super) fn rows(op: Reduce) -> Vec<Row> {
    let kind = op;
    let op = Op::Reduce(op);
    match kind {
        Reduce::Sum => vec![
            Row::new(op, "all", vec![any(&[3, 5], 1)], |x| x[0].sum_all()).linear(),
            Row::new(op, "all of few", vec![any(&[2, 3], 1)], |x| x[0].sum_all()).linear(),
            Row::new(op, "all of a pending", vec![any(&[3, 5], 1)], |x| {
                (x[0].tanh() * x[0]).sum_all()
            })
            .order(3),
            Row::new(op, "outer axis", vec![any(&[3, 5], 1)], |x| x[0].sum(&[0], false)).linear(),
            Row::new(op, "two axes", vec![any(&[2, 3, 5], 1)], |x| x[0].sum(&[0, -1], true))
                .linear(),
            Row::new(op, "middle axis", vec![any(&[2, 3, 5], 1)], |x| x[0].sum(&[1], false))
                .linear(),
            Row::new(op, "sum_to", vec![any(&[2, 3, 5], 1)], |x| x[0].sum_to(&[3, 1])).linear(),
            Row::new(op, "mean", vec![any(&[3, 5], 1)], |x| x[0].mean(&[1], true)).linear(),
            Row::new(op, "global average", vec![any(&[2, 3, 4], 1)], |x| {
                x[0].adaptive_avg_pool2d(1)
            })
            .linear(),
            Row::new(op, "mean_all", vec![any(&[3], 1)], |x| x[0].mean_all()).linear(),
            Row::new(op, "var", vec![any(&[3, 5], 1)], |x| x[0].var(&[1], true, 1)),
            Row::new(op, "var of all", vec![any(&[3, 5], 1)], |x| x[0].var(&[], false, 0)),
        ],
        Reduce::Max => vec![
            Row::new(op, "all", vec![distinct(&[3, 5])], |x| x[0].max(&[], false)),
            Row::new(op, "last axis", vec![distinct(&[3, 5])], |x| x[0].max(&[-1], true) * x[0]),
            Row::new(op, "two axes", vec![distinct(&[2, 3, 4])], |x| x[0].max(&[0, 2], false)),
            Row::new(op, "tiny", vec![distinct(&[2, 3])], |x| x[0].max(&[0], false)),
        ],
        Reduce::Min => vec![
            Row::new(op, "all", vec![distinct(&[3, 5])], |x| x[0].min(&[], false)),
            Row::new(op, "first axis", vec![distinct(&[3, 5])], |x| x[0].min(&[0], true) * x[0]),
            Row::new(op, "two axes", vec![distinct(&[2, 3, 4])], |x| x[0].min(&[0, 2], false)),
            Row::new(op, "tiny", vec![distinct(&[2, 3])], |x| x[0].min(&[1], true)),
        ],
        Reduce::LogSumExp => vec![
            Row::new(op, "all", vec![any(&[3, 5], 1)], |x| x[0].logsumexp(&[], false)),
            Row::new(op, "last axis", vec![any(&[3, 5], 1)], |x| x[0].logsumexp(&[-1], false)),
            Row::new(op, "first axis", vec![any(&[3, 5], 1)], |x| x[0].logsumexp(&[0], true)),
            Row::new(op, "tiny", vec![any(&[2, 3], 1)], |x| x[0].logsumexp(&[1], false)).order(3),
        ],
    }
}

pub(super) fn softmax() -> Vec<Row> {
    fn after(op: Softmax) -> Option<Softmax> {
        let axis = 1;
        match op {
            Softmax::Forward { log: false, .. } => Some(Softmax::Forward { axis, log: true }),
            Softmax::Forward { log: true, .. } => Some(Softmax::Gradient { axis, log: false }),
            Softmax::Gradient { log: false, .. } => Some(Softmax::Gradient { axis, log: true }),
            Softmax::Gradient { log: true, .. } => None,
        }
    }
    fn apply<'t>(op: Softmax, x: &[Var<'t, f64>]) -> Var<'t, f64> {
        x[0].tape().apply(Op::Softmax(op), x, x[0].shape())
    }
    let along = |op: Softmax, axis| match op {
        Softmax::Forward { log, .. } => Softmax::Forward { axis, log },
        Softmax::Gradient { log, .. } => Softmax::Gradient { axis, log },
    };
    let mut rows = vec![];
    let first = Softmax::Forward { axis: 1, log: false };
    for op in std::iter::successors(Some(first), |&op| after(op)) {
        let inputs = |shape: &[usize]| {
            let operands = if matches!(op, Softmax::Forward { .. }) { 1 } else { 2 };
            (1..=operands).map(|seed| any(shape, seed)).collect::<Vec<_>>()
        };
        let mut row = |name: &str, shape: &[usize], axis| {
            let op = along(op, axis);
            rows.push(Row::new(Op::Softmax(op), name, inputs(shape), move |x| apply(op, x)));
        };
        row("last axis", &[3, 5], 1);
        row("first axis", &[3, 5], 0);
        row("middle axis", &[2, 3, 4], 1);
        rows.push(
            Row::new(Op::Softmax(op), "tiny", inputs(&[2, 3]), move |x| apply(op, x)).order(3),
        );
    }
    rows
}
