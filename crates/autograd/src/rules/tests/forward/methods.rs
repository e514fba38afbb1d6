//! What each method computes that is composed of several operations or depends on flags, as plain loops.

use super::indices;
use crate::graph::{Tape, Var};
use crate::rules::tests::{POLICIES, any, spread};
use wengert_tensor::{Conv, Interpolate, PadMode, Pool, Tensor, VolumeConv, VolumePool};

type Method = for<'t> fn(&[Var<'t, f64>]) -> Var<'t, f64>;
/// Returns the shape and the elements of the result.
type Meaning = fn(&[Tensor<f64>]) -> (Vec<usize>, Vec<f64>);

fn each(shape: &[usize], f: impl Fn(&[usize]) -> f64) -> (Vec<usize>, Vec<f64>) {
    (shape.to_vec(), indices(shape).map(|i| f(&i)).collect())
}

fn with(index: &[usize], axis: usize, at: usize) -> Vec<usize> {
    let mut index = index.to_vec();
    index[axis] = at;
    index
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

/// Σ (x - mean)² / (n - correction)
fn variance(x: &[f64], correction: f64) -> f64 {
    x.iter().map(|a| (a - mean(x)).powi(2)).sum::<f64>() / (x.len() as f64 - correction)
}

/// Returns a row of a [3, 5] tensor.
fn row(x: &Tensor<f64>, i: usize) -> Vec<f64> {
    (0..5).map(|j| x.at(&[i, j])).collect()
}

/// Returns the window of output o, with kernel k, stride s and padding p, on an axis of size n.
fn window(n: usize, o: usize, [k, s, p]: [usize; 3]) -> impl Iterator<Item = usize> {
    (0..k).filter_map(move |i| (o * s + i).checked_sub(p).filter(|&at| at < n))
}

/// Returns window o of m windows that together cover n elements.
fn share(n: usize, o: usize, m: usize) -> std::ops::Range<usize> {
    o * n / m..((o + 1) * n).div_ceil(m)
}

/// Methods that are composed of several operations, or depend on flags. The inputs have the shapes [3,
/// 5], [3, 5] (the second is positive), and [2, 3, 4, 6].
const METHODS: &[(&str, Method, Meaning)] = &[
    ("mean", |x| x[0].mean(&[1], false), |x| each(&[3], |i| mean(&row(&x[0], i[0])))),
    ("mean_all", |x| x[0].mean_all(), |x| each(&[], |_| mean(&x[0].to_vec()))),
    ("sum_all", |x| x[0].sum_all(), |x| each(&[], |_| x[0].to_vec().iter().sum())),
    (
        "sum_to",
        |x| x[2].sum_to(&[4, 1]),
        |x| {
            each(&[4, 1], |at| {
                indices(&[2, 3, 4, 6]).filter(|i| i[2] == at[0]).map(|i| x[2].at(&i)).sum()
            })
        },
    ),
    ("var", |x| x[0].var(&[-1], true, 0), |x| each(&[3, 1], |i| variance(&row(&x[0], i[0]), 0.0))),
    ("var", |x| x[0].var(&[1], false, 1), |x| each(&[3], |i| variance(&row(&x[0], i[0]), 1.0))),
    ("var of all", |x| x[0].var(&[], false, 1), |x| each(&[], |_| variance(&x[0].to_vec(), 1.0))),
    (
        "softmax",
        |x| x[0].softmax(-1),
        |x| {
            each(&[3, 5], |i| {
                x[0].at(i).exp() / row(&x[0], i[0]).iter().map(|x| x.exp()).sum::<f64>()
            })
        },
    ),
    (
        "logsumexp",
        |x| x[0].logsumexp(&[0], false),
        |x| each(&[5], |j| (0..3).map(|i| x[0].at(&[i, j[0]]).exp()).sum::<f64>().ln()),
    ),
    ("clamp", |x| x[0].clamp(-0.5, 1.0), |x| each(&[3, 5], |i| x[0].at(i).clamp(-0.5, 1.0))),
    ("square", |x| x[0].square(), |x| each(&[3, 5], |i| x[0].at(i) * x[0].at(i))),
    ("pow", |x| x[1].pow(x[0]), |x| each(&[3, 5], |i| x[1].at(i).powf(x[0].at(i)))),
    ("minus", |x| 2.0 - x[0] - 0.5, |x| each(&[3, 5], |i| 1.5 - x[0].at(i))),
    ("quotients", |x| 3.0 / x[1] / 7.0, |x| each(&[3, 5], |i| 3.0 / x[1].at(i) / 7.0)),
    (
        "where_",
        |x| Var::where_(x[0].gt(0), x[1], x[0]),
        |x| each(&[3, 5], |i| if x[0].at(i) > 0.0 { x[1].at(i) } else { x[0].at(i) }),
    ),
    (
        "masked_fill",
        |x| x[0].masked_fill(x[0].gt(0), 7.0),
        |x| each(&[3, 5], |i| if x[0].at(i) > 0.0 { 7.0 } else { x[0].at(i) }),
    ),
    ("t", |x| x[2].t(), |x| each(&[2, 3, 6, 4], |i| x[2].at(&[i[0], i[1], i[3], i[2]]))),
    (
        "transpose",
        |x| x[2].transpose(0, -2),
        |x| each(&[4, 3, 2, 6], |i| x[2].at(&[i[2], i[1], i[0], i[3]])),
    ),
    (
        "permute",
        |x| x[2].permute(&[2, 0, 3, 1]),
        |x| each(&[4, 2, 6, 3], |i| x[2].at(&[i[1], i[3], i[0], i[2]])),
    ),
    ("flatten", |x| x[2].flatten(1, -2), |x| (vec![2, 12, 6], x[2].to_vec())),
    ("unsqueeze", |x| x[0].unsqueeze(-1), |x| (vec![3, 5, 1], x[0].to_vec())),
    ("unsqueeze in front", |x| x[0].unsqueeze(0), |x| (vec![1, 3, 5], x[0].to_vec())),
    (
        "squeeze",
        |x| x[0].sum(&[1], true).squeeze(-1),
        |x| each(&[3], |i| row(&x[0], i[0]).iter().sum()),
    ),
    ("narrow", |x| x[0].narrow(-1, 1, 3), |x| each(&[3, 3], |i| x[0].at(&[i[0], i[1] + 1]))),
    (
        "slice",
        |x| x[0].slice(1, -1, None, -2),
        |x| each(&[3, 3], |i| x[0].at(&[i[0], 4 - 2 * i[1]])),
    ),
    ("split", |x| x[0].split(1, &[2, 3])[1], |x| each(&[3, 3], |i| x[0].at(&[i[0], i[1] + 2]))),
    ("stack", |x| Var::stack(&x[..2], 1), |x| each(&[3, 2, 5], |i| x[i[1]].at(&[i[0], i[2]]))),
    (
        "concat",
        |x| Var::concat(&x[..2], 0),
        |x| each(&[6, 5], |i| x[i[0] / 3].at(&[i[0] % 3, i[1]])),
    ),
    (
        "pad",
        |x| x[0].pad(&[(1, 0), (2, 3)], -4.0),
        |x| {
            each(&[4, 10], |i| {
                let inside = i[0] >= 1 && (2..7).contains(&i[1]);
                if inside { x[0].at(&[i[0] - 1, i[1] - 2]) } else { -4.0 }
            })
        },
    ),
    (
        "pad_mode, reflected",
        |x| x[0].pad_mode(&[(0, 0), (2, 1)], PadMode::Reflect),
        |x| each(&[3, 8], |i| x[0].at(&[i[0], [2, 1, 0, 1, 2, 3, 4, 3][i[1]]])),
    ),
    (
        "pad_mode, in a circle",
        |x| x[0].pad_mode(&[(0, 0), (2, 1)], PadMode::Circular),
        |x| each(&[3, 8], |i| x[0].at(&[i[0], [3, 4, 0, 1, 2, 3, 4, 0][i[1]]])),
    ),
    (
        "pad_mode, replicated",
        |x| x[0].pad_mode(&[(0, 0), (2, 1)], PadMode::Replicate),
        |x| each(&[3, 8], |i| x[0].at(&[i[0], [0, 0, 0, 1, 2, 3, 4, 4][i[1]]])),
    ),
    (
        "index_select",
        |x| x[0].index_select(-1, Tensor::from([4i64, 0, 4])),
        |x| each(&[3, 3], |i| x[0].at(&[i[0], [4, 0, 4][i[1]]])),
    ),
    (
        "index_select, index with two axes",
        |x| x[0].index_select(0, Tensor::from([[2i64, 0], [2, 1]])),
        |x| each(&[2, 2, 5], |i| x[0].at(&[[2, 0, 2, 1][2 * i[0] + i[1]], i[2]])),
    ),
    (
        "index_add, index with two axes",
        |x| {
            let source = x[0].reshape([5, 3, 1]).broadcast_to([5, 3, 5]).narrow(0, 0, 2);
            x[0].index_add(0, Tensor::from([[2i64, 0, 2], [1, 1, 1]]), source)
        },
        |x| {
            let from = |a: usize, b: usize| x[0].at(&[(3 * a + b) / 5, (3 * a + b) % 5]);
            let added = [from(0, 1), from(1, 0) + from(1, 1) + from(1, 2), from(0, 0) + from(0, 2)];
            each(&[3, 5], |i| x[0].at(i) + added[i[0]])
        },
    ),
    (
        "gather",
        |x| x[0].gather(0, Tensor::from([[2i64, 0, 1, 2, 1]])),
        |x| each(&[1, 5], |i| x[0].at(&[[2, 0, 1, 2, 1][i[1]], i[1]])),
    ),
    (
        "scatter_add",
        |x| x[0].scatter_add(1, Tensor::from([[4i64, 4], [0, 1]]), x[1]),
        |x| {
            let mut sum = x[0].to_vec();
            sum[4] += x[1].at(&[0, 0]);
            sum[4] += x[1].at(&[0, 1]);
            sum[5] += x[1].at(&[1, 0]);
            sum[6] += x[1].at(&[1, 1]);
            (vec![3, 5], sum)
        },
    ),
    (
        "matmul",
        |x| x[0].matmul(x[1].t()),
        |x| each(&[3, 3], |i| (0..5).map(|k| x[0].at(&[i[0], k]) * x[1].at(&[i[1], k])).sum()),
    ),
    (
        "matmul_t, both",
        |x| x[0].matmul_t(x[1].t().t(), true, false).matmul_t(x[0], true, true),
        |x| {
            each(&[5, 3], |i| {
                indices(&[5, 3])
                    .map(|k| {
                        x[0].at(&[k[1], k[0]]) * x[1].at(&[k[1], i[0]]) * x[0].at(&[i[1], k[0]])
                    })
                    .sum()
            })
        },
    ),
    (
        "matmul, a vector on the left",
        |x| x[1].sum(&[1], false).matmul(x[0]),
        |x| {
            let sums: Vec<f64> = (0..3).map(|i| row(&x[1], i).iter().sum()).collect();
            each(&[5], |j| (0..3).map(|i| sums[i] * x[0].at(&[i, j[0]])).sum())
        },
    ),
    (
        "matmul, one matrix for all",
        |x| x[2].matmul(x[2].sum(&[0, 1], false).t()),
        |x| {
            let sum = |i: usize, j: usize| -> f64 {
                indices(&[2, 3]).map(|k| x[2].at(&[k[0], k[1], i, j])).sum()
            };
            each(&[2, 3, 4, 4], |i| {
                (0..6).map(|k| x[2].at(&[i[0], i[1], i[2], k]) * sum(i[3], k)).sum()
            })
        },
    ),
    (
        "max_pool2d",
        |x| x[2].max_pool2d(&Pool::new([2, 3]).stride([1, 2]).padding([0, 1])),
        |x| {
            each(&[2, 3, 3, 3], |i| {
                let cells = window(4, i[2], [2, 1, 0])
                    .flat_map(|r| window(6, i[3], [3, 2, 1]).map(move |c| (r, c)));
                cells.map(|(r, c)| x[2].at(&[i[0], i[1], r, c])).fold(f64::NEG_INFINITY, f64::max)
            })
        },
    ),
    (
        "avg_pool2d, padding counted",
        |x| x[2].avg_pool2d(&Pool::new([2, 3]).stride([2, 2]).padding([1, 1])),
        |x| {
            each(&[2, 3, 3, 3], |i| {
                let cells = window(4, i[2], [2, 2, 1])
                    .flat_map(|r| window(6, i[3], [3, 2, 1]).map(move |c| (r, c)));
                cells.map(|(r, c)| x[2].at(&[i[0], i[1], r, c])).sum::<f64>() / 6.0
            })
        },
    ),
    (
        "avg_pool2d, padding left out",
        |x| x[2].avg_pool2d(&Pool::new(2).stride(2).padding(1).count_include_pad(false)),
        |x| {
            each(&[2, 3, 3, 4], |i| {
                let cells: Vec<f64> = window(4, i[2], [2, 2, 1])
                    .flat_map(|r| window(6, i[3], [2, 2, 1]).map(move |c| (r, c)))
                    .map(|(r, c)| x[2].at(&[i[0], i[1], r, c]))
                    .collect();
                mean(&cells)
            })
        },
    ),
    (
        "adaptive_avg_pool2d",
        |x| x[2].adaptive_avg_pool2d([3, 4]),
        |x| {
            each(&[2, 3, 3, 4], |i| {
                let cells: Vec<f64> = share(4, i[2], 3)
                    .flat_map(|r| share(6, i[3], 4).map(move |c| (r, c)))
                    .map(|(r, c)| x[2].at(&[i[0], i[1], r, c]))
                    .collect();
                mean(&cells)
            })
        },
    ),
    (
        "adaptive_max_pool2d",
        |x| x[2].adaptive_max_pool2d([3, 4]),
        |x| {
            each(&[2, 3, 3, 4], |i| {
                share(4, i[2], 3)
                    .flat_map(|r| share(6, i[3], 4).map(move |c| (r, c)))
                    .map(|(r, c)| x[2].at(&[i[0], i[1], r, c]))
                    .fold(f64::NEG_INFINITY, f64::max)
            })
        },
    ),
    (
        "max_pool1d",
        |x| x[0].max_pool1d(&Pool::new(2).stride(1)),
        |x| each(&[3, 4], |i| x[0].at(i).max(x[0].at(&with(i, 1, i[1] + 1)))),
    ),
    (
        "max_pool3d",
        |x| x[2].max_pool3d(&VolumePool::new([2, 2, 3]).stride([1, 2, 3]).padding([0, 0, 1])),
        |x| {
            each(&[2, 2, 2, 2], |i| {
                let cells = indices(&[2, 2, 3]).filter_map(|k| {
                    let column = (3 * i[3] + k[2]).checked_sub(1).filter(|&column| column < 6)?;
                    Some(x[2].at(&[i[0], i[1] + k[0], 2 * i[2] + k[1], column]))
                });
                cells.fold(f64::NEG_INFINITY, f64::max)
            })
        },
    ),
    (
        "avg_pool3d",
        |x| x[2].avg_pool3d(&VolumePool::new([3, 2, 2]).stride([1, 2, 4])),
        |x| {
            each(&[2, 1, 2, 2], |i| {
                let cells = indices(&[3, 2, 2])
                    .map(|k| x[2].at(&[i[0], k[0], 2 * i[2] + k[1], 4 * i[3] + k[2]]));
                cells.sum::<f64>() / 12.0
            })
        },
    ),
    (
        "adaptive_avg_pool3d",
        |x| x[2].adaptive_avg_pool3d([2, 1, 4]),
        |x| {
            each(&[2, 2, 1, 4], |i| {
                let cells: Vec<f64> = share(3, i[1], 2)
                    .flat_map(|d| indices(&[4, 6]).map(move |k| (d, k[0], k[1])))
                    .filter(|&(_, _, column)| share(6, i[3], 4).contains(&column))
                    .map(|(d, row, column)| x[2].at(&[i[0], d, row, column]))
                    .collect();
                mean(&cells)
            })
        },
    ),
    (
        "adaptive_max_pool3d",
        |x| x[2].adaptive_max_pool3d([2, 4, 1]),
        |x| {
            each(&[2, 2, 4, 1], |i| {
                share(3, i[1], 2)
                    .flat_map(|d| (0..6).map(move |column| (d, column)))
                    .map(|(d, column)| x[2].at(&[i[0], d, i[2], column]))
                    .fold(f64::NEG_INFINITY, f64::max)
            })
        },
    ),
    (
        "max_unpool3d",
        |x| {
            x[0].narrow(0, 0, 1)
                .reshape(&[1, 1, 1, 5])
                .max_unpool3d(Tensor::from([3i64, 0, 3, 7, 4]).reshape(&[1, 1, 1, 5]), 2)
        },
        |x| {
            let r = row(&x[0], 0);
            (vec![1, 2, 2, 2], vec![r[1], 0.0, 0.0, r[0] + r[2], r[4], 0.0, 0.0, r[3]])
        },
    ),
    (
        "max_unpool1d",
        |x| x[0].narrow(0, 0, 1).max_unpool1d(Tensor::from([[3i64, 0, 3, 5, 1]]), 6),
        |x| {
            let r = row(&x[0], 0);
            (vec![1, 6], vec![r[1], r[4], 0.0, r[0] + r[2], 0.0, r[3]])
        },
    ),
    (
        "conv3d",
        |x| {
            let weight = x[2].narrow(1, 0, 2).narrow(2, 1, 2).narrow(3, 0, 3).unsqueeze(1);
            let conv = VolumeConv::new().stride([1, 1, 2]).padding_each([(1, 0), (0, 0), (0, 1)]);
            x[2].unsqueeze(1).conv3d(
                weight,
                Some(x[0].narrow(0, 1, 1).narrow(1, 3, 2).reshape(-1)),
                &conv,
            )
        },
        |x| {
            each(&[2, 2, 3, 3, 3], |i| {
                let mut sum = x[0].at(&[1, 3 + i[1]]);
                for k in indices(&[2, 2, 3]) {
                    let (depth, column) = ((i[2] + k[0]).checked_sub(1), 2 * i[4] + k[2]);
                    if let Some(depth) = depth.filter(|_| column < 6) {
                        sum += x[2].at(&[i[0], depth, i[3] + k[1], column])
                            * x[2].at(&[i[1], k[0], 1 + k[1], k[2]]);
                    }
                }
                sum
            })
        },
    ),
    (
        "conv_transpose3d",
        |x| {
            let weight = x[0].narrow(0, 0, 1).reshape([1, 1, 5, 1, 1]);
            let conv = VolumeConv::new().stride([2, 1, 1]).padding([1, 0, 0]);
            x[2].unsqueeze(1).conv_transpose3d(weight, None, &conv, [1, 0, 0])
        },
        |x| {
            // The depths 2·d + k, of which the first and the last of ten are cut off, beside one of output padding.
            let mut sum = vec![0.0; 2 * 8 * 24];
            for i in indices(&[2, 3, 5, 4, 6]) {
                let depth = 2 * i[1] + i[2];
                if (1..=8).contains(&depth) {
                    sum[((i[0] * 8 + depth - 1) * 4 + i[3]) * 6 + i[4]] +=
                        x[2].at(&[i[0], i[1], i[3], i[4]]) * x[0].at(&[0, i[2]]);
                }
            }
            (vec![2, 1, 8, 4, 6], sum)
        },
    ),
    (
        "avg_pool1d",
        |x| x[0].avg_pool1d(&Pool::new(2).stride(1)),
        |x| each(&[3, 4], |i| 0.5 * x[0].at(i) + 0.5 * x[0].at(&with(i, 1, i[1] + 1))),
    ),
    (
        "adaptive_avg_pool1d",
        |x| x[0].adaptive_avg_pool1d(2),
        |x| each(&[3, 2], |i| mean(&row(&x[0], i[0])[share(5, i[1], 2)])),
    ),
    (
        "adaptive_max_pool1d",
        |x| x[0].adaptive_max_pool1d(2),
        |x| {
            each(&[3, 2], |i| {
                row(&x[0], i[0])[share(5, i[1], 2)]
                    .iter()
                    .copied()
                    .fold(f64::NEG_INFINITY, f64::max)
            })
        },
    ),
    (
        "max_unpool2d",
        |x| {
            x[0].narrow(0, 0, 1)
                .reshape(&[1, 1, 5])
                .max_unpool2d(Tensor::from([3i64, 0, 3, 5, 1]).reshape(&[1, 1, 5]), [2, 3])
        },
        |x| {
            let r = row(&x[0], 0);
            (vec![1, 2, 3], vec![r[1], r[4], 0.0, r[0] + r[2], 0.0, r[3]])
        },
    ),
    (
        "interpolate, the nearest",
        |x| x[2].interpolate(&Interpolate::size([8, 3])),
        |x| each(&[2, 3, 8, 3], |i| x[2].at(&[i[0], i[1], i[2] / 2, 2 * i[3]])),
    ),
    (
        "interpolate, along lines",
        |x| x[0].unsqueeze(0).interpolate(&Interpolate::size([3, 10]).bilinear()),
        |x| {
            each(&[1, 3, 10], |i| {
                // Output o is at position (o + ½)/2 - ½, within the axis.
                let at = (0.5 * i[2] as f64 - 0.25).clamp(0.0, 4.0);
                let (low, rest) = (at.floor() as usize, at.fract());
                let r = row(&x[0], i[1]);
                (1.0 - rest) * r[low] + rest * r[(low + 1).min(4)]
            })
        },
    ),
    (
        "unfold",
        |x| x[2].unfold([2, 3], &Conv::new().stride([2, 1]).padding([0, 1])),
        |x| {
            each(&[2, 18, 12], |i| {
                let (channel, kr, kc) = (i[1] / 6, i[1] / 3 % 2, i[1] % 3);
                let (row, column) = (i[2] / 6 * 2 + kr, i[2] % 6 + kc);
                let inside = (1..7).contains(&column);
                if inside { x[2].at(&[i[0], channel, row, column - 1]) } else { 0.0 }
            })
        },
    ),
    (
        "fold",
        |x| x[2].unfold(2, &Conv::new()).fold([4, 6], 2, &Conv::new()),
        |x| {
            // Each pixel is added once for every window that contains it.
            let inside = |at: usize, n: usize| if at == 0 || at == n - 1 { 1.0 } else { 2.0 };
            each(&[2, 3, 4, 6], |i| x[2].at(i) * inside(i[2], 4) * inside(i[3], 6))
        },
    ),
    (
        "conv2d with a bias",
        |x| {
            let weight = x[2].narrow(2, 0, 2).narrow(3, 1, 2);
            let conv = Conv::new().stride([1, 2]).padding([1, 0]);
            x[2].conv2d(weight, Some(x[0].narrow(0, 0, 1).narrow(1, 0, 2).reshape(&[2])), &conv)
        },
        |x| {
            each(&[2, 2, 5, 3], |i| {
                let mut sum = x[0].at(&[0, i[1]]);
                for k in indices(&[3, 2, 2]) {
                    let row = (i[2] + k[1]).checked_sub(1).filter(|&row| row < 4);
                    if let Some(row) = row {
                        sum += x[2].at(&[i[0], k[0], row, 2 * i[3] + k[2]])
                            * x[2].at(&[i[1], k[0], k[1], 1 + k[2]]);
                    }
                }
                sum
            })
        },
    ),
    (
        "conv1d",
        |x| x[0].unsqueeze(0).conv1d(x[1].narrow(1, 0, 2).unsqueeze(0), None, &Conv::new()),
        |x| {
            each(&[1, 1, 4], |i| {
                indices(&[3, 2])
                    .map(|k| x[0].at(&[k[0], i[2] + k[1]]) * x[1].at(&[k[0], k[1]]))
                    .sum()
            })
        },
    ),
    (
        "conv_transpose1d",
        |x| {
            let weight = x[1].narrow(1, 0, 2).unsqueeze(1);
            x[0].unsqueeze(0).conv_transpose1d(weight, None, &Conv::new().stride(2), 1)
        },
        |x| {
            let mut sum = vec![0.0; 11];
            for i in indices(&[3, 5, 2]) {
                sum[2 * i[1] + i[2]] += x[0].at(&i[..2]) * x[1].at(&[i[0], i[2]]);
            }
            (vec![1, 1, 11], sum)
        },
    ),
];

#[test]
fn methods_have_the_values_of_plain_loops() {
    let inputs = [any(&[3, 5], 5), spread(&[3, 5], &[(0.4, 2.0)], 6), any(&[2, 3, 4, 6], 7)];
    for (name, method, meaning) in METHODS {
        let (shape, wanted) = meaning(&inputs);
        for policy in POLICIES {
            let tape = Tape::new().with_policy(policy);
            let x: Vec<_> = inputs.iter().map(|x| tape.watch(x.clone())).collect();
            let got = method(&x).value();
            assert_eq!(got.shape(), shape[..], "{name}");
            for (i, (got, wanted)) in got.to_vec().iter().zip(&wanted).enumerate() {
                let close = (got - wanted).abs() <= 1e-12 * wanted.abs().max(1.0);
                assert!(close, "{name}, element {i}: {got}, by loops {wanted}");
            }
        }
    }
    println!("{} methods", METHODS.len());
}
