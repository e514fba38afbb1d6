//! Softmax and log-softmax along a line, and their gradients.
//!
//! There are two ways to use vectors. Along a row whose numbers are neighbours, a vector holds numbers of one
//! line. Across [`LANES`] lines that are neighbours, each lane holds a line of its own: this is the way for inner
//! axes, and for short rows, which are first transposed into a scratch block. There a vector along a row would be
//! mostly empty, and each row would need sums across the lanes.

use super::{LONGEST, sums};
use crate::kernels::reduce::{self, ReducedSizes};
use crate::kernels::transpose::{Transpose, Transposed};
use crate::machine::{Isa, Kernel, LINE, Shared, cost, dispatch, each_part, ranges};
use crate::number::Math;
use std::hint::black_box;
use std::marker::PhantomData;

/// The number of lines that are computed side by side.
const LANES: usize = 32;
/// Rows shorter than this are computed side by side.
const SHORT: usize = 48;
/// The number of terms that a lane adds one after the other.
const RUN: usize = 128;
/// A step costs about this many steps of a pointwise operation: an exponential.
const COST: usize = 4;

/// One number of each line.
type Across<T> = [T; LANES];

/// Computes softmax, or its logarithm, along the middle axis.
pub(crate) fn softmax<T: Math + Transpose>(log: bool, x: &[T], sizes: ReducedSizes, out: &mut [T]) {
    if log {
        lines::<T, LogSoftmax>([x, x], sizes, out);
    } else {
        lines::<T, SoftmaxLine>([x, x], sizes, out);
    }
}

/// Computes the gradient of softmax, or of its logarithm, along the middle axis, from the gradient of the result
/// `gy` and the result `y`.
pub(crate) fn softmax_gradient<T: Math + Transpose>(
    log: bool,
    gy: &[T],
    y: &[T],
    sizes: ReducedSizes,
    out: &mut [T],
) {
    if log {
        lines::<T, LogGradient>([gy, y], sizes, out);
    } else {
        lines::<T, Gradient>([gy, y], sizes, out);
    }
}

/// A function of lines. It has one or two operands; a function of one operand is given it twice.
trait OfLine<T: Math>: Send + Sync {
    const OPERANDS: usize;
    /// The cost of an element, in steps of a pointwise operation.
    const COST: usize;

    /// Computes a row of at most `LONGEST` numbers.
    fn row<I: Isa>(x: [&[T]; 2], out: &mut [T]);

    /// Computes neighbouring lines of `n` numbers each.
    ///
    /// # Safety
    /// There are `n` groups at each pointer, and no other call reads or writes those of `out`, which may be those
    /// of an operand.
    unsafe fn across<I: Isa>(x: [LineGroups<T>; 2], n: usize, out: LineGroups<T>);
}

/// `n` groups of `LANES` numbers, at equal distances: number j of line l is number l of group j.
#[derive(Clone, Copy)]
struct LineGroups<T> {
    at: *mut T,
    stride: usize,
}

impl<T: Copy> LineGroups<T> {
    /// # Safety
    /// There is a group j.
    #[inline(always)]
    unsafe fn get(self, j: usize) -> Across<T> {
        // SAFETY: the caller promises `LANES` numbers there. An array of numbers may be unaligned.
        unsafe { self.at.add(j * self.stride).cast::<Across<T>>().read_unaligned() }
    }

    /// # Safety
    /// There is a group j, and the caller may write it.
    #[inline(always)]
    unsafe fn set(self, j: usize, numbers: Across<T>) {
        // SAFETY: as above. The compiler must not see that the groups have equal distances: it would scatter each lane
        // of several groups instead of storing the lanes of one group.
        unsafe {
            black_box(self.at.add(j * self.stride)).cast::<Across<T>>().write_unaligned(numbers);
        }
    }
}

/// Adds terms that are made group by group: `RUN` of them at a time, so that few small terms meet a large sum.
#[inline(always)]
fn sum_across<T: Math>(n: usize, mut term: impl FnMut(usize) -> Across<T>) -> Across<T> {
    let mut sums = [T::default(); LANES];
    let mut start = 0;
    while start < n {
        let end = n.min(start + RUN);
        let mut run = [T::default(); LANES];
        for j in start..end {
            let term = term(j);
            for l in 0..LANES {
                run[l] = run[l] + term[l];
            }
        }
        for l in 0..LANES {
            sums[l] = sums[l] + run[l];
        }
        start = end;
    }
    sums
}

