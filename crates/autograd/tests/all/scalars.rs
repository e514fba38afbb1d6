//! Integers as operands of variables and tensors: `x * 2` equals `x * 2.0`.

use wengert_autograd::{Tape, Var};
use wengert_tensor::{Float, Tensor};

fn variables<T: Float>() {
    let tape = Tape::<T>::new();
    let x = tape.watch(Tensor::from_vec([1.0, -3.0].map(T::of).to_vec(), &[2]));
    let cases: [(Var<'_, T>, [f64; 2], [f64; 2]); 9] = [
        (x * 2, [2.0, -6.0], [2.0, 2.0]),
        (2 * x, [2.0, -6.0], [2.0, 2.0]),
        (x * -2, [-2.0, 6.0], [-2.0, -2.0]),
        (x + 1, [2.0, -2.0], [1.0, 1.0]),
        (1 + x, [2.0, -2.0], [1.0, 1.0]),
        (x - 1, [0.0, -4.0], [1.0, 1.0]),
        (1 - x, [0.0, 4.0], [-1.0, -1.0]),
        (x / 2, [0.5, -1.5], [0.5, 0.5]),
        // The derivative is -6 / x².
        (6 / x, [6.0, -2.0], [-6.0, -6.0 / 9.0]),
    ];
    for (i, (y, value, slope)) in cases.into_iter().enumerate() {
        let near = |a: Var<'_, T>, b: [f64; 2]| {
            a.value().to_vec().into_iter().zip(b).all(|(a, b)| (a.to() - b).abs() < 1e-6)
        };
        assert!(near(y, value), "case {i}: {:?}", y.value());
        assert!(near(y.sum_all().grad(&[x])[0], slope), "case {i}");
    }
}

#[test]
fn variables_can_be_combined_with_integer_literals() {
    variables::<f32>();
    variables::<f64>();
}

/// The types of literals and results are inferred, for integers and floats.
#[test]
fn the_type_of_a_variable_is_inferred_from_its_literals() {
    let tape = Tape::new();
    let x = tape.watch(Tensor::from([1.0f32, 2.0]));
    assert_eq!((x * 2.0).relu().sum_all().item(), 6.0);
    assert_eq!((0.5 * x).relu().sum_all().item(), 1.5);
    assert_eq!((2 * (1 - x)).square().sum_all().item(), 4.0);
    assert_eq!((x * -1.0 + 2 * x / 1).sum_all().item(), 3.0);
    let third = 1.0 / 3.0;
    assert_eq!((x * 3 * third).sum_all().item(), 3.0);
    let t = Tensor::from([1.0f32, 2.0]);
    assert_eq!((&t * 2.0 - 1.0).to_vec(), [1.0, 3.0]);
    assert_eq!((2 * (1 - &t)).to_vec(), [0.0, -2.0]);
}

#[test]
fn tensors_can_be_combined_with_integer_literals() {
    let x = Tensor::from([4.0f32, -2.0]);
    assert_eq!((&x * 2).to_vec(), [8.0, -4.0]);
    assert_eq!((2 * &x).to_vec(), [8.0, -4.0]);
    assert_eq!((&x + 1).to_vec(), [5.0, -1.0]);
    assert_eq!((1 + &x).to_vec(), [5.0, -1.0]);
    assert_eq!((&x - 1).to_vec(), [3.0, -3.0]);
    assert_eq!((1 - x.clone()).to_vec(), [-3.0, 3.0]);
    assert_eq!((x.clone() / 2).to_vec(), [2.0, -1.0]);
    assert_eq!((8 / x).to_vec(), [2.0, -4.0]);
    assert_eq!((Tensor::from([4.0f64, -2.0]) * 3).to_vec(), [12.0, -6.0]);
    // Integer tensors have these operators, too.
    let steps = Tensor::from([4i64, -2]);
    assert_eq!((&steps * 3).to_vec(), [12, -6]);
    assert_eq!((&steps - 5).to_vec(), [-1, -7]);
    assert_eq!((5 - &steps).to_vec(), [1, 7]);
    assert_eq!((&steps + -1).to_vec(), [3, -3]);
    assert_eq!((Tensor::from([4u8, 2]) * 3).to_vec(), [12, 6]);
}
