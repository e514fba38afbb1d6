//! Newton's method with the exact Hessian, beside gradient descent.
//! `cargo run --release --features linalg --example newton`
//!
//! Gradient descent knows the slope. Newton's method also knows the curvature: it goes to the lowest point of the
//! parabola that has the same slope and curvature, x ← x - H⁻¹ ∇f. Near the minimum, each step squares the error, so
//! the number of correct digits doubles. The derivatives of both orders come from the same tape.

use std::error::Error;
use wengert::autograd::transforms::{grad, hessian};
use wengert::data::BreastCancer;
use wengert::plot::{Chart, Corner, Line, Scale, charts};
use wengert::prelude::*;

const PICTURE: &str = "target/newton/errors.svg";
/// The strength of the term that keeps the weights of the logistic regression finite.
const RIDGE: f64 = 0.01;

fn main() -> Result<(), Box<dyn Error>> {
    root_of_two();
    let pictures = [rosenbrock(), logistic_regression()];
    charts(&pictures, PICTURE)?;
    println!("\npicture: {PICTURE}");
    Ok(())
}

/// The method of Newton (1669) and Raphson (1690) for a root: x ← x - f(x) / f′(x).
fn root_of_two() {
    println!("1. a root of f(x) = x² - 2\n");
    let mut x = 1.0f64;
    let mut errors = Vec::new();
    for step in 0..6 {
        let tape = Tape::<f64>::new();
        let at = tape.watch(Tensor::scalar_of(x));
        let f = at.square() - 2.0;
        let slope = f.grad(&[at])[0];
        errors.push((x - 2f64.sqrt()).abs());
        println!("step {step}: x = {x:.16}, error {:.1e}", errors[step]);
        x -= f.item() / slope.item();
    }
    // The error obeys e' = e² / (2 x).
    for (i, pair) in errors.windows(2).enumerate().take(4) {
        assert!(pair[1] <= 0.5 * pair[0].powi(2) + 1e-15, "step {i}");
    }
    assert!(errors[5] < 1e-15);
    println!("the digits double in each step\n");
}

/// Returns the points of Newton's method.
fn newton(
    f: impl for<'t> Fn(Var<'t, f64>) -> Var<'t, f64>,
    start: &Tensor<f64>,
    steps: usize,
) -> Vec<Tensor<f64>> {
    let mut points = vec![start.clone()];
    for _ in 0..steps {
        let tape = Tape::new();
        let x = tape.constant(points[points.len() - 1].clone());
        let (slope, curvature) = (grad(&f, x).value(), hessian(&f, x).value());
        points.push(&x.value() - &curvature.solve(&slope));
    }
    points
}

/// Returns the points of gradient descent.
fn descent(
    f: impl for<'t> Fn(Var<'t, f64>) -> Var<'t, f64>,
    start: &Tensor<f64>,
    rate: f64,
    steps: usize,
) -> Vec<Tensor<f64>> {
    let mut points = vec![start.clone()];
    for _ in 0..steps {
        let tape = Tape::new();
        let x = tape.constant(points[points.len() - 1].clone());
        points.push(&x.value() - &(grad(&f, x).value() * rate));
    }
    points
}

/// H. H. Rosenbrock, "An automatic method for finding the greatest or least value of a function", 1960: a valley that
/// is narrow and curved, with the minimum at (1, 1).
fn banana<'t>(x: Var<'t, f64>) -> Var<'t, f64> {
    let (x, y) = (x.select(0, 0), x.select(0, 1));
    (1.0 - x).square() + 100.0 * (y - x.square()).square()
}

fn rosenbrock() -> Chart {
    println!("2. Rosenbrock's function (1 - x)² + 100 (y - x²)², from (-1.2, 1)\n");
    // The Hessian in closed form, as a check.
    let tape = Tape::new();
    let found = hessian(banana, tape.constant(Tensor::from([-1.2, 1.0]))).value();
    let (x, y) = (-1.2f64, 1.0f64);
    let exact = Tensor::from([[2.0 - 400.0 * (y - 3.0 * x * x), -400.0 * x], [-400.0 * x, 200.0]]);
    assert!((&found - &exact).abs().max(&[0, 1], false).item() < 1e-9);

    let start = Tensor::from([-1.2, 1.0]);
    let minimum = Tensor::from([1.0, 1.0]);
    let fast = distances(&newton(banana, &start, 7), &minimum);
    for (step, error) in fast.iter().enumerate() {
        println!("Newton, step {step}: distance to the minimum {error:.1e}");
    }
    quadratic(&fast);
    let slow = distances(&descent(banana, &start, 0.001, 20_000), &minimum);
    for step in [10, 100, 1000, 10_000, 20_000] {
        println!("gradient descent, step {step:>5}: {:.1e}", slow[step]);
    }
    println!(
        "Newton's method may go uphill on the way: it looks for a point where the slope is zero\n"
    );
    picture("Rosenbrock's function", &fast, &slow)
}