/// Returns the largest number of each line.
///
/// # Safety
/// There are `n` groups.
#[inline(always)]
unsafe fn max_across<T: Math>(x: LineGroups<T>, n: usize) -> Across<T> {
    let mut largest = [T::K.neg_infinity; LANES];
    for j in 0..n {
        // SAFETY: by the contract.
        let x = unsafe { x.get(j) };
        for l in 0..LANES {
            largest[l] = reduce::larger(largest[l], x[l]);
        }
    }
    largest
}

/// Writes `f` of each number of a row. The tail is padded, so that it is computed in vectors, too.
#[inline(always)]
fn map<T: Math>(x: &[T], out: &mut [T], f: impl Fn(T) -> T) {
    const SMALL: usize = 16;
    let (xs, x) = x.as_chunks::<{ reduce::LANES }>();
    let (outs, out) = out.as_chunks_mut::<{ reduce::LANES }>();
    for (out, x) in outs.iter_mut().zip(xs) {
        for l in 0..reduce::LANES {
            out[l] = f(x[l]);
        }
    }
    let (xs, x) = x.as_chunks::<SMALL>();
    let (outs, out) = out.as_chunks_mut::<SMALL>();
    for (out, x) in outs.iter_mut().zip(xs) {
        for l in 0..SMALL {
            out[l] = f(x[l]);
        }
    }
    if !x.is_empty() {
        let mut padded = [T::default(); SMALL];
        for (to, &x) in padded.iter_mut().zip(x) {
            *to = x;
        }
        for x in &mut padded {
            *x = f(*x);
        }
        for (to, &y) in out.iter_mut().zip(&padded) {
            *to = y;
        }
    }
}

/// Returns the factor of the numbers 2⁶⁴ e^(x − m) of a line whose sum is 1: the reciprocal of their sum. It is NaN if
/// the largest number m is infinite or NaN: then there are numbers x with x − m = NaN.
#[inline(always)]
fn factor<T: Math>(largest: T, sum: T) -> T {
    if (largest * T::K.zero).is_nan_() { T::K.nan } else { T::K.one / sum }
}

/// Returns ln Σ e^(x − m) from the sum of 2⁶⁴ e^(x − m), or NaN as [`factor`] does.
#[inline(always)]
fn norm<T: Math, I: Isa>(largest: T, sum: T) -> T {
    let sum = sum / T::K.two_64;
    (if (largest * T::K.zero).is_nan_() { T::K.nan } else { sum }).ln::<I>()
}

/// yᵢ = e^(xᵢ − m) / Σ e^(xⱼ − m), where m is the largest number.
struct SoftmaxLine;
impl<T: Math> OfLine<T> for SoftmaxLine {
    const OPERANDS: usize = 1;
    const COST: usize = COST;

    #[inline(always)]
    fn row<I: Isa>([x, _]: [&[T]; 2], out: &mut [T]) {
        let largest = reduce::max_of::<T, I>(x);
        map(x, out, |x| (x - largest).exp_times_2_64::<I>());
        let scale = factor(largest, reduce::sum_of::<T, I>(out));
        for y in out {
            *y = *y * scale;
        }
    }

    #[inline(always)]
    unsafe fn across<I: Isa>([x, _]: [LineGroups<T>; 2], n: usize, out: LineGroups<T>) {
        // SAFETY: by the contract.
        let largest = unsafe { max_across(x, n) };
        let mut scale = sum_across(n, |j| {
            // SAFETY: the caller promises n groups.
            let mut e = unsafe { x.get(j) };
            for l in 0..LANES {
                e[l] = (e[l] - largest[l]).exp_times_2_64::<I>();
            }
            // SAFETY: as above.
            unsafe { out.set(j, e) };
            e
        });
        for l in 0..LANES {
            scale[l] = factor(largest[l], scale[l]);
        }
        for j in 0..n {
            // SAFETY: as above; the loop before has written these numbers.
            let mut y = unsafe { out.get(j) };
            for l in 0..LANES {
                y[l] = y[l] * scale[l];
            }
            // SAFETY: as above.
            unsafe { out.set(j, y) };
        }
    }
}

/// yᵢ = (xᵢ − m) − ln Σ e^(xⱼ − m). The differences are subtracted first, so that small differences between large
/// numbers keep their precision.
struct LogSoftmax;
impl<T: Math> OfLine<T> for LogSoftmax {
    const OPERANDS: usize = 1;
    const COST: usize = COST;

