//! Common causes: roots, logarithms, quotients, overflow, branches that are not taken, and given values.

use super::{anomaly_of, detecting, here, line_of};
use wengert_autograd::{Anomalies, AnomalyPlace, Param, Tape, Var};
use wengert_tensor::Tensor;

#[test]
fn an_infinite_gradient_of_sqrt_at_zero_is_named() {
    let tape = detecting();
    let x = tape.watch(Tensor::from([4.0, 0.0, 9.0]));
    let (line, y) = here!(tape.scope("norm", || x.sqrt()));
    let loss = y.sum_all();
    let anomaly = anomaly_of(&tape, || loss.backward());
    assert_eq!((anomaly.op.as_str(), anomaly.scope.as_str()), ("sqrt", "norm"));
    assert_eq!(line_of(&anomaly), line);
    assert_eq!(anomaly.place, AnomalyPlace::Cotangent(0));
    assert_eq!((anomaly.found.positive_infinite, anomaly.found.nan), (1, 0));
    assert_eq!((anomaly.found.min, anomaly.found.max), (Some(f64::from(0.5f32 / 3.0)), Some(0.25)));
    assert_eq!((anomaly.operands[0].min, anomaly.operands[0].max), (Some(0.0), Some(9.0)));
    assert_eq!(anomaly.cotangents[0].unwrap().max, Some(1.0));
}

#[test]
fn a_logarithm_of_a_negative_number_is_named() {
    let tape = detecting();
    let x = tape.watch(Tensor::from([1.0, -1.0]));
    let anomaly = anomaly_of(&tape, || x.ln());
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("ln", line!() - 1));
    assert_eq!((anomaly.found.nan, anomaly.found.min), (1, Some(0.0)));
    assert_eq!(anomaly.operands[0].min, Some(-1.0));
    assert_eq!(anomaly.place, AnomalyPlace::Output(0));
}

#[test]
fn a_quotient_of_zero_by_zero_is_named() {
    let tape = detecting();
    let x = tape.watch(Tensor::from([[1.0, 0.0], [2.0, 0.0]]));
    let anomaly = anomaly_of(&tape, || x / tape.constant(Tensor::from([1.0, 0.0])));
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("div", line!() - 1));
    assert_eq!((anomaly.found.nan, anomaly.found.infinite()), (2, 0));
    assert_eq!(anomaly.operands.len(), 2);
    assert_eq!(
        anomaly.to_string().lines().skip(2).collect::<Vec<_>>(),
        [
            "  operand 0: shape [2, 2], minimum 0.0, maximum 2.0, all finite",
            "  operand 1: shape [2, 2], minimum 0.0, maximum 1.0, all finite",
        ]
    );
}

#[test]
fn an_overflow_of_exp_is_named() {
    let tape = detecting();
    let x = tape.watch(Tensor::from([88.0, 89.0]));
    let anomaly = anomaly_of(&tape, || x.exp());
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("exp", line!() - 1));
    assert_eq!(anomaly.found.positive_infinite, 1);
    let wide = Tape::<f64>::new().detecting_anomalies(Anomalies::All);
    assert!(wide.watch(Tensor::from([88.0, 89.0])).exp().value().at(&[1]) > 1e38);
}

#[test]
fn a_batch_norm_of_a_constant_without_epsilon_is_named() {
    let tape = detecting();
    let x = tape.watch(Tensor::from_fn(&[8, 2], |i| if i % 2 == 0 { i as f32 } else { 3.0 }));
    let (mean, var) = (x.mean(&[0], true), x.var(&[0], true, 0));
    let anomaly = anomaly_of(&tape, || {
        let std = var.sqrt();
        (x - mean) / std
    });
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("div", line!() - 2));
    assert_eq!((anomaly.found.nan, anomaly.operands[1].min), (8, Some(0.0)));
    // All values are finite, so the derivative of the root is the first infinity.
    let tape = detecting();
    let x = tape.watch(Tensor::full(&[8, 2], 3.0));
    let var = x.var(&[0], true, 0);
    let (line, std) = here!(var.sqrt());
    let anomaly = anomaly_of(&tape, || std.sum_all().backward());
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("sqrt", line));
}

#[test]
fn a_softmax_of_minus_infinities_is_named() {
    let tape = Tape::new().detecting_anomalies(Anomalies::NewInfinities);
    let mask = Tensor::from_fn(&[2, 3], |i| if i < 3 { f32::NEG_INFINITY } else { 0.0 });
    let scores = tape.watch(Tensor::ones(&[2, 3])) + tape.constant(mask);
    let anomaly = anomaly_of(&tape, || scores.softmax(1));
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("softmax", line!() - 1));
    assert_eq!((anomaly.found.nan, anomaly.operands[0].negative_infinite), (3, 3));
}

