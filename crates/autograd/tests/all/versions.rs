//! Versions of parameters: gradients store for which values they were computed, and tapes refuse parameters
//! that changed after they were bound.

use crate::common::{panic_of, panics};
use wengert_autograd::{Buffer, Gradients, Module, Param, Tape};
use wengert_tensor::Tensor;

/// Returns the gradients of Σ w² over these parameters: 2·w each.
fn squares(params: &[&Param]) -> Gradients {
    let tape = Tape::new();
    let terms = params.iter().map(|param| tape.param(param).square().sum_all());
    terms.reduce(|a, b| a + b).unwrap().backward()
}

fn param(shape: &[usize]) -> Param {
    Param::new(Tensor::ones(shape))
}

#[test]
fn gradients_of_two_versions_of_a_parameter_cannot_be_added() {
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

    // The order of the two gradients does not matter, nor which of them is marked with `allow_stale`.
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
        assert!(a.is_stale(&v), "a part of the sum was computed from the old values");
        a.accumulate(squares(&[&v]));
    }
}

#[test]
fn gradients_of_one_version_of_a_parameter_can_be_added() {
    let (mut v, w) = (param(&[2]), param(&[2]));
    v.set(Tensor::from([3.0, 4.0]));
    let mut sum = squares(&[&v]);
    sum.accumulate(squares(&[&v, &w]));
    sum.accumulate(squares(&[&w]));
    assert_eq!(sum.get(&v).unwrap().to_vec(), [12.0, 16.0]);
    assert_eq!(sum.get(&w).unwrap().to_vec(), [4.0; 2]);
    assert!(!sum.is_stale(&v) && !sum.is_stale(&w) && !sum.allows_stale());
    // An update counts as a change even if it leaves the values as they are.
    v.update(|_| ());
    assert!(sum.is_stale(&v));
    assert!(
        !sum.is_stale(&v.clone()),
        "the gradients of a parameter must not be those of its clone"
    );
}

#[test]
fn a_gradient_has_the_version_at_which_the_parameter_was_bound() {
    let mut w = param(&[2]);
    let tape = Tape::new();
    let loss = tape.param(&w).square().sum_all();
    w.set(Tensor::from([9.0, 9.0]));
    let gradients = loss.backward();
    assert_eq!(gradients.get(&w).unwrap().to_vec(), [2.0, 2.0]);
    assert!(gradients.is_stale(&w));
}

#[test]
fn a_parameter_frozen_after_it_was_bound_is_refused() {
    let mut w = param(&[2, 3]);
    let tape = Tape::new();
    tape.param(&w);
    w.freeze();
    panics!(
        tape.param(&w),
        "a parameter of shape [2, 3] was frozen after this tape bound it",
        "create a new tape for each step"
    );
    w.unfreeze();
    tape.param(&w); // unfrozen, as when it was bound

    w.freeze();
    let tape = Tape::new();
    let x = tape.param(&w);
    assert!(!x.is_active());
    w.unfreeze();
    panics!(tape.param(&w), "[2, 3] was unfrozen after this tape bound it", "new tape");
    // If the value has changed, too, the message is about the value.
    w.update(|w| *w = &*w * 2.0);
    panics!(tape.param(&w), "[2, 3] changed after this tape bound it", "new tape");
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

/// A value of another shape is refused. The shape does not change. After `set`, the value does not change
/// either.
#[test]
fn a_refused_value_leaves_shape_and_value_unchanged() {
    let mut w = Param::new(Tensor::from([1.0f32, 2.0, 3.0]));
    let tape = Tape::new();
    let y = (tape.watch(Tensor::from([1.0f32, 2.0, 3.0])) * tape.param(&w)).sum_all();
    let text = panic_of(|| w.set(Tensor::from([7.0]))).0;
    assert!(text.contains("Param: the new value has shape [1], the old one [3]"), "{text}");
    assert_eq!(w.value().to_vec(), [1.0, 2.0, 3.0]);
    tape.replay(&w).run();
    assert_eq!(y.item(), 14.0);
    // After a refused update in place the old value is lost. It is replaced by NaN.
    let text = panic_of(|| w.update(|value| *value = Tensor::from([[7.0]]))).0;
    assert!(text.contains("Param: the new value has shape [1, 1]"), "{text}");
    assert!(w.shape() == [3] && w.value().to_vec().iter().all(|x| x.is_nan()));
    let text = panic_of(|| {
        w.update(|value| {
            *value = Tensor::from([7.0]);
            panic!("halfway")
        });
    });
    assert_eq!((&*text.0, w.shape().to_vec()), ("halfway", vec![3]));
    let mut n = Buffer::new(Tensor::from([4i64, 5]));
    assert!(
        panic_of(|| n.set(Tensor::scalar_of(1))).0.contains("Buffer: the new value has shape []")
    );
    assert_eq!(n.value().to_vec(), [4, 5]);
    panic_of(|| n.update(|value| *value = Tensor::scalar_of(1)));
    assert_eq!(n.value().to_vec(), [0, 0]);
}

/// With the weight 1, `lerp_from` copies the other value exactly, also over infinities and NaN. Models with
/// two states of the same name are refused.
#[test]
fn lerp_from_with_weight_1_copies_exactly() {
    let of = |x: [f32; 4]| (Param::new(Tensor::from(x)), Buffer::new(Tensor::from(x)));
    let mut far = of([f32::INFINITY, f32::NAN, -3e38, 1.0]);
    far.lerp_from(&of([5.0, 6.0, 3e38, 2.0]), 1.0);
    assert_eq!(far.0.value().to_vec(), [5.0, 6.0, 3e38, 2.0]);
    assert_eq!(far.1.value().to_vec(), [5.0, 6.0, 3e38, 2.0]);
    let twice = |x: f32| {
        let [a, b] = [x, x + 1.0].map(|x| Param::new(Tensor::scalar_of(x)));
        [("a", vec![("b.c", a)]), ("a.b", vec![("c", b)])]
            .map(|(name, inner)| (name.to_string(), inner.into_iter().map(|(n, p)| (n.to_string(), p)).collect()))
            .into_iter()
            .collect::<std::collections::BTreeMap<String, std::collections::BTreeMap<String, Param>>>()
    };
    let (mut here, there) = (twice(1.0), twice(3.0));
    let text = panic_of(|| here.copy_from(&there)).0;
    assert!(text.contains("copy_from: the models differ: `a.b.c` names two states here"), "{text}");
    assert_eq!(here["a"]["b.c"].value().item(), 1.0);
}
