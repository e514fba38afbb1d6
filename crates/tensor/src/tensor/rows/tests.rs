mod batch_norm;

use crate::kernels::rows::LONGEST;
use crate::tensor::{Float, Tensor};
use crate::testing::{layouts, panics_here};
use rayon::ThreadPoolBuilder;

/// Returns pseudo-random numbers between `low` and `high`.
fn noise<T: Float>(shape: &[usize], seed: u64, low: f64, high: f64) -> Tensor<T> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ seed.wrapping_mul(0xd134_2543_de82_ef95);
    Tensor::from_fn(shape, |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        T::of(low + (high - low) * ((state >> 11) as f64 / (1u64 << 53) as f64))
    })
}

/// Calls `f` with the positions of each line along an axis.
fn each_line(shape: &[usize], axis: usize, mut f: impl FnMut(&[usize])) {
    let (n, inner) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
    let outer: usize = shape[..axis].iter().product();
    for o in 0..outer {
        for i in 0..inner {
            f(&(0..n).map(|j| (o * n + j) * inner + i).collect::<Vec<_>>());
        }
    }
}

/// A function of lines, from one or two operands, computed by plain loops.
type OfLine = fn(&[Vec<f64>]) -> Vec<f64>;

/// Adds numbers in runs, so that the rounding errors of long sums stay small.
fn total(x: impl Iterator<Item = f64>) -> f64 {
    x.collect::<Vec<_>>().chunks(256).map(|run| run.iter().sum::<f64>()).sum()
}

/// Returns the differences from the largest number, and the sum of their exponentials.
fn shifted(x: &[f64]) -> (Vec<f64>, f64) {
    let largest = x.iter().fold(f64::NEG_INFINITY, |m, &x| if x > m || x.is_nan() { x } else { m });
    let x: Vec<f64> = x.iter().map(|x| x - largest).collect();
    let sum = total(x.iter().map(|x| x.exp()));
    (x, sum)
}

fn log_softmax(x: &[Vec<f64>]) -> Vec<f64> {
    let (x, sum) = shifted(&x[0]);
    x.iter().map(|x| x - sum.ln()).collect()
}

fn softmax(x: &[Vec<f64>]) -> Vec<f64> {
    let (x, sum) = shifted(&x[0]);
    x.iter().map(|x| x.exp() / sum).collect()
}

fn gradient(x: &[Vec<f64>]) -> Vec<f64> {
    let sum: f64 = x[0].iter().zip(&x[1]).map(|(gy, y)| gy * y).sum();
    x[0].iter().zip(&x[1]).map(|(gy, y)| y * (gy - sum)).collect()
}

fn log_gradient(x: &[Vec<f64>]) -> Vec<f64> {
    let sum: f64 = x[0].iter().sum();
    x[0].iter().zip(&x[1]).map(|(gy, y)| gy - y.exp() * sum).collect()
}

/// Compares with plain loops in `f64`. `size` is the size of terms that may cancel.
#[track_caller]
fn compare<T: Float>(got: &Tensor<T>, of: OfLine, x: &[&Tensor<T>], axis: usize, size: f64) {
    let shape = got.shape();
    let x: Vec<Vec<f64>> = x.iter().map(|x| x.to_vec().iter().map(|x| x.to()).collect()).collect();
    let got: Vec<f64> = got.to_vec().iter().map(|y| y.to()).collect();
    each_line(&shape, axis, |at| {
        let line: Vec<Vec<f64>> = x.iter().map(|x| at.iter().map(|&i| x[i]).collect()).collect();
        for (wanted, &i) in of(&line).into_iter().zip(at) {
            // The rounding error of x − m grows with it.
            let bound = T::EPSILON * (16.0 * wanted.abs() + size) + f64::MIN_POSITIVE;
            let close = (got[i] - wanted).abs() <= bound || got[i].is_nan() && wanted.is_nan();
            assert!(close || got[i] == wanted, "{shape} axis {axis}: {} for {wanted}", got[i]);
        }
    });
}

