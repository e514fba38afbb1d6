//! Sums, differences, products, quotients and powers: exact, or refused with a message.

use super::{MANTISSA, NUMBERS, apart, edges};
use crate::tensor::{Number, Tensor};
use crate::testing::{panic_of, panics_here};

/// Returns the number as an integer if it is an integer below 2¹²⁰.
fn integer(c: f64) -> Option<i128> {
    if !c.is_finite() {
        return None;
    }
    let (mantissa, exponent) = apart(c);
    match exponent {
        0..67 => Some(mantissa << exponent),
        -60..0 if mantissa % (1 << -exponent) == 0 => Some(mantissa >> -exponent),
        _ => (mantissa == 0).then_some(0),
    }
}

/// Returns the expected result of an operator, or `None` if it must panic.
fn wanted(op: &str, a: i128, b: i128) -> Option<i128> {
    match op {
        "add" => Some(a + b),
        "sub" => Some(a - b),
        "mul" => a.checked_mul(b),
        _ if b == 0 => None,
        _ => Some(a / b),
    }
}

#[track_caller]
fn agrees<T: Number>(what: &str, wanted: Option<T>, op: &str, f: impl FnOnce() -> Tensor<T>) {
    if let Some(wanted) = wanted {
        assert_eq!(f().to_vec(), [wanted], "{what}");
    } else {
        let panic = panic_of(|| drop(f()));
        assert!(panic.message.starts_with(&format!("{op}: ")), "{what}: {}", panic.message);
        assert!(panic.file.ends_with("tests/operators.rs"), "{what}: {}", panic.file);
    }
}

fn arithmetic_of<T: Number + Into<i128>>() {
    let all = edges::<T>();
    for (&a, &b) in all.iter().flat_map(|a| all.iter().map(move |b| (a, b))) {
        let (x, y) = (Tensor::scalar_of(a), Tensor::scalar_of(b));
        let (a, b) = (a.into(), b.into());
        let fit = |op| wanted(op, a, b).and_then(T::exactly);
        agrees(&format!("{a} + {b}"), fit("add"), "add", || &x + &y);
        agrees(&format!("{a} - {b}"), fit("sub"), "sub", || &x - &y);
        agrees(&format!("{a} * {b}"), fit("mul"), "mul", || &x * &y);
        agrees(&format!("{a} / {b}"), fit("div"), "div", || &x / &y);
        agrees(&format!("max({a}, {b})"), T::exactly(a.max(b)), "", || x.maximum(&y));
        agrees(&format!("min({a}, {b})"), T::exactly(a.min(b)), "", || x.minimum(&y));
        agrees(&format!("{a} ^ {b}"), naive_power(a, b).and_then(T::exactly), "pow", || x.pow(&y));
        let mut z = x.clone();
        agrees(&format!("{a} += {b}"), fit("add"), "add", || {
            z += &y;
            z
        });
    }
    for &a in &all {
        let x = Tensor::scalar_of(a);
        agrees(&format!("-({a})"), T::exactly(-a.into()), "neg", || -&x);
        for c in NUMBERS {
            with_number(&x, a.into(), c);
        }
    }
}

/// Computes a power by repeated multiplication; `None` if it fits no type.
fn naive_power(a: i128, b: i128) -> Option<i128> {
    if b < 0 {
        // 1 / aᵇ is an integer only if a is 1 or -1.
        return if a.abs() == 1 { naive_power(a, -b) } else { None };
    }
    if a.abs() <= 1 {
        return Some(if b == 0 || (a == -1 && b % 2 == 0) { 1 } else { a });
    }
    let mut power = 1i128;
    for _ in 0..b {
        power *= a;
        if power.abs() > 1 << 64 {
            return None;
        }
    }
    Some(power)
}

