//! Batch normalisation of the channels of images, and its gradient.
//!
//! y = (x − mean) · scale + bias with scale = weight / √(variance + ε). With means ⟨…⟩ over a channel, the gradient is
//!
//! gx = scale · (gy − ⟨gy⟩ − (x − mean) · ⟨gy ⊙ (x − mean)⟩ / (variance + ε)),
//!
//! and the gradients of weight and bias are sums of gy ⊙ (x − mean) / √(variance + ε) and of gy.
//!
//! The numbers of a channel lie in runs, one in each image. Statistics and gradients read the runs of one channel
//! twice before they go on to the next channel, so that they come from main memory once. A channel is computed by one
//! thread; the order in which its numbers are added depends on the sizes alone.
//!
//! A residual and a rectifier that follow are added and applied while the result is in registers. The gradient passes
//! through the rectifier in the pass that adds the sums.

#![allow(clippy::needless_range_loop)] // the indices are the numbers of vectors

use super::lanes::{Bits, Lanes, for_vectors};
use crate::machine::{Shared, prefetch, ranges};
use crate::number::Real;
use std::ops::Range;

/// Number of vectors of a sum.
const WIDTH: usize = 4;
/// Number of terms after which the lanes are added to a total in `f64`. A lane has at most three more.
const TERMS: usize = 32;
/// Number of elements between a request for memory and its use.
const AHEAD: usize = 1024;

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
    /// The result of a rectifier behind the normalisation, or nothing. Where it is 0, `gy` counts as 0.
    pub rectified: &'a [T],
    pub weight: &'a [T],
}

/// Numbers with this kernel: `f32` and `f64`.
pub trait BatchNorm: Statistics + Normalize + NormalizeGradient {}
impl<T: Statistics + Normalize + NormalizeGradient> BatchNorm for T {}

/// Computes the mean of each channel, and the sum of the squares of the distances from it divided by `divisor`. No
/// channel is empty.
pub(crate) fn statistics<T: BatchNorm>(
    x: &[T],
    sizes: ImageSizes,
    divisor: f64,
    [mean, variance]: [&mut [T]; 2],
) {
    let [n, c, inner] = sizes;
    assert!(x.len() == n * c * inner && mean.len() == c && variance.len() == c);
    let [mean, variance] = [mean, variance].map(|to| Shared(to.as_mut_ptr()));
    ranges(c, x.len(), 1, |channels| {
        let job = MomentsJob { x, sizes, channels, divisor, mean, variance };
        // SAFETY: the sizes were checked, and the ranges of channels are disjoint.
        unsafe { T::statistics(&job) }
    });
}

/// The operands of the normalisation.
#[derive(Clone, Copy)]
pub struct BatchNormOperands<'a, T> {
    pub x: &'a [T],
    pub mean: &'a [T],
    pub variance: &'a [T],
    /// A number for each channel, or none.
    pub weight: &'a [T],
    /// A number for each channel, or none.
    pub bias: &'a [T],
    /// Numbers that are added to the result, or none.
    pub residual: &'a [T],
    /// Whether negative results become 0.
    pub relu: bool,
}

/// Normalises each channel by its mean and variance.
pub(crate) fn batch_norm<T: BatchNorm>(
    of: BatchNormOperands<'_, T>,
    sizes: ImageSizes,
    eps: f64,
    y: &mut [T],
) {
    let [n, c, inner] = sizes;
    assert!(of.x.len() == n * c * inner && y.len() == of.x.len());
    assert!(of.mean.len() == c && of.variance.len() == c);
    assert!([of.weight, of.bias].iter().all(|affine| affine.is_empty() || affine.len() == c));
    assert!(of.residual.is_empty() || of.residual.len() == y.len());
    let y = Shared(y.as_mut_ptr());
    ranges(n * c, of.x.len(), 1, |runs| {
        let job = NormalizeJob { of, sizes, runs, eps, y };
        // SAFETY: the sizes were checked, and the ranges of runs are disjoint.
        unsafe { T::normalize(&job) }
    });
}

