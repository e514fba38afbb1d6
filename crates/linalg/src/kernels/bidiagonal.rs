//! Bidiagonal matrices: the reduction of a square matrix to one by reflections in blocks (J. Dongarra, D. Sorensen and
//! S. Hammarling, "Block reduction of matrices to condensed forms for eigenvalue computations", 1989), and the QR iteration
//! for its singular values (J. Demmel and W. Kahan, "Accurate singular values of bidiagonal matrices", 1990).

use super::reflections::{Reflections, orthogonal, reflection};
use super::rotations::{Rotations, rotation};
use super::vectors::{
    add_multiples, block, column, dots, largest, panel, product, subtract, transposed,
};

/// Returns the diagonal of B, the elements above it, U and V, where A = U B Vᵀ has n rows and columns.
pub(crate) fn bidiagonal(mut a: Vec<f64>, n: usize) -> [Vec<f64>; 4] {
    let (mut d, mut e) = (vec![0.0; n], vec![0.0; n.max(1) - 1]);
    let (mut left, mut right) = (vec![], vec![]);
    for start in (0..n).step_by(panel(n)) {
        let (count, length) = (panel(n).min(n - start), n - start);
        // A stands for A - Vᵀ Y - Xᵀ W. Row j of V is the vector of a reflection from the left, row j of W from the right.
        let [mut v, mut y, mut x, mut w] = [(); 4].map(|()| vec![0.0; count * length]);
        let (mut left_taus, mut right_taus) = (vec![0.0; count], vec![0.0; count]);
        for j in 0..count {
            let (at, next, known) = ([length, j], [length, j + 1], j * length);
            let corner = (start + j) * n + start + j;
            let mut c: Vec<f64> = a[corner..].iter().step_by(n).copied().collect();
            add_multiples(&mut c, -1.0, &column(&y[..known], length, j), &v, at);
            add_multiples(&mut c, -1.0, &column(&w[..known], length, j), &x, at);
            let found = reflection(c);
            (d[start + j], left_taus[j]) = (found.beta, found.tau);
            v[known + j..known + length].copy_from_slice(&found.v);
            if j + 1 == length {
                break;
            }
            let mut sums = vec![0.0; length - j - 1];
            let [by_v, by_x] = [&v, &x].map(|rows| dots(&rows[..known], &found.v, at));
            add_multiples(
                &mut sums,
                found.tau,
                &found.v,
                &a[(start + j) * n..],
                [n, start + j + 1],
            );
            add_multiples(&mut sums, -found.tau, &by_v, &y, next);
            add_multiples(&mut sums, -found.tau, &by_x, &w, next);
            y[known + j + 1..known + length].copy_from_slice(&sums);

            let mut row = a[corner + 1..(start + j + 1) * n].to_vec();
            add_multiples(&mut row, -1.0, &column(&v[..known + length], length, j), &y, next);
            add_multiples(&mut row, -1.0, &column(&x[..known], length, j), &w, next);
            let found = reflection(row);
            (e[start + j], right_taus[j]) = (found.beta, found.tau);
            w[known + j + 1..known + length].copy_from_slice(&found.v);
            let mut sums = dots(&a[(start + j + 1) * n..], &found.v, [n, start + j + 1]);
            let by_y = dots(&y[..known + length], &found.v, next);
            let by_w = dots(&w[..known], &found.v, next);
            add_multiples(&mut sums, -1.0, &by_y, &v, next);
            add_multiples(&mut sums, -1.0, &by_w, &x, next);
            for (to, sum) in x[known + j + 1..].iter_mut().zip(&sums) {
                *to = found.tau * sum;
            }
        }
        let rest = length - count;
        let of = |x: &[f64]| block(x, length, [0..count, count..length]);
        let columns = transposed(&[of(&v), of(&x)].concat(), [2 * count, rest]);
        let part = product(&columns, &[of(&y), of(&w)].concat(), [rest, 2 * count, rest]);
        subtract(&mut a, n, [start + count..n, start + count..n], &part);
        left.push(Reflections::new(start, v, left_taus));
        right.push(Reflections::new(start, w, right_taus));
    }
    [d, e, orthogonal(&left, [n, n]), orthogonal(&right, [n, n])]
}

/// An element beside the diagonal is 0 if it changes the singular values by less than this, relative to each of them.
const TOLERANCE: f64 = 10.0 * f64::EPSILON;