fn with_number<T: Number>(x: &Tensor<T>, a: i128, c: f64) {
    let in_words = |op: &str, f: &dyn Fn() -> Tensor<T>| {
        let message = panic_of(|| drop(f())).message;
        let start = format!("{op}: {c} is not an integer, and the tensor holds {}: cast", T::DTYPE);
        assert!(message.starts_with(&start), "{message}");
    };
    if c.fract() != 0.0 {
        in_words("add", &|| x + c);
        in_words("sub", &|| x - c);
        in_words("mul", &|| c * x);
        in_words("div", &|| x / c);
        in_words("div", &|| c / x);
        in_words("sub", &|| c - x);
        return;
    }
    let Some(integer) = integer(c) else {
        // `c` is beyond the range of every integer type, for example 10³⁰⁰.
        let zero = T::exactly(0);
        agrees(&format!("{a} + {c}"), None, "add", || x + c);
        agrees(&format!("{c} - {a}"), None, "sub", || c - x);
        agrees(&format!("{a} * {c}"), if a == 0 { zero } else { None }, "mul", || x * c);
        agrees(&format!("{a} / {c}"), zero, "div", || x / c);
        agrees(&format!("{c} / {a}"), None, "div", || c / x);
        return;
    };
    let right = |op| wanted(op, a, integer).and_then(T::exactly);
    let left = |op| wanted(op, integer, a).and_then(T::exactly);
    agrees(&format!("{a} + {c}"), right("add"), "add", || x + c);
    agrees(&format!("{a} - {c}"), right("sub"), "sub", || x - c);
    agrees(&format!("{a} * {c}"), right("mul"), "mul", || x * c);
    agrees(&format!("{a} / {c}"), right("div"), "div", || x / c);
    agrees(&format!("{c} + {a}"), left("add"), "add", || c + x);
    agrees(&format!("{c} - {a}"), left("sub"), "sub", || c - x);
    agrees(&format!("{c} * {a}"), left("mul"), "mul", || c * x);
    agrees(&format!("{c} / {a}"), left("div"), "div", || c / x);
    let mut y = x.clone();
    agrees(&format!("{a} -= {c}"), right("sub"), "sub", || {
        y -= c;
        y
    });
}

#[test]
fn arithmetic_of_i64_is_exact_or_refused() {
    arithmetic_of::<i64>();
}

#[test]
fn arithmetic_of_u32_is_exact_or_refused() {
    arithmetic_of::<u32>();
}

#[test]
fn arithmetic_of_u8_is_exact_or_refused() {
    arithmetic_of::<u8>();
}

#[test]
fn messages_of_overflow_name_operation_and_operands() {
    let words = |op: &str, c: &str, dtype: &str| {
        format!(
            "{op}: {c} is not an integer, and the tensor holds {dtype}: cast first, for \
             example x.cast::<f64>()"
        )
    };
    let fit = |what: &str| format!("{what}: cast first, for example x.cast::<i64>()");
    let x = Tensor::from([5i64, 10]);
    panics_here(&words("add", "0.5", "i64"), || drop(&x + 0.5));
    panics_here(&words("div", "2.5", "i64"), || drop(&x / 2.5));
    panics_here(&words("mul", "NaN", "i64"), || drop(&x * f64::NAN));
    panics_here(&words("div", "inf", "i64"), || drop(f64::INFINITY / &x));
    panics_here("div: division by zero: 5 / 0", || drop(&x / 0.0));
    panics_here("div: division by zero: 1 / 0", || drop(1.0 / (&x - 5.0)));
    panics_here("div: division by zero: 1e300 / 0", || drop(1e300 / (&x - 5.0)));
    panics_here("div: division by zero: 5 / 0", || drop(&x / Tensor::scalar_of(0)));
    let i64_range = "does not fit i64 (-9223372036854775808 to 9223372036854775807): cast first, \
                     for example x.cast::<f64>()";
    panics_here(&format!("div: -9223372036854775808 / -1 {i64_range}"), || {
        drop(Tensor::from([i64::MIN]) / Tensor::from([-1]));
    });
    panics_here(&format!("neg: the negative of -9223372036854775808 {i64_range}"), || {
        drop(-Tensor::from([i64::MIN]));
    });
    panics_here(&format!("add: 5 + 1e300 {i64_range}"), || drop(&x + 1e300));
    let bytes = Tensor::from([200u8, 5]);
    panics_here(&fit("mul: 200 * -1 does not fit u8 (0 to 255)"), || drop(&bytes * -1.0));
    panics_here(&fit("add: 200 + 300 does not fit u8 (0 to 255)"), || drop(&bytes + 300.0));
    panics_here(&fit("add: 200 + 100 does not fit u8 (0 to 255)"), || drop(&bytes + 100.0));
    panics_here(&fit("sub: 5 - 6 does not fit u8 (0 to 255)"), || drop(&bytes - 6.0));
    panics_here(&fit("sub: 1 - 200 does not fit u8 (0 to 255)"), || drop(1.0 - &bytes));
    panics_here(&fit("neg: the negative of 200 does not fit u8 (0 to 255)"), || drop(-&bytes));
    panics_here(
        "pow: 2 to the power of -1 is not an integer: cast first, for example x.cast::<f64>()",
        || drop(Tensor::from([2i64]).pow(&Tensor::from([-1]))),
    );
    panics_here("pow: 0 to the power of -2 divides by zero", || {
        drop(Tensor::from([0i64]).pow(&Tensor::from([-2])));
    });
    panics_here(&format!("pow: 3 to the power of 5000000001 {i64_range}"), || {
        drop(Tensor::from([3i64]).pow(&Tensor::from([5_000_000_001])));
    });
    let twice = Tensor::from([0, 0]);
    let sum = bytes.index_add_zeros(0, &twice, 1);
    assert_eq!(sum.index_add_zeros(0, &Tensor::from([0]), 1), sum);
    panics_here("index_add: a sum does not fit u8: cast to a wider type first", || {
        drop((&bytes + 51.0).index_add_zeros(0, &twice, 1));
    });
    panics_here("scatter_add: a sum does not fit u8: cast to a wider type first", || {
        drop(bytes.scatter_add(0, &Tensor::from([0, 0]), &bytes));
    });
}

