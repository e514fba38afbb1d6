//! Shows where the time of a training step goes. `cargo run --release --example profile`
//!
//! A `profiled()` tape records each kernel that it runs: what it computed, in which layer, how long
//! it took, and how many bytes it read and wrote. Kernels of the backward pass are charged to the
//! operations of the forward pass whose derivatives they compute.
//!
//! `-- FILE.json` also writes a timeline of the run: open it in `chrome://tracing` or
//! <https://ui.perfetto.dev>.

use std::error::Error;
use wengert::models::LeNet;
use wengert::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let mut rng = Philox::new(0);
    let mut model = LeNet::new(&mut rng);
    let mut optimizer = Sgd::new(0.05).momentum(0.9);
    let images = Tensor::normal(&[64, 1, 28, 28], 0.0, 1.0, &mut rng);
    let classes = Tensor::from_fn(&[64], |i| i as i64 % 10);

    let mut step = |profiled: bool| {
        let tape = Tape::train(&mut rng);
        let tape = if profiled { tape.profiled() } else { tape };
        let loss = cross_entropy(model.forward(tape.constant(images.clone())), &classes);
        let gradients = loss.backward();
        optimizer.step(&mut model, &gradients);
        profiled.then(|| tape.profile())
    };
    // The first steps allocate memory, which later steps reuse.
    for _ in 0..3 {
        step(false);
    }
    let profile = step(true).ok_or("a profile was asked for")?;
    println!("LeNet, one step on 64 images\n{profile}");

    // The rows of the table: the kernels with the longest times.
    let mut rows: Vec<_> = profile.rows().iter().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.time));
    println!("The five longest kernels:");
    for row in &rows[..5] {
        let place = match &row.charged_to {
            Some(charged) => format!("{}, for the derivative of {}", row.ops.join(" "), charged.op),
            None => row.ops.join(" "),
        };
        let speed = (row.read + row.written) as f64 / row.time.as_secs_f64().max(1e-9) / 1e9;
        println!("{:>9.1?}  {:6}  {place} ({speed:.1} GB/s)", row.time, row.scope);
    }
    if let Some(path) = std::env::args().nth(1) {
        profile.write_chrome_trace(&path)?;
        println!("\nWritten: {path}");
    }
    Ok(())
}
