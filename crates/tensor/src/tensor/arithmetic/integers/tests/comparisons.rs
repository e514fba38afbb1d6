//! Comparisons with numbers and tensors, and the logic of their results.

use super::{MANTISSA, NUMBERS, apart, edges};
use crate::tensor::{Element, Tensor};
use crate::testing::panics_here;
use std::cmp::Ordering;

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