/// Computes the gradients of x, weight and bias. The latter two have a number for each channel. Behind a rectifier, the
/// gradient in front of it is written to `kept`, if that is given.
pub(crate) fn batch_norm_gradient<T: BatchNorm>(
    of: BatchNormGradient<'_, T>,
    sizes: ImageSizes,
    eps: f64,
    kept: Option<&mut [T]>,
    gx: &mut [T],
    [gw, gb]: [&mut [T]; 2],
) {
    let [n, c, inner] = sizes;
    assert!(of.x.len() == n * c * inner && gx.len() == of.x.len() && of.gy.len() == gx.len());
    assert!([of.mean.len(), of.variance.len(), gw.len(), gb.len()].iter().all(|&len| len == c));
    assert!(of.weight.is_empty() || of.weight.len() == c);
    assert!(of.rectified.is_empty() || of.rectified.len() == gx.len());
    assert!(kept.as_ref().is_none_or(|kept| kept.len() == gx.len()));
    let [gx, gw, gb] = [gx, gw, gb].map(|to| Shared(to.as_mut_ptr()));
    let kept = kept.map_or(gx, |kept| Shared(kept.as_mut_ptr()));
    ranges(c, 2 * of.x.len(), 1, |channels| {
        let job = GradientJob { of, sizes, channels, eps, kept, gx, gw, gb };
        // SAFETY: the sizes were checked, and the ranges of channels are disjoint.
        unsafe { T::normalize_gradient(&job) }
    });
}

/// The runs of a channel: one in each image.
#[derive(Clone, Copy)]
struct Runs {
    sizes: ImageSizes,
    channel: usize,
}

impl Runs {
    /// Returns the start of the run of each image.
    #[inline(always)]
    fn starts(self) -> impl Iterator<Item = usize> {
        let ([n, c, inner], channel) = (self.sizes, self.channel);
        (0..n).map(move |image| (image * c + channel) * inner)
    }

    #[inline(always)]
    fn count(self) -> f64 {
        (self.sizes[0] * self.sizes[2]) as f64
    }

    /// Returns the distance to a run that will be read soon.
    #[inline(always)]
    fn ahead(self) -> usize {
        let [_, c, inner] = self.sizes;
        (AHEAD / inner).clamp(1, 8) * c * inner
    }
}

/// Two sums, to which the terms of runs are added: of numbers, and of products.
struct RunSums<V> {
    lanes: [[V; WIDTH]; 2],
    /// Number of terms in a lane.
    terms: usize,
    totals: [f64; 2],
}

impl<V: Lanes> RunSums<V>
where
    V::Scalar: Real,
{
    #[inline(always)]
    unsafe fn new() -> Self {
        // SAFETY: the caller promises the instructions, as in all methods.
        RunSums { lanes: [[unsafe { V::zero() }; WIDTH]; 2], terms: 0, totals: [0.0; 2] }
    }

    /// Adds the terms of a run of `n` elements. `terms` gets the number of an element and the number of elements from
    /// there on that are used, a vector at most. It returns a summand and two factors, which are 0 in unused lanes.
    #[inline(always)]
    unsafe fn add_run(&mut self, n: usize, terms: impl Fn(usize, usize) -> [V; 3]) {
        let mut lanes = self.lanes;
        let mut at = 0;
        // SAFETY: the caller promises the instructions.
        unsafe {
            while at + WIDTH * V::LANES <= n {
                for j in 0..WIDTH {
                    let [summand, a, b] = terms(at + j * V::LANES, V::LANES);
                    lanes[0][j] = lanes[0][j].plus(summand);
                    lanes[1][j] = lanes[1][j].add_product(a, b);
                }
                at += WIDTH * V::LANES;
                self.terms += 1;
                if self.terms >= TERMS {
                    self.flush(&mut lanes);
                }
            }
            while at < n {
                let [summand, a, b] = terms(at, (n - at).min(V::LANES));
                lanes[0][0] = lanes[0][0].plus(summand);
                lanes[1][0] = lanes[1][0].add_product(a, b);
                at += V::LANES;
                self.terms += 1;
            }
            // Runs may be so short that they have the loop above alone.
            if self.terms >= TERMS {
                self.flush(&mut lanes);
            }
        }
        self.lanes = lanes;
    }

    /// Adds the lanes to the totals.
    #[inline(always)]
    unsafe fn flush(&mut self, lanes: &mut [[V; WIDTH]; 2]) {
        // SAFETY: the caller promises the instructions.
        unsafe {
            let [[a, b, c, d], [e, f, g, h]] = *lanes;
            let zero = V::zero();
            let sums = V::sums([a.plus(b).plus(c.plus(d)), e.plus(f).plus(g.plus(h)), zero, zero]);
            self.totals[0] += sums[0].widen();
            self.totals[1] += sums[1].widen();
            *lanes = [[zero; WIDTH]; 2];
        }
        self.terms = 0;
    }

    #[inline(always)]
    unsafe fn totals(mut self) -> [f64; 2] {
        let mut lanes = self.lanes;
        // SAFETY: the caller promises the instructions.
        unsafe { self.flush(&mut lanes) };
        self.totals
    }
}