/// Makes the bidiagonal matrix with this diagonal and these elements above it diagonal. The rotations act on the columns
/// of U and V, which become the singular vectors. The diagonal becomes the singular values, without order and with signs.
pub(crate) fn iterate(d: &mut [f64], e: &mut [f64], u: &mut [f64], v: &mut [f64]) -> Option<()> {
    let n = d.len();
    let mut turns = [Rotations::default(), Rotations::default()];
    // Few matrices need n² rotations.
    let (mut last, mut left) = (n.max(1) - 1, 30 * n * n);
    // The block of the last sweep, and whether it went upwards. A sweep goes from the larger to the smaller values.
    let (mut before, mut upwards) = (n..n, true);
    while last > 0 {
        let zero = e[..last].iter().rposition(|e| e.abs() <= f64::MIN_POSITIVE);
        let first = zero.map_or(0, |i| i + 1);
        if let Some(i) = zero {
            e[i] = 0.0;
        }
        if first == last {
            last -= 1;
            continue;
        }
        let here = first..last + 1;
        if here.start >= before.end || here.end <= before.start {
            upwards = d[first].abs() >= d[last].abs();
        }
        before = here.clone();
        left = left.checked_sub(here.len())?;
        // In the opposite order, the transpose is an upper bidiagonal matrix again.
        let mut part = [d[here.clone()].to_vec(), e[first..last].to_vec()];
        if !upwards {
            for x in &mut part {
                x.reverse();
            }
        }
        let [of_d, of_e] = &mut part;
        if let Some(least) = split(of_d, of_e) {
            let sides = [usize::from(!upwards), usize::from(upwards)];
            for x in &mut turns {
                x.sweep(if upwards { first } else { last }, upwards);
            }
            sweep(of_d, of_e, least, |side, [c, s]| turns[sides[side]].push(c, s));
        }
        if !upwards {
            for x in &mut part {
                x.reverse();
            }
        }
        d[here].copy_from_slice(&part[0]);
        e[first..last].copy_from_slice(&part[1]);
        if turns[0].are_many() {
            turns[0].apply(u, n);
            turns[1].apply(v, n);
        }
    }
    turns[0].apply(u, n);
    turns[1].apply(v, n);
    Some(())
}

/// Returns a lower bound for the least singular value, up to a factor √n. If an element beside the diagonal is negligible,
/// sets it to 0 and returns `None`.
fn split(d: &[f64], e: &mut [f64]) -> Option<f64> {
    let last = e.len() - 1;
    if e[last].abs() <= TOLERANCE * d[last + 1].abs() {
        e[last] = 0.0;
        return None;
    }
    let mut bound = d[0].abs();
    let mut least = bound;
    for (e, d) in e.iter_mut().zip(&d[1..]) {
        if e.abs() <= TOLERANCE * bound {
            *e = 0.0;
            return None;
        }
        bound = d.abs() * (bound / (bound + e.abs()));
        least = least.min(bound);
    }
    Some(least)
}

/// One QR step from the first to the last row. `push` takes the side, 0 for U and 1 for V, and the rotation.
fn sweep(d: &mut [f64], e: &mut [f64], least: f64, mut push: impl FnMut(usize, [f64; 2])) {
    let last = e.len();
    let most = largest(d).max(largest(e));
    let mut shift = least_of_two(d[last - 1], e[last - 1], d[last]);
    let ratio = shift / d[0];
    if least <= f64::EPSILON * most || ratio * ratio < f64::EPSILON {
        shift = 0.0;
    }
    if shift == 0.0 {
        // Without subtractions: small singular values stay precise.
        let (mut c, mut old) = (1.0, [1.0, 0.0]);
        for i in 0..last {
            let [c_right, s_right, r] = rotation(d[i] * c, e[i]);
            if i > 0 {
                e[i - 1] = old[1] * r;
            }
            let [c_left, s_left, r] = rotation(old[0] * r, d[i + 1] * s_right);
            d[i] = r;
            push(1, [c_right, s_right]);
            push(0, [c_left, s_left]);
            (c, old) = (c_right, [c_left, s_left]);
        }
        let h = d[last] * c;
        (d[last], e[last - 1]) = (h * old[0], h * old[1]);
        return;
    }
    let (mut f, mut g) = ((d[0].abs() - shift) * (1f64.copysign(d[0]) + shift / d[0]), e[0]);
    for i in 0..last {
        let [c, s, r] = rotation(f, g);
        push(1, [c, s]);
        if i > 0 {
            e[i - 1] = r;
        }
        (f, e[i]) = (c * d[i] + s * e[i], c * e[i] - s * d[i]);
        (g, d[i + 1]) = (s * d[i + 1], c * d[i + 1]);
        let [c, s, r] = rotation(f, g);
        push(0, [c, s]);
        d[i] = r;
        (f, d[i + 1]) = (c * e[i] + s * d[i + 1], c * d[i + 1] - s * e[i]);
        if i + 1 < last {
            (g, e[i + 1]) = (s * e[i + 1], c * e[i + 1]);
        }
    }
    e[last - 1] = f;
}

/// Returns the smaller singular value of the matrix ((f, g), (0, h)).
fn least_of_two(f: f64, g: f64, h: f64) -> f64 {
    let (f, g, h) = (f.abs(), g.abs(), h.abs());
    let (small, large) = (f.min(h), f.max(h));
    if small == 0.0 {
        return 0.0;
    }
    let (sum, difference) = (1.0 + small / large, (large - small) / large);
    if g < large {
        let ratio = (g / large) * (g / large);
        2.0 * small / ((sum * sum + ratio).sqrt() + (difference * difference + ratio).sqrt())
    } else {
        let ratio = large / g;
        let (sum, difference) = (sum * ratio, difference * ratio);
        let root = (1.0 + sum * sum).sqrt() + (1.0 + difference * difference).sqrt();
        2.0 * (small / root) * ratio
    }
}
