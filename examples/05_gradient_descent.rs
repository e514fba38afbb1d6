//! Lesson 5: gradient descent. `cargo run --release --example 05_gradient_descent`
//!
//! A step goes against the gradient: x ← x - η f′(x). The learning rate η decides whether the steps are too
//! small, right, or too large. For functions of second degree this can be computed, so the lesson computes it
//! and compares.

use std::error::Error;
use wengert::plot::{Chart, Corner, Line, Scale, charts};
use wengert::prelude::*;

/// f(x) = ½ c x², with the curvature c.
const CURVATURE: f64 = 2.0;
/// f(x, y) = ½ (x² + κ y²): a valley, κ times steeper across than along.
const KAPPA: f64 = 20.0;
/// The number of steps in two dimensions.
const STEPS: usize = 60;
const PICTURE: &str = "target/05_gradient_descent/descent.svg";

fn main() -> Result<(), Box<dyn Error>> {
    let (line, hollows) = one_dimension();
    let (paths, losses) = two_dimensions();
    charts(&[line, hollows, paths, losses], PICTURE)?;
    println!("\npicture: {PICTURE}");
    Ok(())
}

fn bowl<'t>(x: Var<'t, f64>) -> Var<'t, f64> {
    0.5 * CURVATURE * x.square()
}

/// Two hollows; the left one is deeper.
fn two_hollows<'t>(x: Var<'t, f64>) -> Var<'t, f64> {
    x.powi(4) - 3.0 * x.square() + x
}

fn valley<'t>(x: Var<'t, f64>) -> Var<'t, f64> {
    let scale = x.tape().constant(Tensor::from([1.0, KAPPA]));
    (0.5 * scale * x.square()).sum_all()
}

