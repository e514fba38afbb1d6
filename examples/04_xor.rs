//! Lesson 4: XOR, and why networks have hidden layers. `cargo run --release --example 04_xor`
//!
//! XOR is 1 if exactly one of two inputs is 1. A single layer cannot compute it: no line separates the two
//! classes (M. Minsky, S. Papert, "Perceptrons", 1969). A hidden layer of two units can.

use std::error::Error;
use wengert::plot::{Chart, Line, charts};
use wengert::prelude::*;

const INPUTS: [[f32; 2]; 4] = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
const XOR: [[f32; 1]; 4] = [[0.0], [1.0], [1.0], [0.0]];
/// Training runs for each size of the hidden layer, with different initial weights, and their steps.
const RUNS: u64 = 20;
const STEPS: usize = 300;
const PICTURE: &str = "target/04_xor/xor.svg";

fn main() -> Result<(), Box<dyn Error>> {
    println!("1. one layer\n");
    let rng = &mut Philox::new(0);
    let mut line = sequential![Linear::new(2, 1, rng)];
    let loss = train(&mut line, 3000, rng);
    println!("after training, the loss is {loss:.6}; ln 2 = {:.6}", 2f64.ln());
    show(&line);
    assert!((loss - 2f64.ln()).abs() < 1e-4);
    // All outputs are ½: the layer knows nothing. This is no bad luck. At zero weights the gradient of the
    // loss is zero, and the loss of one layer is convex: where the slope is zero, it is smallest.
    let zero = Linear::from_tensors(Tensor::zeros(&[1, 2]), Some(Tensor::zeros(&[1])));
    let tape = Tape::new();
    let logits = zero.forward(tape.constant(INPUTS.into()));
    let gradients = bce_with_logits(logits, tape.constant(XOR.into())).backward();
    assert_eq!(gradients.get(&zero.weight).expect("a gradient").to_vec(), [0.0, 0.0]);
    println!("with zero weights, the gradient is zero: no better weights exist\n");

    println!("2. a hidden layer of two units, with weights that a person chose\n");
    // The first unit says "at least one is 1", the second "both are 1". XOR is the first without the second.
    let hidden = Linear::from_tensors(
        Tensor::from([[20.0, 20.0], [20.0, 20.0]]),
        Some(Tensor::from([-10.0, -30.0])),
    );
    let output = Linear::from_tensors(Tensor::from([[20.0, -20.0]]), Some(Tensor::from([-10.0])));
    let chosen = sequential![hidden, Sigmoid, output];
    show(&chosen);
    assert_eq!(right(&chosen), 4);

    println!("3. the same network, trained from {RUNS} random initial values\n");
    let mut trained = None;
    for hidden in [2, 3, 4, 8] {
        let mut learned = 0;
        for seed in 0..RUNS {
            let rng = &mut Philox::new(seed);
            let mut model =
                sequential![Linear::new(2, hidden, rng), Tanh, Linear::new(hidden, 1, rng)];
            train(&mut model, STEPS, rng);
            if right(&model) == 4 {
                learned += 1;
                trained = Some(model);
            }
        }
        println!("{hidden} hidden units: {learned} of {RUNS} runs learned XOR");
    }
    // Two units are enough to compute XOR, and not always enough to find it: descent may end in a hollow
    // of the loss that is not the deepest. With more units there are more ways down.
    let trained = trained.ok_or("no run learned XOR")?;
    println!("\nthe last network that learned it, with eight hidden units:");
    show(&trained);
    draw(&chosen, &trained)?;
    println!("picture: {PICTURE}");
    Ok(())
}

/// Trains on the four examples, and returns the last loss.
fn train(model: &mut Sequential, steps: usize, rng: &mut Philox) -> f64 {
    let mut optimizer = Adam::new(0.05);
    let mut last = f64::NAN;
    for _ in 0..steps {
        // The logit is the output before the sigmoid. This loss takes it, since it is exact for large ones.
        let (loss, gradients) = value_and_grad(&mut *rng, |tape| {
            bce_with_logits(model.forward(tape.constant(INPUTS.into())), tape.constant(XOR.into()))
        });
        optimizer.step(model, &gradients);
        last = loss;
    }
    last
}

/// Returns the probabilities that the network gives to the four examples.
fn outputs(model: &Sequential) -> Vec<f32> {
    model.predict(&INPUTS.into()).sigmoid().to_vec()
}

fn right(model: &Sequential) -> usize {
    outputs(model).iter().zip(XOR).filter(|(p, [y])| (**p > 0.5) == (*y > 0.5)).count()
}

fn show(model: &Sequential) {
    for ([a, b], p) in INPUTS.iter().zip(outputs(model)) {
        println!("    {a} xor {b}: {p:.4}");
    }
    println!("    {} of 4 are right\n", right(model));
}

/// Draws where each network answers ½.
fn draw(chosen: &Sequential, trained: &Sequential) -> Result<(), Box<dyn Error>> {
    const SIDE: usize = 121;
    let (across, up) = ((-1.0, 2.0), (-0.5, 1.5));
    let place =
        |(low, high): (f64, f64), i: usize| low + (high - low) * i as f64 / (SIDE - 1) as f64;
    let plane = Tensor::from_fn(&[SIDE * SIDE, 2], |i| {
        let (row, column) = (i / 2 / SIDE, i / 2 % SIDE);
        if i % 2 == 0 { place(across, column) as f32 } else { place(up, row) as f32 }
    });
    let picture = |title, model: &Sequential| {
        let logits = model.predict(&plane).reshape(&[SIDE, SIDE]);
        let corners = |name, class: f32| {
            let of = INPUTS.iter().zip(XOR).filter(move |(_, [y])| *y == class);
            Line::scatter(name, of.map(|([x, y], _)| (f64::from(*x), f64::from(*y))))
        };
        Chart::new(title)
            .x_label("first input")
            .y_label("second input")
            .equal_axes()
            .line(corners("0", 0.0))
            .line(corners("1", 1.0))
            .line(Line::contour("the output is ½", &logits, across, up, 0.0))
    };
    charts(&[picture("weights chosen", chosen), picture("weights trained", trained)], PICTURE)?;
    Ok(())
}
