//! Test rows of sums of parts, and of values that are read in parts.

use super::{POLICIES, Row, any};
use crate::graph::{Assemble, Op, Part, Tape, Var};
use wengert_tensor::{Shape, Tensor};

/// Reads overlapping parts of every kind, including the whole.
fn parts<'t>(x: &[Var<'t, f64>]) -> Var<'t, f64> {
    let tape = x[0].tape();
    let rows = tape.index(Tensor::from([3i64, 0, 3])).id;
    let elements = tape.index(Tensor::from([[2i64, 2, 0, 1, 2]])).id;
    let parts = [
        (Part::Slice { axis: 1, start: 1, step: 1 }, x[0].id),
        (Part::Rows { axis: 0, index: rows }, x[1].id),
        (Part::Whole, x[2].id),
        (Part::Elements { axis: 0, index: elements }, x[3].id),
        (Part::Slice { axis: 0, start: 3, step: -2 }, x[4].id),
    ];
    tape.assemble(&parts, Shape::from([4, 5]))
}

pub(super) fn rows(op: Assemble) -> Vec<Row> {
    let op = Op::Assemble(op);
    let inputs = || {
        let shapes: [&[usize]; 5] = [&[4, 2], &[3, 5], &[4, 5], &[1, 5], &[2, 5]];
        shapes.iter().enumerate().map(|(i, shape)| any(shape, i as u64)).collect::<Vec<_>>()
    };
    vec![
        Row::new(op, "of every kind", inputs(), parts).linear(),
        Row::new(op, "whole first", vec![any(&[3, 4], 1), any(&[3, 1], 2)], |x| {
            let part = Part::Slice { axis: 1, start: 2, step: 1 };
            x[0].tape().assemble(&[(Part::Whole, x[0].id), (part, x[1].id)], x[0].shape())
        })
        .linear(),
        Row::new(op, "scatter_add", vec![any(&[3, 5], 1), any(&[2, 4], 2)], |x| {
            x[0].scatter_add(1, Tensor::from([[0i64, 4, 4, 1], [2, 2, 2, 0]]), x[1])
        })
        .linear(),
        Row::new(op, "part of a source", vec![any(&[3, 5], 1), any(&[4, 5], 2)], |x| {
            x[0].scatter_add(0, Tensor::from([[0i64, 2, 2], [2, 2, 1]]), x[1])
        })
        .linear(),
    ]
}

/// Compares with plain loops.
#[test]
#[allow(clippy::needless_range_loop)] // i and j are indices of several tensors
fn assembled_parts_are_added_at_their_positions() {
    let tape = Tape::<f64>::new();
    let shapes: [&[usize]; 5] = [&[4, 2], &[3, 5], &[4, 5], &[1, 5], &[2, 5]];
    let x: Vec<_> = shapes.iter().enumerate().map(|(i, s)| tape.watch(any(s, i as u64))).collect();
    let mut sum = [[0.0; 5]; 4];
    let at = |k: usize, i: usize, j: usize| x[k].value().at(&[i, j]);
    for i in 0..4 {
        for j in 0..2 {
            sum[i][1 + j] += at(0, i, j);
        }
    }
    for j in 0..5 {
        for (k, row) in [3, 0, 3].into_iter().enumerate() {
            sum[row][j] += at(1, k, j);
        }
        for i in 0..4 {
            sum[i][j] += at(2, i, j);
        }
        sum[[2, 2, 0, 1, 2][j]][j] += at(3, 0, j);
        sum[3][j] += at(4, 0, j);
        sum[1][j] += at(4, 1, j);
    }
    assert_eq!(parts(&x).value().to_vec(), sum.concat());
}

/// Three ways to compute the gradient agree, for every order of reading the parts and the whole.
#[test]
fn gradients_of_a_value_read_in_parts_and_as_a_whole_agree() {
    for policy in POLICIES {
        for whole in 0..4 {
            let tape = Tape::<f64>::new().with_policy(policy);
            let x = tape.watch(any(&[6, 3], 1));
            let y = x.tanh();
            let mut sum = tape.zeros(());
            for i in 0..3 {
                if i == whole {
                    sum = sum + y.powi(3).sum_all();
                }
                sum = sum + (y.narrow(0, i, 3) * y.narrow(0, 2 * i, 2).sum_all()).sum_all();
                let index = Tensor::from([i as i64, 5, i as i64]);
                sum = sum + y.index_select(0, &index).square().sum_all();
                let index = Tensor::from([[i as i64, 2], [4, i as i64]]);
                sum = sum + y.index_select(0, &index).sum(&[1], false).exp().sum_all();
                let index = Tensor::from([[i as i64, 5, 0]]);
                sum = sum + y.gather(0, &index).powi(3).sum_all();
            }
            if whole == 3 {
                sum = sum + y.sin().sum_all();
            }
            let variable = sum.grad(&[x])[0];
            let retained = sum.backward_retain().wrt(x).unwrap().to_vec();
            // Second derivatives, computed from parts of the gradient.
            let slope = (0..6).map(|i| variable.narrow(0, i, 1).square().sum_all());
            let second = slope.reduce(|a, b| a + b).unwrap();
            let again = second.grad(&[x])[0].value().to_vec();
            let direct = variable.square().sum_all().grad(&[x])[0].value().to_vec();
            let variable = variable.value().to_vec();
            let close = |a: &[f64], b: &[f64]| {
                a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-13 * a.abs().max(1.0))
            };
            assert!(close(&again, &direct));
            assert!(close(&variable, &retained));
            assert_eq!(sum.backward().wrt(x).unwrap().to_vec(), retained);
        }
    }
}
