//! Replays: what they refuse, and what they do not change. (Other tests compare replays with new runs, for
//! each operation next to its rule, and for each layer with the layers.)

use crate::common::panic_of;
use wengert_autograd::{Buffer, Param, Tape};
use wengert_tensor::{Philox, Tensor};

fn scalar(x: f64) -> Tensor<f64> {
    Tensor::scalar_of(x)
}

/// Returns the message of a panic that points at a line of this file.
fn refused(run: impl FnOnce()) -> String {
    let (text, file, _) = panic_of(run);
    assert_eq!(file, file!(), "{text}");
    text
}

#[test]
fn a_replay_of_a_program_that_used_a_read_value_is_refused() {
    let tape = Tape::new();
    let x = tape.watch(scalar(3.0));
    let y = if x.item() > 0.0 { x.square() } else { -x };
    let text = refused(|| tape.replay(&()).set(x, scalar(-3.0)).run());
    assert!(text.contains("read a value") && text.contains("1 of its 2 operations"), "{text}");
    // The refused replay has not changed any value.
    assert_eq!(y.item(), 9.0);
    // With `allow_reads` the tape replays the recorded branch.
    tape.replay(&()).set(x, scalar(-4.0)).allow_reads().run();
    assert_eq!(y.item(), 16.0);
}

#[test]
fn values_read_after_the_last_operation_do_not_prevent_a_replay() {
    let tape = Tape::new();
    let x = tape.watch(scalar(3.0));
    let y = x.square();
    let slope = y.grad(&[x])[0];
    assert_eq!((y.item(), slope.item()), (9.0, 6.0));
    assert_eq!(y.backward().wrt(x).unwrap().item(), 6.0); // records nothing
    tape.replay(&()).set(x, scalar(-4.0)).run();
    assert_eq!((y.item(), slope.item()), (16.0, -8.0));
    assert_eq!(y.backward().wrt(x).unwrap().item(), -8.0);
    // Reading an index counts as reading a value, too.
    let tape = Tape::new();
    let x = tape.watch(Tensor::from([1.0, 5.0, 2.0]));
    let at = x.argmax(0, false).value().item();
    let _y = x.narrow(0, at as usize, 1);
    assert!(refused(|| tape.replay(&()).run()).contains("read a value"));
}

#[test]
fn a_replay_keeps_inputs_that_were_not_set() {
    let tape = Tape::train(&mut Philox::new(0));
    let x = tape.watch(Tensor::from_fn(&[64], |i| i as f64));
    let noise = tape.randn(&[64]);
    let y = (x + noise).dropout(0.5);
    let before = y.value();
    tape.replay(&()).run();
    assert_eq!(y.value(), before);
    tape.replay(&()).rng(&mut Philox::new(1)).run();
    let other = y.value();
    assert_ne!(other, before);
    assert_ne!(noise.value(), Tape::<f64>::train(&mut Philox::new(0)).randn(&[64]).value());
    // The key of the random numbers does not change until another one is set.
    tape.replay(&()).run();
    assert_eq!(y.value(), other);
}

#[test]
fn a_replay_binds_the_current_parameters_and_buffers_of_the_model() {
    let mut weight = Param::new(scalar(2.0));
    let buffer = Buffer::new(scalar(10.0));
    let model = (weight.clone(), buffer.clone());
    let (tape, other) = (Tape::new(), Tape::new());
    let w = tape.param(&model.0);
    let b = tape.buffer(&model.1);
    let x = tape.constant(scalar(3.0));
    let y = w * x + b;
    let index = y.reshape(&[1]).argmax(0, true);
    let text = |run: &dyn Fn()| refused(run);
    let says = |text: String, what: &str| assert!(text.contains(what), "{text}");
    says(text(&|| drop(tape.replay(&model).set(w, scalar(1.0)))), "reads its value from the model");
    says(text(&|| drop(tape.replay(&model).set(b, scalar(1.0)))), "reads its value from the model");
    says(text(&|| drop(tape.replay(&model).set(y, scalar(1.0)))), "computed from others");
    let ones = || Tensor::from([1.0, 1.0]);
    says(text(&|| drop(tape.replay(&model).set(x, ones()))), "the recorded shape [], got [2]");
    says(text(&|| drop(tape.replay(&model).set_index(index, 0.into()))), "computed from others");
    let foreign = other.constant(scalar(1.0));
    says(text(&|| drop(tape.replay(&model).set(foreign, scalar(1.0)))), "different tapes");
    // The model must contain the recorded parameters and buffers.
    says(
        text(&|| tape.replay(&weight).run()),
        "the model does not contain a parameter of shape []",
    );
    says(text(&|| tape.replay(&model.0).run()), "the model does not contain a buffer of f64");
    assert_eq!(y.item(), 16.0);
    weight.freeze();
    let mut model = model;
    model.0.freeze();
    says(refused(|| tape.replay(&model).run()), "was frozen");
    model.0.unfreeze();
    model.1.set(scalar(0.0));
    tape.replay(&model).set(x, scalar(5.0)).run();
    assert_eq!(y.item(), 10.0);
}

