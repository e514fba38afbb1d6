//! Gradients know which values of the parameters they are of, and tapes which state.

use crate::common::{panic_of, panics};
use wengert_autograd::{Gradients, Param, Tape};
use wengert_tensor::Tensor;

/// 2 w each.
fn squares(params: &[&Param]) -> Gradients {
    let tape = Tape::new();
    let terms = params.iter().map(|param| tape.param(param).square().sum_all());
    terms.reduce(|a, b| a + b).unwrap().backward()
}

fn param(shape: &[usize]) -> Param {
    Param::new(Tensor::ones(shape))
}

#[test]
fn gradients_of_two_versions_do_not_add() {
    let (mut v, w, mut u) = (param(&[2, 3]), param(&[4]), param(&[]));
    let mut sum = squares(&[&v, &w, &u]);
    v.update(|v| *v = &*v * 3.0);
    assert!(sum.is_stale(&v) && !sum.is_stale(&w));
    let other = squares(&[&v, &w, &u]);
    assert!(!other.is_stale(&v));
    panics!(
        sum.accumulate(other.clone()),
        "accumulate: a parameter of shape [2, 3] changed between the two runs",
        "`.allow_stale()`"
    );
    assert_eq!(sum.get(&w).unwrap().to_vec(), [2.0; 4], "nothing has changed");
    u.set(Tensor::scalar(5.0));
    let (text, ..) = panic_of(|| sum.accumulate(squares(&[&v, &w, &u])));
    assert!(text.starts_with("accumulate: 2 parameters of shapes [2, 3], [] changed"), "{text}");

    // The order does not matter, nor which of the two has the mark.
    panics!(other.clone().accumulate(sum.clone()), "accumulate:");
    for (mut a, b) in [
        (sum.clone().allow_stale(), other.clone()),
        (sum.clone(), other.clone().allow_stale()),
        (other.clone(), sum.clone().allow_stale()),
    ] {
        a.accumulate(b);
        assert_eq!(a.get(&v).unwrap().to_vec(), [2.0 + 6.0; 6]);
        assert_eq!(a.get(&w).unwrap().to_vec(), [4.0; 4]);
        assert!(a.allows_stale(), "the sum keeps the mark");
        assert!(a.is_stale(&v), "a part of it is of the old values");
        a.accumulate(squares(&[&v]));
    }
}

#[test]
fn gradients_of_one_version_add() {
    let (mut v, w) = (param(&[2]), param(&[2]));
    v.set(Tensor::from([3.0, 4.0]));
    let mut sum = squares(&[&v]);
    sum.accumulate(squares(&[&v, &w]));
    sum.accumulate(squares(&[&w]));
    assert_eq!(sum.get(&v).unwrap().to_vec(), [12.0, 16.0]);
    assert_eq!(sum.get(&w).unwrap().to_vec(), [4.0; 2]);
    assert!(!sum.is_stale(&v) && !sum.is_stale(&w) && !sum.allows_stale());
    // A change that leaves the numbers as they are is a change: whoever made it knows.
    v.update(|_| ());
    assert!(sum.is_stale(&v));
    assert!(!sum.is_stale(&v.clone()), "of a clone nothing is known");
}

#[test]
fn the_version_is_that_of_the_binding() {
    let mut w = param(&[2]);
    let tape = Tape::new();
    let loss = tape.param(&w).square().sum_all();
    w.set(Tensor::from([9.0, 9.0]));
    let gradients = loss.backward();
    assert_eq!(gradients.get(&w).unwrap().to_vec(), [2.0, 2.0]);
    assert!(gradients.is_stale(&w));
}

#[test]
fn freezing_between_two_bindings_is_noticed() {
    let mut w = param(&[2, 3]);
    let tape = Tape::new();
    tape.param(&w);
    w.freeze();
    panics!(
        tape.param(&w),
        "a parameter of shape [2, 3] was frozen since this tape bound it",
        "make a new tape per step"
    );
    w.unfreeze();
    tape.param(&w); // as it was

    w.freeze();
    let tape = Tape::new();
    let x = tape.param(&w);
    assert!(!x.is_active());
    w.unfreeze();
    panics!(tape.param(&w), "[2, 3] was unfrozen since this tape bound it", "new tape");
    // A new value comes first.
    w.update(|w| *w = &*w * 2.0);
    panics!(tape.param(&w), "[2, 3] changed since this tape bound it", "new tape");
    let (text, ..) = panic_of(|| _ = tape.scope("fc1", || tape.param(&w)));
    assert!(text.starts_with("fc1: a parameter of shape [2, 3] changed"), "{text}");
    assert!(Tape::new().param(&w).is_active());
}

#[test]
fn frozen_parameters_have_no_gradient() {
    let (w, mut frozen) = (param(&[2]), param(&[2]));
    frozen.freeze();
    let gradients = squares(&[&w, &frozen]);
    assert!(gradients.get(&frozen).is_none() && gradients.was_frozen(&frozen));
    assert!(!gradients.was_frozen(&w));
    frozen.unfreeze();
    assert!(gradients.was_frozen(&frozen) && !gradients.is_stale(&frozen));
}
