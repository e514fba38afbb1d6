//! Finite differences of a function at five points, and the detection of kinks and jumps between them.

use super::error::{GradcheckError, GradcheckPlace};
use super::order::OrderCheck;
use wengert_tensor::Float;

/// Values at -2h, -h, 0, h, 2h.
pub(super) type Points = [f64; 5];

/// The positions of these values, in steps.
pub(super) const OFFSETS: Points = [-2.0, -1.0, 0.0, 1.0, 2.0];

/// The steps that distinguish a kink from curvature, in parts of the whole step.
pub(super) const PARTS: [f64; 3] = [1.0, 0.5, 0.25];

impl<T: Float> OrderCheck<'_, T> {
    /// Returns whether a function has a kink or a jump between the points. `points` returns its values
    /// for a step, given by its place in [`PARTS`]. `off` tells whether the derivative differs from the
    /// finite difference.
    pub(super) fn is_kink(
        &self,
        off: bool,
        bound: f64,
        mut points: impl FnMut(usize) -> Points,
    ) -> bool {
        let steps = PARTS.map(|part| part * self.step);
        let mut whole = unsmooth(points(0)) / steps[0];
        for (place, step) in steps.iter().enumerate().skip(1) {
            if whole.is_nan() || whole <= bound {
                break;
            }
            let half = unsmooth(points(place)) / step;
            // The ratio is 1/8 for a smooth function.
            if !(0.02..=0.3).contains(&(half / whole)) {
                return true;
            }
            whole = half;
        }
        if !off {
            return false;
        }
        // The fourth difference is zero for a function that is odd about the point, such as a jump. The third
        // difference finds it. The ratio is 1/4 for a smooth function.
        let [whole, half] = [0, 1].map(|place| lopsided(points(place)) / steps[place]);
        whole > bound && half > 0.4 * whole
    }

    /// Returns the error for a kink, with the slopes on both sides.
    pub(super) fn kink(
        &self,
        at: GradcheckPlace,
        [a, b, _, d, e]: Points,
        bound: f64,
    ) -> GradcheckError {
        self.error(at, (b - a) / self.step, (e - d) / self.step, bound)
    }
}

/// Returns the derivative from the values at -2h, -h, h, 2h. Its error is of fourth order in h.
pub(super) fn stencil([a, b, _, d, e]: Points, h: f64) -> f64 {
    (8.0 * (d - b) - (e - a)) / (12.0 * h)
}

/// Returns the fourth difference. It is h⁴ times the fourth derivative of a smooth function, and of
/// order h for a kink.
pub(super) fn unsmooth([a, b, c, d, e]: Points) -> f64 {
    (a - 4.0 * b + 6.0 * c - 4.0 * d + e).abs()
}

/// Returns the third difference of the outer points: 2·h³ times the third derivative of a smooth
/// function.
pub(super) fn lopsided([a, b, _, d, e]: Points) -> f64 {
    (e - 2.0 * d + 2.0 * b - a).abs()
}
