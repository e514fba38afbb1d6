//! Layer normalisation of rows, and its gradient.
//!
//! y = x̂ ⊙ w + b with x̂ = (x − mean) · inv, where inv = 1 / √(variance + ε). The gradient needs x̂ again, and
//! computes it from x: so x̂ is neither written nor kept. With t = gy ⊙ w and means over a row,
//!
//! gx = inv · (t − mean(t) − x̂ · mean(t ⊙ x̂)),
//!
//! and the gradients of w and b are sums of gy ⊙ x̂ and of gy over the rows. They are added in the same pass, for at
//! most [`RUN`] rows one after the other; the sums of such runs are joined in pairs.

use super::sums;
use crate::kernels::reduce;
use crate::machine::{Isa, Kernel, dispatch, join, prefetch};
use crate::number::Math;

/// The greatest number of rows whose terms are added one after the other.
const RUN: usize = 32;
/// So many numbers are enough for one call of a kernel: a run of long rows has fewer rows.
const ENOUGH: usize = 32 * 1024;

/// Normalises rows of `n` numbers. Writes the result, and the mean and the inverse deviation of each row.
/// `weight` and `bias` have `n` numbers, or none.
pub(crate) fn layer_norm<T: Math>(
    x: &[T],
    n: usize,
    [weight, bias]: [&[T]; 2],
    eps: T,
    y: &mut [T],
    [mean, inv]: [&mut [T]; 2],
) {
    let rows = mean.len();
    debug_assert!(x.len() == rows * n && y.len() == x.len() && inv.len() == rows);
    if rows > 1 && x.len() > reduce::BLOCK {
        let half = rows / 2;
        let (x1, x2) = x.split_at(half * n);
        let (y1, y2) = y.split_at_mut(half * n);
        let (mean1, mean2) = mean.split_at_mut(half);
        let (inv1, inv2) = inv.split_at_mut(half);
        return join(
            x.len(),
            &mut || layer_norm(x1, n, [weight, bias], eps, y1, [mean1, inv1]),
            &mut || layer_norm(x2, n, [weight, bias], eps, y2, [mean2, inv2]),
        );
    }
    dispatch(Forward { x, n, weight, bias, eps, y, mean, inv });
}

struct Forward<'a, T> {
    x: &'a [T],
    n: usize,
    weight: &'a [T],
    bias: &'a [T],
    eps: T,
    y: &'a mut [T],
    mean: &'a mut [T],
    inv: &'a mut [T],
}

impl<T: Math> Kernel for Forward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Forward { x, n, weight, bias, eps, y, mean, inv } = self;
        let count = T::narrow(n as f64);
        let rows = x.chunks_exact(n).zip(y.chunks_exact_mut(n));
        for ((x, y), (mean, inv)) in rows.zip(mean.iter_mut().zip(inv)) {
            let [sum] = sums([x], |[x]| [x]);
            let m = sum / count;
            let [squares] = sums([x], |[x]| [(x - m) * (x - m)]);
            let variance = squares / count;
            let s = T::K.one / (variance + eps).sqrt::<I>();
            (*mean, *inv) = (m, s);
            match (weight.is_empty(), bias.is_empty()) {
                (true, _) => {
                    for (y, &x) in y.iter_mut().zip(x) {
                        *y = (x - m) * s;
                    }
                }
                (false, true) => {
                    for ((y, &x), &w) in y.iter_mut().zip(x).zip(weight) {
                        *y = (x - m) * s * w;
                    }
                }
                (false, false) => {
                    for (((y, &x), &w), &b) in y.iter_mut().zip(x).zip(weight).zip(bias) {
                        *y = ((x - m) * s).fma::<I>(w, b);
                    }
                }
            }
        }
    }
}

/// The operands of the gradient: x, the mean and the inverse deviation of each row, the gradient of the result,
/// and the weight, which has no numbers if there is none.
#[derive(Clone, Copy)]
pub struct LayerNormGradient<'a, T> {
    pub x: &'a [T],
    pub mean: &'a [T],
    pub inv: &'a [T],
    pub gy: &'a [T],
    pub weight: &'a [T],
}

impl<T> LayerNormGradient<'_, T> {
    /// Returns the operands of the rows before `row`, and of those from there on.
    fn split_at(&self, row: usize, n: usize) -> [Self; 2] {
        let (x1, x2) = self.x.split_at(row * n);
        let (mean1, mean2) = self.mean.split_at(row);
        let (inv1, inv2) = self.inv.split_at(row);
        let (gy1, gy2) = self.gy.split_at(row * n);
        [
            LayerNormGradient { x: x1, mean: mean1, inv: inv1, gy: gy1, ..*self },
            LayerNormGradient { x: x2, mean: mean2, inv: inv2, gy: gy2, ..*self },
        ]
    }
}

