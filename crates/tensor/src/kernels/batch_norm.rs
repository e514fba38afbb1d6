//! Batch normalisation of the channels of images, and its gradient.
//!
//! y = (x − mean) · scale + bias with scale = weight / √(variance + ε). The numbers of a channel lie in runs, one in
//! each image. A kernel reads the runs of one channel several times before it goes on to the next channel: for the mean, for
//! the distances from it and their squares, and to write the result. All runs of a channel together stay in a cache, so that
//! main memory sees one pass, forward and backward. With means ⟨…⟩ over a channel, the gradient is
//!
//! gx = scale · (gy − ⟨gy⟩ − (x − mean) · ⟨gy ⊙ (x − mean)⟩ / (variance + ε)),
//!
//! and the gradients of weight and bias are sums of gy ⊙ (x − mean) / √(variance + ε) and of gy.
//!
//! A channel is computed by one thread. The order in which its numbers are added depends on the sizes alone.

use crate::machine::{Isa, Kernel, Shared, dispatch, ranges};
use crate::number::Math;
use std::array::from_fn;
use std::ops::Range;

/// Number of accumulators of a sum.
const LANES: usize = 32;
/// Number of terms that are added to an accumulator before the accumulators are added to a total in `f64`.
const TERMS: usize = 32;

/// Images [n, c, inner].
type ImageSizes = [usize; 3];

/// The operands of the gradient: x, the mean and the variance of each channel, the gradient of the result, and the
/// weight, which has no numbers if there is none.
#[derive(Clone, Copy)]
pub struct BatchNormGradient<'a, T> {
    pub x: &'a [T],
    pub mean: &'a [T],
    pub variance: &'a [T],
    pub gy: &'a [T],
    pub weight: &'a [T],
}

/// Normalises each channel. Writes the result, and the mean and the variance of each channel. `weight` and `bias` have a
/// number for each channel, or none. No channel is empty.
pub(crate) fn batch_norm<T: Math>(
    x: &[T],
    sizes: ImageSizes,
    [weight, bias]: [&[T]; 2],
    eps: f64,
    y: &mut [T],
    [mean, variance]: [&mut [T]; 2],
) {
    let [n, c, inner] = sizes;
    assert!(x.len() == n * c * inner && y.len() == x.len());
    assert!(mean.len() == c && variance.len() == c);
    assert!([weight, bias].iter().all(|affine| affine.is_empty() || affine.len() == c));
    let [y, mean, variance] = [y, mean, variance].map(|to| Shared(to.as_mut_ptr()));
    ranges(c, x.len(), 1, |channels| {
        dispatch(Forward { x, sizes, channels, weight, bias, eps, y, mean, variance });
    });
}

/// Computes the gradients of x, weight and bias. The latter two have a number for each channel.
pub(crate) fn batch_norm_gradient<T: Math>(
    of: BatchNormGradient<'_, T>,
    sizes: ImageSizes,
    eps: f64,
    gx: &mut [T],
    [gw, gb]: [&mut [T]; 2],
) {
    let [n, c, inner] = sizes;
    assert!(of.x.len() == n * c * inner && gx.len() == of.x.len() && of.gy.len() == gx.len());
    assert!([of.mean.len(), of.variance.len(), gw.len(), gb.len()].iter().all(|&len| len == c));
    assert!(of.weight.is_empty() || of.weight.len() == c);
    let [gx, gw, gb] = [gx, gw, gb].map(|to| Shared(to.as_mut_ptr()));
    ranges(c, 2 * of.x.len(), 1, |channels| {
        dispatch(Backward { of, sizes, channels, eps, gx, gw, gb });
    });
}

/// The runs of a channel: one in each image.
#[derive(Clone, Copy)]
struct Runs {
    sizes: ImageSizes,
    channel: usize,
}

impl Runs {
    /// Returns the place of the run of each image.
    #[inline(always)]
    fn places(self) -> impl Iterator<Item = Range<usize>> {
        let ([n, c, inner], channel) = (self.sizes, self.channel);
        (0..n).map(move |image| {
            let start = (image * c + channel) * inner;
            start..start + inner
        })
    }

    #[inline(always)]
    fn count(self) -> f64 {
        (self.sizes[0] * self.sizes[2]) as f64
    }
}

/// N sums, to which the terms of runs are added.
struct Sums<T, const N: usize> {
    lanes: [[T; LANES]; N],
    /// Number of terms in each lane.
    terms: usize,
    totals: [f64; N],
}

impl<T: Math, const N: usize> Sums<T, N> {
    #[inline(always)]
    fn new() -> Self {
        Sums { lanes: [[T::default(); LANES]; N], terms: 0, totals: [0.0; N] }
    }

    /// Adds the terms of runs of M operands. The terms of `padding` are 0.
    #[inline(always)]
    #[allow(clippy::needless_range_loop)] // the indices are numbers of lanes and of sums
    fn add<const M: usize>(
        &mut self,
        runs: [&[T]; M],
        padding: [T; M],
        term: impl Fn([T; M]) -> [T; N],
    ) {
        let chunks: [(&[[T; LANES]], &[T]); M] = from_fn(|m| runs[m].as_chunks());
        let whole = chunks[0].0.len();
        let mut first = 0;
        while first < whole {
            let end = whole.min(first + TERMS - self.terms);
            let mut lanes = self.lanes;
            for step in first..end {
                let numbers: [&[T; LANES]; M] = from_fn(|m| &chunks[m].0[step]);
                for l in 0..LANES {
                    let terms = term(from_fn(|m| numbers[m][l]));
                    for k in 0..N {
                        lanes[k][l] = lanes[k][l] + terms[k];
                    }
                }
            }
            self.lanes = lanes;
            self.count(end - first);
            first = end;
        }
        let rest = chunks[0].1.len();
        if rest > 0 {
            // Padded, so that the rest is added in vectors, too.
            let mut numbers = padding.map(|number| [number; LANES]);
            for m in 0..M {
                numbers[m][..rest].copy_from_slice(&chunks[m].1[..rest]);
            }
            let mut lanes = self.lanes;
            for l in 0..LANES {
                let terms = term(from_fn(|m| numbers[m][l]));
                for k in 0..N {
                    lanes[k][l] = lanes[k][l] + terms[k];
                }
            }
            self.lanes = lanes;
            self.count(1);
        }
    }

