//! Tests layers that behave differently in training and evaluation, on tapes of either mode and on
//! tapes without a mode.

use std::panic::{self, AssertUnwindSafe};
use wengert_autograd::{Buffer, Mode, Tape};
use wengert_nn::{
    BatchNorm1d, BatchNorm2d, Conv2d, Dropout, Dropout2d, Flatten, InstanceNorm1d, InstanceNorm2d,
    Layer, Linear, Relu, Sequential, sequential,
};
use wengert_tensor::{Philox, Tensor};

const ADVICE: &str = "this layer behaves differently in training and evaluation, and the tape has no mode: create \
     the tape with `Tape::train(&mut rng)` or `Tape::eval()`";

fn panic_text<R>(f: impl FnOnce() -> R) -> String {
    let Err(cause) = panic::catch_unwind(AssertUnwindSafe(f)) else { panic!("no panic") };
    cause.downcast_ref::<String>().expect("a formatted message").clone()
}

/// Returns the layers that need a mode: the name in the message, the layer and an input shape.
fn layers_with_modes() -> Vec<(&'static str, Box<dyn Layer>, &'static [usize])> {
    vec![
        ("dropout", Box::new(Dropout::new(0.5)), &[4, 3]),
        ("dropout", Box::new(Dropout::new(0.0)), &[4, 3]),
        ("dropout", Box::new(Dropout::new(1.0)), &[4, 3]),
        ("dropout2d", Box::new(Dropout2d::new(0.5)), &[4, 3, 2, 2]),
        ("dropout2d", Box::new(Dropout2d::new(0.0)), &[4, 3, 2, 2]),
        ("batch_norm", Box::new(BatchNorm1d::new(3)), &[4, 3]),
        ("batch_norm", Box::new(BatchNorm1d::new(3).momentum(None)), &[4, 3, 5]),
        ("batch_norm", Box::new(BatchNorm2d::new(3).without_affine()), &[4, 3, 2, 2]),
        ("instance_norm", Box::new(InstanceNorm1d::new(3).running_statistics(0.1)), &[4, 3, 5]),
        ("instance_norm", Box::new(InstanceNorm2d::new(3).running_statistics(0.1)), &[4, 3, 2, 2]),
    ]
}

#[test]
fn a_tape_without_mode_is_refused_by_name_and_path() {
    for (name, layer, shape) in layers_with_modes() {
        let x = Tensor::normal(shape, 0.0, 1.0, &mut Philox::new(0));
        let tape = Tape::new();
        let text = panic_text(|| layer.forward(tape.constant(x.clone())));
        assert_eq!(text, format!("{name}: {ADVICE}"));
        let model = Sequential::new().add(Relu).add_named("second", sequential![layer]);
        let text = panic_text(|| model.forward(tape.constant(x.clone())));
        assert_eq!(text, format!("second.0: {name}: {ADVICE}"));
        // The layer runs on a tape of either mode, and in functions that choose the mode themselves.
        for tape in [Tape::eval(), Tape::inference(), Tape::train(&mut Philox::new(0))] {
            assert_eq!(model.forward(tape.constant(x.clone())).value().shape(), *shape);
        }
        assert_eq!(model.predict(&x).shape(), *shape);
        assert_eq!(model.summary(shape).unwrap().output, *shape);
        for mode in [Mode::Train, Mode::Eval] {
            let run = |tape: &Tape| model.forward(tape.input(shape)).shape();
            assert_eq!(Tape::check_in(mode, run).unwrap(), *shape);
        }
    }
}

#[test]
fn layers_that_are_equal_in_both_modes_need_no_mode() {
    let rng = &mut Philox::new(0);
    let layers: [(Box<dyn Layer>, &[usize]); 5] = [
        (Box::new(BatchNorm1d::new(3).without_running_statistics()), &[4, 3]),
        (Box::new(BatchNorm2d::new(3).without_running_statistics()), &[4, 3, 2, 2]),
        (Box::new(InstanceNorm1d::new(3).affine()), &[4, 3, 5]),
        (Box::new(InstanceNorm2d::new(3)), &[4, 3, 2, 2]),
        (Box::new(sequential![Conv2d::new(3, 2, 2, rng), Relu, Flatten::new()]), &[4, 3, 2, 2]),
    ];
    for (layer, shape) in layers {
        let x = Tensor::normal(shape, 0.0, 1.0, rng);
        let tapes = [Tape::new(), Tape::eval(), Tape::train(rng)];
        let ys = tapes.each_ref().map(|t| layer.forward(t.constant(x.clone())).value().to_vec());
        assert_eq!(ys[0], ys[1]);
        assert_eq!(ys[0], ys[2]);
    }
}

