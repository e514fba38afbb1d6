//! Compares arithmetic of integers and booleans with `i128`, with Rust's own conversions, and with `f64`
//! decomposed into its bits.

mod comparisons;
mod conversions;
mod operators;

use crate::tensor::Element;

const MANTISSA: i64 = 1 << 53;

/// Returns the mantissa and the exponent of a finite number `mantissa · 2^exponent`.
fn apart(c: f64) -> (i128, i32) {
    let bits = c.to_bits();
    let (exponent, fraction) = ((bits >> 52 & 0x7ff) as i32, (bits & ((1 << 52) - 1)) as i128);
    let (mantissa, exponent) =
        if exponent == 0 { (fraction, -1074) } else { (fraction + (1 << 52), exponent - 1075) };
    (if c < 0.0 { -mantissa } else { mantissa }, exponent)
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
