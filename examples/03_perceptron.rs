//! Lesson 3: the perceptron. `cargo run --release --example 03_perceptron`
//!
//! A perceptron decides by the sign of a weighted sum. It learns from its mistakes only. If a line can
//! separate the two classes, the number of mistakes has a bound that does not depend on the number of
//! points. If no line can, the perceptron never comes to rest. Gradient descent on a smooth loss does.
//!
//! F. Rosenblatt, "The perceptron: a probabilistic model for information storage and organization in the
//! brain", 1958. The bound: A. Novikoff, "On convergence proofs on perceptrons", 1962.

use std::error::Error;
use wengert::plot::{Chart, Line, charts};
use wengert::prelude::*;
use wengert::rand::RngExt;

const SEED: u64 = 3;
/// Points in the plane, and how far they are from the line that separates them.
const POINTS: usize = 100;
const MARGIN: f64 = 0.1;
/// The line: 0.6 x + 0.8 y - 0.3 = 0. The first two numbers have the length 1.
const TRUTH: [f64; 3] = [0.6, 0.8, -0.3];
const PASSES: usize = 200;
const PICTURE: &str = "target/03_perceptron/lines.svg";

/// A point with its class, -1 or 1. The third coordinate is always 1: its weight is the offset of the
/// line, so that the line need not go through the origin.
type Example = ([f64; 3], f64);

fn main() -> Result<(), Box<dyn Error>> {
    let rng = &mut Philox::new(SEED);
    let mut examples: Vec<Example> = Vec::new();
    while examples.len() < POINTS {
        let point = [rng.random_range(-2.0..2.0), rng.random_range(-2.0..2.0), 1.0];
        let side = dot(&TRUTH, &point);
        if side.abs() >= MARGIN {
            examples.push((point, side.signum()));
        }
    }

    println!("1. {POINTS} points that a line separates\n");
    let (weights, mistakes) = perceptron(&examples, PASSES);
    let total: usize = mistakes.iter().sum();
    println!("mistakes in each pass over the points: {mistakes:?}, together {total}");
    assert_eq!(wrong(&weights, &examples), 0, "the rule stops when no point is wrong");
    // Each mistake brings the weights nearer to the direction u of a separating line: u·w grows by at
    // least γ. The length of w grows slowly: |w|² by at most R². Both hold for at most (R/γ)² mistakes.
    let length = dot(&TRUTH, &TRUTH).sqrt();
    let gamma = examples.iter().map(|(x, y)| y * dot(&TRUTH, x) / length).fold(f64::MAX, f64::min);
    let radius = examples.iter().map(|(x, _)| dot(x, x)).fold(0.0, f64::max).sqrt();
    let bound = (radius / gamma).powi(2);
    println!("Novikoff's bound: (R/γ)² = ({radius:.2}/{gamma:.3})² = {bound:.0} mistakes");
    assert!(total as f64 <= bound);

    // The rule is a step against a gradient: that of max(0, -y w·x), where the point is wrong.
    let tape = Tape::new();
    let w = tape.watch(Tensor::from([0.5f64, -0.25, 1.0]));
    let x = Tensor::from([1.0, 2.0, 1.0]);
    let loss = (w * tape.constant(x.clone())).sum_all().relu(); // y = -1, and w·x = 1 is wrong
    assert_eq!(loss.grad(&[w])[0].value(), x);
    println!("the change of the weights, y x, is minus the gradient of max(0, -y w·x)\n");

    println!("2. the same points, with the classes of five of them turned around\n");
    let mut noisy = examples.clone();
    noisy[..5].iter_mut().for_each(|(_, y)| *y = -*y);
    let (last, mistakes) = perceptron(&noisy, PASSES);
    let most = mistakes[PASSES - 50..].iter().max().expect("fifty passes");
    let least = mistakes[PASSES - 50..].iter().min().expect("fifty passes");
    println!(
        "perceptron: {least} to {most} mistakes in each of the last 50 passes: it does not rest"
    );
    assert!(*least > 0, "no line separates the points");
    let (smooth, losses, wrong_points) = gradient_descent(&noisy, PASSES);
    println!("gradient descent: loss {:.4} to {:.4}", losses[0], losses[PASSES - 1]);
    println!("it never rose, and {} points are wrong at the end", wrong(&smooth, &noisy));
    assert!(losses.is_sorted_by(|a, b| a >= b), "the rate is small enough");
    let curves = [
        Line::new("perceptron, in a pass", count(&mistakes)),
        Line::new("gradient descent, after a step", count(&wrong_points)),
    ];
    draw(&noisy, &[("perceptron", last), ("gradient descent", smooth)], curves)?;
    println!("picture: {PICTURE}\n");

    println!("3. ten perceptrons read digits: one for each digit, against all others\n");
    digits();
    Ok(())
}

/// Goes over the examples until none is wrong, at most `passes` times. A wrong example is added to the
/// weights with the sign of its class. Returns the weights, and the number of mistakes of each pass.
fn perceptron(examples: &[Example], passes: usize) -> ([f64; 3], Vec<usize>) {
    let (mut weights, mut mistakes) = ([0.0; 3], Vec::new());
    for _ in 0..passes {
        let mut wrong = 0;
        for (x, y) in examples {
            if y * dot(&weights, x) <= 0.0 {
                weights.iter_mut().zip(x).for_each(|(w, x)| *w += y * x);
                wrong += 1;
            }
        }
        mistakes.push(wrong);
        if wrong == 0 {
            break;
        }
    }
    (weights, mistakes)
}