fn logistic_regression() -> Chart {
    println!("3. logistic regression: 569 tumours, 30 measurements, malignant or benign\n");
    let data = BreastCancer::load();
    let scaled = Standardize::fit(&data.dataset()).transform(&data.features).cast::<f64>();
    let n = BreastCancer::LEN;
    // A column of ones: its weight is the offset.
    let x = Tensor::concat(&[scaled, Tensor::ones_of(&[n, 1])], 1);
    let y = data.labels.cast::<f64>();
    let start = Tensor::zeros_of(&[31]);

    // The Hessian in closed form: Xᵀ S X / n + 2 λ, with S = p (1 - p) on its diagonal.
    let tape = Tape::new();
    let w = Tensor::from_fn(&[31], |i| 0.1 * (i as f64).sin());
    let found = hessian(|w| logistic_loss(w, &x, &y), tape.constant(w.clone())).value();
    let p = x.matmul(&w.unsqueeze(1)).sigmoid();
    let s = &p * &(1.0 - &p);
    let exact = &(x.t().matmul(&(&x * &s)) / n as f64) + &(Tensor::eye_of(31) * (2.0 * RIDGE));
    assert!((&found - &exact).abs().max(&[0, 1], false).item() < 1e-12);
    println!("the Hessian, 31 × 31, agrees with its closed form to 12 digits");

    let fast = newton(|w| logistic_loss(w, &x, &y), &start, 9);
    // The minimum is where Newton's method comes to rest: the slope is zero up to rounding.
    let minimum = fast[9].clone();
    let tape = Tape::new();
    let slope = grad(|w| logistic_loss(w, &x, &y), tape.constant(minimum.clone())).value();
    assert!(slope.abs().max(&[0], false).item() < 1e-13);
    let fast = distances(&fast[..9], &minimum);
    for (step, error) in fast.iter().enumerate() {
        println!("Newton, step {step}: distance to the minimum {error:.1e}");
    }
    quadratic(&fast);
    // The curvature is at most that of the largest eigenvalue, about 3.4, so this rate is safe.
    let slow = distances(&descent(|w| logistic_loss(w, &x, &y), &start, 0.5, 1000), &minimum);
    for step in [10, 100, 1000] {
        println!("gradient descent, step {step:>4}: {:.1e}", slow[step]);
    }
    println!("a step of Newton costs more: it solves a system of 31 equations");
    picture("logistic regression", &fast, &slow)
}

/// The mean of ln(1 + exp z) - y z with z = X w, and λ |w|², so that there is exactly one minimum.
fn logistic_loss<'t>(w: Var<'t, f64>, x: &Tensor<f64>, y: &Tensor<f64>) -> Var<'t, f64> {
    let tape = w.tape();
    let z = tape.constant(x.clone()).matmul(w.unsqueeze(1)).squeeze(1);
    (z.softplus() - tape.constant(y.clone()) * z).mean_all() + RIDGE * w.square().sum_all()
}

fn distances(points: &[Tensor<f64>], to: &Tensor<f64>) -> Vec<f64> {
    points.iter().map(|point| (point - to).square().sum_all().sqrt()).collect()
}

/// Checks that the error is squared, up to a factor, once it is small and until it is rounding.
fn quadratic(errors: &[f64]) {
    let pairs = errors.windows(2).filter(|pair| pair[0] < 0.3 && pair[1] > 1e-13);
    let factors: Vec<f64> = pairs.map(|pair| pair[1] / pair[0].powi(2)).collect();
    assert!(factors.len() > 1 && factors.iter().all(|factor| *factor < 20.0), "{factors:?}");
    let shown: Vec<String> = factors.iter().map(|factor| format!("{factor:.3}")).collect();
    println!("next error / error²: {}: bounded, so the convergence is quadratic", shown.join(", "));
}

fn picture(title: &str, fast: &[f64], slow: &[f64]) -> Chart {
    let steps = || (0..60).map(f64::from);
    Chart::new(title)
        .x_label("steps")
        .y_label("distance to the minimum")
        .y_scale(Scale::Log)
        .integer_x()
        .legend(Corner::LowerRight)
        .line(Line::new("Newton", steps().zip(fast.iter().copied())).markers())
        .line(Line::new("gradient descent", steps().zip(slow.iter().copied())))
}