fn all_functions<T: Float>(x: &Tensor<T>, gy: &Tensor<T>, axis: usize) {
    let (y, logs) = (x.softmax(axis as isize), x.log_softmax(axis as isize));
    compare(&y, softmax, &[x], axis, 0.0);
    compare(&logs, log_softmax, &[x], axis, 4.0);
    let n = x.shape()[axis] as f64;
    compare(&y.softmax_gradient(gy, false, axis), gradient, &[gy, &y], axis, 4.0);
    compare(
        &logs.softmax_gradient(gy, true, axis),
        log_gradient,
        &[gy, &logs],
        axis,
        4.0 + 0.1 * n,
    );
}

fn softmax_of_every_size<T: Float>() {
    for n in [1, 2, 5, 10, 31, 47, 48, 49, 63, 64, 65, 129, 1000] {
        for (outer, inner) in
            [(1, 1), (3, 1), (33, 1), (70, 1), (2, 3), (40, 2), (1, 31), (2, 32), (1, 70)]
        {
            let shape = [outer, n, inner];
            all_functions(&noise::<T>(&shape, 1, -8.0, 3.0), &noise(&shape, 2, -1.0, 1.0), 1);
        }
    }
}

#[test]
fn softmax_of_every_size_has_the_values_of_plain_loops() {
    softmax_of_every_size::<f32>();
    softmax_of_every_size::<f64>();
}

#[test]
fn softmax_takes_every_layout() {
    for (name, x) in layouts() {
        for axis in 0..x.rank() {
            let gy = x.exp() * 0.01 - 1.0;
            let packed = x.contiguous();
            assert_eq!(
                x.softmax(axis as isize).to_vec(),
                packed.softmax(axis as isize).to_vec(),
                "{name}"
            );
            if x.numel() > 0 {
                all_functions(
                    &(x.clone() * 0.1),
                    &gy.minimum(&Tensor::full_of(&x.shape(), 1.0)),
                    axis,
                );
            }
        }
    }
}

#[test]
fn a_long_line_has_the_values_of_plain_loops() {
    let shape = [2, LONGEST + 3];
    all_functions(&noise::<f64>(&shape, 1, -8.0, 3.0), &noise(&shape, 2, -1.0, 1.0), 1);
}

/// Rows of special numbers, in a short and in a long row: alone, and with other rows beside them.
#[test]
fn softmax_of_infinities_and_nan() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    for n in [4, 10, 100] {
        for special in
            [vec![nan], vec![inf], vec![-inf], vec![inf, -inf], vec![nan, inf], vec![-inf; n]]
        {
            let rows = Tensor::<f64>::from_fn(&[3, n], |i| {
                let (row, column) = (i / n, i % n);
                if row == 1 {
                    special.get(column).copied().unwrap_or(0.5)
                } else {
                    column as f64 * 0.1
                }
            });
            for x in [rows.clone(), rows.t().contiguous()] {
                let axis = usize::from(x.shape()[1] == n);
                compare(&x.softmax(axis as isize), softmax, &[&x], axis, 0.0);
                compare(&x.log_softmax(axis as isize), log_softmax, &[&x], axis, 4.0);
                let single = x.cast::<f32>();
                compare(&single.softmax(axis as isize), softmax, &[&single], axis, 0.0);
            }
        }
    }
}

/// Where eˣ is subnormal, the result is, and it rounds to 0 below half of the smallest number.
#[test]
fn small_probabilities_are_subnormal_or_zero() {
    let x = [0.0f32, -80.0, -87.0, -88.0, -95.0, -100.0, -103.0, -103.9, -104.5, -1e4];
    for n in [x.len(), 90] {
        let row = Tensor::from_fn(&[n], |i| x.get(i).copied().unwrap_or(f32::NEG_INFINITY));
        let y = row.softmax(0).to_vec();
        for (&x, &y) in x.iter().zip(&y) {
            let wanted = f64::from(x).exp();
            let bound = wanted * 4.0 * f64::from(f32::EPSILON) + 0.75 * 2f64.powi(-149);
            assert!((f64::from(y) - wanted).abs() <= bound, "{x}: {y}, not {wanted}");
        }
        assert_eq!(y[y.len() - 1], 0.0);
    }
}

