//! `Gradients::wrt`: the gradients with respect to parameters and watched variables, and its errors for
//! other variables.

use crate::common::{panic_of, panics};
use wengert_autograd::{Param, Tape, Var, value_and_grad};
use wengert_tensor::{Philox, Tensor};

#[test]
fn wrt_returns_gradients_of_parameters_and_watched_variables() {
    let (w, unused) = (Param::new(Tensor::from([2.0f32, 3.0])), Param::new(Tensor::from([1.0f32])));
    let tape = Tape::new();
    let (v, x, z) = (tape.param(&w), tape.watch(Tensor::from([5.0, 7.0])), tape.param(&unused));
    let apart = tape.watch(Tensor::from([1.0]));
    let gradients = (v * x * x).sum_all().backward();
    // The derivative of Σ w·x² with respect to w is x², and with respect to x it is 2·w·x.
    assert_eq!(gradients.wrt(v).unwrap().to_vec(), [25.0, 49.0]);
    assert_eq!(gradients.wrt(tape.param(&w)).unwrap().to_vec(), [25.0, 49.0]);
    assert_eq!(gradients.get(&w).unwrap().to_vec(), [25.0, 49.0]);
    assert_eq!(gradients.wrt(x).unwrap().to_vec(), [20.0, 42.0]);
    assert!(gradients.wrt(z).is_none() && gradients.wrt(apart).is_none(), "no dependence");
}

#[test]
fn wrt_of_a_parameter_returns_the_gradient_of_get() {
    let w = Param::new(Tensor::from([2.0f32]));
    let tape = Tape::new();
    let v = tape.param(&w);
    let mut gradients = v.square().sum_all().backward();
    *gradients.get_mut(&w).unwrap() *= &Tensor::scalar(0.5);
    assert_eq!(gradients.wrt(v).unwrap().to_vec(), [2.0]);
    let (_, other) = value_and_grad(&mut Philox::new(0), |tape| tape.param(&w).sum_all());
    gradients.accumulate(other);
    assert_eq!(gradients.wrt(v).unwrap().to_vec(), [3.0]);
}

#[test]
fn wrt_of_a_frozen_parameter_is_none() {
    let (w, mut frozen) = (Param::new(Tensor::scalar(2.0)), Param::new(Tensor::scalar(3.0)));
    frozen.freeze();
    let tape = Tape::new();
    let gradients = (tape.param(&w) * tape.param(&frozen)).backward();
    assert!(gradients.wrt(tape.param(&frozen)).is_none() && gradients.get(&frozen).is_none());
    assert_eq!(gradients.wrt(tape.param(&w)).unwrap().item(), 3.0);
}

#[test]
fn wrt_of_a_variable_that_was_not_watched_panics_with_advice() {
    let w = Param::new(Tensor::from([2.0f32, 3.0]));
    let tape = Tape::new();
    let x = tape.watch(Tensor::from([5.0, 7.0]));
    let c = tape.constant(Tensor::from([1.0, 1.0]));
    let h = tape.param(&w) * x;
    let loss = (h * h + c).sum_all();
    // These variables are an operand of the loss, an unrelated variable, the loss itself, and a gradient.
    let by_h = loss.grad(&[h])[0];
    assert_eq!(by_h.value().to_vec(), [20.0, 42.0]);
    let detached = h.detach();
    let gradients = loss.backward();
    let computed: [Var<'_>; 4] = [h, x.tanh(), loss, by_h];
    for v in computed {
        let (text, ..) = panic_of(|| _ = gradients.wrt(v));
        assert!(
            text.starts_with(&format!("wrt: the variable of shape {} was computed", v.shape())),
            "{text}"
        );
    }
    panics!(gradients.wrt(h), "watch()", "grad(&[variable])");
    panics!(gradients.wrt(c), "wrt: the variable of shape [2] is a constant", "watch()");
    panics!(gradients.wrt(tape.zeros(&[3])), "of shape [3] is a constant");
    panics!(gradients.wrt(detached), "of shape [2] is detached");
}

#[test]
fn accumulated_gradients_of_one_tape_include_its_watched_variables() {
    let tape = Tape::new();
    let (x, y) = (tape.watch(Tensor::scalar(3.0)), tape.watch(Tensor::scalar(4.0)));
    let mut gradients = x.square().backward_retain();
    gradients.accumulate((x * y).backward());
    assert_eq!(gradients.wrt(x).unwrap().item(), 2.0 * 3.0 + 4.0);
    assert_eq!(gradients.wrt(y).unwrap().item(), 3.0);

    let other = Tape::new();
    gradients.accumulate(other.watch(Tensor::scalar(1.0)).exp().backward());
    assert_eq!(
        gradients.wrt(x).unwrap().item(),
        10.0,
        "gradients of another tape must not be added"
    );
}