/// Loads `used` elements. The other lanes are those of `fill`.
#[inline(always)]
unsafe fn load<V: Lanes>(p: *const V::Scalar, used: usize, fill: V) -> V {
    // SAFETY: the caller promises the elements and the instructions.
    unsafe {
        if used == V::LANES { V::load(p) } else { V::load_masked(p, V::range(0, used), fill) }
    }
}

/// Returns a number in every lane.
#[inline(always)]
unsafe fn every<V: Lanes>(x: V::Scalar) -> V {
    // SAFETY: the caller promises the instructions.
    unsafe { V::splat(&raw const x) }
}

/// Calls `write` for each vector of a run of `n` elements, with the number of the first element and of the elements
/// that are used.
#[inline(always)]
fn each_vector<V: Lanes>(n: usize, write: impl Fn(usize, usize)) {
    let mut at = 0;
    while at + V::LANES <= n {
        write(at, V::LANES);
        at += V::LANES;
    }
    if at < n {
        write(at, n - at);
    }
}

/// Channels whose mean and variance are computed.
pub struct MomentsJob<'a, T> {
    x: &'a [T],
    sizes: ImageSizes,
    channels: Range<usize>,
    divisor: f64,
    mean: Shared<T>,
    variance: Shared<T>,
}

for_vectors! {
    /// Mean and variance, compiled for the instruction sets.
    Statistics: statistics(MomentsJob) = moments
}

/// # Safety
/// The operand and the results have the sizes of the job, no other code uses the results of its channels, and the
/// processor has the instructions.
#[inline(always)]
unsafe fn moments<V: Lanes>(job: &MomentsJob<'_, V::Scalar>)
where
    V::Scalar: Real + Bits,
{
    let inner = job.sizes[2];
    for channel in job.channels.clone() {
        let runs = Runs { sizes: job.sizes, channel };
        let (count, ahead) = (runs.count(), runs.ahead());
        // SAFETY: all runs lie within the operand.
        unsafe {
            let (zero, mut sums) = (V::zero(), RunSums::<V>::new());
            for start in runs.starts() {
                let x = job.x.as_ptr().add(start);
                sums.add_run(
                    inner,
                    #[inline(always)]
                    |at, used| {
                        prefetch(x.wrapping_add(at + ahead), V::LANES);
                        [load(x.wrapping_add(at), used, zero), zero, zero]
                    },
                );
            }
            let shift = V::Scalar::narrow(sums.totals()[0] / count);
            // The sum of the differences corrects the rounding errors of the mean, which are large against the
            // deviation where the mean is.
            let (fill, minus) = (every::<V>(shift), every::<V>(-shift));
            let mut sums = RunSums::<V>::new();
            for start in runs.starts() {
                let x = job.x.as_ptr().add(start);
                sums.add_run(
                    inner,
                    #[inline(always)]
                    |at, used| {
                        let distance = load(x.wrapping_add(at), used, fill).plus(minus);
                        [distance, distance, distance]
                    },
                );
            }
            let [rest, squares] = sums.totals();
            let correction = rest / count;
            let mean = shift.widen() + if correction.is_nan() { 0.0 } else { correction };
            let squares = squares - rest * correction;
            let squares = if squares < 0.0 { 0.0 } else { squares };
            *job.mean.get().add(channel) = V::Scalar::narrow(mean);
            *job.variance.get().add(channel) = V::Scalar::narrow(squares / job.divisor);
        }
    }
}

/// Runs to be normalised.
pub struct NormalizeJob<'a, T> {
    of: BatchNormOperands<'a, T>,
    sizes: ImageSizes,
    runs: Range<usize>,
    eps: f64,
    y: Shared<T>,
}

