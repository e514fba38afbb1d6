//! Test rows of selecting and adding by index, with repeated indices.

use super::{Row, any, pool};
use crate::graph::{IndexOp, Op, Var};
use wengert_tensor::{Pool, Shape, Tensor};

pub(super) fn after(op: IndexOp) -> Option<IndexOp> {
    match op {
        IndexOp::IndexSelect { axis } => Some(IndexOp::IndexAdd { axis }),
        IndexOp::IndexAdd { axis } => Some(IndexOp::Gather { axis }),
        IndexOp::Gather { axis } => Some(IndexOp::ScatterAdd { axis }),
        IndexOp::ScatterAdd { .. } => Some(IndexOp::Pick),
        IndexOp::Pick => Some(IndexOp::Unpool),
        IndexOp::Unpool => None,
    }
}

fn index_add<'t>(x: Var<'t, f64>, axis: u8, at: Tensor<i64>, shape: [usize; 2]) -> Var<'t, f64> {
    x.indexed(IndexOp::IndexAdd { axis }, x.tape().index(at), Shape::new(&shape))
}

fn scatter_add<'t>(x: Var<'t, f64>, axis: u8, at: Tensor<i64>, shape: [usize; 2]) -> Var<'t, f64> {
    x.indexed(IndexOp::ScatterAdd { axis }, x.tape().index(at), Shape::new(&shape))
}

pub(super) fn rows(op: IndexOp) -> Vec<Row> {
    let kind = op;
    let op = Op::Index(op);
    let matrix = || vec![any(&[3, 5], 1)];
    match kind {
        IndexOp::IndexSelect { .. } => vec![
            Row::new(op, "", matrix(), |x| {
                x[0].index_select(1, Tensor::from([4i64, 0, 4, 4, 2, 0]))
            })
            .linear(),
            Row::new(op, "outer axis", matrix(), |x| {
                x[0].index_select(0, Tensor::from([2i64, 2, 0]))
            })
            .linear(),
            Row::new(op, "tiny", vec![any(&[3], 1)], |x| {
                x[0].index_select(-1, Tensor::from([1i64, 1]))
            })
            .linear(),
            Row::new(op, "index with two axes", matrix(), |x| {
                x[0].index_select(1, Tensor::from([[4i64, 0, 4], [4, 2, 0]]))
            })
            .linear(),
            Row::new(op, "rows of views at an index with two axes", matrix(), |x| {
                let index = Tensor::from([[1i64, 0, 1]]);
                let repeated = x[0].broadcast_to([2, 3, 5]).transpose(0, 1);
                let every_second = x[0].reshape([5, 3]).slice(0, 1, None, 2);
                let [a, b, c] = [x[0].t(), repeated, every_second]
                    .map(|x| x.index_select(0, &index).sum(&[-1], false));
                a * c + b.sum(&[-1], false)
            }),
        ],
        IndexOp::IndexAdd { .. } => vec![
            Row::new(op, "", matrix(), |x| {
                index_add(x[0], 1, Tensor::from([3i64, 0, 3, 6, 3]), [3, 7])
            })
            .linear(),
            Row::new(op, "outer axis", matrix(), |x| {
                index_add(x[0], 0, Tensor::from([1i64, 1, 0]), [4, 5])
            })
            .linear(),
            Row::new(op, "long rows at an index with two axes", vec![any(&[3, 2, 9], 1)], |x| {
                index_add(x[0], 0, Tensor::from([[1i64, 1], [0, 4], [1, 0]]), [5, 9])
            })
            .linear(),
        ],
        IndexOp::Gather { .. } => vec![
            Row::new(op, "", matrix(), |x| {
                x[0].gather(1, Tensor::from([[0i64, 4, 4, 1, 0, 0], [2, 2, 2, 0, 1, 3]]))
            })
            .linear(),
            Row::new(op, "outer axis", matrix(), |x| {
                x[0].gather(-2, Tensor::from([[2i64, 2, 0], [2, 1, 0]]))
            })
            .linear(),
        ],
        IndexOp::ScatterAdd { .. } => vec![
            Row::new(op, "", vec![any(&[2, 4], 1)], |x| {
                scatter_add(x[0], 1, Tensor::from([[0i64, 4, 4, 1], [2, 2, 2, 0]]), [3, 5])
            })
            .linear(),
            Row::new(op, "outer axis", vec![any(&[2, 3], 1)], |x| {
                scatter_add(x[0], 0, Tensor::from([[0i64, 2, 2], [2, 2, 1]]), [3, 5])
            })
            .linear(),
        ],
        IndexOp::Pick => pool::picks(op),
        IndexOp::Unpool => vec![
            Row::new(op, "", vec![any(&[2, 3, 2], 1)], |x| {
                let index = [[3i64, 0, 3, 6, 3, 19], [0, 1, 2, 3, 4, 4]];
                let index = Tensor::from(index).reshape(&[2, 3, 2]);
                x[0].max_unpool2d(index, [4, 5])
            })
            .linear(),
            Row::new(op, "of a pool", vec![pool::distinct(&[2, 1, 5, 6])], |x| {
                let (y, index) = x[0].max_pool2d_with_indices(&Pool::new(2).stride(1));
                y.tanh().max_unpool2d(index, [5, 6])
            }),
        ],
    }
}
