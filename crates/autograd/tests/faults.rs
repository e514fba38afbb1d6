//! What other tests do not look at: two geometries of one stride, transposed vectors, rules of users that
//! return another shape.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use wengert_autograd::{Call, Cotangents, CustomOp, Outputs, Tape};
use wengert_tensor::{Conv, Shape, Tensor};

#[test]
fn convolutions_of_one_tape_keep_their_geometries() {
    let tape = Tape::<f64>::new();
    let x = tape.watch(Tensor::ones_of(&[1, 1, 3, 3]));
    let w = tape.constant(Tensor::ones_of(&[1, 1, 3, 3]));
    let inner = x.conv2d(w, None, &Conv::new());
    let all = x.conv2d(w, None, &Conv::new().padding(1));
    // How many pixels a window of 3 × 3 covers.
    assert_eq!(inner.value().to_vec(), [9.0]);
    assert_eq!(all.value().to_vec(), [4.0, 6.0, 4.0, 6.0, 9.0, 6.0, 4.0, 6.0, 4.0]);
    assert_eq!(all.sum_all().grad(&[x])[0].value().to_vec(), all.value().to_vec());
}

#[test]
fn a_vector_is_its_own_transpose() {
    let tape = Tape::<f64>::new();
    let v = tape.watch(Tensor::from([1.0, 2.0]));
    let m = tape.constant(Tensor::from([[3.0, 4.0, 5.0], [6.0, 7.0, 8.0]]));
    for ta in [false, true] {
        assert_eq!(v.matmul_t(m, ta, false).value().to_vec(), [15.0, 18.0, 21.0]);
        assert_eq!(m.matmul_t(v, true, ta).value().to_vec(), [15.0, 18.0, 21.0]);
    }
}

/// x, with a rule that returns the sum of the cotangent.
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
fn a_rule_returns_cotangents_of_the_shapes_of_its_inputs() {
    let tape = Tape::<f64>::new();
    let x = tape.watch(Tensor::ones_of(&[2, 3]));
    let loss = tape.custom(Arc::new(Shrinks), &[x])[0].sum_all();
    for variables in [false, true] {
        let run = AssertUnwindSafe(|| match variables {
            true => drop(loss.grad(&[x])),
            false => drop(loss.backward_retain()),
        });
        let text = *catch_unwind(run).unwrap_err().downcast::<String>().unwrap();
        assert!(
            text.contains("shrinks: its rule must return a cotangent of shape [2, 3] for input 0"),
            "{text}"
        );
    }
}