    #[inline(always)]
    fn row<I: Isa>([x, _]: [&[T]; 2], out: &mut [T]) {
        let largest = reduce::max_of::<T, I>(x);
        map(x, out, |x| (x - largest).exp_times_2_64::<I>());
        let norm = norm::<T, I>(largest, reduce::sum_of::<T, I>(out));
        for (y, &x) in out.iter_mut().zip(x) {
            *y = (x - largest) - norm;
        }
    }

    #[inline(always)]
    unsafe fn across<I: Isa>([x, _]: [LineGroups<T>; 2], n: usize, out: LineGroups<T>) {
        // SAFETY: by the contract.
        let largest = unsafe { max_across(x, n) };
        let mut norms = sum_across(n, |j| {
            // SAFETY: the caller promises n groups.
            let mut e = unsafe { x.get(j) };
            for l in 0..LANES {
                e[l] = (e[l] - largest[l]).exp_times_2_64::<I>();
            }
            e
        });
        for l in 0..LANES {
            norms[l] = norm::<T, I>(largest[l], norms[l]);
        }
        for j in 0..n {
            // SAFETY: as above.
            let mut y = unsafe { x.get(j) };
            for l in 0..LANES {
                y[l] = (y[l] - largest[l]) - norms[l];
            }
            // SAFETY: as above. Where `out` is `x`, the group has been read.
            unsafe { out.set(j, y) };
        }
    }
}

/// gxᵢ = yᵢ (gyᵢ − Σ gyⱼ yⱼ)
struct Gradient;
impl<T: Math> OfLine<T> for Gradient {
    const OPERANDS: usize = 2;
    const COST: usize = 1;

    #[inline(always)]
    fn row<I: Isa>([gy, y]: [&[T]; 2], out: &mut [T]) {
        let [sum] = sums([gy, y], |[gy, y]| [gy * y]);
        for ((gx, &gy), &y) in out.iter_mut().zip(gy).zip(y) {
            *gx = y * (gy - sum);
        }
    }

    #[inline(always)]
    unsafe fn across<I: Isa>([gy, y]: [LineGroups<T>; 2], n: usize, out: LineGroups<T>) {
        let sum = sum_across(n, |j| {
            // SAFETY: the caller promises n groups.
            let (mut gy, y) = unsafe { (gy.get(j), y.get(j)) };
            for l in 0..LANES {
                gy[l] = gy[l] * y[l];
            }
            gy
        });
        for j in 0..n {
            // SAFETY: as above.
            let (mut gy, y) = unsafe { (gy.get(j), y.get(j)) };
            for l in 0..LANES {
                gy[l] = y[l] * (gy[l] - sum[l]);
            }
            // SAFETY: as above. Where `out` is an operand, the group has been read.
            unsafe { out.set(j, gy) };
        }
    }
}

/// gxᵢ = gyᵢ − e^yᵢ Σ gyⱼ
struct LogGradient;
impl<T: Math> OfLine<T> for LogGradient {
    const OPERANDS: usize = 2;
    const COST: usize = COST;

    #[inline(always)]
    fn row<I: Isa>([gy, y]: [&[T]; 2], out: &mut [T]) {
        let sum = reduce::sum_of::<T, I>(gy);
        map(y, out, T::exp::<I>);
        for (gx, &gy) in out.iter_mut().zip(gy) {
            *gx = gy - *gx * sum;
        }
    }

    #[inline(always)]
    unsafe fn across<I: Isa>([gy, y]: [LineGroups<T>; 2], n: usize, out: LineGroups<T>) {
        // SAFETY: the caller promises n groups.
        let sum = sum_across(n, |j| unsafe { gy.get(j) });
        for j in 0..n {
            // SAFETY: as above.
            let (mut gy, y) = unsafe { (gy.get(j), y.get(j)) };
            for l in 0..LANES {
                gy[l] = gy[l] - y[l].exp::<I>() * sum[l];
            }
            // SAFETY: as above. Where `out` is an operand, the group has been read.
            unsafe { out.set(j, gy) };
        }
    }
}

/// Computes all lines, on several threads if there are many numbers.
fn lines<T: Math + Transpose, F: OfLine<T>>(x: [&[T]; 2], sizes: ReducedSizes, out: &mut [T]) {
    let [outer, n, inner] = sizes;
    let count = outer * inner;
    if out.is_empty() {
        return;
    }
    assert!(n <= LONGEST && out.len() == n * count && x.iter().all(|x| x.len() == out.len()));
    let work = cost(&[count, n, F::COST]);
    if inner == 1 && n >= SHORT {
        each_part(out, n, work, 1, |lines, out| {
            let x = x.map(|x| &x[lines.start * n..lines.end * n]);
            dispatch(EachRow::<T, F> { x, n, out, function: PhantomData });
        });
    } else {
        let out = Shared(out.as_mut_ptr());
        ranges(count, work, LANES, |lines| {
            let (first, end) = (lines.start, lines.end);
            dispatch(SideBySide::<T, F> { x, n, inner, first, end, out, function: PhantomData });
        });
    }
}