#[test]
fn powers_of_zero_and_one_fit_any_exponent() {
    let b = Tensor::from([5_000_000_001i64, -5_000_000_000, i64::MAX, i64::MIN]);
    assert_eq!(Tensor::from([1i64]).pow(&b).to_vec(), [1; 4]);
    assert_eq!(Tensor::from([-1i64]).pow(&b).to_vec(), [-1, 1, -1, 1]);
    assert_eq!(Tensor::from([0i64]).pow(&Tensor::from([0i64, i64::MAX])).to_vec(), [1, 0]);
    assert_eq!(Tensor::from([-2i64]).pow(&Tensor::from([63i64])).to_vec(), [i64::MIN]);
}

/// Every `f64` from 2⁵³ on is even; integers of that size may be odd.
#[test]
fn powers_with_huge_exponents_have_the_right_sign() {
    const BEYOND: i64 = MANTISSA + 1;
    let x = Tensor::from([0i64, 1, -1]);
    let even = [0, 1, 1];
    for c in [9_007_199_254_740_992.0, 9_007_199_254_740_994.0, 1e30, 1e38, 2e38, 1e300, f64::MAX] {
        assert_eq!(x.pow(c).to_vec(), even, "{c}");
        assert_eq!(Tensor::from([1u8, 0]).pow(c).to_vec(), [1, 0], "{c}");
        assert_eq!(Tensor::from([1u32, 0]).pow(c).to_vec(), [1, 0], "{c}");
        let ones = Tensor::from([1i64, -1]);
        assert_eq!(ones.pow(-c).to_vec(), [1, 1], "-{c}");
        let text = panic_of(|| drop(x.pow(-c))).message;
        let shown = if c < 1e16 { format!("-{c}") } else { format!("-{c:e}") };
        assert_eq!(text, format!("pow: 0 to the power of {shown} divides by zero"));
        let text = panic_of(|| drop(Tensor::from([2i64]).pow(-c))).message;
        assert!(text.starts_with(&format!("pow: 2 to the power of {shown} is not")), "{text}");
        panic_of(|| drop(Tensor::from([-2i64]).pow(c)));
    }
    for odd in [MANTISSA - 1, BEYOND, i64::MAX, -BEYOND, i64::MIN + 1] {
        let ones = Tensor::from([1i64, -1]);
        assert_eq!(ones.pow(odd).to_vec(), [1, -1], "{odd}");
        assert_eq!(ones.pow(&Tensor::from([odd])).to_vec(), [1, -1], "{odd}");
    }
    assert_eq!(x.pow(MANTISSA as f64 - 1.0).to_vec(), [0, 1, -1]);
    assert_eq!(x.pow(usize::MAX).to_vec(), [0, 1, -1]);
    assert_eq!(Tensor::from([1i64, -1]).pow(i64::MIN).to_vec(), [1, 1]);
}

#[test]
fn a_refused_in_place_operation_keeps_the_target() {
    let mut x = Tensor::from([1u8, 200, 3]);
    let other = x.clone();
    panic_of(|| x += &other);
    panic_of(|| x *= 2.0);
    panic_of(|| x -= 0.5);
    assert_eq!(x.to_vec(), [1, 200, 3]);
    x /= 2.0;
    assert_eq!(x.to_vec(), [0, 100, 1]);
}