/// Returns mean, inverse deviation and normalised numbers of a row.
fn normalized(row: &[f64], eps: f64) -> (f64, f64, Vec<f64>) {
    let n = row.len() as f64;
    let mean = total(row.iter().copied()) / n;
    let inv = 1.0 / (total(row.iter().map(|x| (x - mean).powi(2))) / n + eps).sqrt();
    (mean, inv, row.iter().map(|x| (x - mean) * inv).collect())
}

fn wide<T: Float>(x: &Tensor<T>) -> Vec<f64> {
    x.to_vec().iter().map(|x| x.to()).collect()
}

#[track_caller]
fn near<T: Float>(what: &str, got: T, wanted: f64, size: f64) {
    let bound = T::EPSILON * 32.0 * (wanted.abs() + size);
    assert!((got.to() - wanted).abs() <= bound, "{what}: {} for {wanted}", got.to());
}

fn layer_norm_of_every_size<T: Float>() {
    for (rows, n) in
        [(1, 1), (1, 2), (3, 5), (2, 64), (31, 65), (70, 100), (33, 1000), (2, LONGEST + 9)]
    {
        let shape = [rows, n];
        let (x, gy) = (noise::<T>(&shape, 1, 2.0, 5.0), noise::<T>(&shape, 2, -1.0, 1.0));
        let (w, b) = (noise::<T>(&[n], 3, 0.5, 1.5), noise::<T>(&[n], 4, -1.0, 1.0));
        let (wx, wgy, ww, wb) = (wide(&x), wide(&gy), wide(&w), wide(&b));
        for affine in [[None, None], [Some(&w), None], [Some(&w), Some(&b)]] {
            let [y, mean, inv] = x.layer_norm_with_statistics(1, affine, 1e-3);
            let (gx, sums) = x.layer_norm_gradient(1, [&mean, &inv, &gy], affine[0]);
            let (mut gw, mut gb) = (vec![0.0; n], vec![0.0; n]);
            for r in 0..rows {
                let at = r * n..(r + 1) * n;
                let (of_mean, of_inv, normal) = normalized(&wx[at.clone()], 1e-3);
                let (m, s) = (mean.to_vec()[r], inv.to_vec()[r]);
                near("mean", m, of_mean, 0.0);
                near("inv", s, of_inv, 0.0);
                let t: Vec<f64> =
                    (0..n).map(|i| wgy[r * n + i] * affine[0].map_or(1.0, |_| ww[i])).collect();
                let mean_t = t.iter().sum::<f64>() / n as f64;
                let slope = (0..n).map(|i| t[i] * normal[i]).sum::<f64>() / n as f64;
                let (ys, gxs) = (y.to_vec(), gx.to_vec());
                for i in 0..n {
                    let scaled = normal[i] * affine[0].map_or(1.0, |_| ww[i]);
                    let wanted = scaled + affine[1].map_or(0.0, |_| wb[i]);
                    near("y", ys[at.start + i], wanted, 4.0);
                    let wanted = of_inv * (t[i] - mean_t - normal[i] * slope);
                    near("gx", gxs[at.start + i], wanted, 8.0 * of_inv);
                    gw[i] += wgy[at.start + i] * normal[i];
                    gb[i] += wgy[at.start + i];
                }
            }
            assert_eq!(sums.is_some(), affine[0].is_some());
            if let Some([got_w, got_b]) = sums {
                for i in 0..n {
                    near("gw", got_w.to_vec()[i], gw[i], rows as f64);
                    near("gb", got_b.to_vec()[i], gb[i], rows as f64);
                }
            }
        }
    }
}

