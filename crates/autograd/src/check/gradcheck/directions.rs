//! The check along random directions, and the search for the element that has a kink or an edge.

use super::differences::{OFFSETS, PARTS, Points, lopsided, stencil, unsmooth};
use super::error::{GradcheckError, GradcheckPlace};
use super::order::{OrderCheck, numbers, random_like};
use crate::graph::Policy;
use wengert_tensor::{Float, Philox, Tensor};

impl<T: Float> OrderCheck<'_, T> {
    /// Returns the values with all inputs moved by `t` along their directions.
    fn moved_along(&self, directions: &[Tensor<T>], t: f64) -> Vec<f64> {
        let pairs = self.inputs.iter().zip(directions);
        let moved: Vec<_> = pairs.map(|(x, v)| x + &(v * &Tensor::scalar_of(T::of(t)))).collect();
        numbers(&self.value(&moved))
    }

    /// Compares the derivative of the weighted sum of the outputs along a random direction with the finite
    /// difference.
    pub(super) fn direction(
        &self,
        weights: &Tensor<T>,
        rng: &mut Philox,
    ) -> Result<(), GradcheckError> {
        let directions: Vec<Tensor<T>> = self.inputs.iter().map(|x| random_like(x, rng)).collect();
        let weights_of = numbers(weights);
        let h = self.step;
        let all = OFFSETS.map(|k| self.moved_along(&directions, k * h));
        let infinite = (0..weights_of.len()).find(|&o| all.iter().any(|y| !y[o].is_finite()));
        if let Some(output) = infinite {
            return Err(self.edge(&directions, output));
        }
        let points = all.each_ref().map(|values| dot(values, &weights_of));
        let numeric = stencil(points, h);
        let slopes = self.gradients(weights, Policy::Fused, false);
        let pairs = slopes.iter().zip(&directions).map(|(g, v)| (g, numbers(v)));
        let (mut analytic, mut sum) = (0.0, 0.0);
        for (g, v) in pairs {
            analytic += dot(g, &v);
            sum += size_of(g, &v).powi(2);
        }
        let values = all.iter().map(|values| size_of(values, &weights_of)).fold(0.0, f64::max);
        let bound = self.bound(analytic, numeric, values, sum.sqrt());
        let off = (analytic - numeric).abs();
        if unsmooth(points) / h > bound || off.is_nan() || off > bound {
            self.find_kink(&directions, bound)?;
        }
        self.compare(GradcheckPlace::Direction, [analytic, numeric], values, sum.sqrt())
    }

    /// Returns the values of one output along directions, with the step h.
    fn along(&self, directions: &[Tensor<T>], output: usize, h: f64) -> Points {
        OFFSETS.map(|k| self.moved_along(directions, k * h)[output])
    }

    /// Fails if an output has a kink next to the point along these directions. Finds the element of the
    /// inputs by bisection.
    fn find_kink(&self, directions: &[Tensor<T>], bound: f64) -> Result<(), GradcheckError> {
        let h = self.step;
        let steps = PARTS.map(|part| OFFSETS.map(|k| self.moved_along(directions, k * part * h)));
        let of = |place: usize, o: usize| steps[place].each_ref().map(|values| values[o]);
        let outputs =
            (0..steps[0][0].len()).filter(|&o| self.is_kink(true, bound, |place| of(place, o)));
        let sharpness = |points: Points| unsmooth(points).max(lopsided(points));
        let sharpest = |&a: &usize, &b: &usize| sharpness(of(0, a)).total_cmp(&sharpness(of(0, b)));
        let Some(output) = outputs.max_by(sharpest) else { return Ok(()) };
        let (input, element) =
            largest_element(directions, |part| sharpness(self.along(part, output, h)));
        let moved = OFFSETS.map(|k| self.moved(input, element, k * h)[output]);
        Err(self.kink(GradcheckPlace::Kink { input, element, output }, moved, bound))
    }

    /// Returns the error for an output that is not finite along these directions.
    fn edge(&self, directions: &[Tensor<T>], output: usize) -> GradcheckError {
        let not_finite = |points: Points| points.into_iter().find(|y| !y.is_finite());
        let along = |part: &[Tensor<T>]| not_finite(self.along(part, output, self.step));
        let (input, element) =
            largest_element(directions, |part| f64::from(u8::from(along(part).is_some())));
        let center = numbers(&self.value(self.inputs))[output];
        let found = along(directions).expect("seen to be infinite along these directions");
        self.error(GradcheckPlace::Edge { input, element, output }, center, found, 0.0)
    }
}

/// Finds, by bisection, the element of the inputs for which a function of directions is largest. Returns
/// the input and its element.
fn largest_element<T: Float>(
    directions: &[Tensor<T>],
    sharpness: impl Fn(&[Tensor<T>]) -> f64,
) -> (usize, usize) {
    let ends: Vec<usize> = directions
        .iter()
        .scan(0, |end, v| {
            *end += v.numel();
            Some(*end)
        })
        .collect();
    // The directions, with zeros outside a range of elements. Elements are counted over all inputs.
    let within = |low: usize, high: usize| -> Vec<Tensor<T>> {
        let cut = |(v, end): (&Tensor<T>, &usize)| {
            let (first, v_of) = (end - v.numel(), v.to_vec());
            let kept = |i: usize| (low..high).contains(&(first + i));
            Tensor::from_fn(&v.shape(), |i| if kept(i) { v_of[i] } else { T::of(0.0) })
        };
        directions.iter().zip(&ends).map(cut).collect()
    };
    let (mut low, mut high) = (0, ends.last().copied().unwrap_or(0));
    while high - low > 1 {
        let middle = usize::midpoint(low, high);
        let [left, right] =
            [within(low, middle), within(middle, high)].map(|part| sharpness(&part));
        (low, high) = if left >= right { (low, middle) } else { (middle, high) };
    }
    let input = ends.partition_point(|&end| end <= low);
    (input, low - (ends[input] - directions[input].numel()))
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Returns √Σ (a·b)².
fn size_of(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a * b).powi(2)).sum::<f64>().sqrt()
}