/// An in-place operation with a number gives the same bits as the operation with a number.
#[test]
fn in_place_operations_with_a_number_have_the_same_bits() {
    let x = Tensor::<f32>::from_fn([700], |i| (i as f32 - 350.0) / 7.0);
    let (mut add, mut sub, mut mul, mut div) = (x.clone(), x.clone(), x.clone(), x.clone());
    add += 0.1;
    sub -= 0.1;
    mul *= 0.1;
    div /= 0.3;
    for (i, x) in x.to_vec().into_iter().enumerate() {
        assert_eq!([add.at(&[i]), sub.at(&[i])], [x + 0.1, x - 0.1]);
        assert_eq!([mul.at(&[i]), div.at(&[i])], [x * 0.1, x / 0.3]);
    }
}

/// Operands of many vectors, in several layouts; the first pair that does not fit is named, wherever it is.
#[test]
fn operators_on_large_tensors_are_exact_or_name_the_first_that_does_not_fit() {
    type Case<T> = (fn(&Tensor<T>, &Tensor<T>) -> Tensor<T>, fn(i128, i128) -> i128);
    fn check<T: Number + Into<i128>>(a: impl Fn(usize) -> T, b: impl Fn(usize) -> T) {
        let n = 4900;
        let (x, y) = (Tensor::from_fn(&[70, 70], a), Tensor::from_fn(&[70, 70], b));
        let cases: [Case<T>; 5] = [
            (|a, b| a + b, |a, b| a + b),
            (|a, b| a - b, |a, b| a - b),
            (|a, b| a * b, |a, b| a * b),
            (|a, b| a.maximum(b), i128::max),
            (|a, b| a.minimum(b), i128::min),
        ];
        let row = y.narrow(0, 3, 1);
        for (op, exact) in cases {
            for (a, b) in [(&x, &y), (&x, &row), (&x.t(), &y), (&x.flip(0), &y.flip(1))] {
                let wanted = a.to_vec().into_iter().zip(b.broadcast_to(&[70, 70]).to_vec());
                let wanted: Vec<i128> = wanted.map(|(a, b)| exact(a.into(), b.into())).collect();
                let got: Vec<i128> = op(a, b).to_vec().into_iter().map(Into::into).collect();
                assert_eq!(got, wanted);
            }
        }
        assert_eq!(x.numel(), n);
    }
    check(|i| (i % 100) as i64 - 50, |i| (i % 71) as i64 - 100);
    check(|i| i64::MAX / 8 - i as i64, |i| (i % 7) as i64 - 3);
    check(|i| 400 + (i % 100) as u32, |i| (i % 71) as u32);
    check(|i| 65_000 + i as u32 % 8, |i| 65_000 - i as u32 % 8);
    check(|i| 15 + (i % 2) as u8, |i| (i % 15) as u8);

    let first = |at: usize| {
        move |edge: i64, i: usize| if i == at || i == 1999 { edge + i64::from(i != at) } else { 1 }
    };
    for at in [0, 511, 512, 1000, 1998] {
        let at = first(at);
        let max = Tensor::<i64>::from_fn(&[2000], |i| at(i64::MAX - 1, i));
        let by = Tensor::<i64>::from_fn(&[2000], |i| at(2, i));
        let to = "does not fit i64 (-9223372036854775808 to 9223372036854775807): cast first, for example x.cast::<f64>()";
        panics_here(&format!("add: 9223372036854775806 + 2 {to}"), || drop(&max + &by));
        panics_here(&format!("mul: 9223372036854775806 * 2 {to}"), || drop(&max * &by));
        let min = Tensor::<i64>::from_fn(&[2000], |i| at(i64::MIN + 1, i));
        panics_here(&format!("sub: -9223372036854775807 - 2 {to}"), || drop(&min - &by));
        let bytes = Tensor::<u8>::from_fn(&[2000], |i| at(200, i) as u8);
        let others = Tensor::<u8>::from_fn(&[2000], |i| if at(0, i) == 1 { 1 } else { 60 });
        let to = "does not fit u8 (0 to 255): cast first, for example x.cast::<i64>()";
        panics_here(&format!("add: 200 + 60 {to}"), || drop(&bytes + &others));
        panics_here(&format!("mul: 200 * 60 {to}"), || drop(&bytes * &others));
        panics_here(&format!("sub: 1 - 200 {to}"), || {
            drop(Tensor::<u8>::full_of(&[2000], 1) - &bytes);
        });
    }
}
