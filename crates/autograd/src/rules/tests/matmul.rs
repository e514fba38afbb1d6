//! Test rows of the matrix product. It is bilinear, so differences with a step of 1 are exact.

use super::{Row, any as numbers};
use crate::graph::{MatMul, Op, Tape};
use wengert_tensor::Tensor;

/// Returns an example, with arbitrary flags.
pub(super) fn any() -> MatMul {
    let tape = Tape::<f64>::new();
    let x = tape.watch(Tensor::zeros_of(&[2, 2]));
    match x.matmul(x).op() {
        Op::MatMul(op) => op,
        _ => unreachable!("the product of two matrices needs nothing else"),
    }
}

fn transposed(shape: &[usize], yes: bool) -> Vec<usize> {
    let mut shape = shape.to_vec();
    if yes && shape.len() > 1 {
        let n = shape.len();
        shape.swap(n - 2, n - 1);
    }
    shape
}

pub(super) fn rows(op: MatMul) -> Vec<Row> {
    let op = Op::MatMul(op);
    let shapes: [(&str, &[usize], &[usize]); 11] = [
        ("", &[3, 4], &[4, 5]),
        ("tiny", &[1, 3], &[3, 2]),
        ("batches", &[2, 3, 4], &[2, 4, 1]),
        ("one right operand", &[2, 3, 2], &[2, 3]),
        ("one left operand", &[3, 2], &[2, 2, 3]),
        ("broadcast batches", &[2, 1, 2, 3], &[3, 3, 1]),
        ("vectors", &[5], &[5]),
        ("vector on the right", &[3, 4], &[4]),
        ("vector on the left", &[4], &[4, 5]),
        ("batches and a vector", &[2, 3, 4], &[4]),
        ("a vector and batches", &[3], &[2, 3, 4]),
    ];
    let mut rows = vec![];
    for (name, a, b) in shapes {
        for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
            if (ta && a.len() == 1) || (tb && b.len() == 1) {
                continue;
            }
            let inputs = vec![numbers(&transposed(a, ta), 1), numbers(&transposed(b, tb), 2)];
            let name = format!("{name} {ta} {tb}");
            rows.push(Row::new(op, &name, inputs, move |x| x[0].matmul_t(x[1], ta, tb)).bilinear());
        }
    }
    let square = || vec![numbers(&[3, 4], 1), numbers(&[5, 4], 2)];
    rows.push(Row::new(op, "by t()", square(), |x| x[0].matmul(x[1].t())).bilinear());
    rows.push(Row::new(op, "by t() twice", square(), |x| x[1].t().t().matmul(x[0].t())).bilinear());
    rows.push(
        Row::new(op, "of transposed", square(), |x| x[0].matmul_t(x[1].t(), false, false))
            .bilinear(),
    );
    rows.push(
        Row::new(op, "curved", vec![numbers(&[3, 4], 1), numbers(&[4, 3], 2)], |x| {
            x[0].matmul(x[1]).tanh().matmul(x[0])
        })
        .order(2),
    );
    rows
}

/// A transposition is a view, and the gradient of the transposed variable is contiguous: the rule writes
/// the product in the layout of the operand.
#[test]
fn transposed_operands_are_not_copied_and_have_contiguous_gradients() {
    let (xs, ws) = (numbers(&[2, 6, 4], 1), numbers(&[5, 4], 2));
    for (batched, swapped) in [(false, false), (false, true), (true, false)] {
        let tape = Tape::<f64>::new();
        let x = tape.watch(if batched { xs.clone() } else { xs.narrow(0, 0, 1).squeeze(0) });
        let w = tape.watch(ws.clone());
        let wt = w.t();
        assert!(wt.value().shares_storage(&w.value()));
        let y = if swapped { w.matmul(x.t()).t() } else { x.matmul(wt) };
        let flagged = x.matmul_t(w, false, true);
        assert_eq!(y.value().to_vec(), flagged.value().to_vec());
        let wanted = flagged.square().sum_all().backward_retain();
        let gradients = y.square().sum_all().backward();
        let g = gradients.wrt(w).unwrap();
        assert!(g.is_contiguous(), "{batched} {swapped}");
        assert_eq!(g.to_vec(), wanted.wrt(w).unwrap().to_vec());
        assert!(gradients.wrt(x).unwrap().is_contiguous(), "{batched} {swapped}");
    }
}