for_vectors! {
    /// Normalisation, compiled for the instruction sets.
    Normalize: normalize(NormalizeJob) = forward
}

/// # Safety
/// As [`moments`].
#[inline(always)]
unsafe fn forward<V: Lanes>(job: &NormalizeJob<'_, V::Scalar>)
where
    V::Scalar: Real + Bits,
{
    let (of, [_, c, inner]) = (&job.of, job.sizes);
    for run in job.runs.clone() {
        let channel = run % c;
        let [weight, bias] = [of.weight, of.bias].map(|affine| affine.get(channel).copied());
        let scale =
            weight.map_or(1.0, Real::widen) / (of.variance[channel].widen() + job.eps).sqrt();
        let constants = [-of.mean[channel], V::Scalar::narrow(scale), bias.unwrap_or_default()];
        // SAFETY: the run lies within the operands and the result.
        unsafe {
            let (x, y) = (of.x.as_ptr().add(run * inner), job.y.get().add(run * inner));
            let residual = of.residual.as_ptr().wrapping_add(run * inner);
            match (of.residual.is_empty(), of.relu) {
                (true, false) => scaled::<V, false, false>(x, residual, inner, constants, y),
                (true, true) => scaled::<V, false, true>(x, residual, inner, constants, y),
                (false, false) => scaled::<V, true, false>(x, residual, inner, constants, y),
                (false, true) => scaled::<V, true, true>(x, residual, inner, constants, y),
            }
        }
    }
}

/// Writes a run of the result.
///
/// # Safety
/// The operands and the result have `inner` elements.
#[inline(always)]
unsafe fn scaled<V: Lanes, const RESIDUAL: bool, const RELU: bool>(
    x: *const V::Scalar,
    residual: *const V::Scalar,
    inner: usize,
    constants: [V::Scalar; 3],
    y: *mut V::Scalar,
) {
    // SAFETY: by the contract.
    unsafe {
        let [minus, scale, bias] = constants;
        let (minus, scale, bias) = (every::<V>(minus), every::<V>(scale), every::<V>(bias));
        let zero = V::zero();
        each_vector::<V>(
            inner,
            #[inline(always)]
            |at, used| {
                let distance = load(x.wrapping_add(at), used, zero).plus(minus);
                let mut result = bias.add_product(distance, scale);
                if RESIDUAL {
                    result = result.plus(load(residual.wrapping_add(at), used, zero));
                }
                if RELU {
                    result = result.or(result.beats(zero), zero);
                }
                result.store_used(y.wrapping_add(at), used);
            },
        );
    }
}

/// Channels whose gradients are computed.
pub struct GradientJob<'a, T> {
    of: BatchNormGradient<'a, T>,
    sizes: ImageSizes,
    channels: Range<usize>,
    eps: f64,
    /// Where the gradient in front of a rectifier is written. It may be `gx`.
    kept: Shared<T>,
    gx: Shared<T>,
    gw: Shared<T>,
    gb: Shared<T>,
}

