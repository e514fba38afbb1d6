//! Draws activations with their first and second derivatives. `cargo run --release --example activations`
//!
//! The derivatives come from the tape: `grad` returns variables, so it can be called twice. `-- FILE` writes the picture to
//! another file than `target/activations/activations.svg`.

use std::error::Error;
use std::path::PathBuf;
use wengert::nn::{Surrogate, functional as f};
use wengert::plot::{Chart, Corner, Line, charts};
use wengert::prelude::*;

const PICTURE: &str = "target/activations/activations.svg";

/// A function of a variable, with its name.
type Activation = (&'static str, for<'t> fn(Var<'t, f64>) -> Var<'t, f64>);

const ACTIVATIONS: [Activation; 32] = [
    ("identity", |x| f::identity(x)),
    ("binary step with the surrogate σ(4x)", |x| f::binary_step(x, Surrogate::Sigmoid(4.0))),
    ("ReLU", |x| f::relu(x)),
    ("leaky ReLU, slope 0.1", |x| f::leaky_relu(x, 0.1)),
    ("ReLU6", |x| f::relu6(x)),
    ("hard tanh", |x| f::hardtanh(x, -1.0, 1.0)),
    ("threshold 1, value -0.5", |x| f::threshold(x, 1.0, -0.5)),
    ("ELU, α = 1.5", |x| f::elu(x, 1.5)),
    ("CELU, α = 1.5", |x| f::celu(x, 1.5)),
    ("SELU", |x| f::selu(x)),
    ("softplus", |x| f::softplus(x)),
    ("softplus, β = 3", |x| f::scaled_softplus(x, 3.0, 20.0)),
    ("GELU", |x| f::gelu(x)),
    ("GELU with tanh", |x| f::gelu_tanh(x)),
    ("SiLU", |x| f::silu(x)),
    ("Mish", |x| f::mish(x)),
    ("hard swish", |x| f::hardswish(x)),
    ("softshrink, λ = ½", |x| f::softshrink(x, 0.5)),
    ("hardshrink, λ = ½", |x| f::hardshrink(x, 0.5)),
    ("tanhshrink", |x| f::tanhshrink(x)),
    ("sigmoid", |x| f::sigmoid(x)),
    ("log sigmoid", |x| f::log_sigmoid(x)),
    ("hard sigmoid", |x| f::hardsigmoid(x)),
    ("tanh", |x| f::tanh(x)),
    ("softsign", |x| f::softsign(x)),
    ("arctan", |x| f::arctan(x)),
    ("binary step with the surrogate arctan, k = 2", |x| f::binary_step(x, Surrogate::Arctan(2.0))),
    ("random leaky ReLU in evaluation", |x| f::rrelu(x, 1.0 / 8.0, 1.0 / 3.0)),
    ("GLU of (x, x)", |x| gated(x, f::glu)),
    ("GEGLU of (x, x)", |x| gated(x, f::geglu)),
    ("SwiGLU of (x, x)", |x| gated(x, f::swiglu)),
    ("ReGLU of (x, x)", |x| gated(x, f::reglu)),
];

fn gated<'t>(x: Var<'t, f64>, unit: fn(Var<'t, f64>, isize) -> Var<'t, f64>) -> Var<'t, f64> {
    unit(Var::concat(&[x, x], 0), 0)
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).map_or_else(|| PICTURE.into(), PathBuf::from);
    // No point lies on a kink.
    let points: Vec<f64> = (0..960).map(|i| -4.995 + f64::from(i) * 0.0125).collect();
    let pictures = ACTIVATIONS.map(|(name, activation)| {
        let tape = Tape::eval();
        let x = tape.watch(Tensor::from_slice(&points, &[points.len()]));
        let y = activation(x);
        let first = y.sum_all().grad_or_zero(&[x])[0];
        let second = first.sum_all().grad_or_zero(&[x])[0];
        let lines = [("function", y), ("first derivative", first), ("second derivative", second)];
        lines
            .into_iter()
            .fold(Chart::new(name), |chart, (name, values)| {
                let values = values.value().to_vec();
                chart.line(Line::new(name, points.iter().copied().zip(values)))
            })
            .y_range(-2.0, 6.5)
            .legend(Corner::UpperLeft)
    });
    charts(&pictures, &path)?;
    println!("{} activations are drawn in {}", pictures.len(), path.display());
    Ok(())
}
