//! Tests training loops that are written without `Trainer`: modes and running statistics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use wengert::prelude::*;

fn model(rng: &mut Philox) -> Sequential {
    sequential![
        Linear::new(4, 8, rng),
        BatchNorm1d::new(8),
        Dropout::new(0.25),
        Linear::new(8, 2, rng)
    ]
}

fn batch(rng: &mut Philox) -> (Tensor, Tensor<i64>) {
    (Tensor::normal(&[16, 4], 0.0, 1.0, rng), Tensor::from_fn(&[16], |i| i as i64 % 2))
}

/// Returns the values of a parameter or buffer.
fn state(model: &Sequential, name: &str) -> Vec<f32> {
    state_dict(model).get(name).unwrap().cast::<f32>().to_vec()
}

#[test]
fn a_loop_on_a_tape_without_mode_is_refused() {
    let rng = &mut Philox::new(0);
    let (mut model, (x, classes)) = (model(rng), batch(rng));
    let mut optimizer = Sgd::new(0.1);
    let step = AssertUnwindSafe(|| {
        let tape = Tape::new();
        let loss = cross_entropy(model.forward(tape.constant(x)), &classes);
        optimizer.step(&mut model, &loss.backward());
    });
    let cause = catch_unwind(step).unwrap_err();
    assert_eq!(
        cause.downcast_ref::<String>().unwrap(),
        "1: batch_norm: this layer behaves differently in training and evaluation, and the tape \
         has no mode: create the tape with `Tape::train(&mut rng)` or `Tape::eval()`"
    );
}

#[test]
fn training_updates_statistics_and_drops_units_and_fine_tuning_does_not() {
    let rng = &mut Philox::new(0);
    let (mut model, (x, classes)) = (model(rng), batch(rng));
    let mut optimizer = Sgd::new(0.1).momentum(0.9);
    let mut losses = vec![];
    for step in 0..6 {
        let before = (state(&model, "1.running_mean"), state(&model, "0.weight"));
        let trains = step < 3;
        let tape = if trains { Tape::train(rng) } else { Tape::eval() };
        let loss = cross_entropy(model.forward(tape.constant(x.clone())), &classes);
        losses.push(loss.item());
        optimizer.step(&mut model, &loss.backward());
        assert_eq!(state(&model, "1.running_mean") != before.0, trains);
        assert_eq!(state(&model, "1.num_batches_tracked"), [(step + 1).min(3) as f32]);
        assert_ne!(state(&model, "0.weight"), before.1);
    }
    // In evaluation mode, dropout is off: the loss equals that of predictions.
    let tape = Tape::eval();
    let loss = cross_entropy(model.forward(tape.constant(x.clone())), &classes).item();
    let tape = Tape::inference();
    let same = cross_entropy(tape.constant(model.predict(&x)), &classes).item();
    assert_eq!(loss, same);
}

/// Two optimizers share one part of the model.
#[test]
fn running_statistics_of_a_shared_part_are_updated_once() {
    let rng = &mut Philox::new(0);
    let (mut model, (x, classes)) = (model(rng), batch(rng));
    let tape = Tape::train(rng);
    let loss = cross_entropy(model.forward(tape.constant(x.clone())), &classes);
    let gradients = loss.backward_retain();
    let again = loss.backward();
    Sgd::new(0.1).step(&mut model, &gradients);
    let tracked = state(&model, "1.running_mean");
    Adam::new(0.1).step(&mut model, &again.allow_stale());
    assert_eq!(state(&model, "1.running_mean"), tracked);
    assert_eq!(state(&model, "1.num_batches_tracked"), [1.0]);
}
