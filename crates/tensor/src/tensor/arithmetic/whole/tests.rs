//! Compares arithmetic of integers and booleans with `i128`, with Rust's own conversions, and with `f64`
//! decomposed into its bits.

use crate::tensor::Tensor;
use crate::tensor::{Element, Number};
use crate::testing::{panic_of, panics_here};
use std::cmp::Ordering;

const MANTISSA: i64 = 1 << 53;

/// Returns the mantissa and the exponent of a finite number `mantissa · 2^exponent`.
fn apart(c: f64) -> (i128, i32) {
    let bits = c.to_bits();
    let (exponent, fraction) = ((bits >> 52 & 0x7ff) as i32, (bits & ((1 << 52) - 1)) as i128);
    let (mantissa, exponent) =
        if exponent == 0 { (fraction, -1074) } else { (fraction + (1 << 52), exponent - 1075) };
    (if c < 0.0 { -mantissa } else { mantissa }, exponent)
}

/// Compares `x`, which has at most 64 bits, with a number.
fn order(x: i128, c: f64) -> Option<Ordering> {
    if c.is_nan() {
        return None;
    }
    if c.is_infinite() {
        return Some(if c > 0.0 { Ordering::Less } else { Ordering::Greater });
    }
    let (mantissa, exponent) = apart(c);
    Some(match exponent {
        // The number is beyond the range of `x`.
        70.. => 0.cmp(&mantissa),
        0..70 => x.cmp(&(mantissa << exponent)),
        -60..0 => (x << -exponent).cmp(&mantissa),
        // The number lies between -1 and 1.
        _ if x == 0 => 0.cmp(&mantissa),
        _ => x.cmp(&0),
    })
}

/// Returns the number as an integer if it is a whole number below 2¹²⁰.
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

const NUMBERS: [f64; 36] = [
    f64::NEG_INFINITY,
    -1e300,
    -9_223_372_036_854_777_856.0,
    -9_223_372_036_854_775_808.0,
    -9_007_199_254_740_992.0,
    -4_294_967_296.0,
    -256.0,
    -2.5,
    -1.0,
    -0.5,
    -f64::MIN_POSITIVE,
    -0.0,
    0.0,
    5e-324,
    0.5,
    1.0,
    1.5,
    2.0,
    2.5,
    3.0,
    254.5,
    255.0,
    255.5,
    256.0,
    300.0,
    4_294_967_295.0,
    4_294_967_295.5,
    4_294_967_296.0,
    9_007_199_254_740_991.0,
    9_007_199_254_740_992.0,
    9_007_199_254_740_994.0,
    9_223_372_036_854_774_784.0,
    9_223_372_036_854_775_808.0,
    1e300,
    f64::INFINITY,
    f64::NAN,
];

/// Returns elements near the limits of types and near other special values.
fn edges<T: Element>() -> Vec<T> {
    let near = |x: i128| (-2..=2).map(move |d| x + d);
    [
        0,
        7,
        -7,
        16,
        255,
        1 << 16,
        1 << 31,
        u32::MAX.into(),
        3_037_000_500,
        MANTISSA.into(),
        -i128::from(MANTISSA),
        i64::MAX.into(),
        i64::MIN.into(),
    ]
    .into_iter()
    .flat_map(near)
    .filter_map(T::exactly)
    .collect()
}

fn comparisons_of<T: Element + Into<i128>>() {
    let all = edges::<T>();
    let x = Tensor::from(all.clone());
    for c in NUMBERS {
        let wanted = |holds: fn(Option<Ordering>) -> bool| {
            all.iter().map(|&x| holds(order(x.into(), c))).collect::<Vec<bool>>()
        };
        assert_eq!(x.gt(c).to_vec(), wanted(|o| o == Some(Ordering::Greater)), "> {c}");
        assert_eq!(x.lt(c).to_vec(), wanted(|o| o == Some(Ordering::Less)), "< {c}");
        assert_eq!(x.eq(c).to_vec(), wanted(|o| o == Some(Ordering::Equal)), "= {c}");
        assert_eq!(x.ne(c).to_vec(), wanted(|o| o != Some(Ordering::Equal)), "≠ {c}");
        assert_eq!(x.ge(c).to_vec(), wanted(|o| o.is_some_and(Ordering::is_ge)), "≥ {c}");
        assert_eq!(x.le(c).to_vec(), wanted(|o| o.is_some_and(Ordering::is_le)), "≤ {c}");
    }
    for &a in &all {
        let (a_wide, a) = (a.into(), Tensor::scalar_of(a));
        let wanted = |holds: fn(&i128, &i128) -> bool| {
            all.iter().map(|&b| holds(&a_wide, &b.into())).collect::<Vec<bool>>()
        };
        assert_eq!(a.gt(&x).to_vec(), wanted(i128::gt));
        assert_eq!(a.ge(&x).to_vec(), wanted(i128::ge));
        assert_eq!(a.lt(&x).to_vec(), wanted(i128::lt));
        assert_eq!(a.le(&x).to_vec(), wanted(i128::le));
        assert_eq!(a.eq(&x).to_vec(), wanted(i128::eq));
        assert_eq!(a.ne(&x).to_vec(), wanted(i128::ne));
    }
}

