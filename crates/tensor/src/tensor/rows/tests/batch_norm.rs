//! Batch normalisation compared with plain loops in `f64`.

use super::{near, noise, total, wide};
use crate::tensor::{Float, Tensor};
use crate::testing::{layouts, panics_here};
use rayon::ThreadPoolBuilder;

const SHAPES: [[usize; 4]; 10] = [
    [1, 1, 1, 1],
    [2, 3, 1, 1],
    [5, 2, 3, 1],
    [3, 2, 4, 4],
    [4, 9, 7, 7],
    [2, 3, 5, 13],
    [3, 2, 8, 8],
    [2, 2, 9, 29],
    [2, 17, 3, 43],
    [9, 8, 32, 33],
];

/// Returns the positions of the numbers of each channel.
fn channels(shape: &[usize]) -> Vec<Vec<usize>> {
    let inner: usize = shape[2..].iter().product();
    let channel = |c: usize| {
        (0..shape[0]).flat_map(move |n| (n * shape[1] + c) * inner..(n * shape[1] + c + 1) * inner)
    };
    (0..shape[1]).map(|c| channel(c).collect()).collect()
}

fn of_shape<T: Float>(shape: &[usize]) {
    let axes: Vec<isize> = (0..shape.len() as isize).filter(|&axis| axis != 1).collect();
    let (c, eps) = (shape[1], 1e-3);
    let (x, gy) = (noise::<T>(shape, 1, 2.0, 5.0), noise::<T>(shape, 2, -1.0, 1.0));
    let residual = noise::<T>(shape, 5, -1.0, 1.0);
    let (w, b) = (noise::<T>(&[c], 3, 0.5, 1.5), noise::<T>(&[c], 4, -1.0, 1.0));
    let (variance, mean) = x.var_mean(&axes, true, 0);
    let [wx, wgy, wr, ww, wb] = [&x, &gy, &residual, &w, &b].map(wide);
    for affine in [[None, None], [Some(&w), None], [Some(&w), Some(&b)]] {
        for (added, relu) in [(false, false), (true, false), (false, true), (true, true)] {
            let summand = added.then_some(&residual);
            let y = x.batch_norm([&mean, &variance], affine, eps, summand, relu);
            let (behind, keep) = (relu.then_some(&y), relu && added);
            let of = [&mean, &variance, &gy];
            let ([gx, gw, gb], passed) = x.batch_norm_gradient(of, affine[0], eps, behind, keep);
            assert_eq!(passed.is_some(), keep);
            let (ys, gxs, passed) = (y.to_vec(), gx.to_vec(), passed.map(|passed| passed.to_vec()));
            for (channel, at) in channels(shape).into_iter().enumerate() {
                let n = at.len() as f64;
                let mean = total(at.iter().map(|&i| wx[i])) / n;
                let variance = total(at.iter().map(|&i| (wx[i] - mean).powi(2))) / n;
                let inv = 1.0 / (variance + eps).sqrt();
                let scale = affine[0].map_or(1.0, |_| ww[channel]);
                let shift = affine[1].map_or(0.0, |_| wb[channel]);
                let normal = |i: usize| (wx[i] - mean) * inv;
                let mut gys = vec![];
                for &i in &at {
                    let sum = normal(i) * scale + shift + if added { wr[i] } else { 0.0 };
                    near("y", ys[i], if relu { sum.max(0.0) } else { sum }, 8.0);
                    gys.push(if relu && ys[i].to() == 0.0 { 0.0 } else { wgy[i] });
                    if let Some(passed) = &passed {
                        assert_eq!(passed[i].to(), *gys.last().unwrap());
                    }
                }
                let sum = total(gys.iter().copied());
                let slope = total(at.iter().zip(&gys).map(|(&i, gy)| gy * normal(i)));
                for (&i, gy) in at.iter().zip(&gys) {
                    let wanted = scale * inv * (gy - sum / n - normal(i) * slope / n);
                    near("gx", gxs[i], wanted, 8.0 * inv);
                }
                near("gw", gw.to_vec()[channel], slope, n.sqrt());
                near("gb", gb.to_vec()[channel], sum, n.sqrt());
            }
        }
    }
}