/// Returns the points of descent with an optimizer of the library, and the value of f at each.
fn descend(
    f: fn(Var<'_, f64>) -> Var<'_, f64>,
    start: &Tensor<f64>,
    optimizer: &mut Sgd<f64>,
    steps: usize,
) -> (Vec<Vec<f64>>, Vec<f64>) {
    let mut x = Param::new(start.clone());
    let (mut points, mut values) = (Vec::new(), Vec::new());
    for _ in 0..=steps {
        let tape = Tape::new();
        let value = f(tape.param(&x));
        points.push(x.value().to_vec());
        values.push(value.item());
        optimizer.step(&mut x, &value.backward());
    }
    (points, values)
}

fn one_dimension() -> (Chart, Chart) {
    println!("f(x) = ½ c x² with c = {CURVATURE}, from x = 1. A step multiplies x by 1 - η c:\n");
    let curve = |f: fn(Var<'_, f64>) -> Var<'_, f64>, low: f64, high: f64| {
        let tape = Tape::inference();
        let x = Tensor::linspace_of(low, high, 200);
        let y = f(tape.constant(x.clone())).value();
        Line::new("", x.to_vec().into_iter().zip(y.to_vec())).faint()
    };
    let mut picture = Chart::new("½ c x²: too small, right, large, too large")
        .x_label("x")
        .y_label("f(x)")
        .x_range(-2.0, 3.4)
        .y_range(0.0, 4.0)
        .legend(Corner::LowerRight)
        .line(curve(bowl, -2.0, 2.0));
    for (rate, steps) in [(0.02, 20), (0.4, 20), (0.9, 20), (1.05, 6)] {
        let mut optimizer = Sgd::of(rate);
        let (points, values) = descend(bowl, &Tensor::scalar_of(1.0), &mut optimizer, steps);
        let factor = 1.0 - rate * CURVATURE;
        for (step, x) in points.iter().enumerate() {
            let exact = factor.powi(step as i32);
            assert!((x[0] - exact).abs() <= 1e-12 * exact.abs().max(1e-12), "{} {exact}", x[0]);
        }
        let what = match factor {
            f if f.abs() > 1.0 => "too large: each step goes further away",
            f if f < 0.0 => "large: it jumps to the other side each time, and still comes nearer",
            f if f > 0.9 => "too small: it crawls",
            _ => "right",
        };
        println!(
            "η = {rate:<4}: factor {factor:+.2}, x after {steps} steps = {:+.1e}; {what}",
            points[steps][0]
        );
        let path = points.iter().map(|x| x[0]).zip(values);
        picture = picture.line(Line::new(format!("η = {rate}"), path).markers());
    }
    println!("the limit is η = 2/c = {}\n", 2.0 / CURVATURE);

    println!("f(x) = x⁴ - 3 x² + x has two hollows. The start decides which one is found:\n");
    let mut hollows = Chart::new("two hollows: the start decides")
        .x_label("x")
        .y_label("f(x)")
        .legend(Corner::UpperLeft)
        .line(curve(two_hollows, -2.0, 2.0));
    for start in [-0.2, 0.4] {
        let mut optimizer = Sgd::of(0.05);
        let (points, values) = descend(two_hollows, &Tensor::scalar_of(start), &mut optimizer, 40);
        let (x, y) = (points[40][0], values[40]);
        println!("from {start:+}: x = {x:+.4}, f(x) = {y:+.4}");
        assert!((4.0 * x.powi(3) - 6.0 * x + 1.0).abs() < 1e-6, "the slope is zero there");
        let path = points.iter().map(|x| x[0]).zip(values);
        hollows = hollows.line(Line::new(format!("from {start}"), path).markers());
    }
    (picture, hollows)
}

fn two_dimensions() -> (Chart, Chart) {
    println!(
        "\nf(x, y) = ½ (x² + κ y²) with κ = {KAPPA}, from (10, 1). One rate serves both directions:\n"
    );
    // The best rate makes the two factors 1 - η and 1 - η κ equally large: (κ - 1)/(κ + 1) for both.
    let best = 2.0 / (1.0 + KAPPA);
    // Momentum remembers the last steps. With the best numbers the factor is (√κ - 1)/(√κ + 1): B. Polyak,
    // "Some methods of speeding up the convergence of iteration methods", 1964.
    let root = KAPPA.sqrt();
    let polyak = (2.0 / (root + 1.0)).powi(2);
    let momentum = ((root - 1.0) / (root + 1.0)).powi(2);
    let runs = [
        ("too small: η = 0.01", 0.01, 0.0),
        ("right: η = 2/(1 + κ)", best, 0.0),
        ("too large: η = 2.05/κ", 2.05 / KAPPA, 0.0),
        ("with momentum", polyak, momentum),
    ];
    let mut plane = Chart::new("in a valley, the first 20 steps")
        .x_label("x")
        .y_label("y")
        .x_range(-4.0, 11.0)
        .y_range(-3.0, 7.0);
    let heights = Tensor::from_fn(&[121, 151], |i| {
        let (x, y) = ((i % 151) as f64 * 0.1 - 4.0, (i / 151) as f64 * 0.05 - 3.0);
        0.5 * (x * x + KAPPA * y * y)
    });
    for level in [1.0, 5.0, 15.0, 30.0, 60.0] {
        plane = plane.line(Line::contour("", &heights, (-4.0, 11.0), (-3.0, 3.0), level).faint());
    }
    let mut curves =
        Chart::new("f by step").x_label("steps").y_label("f").y_scale(Scale::Log).integer_x();
    let start = Tensor::from([10.0, 1.0]);
    let mut ends = Vec::new();
    for (name, rate, momentum) in runs {
        let mut optimizer = Sgd::of(rate).momentum(momentum);
        let (points, values) = descend(valley, &start, &mut optimizer, STEPS);
        println!("{name:<22}: f = {:.1e} after {STEPS} steps", values[STEPS]);
        let factor = (KAPPA - 1.0) / (KAPPA + 1.0);
        if rate == best {
            // Both coordinates shrink by the same factor, so f shrinks by its square.
            assert!((values[STEPS] / values[STEPS - 1] - factor * factor).abs() < 1e-9);
        }
        ends.push(values[STEPS]);
        plane = plane.line(Line::new(name, points.iter().take(21).map(|p| (p[0], p[1]))).markers());
        let steps = (0..).map(f64::from);
        curves = curves.line(Line::new(name, steps.zip(values)));
    }
    let [slow, right, away, heavy] = ends[..] else { unreachable!("four runs") };
    assert!(right < slow && away > valley_at_start() && heavy < right);
    println!(
        "a valley that is κ times steeper across than along needs about κ steps, with momentum √κ"
    );
    (plane, curves.legend(Corner::LowerLeft))
}

fn valley_at_start() -> f64 {
    0.5 * (100.0 + KAPPA)
}
