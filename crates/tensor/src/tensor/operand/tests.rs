use crate::Tensor;
use crate::testing::panic_of;

/// Checks how the message of a panic begins, and that its location is in this file.
#[track_caller]
fn panics(message: &str, f: impl FnOnce()) {
    let panic = panic_of(f);
    assert!(panic.message.starts_with(message), "{message}: {}", panic.message);
    assert_eq!(panic.file, file!(), "{message}");
}

const FAR: i64 = (1 << 53) + 1;

/// Beyond 2⁵³ an integer and the nearest `f64` may differ.
#[test]
fn operations_with_integers_beyond_2_to_the_53_are_exact() {
    let x = Tensor::from([FAR - 1, FAR, FAR + 1]);
    assert_eq!(x.eq(FAR).to_vec(), [false, true, false]);
    assert_eq!(x.ne(FAR).to_vec(), [true, false, true]);
    assert_eq!(x.gt(FAR).to_vec(), [false, false, true]);
    assert_eq!(x.ge(FAR).to_vec(), [false, true, true]);
    assert_eq!(x.lt(FAR).to_vec(), [true, false, false]);
    assert_eq!(x.le(FAR).to_vec(), [true, true, false]);
    assert_eq!(x.eq(FAR as f64).to_vec(), [true, false, false]);
    assert_eq!(x.maximum(FAR).to_vec(), [FAR, FAR, FAR + 1]);
    assert_eq!(x.minimum(FAR).to_vec(), [FAR - 1, FAR, FAR]);
    let mask = Tensor::from([true, false, true]);
    assert_eq!(x.masked_fill(&mask, FAR).to_vec(), [FAR; 3]);
    assert_eq!(Tensor::where_(&mask, FAR, &x).to_vec(), [FAR; 3]);
    assert_eq!(x.pad(&[(1, 0)], FAR).to_vec(), [FAR, FAR - 1, FAR, FAR + 1]);
}

/// Literals without a type suffix, integers of every type, tensors by reference and by value.
#[test]
fn operators_accept_every_kind_of_operand() {
    let x = Tensor::from([-1.0, 0.0, 2.0]);
    let wanted = [false, false, true];
    assert_eq!(x.gt(0).to_vec(), wanted);
    assert_eq!(x.gt(0.0).to_vec(), wanted);
    assert_eq!(x.gt(0i64).to_vec(), wanted);
    assert_eq!(x.gt(0usize).to_vec(), wanted);
    let zeros = Tensor::from([0.0, -0.0, 0.0]);
    assert_eq!(x.gt(&zeros).to_vec(), wanted);
    assert_eq!(x.gt(zeros).to_vec(), wanted);
    assert_eq!(x.gt(-1).to_vec(), [false, true, true]);
    assert_eq!(Tensor::from([3u8, 7]).eq(7u8).to_vec(), [false, true]);
    assert_eq!(Tensor::from([3u32, 7]).eq(7u32).to_vec(), [false, true]);
    assert_eq!(Tensor::from([true, false]).eq(false).to_vec(), [false, true]);
    // The receiver is a reference.
    let y = &x;
    assert_eq!(y.eq(y).to_vec(), [true; 3]);
    assert_eq!(y.ne(2).to_vec(), [true, true, false]);
    assert!(x == *y);
}

#[test]
fn integer_operands_of_floats_are_rounded() {
    // 2²⁴ + 1 is not an `f32`.
    let x = Tensor::from([16_777_216f32]);
    assert_eq!(x.eq(16_777_217).to_vec(), [true]);
    assert_eq!(x.maximum(16_777_219).to_vec(), [16_777_220f32]);
}

#[test]
fn maximum_and_minimum_with_numbers_pass_nan() {
    let x = Tensor::from([f32::NAN, -1.0, 3.0]);
    let y = x.maximum(0.5).to_vec();
    assert!(y[0].is_nan() && y[1..] == [0.5, 3.0], "{y:?}");
    let y = x.minimum(0.5).to_vec();
    assert!(y[0].is_nan() && y[1..] == [-1.0, 0.5], "{y:?}");
    assert!(x.maximum(f64::NAN).to_vec().iter().all(|x| x.is_nan()));
    // Only the results must fit the type.
    let bytes = Tensor::from([0u8, 200]);
    assert_eq!(bytes.maximum(-1).to_vec(), [0, 200]);
    assert_eq!(bytes.minimum(300).to_vec(), [0, 200]);
    assert_eq!(bytes.minimum(100.0).to_vec(), [0, 100]);
    panics("maximum: 300 does not fit u8 (0 to 255)", || drop(bytes.maximum(300)));
    panics("minimum: -1 does not fit u8 (0 to 255)", || drop(bytes.minimum(-1)));
    panics("maximum: 0.5 is not an integer", || drop(bytes.maximum(0.5)));
}

