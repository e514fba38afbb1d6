//! Sine and cosine of degrees, with the same bits on every machine.

use std::f64::consts::FRAC_PI_2;

/// Returns sine and cosine. They are exact at multiples of 90°.
///
/// The functions of the standard library differ between platforms, so they are not used.
pub(super) fn sin_cos(degrees: f64) -> (f64, f64) {
    let quarters = (degrees / 90.0).round();
    // The remainder is at most an eighth of a turn, for which few terms of the series suffice.
    let x = (degrees - 90.0 * quarters) / 90.0 * FRAC_PI_2;
    let square = x * x;
    let series = |first: f64| {
        // 1 - x²/(n (n+1)) · (1 - x²/((n+2) (n+3)) · …)
        let denominators =
            (0..9).map(|i| (first + 2.0 * f64::from(i)) * (first + 2.0 * f64::from(i) + 1.0));
        denominators.rev().fold(1.0, |sum, d| 1.0 - square / d * sum)
    };
    let (sin, cos) = (x * series(2.0), series(1.0));
    match quarters.rem_euclid(4.0) as u8 {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sine_and_cosine_agree_with_the_standard_library() {
        for tenths in -10_000..10_000 {
            let degrees = f64::from(tenths) / 10.0;
            let (sin, cos) = sin_cos(degrees);
            let (s, c) = degrees.to_radians().sin_cos();
            assert!((sin - s).abs() < 1e-14 && (cos - c).abs() < 1e-14, "{degrees}");
        }
        for (quarters, expected) in
            [(-1.0, (-1.0, 0.0)), (0.0, (0.0, 1.0)), (1.0, (1.0, 0.0)), (6.0, (0.0, -1.0))]
        {
            assert_eq!(sin_cos(90.0 * quarters), expected);
        }
    }
}
