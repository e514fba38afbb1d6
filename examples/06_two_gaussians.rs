//! Lesson 6: two clouds, one hidden layer, and what a loss estimates.
//! `cargo run --release --example 06_two_gaussians`
//!
//! A hundred points come from two Gaussian clouds. The clouds are known here, so the lesson can compute what
//! one usually cannot: the expected loss over all points that the clouds could give, and the best possible
//! decision. The loss of a hundred points is an estimate of the first, and training works with the estimate.

use std::error::Error;
use std::f64::consts::TAU;
use wengert::plot::{Chart, Corner, Line, charts};
use wengert::prelude::*;

/// Centre and standard deviation of the clouds of class 0 and class 1. Both are equally frequent.
const CLOUDS: [([f64; 2], f64); 2] = [([-0.8, 0.0], 1.0), ([1.0, 0.6], 0.5)];
const POINTS: usize = 100;
const SEED: u64 = 6;
const STEPS: usize = 300;
const PICTURE: &str = "target/06_two_gaussians/clouds.svg";

/// The given weights of the network: two inputs, three hidden units with tanh, one output.
const HIDDEN: [[f64; 2]; 3] = [[1.0, 0.5], [-0.5, 1.0], [0.8, -0.6]];
const HIDDEN_BIAS: [f64; 3] = [0.1, -0.2, 0.3];
const OUTPUT: [[f64; 3]; 1] = [[1.2, 0.7, -0.5]];
const OUTPUT_BIAS: [f64; 1] = [-0.1];

/// A grid over the part of the plane in which all but 10⁻⁷ of the points lie.
const SIDE: usize = 241;
const REACH: f64 = 6.0;

type Network = Sequential<f64>;

fn main() -> Result<(), Box<dyn Error>> {
    let (points, classes) = draw_points(POINTS, &mut Philox::new(SEED));
    let mut network = sequential![
        Linear::from_tensors(HIDDEN.into(), Some(HIDDEN_BIAS.into())),
        Tanh,
        Linear::from_tensors(OUTPUT.into(), Some(OUTPUT_BIAS.into())),
    ];

    println!("1. the loss with given weights\n");
    let losses = losses(&network, &points, &classes);
    let mean = losses.iter().sum::<f64>() / POINTS as f64;
    let by_hand = by_plain_loops(&points.to_vec(), &classes.to_vec());
    println!("mean loss of {POINTS} points, by the library:   {mean:.15}");
    println!("the same, written out in plain loops: {by_hand:.15}");
    assert!((mean - by_hand).abs() < 1e-14);
    let expected = Expectation::of(&network);
    println!("expected loss, by integration over the plane: {:.6}", expected.loss);
    println!("the standard error of the mean of {POINTS} points: {:.3}\n", standard_error(&losses));

    // The integral and a large sample must agree: they have nothing but the clouds in common.
    let (many, of_many) = draw_points(200_000, &mut Philox::new(SEED + 1));
    let losses = self::losses(&network, &many, &of_many);
    let (mean, error) = (losses.iter().sum::<f64>() / 200_000.0, standard_error(&losses));
    println!("mean loss of 200,000 other points: {mean:.6} with the standard error {error:.6}");
    assert!((mean - expected.loss).abs() < 4.0 * error);

    println!("\n2. training on the {POINTS} points\n");
    let best = best_possible();
    let mut optimizer = Adam::of(0.03);
    let (mut on_points, mut on_plane) = (Vec::new(), Vec::new());
    for step in 0..=STEPS {
        let tape = Tape::train(&mut Philox::new(0));
        let loss = bce_with_logits(network.forward(tape.constant(points.clone())), &classes);
        on_points.push((step as f64, loss.item()));
        if step % 10 == 0 {
            on_plane.push((step as f64, Expectation::of(&network).loss));
        }
        if step < STEPS {
            optimizer.step(&mut network, &loss.backward());
        }
    }
    let trained = Expectation::of(&network);
    println!("                        loss    wrong");
    println!(
        "the {POINTS} points:        {:.4}   {:.1} %",
        on_points[STEPS].1,
        100.0 * wrong(&network, &points, &classes)
    );
    println!("expected:             {:.4}   {:.1} %", trained.loss, 100.0 * trained.error);
    println!("the least possible:   {:.4}   {:.1} %", best.loss, 100.0 * best.error);
    let turn = on_plane.iter().min_by(|a, b| a.1.total_cmp(&b.1)).expect("some steps");
    println!(
        "\nThe expected loss was least after step {}, {:.4}. Then the network learned what is",
        turn.0, turn.1
    );
    println!(
        "peculiar to its {POINTS} points: their loss fell below the least possible, the expected loss rose."
    );
    // No decision is better than the one that knows the clouds. On its own points, the network may seem to be.
    assert!(best.loss < turn.1 && turn.1 < trained.loss && best.error < trained.error);
    assert!(on_points[STEPS].1 < best.loss);

    let cloud = |name, class: f64| {
        let of = points
            .to_vec()
            .chunks(2)
            .map(|p| (p[0], p[1]))
            .zip(classes.to_vec())
            .collect::<Vec<_>>();
        Line::scatter(name, of.into_iter().filter(move |(_, c)| *c == class).map(|(p, _)| p))
    };
    let ends = (-REACH, REACH);
    let logits = network.predict(&plane()).reshape(&[SIDE, SIDE]);
    let ratio = Tensor::from_vec(densities().map(|[a, b]| (b / a).ln()).collect(), &[SIDE, SIDE]);
    let decision = Chart::new("where the decision changes")
        .x_label("x")
        .y_label("y")
        .x_range(-4.0, 6.0)
        .y_range(-3.2, 3.2)
        .equal_axes()
        .legend(Corner::LowerRight)
        .line(cloud("class 0", 0.0))
        .line(cloud("class 1", 1.0))
        .line(Line::contour("of the network", &logits, ends, ends, 0.0))
        .line(Line::contour("the best possible", &ratio, ends, ends, 0.0));
    let flat = [(0.0, best.loss), (STEPS as f64, best.loss)];
    let curves = Chart::new("loss while it trains")
        .x_label("steps")
        .y_label("loss")
        .line(Line::new("of the points", on_points))
        .line(Line::new("expected", on_plane))
        .line(Line::new("the least possible", flat).faint());
    charts(&[decision, curves], PICTURE)?;
    println!("picture: {PICTURE}");
    Ok(())
}