/// Minimises the mean of ln(1 + exp(-y w·x)), which has a slope everywhere. Returns the weights, and
/// after each step the loss and the number of wrong points.
fn gradient_descent(examples: &[Example], steps: usize) -> ([f64; 3], Vec<f64>, Vec<usize>) {
    let x = Tensor::from_fn(&[examples.len(), 3], |i| examples[i / 3].0[i % 3]);
    let y = Tensor::from_fn(&[examples.len(), 1], |i| examples[i].1);
    // The curvature of this loss is at most R²/4. With the rate 4/R², no step goes too far.
    let rate = 4.0 / x.square().sum(&[1], false).max(&[0], false).item();
    let mut weights = Param::new(Tensor::zeros_of(&[3, 1]));
    let (mut losses, mut wrong_points) = (Vec::new(), Vec::new());
    let numbers = |weights: &Param<f64>| {
        let found = weights.value().to_vec();
        [found[0], found[1], found[2]]
    };
    for _ in 0..steps {
        let tape = Tape::new();
        let scores = tape.constant(x.clone()).matmul(tape.param(&weights));
        let loss = (-scores * tape.constant(y.clone())).softplus().mean_all();
        losses.push(loss.item());
        let gradients = loss.backward();
        let change = gradients.get(&weights).expect("the loss depends on the weights") * -rate;
        weights.update(|value| *value += &change);
        wrong_points.push(wrong(&numbers(&weights), examples));
    }
    (numbers(&weights), losses, wrong_points)
}

fn digits() {
    let [train, test] = random_split(Digits::load().dataset(), [1500, 297], SEED);
    let (images, labels) = train.batch(&(0..train.len()).collect::<Vec<_>>());
    let pixels = images.to_vec();
    let (mut weights, mut offsets) = ([[0.0f32; 64]; 10], [0.0f32; 10]);
    for pass in 1..=20 {
        let mut mistakes = 0;
        for (x, label) in pixels.chunks(64).zip(labels.to_vec()) {
            for digit in 0..10 {
                let y = if digit as i64 == label { 1.0 } else { -1.0 };
                let (w, offset) = (&mut weights[digit], &mut offsets[digit]);
                let score = w.iter().zip(x).map(|(w, x)| w * x).sum::<f32>() + *offset;
                if y * score <= 0.0 {
                    w.iter_mut().zip(x).for_each(|(w, x)| *w += y * x);
                    *offset += y;
                    mistakes += 1;
                }
            }
        }
        if [1, 2, 5, 10, 20].contains(&pass) {
            println!("pass {pass:>2}: {mistakes} mistakes in {} decisions", 10 * train.len());
        }
    }
    // Ten perceptrons are a linear layer. The digit is that of the largest of the ten sums.
    let ten = Linear::from_tensors(weights.into(), Some(offsets.into()));

    // The same layer, trained by gradient descent.
    let rng = &mut Philox::new(SEED);
    let mut layer = Linear::new(64, 10, rng);
    let mut optimizer = Sgd::new(0.5);
    for epoch in 0..20 {
        for (images, labels) in DataLoader::new(&train, 32).shuffle(SEED).epoch(epoch) {
            let (_, gradients) = value_and_grad(&mut *rng, |tape| {
                cross_entropy(layer.forward(tape.constant(images.flatten(1, -1))), &labels)
            });
            optimizer.step(&mut layer, &gradients);
        }
    }
    let (images, labels) = test.batch(&(0..test.len()).collect::<Vec<_>>());
    let accuracy = |layer: &Linear| {
        let found = layer.predict(&images.flatten(1, -1)).argmax(1, false);
        100.0 * found.eq(&labels).mean_all()
    };
    println!("with gradient descent on the cross-entropy instead: {:.1} %", accuracy(&layer));
    println!("test accuracy: {:.1} % of {} digits, by the perceptrons", accuracy(&ten), test.len());
}

fn dot(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Returns the first fifty numbers as points of a curve.
fn count(numbers: &[usize]) -> impl Iterator<Item = (f64, f64)> {
    (1..=50).map(f64::from).zip(numbers.iter().map(|&n| n as f64))
}

fn wrong(weights: &[f64; 3], examples: &[Example]) -> usize {
    examples.iter().filter(|(x, y)| y * dot(weights, x) <= 0.0).count()
}

fn draw(
    examples: &[Example],
    lines: &[(&str, [f64; 3])],
    curves: [Line; 2],
) -> Result<(), Box<dyn Error>> {
    let cloud = |name, class: f64| {
        let of = examples.iter().filter(move |(_, y)| *y == class);
        Line::scatter(name, of.map(|(x, _)| (x[0], x[1])))
    };
    let mut plane = Chart::new("five of the classes are wrong")
        .x_label("x")
        .y_label("y")
        .x_range(-2.2, 5.2)
        .y_range(-2.1, 2.1)
        .equal_axes()
        .line(cloud("class 1", 1.0))
        .line(cloud("class -1", -1.0));
    for (name, w) in lines {
        // The line is where the sum is 0. Its values at the corners of a square give the line.
        let side = Tensor::from_fn(&[2, 2], |i| {
            dot(w, &[(i % 2) as f64 * 4.0 - 2.0, (i / 2) as f64 * 4.0 - 2.0, 1.0])
        });
        plane = plane.line(Line::contour(*name, &side, (-2.0, 2.0), (-2.0, 2.0), 0.0));
    }
    let [perceptron, descent] = curves;
    let rest = Chart::new("the perceptron does not rest")
        .x_label("passes or steps")
        .y_label("wrong points")
        .y_range(0.0, 20.0)
        .integer_x()
        .line(perceptron)
        .line(descent);
    charts(&[plane, rest], PICTURE)?;
    Ok(())
}
