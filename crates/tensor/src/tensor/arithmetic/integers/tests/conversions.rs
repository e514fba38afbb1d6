//! Casts between types, and ranges of integers.

use super::{MANTISSA, NUMBERS, edges};
use crate::tensor::Tensor;
use crate::testing::panics_here;

#[test]
fn conversions_agree_with_the_as_operator_of_rust() {
    macro_rules! check {
        ($x:ident: $from:ident => $($to:ident)*) => { $(
            for &x in &$x {
                let (got, wanted) = (Tensor::from([x]).cast::<$to>().item(), x as $to);
                // Compared as text, because NaN is not equal to itself.
                let name = concat!(stringify!($from), " to ", stringify!($to));
                assert_eq!(format!("{got:?}"), format!("{wanted:?}"), "{name}: {x}");
            }
        )* };
    }
    let (i64s, u32s, u8s) = (edges::<i64>(), edges::<u32>(), edges::<u8>());
    check!(i64s: i64 => i64 u32 u8 f32 f64);
    check!(u32s: u32 => i64 u32 u8 f32 f64);
    check!(u8s: u8 => i64 u32 u8 f32 f64);
    check!(NUMBERS: f64 => i64 u32 u8 f32 f64);
    let f32s = NUMBERS.map(|x| x as f32);
    check!(f32s: f32 => i64 u32 u8 f32 f64);
    let booleans = [false, true];
    check!(booleans: bool => i64 u32 u8);
    assert_eq!(Tensor::from(booleans).cast::<f32>().to_vec(), [0.0, 1.0]);
    assert_eq!(Tensor::from(booleans).cast::<f64>().to_vec(), [0.0, 1.0]);
    assert_eq!(Tensor::from(i64s.clone()).cast::<bool>(), Tensor::from(i64s).ne(0.0));
    assert_eq!(Tensor::from([256u32, 0]).cast::<bool>().to_vec(), [true, false]);
    assert_eq!(Tensor::from([f32::NAN, 1e-40, -0.0]).cast::<bool>().to_vec(), [true, true, false]);
    // Computed by hand: 2⁶⁰ + 2³⁶ + 1 lies just above the middle of two neighbouring f32, so it rounds up.
    // Converted to f64 first, it would become the middle itself and then round down.
    let x = Tensor::from([(1i64 << 60) + (1 << 36) + 1]);
    assert_eq!(f64::from(x.cast::<f32>().item()), 2f64.powi(60) + 2f64.powi(37));
    assert_eq!(Tensor::from([MANTISSA + 1]).cast::<i64>().item(), MANTISSA + 1);
    assert_eq!(Tensor::from([-1i64, 300]).cast::<u8>().to_vec(), [255, 44]);
    assert_eq!(Tensor::from([f64::NAN, -1e9, 1e9]).cast::<u8>().to_vec(), [0, 0, 255]);
    // A cast to the same type copies nothing, whatever the layout is.
    let x = Tensor::<i64>::from_fn([2, 3], |i| i as i64).t();
    assert!(x.cast::<i64>().shares_storage(&x));
    assert_eq!(x.cast::<f64>().to_vec(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
}

#[test]
fn ranges_of_integers_are_exact() {
    let x = Tensor::<i64>::arange_of(2f64.powi(53), 2f64.powi(53) + 4.0, 1.0);
    assert_eq!(x.to_vec(), [MANTISSA, MANTISSA + 1, MANTISSA + 2, MANTISSA + 3]);
    assert_eq!(Tensor::<i64>::arange_of(5.0, -2.5, -3.0).to_vec(), [5, 2, -1]);
    assert_eq!(Tensor::<i64>::arange_of(5.0, -4.0, -3.0).to_vec(), [5, 2, -1]);
    assert_eq!(Tensor::<u8>::arange_of(250.0, 255.5, 1.0).to_vec(), [250, 251, 252, 253, 254, 255]);
    assert_eq!(Tensor::<u32>::arange_of(0.0, 2.5, 1.0).to_vec(), [0, 1, 2]);
    assert_eq!(Tensor::<bool>::arange_of(0.0, 2.0, 1.0).to_vec(), [false, true]);
    assert_eq!(Tensor::<i64>::arange_of(3.0, 3.0, 1.0).numel(), 0);
    assert_eq!(Tensor::<u8>::arange_of(400.0, 3.0, 1.0).numel(), 0);
    assert_eq!(Tensor::<f32>::arange_of(0.0, 1.0, 0.25).to_vec(), [0.0, 0.25, 0.5, 0.75]);
    panics_here("arange: 256 does not fit u8: name a wider type", || {
        drop(Tensor::<u8>::arange_of(0.0, 257.0, 1.0));
    });
    panics_here("arange: -1 does not fit u32: name a wider type", || {
        drop(Tensor::<u32>::arange_of(3.0, -2.0, -1.0));
    });
    panics_here(
        "arange: 0.5 is not an integer, but the elements are i64: make a tensor of f64 and cast it, for example Tensor::<f64>::arange_of(…).cast::<i64>()",
        || drop(Tensor::<i64>::arange_of(0.0, 2.0, 0.5)),
    );
    panics_here(
        "arange: start, end and step must be finite, and step not 0, got start 0, end inf and \
         step 1",
        || {
            drop(Tensor::<i64>::arange_of(0.0, f64::INFINITY, 1.0));
        },
    );
}
