//! Six small workloads whose instructions `benches/instructions/run` counts:
//! `wengert-instructions WORKLOAD ITERATIONS`.
//!
//! The workloads are small, so that the overhead per operation is most of their time and large matrix
//! products do not hide its changes. Nothing depends on the clock or on the number of cores, so an
//! iteration has the same number of instructions on each run.

use std::hint::black_box;
use std::process::ExitCode;
use wengert::models::LeNet;
use wengert::nn::Lstm;
use wengert::prelude::*;

type Iteration = Box<dyn FnMut() -> f64>;
/// The name of a workload, and a function that creates its data and parameters and returns a closure that
/// runs one iteration.
type Workload = (&'static str, fn() -> Iteration);

const WORKLOADS: [Workload; 6] = [
    ("scalar_chain", scalar_chain),
    ("mlp_step", mlp_step),
    ("lenet_image", lenet_image),
    ("hessian_product", hessian_product),
    ("recurrent_step", recurrent_step),
    ("shapes_only", shapes_only),
];

/// Returns a workload of 4,000 operations on single numbers on a new tape, with the derivative.
fn scalar_chain() -> Iteration {
    Box::new(|| {
        let tape = Tape::new();
        let x = tape.watch(Tensor::scalar(0.5));
        let y = (0..2000).fold(x, |y, _| y * 1.0001 + 0.0001);
        let value = y.item();
        black_box(y.backward());
        value
    })
}

fn perceptron(rng: &mut Philox) -> [Linear; 2] {
    [Linear::new(784, 30, rng), Linear::new(30, 10, rng)]
}

/// Returns the mean squared error of a perceptron with two sigmoid layers.
fn perceptron_loss<'t>(
    [hidden, output]: &[Linear; 2],
    tape: &'t Tape,
    (x, y): &(Tensor, Tensor),
) -> Var<'t> {
    let hidden = hidden.forward(tape.constant(x.clone())).sigmoid();
    mse(output.forward(hidden).sigmoid(), tape.constant(y.clone()))
}

/// Returns ten inputs of 784 numbers and ten targets.
fn ten_samples(rng: &mut Philox) -> (Tensor, Tensor) {
    let classes = Tensor::from_fn(&[10, 10], |i| if i / 10 == i % 10 { 1.0 } else { 0.0 });
    (Tensor::uniform(&[10, 784], -1.0, 1.0, rng), classes)
}

/// Returns a training step of a 784-30-10 perceptron with a batch of ten: forward pass, loss, backward pass,
/// SGD without momentum.
fn mlp_step() -> Iteration {
    let mut rng = Philox::new(1);
    let mut model = perceptron(&mut rng);
    let data = ten_samples(&mut rng);
    let mut optimizer = Sgd::new(0.5);
    Box::new(move || {
        let (loss, gradients) =
            value_and_grad(&mut rng, |tape| perceptron_loss(&model, tape, &data));
        optimizer.step(&mut model, &gradients);
        loss
    })
}

/// Returns a forward pass of `LeNet` on one image.
fn lenet_image() -> Iteration {
    let mut rng = Philox::new(2);
    let model = LeNet::new(&mut rng);
    let image = Tensor::uniform(&[1, 1, 28, 28], -1.0, 1.0, &mut rng);
    Box::new(move || model.predict(&image).sum_all().into())
}

/// Returns the product of the Hessian of `mlp_step`'s loss with a vector, as the gradient of
/// (gradient · vector).
fn hessian_product() -> Iteration {
    let mut rng = Philox::new(3);
    let model = perceptron(&mut rng);
    let data = ten_samples(&mut rng);
    let shapes: [&[usize]; 4] = [&[30, 784], &[30], &[10, 30], &[10]];
    let vector = shapes.map(|shape| Tensor::uniform(shape, -1.0, 1.0, &mut rng));
    Box::new(move || {
        let tape = Tape::new();
        let [hidden, output] = &model;
        let parameters = [hidden, output].map(|layer| {
            let bias = layer.bias.as_ref().expect("these layers have one");
            [tape.param(&layer.weight), tape.param(bias)]
        });
        let parameters = parameters.as_flattened();
        let gradients = perceptron_loss(&model, &tape, &data).grad(parameters);
        let product = gradients
            .iter()
            .zip(&vector)
            .map(|(g, v)| (*g * tape.constant(v.clone())).sum_all())
            .reduce(|sum, part| sum + part)
            .expect("four parameters");
        let [.., of_last] = &product.grad(parameters)[..] else { unreachable!() };
        of_last.sum_all().item()
    })
}

/// An LSTM, and a linear layer on its last state.
#[derive(Module)]
struct Recurrent {
    lstm: Lstm,
    output: Linear,
}

/// Returns a training step of an LSTM over 40 time steps with a batch of four: forward pass, loss, backward
/// pass, SGD.
fn recurrent_step() -> Iteration {
    let mut rng = Philox::new(4);
    let mut model = Recurrent {
        lstm: Lstm::new(16, 32, &mut rng).batch_first(),
        output: Linear::new(32, 10, &mut rng),
    };
    let x = Tensor::uniform(&[4, 40, 16], -1.0, 1.0, &mut rng);
    let classes = Tensor::from([3i64, 1, 4, 1]);
    let mut optimizer = Sgd::new(0.01).momentum(0.9);
    Box::new(move || {
        let (loss, gradients) = value_and_grad(&mut rng, |tape| {
            let (_, (h, _)) = model.lstm.run(tape.constant(x.clone()), None);
            cross_entropy(model.output.forward(h.squeeze(0)), &classes)
        });
        optimizer.step(&mut model, &gradients);
        loss
    })
}

/// Returns the summary of `LeNet` for a batch of 64, which computes shapes only.
fn shapes_only() -> Iteration {
    let model = LeNet::new(&mut Philox::new(5));
    Box::new(move || {
        let summary = model.summary(&[64, 1, 28, 28]).expect("the shape fits");
        black_box(&summary).parameters as f64
    })
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (workload, iterations) = match &arguments[..] {
        [list] if list == "--list" => {
            for (name, _) in WORKLOADS {
                println!("{name}");
            }
            return ExitCode::SUCCESS;
        }
        [name, n] => (WORKLOADS.iter().find(|(known, _)| known == name), n.parse::<u32>()),
        _ => (None, Ok(0)),
    };
    let (Some((_, prepare)), Ok(iterations)) = (workload, iterations) else {
        eprintln!("usage: wengert-instructions WORKLOAD ITERATIONS | --list");
        return ExitCode::from(2);
    };
    let mut iteration = prepare();
    let mut last = f64::NAN;
    for _ in 0..iterations {
        last = black_box(iteration());
    }
    println!("{last}");
    ExitCode::SUCCESS
}