/// Computes the gradient of x for rows of `n` numbers, and those of weight and bias, if there is a weight. Else `gw`
/// and `gb` have no numbers.
pub(crate) fn layer_norm_gradient<T: Math>(
    of: LayerNormGradient<'_, T>,
    n: usize,
    gx: &mut [T],
    [gw, gb]: [&mut [T]; 2],
) {
    let rows = of.mean.len();
    debug_assert!(of.x.len() == rows * n && gx.len() == of.x.len() && of.gy.len() == gx.len());
    debug_assert!(of.weight.len() == gw.len() && gw.len() == gb.len());
    if rows <= RUN.min(ENOUGH / n).max(1) {
        return dispatch(Backward { of, n, gx, gw, gb });
    }
    let half = 1 << (rows - 1).ilog2(); // runs of equal length, except the last
    let [first, second] = of.split_at(half, n);
    let (gx1, gx2) = gx.split_at_mut(half * n);
    let mut others = vec![T::default(); 2 * gw.len()];
    let (gw2, gb2) = others.split_at_mut(gw.len());
    join(of.x.len(), &mut || layer_norm_gradient(first, n, gx1, [&mut *gw, &mut *gb]), &mut || {
        layer_norm_gradient(second, n, gx2, [&mut *gw2, &mut *gb2]);
    });
    for (sum, &other) in gw.iter_mut().chain(gb).zip(&others) {
        *sum = *sum + other;
    }
}

struct Backward<'a, T> {
    of: LayerNormGradient<'a, T>,
    n: usize,
    gx: &'a mut [T],
    gw: &'a mut [T],
    gb: &'a mut [T],
}

impl<T: Math> Kernel for Backward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Backward { of, n, gx, gw, gb } = self;
        gw.fill(T::default());
        gb.fill(T::default());
        let count = T::narrow(n as f64);
        let rows = of.x.chunks_exact(n).zip(of.gy.chunks_exact(n)).zip(gx.chunks_exact_mut(n));
        for (((x, gy), gx), (&m, &s)) in rows.zip(of.mean.iter().zip(of.inv)) {
            if of.weight.is_empty() {
                let of_row = |[x, gy]: [T; 2]| [gy, gy * ((x - m) * s)];
                let [mean, slope] = sums([x, gy], of_row).map(|sum| sum / count);
                for ((gx, &gy), &x) in gx.iter_mut().zip(gy).zip(x) {
                    *gx = s * (gy - mean - (x - m) * s * slope);
                }
                continue;
            }
            let of_row = |[x, gy, w]: [T; 3]| [gy * w, gy * w * ((x - m) * s)];
            let [mean, slope] = sums([x, gy, of.weight], of_row).map(|sum| sum / count);
            let factors = [m, s, mean, slope];
            for start in (0..n).step_by(reduce::LANES) {
                // While a row is computed, the one after the next comes from memory, and the lines that it will be written
                // to. Behind the last rows there may be no memory.
                for ahead in [x.as_ptr(), gy.as_ptr(), gx.as_ptr()] {
                    prefetch(ahead.wrapping_add(2 * n + start), reduce::LANES);
                }
                let at = start..n.min(start + reduce::LANES);
                let operands = [&x[at.clone()], &gy[at.clone()], &of.weight[at.clone()]];
                part(operands, factors, &mut gx[at.clone()], &mut gw[at.clone()], &mut gb[at]);
            }
        }
    }
}

/// Writes a part of a row of gx, and adds its terms to the sums. A function of slices, so that the compiler knows that
/// they do not overlap.
#[inline(always)]
fn part<T: Math>(
    [x, gy, w]: [&[T]; 3],
    [m, s, mean, slope]: [T; 4],
    gx: &mut [T],
    gw: &mut [T],
    gb: &mut [T],
) {
    let n = x.len();
    let (gy, w, gx, gw, gb) = (&gy[..n], &w[..n], &mut gx[..n], &mut gw[..n], &mut gb[..n]);
    for i in 0..n {
        let normal = (x[i] - m) * s;
        gx[i] = s * (gy[i] * w[i] - mean - normal * slope);
        gw[i] = gw[i] + gy[i] * normal;
        gb[i] = gb[i] + gy[i];
    }
}
