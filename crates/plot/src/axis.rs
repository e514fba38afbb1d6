//! The axis of a chart: a range of numbers, with tick marks at round numbers.
//!
//! The axes of plotters 0.3 find their marks with loops whose number of iterations depends on the range:
//! for ranges such as 10⁻³⁰⁰ to 10³⁰⁰ they do not end. This axis limits the number of marks first.

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use std::ops::Range;

/// The maximum number of marks of an axis.
const MARKS: usize = 12;
/// The minimum width of a linear axis. It keeps the step between marks a normal number.
const NARROWEST: f64 = 1e-300;
/// The minimum width of a linear axis, relative to the largest absolute value on it. It keeps the labels
/// of the marks distinct.
const FINEST: f64 = 1e-6;

/// The largest distance from the ends, in lengths of the axis.
const FARTHEST: f64 = 1e9;

#[derive(Clone, Debug)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    log: bool,
    marks: Vec<f64>,
    /// The distance between marks on a linear axis; 0 on a logarithmic axis.
    step: f64,
}

impl Axis {
    /// Creates a linear axis with about `wanted` marks. The distance between marks is 1, 2 or 5 times a
    /// power of ten, and at least `least`. An infinite end becomes the largest finite number, a NaN
    /// becomes 0. Ends that are too close are moved apart.
    pub fn linear(low: f64, high: f64, wanted: usize, least: f64) -> Self {
        let [mut low, mut high] = [low, high].map(finite);
        let reach = low.abs().max(high.abs());
        if high - low < NARROWEST.max(FINEST * reach) {
            let room = NARROWEST.max(1e-3 * reach);
            (low, high) = (finite(low - room), finite(high.max(low) + room));
        }
        // `high - low` may overflow; half of it cannot.
        let half = high / 2.0 - low / 2.0;
        let intervals = wanted.clamp(2, MARKS) - 1;
        let step = round_step((half / intervals as f64 * 2.0).max(least).min(f64::MAX));
        let (first, last) = ((low / step).ceil(), (high / step).floor());
        let between = (last - first).clamp(-1.0, MARKS as f64 - 1.0);
        let marks = (0..(between + 1.0) as usize).map(|i| (first + i as f64) * step);
        let marks = marks.filter(|mark| (low..=high).contains(mark)).collect();
        Axis { low, high, log: false, marks, step }
    }

    /// Creates a logarithmic axis of positive numbers, with marks at powers of ten. Ends that are too
    /// close are moved apart.
    pub fn log(low: f64, high: f64) -> Self {
        let positive = |x: f64| x.clamp(f64::from_bits(1), f64::MAX);
        let [mut low, mut high] = [low, high].map(positive);
        if high / low < 1.01 {
            (low, high) = (positive(low / 10.0), positive(low * 10.0));
        }
        let (first, last) = (low.log10().ceil() as i32, high.log10().floor() as i32);
        // The smallest subnormal number is 5·10⁻³²⁴.
        let (first, last) = (first.max(-323), last.min(308));
        // Marks stand at every `every`-th power of ten.
        let every = ((last - first).max(0) / (MARKS as i32 - 4) + 1).max(1);
        let marks = (first.div_euclid(every)..=last.div_euclid(every)).map(|i| power(i * every));
        let marks = marks.filter(|mark| (low..=high).contains(mark)).collect();
        Axis { low, high, log: true, marks, step: 0.0 }
    }

    /// Returns the relative position of a number: 0 at the low end, 1 at the high end, clamped to 0..=1.
    pub fn place(&self, value: f64) -> f64 {
        self.place_beyond(value).clamp(0.0, 1.0)
    }

    /// Returns the relative position of a number, which may be beyond an end.
    pub fn place_beyond(&self, value: f64) -> f64 {
        let [x, low, high] = [value, self.low, self.high].map(|x| self.coordinate(x));
        let place = (x - low) / (high - low);
        if place.is_nan() { 0.0 } else { place.clamp(-FARTHEST, FARTHEST) }
    }

    /// Returns the number at a relative position.
    pub fn at(&self, place: f64) -> f64 {
        let [low, high] = [self.low, self.high].map(|x| self.coordinate(x));
        let x = low + place * (high - low);
        let value = if self.log { 10f64.powf(x) } else { 2.0 * x };
        value.clamp(self.low.min(self.high), self.high.max(self.low))
    }

    /// Halves numbers, so that their differences cannot overflow.
    fn coordinate(&self, x: f64) -> f64 {
        if self.log { x.log10() } else { x / 2.0 }
    }

    pub fn is_log(&self) -> bool {
        self.log
    }

    /// Returns whether the axis can show a number. A logarithmic axis shows positive numbers only.
    pub fn holds(&self, value: f64) -> bool {
        !self.log || value > 0.0
    }

    /// Returns the label of a mark, with enough digits to distinguish it from the next: 0.05, 20, 1e-5.
    pub fn label(&self, mark: f64) -> String {
        let exponent = |x: f64| (x.abs().log10() + 1e-9).floor() as i32;
        // The number of decimals of the last digit: 2 for hundredths.
        let last = if self.log { -exponent(mark) } else { -exponent(self.step) };
        if mark == 0.0 {
            "0".into()
        } else if (1e-3..1e5).contains(&mark.abs()) {
            let digits = last.clamp(0, 12) as usize;
            let text = format!("{mark:.digits$}");
            if text.contains('.') {
                text.trim_end_matches('0').trim_end_matches('.').into()
            } else {
                text
            }
        } else {
            let digits = (exponent(mark) + last).clamp(0, 9) as usize;
            format!("{mark:.digits$e}")
        }
    }
}

