//! Lesson 2: derivatives. `cargo run --example 02_autograd`
//!
//! Every operation on a variable is recorded on a tape. Walking the tape backwards gives the
//! derivatives. The derivatives are variables again, so they can be differentiated as often as
//! needed.

use wengert::prelude::*;

fn main() {
    // A function of two numbers, in f64 for an accurate comparison with the closed forms.
    let tape = Tape::<f64>::new();
    let x = tape.watch(Tensor::scalar_of(0.7));
    let y = tape.watch(Tensor::scalar_of(1.3));
    let a = x * y;
    let b = a.sin();
    let c = x.exp();
    let f = b + c * y;
    println!("f(x, y) = sin(x y) + y eˣ at x = 0.7, y = 1.3: {:.12}", f.item());
    println!("the tape has {} entries\n", tape.len());

    // One backward pass computes the derivatives with respect to all inputs.
    let [fx, fy] = f.grad(&[x, y])[..] else { unreachable!("as many as were asked for") };
    let (u, v) = (0.7f64, 1.3f64);
    compare("∂f/∂x = y cos(x y) + y eˣ", fx.item(), v * (u * v).cos() + v * u.exp());
    compare("∂f/∂y = x cos(x y) + eˣ", fy.item(), u * (u * v).cos() + u.exp());

    // The derivatives are recorded on the tape too, so they can be differentiated again.
    let [fxx, fxy] = fx.grad(&[x, y])[..] else { unreachable!("as many as were asked for") };
    compare("∂²f/∂x² = -y² sin(x y) + y eˣ", fxx.item(), -v * v * (u * v).sin() + v * u.exp());
    let mixed = (u * v).cos() - u * v * (u * v).sin() + u.exp();
    compare("∂²f/∂x∂y = cos(x y) - x y sin(x y) + eˣ", fxy.item(), mixed);
    println!("the tape now has {} entries\n", tape.len());

    // Training needs parameters, one loss, all gradients as tensors, and an update of the
    // parameters against the gradient. This example fits a line to points of y = 2 x - 1.
    let points = Tensor::arange(0.0, 2.0, 0.25);
    let heights = &points * 2.0 - 1.0;
    let (mut slope, mut offset) =
        (Param::new(Tensor::scalar(0.0)), Param::new(Tensor::scalar(0.0)));
    for step in 0..=200 {
        let tape = Tape::new(); // one tape per step
        let line = tape.constant(points.clone()) * tape.param(&slope) + tape.param(&offset);
        let loss = (line - tape.constant(heights.clone())).square().mean_all();
        if step % 50 == 0 {
            let (slope, offset) = (slope.value().item(), offset.value().item());
            println!("step {step:>3}: y = {slope:.4} x {offset:+.4}, loss {:.2e}", loss.item());
        }
        let gradients = loss.backward();
        for param in [&mut slope, &mut offset] {
            if let Some(gradient) = gradients.get(param) {
                let change = gradient * -0.2;
                param.update(|value| *value += &change);
            }
        }
    }
}

fn compare(formula: &str, tape: f64, closed_form: f64) {
    println!("{formula}\n    tape {tape:.15}   closed form {closed_form:.15}");
    assert!((tape - closed_form).abs() < 1e-14);
}
