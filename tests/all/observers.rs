//! Tests the tools that observe a model: the profiler and the search for the first NaN.

use wengert::autograd::{Anomalies, AnomalyPlace};
use wengert::models::LeNet;
use wengert::prelude::*;

#[test]
fn a_profile_of_lenet_lists_its_layers() {
    let mut rng = Philox::new(0);
    let model = LeNet::new(&mut rng);
    let tape = Tape::train(&mut rng).profiled();
    let images = tape.constant(Tensor::ones(&[2, 1, 28, 28]));
    let loss = cross_entropy(model.forward(images), &Tensor::from([3, 7]));
    loss.backward();
    let profile = tape.profile();
    let scopes = profile.by_scope();
    for layer in ["conv1", "conv2", "fc1", "fc2", "fc3"] {
        let line = scopes.iter().find(|line| line.name == layer).expect(layer);
        assert!(line.forward.calls > 0 && line.backward.calls > 0, "{layer}");
    }
    let ops = profile.by_op();
    let calls = |name: &str| {
        let line = ops.iter().find(|line| line.name == name).expect(name);
        (line.forward.calls, line.backward.calls)
    };
    // The input of the first convolution needs no gradient, so its backward pass takes 3 kernels:
    // one for the weight, two for the bias. That of the second takes 4.
    assert_eq!(calls("conv2d"), (2, 3 + 4));
    assert_eq!(calls("max_pool2d"), (2, 2));
    // For each of fc1, fc2 and fc3: one product in the forward pass, two in the backward pass.
    assert_eq!(calls("matmul"), (3, 6));
}

#[test]
fn a_layer_that_overflows_is_named_with_the_line_of_its_call() {
    let mut rng = Philox::new(0);
    let mut model = LeNet::new(&mut rng);
    let huge = Tensor::full(&model.fc2.weight.shape(), 3e38);
    model.fc2.weight.set(huge);
    let tape = Tape::train(&mut rng).detecting_anomalies(Anomalies::All);
    let images = tape.constant(Tensor::uniform(&[2, 1, 28, 28], 0.0, 1.0, &mut rng));
    let error = tape.catch(|| model.forward(images)).unwrap_err();
    assert_eq!(error.path, "fc2");
    let anomaly = tape.anomaly().unwrap();
    assert_eq!((anomaly.op.as_str(), anomaly.place), ("matmul", AnomalyPlace::Output(0)));
    assert!(anomaly.location.unwrap().file().ends_with("lenet.rs"), "{anomaly}");
    assert!(anomaly.operands.iter().any(|x| x.max == Some(f64::from(3e38f32))), "{anomaly}");

    model.conv1.weight.set(Tensor::full(&model.conv1.weight.shape(), f64::NAN));
    let tape = Tape::train(&mut rng).detecting_anomalies(Anomalies::All);
    let images = tape.constant(Tensor::ones(&[1, 1, 28, 28]));
    let error = tape.catch(|| model.forward(images)).unwrap_err();
    assert!(error.message.starts_with("param `conv1.weight`: the given value contains"), "{error}");
}
