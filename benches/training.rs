//! Benchmarks of training steps: `cargo bench --bench training`.

use criterion::{Criterion, criterion_group, criterion_main};
use wengert::models::{Cnn, LeNet, ResNet};
use wengert::prelude::*;

/// Runs one training step: forward pass, backward pass, optimizer. Returns the loss.
fn step(
    model: &mut dyn Layer,
    optimizer: &mut Sgd,
    (images, labels): &(Tensor, Tensor<i64>),
    rng: &mut Philox,
) -> f64 {
    let (loss, gradients) = value_and_grad(rng, |tape| {
        cross_entropy(model.forward(tape.constant(images.clone())), labels)
    });
    optimizer.step(model, &gradients);
    loss
}

fn training(c: &mut Criterion) {
    let mut group = c.benchmark_group("training");
    let mut rng = Philox::new(0);
    let mut batch = |n: usize| {
        let images = Tensor::normal(&[n, 784], 0.0, 1.0, &mut rng);
        (images, Tensor::from_fn(&[n], |i| i as i64 % 10))
    };
    let (large, small) = (batch(128), batch(10));

    let mut model = sequential![
        Linear::new(784, 512, &mut rng),
        Relu,
        Linear::new(512, 256, &mut rng),
        Relu,
        Linear::new(256, 10, &mut rng),
    ];
    let mut optimizer = Sgd::new(0.01).momentum(0.9);
    group.bench_function("784-512-256-10, batch 128", |b| {
        b.iter(|| step(&mut model, &mut optimizer, &large, &mut rng));
    });

    let mut model =
        sequential![Linear::new(784, 30, &mut rng), Sigmoid, Linear::new(30, 10, &mut rng)];
    let mut optimizer = Sgd::new(0.01);
    group.bench_function("784-30-10, batch 10", |b| {
        b.iter(|| step(&mut model, &mut optimizer, &small, &mut rng));
    });

    let images = |shape: &[usize], rng: &mut Philox| {
        (Tensor::normal(shape, 0.0, 1.0, rng), Tensor::from_fn(&[64], |i| i as i64 % 10))
    };
    let (digits, pictures) =
        (images(&[64, 1, 28, 28], &mut rng), images(&[64, 3, 32, 32], &mut rng));
    let rows: [(&str, Box<dyn Layer>, _); 3] = [
        ("LeNet, batch 64", Box::new(LeNet::new(&mut rng)), &digits),
        ("CNN, batch 64", Box::new(Cnn::new(&mut rng)), &digits),
        ("ResNet-20, batch 64, 32x32x3", Box::new(ResNet::resnet20(3, 10, &mut rng)), &pictures),
    ];
    for (name, mut model, batch) in rows {
        let mut optimizer = Sgd::new(0.01).momentum(0.9);
        group.bench_function(name, |b| {
            b.iter(|| step(&mut *model, &mut optimizer, batch, &mut rng));
        });
    }
    group.finish();
}

criterion_group!(benches, training);
criterion_main!(benches);