#[test]
fn powers_with_number_exponents_agree_with_std() {
    let x = Tensor::from([-2.0f32, 3.0]);
    assert_eq!(x.pow(3).to_vec(), [-8.0, 27.0]);
    assert_eq!(x.pow(-1).to_vec(), [-0.5, 1.0 / 3.0]);
    assert_eq!(x.pow(0.0).to_vec(), [1.0, 1.0]);
    assert_eq!(x.square().to_vec(), [4.0, 9.0]);
    let y = x.pow(0.5).to_vec();
    assert!(y[0].is_nan() && (y[1] - 3f32.sqrt()).abs() < 1e-6, "{y:?}");
    // The exponent exceeds `i32`, and the base differs from 1 by one rounding error.
    let growth = Tensor::from([1.0 + f64::EPSILON]).pow(1i64 << 33).item();
    assert!((growth - (f64::EPSILON * 2f64.powi(33)).exp()).abs() < 1e-12, "{growth}");
    let integers = Tensor::from([-3i64, 2]);
    assert_eq!(integers.pow(2).to_vec(), [9, 4]);
    assert_eq!(integers.pow(3.0).to_vec(), [-27, 8]);
    assert_eq!(integers.square().to_vec(), [9, 4]);
    assert_eq!(Tensor::from([1u8, 0]).pow(1_000_000).to_vec(), [1, 0]);
    panics("pow: 2 to the power of 300 does not fit u8", || {
        drop(Tensor::from([2u8]).pow(300));
    });
    panics("pow: -3 to the power of -1 is not an integer", || drop(integers.pow(-1)));
    panics("pow: 0.5 is not an integer", || drop(integers.pow(0.5)));
    panics("pow: 16 to the power of 2 does not fit u8", || {
        drop(Tensor::from([16u8]).square());
    });
}

#[test]
fn where_chooses_between_numbers_and_tensors() {
    let which = Tensor::from([[true], [false]]);
    let y: Tensor = Tensor::where_(&which, 1, -0.5);
    assert_eq!(y, Tensor::from([[1.0], [-0.5]]));
    let x = Tensor::from([1i64, 2]);
    assert_eq!(Tensor::where_(&which, &x, 0), Tensor::from([[1, 2], [0, 0]]));
    assert_eq!(Tensor::where_(&which, 7, x.clone()), Tensor::from([[7, 7], [1, 2]]));
    // The value may be a tensor, also one that is larger than `x`.
    let y = x.masked_fill(&which, &Tensor::from([8i64, 9]));
    assert_eq!(y, Tensor::from([[8, 9], [1, 2]]));
    let flags = Tensor::from([true, false]);
    assert_eq!(flags.masked_fill(&flags, false).to_vec(), [false, false]);
    assert_eq!(flags.pad(&[(0, 1)], true).to_vec(), [true, false, true]);
    panics("masked_fill: 0.5 is not an integer, and the tensor holds i64", || {
        drop(x.masked_fill(&which, 0.5));
    });
    panics("where_: 256 does not fit u8", || {
        drop(Tensor::where_(&which, &Tensor::from([1u8]), 256));
    });
    panics("pad: 2 does not fit bool", || drop(flags.pad(&[(0, 1)], 2)));
    panics("pad: the value must have one element, got shape [2]", || {
        drop(x.pad(&[(0, 1)], &x));
    });
    panics("masked_fill: ", || drop(x.masked_fill(&which, &Tensor::from([1i64, 2, 3]))));
}

#[test]
fn means_of_all_elements_are_rounded_once() {
    assert_eq!(Tensor::from([true, false, true, true]).mean_all(), 0.75);
    assert_eq!(Tensor::from([255u8, 0]).mean_all(), 127.5);
    // 2⁵³ + 1.5: the nearest `f64` is 2⁵³ + 2.
    assert_eq!(Tensor::from([FAR, FAR + 1]).mean_all(), (FAR + 1) as f64);
    // The mean is computed in the element type: 0.1f32 three times.
    let third = (0.1f32 + 0.1 + 0.1) / 3.0;
    assert_eq!(Tensor::from([0.1f32; 3]).mean_all(), f64::from(third));
    assert!(Tensor::zeros([0, 3]).mean_all().is_nan());
    assert!(Tensor::<i64>::zeros_of([0]).mean_all().is_nan());
}

#[test]
fn softmax_is_exp_divided_by_the_sum() {
    let x = Tensor::from([[1.0f64, 2.0, 4.0], [0.0, -1e3, 0.0]]);
    let y = x.softmax(-1).to_vec();
    let sum = 1f64.exp() + 2f64.exp() + 4f64.exp();
    for (y, wanted) in y.iter().zip([1f64, 2.0, 4.0].map(|x| x.exp() / sum)) {
        assert!((y - wanted).abs() < 1e-14, "{y} {wanted}");
    }
    for (y, wanted) in y[3..].iter().zip([0.5, 0.0, 0.5]) {
        assert!((y - wanted).abs() < 1e-14, "{y} {wanted}");
    }
    panics("softmax: axis 2 is out of range for shape [2, 3]", || drop(x.softmax(2)));
}
