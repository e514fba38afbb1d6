//! Functions of one and of two elements.

use super::{other, twins};
use wengert_autograd::Tape;
use wengert_tensor::Tensor;

/// A scalar, small and empty shapes, and shapes with more elements than a block of a fused program.
const ANY: &[&[&[usize]]] =
    &[&[&[]], &[&[5]], &[&[3, 5]], &[&[7, 90]], &[&[3, 0, 2]], &[&[2, 3, 130]]];

twins! { functions_of_each_element on ANY, 1:
    abs |x| x.abs();
    sign |x| x.sign();
    exp |x| x.exp();
    ln |x| x.ln();
    sqrt |x| x.sqrt();
    recip |x| x.recip();
    sin |x| x.sin();
    cos |x| x.cos();
    tanh |x| x.tanh();
    sigmoid |x| x.sigmoid();
    softplus |x| x.softplus();
    erf |x| x.erf();
    log1p |x| x.log1p();
    expm1 |x| x.expm1();
    log2 |x| x.log2();
    log10 |x| x.log10();
    rsqrt |x| x.rsqrt();
    tan |x| x.tan();
    asin |x| x.asin();
    acos |x| x.acos();
    atan |x| x.atan();
    sinh |x| x.sinh();
    cosh |x| x.cosh();
    asinh |x| x.asinh();
    acosh |x| x.acosh();
    atanh |x| x.atanh();
    erfc |x| x.erfc();
    ndtr |x| x.ndtr();
    erfinv |x| x.erfinv();
    lgamma |x| x.lgamma();
    digamma |x| x.digamma();
    floor |x| x.floor();
    ceil |x| x.ceil();
    round |x| x.round();
    trunc |x| x.trunc();
    frac |x| x.frac();
    polygamma |x| x.polygamma(2);
    relu |x| x.relu();
    nan_to_num |x| (1.0 / x).nan_to_num(0.5, None, 7.0);
    lerp_to_number |x| x.lerp(2, 0.3);
    angle_to_number |x| x.atan2(2.5);
    fmod_number |x| x.fmod(0.7);
    powi_3 |x| x.powi(3);
    powi_2 |x| x.powi(2);
    powi_0 |x| x.powi(0);
    powi_less |x| x.powi(-2);
    powf |x| x.powf(1.7);
    clamp_min |x| x.clamp_min(0.3);
    clamp_max |x| x.clamp_max(0.3);
    clamp |x| x.clamp(-1.1, 2.3);
    negated |x| -x;
    plus |x| x + 0.1;
    from_left |x| 0.1 + x;
    minus |x| x - 0.1;
    from |x| 0.1 - x;
    times |x| x * 0.1;
    of |x| 0.1 * x;
    by |x| x / 49.0;
    by_tiny |x| x / 1e-310;
    by_large |x| x / 1e39;
    by_zero |x| x / 0.0;
    into |x| 7.3 / x;
    one_into |x| 1.0 / x;
    nothing_into |x| 0.0 / x;
    square |x| x.square();
    whole_power |x| x.pow(3);
    power |x| x.pow(0.5);
    at_least |x| x.maximum(0.1);
    at_most |x| x.minimum(1);
    twice |x| 2 * x;
    less_one |x| x - 1;
    chain |x| ((x * 2.0 + 0.3).sin() / 3.0 - 0.7).tanh() / 0.7;
}

const PAIRS: &[&[&[usize]]] = &[
    &[&[], &[]],
    &[&[3], &[3]],
    &[&[3, 5], &[3, 5]],
    &[&[3, 1], &[5]],
    &[&[], &[4, 60]],
    &[&[2, 1, 130], &[3, 1]],
    &[&[3, 0, 2], &[1, 2]],
];

twins! { functions_of_two_elements on PAIRS, 2:
    add |x, y| x + y;
    sub |x, y| x - y;
    mul |x, y| x * y;
    div |x, y| x / y;
    pow |x, y| x.pow(other(&y));
    maximum |x, y| x.maximum(other(&y));
    minimum |x, y| x.minimum(other(&y));
    atan2 |x, y| x.atan2(other(&y));
    hypot |x, y| x.hypot(other(&y));
    fmod |x, y| x.fmod(other(&y));
    remainder |x, y| x.remainder(other(&y));
    copysign |x, y| x.copysign(other(&y));
    xlogy |x, y| x.xlogy(other(&y));
    logaddexp |x, y| x.logaddexp(other(&y));
    lerp |x, y| x.lerp(other(&y), 0.75);
    lerp_by |x, y| x.lerp(1, other(&y));
}

/// Quotients are rounded once. A product with 1/c would be rounded twice, and would be infinite for the
/// smallest c: x/x would not be 1.
#[test]
fn a_quotient_by_a_number_is_rounded_once() {
    let tape = Tape::<f64>::new();
    for n in 1..1000 {
        let c = f64::from(n);
        let x = tape.constant(Tensor::scalar_of(c));
        assert_eq!((x / c).item(), 1.0, "{n} / {n}");
        assert_eq!((c / x).item(), 1.0, "{n} / {n}");
    }
    for (a, b) in [(1e-310, 1e-310), (49.0, 49.0), (1e300, 1e-8), (5e-324, 5e-324), (1e308, 3e-310)]
    {
        let x = tape.constant(Tensor::scalar_of(a));
        assert_eq!((x / b).item(), a / b);
        let y = tape.constant(Tensor::scalar_of(b));
        assert_eq!((a / y).item(), a / b);
    }
    let single = Tape::<f32>::new();
    for n in 1..1000 {
        let x = single.constant(Tensor::scalar(f64::from(n)));
        assert_eq!((x / f64::from(n)).item(), 1.0, "{n} / {n} in f32");
    }
    let tiny = 1e-39f32;
    let x = single.constant(Tensor::scalar_of(tiny));
    assert_eq!((1e-10 / x).item(), f64::from(1e-10f32 / tiny));
    // The rule divides the cotangent, too.
    let x = tape.watch(Tensor::scalar_of(1e-310));
    assert_eq!((x / 49.0).grad(&[x])[0].item(), 1.0 / 49.0);
}