struct EachRow<'a, T, F> {
    x: [&'a [T]; 2],
    n: usize,
    out: &'a mut [T],
    function: PhantomData<F>,
}

impl<T: Math, F: OfLine<T>> Kernel for EachRow<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let EachRow { x: [a, b], n, out, .. } = self;
        for ((a, b), out) in a.chunks_exact(n).zip(b.chunks_exact(n)).zip(out.chunks_exact_mut(n)) {
            F::row::<I>([a, b], out);
        }
    }
}

/// The lines `first..end`. Line l consists of the numbers at (l / inner)·n·inner + l % inner + j·inner.
struct SideBySide<'a, T, F> {
    x: [&'a [T]; 2],
    n: usize,
    inner: usize,
    first: usize,
    end: usize,
    out: Shared<T>,
    function: PhantomData<F>,
}

impl<T: Math + Transpose, F: OfLine<T>> Kernel for SideBySide<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let SideBySide { x, n, inner, first, end, out, .. } = self;
        let mut scratch = Vec::new();
        let mut line = first;
        while line < end {
            let (o, i) = (line / inner, line % inner);
            let base = o * n * inner + i;
            let here = (inner - i).min(end - line);
            if here >= LANES {
                let rows = |at: *const T| LineGroups {
                    at: at.wrapping_add(base).cast_mut(),
                    stride: inner,
                };
                let out = LineGroups { at: out.get().wrapping_add(base), stride: inner };
                // SAFETY: `LANES` lines begin here, each with n numbers. The lines of the calls are disjoint.
                unsafe { F::across::<I>(x.map(|x| rows(x.as_ptr())), n, out) };
                line += LANES;
                continue;
            }
            // Fewer neighbours than lanes: the lines are transposed into groups.
            let count = LANES.min(end - line);
            let count = if inner >= LANES { here } else { count };
            // Whole groups of rows are a matrix, whose columns are the rows.
            let whole = inner == 1 && count == LANES;
            let mut bases = [0; LANES];
            if !whole {
                for (l, base) in bases[..count].iter_mut().enumerate() {
                    *base = (line + l) / inner * n * inner + (line + l) % inner;
                }
            }
            // At the start of a line of the cache: a vector that crosses a line is stored and loaded twice.
            scratch.resize(2 * n * LANES + LINE, T::default());
            let start = scratch.as_ptr().align_offset(LINE).min(LINE);
            let scratch = &mut scratch[start..start + 2 * n * LANES];
            for (x, to) in x.iter().zip(scratch.chunks_exact_mut(n * LANES)).take(F::OPERANDS) {
                if whole {
                    let (source, target) = (x[base..base + n * LANES].as_ptr(), to.as_mut_ptr());
                    let (step, row, sizes) = (n as isize, LANES, [n, LANES]);
                    // SAFETY: both have n · LANES numbers.
                    unsafe { T::transpose(Transposed { source, step, target, row, sizes }) };
                    continue;
                }
                for (j, to) in to.chunks_exact_mut(LANES).enumerate() {
                    for (to, base) in to.iter_mut().zip(&bases[..count]) {
                        *to = x[base + j * inner];
                    }
                }
            }
            let at = scratch.as_mut_ptr();
            let rows = LineGroups { at, stride: LANES };
            let second = LineGroups { at: at.wrapping_add(n * LANES), stride: LANES };
            // SAFETY: the scratch block has room for n groups of each operand.
            unsafe { F::across::<I>([rows, second], n, rows) };
            if whole {
                let (source, target) = (scratch.as_ptr(), out.get().wrapping_add(base));
                let (step, row, sizes) = (LANES as isize, n, [LANES, n]);
                // SAFETY: as below.
                unsafe { T::transpose(Transposed { source, step, target, row, sizes }) };
                line += count;
                continue;
            }
            for (j, from) in scratch[..n * LANES].chunks_exact(LANES).enumerate() {
                for (&y, base) in from.iter().zip(&bases[..count]) {
                    // SAFETY: only this call writes these lines, and `out` is as long as `x`.
                    unsafe { *out.get().add(base + j * inner) = y };
                }
            }
            line += count;
        }
    }
}
