//! The panic at the caller's line, the line of each operation, and the tape after a refusal.

use super::{anomaly_of, detecting, line_of};
use crate::common::panic_of;
use wengert_autograd::{Anomaly, Param};
use wengert_tensor::{Conv, Tensor};

#[test]
fn a_refusal_without_catch_panics_at_the_callers_line() {
    let tape = detecting();
    let x = tape.watch(Tensor::from([0.0]));
    let (message, file, line) = panic_of(|| drop(tape.scope("fc1", || x.ln()).value()));
    assert_eq!((file.as_str(), line), (file!(), line!() - 1));
    assert!(message.starts_with("fc1: ln: the result contains 1 -∞ among 1 numbers"), "{message}");
    let loss = x.sqrt().sum_all();
    let (message, file, line) = panic_of(|| drop(loss.backward()));
    assert_eq!((file.as_str(), line), (file!(), line!() - 1));
    assert!(message.contains(&format!("recorded at {}:{}", file!(), line - 1)), "{message}");
    assert!(message.contains("cotangent of the result: shape [1], minimum 1.0"), "{message}");
}

#[test]
fn a_tape_can_be_used_after_an_anomaly() {
    let tape = detecting();
    let x = tape.watch(Tensor::from([4.0, 0.0]));
    let root = x.sqrt();
    anomaly_of(&tape, || root.sum_all().backward_retain());
    let gradients = (x * x).sum_all().backward();
    assert_eq!(gradients.wrt(x).unwrap().to_vec(), [8.0, 0.0]);
}

#[test]
fn a_replay_with_other_values_is_checked() {
    let w = Param::new(Tensor::from([1.0f32, 2.0]));
    let tape = detecting();
    let x = tape.constant(Tensor::from([3.0, 4.0]));
    let y = tape.scope("log", || (tape.param(&w) * x).ln());
    let line = line!() - 1;
    let _ = y.sum_all();
    let anomaly = anomaly_of(&tape, || tape.replay(&w).set(x, Tensor::from([1.0, -5.0])).run());
    assert_eq!((anomaly.op.as_str(), anomaly.scope.as_str()), ("ln", "log"));
    assert_eq!(line_of(&anomaly), line);
    let anomaly = anomaly_of(&tape, || tape.replay(&w).set(x, Tensor::from([1.0, f32::NAN])).run());
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("constant", line - 1));
}

#[test]
fn an_anomaly_of_every_kind_of_operation_names_its_line() {
    let tape = detecting();
    let x = tape.watch(Tensor::full(&[1, 1, 4, 4], 3e38));
    let w = tape.watch(Tensor::full(&[1, 1, 3, 3], 2.0));
    let m = x.reshape([4, 4]);
    let line = line!();
    let found: [Anomaly; 9] = [
        anomaly_of(&tape, || m.matmul(m)),
        anomaly_of(&tape, || m.t().matmul(m)),
        anomaly_of(&tape, || x.conv2d(w, None, &Conv::new())),
        anomaly_of(&tape, || x.sum_all()),
        anomaly_of(&tape, || m.sum(&[0], false)),
        anomaly_of(&tape, || m.square()),
        anomaly_of(&tape, || m + m),
        anomaly_of(&tape, || m * 2.0),
        anomaly_of(&tape, || m.mean_all()),
    ];
    for (i, anomaly) in (1..).zip(&found) {
        assert_eq!(line_of(anomaly), line + 1 + i, "{anomaly}");
    }
}
