//! Cases that other tests do not cover: two geometries of convolution on one tape, transposed vectors, and
//! custom rules that return a wrong shape or a variable of another tape.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use wengert_autograd::{Buffer, Call, Cotangents, CustomOp, Outputs, Param, Tape};
use wengert_tensor::{Conv, Shape, Tensor};

#[test]
fn two_convolutions_on_one_tape_have_their_own_geometries() {
    let tape = Tape::<f64>::new();
    let x = tape.watch(Tensor::ones_of(&[1, 1, 3, 3]));
    let w = tape.constant(Tensor::ones_of(&[1, 1, 3, 3]));
    let inner = x.conv2d(w, None, &Conv::new());
    let all = x.conv2d(w, None, &Conv::new().padding(1));
    // The values are the numbers of pixels in each window of 3 × 3.
    assert_eq!(inner.value().to_vec(), [9.0]);
    assert_eq!(all.value().to_vec(), [4.0, 6.0, 4.0, 6.0, 9.0, 6.0, 4.0, 6.0, 4.0]);
    assert_eq!(all.sum_all().grad(&[x])[0].value().to_vec(), all.value().to_vec());
}

#[test]
fn matmul_t_ignores_the_transposition_of_a_vector() {
    let tape = Tape::<f64>::new();
    let v = tape.watch(Tensor::from([1.0, 2.0]));
    let m = tape.constant(Tensor::from([[3.0, 4.0, 5.0], [6.0, 7.0, 8.0]]));
    for ta in [false, true] {
        assert_eq!(v.matmul_t(m, ta, false).value().to_vec(), [15.0, 18.0, 21.0]);
        assert_eq!(m.matmul_t(v, true, ta).value().to_vec(), [15.0, 18.0, 21.0]);
    }
}

/// The identity, with a wrong rule: it returns the sum of the cotangent, which has another shape.
struct Shrinks;
impl CustomOp<f64> for Shrinks {
    fn name(&self) -> &'static str {
        "shrinks"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0]].into())
    }
    fn forward(&self, x: &[Tensor<f64>]) -> Outputs<Tensor<f64>> {
        [x[0].clone()].into()
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, f64>) -> Cotangents<'t, f64> {
        std::iter::once(Some(c.gy().sum_all())).collect()
    }
}

#[test]
fn a_custom_rule_with_a_cotangent_of_another_shape_is_refused() {
    let tape = Tape::<f64>::new();
    let x = tape.watch(Tensor::ones_of(&[2, 3]));
    let loss = tape.custom(Arc::new(Shrinks), &[x])[0].sum_all();
    for variables in [false, true] {
        let run = AssertUnwindSafe(|| {
            if variables {
                drop(loss.grad(&[x]));
            } else {
                drop(loss.backward_retain());
            }
        });
        let text = *catch_unwind(run).unwrap_err().downcast::<String>().unwrap();
        assert!(
            text.contains(
                "shrinks: `vjp` returned a cotangent of shape [] for input 0 of shape [2, 3]"
            ),
            "{text}"
        );
    }
}

#[test]
fn count_buffer_adds_any_number() {
    let mut counter = Buffer::<i64>::new(Tensor::scalar_of(2));
    let tape = Tape::new();
    tape.count_buffer(&counter, 3);
    tape.watch(Tensor::scalar(1.0)).backward().apply_to_counter(&mut counter);
    assert_eq!(counter.value().item(), 5);
}

/// The sum of a gradient may overflow although each of its elements is finite.
#[test]
fn gradients_whose_sum_overflows_are_finite() {
    let w = Param::new(Tensor::from([0.0f32, 0.0]));
    let tape = Tape::new();
    let loss = (tape.param(&w) * 3e38).sum_all();
    let gradients = loss.backward_checked().unwrap();
    assert_eq!(gradients.get(&w).unwrap().to_vec(), [3e38, 3e38]);
    assert!(gradients.not_finite().is_empty());
}

#[test]
fn accumulated_gradients_know_which_parameters_were_frozen() {
    let (mut a, mut b) = (Param::new(Tensor::from([1.0f32])), Param::new(Tensor::from([1.0f32])));
    let run = |a: &Param, b: &Param| {
        let tape = Tape::new();
        (tape.param(a) * tape.param(b)).sum_all().backward()
    };
    a.freeze();
    let mut sum = run(&a, &b);
    a.unfreeze();
    b.freeze();
    sum.accumulate(run(&a, &b));
    assert!(sum.was_frozen(&a) && sum.was_frozen(&b));
}

#[test]
fn variables_of_an_inference_tape_are_not_active() {
    let tape = Tape::inference();
    assert!(!tape.watch(Tensor::scalar(1.0)).is_active());
}

/// The identity, with a wrong rule: it returns a variable of another tape, with the right shape.
struct Elsewhere;
impl CustomOp<f64> for Elsewhere {
    fn name(&self) -> &'static str {
        "elsewhere"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0]].into())
    }
    fn forward(&self, x: &[Tensor<f64>]) -> Outputs<Tensor<f64>> {
        [x[0].clone()].into()
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, f64>) -> Cotangents<'t, f64> {
        let other: &'static Tape<f64> = Box::leak(Box::new(Tape::new()));
        // The node number of the variable exists on the operation's tape for up to 2 elements, and does not
        // exist there for more.
        let mut g = other.constant(Tensor::ones_of(&c.gy().shape()));
        for _ in 0..if c.gy().numel() > 2 { 100 } else { 0 } {
            g = other.constant(g.value());
        }
        std::iter::once(Some(g)).collect()
    }
}

#[test]
fn a_custom_rule_with_a_cotangent_of_another_tape_is_refused() {
    for n in [2, 3] {
        for variables in [false, true] {
            let tape = Tape::<f64>::new();
            let x = tape.watch(Tensor::ones_of(&[n]));
            let loss = tape.custom(Arc::new(Elsewhere), &[x * 2.0])[0].sum_all();
            let run = AssertUnwindSafe(|| {
                if variables {
                    drop(loss.grad(&[x]));
                } else {
                    drop(loss.backward_retain());
                }
            });
            let text = *catch_unwind(run).expect_err("refused").downcast::<String>().unwrap();
            assert_eq!(
                text,
                "elsewhere: the variables are on different tapes: copy a value to the other tape \
                 with tape.constant(x.value())"
            );
        }
    }
}