#[test]
fn a_quotient_in_a_branch_that_is_not_selected_is_named() {
    // The quotient is the first value that is not finite in the forward pass.
    let run = |tape: &Tape| {
        let x = tape.watch(Tensor::from([2.0, 0.0]));
        let y = tape.constant(Tensor::from([1.0, 0.0]));
        let quotient = y / x;
        Var::where_(x.ne(0), quotient, 0).sum_all().backward().wrt(x).cloned()
    };
    let line = line!() - 3;
    for which in [Anomalies::All, Anomalies::NewInfinities, Anomalies::NanOnly] {
        let tape = Tape::new().detecting_anomalies(which);
        let anomaly = anomaly_of(&tape, || run(&tape));
        assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("div", line), "{which:?}");
    }
    // The selected values are finite. 1/0 is not selected, but its derivative turns a cotangent of 0
    // into NaN.
    let tape = Tape::new().detecting_anomalies(Anomalies::NanOnly);
    let x = tape.watch(Tensor::from([2.0, 0.0]));
    let quotient = tape.ones([2]) / x;
    let line = line!() - 1;
    let loss = Var::where_(x.ne(0), quotient, 0).sum_all();
    assert_eq!(loss.item(), 0.5);
    let anomaly = anomaly_of(&tape, || loss.backward());
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("div", line));
    assert_eq!(anomaly.place, AnomalyPlace::Cotangent(1));
    assert_eq!(anomaly.found.nan, 1);
    assert!(anomaly.cotangents[0].unwrap().is_finite());
    // The same holds for a root: its derivative at 0 is infinite, and 0 times it is NaN.
    let tape = detecting();
    let x = tape.watch(Tensor::from([4.0, 0.0]));
    let root = x.sqrt();
    let line = line!() - 1;
    let loss = Var::where_(x.gt(0), root, 0).sum_all();
    let anomaly = anomaly_of(&tape, || loss.backward());
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("sqrt", line));
    assert_eq!(anomaly.found.nan, 1);
}

#[test]
fn a_given_value_that_is_not_finite_is_refused_at_its_line() {
    let nan = || Tensor::from([1.0, f32::NAN]);
    let tape = detecting();
    let anomaly = anomaly_of(&tape, || tape.constant(nan()));
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("constant", line!() - 1));
    assert_eq!(anomaly.place, AnomalyPlace::Given);
    let anomaly = anomaly_of(&tape, || tape.scope("input", || tape.watch(nan())));
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("watch", line!() - 1));
    let anomaly = anomaly_of(&tape, || tape.full([2], f64::NEG_INFINITY));
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("full", line!() - 1));
    assert_eq!(anomaly.found.negative_infinite, 2);
    let layers = vec![Param::new(Tensor::from([1.0f32])), Param::new(nan())];
    let tape = detecting();
    let anomaly = anomaly_of(&tape, || tape.enter(&layers, || tape.param(&layers[1])));
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("param", line!() - 1));
    assert_eq!(anomaly.name.as_deref(), Some("1"));
    assert!(
        anomaly
            .to_string()
            .starts_with("param `1`: the given value contains 1 NaN among 2 numbers")
    );
    let buffer = wengert_autograd::Buffer::new(nan());
    let anomaly = anomaly_of(&tape, || tape.buffer(&buffer));
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("buffer", line!() - 1));
    // The infinity is an argument of an operation.
    let x = tape.constant(Tensor::from([1.0, 2.0]));
    let anomaly = anomaly_of(&tape, || x.masked_fill(x.gt(1.5), f64::NEG_INFINITY));
    assert_eq!(line_of(&anomaly), line!() - 1);
    assert!(anomaly.to_string().contains("Anomalies::NewInfinities"), "{anomaly}");
}

#[test]
fn given_infinities_are_allowed_by_weaker_checks() {
    for which in [Anomalies::NewInfinities, Anomalies::NanOnly] {
        let tape = Tape::new().detecting_anomalies(which);
        let x = tape.watch(Tensor::from_fn(&[3, 3], |i| 0.1 * i as f32));
        let later = Tensor::from_fn(&[3, 3], |i| f32::from(u8::from(i % 3 > i / 3)));
        let masked = x.masked_fill(tape.constant(later.clone()).ne(0), f64::NEG_INFINITY);
        let weights = masked.softmax(1);
        assert_eq!(weights.value().at(&[0, 0]), 1.0);
        assert!(masked.logsumexp(&[1], false).value().at(&[0]) == 0.0);
        let added = x + tape.constant(later.map_mask());
        let gradients = (weights * weights + added.softmax(1)).sum_all().backward();
        assert!(gradients.wrt(x).unwrap().to_vec().iter().all(|g| g.is_finite()));
    }
    // An infinity computed from finite numbers is refused by `NewInfinities`, but not by `NanOnly`.
    let tape = Tape::new().detecting_anomalies(Anomalies::NewInfinities);
    let x = tape.watch(Tensor::from([100.0]));
    assert_eq!(anomaly_of(&tape, || x.exp()).op, "exp");
    let tape = Tape::new().detecting_anomalies(Anomalies::NanOnly);
    let y = tape.watch(Tensor::from([100.0])).exp();
    assert_eq!(y.value().to_vec(), [f32::INFINITY]);
    assert_eq!(anomaly_of(&tape, || y - y).op, "sub");
}

trait Mask {
    fn map_mask(&self) -> Tensor;
}
impl Mask for Tensor {
    /// Returns -∞ for 1 and 0 for 0.
    fn map_mask(&self) -> Tensor {
        let numbers = self.to_vec();
        Tensor::from_fn(&self.shape(), |i| if numbers[i] > 0.0 { f32::NEG_INFINITY } else { 0.0 })
    }
}
