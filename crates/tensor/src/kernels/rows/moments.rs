//! Mean and variance in one pass over memory.
//!
//! A piece of at most [`PIECE`] numbers is read twice while it is in the first cache: once for its mean, once for the
//! distances from it and their squares. Pieces are joined in pairs by the formula of Chan, Golub and `LeVeque`
//! (Algorithms for Computing the Sample Variance, 1983), in `f64`, so that no digits cancel where the mean is large.

use super::sums;
use crate::kernels::reduce;
use crate::machine::{Isa, Kernel, dispatch, join};
use crate::number::Math;

/// The greatest number of elements that are read twice.
const PIECE: usize = 4096;
/// The smallest inner size: a segment of neighbouring elements fills vectors.
pub(crate) const SHORTEST: usize = 16;

/// Numbers of sizes `[outer, a, b, c]`. Over the axes `a` and `c` they are reduced.
type MomentSizes = [usize; 4];

/// The number of elements, their mean, and the sum of the squares of their distances from it.
#[derive(Clone, Copy, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn and(self, other: Moments) -> Moments {
        let count = self.count + other.count;
        let (distance, part) = (other.mean - self.mean, other.count / count);
        let finite = self.mean.is_finite() && other.mean.is_finite();
        Moments {
            count,
            // The distance between two infinities is NaN; their sum is the sum of the numbers.
            mean: if finite { self.mean + distance * part } else { self.mean + other.mean },
            squares: self.squares + other.squares + distance * distance * self.count * part,
        }
    }
}

/// Computes the means, and the sums of squares divided by `divisor`, of numbers of sizes `[outer, a, b, c]` over `a`
/// and `c`. The results have the sizes `[outer, b]`.
pub(crate) fn moments<T: Math>(
    x: &[T],
    sizes: MomentSizes,
    divisor: f64,
    [mean, variance]: [&mut [T]; 2],
) {
    assert_eq!(x.len(), sizes.iter().product::<usize>());
    assert!(mean.len() == sizes[0] * sizes[2] && variance.len() == mean.len());
    groups(x, sizes, 0, divisor, mean, variance);
}

/// Computes the results from `first` on.
fn groups<T: Math>(
    x: &[T],
    sizes: MomentSizes,
    first: usize,
    divisor: f64,
    mean: &mut [T],
    variance: &mut [T],
) {
    let [_, a, b, c] = sizes;
    if mean.len() > 1 {
        let half = mean.len() / 2;
        let (mean1, mean2) = mean.split_at_mut(half);
        let (variance1, variance2) = variance.split_at_mut(half);
        return join(
            (mean1.len() + mean2.len()) * a * c,
            &mut || groups(x, sizes, first, divisor, mean1, variance1),
            &mut || groups(x, sizes, first + half, divisor, mean2, variance2),
        );
    }
    let (outer, column) = (first / b, first % b);
    let of = of_segments(&x[(outer * a * b + column) * c..], b * c, a, c);
    mean[0] = T::narrow(of.mean);
    variance[0] = T::narrow(of.squares / divisor);
}

/// Returns the moments of `a` segments of `c` numbers, which begin `stride` numbers apart.
fn of_segments<T: Math>(x: &[T], stride: usize, a: usize, c: usize) -> Moments {
    if a * c <= PIECE {
        return dispatch(Piece { x, stride, a, c });
    }
    let (mut first, mut second) = (Moments::default(), Moments::default());
    if a > 1 {
        let half = a / 2;
        join(a * c, &mut || first = of_segments(x, stride, half, c), &mut || {
            second = of_segments(&x[half * stride..], stride, a - half, c);
        });
    } else {
        let half = 1 << (c - 1).ilog2();
        join(c, &mut || first = of_segments(x, stride, 1, half), &mut || {
            second = of_segments(&x[half..], stride, 1, c - half);
        });
    }
    first.and(second)
}

struct Piece<'a, T> {
    x: &'a [T],
    stride: usize,
    a: usize,
    c: usize,
}

impl<T: Math> Kernel for Piece<'_, T> {
    type Output = Moments;
    #[inline(always)]
    fn run<I: Isa>(self) -> Moments {
        let Piece { x, stride, a, c } = self;
        let mut together = [T::default(); PIECE];
        let piece = if a == 1 {
            &x[..c]
        } else {
            // Short segments are laid side by side: each would need sums across the lanes of its own.
            for (i, to) in together[..a * c].chunks_exact_mut(c).enumerate() {
                to.copy_from_slice(&x[i * stride..][..c]);
            }
            &together[..a * c]
        };
        let count = piece.len() as f64;
        let shift = T::narrow(reduce::sum_of::<T, I>(piece).widen() / count);
        // The sum of the differences corrects the rounding errors of the mean, which are large against the deviation
        // where the mean is.
        let [rest, squares] = sums([piece], |[x]| [x - shift, (x - shift) * (x - shift)]);
        let (rest, squares) = (rest.widen(), squares.widen());
        let correction = rest / count;
        let mean = shift.widen() + if correction.is_nan() { 0.0 } else { correction };
        let squares = squares - rest * correction;
        Moments { count, mean, squares: if squares < 0.0 { 0.0 } else { squares } }
    }
}
