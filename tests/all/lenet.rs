//! Compares the losses of LeNet's first training steps with PyTorch's, from
//! `tests/reference/lenet.py`.

use wengert::models::LeNet;
use wengert::prelude::*;
use wengert::tensor::NamedTensors;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/lenet.safetensors");
const BATCH: usize = 64;

fn losses<T: Float>(reference: &NamedTensors, steps: usize) -> Vec<f64> {
    let mnist = Mnist::load().expect("the repository has the images");
    let (images, labels) = (mnist.train.inputs(), mnist.train.targets());
    let mut model = LeNet::<T>::of(&mut Philox::new(0));
    let mut weights = NamedTensors::new();
    for (name, value) in reference.iter().filter(|(name, _)| !name.starts_with("loss/")) {
        weights.insert(name, value.clone());
    }
    load_state_dict(&mut model, &weights).unwrap();
    let mut optimizer = Sgd::<T>::of(0.05).momentum(0.9);
    (0..steps)
        .map(|step| {
            let batch = |x: &Tensor<i64>| x.narrow(0, step * BATCH, BATCH);
            let pixels = images.narrow(0, step * BATCH, BATCH).cast::<f64>();
            let x = ((pixels.unsqueeze(1) / 255.0 - 0.1307) / 0.3081).cast::<T>();
            let tape = Tape::train(&mut Philox::new(0));
            let loss = cross_entropy(model.forward(tape.constant(x)), batch(labels));
            let number = loss.item();
            optimizer.step(&mut model, &loss.backward());
            number
        })
        .collect()
}

fn compare(kind: &str, losses: &[f64], reference: &NamedTensors, tolerance: f64) {
    let wanted = reference.get(&format!("loss/{kind}")).unwrap().cast::<f64>().to_vec();
    assert_eq!(losses.len(), wanted.len());
    for (step, (loss, wanted)) in losses.iter().zip(wanted).enumerate() {
        let error = (loss - wanted).abs() / wanted;
        assert!(error <= tolerance, "step {step}: {loss} for {wanted}, off by {error:e}");
    }
}

#[test]
fn the_first_losses_agree_with_pytorch_in_f64() {
    let reference = NamedTensors::load(FILE).unwrap();
    compare("f64", &losses::<f64>(&reference, 32), &reference, 1e-10);
}

#[test]
fn the_first_losses_agree_with_pytorch_in_f32() {
    let reference = NamedTensors::load(FILE).unwrap();
    compare("f32", &losses::<f32>(&reference, 32), &reference, 1e-4);
}