#[test]
fn batch_norm_has_the_values_of_plain_loops() {
    for shape in SHAPES {
        of_shape::<f64>(&shape);
        of_shape::<f32>(&shape);
    }
    of_shape::<f64>(&[7, 3]);
    of_shape::<f32>(&[3, 4, 37]);
    of_shape::<f64>(&[2, 3, 2, 3, 5]);
}

/// Deviations that are small against the mean keep their digits.
#[test]
fn statistics_of_channels_with_a_large_mean() {
    for inner in [1, 16, 49, 1000] {
        let x = noise::<f32>(&[9, 8, inner], 7, 1000.0, 1001.0);
        let exact = x.cast::<f64>();
        let (variance, mean) = x.var_mean(&[0, 2], false, 1);
        let wanted = exact.var(&[0, 2], false, 1).to_vec();
        for (got, wanted) in variance.to_vec().into_iter().zip(wanted) {
            near("variance", got, wanted, 0.0);
        }
        for (got, wanted) in mean.to_vec().iter().zip(exact.mean(&[0, 2], false).to_vec()) {
            assert!((f64::from(*got) - wanted).abs() <= 1e-7 * wanted);
        }
    }
    let equal = Tensor::full_of(&[3, 8, 40], 0.1f32);
    assert_eq!(equal.var_mean(&[0, 2], false, 0).0.to_vec(), [0.0; 8]);
}

/// Runs that are shorter than the vectors of a sum lose no more digits than longer ones.
#[test]
fn sums_over_many_short_runs_are_precise() {
    for inner in [1, 7, 17, 40, 70] {
        let x = noise::<f32>(&[4000, 2, inner], 8, -1.0, 1.0);
        let gy = Tensor::full_of(&[4000, 2, inner], 0.1f32);
        let (variance, mean) = x.var_mean(&[0, 2], true, 0);
        let ([_, _, gb], _) =
            x.batch_norm_gradient([&mean, &variance, &gy], None, 0.0, None, false);
        let wanted = f64::from(0.1f32) * (4000 * inner) as f64;
        for got in gb.to_vec() {
            assert!(
                (f64::from(got) - wanted).abs() <= 4e-7 * wanted,
                "{inner}: {got}, not {wanted}"
            );
        }
    }
}

#[test]
fn batch_norm_takes_every_layout() {
    for (name, x) in layouts().into_iter().filter(|(_, x)| x.rank() > 1) {
        let results = [x.clone(), x.contiguous()].map(|x| {
            let (variance, mean) = x.var_mean(&[0, 2], true, 0);
            let gy = x.clone() * 0.5 - 1.0;
            let y = x.batch_norm([&mean, &variance], [None, None], 1e-5, Some(&gy), true);
            let of = [&mean, &variance, &gy];
            let ([gx, gw, gb], passed) = x.batch_norm_gradient(of, None, 1e-5, Some(&y), true);
            [y, gx, gw, gb, passed.unwrap()].map(|y| (y.shape(), y.to_vec()))
        });
        assert!(results[0] == results[1], "{name}");
    }
}

/// A special number reaches its own channel and no other.
#[test]
fn infinities_and_nan_stay_in_their_channel() {
    for special in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
        for (n, inner) in [(3, 16), (2, 49)] {
            let at = (n - 1) * 9 * inner + 2 * inner + inner - 1; // the last image, channel 2
            let x = Tensor::from_fn(&[n, 9, inner], |i| if i == at { special } else { i as f32 });
            let (variance, mean) = x.var_mean(&[0, 2], true, 0);
            let y = x.batch_norm([&mean, &variance], [None, None], 0.0, None, true);
            let of = [&mean, &variance, &x];
            let ([gx, ..], _) = y.batch_norm_gradient(of, None, 0.0, None, false);
            let (m, special_mean) = (mean.to_vec()[2], special + 1.0);
            assert!(m == special_mean || m.is_nan() && special.is_nan());
            for (channel, at) in channels(&[n, 9, inner]).into_iter().enumerate() {
                let all = at.into_iter().flat_map(|i| [y.to_vec()[i], gx.to_vec()[i]]);
                assert!(variance.to_vec()[channel].is_nan() == (channel == 2));
                assert!(all.into_iter().all(|y| y.is_nan() == (channel == 2)), "{channel}");
            }
        }
    }
}