#[test]
fn layer_norm_of_every_size_has_the_values_of_plain_loops() {
    layer_norm_of_every_size::<f64>();
    for (rows, n) in [(3, 5), (70, 100), (33, 1000)] {
        let x = noise::<f32>(&[rows, n], 1, 2.0, 5.0);
        let y = wide(&x.layer_norm(1, None, None, 1e-3));
        for (row, y) in wide(&x).chunks(n).zip(y.chunks(n)) {
            for (wanted, &y) in normalized(row, 1e-3).2.into_iter().zip(y) {
                near("y", y as f32, wanted, 4.0);
            }
        }
    }
}

#[test]
fn layer_norm_takes_every_layout_and_number_of_axes() {
    for (name, x) in layouts().into_iter().filter(|(_, x)| x.rank() > 0) {
        for axes in 1..=x.rank() {
            let [a, b] = [&x, &x.contiguous()].map(|x| x.layer_norm(axes, None, None, 1e-5));
            assert!(a.shape() == x.shape() && a.to_vec() == b.to_vec(), "{name}");
        }
    }
}

#[test]
fn layer_norm_of_nothing_of_one_number_and_of_infinities() {
    let none = Tensor::<f32>::zeros(&[0, 3]);
    let weight = Tensor::ones(&[3]);
    let [y, mean, inv] = none.layer_norm_with_statistics(1, [Some(&weight), None], 1e-5);
    assert!(y.shape() == [0, 3] && mean.shape() == [0, 1] && inv.shape() == [0, 1]);
    let (gx, sums) = none.layer_norm_gradient(1, [&mean, &inv, &none], Some(&weight));
    assert!(gx.shape() == [0, 3] && sums.unwrap().iter().all(|g| g.to_vec() == [0.0; 3]));
    let [_, mean, _] =
        Tensor::<f32>::zeros(&[2, 0]).layer_norm_with_statistics(1, [None, None], 1.0);
    assert!(mean.shape() == [2, 1] && mean.to_vec().iter().all(|x| x.is_nan()));
    assert_eq!(Tensor::from([[3.0f32]]).layer_norm(1, None, None, 1e-5).to_vec(), [0.0]);
    for special in [f32::INFINITY, f32::NAN] {
        let y = Tensor::from([[1.0, special, 2.0], [1.0, 2.0, 3.0]]).layer_norm(1, None, None, 0.0);
        let y = y.to_vec();
        assert!(y[..3].iter().all(|y| y.is_nan()) && y[3..].iter().all(|y| y.is_finite()));
    }
}

#[test]
fn layer_norm_refuses_shapes_that_do_not_fit() {
    let x = Tensor::<f32>::zeros(&[2, 3]);
    let two = Tensor::<f32>::zeros(&[2]);
    panics_here("layer_norm: expected 1 to 2 axes for shape [2, 3], got 0", || {
        drop(x.layer_norm(0, None, None, 1.0));
    });
    panics_here("layer_norm: 1 normalised axes of [2, 3] require a weight [3], got [2]", || {
        drop(x.layer_norm(1, Some(&two), None, 1.0));
    });
    panics_here("layer_norm: a bias requires a weight: add the bias to the result", || {
        drop(x.layer_norm(1, None, Some(&Tensor::zeros(&[3])), 1.0));
    });
}