for_vectors! {
    /// The gradient, compiled for the instruction sets.
    NormalizeGradient: normalize_gradient(GradientJob) = backward
}

/// Returns the sums of gy and of gy ⊙ (x − mean) over the runs of a channel. Behind a rectifier, closes its gate and writes
/// gy in front of it.
///
/// # Safety
/// As [`moments`].
#[inline(always)]
unsafe fn gradient_sums<V: Lanes, const RECTIFIED: bool>(
    job: &GradientJob<'_, V::Scalar>,
    runs: Runs,
) -> [f64; 2]
where
    V::Scalar: Real + Bits,
{
    let (of, inner, ahead) = (&job.of, job.sizes[2], runs.ahead());
    let m = of.mean[runs.channel];
    // SAFETY: all runs lie within the operands and the results.
    unsafe {
        let (zero, fill, minus) = (V::zero(), every::<V>(m), every::<V>(-m));
        let mut sums = RunSums::<V>::new();
        for start in runs.starts() {
            let (x, gy) = (of.x.as_ptr().add(start), of.gy.as_ptr().add(start));
            let rectified = of.rectified.as_ptr().wrapping_add(start);
            let kept = job.kept.get().add(start);
            sums.add_run(
                inner,
                #[inline(always)]
                |at, used| {
                    prefetch(x.wrapping_add(at + ahead), V::LANES);
                    prefetch(gy.wrapping_add(at + ahead), V::LANES);
                    let distance = load(x.wrapping_add(at), used, fill).plus(minus);
                    let mut gy = load(gy.wrapping_add(at), used, zero);
                    if RECTIFIED {
                        let rectified = rectified.wrapping_add(at);
                        prefetch(rectified.wrapping_add(ahead), V::LANES);
                        gy = gy.or(load(rectified, used, zero).beats(zero), zero);
                        gy.store_used(kept.wrapping_add(at), used);
                    }
                    [gy, gy, distance]
                },
            );
        }
        sums.totals()
    }
}

/// # Safety
/// As [`moments`].
#[inline(always)]
unsafe fn backward<V: Lanes>(job: &GradientJob<'_, V::Scalar>)
where
    V::Scalar: Real + Bits,
{
    let (of, inner) = (&job.of, job.sizes[2]);
    for channel in job.channels.clone() {
        let runs = Runs { sizes: job.sizes, channel };
        let (count, m) = (runs.count(), of.mean[channel]);
        // SAFETY: all runs lie within the operands and the results.
        unsafe {
            let (zero, minus) = (V::zero(), every::<V>(-m));
            let [sum, slope] = if of.rectified.is_empty() {
                gradient_sums::<V, false>(job, runs)
            } else {
                gradient_sums::<V, true>(job, runs)
            };
            let power = of.variance[channel].widen() + job.eps;
            let inv = 1.0 / power.sqrt();
            let weight = of.weight.get(channel).map_or(1.0, |w| w.widen());
            let narrow = V::Scalar::narrow;
            let average = every::<V>(narrow(-sum / count));
            let steepness = every::<V>(narrow(-slope / count / power));
            let scale = every::<V>(narrow(weight * inv));
            for start in runs.starts() {
                let (x, gx) = (of.x.as_ptr().add(start), job.gx.get().add(start));
                let gy = if of.rectified.is_empty() {
                    of.gy.as_ptr().add(start)
                } else {
                    job.kept.get().add(start).cast_const()
                };
                each_vector::<V>(
                    inner,
                    #[inline(always)]
                    |at, used| {
                        let distance = load(x.wrapping_add(at), used, zero).plus(minus);
                        let gy = load(gy.wrapping_add(at), used, zero).plus(average);
                        let gx_here = zero.add_product(gy.add_product(distance, steepness), scale);
                        gx_here.store_used(gx.wrapping_add(at), used);
                    },
                );
            }
            *job.gw.get().add(channel) = narrow(slope * inv);
            *job.gb.get().add(channel) = narrow(sum);
        }
    }
}
