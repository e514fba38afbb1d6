//! The pointwise part of a step of a long short-term memory, and its gradient.
//!
//! A row of gates holds four blocks of n numbers. With the sums of both contributions to the gates as arguments,
//!
//! i = σ(…), f = σ(…), g = tanh(…), o = σ(…), c' = f · c + i · g, h' = o · tanh c'.
//!
//! As separate operations this is a dozen passes over a few hundred kilobytes, and most of the blocks are slices
//! that must be collected first. Here a row goes through all of it while it is in the innermost cache. The gradient
//! reads the activated gates, and computes tanh c' again: that costs no more than storing it.

use crate::machine::{Isa, Kernel, cost, dispatch, join};
use crate::number::Math;

/// The work for one number of the state, in elementary steps: five functions of some dozen operations each.
const STEPS: usize = 24;
/// The number of elements of the state in the part of one call.
const PART: usize = 2048;

/// The operands of a step: two contributions to the gates, and the state c.
#[derive(Clone, Copy)]
pub struct LstmOperands<'a, T> {
    pub x: &'a [T],
    pub r: &'a [T],
    pub c: &'a [T],
}

impl<T> LstmOperands<'_, T> {
    /// Returns the operands of the first `at` numbers of the state, and those of the others.
    fn split_at(&self, at: usize) -> [Self; 2] {
        let ((x1, x2), (r1, r2)) = (self.x.split_at(4 * at), self.r.split_at(4 * at));
        let (c1, c2) = self.c.split_at(at);
        [LstmOperands { x: x1, r: r1, c: c1 }, LstmOperands { x: x2, r: r2, c: c2 }]
    }
}

/// The results of a step: h', c' and the activated gates.
pub struct LstmResults<'a, T> {
    pub h: &'a mut [T],
    pub c: &'a mut [T],
    pub gates: &'a mut [T],
}

/// Computes a step for rows of `n` numbers.
pub(crate) fn lstm<T: Math>(of: LstmOperands<'_, T>, n: usize, to: LstmResults<'_, T>) {
    let rows = of.c.len() / n;
    debug_assert!(of.x.len() == 4 * rows * n && of.r.len() == of.x.len());
    debug_assert!(to.h.len() == rows * n && to.c.len() == rows * n && to.gates.len() == of.x.len());
    if rows < 2 || of.c.len() <= PART {
        return dispatch(LstmForward { of, n, to });
    }
    let half = rows / 2 * n;
    let [first, second] = of.split_at(half);
    let (h1, h2) = to.h.split_at_mut(half);
    let (new1, new2) = to.c.split_at_mut(half);
    let (gates1, gates2) = to.gates.split_at_mut(4 * half);
    join(
        cost(&[of.c.len(), STEPS]),
        &mut || lstm(first, n, LstmResults { h: h1, c: new1, gates: gates1 }),
        &mut || lstm(second, n, LstmResults { h: h2, c: new2, gates: gates2 }),
    );
}

struct LstmForward<'a, T> {
    of: LstmOperands<'a, T>,
    n: usize,
    to: LstmResults<'a, T>,
}

impl<T: Math> Kernel for LstmForward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let LstmForward { of, n, to } = self;
        let gates = to.gates.chunks_exact_mut(4 * n);
        let given =
            of.x.chunks_exact(4 * n).zip(of.r.chunks_exact(4 * n)).zip(of.c.chunks_exact(n));
        let states = to.h.chunks_exact_mut(n).zip(to.c.chunks_exact_mut(n));
        for ((gates, ((x, r), c)), (h, new)) in gates.zip(given).zip(states) {
            for (block, gates) in gates.chunks_exact_mut(n).enumerate() {
                let (x, r) = (&x[block * n..][..n], &r[block * n..][..n]);
                if block == 2 {
                    for ((gate, &x), &r) in gates.iter_mut().zip(x).zip(r) {
                        *gate = (x + r).tanh::<I>();
                    }
                } else {
                    for ((gate, &x), &r) in gates.iter_mut().zip(x).zip(r) {
                        *gate = (x + r).sigmoid::<I>();
                    }
                }
            }
            state::<T, I>(gates, c, h, new);
        }
    }
}

/// Computes the states of a row. A function of slices, so that the compiler knows that they do not overlap.
#[inline(always)]
fn state<T: Math, I: Isa>(gates: &[T], c: &[T], h: &mut [T], new: &mut [T]) {
    let n = c.len();
    let (h, new) = (&mut h[..n], &mut new[..n]);
    let [i, f, g, o] = std::array::from_fn(|block| &gates[block * n..][..n]);
    for j in 0..n {
        new[j] = f[j].fma::<I>(c[j], i[j] * g[j]);
        h[j] = o[j] * new[j].tanh::<I>();
    }
}

