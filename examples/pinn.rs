//! A physics-informed network solves Burgers' equation: it is trained on the equation itself, and no
//! value of the solution is given (M. Raissi, P. Perdikaris, G. E. Karniadakis, "Physics-informed
//! neural networks", 2019; I. E. Lagaris, A. Likas, D. I. Fotiadis, "Artificial neural networks for
//! solving ordinary and partial differential equations", 1998).
//!
//! `u_t + u u_x = ν u_xx` for 0 < t < 1 and -1 < x < 1, with `u(0, x) = -sin πx` and `u(t, ±1) = 0`
//!
//! The viscosity ν = 0.01/π is small: a wave becomes steeper and steeper, and has a jump at x = 0
//! from t = 0.4 on. The loss is the mean square of the equation's residual at random points. It
//! contains second derivatives of the network with respect to its inputs, and training needs the
//! derivatives of these with respect to the weights.
//!
//! `cargo run --release --example pinn` prints the error against the exact solution and draws both.
//! `-- --help` lists the options.

use clap::Parser;
use std::error::Error;
use std::f64::consts::PI;
use std::path::PathBuf;
use std::time::Instant;
use wengert::plot::{self, Chart, Colours, GridOptions, Line, Scale};
use wengert::prelude::*;
use wengert::tensor::set_num_threads;

#[derive(Parser)]
#[command(about = "A network learns the solution of Burgers' equation from the equation alone")]
struct Args {
    /// Number of steps
    #[arg(long, default_value_t = 20_000)]
    steps: usize,
    /// Points per step at which the equation shall hold
    #[arg(long, default_value_t = 1000)]
    points: usize,
    /// The largest learning rate
    #[arg(long, default_value_t = 0.003)]
    lr: f64,
    /// Random seed: determines the initial weights and the points
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Number of threads [default: one per core]
    #[arg(long)]
    threads: Option<usize>,
    /// Folder for the pictures
    #[arg(long, value_name = "DIR", default_value = "target/pinn")]
    out: PathBuf,
    /// Draw no pictures
    #[arg(long)]
    no_pictures: bool,
}

/// The viscosity ν.
const NU: f64 = 0.01 / PI;

/// Returns the solution at times t and places x, both [n, 1]. The factor t (1 - x²) makes the
/// initial values and those at both ends exact, whatever the network returns.
fn solution<'t>(network: &Sequential, t: Var<'t>, x: Var<'t>) -> Var<'t> {
    let free = network.forward(Var::concat(&[2.0 * t - 1.0, x], 1));
    t * (1.0 - x.square()) * free - (PI * x).sin()
}

/// Returns `u_t + u u_x - ν u_xx`, which is 0 for a solution.
fn residual<'t>(network: &Sequential, t: Var<'t>, x: Var<'t>) -> Var<'t> {
    let u = solution(network, t, x);
    // A value at one point depends on this point only, so the gradient of the sum of all values has
    // the derivative at each point.
    let first = u.sum_all().grad(&[t, x]);
    let (u_t, u_x) = (first[0], first[1]);
    let u_xx = u_x.sum_all().grad(&[x])[0];
    u_t + u * u_x - NU * u_xx
}

/// Returns the exact solution at a time t > 0. With `u = -2ν φ_x/φ`, the equation becomes the heat
/// equation of φ, whose solution is an integral of the initial values (J. D. Cole, 1951; E. Hopf,
/// 1950).
fn exact(t: f64, x: f64) -> f64 {
    let (mut above, mut below) = (0.0, 0.0);
    for i in -1000..=1000 {
        let s = f64::from(i) * 0.015;
        let y = x - (4.0 * NU * t).sqrt() * s;
        let weight = (-s * s - (PI * y).cos() / (2.0 * PI * NU)).exp();
        above -= (PI * y).sin() * weight;
        below += weight;
    }
    above / below
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if let Some(threads) = args.threads {
        set_num_threads(threads)?;
    }
    let rng = &mut Philox::new(args.seed);
    let mut network = sequential![
        Linear::new(2, 32, rng),
        Tanh,
        Linear::new(32, 32, rng),
        Tanh,
        Linear::new(32, 32, rng),
        Tanh,
        Linear::new(32, 1, rng),
    ];
    let schedule = OneCycleLr::new(args.lr, args.steps).cycle_momentum(false);
    let mut optimizer = Adam::new(0.0);
    let (mut losses, start) = (vec![], Instant::now());
    for step in 0..args.steps {
        let t = Tensor::uniform(&[args.points, 1], 0.0, 1.0, rng);
        let x = Tensor::uniform(&[args.points, 1], -1.0, 1.0, rng);
        schedule.apply(&mut optimizer, step);
        let tape = Tape::train(rng);
        let loss = residual(&network, tape.watch(t), tape.watch(x)).square().mean_all();
        optimizer.step(&mut network, &loss.backward());
        if step % 20 == 0 {
            losses.push((step as f64, loss.item()));
        }
        if (step + 1) % 1000 == 0 {
            let seconds = start.elapsed().as_secs_f64();
            println!("step {}: loss {:.2e}, {seconds:.0} s", step + 1, loss.item());
        }
    }

    // The error on a grid of 100 times and 257 places.
    let (times, places) = (100, 257);
    let t = |i: usize| (i + 1) as f64 / times as f64;
    let x = |j: usize| 2.0 * j as f64 / (places - 1) as f64 - 1.0;
    let truth = Tensor::from_fn(&[times, places], |k| exact(t(k / places), x(k % places)) as f32);
    let tape = Tape::inference();
    let [ts, xs] = [
        Tensor::from_fn(&[times * places, 1], |k| t(k / places) as f32),
        Tensor::from_fn(&[times * places, 1], |k| x(k % places) as f32),
    ]
    .map(|inputs| tape.constant(inputs));
    let found = solution(&network, ts, xs).value().reshape(&[times, places]);
    let error = &found - &truth;
    let relative = (error.square().sum_all() / truth.square().sum_all()).sqrt();
    println!(
        "\nrelative error {relative:.2e} (root of the mean square), largest error {:.2e}",
        error.abs().max(&[0, 1], false).item()
    );

    if !args.no_pictures {
        let out = &args.out;
        // Time runs to the right, x upwards: solution, network, and ten times the difference.
        let images = Tensor::stack(&[truth.clone(), found.clone(), 10.0 * error], 0);
        let images = images.transpose(1, 2).flip(1).contiguous();
        let options = GridOptions::new().colours(Colours::Signed).range(-1.0, 1.0).columns(3);
        plot::grid(&images, &options.scale(2), out.join("solution.png"))?;
        let at = |time: usize| {
            let line = |name: &str, of: &Tensor| {
                let row = of.select(0, time as isize - 1).to_vec();
                Line::new(name, row.into_iter().enumerate().map(|(j, u)| (x(j), f64::from(u))))
            };
            Chart::new(format!("u at t = {:.2}", t(time - 1)))
                .x_label("x")
                .line(line("exact", &truth))
                .line(line("network", &found))
        };
        let loss = Chart::new("Loss").x_label("step").y_scale(Scale::Log);
        let loss = loss.line(Line::new("residual", losses));
        plot::charts(&[at(25), at(50), at(100), loss], out.join("curves.svg"))?;
        println!("pictures: {}", out.display());
    }
    Ok(())
}