#[test]
fn the_gate_of_a_rectifier_closes_for_infinite_gradients_and_passes_nan() {
    let gy = Tensor::from_fn(&[2, 1, 16], |i| [f32::INFINITY, 1.0][i % 2]);
    let x = Tensor::from_fn(&[2, 1, 16], |i| i as f32);
    let y = Tensor::from_fn(&[2, 1, 16], |i| [0.0, f32::NAN, -0.0, 2.0][i % 4]);
    let ones = Tensor::ones(&[1, 1, 1]);
    let (_, passed) = x.batch_norm_gradient([&ones, &ones, &gy], None, 0.0, Some(&y), true);
    assert_eq!(passed.unwrap().to_vec(), [0.0, 1.0, 0.0, 1.0].repeat(8));
}

#[test]
fn batch_norm_of_nothing() {
    for shape in [[0, 3, 4], [2, 0, 4], [2, 3, 0]] {
        let x = Tensor::<f32>::zeros(&shape);
        let (w, [kept]) = (Tensor::ones(&shape[1..2]), [[1, shape[1], 1]]);
        let (mean, variance) = (Tensor::zeros(&kept), Tensor::ones(&kept));
        let y = x.batch_norm([&mean, &variance], [Some(&w), None], 1e-5, Some(&x), true);
        let ([gx, gw, gb], _) =
            x.batch_norm_gradient([&mean, &variance, &x], Some(&w), 1e-5, None, false);
        assert!(y.shape() == shape && gx.shape() == shape);
        assert!(gw.to_vec() == vec![0.0; shape[1]] && gb.to_vec() == vec![0.0; shape[1]]);
    }
}

#[test]
fn batch_norm_refuses_shapes_that_do_not_fit() {
    let (x, one) = (Tensor::<f32>::zeros(&[2, 3, 4]), Tensor::<f32>::zeros(&[1]));
    let kept = Tensor::<f32>::zeros(&[1, 3, 1]);
    panics_here("batch_norm: expected [N, C, …], got [1]", || {
        drop(one.batch_norm([&one, &one], [None, None], 1.0, None, false));
    });
    panics_here("batch_norm: [2, 3, 4] requires a weight [3], got [1]", || {
        drop(x.batch_norm([&kept, &kept], [Some(&one), None], 1.0, None, false));
    });
    panics_here("batch_norm: a bias requires a weight: add the bias to the result", || {
        let bias = Tensor::zeros(&[3]);
        drop(x.batch_norm([&kept, &kept], [None, Some(&bias)], 1.0, None, false));
    });
    panics_here("batch_norm: wrong shapes", || {
        drop(x.batch_norm([&one, &kept], [None, None], 1.0, None, false));
    });
}

#[test]
fn channels_have_the_same_bits_on_any_number_of_threads() {
    let shape = [16, 9, 50, 50];
    let (x, gy) = (noise::<f32>(&shape, 1, -3.0, 3.0), noise::<f32>(&shape, 2, -3.0, 3.0));
    let run = || {
        let (variance, mean) = x.var_mean(&[0, 2, 3], true, 0);
        let y = x.batch_norm([&mean, &variance], [None, None], 1e-5, Some(&gy), true);
        let of = [&mean, &variance, &gy];
        let ([gx, gw, gb], passed) = x.batch_norm_gradient(of, None, 1e-5, Some(&y), true);
        let all = [variance, mean, y, gx, gw, gb, passed.unwrap()];
        all.map(|x| x.to_vec().iter().map(|x| x.to_bits()).collect::<Vec<_>>())
    };
    let on = |threads| ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run);
    let wanted = on(1);
    for threads in [2, 3, 5] {
        assert!(on(threads) == wanted, "{threads} threads");
    }
}