fn finite(x: f64) -> f64 {
    if x.is_nan() { 0.0 } else { x.clamp(f64::MIN, f64::MAX) }
}

/// Returns the `f64` nearest to 10ⁿ.
fn power(n: i32) -> f64 {
    format!("1e{n}").parse().unwrap_or(f64::NAN)
}

/// Returns the smallest of 1, 2 and 5 times a power of ten that is at least `step`.
fn round_step(step: f64) -> f64 {
    let exponent = step.log10().floor() as i32;
    let steps = [(1.0, exponent), (2.0, exponent), (5.0, exponent), (1.0, exponent + 1)];
    let steps = steps.map(|(digit, exponent)| digit * power(exponent));
    // The tolerance covers the rounding error of the logarithm.
    steps.into_iter().find(|&round| round >= step * (1.0 - 1e-9)).unwrap_or(step)
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        from + (f64::from(to - from) * self.place(*value)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.marks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    /// Ends that made axes hang or overflow, and values between them.
    const EXTREMES: [f64; 19] = [
        0.0,
        -0.0,
        5e-324,
        1e-310,
        f64::MIN_POSITIVE,
        1e-300,
        1e-16,
        0.1,
        1.0,
        1.0 + f64::EPSILON,
        3.0,
        1e15,
        9007199254740993.0,
        1e300,
        1e308,
        f64::MAX,
        f64::INFINITY,
        f64::NAN,
        -1e-300,
    ];

    fn check(axis: &Axis) {
        let what = format!("{axis:?}");
        assert!(axis.marks.len() <= MARKS, "{what}");
        assert!(axis.low < axis.high && axis.low.is_finite() && axis.high.is_finite(), "{what}");
        assert!(axis.marks.is_sorted_by(|a, b| a < b), "{what}");
        assert!(axis.marks.iter().all(|&mark| (axis.low..=axis.high).contains(&mark)), "{what}");
        assert_eq!((axis.place(axis.low), axis.place(axis.high)), (0.0, 1.0), "{what}");
        let places: Vec<_> = axis.marks.iter().map(|&mark| axis.place(mark)).collect();
        assert!(places.is_sorted(), "{what}");
        let mut labels: Vec<_> = axis.marks.iter().map(|&mark| axis.label(mark)).collect();
        assert!(labels.iter().all(|label| label.len() <= 18), "{labels:?}");
        for (mark, label) in axis.marks.iter().zip(&labels) {
            let read: f64 = label.parse().unwrap();
            assert!((read - mark).abs() <= 1e-6 * mark.abs(), "{mark} is shown as {label}");
        }
        labels.dedup();
        assert_eq!(labels.len(), axis.marks.len(), "{what}: {labels:?}");
        for pixels in [(0, 500), (500, 0), (7, 7)] {
            for value in EXTREMES.into_iter().chain([f64::NEG_INFINITY]) {
                let pixel = axis.map(&value, pixels);
                assert!(
                    (pixels.0.min(pixels.1)..=pixels.0.max(pixels.1)).contains(&pixel),
                    "{what}"
                );
            }
        }
    }

    #[test]
    fn an_axis_between_any_two_numbers_has_few_marks_in_order() {
        let mut ends: Vec<f64> = EXTREMES.iter().flat_map(|&x| [x, -x]).collect();
        // Arbitrary bit patterns from a multiplicative generator.
        let bits = |i: u32| 0x9e37_79b9_7f4a_7c15u64.wrapping_pow(2 * i + 1);
        ends.extend((0..40).map(|i| f64::from_bits(bits(i))));
        let mut count = 0;
        for &low in &ends {
            for &high in &ends {
                for wanted in [0, 2, 7, 1000] {
                    check(&Axis::linear(low, high, wanted, 0.0));
                }
                if low > 0.0 && high > low {
                    check(&Axis::log(low, high));
                }
                count += 1;
            }
        }
        assert_eq!(count, 78 * 78);
    }

    #[test]
    fn axis_marks_are_at_round_numbers() {
        let labels = |axis: Axis| axis.marks.iter().map(|&x| axis.label(x)).collect::<Vec<_>>();
        assert_eq!(
            labels(Axis::linear(-0.02, 1.1, 7, 0.0)),
            ["0", "0.2", "0.4", "0.6", "0.8", "1"]
        );
        assert_eq!(labels(Axis::linear(0.0, 4.0, 5, 1.0)), ["0", "1", "2", "3", "4"]);
        assert_eq!(labels(Axis::linear(0.0, 2.0, 3, 1.0)), ["0", "1", "2"]);
        assert_eq!(labels(Axis::linear(96.5, 98.2, 7, 0.0)), ["96.5", "97", "97.5", "98"]);
        assert_eq!(labels(Axis::linear(1e6, 1.01e6, 3, 0.0)), ["1.000e6", "1.005e6", "1.010e6"]);
        assert_eq!(labels(Axis::log(0.004, 30.0)), ["0.01", "0.1", "1", "10"]);
        assert_eq!(labels(Axis::log(1e-6, 1e-3)), ["1e-6", "1e-5", "1e-4", "0.001"]);
        let wide = labels(Axis::log(1e-300, 1e300));
        assert_eq!(wide[..2], ["1e-228", "1e-152"]);
        assert!(wide.contains(&"1".into()) && wide.len() == 7);
        assert_eq!(Axis::log(1.0, 100.0).place(10.0), 0.5);
        assert_eq!(Axis::linear(-f64::MAX, f64::MAX, 7, 0.0).place(0.0), 0.5);
    }
}