#[test]
fn a_batch_of_one_is_refused_by_a_check_in_training_mode() {
    let rng = &mut Philox::new(0);
    let model = Sequential::new()
        .add_named("fc1", Linear::new(5, 3, rng))
        .add_named("block", sequential![Relu, BatchNorm1d::new(3)]);
    let check = |mode, n| Tape::check_in(mode, |tape| model.forward(tape.input(&[n, 5])).shape());
    let error = check(Mode::Train, 1).unwrap_err();
    assert_eq!(error.path, "block.1");
    assert_eq!(
        error.message,
        "batch_norm: the variance of one value per channel is undefined, got [1, 3]: to train, use a \
         batch of at least 2 samples"
    );
    // The panic of a forward pass has the same text.
    let tape = Tape::train(rng);
    let x = tape.constant(Tensor::ones(&[1, 5]));
    assert_eq!(panic_text(|| model.forward(x)), error.to_string());

    assert_eq!(check(Mode::Train, 2).unwrap(), [2, 3]);
    assert_eq!(check(Mode::Eval, 1).unwrap(), [1, 3]);
    assert_eq!(Tape::check(|tape| model.forward(tape.input(&[1, 5])).shape()).unwrap(), [1, 3]);
    assert_eq!(model.summary(&[1, 5]).unwrap().output, [1, 3]);

    // The same holds for images of one pixel. One image with several pixels is enough for training.
    let norm = BatchNorm2d::new(3);
    let check = |shape: &[usize]| {
        Tape::check_in(Mode::Train, |tape| {
            tape.scope("norm", || norm.forward(tape.input(shape))).shape()
        })
    };
    let error = check(&[1, 3, 1, 1]).unwrap_err();
    assert_eq!(error.path, "norm");
    assert!(
        error.message.contains("one value per channel is undefined, got [1, 3, 1, 1]"),
        "{error}"
    );
    assert_eq!(check(&[1, 3, 1, 2]).unwrap(), [1, 3, 1, 2]);
}

/// Gradients in evaluation mode are allowed: fine-tuning without updating the running statistics.
#[test]
fn a_step_in_evaluation_mode_keeps_the_running_statistics() {
    let mut layer = BatchNorm1d::<f64>::of(2).eps(0.0);
    layer.running_mean.as_mut().unwrap().set(Tensor::from([1.0, -1.0]));
    layer.running_var.as_mut().unwrap().set(Tensor::from([4.0, 0.25]));
    let x = Tensor::from([[3.0, 0.0], [5.0, 1.0], [1.0, -2.0]]);
    let tape = Tape::eval();
    let gradients = layer.forward(tape.constant(x)).sum_all().backward();
    // ∂ Σ y / ∂ weight = Σ (x − mean) / √variance = (2 + 4 + 0) / 2 and (1 + 2 − 1) / 0.5.
    assert_eq!(gradients.get(layer.weight.as_ref().unwrap()).unwrap().to_vec(), [3.0, 4.0]);
    assert_eq!(gradients.get(layer.bias.as_ref().unwrap()).unwrap().to_vec(), [3.0, 3.0]);
    gradients.apply_updates(&mut layer);
    assert_eq!(layer.running_mean.unwrap().value().to_vec(), [1.0, -1.0]);
    assert_eq!(layer.running_var.unwrap().value().to_vec(), [4.0, 0.25]);
    assert_eq!(layer.num_batches_tracked.unwrap().value().item(), 0);
}

/// Running statistics can be estimated again by forward passes over the data, without gradients.
#[test]
fn running_statistics_can_be_estimated_without_gradients() {
    let rng = &mut Philox::new(3);
    let batches = [(); 4].map(|()| Tensor::<f64>::normal_of(&[6, 2], 5.0, 3.0, rng));
    let mut layer = BatchNorm1d::<f64>::of(2).momentum(None);
    for x in &batches {
        let tape = Tape::inference().training(rng);
        layer.forward(tape.constant(x.clone()));
        tape.apply_updates(&mut layer);
        tape.apply_updates(&mut layer);
    }
    for channel in 0..2 {
        let (mut mean, mut variance) = (0.0, 0.0);
        for x in &batches {
            let values: Vec<f64> = (0..6).map(|i| x.at(&[i, channel])).collect();
            let m = values.iter().sum::<f64>() / 6.0;
            mean += m / 4.0;
            variance += values.iter().map(|v| (v - m).powi(2)).sum::<f64>() / 5.0 / 4.0;
        }
        let has = |buffer: &Option<Buffer<f64>>| buffer.as_ref().unwrap().value().at(&[channel]);
        assert!((has(&layer.running_mean) - mean).abs() < 1e-12);
        assert!((has(&layer.running_var) - variance).abs() < 1e-12);
    }
    assert_eq!(layer.num_batches_tracked.unwrap().value().item(), 4);
}

/// A forward pass that is used by two losses updates the running statistics once.
#[test]
fn two_losses_of_one_batch_update_running_statistics_once() {
    let rng = &mut Philox::new(3);
    let mut layer = BatchNorm2d::<f64>::of(2);
    let x = Tensor::normal_of(&[4, 2, 3, 3], 5.0, 3.0, rng);
    let tape = Tape::train(rng);
    let y = layer.forward(tape.constant(x.clone()));
    let mut gradients = y.square().sum_all().backward_retain();
    gradients.accumulate(y.exp().sum_all().backward());
    gradients.apply_updates(&mut layer);
    gradients.clone().apply_updates(&mut layer);
    assert_eq!(layer.num_batches_tracked.unwrap().value().item(), 1);
    let means = x.mean(&[0, 2, 3], false).to_vec();
    let running = layer.running_mean.unwrap().value().to_vec();
    for (running, mean) in running.into_iter().zip(means) {
        assert!((running - 0.1 * mean).abs() < 1e-12);
    }
}
