//! Checks values against plain loops and the standard library. A rule is compared with differences of
//! its own function, so a function that is wrong in the same way in both would pass those tests. Here
//! every node of every row, and of its gradient, is computed again from its operands, by code that uses
//! no kernel (`reference`).

mod methods;
mod reference;

use super::{POLICIES, every_row, weighted};
use crate::graph::{Op, Tape};
use reference::reference;
use std::collections::BTreeMap;
use wengert_tensor::{Binary, Tensor, Unary};

/// Returns every index of a shape, in row-major order.
fn indices(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> + use<'_> {
    (0..shape.iter().product()).map(move |mut position: usize| {
        let mut index = vec![0; shape.len()];
        for (i, &size) in index.iter_mut().zip(shape).rev() {
            (*i, position) = (position % size, position / size);
        }
        index
    })
}

/// Compares a node with the reference, from its operands. No value was requested before.
fn compare(tape: &Tape<f64>, id: u32, name: &str, counts: &mut BTreeMap<String, usize>) {
    let (op, shape, parents) = {
        let arena = tape.arena.borrow();
        let op = arena.nodes[id as usize].op;
        let first = match op {
            Op::Output(back) => id - back,
            _ => id,
        };
        (op, *arena.shape(id), arena.parents(first).to_vec())
    };
    let is_number = |id: u32| tape.arena.borrow().place_of_integers(id).is_none();
    if !is_number(id) {
        return;
    }
    let x: Vec<_> = parents.iter().filter(|&&p| is_number(p)).map(|&p| tape.force(p)).collect();
    let Some(wanted) = reference(tape, id, op, &x, &shape) else { return };
    let got = tape.force(id);
    assert_eq!((got.shape(), got.numel()), (shape, wanted.len()), "{name}: {op:?}");
    // The terms of a sum may cancel: the rounding error depends on the size of the terms.
    let size = x.iter().flat_map(Tensor::to_vec).fold(1.0, |m: f64, x| m.max(x.abs()));
    for (i, (got, wanted)) in got.to_vec().into_iter().zip(wanted).enumerate() {
        let close = (got - wanted).abs() <= 1e-13 * wanted.abs().max(size * size);
        let equal = got == wanted || got.is_nan() && wanted.is_nan();
        let exact = matches!(op, Op::View(_) | Op::Select);
        assert!(
            equal || close && !exact,
            "{name}: {op:?} to {shape:?}, element {i}: {got}, by loops {wanted}"
        );
    }
    *counts.entry(super::kind(op).join(" ")).or_default() += 1;
}

#[test]
fn every_operation_and_its_gradient_have_the_values_of_plain_loops() {
    let (mut counts, mut rows) = (BTreeMap::new(), 0);
    for row in every_row(|_| true) {
        for policy in POLICIES {
            let tape = Tape::new().with_policy(policy);
            let x = row.place(&tape, &vec![true; row.inputs.len()]);
            let y = row.run(&x);
            y.value();
            weighted(y).grad(&x);
            for id in 0..tape.len() as u32 {
                compare(&tape, id, &row.name, &mut counts);
            }
        }
        rows += 1;
    }
    let nodes: usize = counts.values().sum();
    println!("{nodes} nodes of {rows} rows: {counts:?}");
    assert!(rows > 470 && nodes > 8000, "{nodes} nodes of {rows} rows");
    // Of each family and member there must be some nodes. Comparisons are left out: they have no
    // derivative and no row.
    for member in [
        "View BroadcastTo",
        "View Reshape",
        "View Permute",
        "View Slice",
        "View Unslice",
        "View Concat",
        "Assemble Assemble",
        "Reduce Sum",
        "Reduce Max",
        "Reduce Min",
        "Reduce LogSumExp",
        "Softmax Forward",
        "Softmax Gradient",
        "Normalize Moments",
        "Normalize Layer",
        "Normalize LayerGradient",
        "Normalize Batch",
        "Normalize BatchGradient",
        "Lstm Step",
        "Lstm Gradient",
        "Scan ScanAlong",
        "MatMul MatMul",
        "Conv Forward",
        "Conv Input",
        "Conv Weight",
        "Index IndexSelect",
        "Index IndexAdd",
        "Index Gather",
        "Index ScatterAdd",
        "Index Pick",
        "Index Unpool",
        "MaxPool MaxPool",
        "MapAxis MapAxis",
        "Random Dropout",
        "Custom",
        "Output",
        "Select",
    ] {
        assert!(counts.get(member).is_some_and(|&n| n > 1), "{member}: {counts:?}");
    }
}

/// Comparisons have no derivative and no row. The elements include constants of the operations, ties,
/// zeros and negative numbers.
#[test]
fn every_pointwise_operation_has_the_values_of_a_plain_function() {
    let (mut counts, quarters) = (BTreeMap::new(), |i: usize, n: usize| (i % n) as f64 / 4.0 - 1.0);
    for policy in POLICIES {
        for n in [3, 60] {
            let tape = Tape::new().with_policy(policy);
            let a = tape.watch(Tensor::from_fn(&[n], |i| quarters(i, 9)));
            let b = tape.watch(Tensor::from_fn(&[n], |i| quarters(i, 7)));
            for &op in Unary::ALL {
                a.unary(op);
            }
            for &op in Binary::ALL {
                a.binary(op, b);
            }
            for id in 0..tape.len() as u32 {
                compare(&tape, id, "pointwise", &mut counts);
            }
        }
    }
    assert_eq!(counts.values().sum::<usize>(), 4 * (Unary::ALL.len() + Binary::ALL.len()));
}
