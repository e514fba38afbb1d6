//! Trains a network on a target without threads, and checks it. `tests/wasm/run.mjs` runs this program with Node.js, on
//! `wasm32-wasip1` and on `wasm32-unknown-unknown`. A panic ends it there with a trap.

use wengert::prelude::*;
use wengert::tensor::{NamedTensors, num_threads, set_num_threads};

fn main() {
    threads();
    large_operations();
    let model = perceptron();
    convolutions();
    if cfg!(all(target_family = "wasm", target_os = "unknown")) {
        assert!(state_dict(&model).save("model").is_err(), "there are no files");
    } else {
        files(&model);
    }
    println!("all passed");
}

/// A target without threads computes everything on the caller's.
fn threads() {
    if cfg!(target_family = "wasm") {
        set_num_threads(1).unwrap();
        assert_eq!(num_threads(), 1);
        let refused = set_num_threads(2).unwrap_err().to_string();
        assert!(refused.contains("2 threads"), "{refused}");
    }
}

/// Operations that are large enough for several threads. The sums are exact in any order.
fn large_operations() {
    let n = 300;
    let row = Tensor::<f64>::from_fn(&[n, n], |i| (i / n) as f64);
    let column = Tensor::<f64>::from_fn(&[n, n], |i| (i % n) as f64);
    let product = row.matmul(&column);
    assert!((0..n).all(|i| product.at(&[i, i]) == (n * i * i) as f64));
    let long = Tensor::<f64>::from_fn(&[1 << 20], |i| (i % 8) as f64);
    assert_eq!(long.sum_all(), 3.5 * f64::from(1 << 20));
    assert_eq!((&long + &long).sqrt().square().mean_all().round(), 7.0);
    let halves =
        Tensor::<f64>::from_fn(&[1, 1, 1 << 17], |i| i as f64).adaptive_avg_pool2d([1, 1 << 16]);
    assert_eq!(halves.at(&[0, 0, 65535]), 131_070.5);
}

/// The program of the README. Returns its model.
fn perceptron() -> impl Layer {
    let mut rng = Philox::new(0);
    let mut model = sequential![
        Flatten::new(),
        Linear::new(64, 32, &mut rng),
        Tanh,
        Linear::new(32, 10, &mut rng)
    ];
    let mut optimizer = Sgd::new(0.1).momentum(0.9);
    let [train, test] = random_split(Digits::load().dataset(), [1500, 297], 0);
    for epoch in 0..10 {
        for (images, labels) in DataLoader::new(&train, 32).shuffle(0).epoch(epoch) {
            let (_, gradients) = value_and_grad(&mut rng, |tape| {
                cross_entropy(model.forward(tape.constant(images)), &labels)
            });
            optimizer.step(&mut model, &gradients);
        }
    }
    let (images, labels) = test.batch(&(0..297).collect::<Vec<_>>());
    let right = model.predict(&images).argmax(1, false).eq(&labels).mean_all();
    println!("perceptron: {:.1} % of 297 unseen digits read correctly", 100.0 * right);
    assert!(right > 0.93, "{right}");
    model
}

/// Convolution, pooling, normalisation and dropout learn one batch.
fn convolutions() {
    let mut rng = Philox::new(1);
    let mut model = sequential![
        Conv2d::new(1, 8, 3, &mut rng).padding(1),
        BatchNorm2d::new(8),
        Relu,
        MaxPool2d::new(2),
        Dropout::new(0.1),
        Flatten::new(),
        Linear::new(128, 10, &mut rng)
    ];
    let mut optimizer = Adam::new(0.01);
    let (images, labels) = Digits::load().dataset().batch(&(0..64).collect::<Vec<_>>());
    let images = images.reshape(&[64, 1, 8, 8]);
    let mut losses = Vec::new();
    for _ in 0..30 {
        let (loss, gradients) = value_and_grad(&mut rng, |tape| {
            cross_entropy(model.forward(tape.constant(images.clone())), &labels)
        });
        optimizer.step(&mut model, &gradients);
        losses.push(loss);
    }
    println!("convolutions: the loss fell from {} to {}", losses[0], losses[29]);
    assert!(losses[0] > 1.0 && losses[29] < 0.3, "{losses:?}");
}

/// A model is written and read.
fn files(model: &impl Layer) {
    let path = std::env::args().nth(1).expect("the name of a file to write");
    let saved = state_dict(model);
    // The second call replaces the file of the first.
    NamedTensors::new().save(&path).unwrap();
    saved.save(&path).unwrap();
    assert_eq!(NamedTensors::load(&path).unwrap(), saved);
    let wrong = NamedTensors::load(format!("{path}.other")).unwrap_err();
    assert!(wrong.to_string().contains(".other: "), "{wrong}");
    std::fs::remove_file(&path).unwrap();
}
