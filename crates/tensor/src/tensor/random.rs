//! Tensors of random numbers.
//!
//! How the numbers are generated is a part of the interface: the same seed gives the same bits on every
//! machine, with any number of threads.

use crate::kernels::Philox;
use crate::kernels::normal::normal;
use crate::kernels::random::{self, draw, unit24, unit53};
use crate::layout::{Shape, Sizes};
use crate::number::Dtype;
use crate::shapes::OrPanic;
use crate::tensor::{Element, Float, Tensor};
use rand::Rng;

/// Returns a tensor of independent elements that are 1 with probability `p`, else 0.
///
/// Element `i` (in row-major order) is 1 if word `i` of this stream of [`Philox`](crate::Philox) with this
/// key is less than p·2³². So the mask is a function of the key and the stream. It can be generated again,
/// in parts, and on any number of threads.
///
/// # Panics
/// If `p` does not lie in [0, 1].
#[track_caller]
pub fn keep_mask<T: Element>(shape: &[usize], key: u64, stream: u64, p: f64) -> Tensor<T> {
    assert!(
        (0.0..=1.0).contains(&p),
        "keep_mask: the probability must be from 0 to 1, got {p} (shape {shape:?})"
    );
    // The words have 32 bits, the bound may be 2³².
    let below = (p * 4294967296.0).round() as u64;
    let mut out = Tensor::<T>::empty(Shape::new(shape));
    random::keep(key, stream, below, [T::default(), T::of(1.0)], out.fresh_mut());
    out
}

impl<T: Float> Tensor<T> {
    /// Returns independent random numbers of the uniform distribution on [low, high).
    ///
    /// A number is `low + u·(high - low)`, where `u` has 24 random bits for `f32` (one word of the
    /// generator) and 53 for `f64` (two words).
    ///
    /// # Panics
    /// If `low` is greater than `high`, or `high - low` is not finite.
    #[track_caller]
    pub fn uniform_of(
        shape: impl Sizes,
        low: f64,
        high: f64,
        rng: &mut (impl Rng + ?Sized),
    ) -> Self {
        let shape = shape.shape_for("uniform").or_panic();
        let single = T::DTYPE == Dtype::F32;
        let width = T::of(high).sub_(T::of(low));
        assert!(
            low <= high && width.to().is_finite(),
            "uniform: the bounds must be finite and in order, got {low} and {high} (shape {shape:?})"
        );
        // Rounding may give `high`, which is excluded.
        let below = if single { f64::from((high as f32).next_down()) } else { high.next_down() };
        let (low, below) = (T::of(low), T::of(below.max(T::of(low).to())));
        let mut out = Self::empty(shape);
        let place = move |unit: f64| {
            let x = low.add_(T::of(unit).mul_(width));
            if x > below { below } else { x }
        };
        let numbers = out.fresh_mut();
        if single {
            draw(numbers, rng, move |bytes: &[u8; 4]| [place(unit24(u32::from_le_bytes(*bytes)))]);
        } else {
            draw(numbers, rng, move |bytes: &[u8; 8]| [place(unit53(u64::from_le_bytes(*bytes)))]);
        }
        out
    }

