//! Test rows of random operations, of operations with several outputs, and of custom operations.

use super::{Row, any};
use crate::graph::{Call, Cotangents, CustomOp, Op, Outputs, Random, Reads, Var};
use std::sync::Arc;
use wengert_tensor::{Binary, Shape, Tensor};

pub(super) fn random(op: Random) -> Vec<Row> {
    fn apply<'t>(op: Random, x: Var<'t, f64>) -> Var<'t, f64> {
        x.tape().apply(Op::Random(op), &[x], x.shape())
    }
    match op {
        Random::Dropout { .. } => [&[3, 5][..], &[7]]
            .into_iter()
            .map(|shape| {
                Row::new(Op::Random(op), "", vec![any(shape, 1)], move |x| apply(op, x[0])).linear()
            })
            .collect(),
    }
}

/// Returns the test rows of selection by comparisons of integers.
pub(super) fn comparisons() -> Vec<Row> {
    let op = Op::Compare(Binary::Gt);
    vec![
        Row::new(op, "given", vec![any(&[3, 5], 1)], |x| {
            let index = x[0].tape().index(Tensor::from_fn(&[3, 1], |i| i as i64));
            Var::where_(index.gt(Tensor::from([0i64, 1, 2, 1, 0])), x[0], 0)
        })
        .linear(),
        Row::new(op, "computed", vec![any(&[3, 5], 1)], |x| {
            Var::where_(x[0].argmax(1, true).gt(1), x[0].exp(), x[0].square())
        }),
    ]
}

/// sin x and cos x. Each is the derivative of the other up to the sign: the rule reads both outputs and
/// no input.
struct SinCos;
impl CustomOp<f64> for SinCos {
    fn name(&self) -> &'static str {
        "sin_cos"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0], x[0]].into())
    }
    fn forward(&self, x: &[Tensor<f64>]) -> Outputs<Tensor<f64>> {
        [x[0].sin(), x[0].cos()].into()
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, f64>) -> Cotangents<'t, f64> {
        let by_sin = c.gy_of(0).map(|g| g * c.y(1));
        let by_cos = c.gy_of(1).map(|g| -g * c.y(0));
        let both = |a, b| a + b;
        [by_sin.into_iter().chain(by_cos).reduce(both)].into()
    }
    fn reads(&self, _: usize) -> Reads {
        Reads::Y0.and(Reads::Y1)
    }
}
fn sin_cos(x: Var<'_, f64>) -> Outputs<Var<'_, f64>> {
    x.tape().custom(Arc::new(SinCos), &[x])
}

/// a b + c. The gradient of each argument reads other values.
struct MulAdd;
impl CustomOp<f64> for MulAdd {
    fn name(&self) -> &'static str {
        "mul_add"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0]].into())
    }
    fn forward(&self, x: &[Tensor<f64>]) -> Outputs<Tensor<f64>> {
        [&x[0] * &x[1] + &x[2]].into()
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, f64>) -> Cotangents<'t, f64> {
        let gy = c.gy();
        [c.wants(0).then(|| gy * c.x(1)), c.wants(1).then(|| gy * c.x(0)), Some(gy)].into()
    }
    fn reads(&self, arg: usize) -> Reads {
        [Reads::X1, Reads::X0, Reads::NOTHING][arg]
    }
}
fn mul_add<'t>(x: &[Var<'t, f64>]) -> Var<'t, f64> {
    x[0].tape().custom(Arc::new(MulAdd), x)[0]
}

/// Returns test rows that use only the first output, only a later output, and both.
pub(super) fn outputs() -> Vec<Row> {
    let op = Op::Output(1);
    let mut rows = vec![];
    for shape in [&[3, 5][..], &[3]] {
        rows.push(Row::new(op, "the first", vec![any(shape, 1)], |x| sin_cos(x[0])[0]).order(3));
        rows.push(Row::new(op, "the second", vec![any(shape, 1)], |x| sin_cos(x[0])[1]).order(3));
        rows.push(Row::new(op, "both", vec![any(shape, 1)], |x| {
            let y = sin_cos(x[0]);
            y[0] * y[1].exp()
        }));
    }
    rows
}

pub(super) fn custom() -> Vec<Row> {
    let op = Op::Custom(0);
    let three = |shape: &[usize]| vec![any(shape, 1), any(shape, 2), any(shape, 3)];
    vec![
        Row::new(op, "mul_add", three(&[3, 5]), mul_add).bilinear(),
        Row::new(op, "mul_add", three(&[3]), mul_add).bilinear(),
        Row::new(op, "between pending operations", three(&[3, 5]), |x| {
            mul_add(&[x[0].tanh(), 2.0 * x[1], x[2].sin()]).sigmoid()
        }),
    ]
}