#[test]
fn gradients_have_the_parameter_versions_of_the_replay() {
    let mut w = Param::new(scalar(2.0));
    let tape = Tape::new();
    let loss = tape.param(&w).square();
    let old = loss.backward();
    w.set(scalar(5.0));
    assert!(old.is_stale(&w));
    tape.replay(&w).run();
    let new = loss.backward();
    assert!(!new.is_stale(&w));
    assert_eq!(new.get(&w).unwrap().item(), 10.0);
    // After the replay, the changed parameter can be bound again.
    assert!(tape.param(&w).is(tape.param(&w)));
}

#[test]
fn a_replay_with_an_index_out_of_range_panics_when_the_index_is_read() {
    let tape = Tape::new();
    let x = tape.watch(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    let rows = tape.index(Tensor::from([0i64, 1]));
    let y = x.index_select(0, rows).sum_all();
    let text = refused(|| tape.replay(&()).set_index(rows, Tensor::from([0i64, 2])).run());
    assert!(text.contains("index_select: index 2"), "{text}");
    tape.replay(&()).set_index(rows, Tensor::from([1i64, 1])).run();
    assert_eq!(y.item(), 14.0);
}

#[test]
fn each_replay_updates_a_buffer_once() {
    let mut mean = (Buffer::new(scalar(0.0)), Buffer::new(Tensor::scalar_of(0i64)));
    let tape = Tape::new();
    let x = tape.watch(scalar(4.0));
    tape.average_buffer(&mean.0, &mean.1, x * 2.0);
    tape.count_buffer(&mean.1, 1);
    x.square().backward().apply_updates(&mut mean);
    for (value, wanted) in [(1.0, 5.0), (11.0, 32.0 / 3.0)] {
        tape.replay(&mean).set(x, scalar(value)).run();
        tape.apply_updates(&mut mean);
        tape.apply_updates(&mut mean);
        assert!((mean.0.value().item() - wanted).abs() < 1e-12, "{}", mean.0.value());
    }
    assert_eq!(mean.1.value().item(), 3);
}

#[test]
fn replays_work_on_inference_tapes_and_not_in_shape_only_runs() {
    let shape_only_run = Tape::<f64>::check(|tape| tape.replay(&()).run());
    assert!(shape_only_run.unwrap_err().message.contains("no values"));
    let tape = Tape::inference();
    let x = tape.constant(Tensor::<f64>::from([1.0, 2.0]));
    let y = x.square();
    tape.replay(&()).set(x, Tensor::from([3.0, 4.0])).run();
    assert_eq!(y.value().to_vec(), [9.0, 16.0]);
}

/// A replay that is refused before it computes anything changes nothing.
#[test]
fn a_refused_replay_changes_no_binding() {
    let (mut a, b) = (Param::new(scalar(2.0)), Param::new(scalar(3.0)));
    let tape = Tape::new();
    let loss = tape.param(&a) * tape.param(&b);
    a.set(scalar(5.0));
    assert!(refused(|| tape.replay(&a).run()).contains("the model does not contain"));
    let (text, ..) = panic_of(|| _ = tape.param(&a));
    assert!(text.contains("changed after this tape bound it"), "{text}");
    assert_eq!(loss.item(), 6.0);
    assert!(loss.backward().is_stale(&a));
}

/// After a replay that was refused halfway, gradients are refused, because the values are a mixture of old
/// and new ones. The next replay makes them valid again.
#[test]
fn gradients_after_a_failed_replay_are_refused() {
    let mut sum = Buffer::new(scalar(0.0));
    let tape = Tape::new();
    let x = tape.watch(Tensor::from([1.0, 2.0]));
    let rows = tape.index(Tensor::from([1i64]));
    let y = tape.checkpoint(|| x.index_select(0, rows).exp() * x.sin());
    tape.update_buffer(&sum, 1.0, x.sum_all());
    let loss = y.sum_all();
    let before = loss.item();
    refused(|| tape.replay(&sum).set_index(rows, Tensor::from([9i64])).run());
    assert!(panic_of(|| drop(loss.backward())).0.contains("the last replay failed"));
    assert!(panic_of(|| drop(loss.grad(&[x]))).0.contains("the last replay failed"));
    tape.replay(&sum).set_index(rows, Tensor::from([1i64])).run();
    assert_eq!(loss.item(), before);
    loss.backward().apply_updates(&mut sum);
    assert_eq!(sum.value().item(), 3.0);
}

#[test]
fn masks_of_a_replayed_program_are_masks() {
    let tape = Tape::new();
    let mask = tape.mask(Tensor::from([true, false, true]));
    let x = tape.watch(Tensor::from([1.0, 2.0, 3.0]));
    let either = mask.reshape(&[3]).or(x.gt(2));
    let y = x.masked_fill(either, 0);
    let graph = tape.graph();
    tape.replay(&()).set_mask(mask, Tensor::from([false, false, false])).run();
    assert_eq!(graph.difference(&tape.graph()), None);
    assert_eq!(y.value().to_vec(), [1.0, 2.0, 0.0]);
}

/// A value that a hook of `grad` has seen counts as read, because later operations may depend on it.
#[test]
fn a_value_seen_by_a_hook_of_grad_counts_as_read() {
    let tape = Tape::new();
    let x = tape.watch(Tensor::from([1.0, 2.0]));
    let y = x.square();
    let mut seen = 0.0;
    let g = y.sum_all().hooks().see(y, |g, _| seen = g.to_vec()[0]).grad(&[x])[0];
    assert_eq!((g * seen).shape(), [2]);
    assert!(refused(|| tape.replay(&()).run()).contains("read a value"));
}