    /// Returns independent random numbers of the normal distribution with this mean and standard deviation.
    ///
    /// They are computed in `f64` by the method of Box and Muller: two numbers from two words of the
    /// generator for `f32`, from four words for `f64`. So no `f32` is farther from the mean than 6.7 standard
    /// deviations.
    ///
    /// # Panics
    /// If the standard deviation is negative, or the mean or the standard deviation is not finite.
    #[track_caller]
    pub fn normal_of(
        shape: impl Sizes,
        mean: f64,
        std: f64,
        rng: &mut (impl Rng + ?Sized),
    ) -> Self {
        let shape = shape.shape_for("normal").or_panic();
        assert!(
            mean.is_finite() && std.is_finite() && std >= 0.0,
            "normal: the mean must be finite, and the standard deviation finite and at least 0; got mean {mean} and standard deviation {std} (shape {shape:?})"
        );
        let mut out = Self::empty(shape);
        let numbers = out.fresh_mut();
        let place = move |z: f64| T::of(mean + std * z);
        if T::DTYPE == Dtype::F32 {
            let units = |bytes: &[u8; 8]| {
                let words = u64::from_le_bytes(*bytes);
                let (u, v) = (words as u32, (words >> 32) as u32);
                [(f64::from(u) + 1.0) * 2f64.powi(-32), f64::from(v) * 2f64.powi(-32)]
            };
            normal(numbers, rng, units, place);
        } else {
            let units = |bytes: &[u8; 16]| {
                let words = u128::from_le_bytes(*bytes);
                [unit53(words as u64) + 2f64.powi(-53), unit53((words >> 64) as u64)]
            };
            normal(numbers, rng, units, place);
        }
        out
    }
}

impl Tensor {
    /// Returns independent random numbers of the uniform distribution on [low, high).
    ///
    /// # Panics
    /// If `low` is greater than `high`, or `high - low` is not finite.
    #[track_caller]
    pub fn uniform(shape: impl Sizes, low: f64, high: f64, rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::uniform_of(shape, low, high, rng)
    }

    /// Returns independent random numbers of the normal distribution with this mean and standard deviation.
    ///
    /// # Panics
    /// If the standard deviation is negative, or the mean or the standard deviation is not finite.
    #[track_caller]
    pub fn normal(shape: impl Sizes, mean: f64, std: f64, rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::normal_of(shape, mean, std, rng)
    }
}

impl Tensor<i64> {
    /// Returns the numbers `0, …, n - 1` in random order. Every order has the same probability (R.
    /// Durstenfeld's version of the shuffle of Fisher and Yates, 1964).
    pub fn permutation(n: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        let mut out = Self::from_fn(&[n], |i| i as i64);
        let numbers = out.fresh_mut();
        for last in (1..n).rev() {
            numbers.swap(last, below(last as u64 + 1, rng) as usize);
        }
        out
    }
}

impl Tensor<i64> {
    /// Returns independent random integers from `low` up to, but without, `high`. Every integer has the same probability.
    ///
    /// Takes a key from `rng`. Element i (in row-major order) is made of the words of stream i of this key, so it depends on
    /// neither the shape nor the other elements.
    ///
    /// ```
    /// use wengert::tensor::{Philox, Tensor};
    /// let dice = Tensor::integers([4, 2], 1, 7, &mut Philox::new(0));
    /// assert!(dice.to_vec().iter().all(|x| (1..=6).contains(x)));
    /// ```
    ///
    /// # Panics
    /// If `low` is not less than `high`.
    #[track_caller]
    pub fn integers(shape: impl Sizes, low: i64, high: i64, rng: &mut (impl Rng + ?Sized)) -> Self {
        let shape = shape.shape_for("integers").or_panic();
        assert!(
            low < high,
            "integers: low must be less than high, which is excluded; got {low} and {high} (shape {shape:?})"
        );
        let (key, count) = (rng.next_u64(), high.wrapping_sub(low) as u64);
        Self::from_fn(&shape, |i| {
            let drawn = below(count, &mut Philox::with_stream(key, i as u64));
            low.wrapping_add(drawn as i64)
        })
    }
}

/// Returns a random number below `bound`; every number has the same probability. It is the upper half of
/// the product of a random word and `bound`. Words that would make some numbers more probable are rejected.
/// D. Lemire, "Fast random integer generation in an interval", 2019.
fn below(bound: u64, rng: &mut (impl Rng + ?Sized)) -> u64 {
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(bound);
        let low = product as u64;
        // The division is only needed if `low < bound`.
        if low >= bound || low >= bound.wrapping_neg() % bound {
            return (product >> 64) as u64;
        }
    }
}

#[cfg(test)]
mod tests;
