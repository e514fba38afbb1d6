//! Test rows of the scans: both directions, every axis, elements that are zero.

use super::{Row, any};
use crate::graph::{Op, ScanAlong, Var};
use wengert_tensor::{Scan, Tensor};

/// Returns a scan of this kind along an axis.
pub(super) fn along(op: Scan, axis: u8, reverse: bool) -> ScanAlong {
    ScanAlong { op, axis, reverse }
}

fn scan<'t>(x: &[Var<'t, f64>], of: ScanAlong) -> Var<'t, f64> {
    x[0].scanned(of, x.get(1).copied())
}

/// Returns elements among which some are zero.
fn with_zeros() -> Tensor<f64> {
    Tensor::from([[0.5, 0.0, -1.5, 2.0], [0.0, 3.0, 0.0, 0.7], [1.1, -0.4, 0.9, 0.0]])
}

pub(super) fn rows() -> Vec<Row> {
    use Scan::{Linear, LogSumExp, Product, Sum};
    let op = |of| Op::Scan(along(of, 0, false));
    let x = |shape: &[usize]| vec![any(shape, 1)];
    let two = |shape: &[usize]| vec![any(shape, 1), any(shape, 2)];
    vec![
        Row::new(op(Sum), "first axis", x(&[4, 3]), |x| scan(x, along(Sum, 0, false))).linear(),
        Row::new(op(Sum), "last axis back", x(&[4, 3]), |x| scan(x, along(Sum, 1, true))).linear(),
        Row::new(op(Sum), "middle axis", x(&[2, 3, 4]), |x| x[0].cumsum(1)).linear(),
        Row::new(op(Product), "first axis", x(&[4, 3]), |x| x[0].cumprod(0)),
        Row::new(op(Product), "last axis back", x(&[3, 4]), |x| scan(x, along(Product, 1, true))),
        Row::new(op(Product), "with zeros", vec![with_zeros()], |x| x[0].cumprod(1)).order(3),
        Row::new(op(Product), "prod of all", x(&[2, 3]), |x| x[0].prod(&[], true)).order(3),
        Row::new(op(Product), "prod with zeros", vec![with_zeros()], |x| x[0].prod(&[1], false)),
        Row::new(op(Product), "prod of two axes", x(&[2, 3, 2]), |x| x[0].prod(&[2, 0], false)),
        Row::new(op(LogSumExp), "first axis", x(&[4, 3]), |x| x[0].logcumsumexp(0)),
        Row::new(op(LogSumExp), "back", x(&[2, 3, 4]), |x| scan(x, along(LogSumExp, 1, true))),
        Row::new(op(Linear), "first axis", two(&[4, 3]), |x| scan(x, along(Linear, 0, false))),
        Row::new(op(Linear), "last axis back", two(&[3, 4]), |x| scan(x, along(Linear, 1, true))),
        Row::new(op(Linear), "tiny", two(&[3]), |x| scan(x, along(Linear, 0, false))).order(3),
    ]
}