/// The mean is large against the deviation: a sum of squares without the mean would lose all digits.
#[test]
fn mean_and_variance_in_one_pass_have_the_values_of_plain_loops() {
    for (shape, axes) in [
        (&[3, 40][..], &[1][..]),
        (&[5, 3, 16], &[0, 2]),
        (&[64, 6, 49], &[0, 2]),
        (&[2, 3, 9, 100], &[0, 2, 3]),
        (&[2, 5, 3, 33], &[1, 3]),
        (&[3, 10000], &[1]),
        (&[100_000], &[0]),
        (&[9, 3, 5000], &[0, 2]),
        (&[50, 3], &[0]),
    ] {
        let x = noise::<f32>(shape, 7, 1000.0, 1001.0);
        let exact = x.cast::<f64>();
        for correction in [0, 1] {
            for keepdim in [true, false] {
                let (variance, mean) = x.var_mean(axes, keepdim, correction);
                let wanted = exact.var(axes, keepdim, correction);
                assert_eq!((variance.shape(), mean.shape()), (wanted.shape(), wanted.shape()));
                for (got, wanted) in variance.to_vec().into_iter().zip(wanted.to_vec()) {
                    near(&format!("variance of {shape:?}"), got, wanted, 0.0);
                }
                for (got, wanted) in mean.to_vec().iter().zip(exact.mean(axes, keepdim).to_vec()) {
                    assert!((f64::from(*got) - wanted).abs() <= 2e-7 * wanted, "mean of {shape:?}");
                }
            }
        }
    }
    for special in [f32::INFINITY, f32::NAN] {
        let x = Tensor::from_fn(&[2, 40], |i| if i == 3 { special } else { i as f32 });
        let (variance, mean) = x.var_mean(&[1], false, 0);
        assert!(variance.to_vec()[0].is_nan() && !mean.to_vec()[0].is_finite());
        assert!(variance.to_vec()[1].is_finite());
    }
    let equal = Tensor::full_of(&[2, 40], 0.1f32);
    assert_eq!(equal.var_mean(&[1], false, 0).0.to_vec(), [0.0; 2]);
}

#[test]
fn infinities_in_any_piece_reach_the_mean() {
    let (inf, n) = (f32::INFINITY, 20_000);
    for (places, wanted) in [
        (vec![(0, inf)], inf),
        (vec![(n - 1, -inf)], -inf),
        (vec![(0, inf), (n - 1, inf)], inf),
        (vec![(5000, inf), (n - 1, -inf)], f32::NAN),
        (vec![(3, f32::NAN)], f32::NAN),
    ] {
        let x = Tensor::from_fn(&[n], |i| {
            places.iter().find(|(at, _)| *at == i).map_or(1.0, |(_, special)| *special)
        });
        let (variance, mean) = x.var_mean(&[0], false, 0);
        let mean = mean.item();
        assert!(mean == wanted || mean.is_nan() && wanted.is_nan(), "{places:?}: {mean}");
        assert!(variance.item().is_nan(), "{places:?}");
    }
}

#[test]
fn softmax_of_no_lines_of_any_length_is_empty() {
    for shape in [[0, LONGEST + 1], [LONGEST + 1, 0], [0, 3]] {
        let x = Tensor::<f32>::zeros(&shape);
        for axis in 0..2 {
            assert_eq!(x.softmax(axis).shape(), shape);
            assert_eq!(x.log_softmax(axis).shape(), shape);
            assert_eq!(x.softmax_gradient(&x, true, axis as usize).shape(), shape);
        }
    }
}

#[test]
fn rows_have_the_same_bits_on_any_number_of_threads() {
    let x = noise::<f32>(&[300, 1000], 1, -3.0, 3.0);
    let gy = noise::<f32>(&[300, 1000], 2, -3.0, 3.0);
    let planes = noise::<f32>(&[16, 8, 50, 50], 3, -3.0, 3.0);
    let (w, tall) = (noise::<f32>(&[1000], 4, 0.5, 1.5), noise::<f32>(&[40000, 10], 5, -3.0, 3.0));
    let run = || {
        let [y, mean, inv] = x.layer_norm_with_statistics(1, [Some(&w), Some(&w)], 1e-5);
        let (gx, sums) = x.layer_norm_gradient(1, [&mean, &inv, &gy], Some(&w));
        let [gw, gb] = sums.unwrap();
        let (variance, means) = planes.var_mean(&[0, 2, 3], true, 0);
        let soft = x.softmax(1);
        let results = [
            soft.softmax_gradient(&gy, false, 1),
            soft,
            y,
            mean,
            inv,
            gx,
            gw,
            gb,
            variance,
            means,
            x.log_softmax(0),
            tall.log_softmax(1),
            planes.softmax(1),
        ];
        results.map(|x| x.to_vec().iter().map(|x| x.to_bits()).collect::<Vec<_>>())
    };
    let on = |threads| ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run);
    let wanted = on(1);
    for threads in [2, 3, 5] {
        assert!(on(threads) == wanted, "{threads} threads");
    }
}
