//! Custom operations for random programs: several outputs of several shapes, and a rule that calls `grad`.

use std::sync::Arc;
use wengert_autograd::{Call, Cotangents, CustomOp, Outputs, Reads, Var};
use wengert_tensor::{Shape, Tensor};

/// Returns the operation with this number.
pub fn custom(which: u8) -> Arc<dyn CustomOp<f64>> {
    match which % 4 {
        0 => Arc::new(SinCos),
        1 => Arc::new(MulAdd),
        2 => Arc::new(Several),
        _ => Arc::new(Defined),
    }
}

/// Returns the number of its inputs. All inputs have the same shape.
pub fn arity(which: u8) -> usize {
    [1, 3, 2, 1][(which % 4) as usize]
}

/// Returns the number of its outputs.
pub fn outputs(which: u8) -> usize {
    [2, 1, 3, 1][(which % 4) as usize]
}

fn of<T>(items: impl IntoIterator<Item = T>) -> Outputs<T> {
    items.into_iter().collect()
}

/// (sin x, cos x); the rule reads both outputs.
struct SinCos;
impl CustomOp<f64> for SinCos {
    fn name(&self) -> &'static str {
        "sin_cos"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok(of([x[0], x[0]]))
    }
    fn forward(&self, x: &[Tensor<f64>]) -> Outputs<Tensor<f64>> {
        of([x[0].sin(), x[0].cos()])
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, f64>) -> Cotangents<'t, f64> {
        let by_sin = c.gy_of(0).map(|g| g * c.y(1));
        let by_cos = c.gy_of(1).map(|g| -g * c.y(0));
        [by_sin.into_iter().chain(by_cos).reduce(|a, b| a + b)].into_iter().collect()
    }
    fn reads(&self, _: usize) -> Reads {
        Reads::Y0.and(Reads::Y1)
    }
}

/// a b + c
struct MulAdd;
impl CustomOp<f64> for MulAdd {
    fn name(&self) -> &'static str {
        "mul_add"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok(of([x[0]]))
    }
    fn forward(&self, x: &[Tensor<f64>]) -> Outputs<Tensor<f64>> {
        of([&x[0] * &x[1] + &x[2]])
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, f64>) -> Cotangents<'t, f64> {
        let gy = c.gy();
        [c.wants(0).then(|| gy * c.x(1)), c.wants(1).then(|| gy * c.x(0)), Some(gy)]
            .into_iter()
            .collect()
    }
    fn reads(&self, arg: usize) -> Reads {
        [Reads::X1, Reads::X0, Reads::NOTHING][arg]
    }
}

/// (Σ a b, tanh(a + b), 2 a): a scalar, and two outputs of the operands' shape. The second output contributes
/// the same variable to the cotangents of both operands.
struct Several;
impl CustomOp<f64> for Several {
    fn name(&self) -> &'static str {
        "several"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok(of([Shape::new(&[]), x[0], x[0]]))
    }
    fn forward(&self, x: &[Tensor<f64>]) -> Outputs<Tensor<f64>> {
        let (a, b) = (&x[0], &x[1]);
        of([Tensor::scalar_of((a * b).sum_all()), (a + b).tanh(), a * 2.0])
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, f64>) -> Cotangents<'t, f64> {
        let sum = |terms: [Option<Var<'t, f64>>; 3]| {
            terms
                .into_iter()
                .flatten()
                .reduce(|a, b| a + b)
                .unwrap_or_else(|| c.tape().zeros(&c.x_shape(0)))
        };
        let curved = c.gy_of(1).map(|g| g * (1.0 - c.y(1) * c.y(1)));
        [
            c.wants(0).then(|| {
                sum([c.gy_of(0).map(|g| g * c.x(1)), curved, c.gy_of(2).map(|g| 2.0 * g)])
            }),
            c.wants(1).then(|| sum([c.gy_of(0).map(|g| g * c.x(0)), curved, None])),
        ]
        .into_iter()
        .collect()
    }
}

/// x tanh x. Its rule calls `grad` on the definition.
struct Defined;
impl CustomOp<f64> for Defined {
    fn name(&self) -> &'static str {
        "defined"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok(of([x[0]]))
    }
    fn forward(&self, x: &[Tensor<f64>]) -> Outputs<Tensor<f64>> {
        of([&x[0] * &x[0].tanh()])
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, f64>) -> Cotangents<'t, f64> {
        let x = c.x(0);
        [Some((x * x.tanh() * c.gy()).sum_all().grad(&[x])[0])].into_iter().collect()
    }
    fn reads(&self, _: usize) -> Reads {
        Reads::X0
    }
}