    #[inline(always)]
    fn count(&mut self, terms: usize) {
        self.terms += terms;
        if self.terms == TERMS {
            self.flush();
        }
    }

    #[inline(always)]
    fn flush(&mut self) {
        for (total, lanes) in self.totals.iter_mut().zip(&mut self.lanes) {
            let half: [T; 16] = from_fn(|l| lanes[l] + lanes[l + 16]);
            let half: [T; 8] = from_fn(|l| half[l] + half[l + 8]);
            let half: [T; 4] = from_fn(|l| half[l] + half[l + 4]);
            *total += ((half[0] + half[2]) + (half[1] + half[3])).widen();
            *lanes = [T::default(); LANES];
        }
        self.terms = 0;
    }

    #[inline(always)]
    fn totals(mut self) -> [f64; N] {
        self.flush();
        self.totals
    }
}

struct Forward<'a, T> {
    x: &'a [T],
    sizes: ImageSizes,
    channels: Range<usize>,
    weight: &'a [T],
    bias: &'a [T],
    eps: f64,
    y: Shared<T>,
    mean: Shared<T>,
    variance: Shared<T>,
}

impl<T: Math> Kernel for Forward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Forward { x, sizes, channels, weight, bias, eps, y, mean, variance } = self;
        for channel in channels {
            let runs = Runs { sizes, channel };
            let count = runs.count();
            let mut sum = Sums::new();
            for place in runs.places() {
                sum.add([&x[place]], [T::default()], |[x]| [x]);
            }
            let [sum] = sum.totals();
            let shift = T::narrow(sum / count);
            // The sum of the differences corrects the rounding errors of the mean, which are large against the
            // deviation where the mean is.
            let mut sums = Sums::new();
            for place in runs.places() {
                let terms = |[x]: [T; 1]| {
                    let distance = x - shift;
                    [distance, distance * distance]
                };
                sums.add([&x[place]], [shift], terms);
            }
            let [rest, squares] = sums.totals();
            let correction = rest / count;
            let m = shift.widen() + if correction.is_nan() { 0.0 } else { correction };
            let squares = squares - rest * correction;
            let (m, v) = (
                T::narrow(m),
                T::narrow(if squares < 0.0 { 0.0 } else { squares / count }),
            );
            let weight = weight.get(channel).map_or(1.0, |w| w.widen());
            let scale = T::narrow(weight / (v.widen() + eps).sqrt());
            let bias = bias.get(channel).copied().unwrap_or_default();
            for place in runs.places() {
                // SAFETY: the result has the sizes of x, and this thread alone writes this channel.
                let y = unsafe {
                    std::slice::from_raw_parts_mut(y.get().add(place.start), place.len())
                };
                for (y, &x) in y.iter_mut().zip(&x[place]) {
                    *y = (x - m).fma::<I>(scale, bias);
                }
            }
            // SAFETY: there is a number for each channel.
            unsafe {
                *mean.get().add(channel) = m;
                *variance.get().add(channel) = v;
            }
        }
    }
}

struct Backward<'a, T> {
    of: BatchNormGradient<'a, T>,
    sizes: ImageSizes,
    channels: Range<usize>,
    eps: f64,
    gx: Shared<T>,
    gw: Shared<T>,
    gb: Shared<T>,
}

impl<T: Math> Kernel for Backward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Backward { of, sizes, channels, eps, gx, gw, gb } = self;
        for channel in channels {
            let runs = Runs { sizes, channel };
            let count = runs.count();
            let m = of.mean[channel];
            let mut sums = Sums::new();
            for place in runs.places() {
                let operands = [&of.x[place.clone()], &of.gy[place]];
                sums.add(operands, [m, T::default()], |[x, gy]| [gy, gy * (x - m)]);
            }
            let [sum, slope] = sums.totals();
            let power = of.variance[channel].widen() + eps;
            let inv = 1.0 / power.sqrt();
            let weight = of.weight.get(channel).map_or(1.0, |w| w.widen());
            let (average, slope_here) =
                (T::narrow(sum / count), T::narrow(-slope / count / power));
            let scale = T::narrow(weight * inv);
            for place in runs.places() {
                // SAFETY: the gradient has the sizes of x, and this thread alone writes this channel.
                let gx = unsafe {
                    std::slice::from_raw_parts_mut(gx.get().add(place.start), place.len())
                };
                let operands = of.x[place.clone()].iter().zip(&of.gy[place]);
                for (gx, (&x, &gy)) in gx.iter_mut().zip(operands) {
                    *gx = (x - m).fma::<I>(slope_here, gy - average) * scale;
                }
            }
            // SAFETY: there is a number for each channel.
            unsafe {
                *gw.get().add(channel) = T::narrow(slope * inv);
                *gb.get().add(channel) = T::narrow(sum);
            }
        }
    }
}
