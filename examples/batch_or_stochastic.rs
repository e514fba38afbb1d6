//! Batch, mini-batch or single examples; scaled or unscaled data.
//! `cargo run --release --features linalg --example batch_or_stochastic`
//!
//! A step may use all examples, some, or one. More examples give a better direction, and fewer give more steps for the
//! same work. The lesson fits a linear model to the progression of diabetes in 442 patients, where the least possible
//! loss can be computed, and counts passes over the data: the work is the same for all.

use std::error::Error;
use wengert::data::Diabetes;
use wengert::plot::{Chart, Line, Scale, charts};
use wengert::prelude::*;

const SEED: u64 = 1;
const PASSES: u64 = 60;
/// The sizes of the batches, and whether the learning rate falls.
const RUNS: [(&str, usize, bool); 4] = [
    ("all examples", Diabetes::LEN, false),
    ("batches of 32", 32, false),
    ("single examples", 1, false),
    ("single examples, falling rate", 1, true),
];
const PICTURE: &str = "target/batch_or_stochastic/losses.svg";

fn main() -> Result<(), Box<dyn Error>> {
    let raw = Diabetes::load();
    let scale = Standardize::fit(&raw.dataset());
    let mut pictures = Vec::new();
    let (mut firsts, mut ends) = (Vec::new(), Vec::new());
    for (name, features) in
        [("scaled data", scale.transform(&raw.features)), ("unscaled data", raw.features)]
    {
        // A column of ones: its weight is the offset.
        let ones = Tensor::ones(&[Diabetes::LEN, 1]);
        let x = Tensor::concat(&[features, ones], 1).cast::<f64>();
        let y = raw.targets.unsqueeze(1).cast::<f64>();
        let problem = Problem::new(x, y);
        let (steepest, flattest) = problem.curvatures();
        println!(
            "{name}: curvature from {flattest:.1e} to {steepest:.1e}, ratio {:.0e}",
            steepest / flattest
        );
        println!(
            "    the least possible loss is {:.1}, with zero weights it is {:.1}",
            problem.least, problem.at_zero
        );
        let mut chart = Chart::new(name)
            .x_label("passes over the data")
            .y_label("loss above the least")
            .y_scale(Scale::Log)
            .integer_x();
        for (what, size, falls) in RUNS {
            let rate = problem.rate(size);
            // A rate that falls like 1/t brings the steps to rest (H. Robbins, S. Monro, 1951).
            let slower = |pass: f64| if falls { 1.0 / (1.0 + pass / 3.0) } else { 1.0 };
            let above = problem.fit(size, &|pass| rate * slower(pass));
            let last = above[above.len() - 1];
            println!(
                "    {what:<29}: rate {rate:.1e}, {last:>8.1} above the least after {PASSES} passes"
            );
            firsts.push(above[1]);
            ends.push(last);
            chart = chart.line(Line::new(what, (0..).map(f64::from).zip(above)));
        }
        pictures.push(chart);
        println!();
    }
    charts(&pictures, PICTURE)?;
    let (scaled, unscaled) = ends.split_at(RUNS.len());
    let greatest = scaled.iter().copied().fold(0.0, f64::max);
    assert!(unscaled.iter().all(|&end| end > greatest));
    assert!(firsts[2] < firsts[1] && firsts[1] < firsts[0] && scaled[3] < scaled[2].min(scaled[0]));
    println!(
        "Scaled data: after one pass, the smaller the batches, the smaller the loss: there were more steps. Later"
    );
    println!(
        "the steps with few examples do not rest, since each of them wants something else. A falling rate brings"
    );
    println!("them to rest. With all examples, each step is right, but there are few.");
    println!(
        "Unscaled data: a rate that is small enough for the steepest direction is far too small for the others."
    );
    println!("picture: {PICTURE}");
    Ok(())
}

/// Least squares: the loss is the mean of (x·w - y)².
struct Problem {
    x: Tensor<f64>,
    y: Tensor<f64>,
    /// The Hessian of the loss, 2 Xᵀ X / n, which is the same everywhere.
    hessian: Tensor<f64>,
    least: f64,
    at_zero: f64,
}

impl Problem {
    fn new(x: Tensor<f64>, y: Tensor<f64>) -> Self {
        let n = Diabetes::LEN as f64;
        let hessian = x.t().matmul(&x) * (2.0 / n);
        // At the minimum, the slope is zero: Xᵀ X w = Xᵀ y.
        let best = hessian.solve(x.t().matmul(&y) * (2.0 / n));
        let residuals = &x.matmul(&best) - &y;
        // The residuals are perpendicular to each feature.
        let slopes = x.t().matmul(&residuals).abs().max(&[0, 1], false).item();
        assert!(slopes < 1e-6 * x.t().matmul(&y).abs().max(&[0, 1], false).item(), "{slopes}");
        let (least, at_zero) = (residuals.square().mean_all(), y.square().mean_all());
        Problem { x, y, hessian, least, at_zero }
    }

    /// Returns the largest and the smallest curvature of any direction: the extreme eigenvalues of the Hessian.
    fn curvatures(&self) -> (f64, f64) {
        let ascending = self.hessian.eigvalsh().to_vec();
        (ascending[ascending.len() - 1], ascending[0])
    }

    /// Returns half of the inverse of the curvature that a step may meet. All examples have the curvature of the loss.
    /// A single example has 2 |x|². A batch lies between them (R. Gower et al., "SGD: general analysis and improved
    /// rates", 2019).
    fn rate(&self, size: usize) -> f64 {
        let (n, b) = (Diabetes::LEN as f64, size as f64);
        let (whole, _) = self.curvatures();
        let single = 2.0 * self.x.square().sum(&[1], false).max(&[0], false).item();
        let met = (n * (b - 1.0) * whole + (n - b) * single) / (b * (n - 1.0));
        0.5 / met
    }

    /// Returns the loss above the least, before the first pass and after each. `rate` gives the learning rate of a pass.
    fn fit(&self, size: usize, rate: &dyn Fn(f64) -> f64) -> Vec<f64> {
        let mut w = Param::new(Tensor::zeros_of(&[self.x.size(1), 1]));
        let mut optimizer = Sgd::of(rate(0.0));
        // A pair of tensors is a data set: example i is row i of both.
        let loader = DataLoader::new((self.x.clone(), self.y.clone()), size).shuffle(SEED);
        let above =
            |w: &Param<f64>| (&self.x.matmul(w.value()) - &self.y).square().mean_all() - self.least;
        let mut losses = vec![above(&w)];
        for pass in 0..PASSES {
            optimizer.set_learning_rate(rate(pass as f64));
            for (x, y) in loader.epoch(pass) {
                let tape = Tape::new();
                let loss = mse(tape.constant(x).matmul(tape.param(&w)), y);
                optimizer.step(&mut w, &loss.backward());
            }
            losses.push(above(&w));
        }
        losses
    }
}