/// The operands of the gradient: the activated gates, the states c and c', and the gradients of h' and c'.
#[derive(Clone, Copy)]
pub struct LstmGradient<'a, T> {
    pub gates: &'a [T],
    pub c: &'a [T],
    pub new: &'a [T],
    pub gh: &'a [T],
    pub gc: &'a [T],
}

impl<T> LstmGradient<'_, T> {
    /// Returns the operands of the first `at` numbers of the states, and those of the others.
    fn split_at(&self, at: usize) -> [Self; 2] {
        let (gates1, gates2) = self.gates.split_at(4 * at);
        let ((c1, c2), (new1, new2)) = (self.c.split_at(at), self.new.split_at(at));
        let ((gh1, gh2), (gc1, gc2)) = (self.gh.split_at(at), self.gc.split_at(at));
        [
            LstmGradient { gates: gates1, c: c1, new: new1, gh: gh1, gc: gc1 },
            LstmGradient { gates: gates2, c: c2, new: new2, gh: gh2, gc: gc2 },
        ]
    }
}

/// Computes the gradients of the arguments of the gates and of c, for rows of `n` numbers.
pub(crate) fn lstm_gradient<T: Math>(
    of: LstmGradient<'_, T>,
    n: usize,
    by_gates: &mut [T],
    by_c: &mut [T],
) {
    let rows = by_c.len() / n;
    debug_assert!(by_gates.len() == 4 * rows * n && of.gates.len() == by_gates.len());
    debug_assert!([of.c, of.new, of.gh, of.gc].iter().all(|x| x.len() == rows * n));
    if rows < 2 || by_c.len() <= PART {
        return dispatch(LstmBackward { of, n, by_gates, by_c });
    }
    let half = rows / 2 * n;
    let [first, second] = of.split_at(half);
    let (gates1, gates2) = by_gates.split_at_mut(4 * half);
    let (c1, c2) = by_c.split_at_mut(half);
    join(cost(&[of.c.len(), STEPS]), &mut || lstm_gradient(first, n, gates1, c1), &mut || {
        lstm_gradient(second, n, gates2, c2);
    });
}

struct LstmBackward<'a, T> {
    of: LstmGradient<'a, T>,
    n: usize,
    by_gates: &'a mut [T],
    by_c: &'a mut [T],
}

impl<T: Math> Kernel for LstmBackward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let LstmBackward { of, n, by_gates, by_c } = self;
        let results = by_gates.chunks_exact_mut(4 * n).zip(by_c.chunks_exact_mut(n));
        for (row, (by_gates, by_c)) in results.enumerate() {
            let at = row * n..(row + 1) * n;
            let gates = &of.gates[4 * at.start..4 * at.end];
            let [c, new, gh, gc] = [of.c, of.new, of.gh, of.gc].map(|x| &x[at.clone()]);
            let (by_i, rest) = by_gates.split_at_mut(n);
            let (by_f, rest) = rest.split_at_mut(n);
            let (by_g, by_o) = rest.split_at_mut(n);
            row_of_gradient::<T, I>(gates, [c, new, gh, gc], by_i, by_f, by_g, by_o, by_c);
        }
    }
}

/// Computes a row. A function of slices, so that the compiler knows that they do not overlap.
#[inline(always)]
fn row_of_gradient<T: Math, I: Isa>(
    gates: &[T],
    [c, new, gh, gc]: [&[T]; 4],
    by_i: &mut [T],
    by_f: &mut [T],
    by_g: &mut [T],
    by_o: &mut [T],
    by_c: &mut [T],
) {
    let n = c.len();
    let [i, f, g, o] = std::array::from_fn(|block| &gates[block * n..][..n]);
    let (new, gh, gc) = (&new[..n], &gh[..n], &gc[..n]);
    let (by_i, by_f, by_g) = (&mut by_i[..n], &mut by_f[..n], &mut by_g[..n]);
    let (by_o, by_c) = (&mut by_o[..n], &mut by_c[..n]);
    let one = T::K.one;
    for j in 0..n {
        let t = new[j].tanh::<I>();
        let s = gc[j] + gh[j] * o[j] * (one - t * t);
        by_i[j] = s * g[j] * (i[j] * (one - i[j]));
        by_f[j] = s * c[j] * (f[j] * (one - f[j]));
        by_g[j] = s * i[j] * (one - g[j] * g[j]);
        by_o[j] = gh[j] * t * (o[j] * (one - o[j]));
        by_c[j] = s * f[j];
    }
}
