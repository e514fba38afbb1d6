//! The check of every entry of a Jacobian.

use super::differences::{PARTS, Points, stencil};
use super::error::{GradcheckError, GradcheckPlace};
use super::order::{OrderCheck, numbers};
use crate::graph::Policy;
use wengert_tensor::{Float, Tensor};

impl<T: Float> OrderCheck<'_, T> {
    /// Returns the values with one element of an input changed by `t`.
    pub(super) fn moved(&self, input: usize, element: usize, t: f64) -> Vec<f64> {
        let mut inputs = self.inputs.to_vec();
        let x = &mut inputs[input].make_mut()[element];
        *x = T::of(x.to() + t);
        numbers(&self.value(&inputs))
    }

    /// Compares every entry of the Jacobian with the finite difference.
    pub(super) fn jacobian(&self, output: &Tensor<T>) -> Result<(), GradcheckError> {
        let rows: Vec<Vec<Vec<f64>>> = (0..output.numel())
            .map(|o| {
                let unit = Tensor::from_fn(&output.shape(), |i| T::of(f64::from(u8::from(i == o))));
                self.gradients(&unit, Policy::Fused, false)
            })
            .collect();
        let center = numbers(output);
        let h = self.step;
        for (input, x) in self.inputs.iter().enumerate() {
            for element in 0..x.numel() {
                let around =
                    |h: f64| [-2.0, -1.0, 1.0, 2.0].map(|k| self.moved(input, element, k * h));
                let of = |around: &[Vec<f64>; 4], o: usize| -> Points {
                    let [a, b, d, e] = around.each_ref().map(|values| values[o]);
                    [a, b, center[o], d, e]
                };
                let whole = around(h);
                let not_finite = |o: &usize| whole.iter().any(|values| !values[*o].is_finite());
                if let Some(output) = (0..center.len()).find(not_finite) {
                    let next = whole.iter().map(|values| values[output]);
                    let next = { next }.find(|y| !y.is_finite()).expect("found above");
                    let at = GradcheckPlace::Edge { input, element, output };
                    return Err(self.error(at, center[output], next, 0.0));
                }
                // The values for smaller steps, which are computed for the first output that needs them.
                let mut nearer = [const { None }; PARTS.len()];
                for (o, row) in rows.iter().enumerate() {
                    let points = of(&whole, o);
                    let (analytic, numeric) = (row[input][element], stencil(points, h));
                    let values = points.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
                    // A derivative that is NaN says nothing about sizes.
                    let size = if analytic.is_finite() { analytic } else { numeric };
                    let bound = self.bound(size, numeric, values, size.abs());
                    let off = (analytic - numeric).abs();
                    let at_step = |place: usize| match place {
                        0 => points,
                        _ => of(nearer[place].get_or_insert_with(|| around(PARTS[place] * h)), o),
                    };
                    if self.is_kink(off.is_nan() || off > bound, bound, at_step) {
                        return Err(self.kink(
                            GradcheckPlace::Kink { input, element, output: o },
                            points,
                            bound,
                        ));
                    }
                    let at = GradcheckPlace::Entry { input, element, output: o };
                    self.compare(at, [analytic, numeric], values, analytic.abs())?;
                }
            }
        }
        Ok(())
    }
}