/// Returns points `[n, 2]`, alternately from the two clouds, and their classes `[n, 1]`.
fn draw_points(n: usize, rng: &mut Philox) -> (Tensor<f64>, Tensor<f64>) {
    let noise = Tensor::<f64>::normal_of(&[n, 2], 0.0, 1.0, rng).to_vec();
    let place = |i: usize| {
        let (centre, width) = CLOUDS[i / 2 % 2];
        centre[i % 2] + width * noise[i]
    };
    (Tensor::from_fn(&[n, 2], place), Tensor::from_fn(&[n, 1], |i| (i % 2) as f64))
}

/// Returns the loss of each point: ln(1 + exp z) - y z, with the output z and the class y.
fn losses(network: &Network, points: &Tensor<f64>, classes: &Tensor<f64>) -> Vec<f64> {
    let logits = network.predict(points);
    (&logits.softplus() - &(&logits * classes)).to_vec()
}

fn wrong(network: &Network, points: &Tensor<f64>, classes: &Tensor<f64>) -> f64 {
    network.predict(points).gt(0.0).ne(&classes.gt(0.5)).mean_all()
}

/// Returns the mean loss of the network with the given weights, without the library.
fn by_plain_loops(points: &[f64], classes: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (point, class) in points.chunks(2).zip(classes) {
        let mut z = OUTPUT_BIAS[0];
        for unit in 0..3 {
            let inner = HIDDEN[unit][0] * point[0] + HIDDEN[unit][1] * point[1] + HIDDEN_BIAS[unit];
            z += OUTPUT[0][unit] * inner.tanh();
        }
        let p = 1.0 / (1.0 + (-z).exp());
        sum -= class * p.ln() + (1.0 - class) * (1.0 - p).ln();
    }
    sum / classes.len() as f64
}

fn standard_error(losses: &[f64]) -> f64 {
    let n = losses.len() as f64;
    let mean = losses.iter().sum::<f64>() / n;
    (losses.iter().map(|loss| (loss - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt()
}

/// What a decision loses on average over all points of the two clouds.
struct Expectation {
    loss: f64,
    error: f64,
}

impl Expectation {
    /// Integrates over the grid. For functions such as Gaussians, the sum over a grid is very close to the integral.
    fn sum(terms: impl Iterator<Item = (f64, f64)>) -> Self {
        let cell = (2.0 * REACH / (SIDE - 1) as f64).powi(2);
        let (loss, error) = terms.fold((0.0, 0.0), |sum, term| (sum.0 + term.0, sum.1 + term.1));
        Expectation { loss: loss * cell, error: error * cell }
    }

    fn of(network: &Network) -> Self {
        let logits = network.predict(&plane());
        let of_zero = logits.softplus().to_vec(); // the loss of a point of class 0
        let of_one = (-&logits).softplus().to_vec();
        let says_one = logits.gt(0.0).to_vec();
        Self::sum(densities().enumerate().map(|(i, [a, b])| {
            let wrong = if says_one[i] { a } else { b };
            (0.5 * (a * of_zero[i] + b * of_one[i]), 0.5 * wrong)
        }))
    }
}

/// The best decision chooses the class that is more probable at the point.
fn best_possible() -> Expectation {
    Expectation::sum(densities().map(|[a, b]| {
        let share = |x: f64| if x > 0.0 { -x * (x / (a + b)).ln() } else { 0.0 };
        (0.5 * (share(a) + share(b)), 0.5 * a.min(b))
    }))
}

/// Returns the points of the grid, row by row, `[SIDE · SIDE, 2]`.
fn plane() -> Tensor<f64> {
    let at = |i: usize| i as f64 / (SIDE - 1) as f64 * 2.0 * REACH - REACH;
    Tensor::from_fn(&[SIDE * SIDE, 2], |i| at([i / 2 % SIDE, i / 2 / SIDE][i % 2]))
}

/// Returns the densities of the two clouds at the points of the grid.
fn densities() -> impl Iterator<Item = [f64; 2]> {
    let points = plane().to_vec();
    (0..SIDE * SIDE).map(move |i| {
        CLOUDS.map(|(centre, width)| {
            let square =
                (0..2).map(|k| ((points[2 * i + k] - centre[k]) / width).powi(2)).sum::<f64>();
            (-0.5 * square).exp() / (TAU * width * width)
        })
    })
}