#[test]
fn comparisons_of_integers_with_numbers_are_exact() {
    comparisons_of::<i64>();
    comparisons_of::<u32>();
    comparisons_of::<u8>();
    comparisons_of::<bool>();
    // Examples computed by hand.
    assert_eq!(Tensor::from([2i64, 3]).lt(2.5).to_vec(), [true, false]);
    assert_eq!(Tensor::from([0i64, 1, 2, 3]).ge(1.5).to_vec(), [false, false, true, true]);
    assert_eq!(Tensor::from([255u8]).lt(300.0).to_vec(), [true]);
    assert_eq!(Tensor::from([255u8]).eq(300.0).to_vec(), [false]);
    assert_eq!(Tensor::from([0u8, 5]).gt(-1.0).to_vec(), [true, true]);
    assert_eq!(Tensor::from([MANTISSA + 1]).eq(2f64.powi(53)).to_vec(), [false]);
    assert_eq!(Tensor::from([i64::MAX]).lt(2f64.powi(63)).to_vec(), [true]);
    assert_eq!(Tensor::from([true, false]).eq(2.0).to_vec(), [false, false]);
    assert_eq!(Tensor::from([true, false]).lt(0.5).to_vec(), [false, true]);
}

/// Every comparison with NaN is false except "not equal". For floats the number is rounded to their type.
#[test]
fn comparisons_of_floats_round_the_number_to_their_type() {
    let x = Tensor::from([0.1f32, f32::NAN, f32::INFINITY]);
    assert_eq!(x.eq(0.1).to_vec(), [true, false, false]);
    assert_eq!(x.ge(0.1).to_vec(), [true, false, true]);
    assert_eq!(x.lt(f64::INFINITY).to_vec(), [true, false, false]);
    assert_eq!(x.ne(0.1).to_vec(), [false, true, true]);
    assert_eq!(x.ne(f64::NAN).to_vec(), [true; 3]);
    assert_eq!(x.le(f64::NAN).to_vec(), [false; 3]);
    assert_eq!(Tensor::from([0.1f64]).lt(0.2).to_vec(), [true]);
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
        assert!(panic.file.ends_with("whole/tests.rs"), "{what}: {}", panic.file);
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
        // 1 / aᵇ is a whole number only if a is 1 or -1.
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
        let start =
            format!("{op}: {c} is not a whole number, and the tensor holds {}: cast", T::DTYPE);
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
    let Some(whole) = integer(c) else {
        // `c` is beyond the range of every integer type, for example 10³⁰⁰.
        let zero = T::exactly(0);
        agrees(&format!("{a} + {c}"), None, "add", || x + c);
        agrees(&format!("{c} - {a}"), None, "sub", || c - x);
        agrees(&format!("{a} * {c}"), if a == 0 { zero } else { None }, "mul", || x * c);
        agrees(&format!("{a} / {c}"), zero, "div", || x / c);
        agrees(&format!("{c} / {a}"), None, "div", || c / x);
        return;
    };
    let right = |op| wanted(op, a, whole).and_then(T::exactly);
    let left = |op| wanted(op, whole, a).and_then(T::exactly);
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
            "{op}: {c} is not a whole number, and the tensor holds {dtype}: cast first, for \
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
        "pow: 2 to the power of -1 is not a whole number: cast first, for example x.cast::<f64>()",
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
fn logical_operations_agree_with_their_truth_tables() {
    let (a, b) = (Tensor::from([[false], [true]]), Tensor::from([false, true]));
    assert_eq!(a.and(&b).to_vec(), [false, false, false, true]);
    assert_eq!(a.or(&b).to_vec(), [false, true, true, true]);
    assert_eq!(a.xor(&b).to_vec(), [false, true, true, false]);
    assert_eq!(b.not().to_vec(), [true, false]);
    assert_eq!((&a & &b, &a | &b, &a ^ &b, !&b), (a.and(&b), a.or(&b), a.xor(&b), b.not()));
    assert_eq!((a.clone() & b.clone(), a.clone() | &b, &a ^ b.clone(), !b.clone()), {
        (a.and(&b), a.or(&b), a.xor(&b), b.not())
    });
    panics_here("and: shapes [3] and [2] do not broadcast: axis -1 has 3 and 2", || {
        drop(Tensor::from([true; 3]) & Tensor::from([true; 2]));
    });
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
        "arange: 0.5 is not a whole number, but the elements are i64: make a tensor of f64 and cast it, for example Tensor::<f64>::arange_of(…).cast::<i64>()",
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
