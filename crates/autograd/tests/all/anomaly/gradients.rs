//! Cotangents, seeds, gradients that are variables, tangents and the results of hooks.

use super::{anomaly_of, detecting, here, line_of};
use wengert_autograd::transforms::jvp;
use wengert_autograd::{Anomalies, AnomalyPlace, Tape, Var};
use wengert_tensor::Tensor;

#[test]
fn an_overflow_of_a_sum_of_cotangents_is_named() {
    let tape = detecting();
    let x = tape.watch(Tensor::from([1.0, 2.0]));
    let y = x.tanh();
    let line = line!() - 1;
    let loss = (2e38 * y - 2e38 * y.detach()).sum_all() + (2e38 * y - 2e38 * y.detach()).sum_all();
    let anomaly = anomaly_of(&tape, || loss.backward());
    assert_eq!((anomaly.place, anomaly.op.as_str()), (AnomalyPlace::Sum, "tanh"));
    assert_eq!((line_of(&anomaly), anomaly.found.positive_infinite), (line, 2));
}

#[test]
fn a_seed_that_is_not_finite_is_refused() {
    let tape = detecting();
    let x = tape.watch(Tensor::from([1.0, 2.0]));
    let y = x.exp();
    let anomaly = anomaly_of(&tape, || y.backward_from(Tensor::from([1.0, f32::NAN])));
    assert_eq!((anomaly.place, anomaly.op.as_str()), (AnomalyPlace::Sum, "exp"));
}

#[test]
fn gradients_as_variables_are_checked() {
    let tape = detecting();
    let x = tape.watch(Tensor::from([4.0, 0.0]));
    let (line, y) = here!(x.sqrt());
    let anomaly = anomaly_of(&tape, || y.sum_all().grad(&[x]));
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("sqrt", line));
    // x^1.5: the first derivative at 0 is 0, the second is infinite.
    let tape = detecting();
    let x = tape.watch(Tensor::from([4.0, 0.0]));
    let (line, y) = here!(x.powf(1.5));
    let slope = y.sum_all().grad(&[x])[0];
    assert_eq!(slope.value().to_vec(), [3.0, 0.0]);
    let anomaly = anomaly_of(&tape, || slope.sum_all().grad(&[x]));
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("powf", line));
    assert_eq!(anomaly.rule_of.as_deref(), Some("powf"));
    // Forward mode is checked, too.
    let tape = detecting();
    let x = tape.constant(Tensor::from([4.0, 0.0]));
    let t = tape.ones([2]);
    let anomaly = anomaly_of(&tape, || jvp(|x: Var<'_>| x.sqrt(), x, t));
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("sqrt", line!() - 1));
    assert_eq!(anomaly.place, AnomalyPlace::Tangent);
}

#[test]
fn infinite_intermediate_values_of_a_rule_are_allowed() {
    // The rule of aᵇ at a = b = 0 masks an infinite power. |x| at 0 and the maximum of equal numbers
    // have kinks.
    let tape = detecting();
    let x = tape.watch(Tensor::from([0.0, 1.0]));
    let b = tape.watch(Tensor::from([0.0, 2.0]));
    let y = x.pow(b) + x.abs() + x.maximum(x.detach()) + x.relu();
    let gradients = y.sum_all().backward();
    assert!(gradients.wrt(x).unwrap().to_vec().iter().all(|g| g.is_finite()));
    assert!(tape.anomaly().is_none());
}

/// `NewInfinities` refuses infinities in sums of cotangents and in tangents, unless an infinity was given
/// before.
#[test]
fn new_infinities_of_sums_and_tangents_are_refused() {
    let tape = Tape::new().detecting_anomalies(Anomalies::NewInfinities);
    let v = tape.watch(Tensor::zeros(&[1]));
    let loss = (v * 3e38).sum_all() + (v * 3e38).sum_all();
    assert_eq!(anomaly_of(&tape, || loss.backward_retain()).place, AnomalyPlace::Sum);
    let x = tape.watch(Tensor::zeros(&[1]));
    let root = |x: Var<'_>| jvp(|x: Var<'_>| x.sqrt(), x, x.tape().full([1], 1.0)).1.value();
    let anomaly = anomaly_of(&tape, || root(x));
    assert_eq!((anomaly.op.as_str(), anomaly.place), ("sqrt", AnomalyPlace::Tangent));
    // A mask of -∞ was given, so any infinity may come from the mask.
    let tape = Tape::new().detecting_anomalies(Anomalies::NewInfinities);
    let mask = tape.constant(Tensor::from([0.0, f32::NEG_INFINITY]));
    let x = tape.watch(Tensor::from([1.0, 2.0]));
    let y = (x + mask).sum_all();
    assert_eq!(tape.catch(|| y.backward().wrt(x).unwrap().to_vec()), Ok(vec![1.0, 1.0]));
}

/// A replay checks the cotangents that `grad` has recorded.
#[test]
fn a_replay_checks_recorded_gradients() {
    for after in [false, true] {
        let tape = detecting();
        let x = tape.watch(Tensor::from([4.0, 1.0]));
        let (line, y) = here!(x.sqrt());
        let g = y.sum_all().grad(&[x])[0];
        if after {
            let _ = (g * 2.0).sum_all();
        }
        tape.replay(&()).set(x, Tensor::from([9.0, 4.0])).run();
        let replay = || tape.replay(&()).set(x, Tensor::from([9.0, 0.0])).run();
        let anomaly = anomaly_of(&tape, replay);
        assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("sqrt", line));
        assert_eq!(anomaly.place, AnomalyPlace::Cotangent(0));
        assert_eq!(anomaly.found.infinite(), 1);
    }
}

/// The result of a hook is checked, and the error names the hook.
#[test]
fn a_hook_that_returns_nan_is_named() {
    for leaf in [true, false] {
        for retain in [true, false] {
            let tape = detecting();
            let x = tape.watch(Tensor::from([4.0, 1.0]));
            let y = x * 3.0;
            let loss = y.square().sum_all();
            let seen = if leaf { x } else { y };
            let hooked = loss.hooks().replace(seen, |g, _| g * f64::NAN);
            let anomaly = anomaly_of(&tape, || {
                if retain { hooked.backward_retain() } else { hooked.backward() }
            });
            assert_eq!(anomaly.place, AnomalyPlace::Hook, "{anomaly}");
            assert!(anomaly.to_string().contains("a hook replaced the cotangent"), "{anomaly}");
        }
    }
}
