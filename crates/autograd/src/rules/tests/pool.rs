//! Test rows of pooling and of linear maps along axes. No window is square. Inputs of maxima differ
//! enough that no finite difference reaches a kink.

use super::{Row, any};
use crate::graph::{IndexOp, MapAxis, Op};
use wengert_tensor::{AxisMap, Conv, Interpolate, PadMode, Pool, Tensor, VolumePool};

/// Returns equidistant numbers between -2 and 2, in a mixed order.
pub(super) fn distinct(shape: &[usize]) -> Tensor<f64> {
    fn common(a: usize, b: usize) -> usize {
        if b == 0 { a } else { common(b, a % b) }
    }
    let n: usize = shape.iter().product();
    let step = (5 * n / 8..n).find(|&step| common(step, n) == 1).unwrap_or(1);
    Tensor::from_fn(shape, |i| 4.0 * (i * step % n) as f64 / n as f64 - 2.0)
}

/// Rows of kernel, stride, padding and dilation.
const TABLE: [[[usize; 2]; 4]; 11] = [
    [[2, 2], [2, 2], [0, 0], [1, 1]],
    [[2, 2], [1, 1], [0, 0], [1, 1]],
    [[3, 2], [3, 2], [0, 0], [1, 1]],
    [[3, 3], [2, 2], [1, 1], [1, 1]],
    [[2, 3], [3, 1], [1, 0], [1, 1]],
    [[3, 3], [1, 2], [0, 1], [2, 1]],
    [[2, 2], [2, 1], [1, 1], [1, 3]],
    [[1, 3], [2, 2], [0, 1], [1, 2]],
    [[4, 5], [3, 4], [2, 2], [1, 1]],
    [[1, 1], [2, 3], [0, 0], [1, 1]],
    [[5, 1], [4, 1], [2, 0], [1, 1]],
];

fn pools() -> impl Iterator<Item = Pool> {
    TABLE.into_iter().flat_map(|[kernel, stride, padding, dilation]| {
        let pool = Pool::new(kernel).stride(stride).padding(padding).dilation(dilation);
        [pool, pool.ceil_mode(true)]
    })
}

fn volume_pools() -> Vec<VolumePool> {
    vec![
        VolumePool::new(2),
        VolumePool::new([1, 2, 3]).stride([1, 2, 2]),
        VolumePool::new([3, 2, 1]).stride([1, 3, 1]).padding([1, 1, 0]),
        VolumePool::new([2, 1, 3])
            .stride([3, 1, 2])
            .padding_each([(1, 0), (0, 0), (0, 1)])
            .ceil_mode(true),
    ]
}

pub(super) fn picks(op: Op) -> Vec<Row> {
    vec![
        Row::new(op, "fixed positions", vec![any(&[2, 3, 4], 1)], |x| {
            let index = Tensor::from([[0i64, 11, 11, 5], [3, 3, 3, 2]]).reshape(&[2, 4, 1]);
            let index = x[0].tape().index(index);
            x[0].indexed(IndexOp::Pick, index, index.shape())
        })
        .linear(),
    ]
}

pub(super) fn maxima(op: Op) -> Vec<Row> {
    let mut rows = vec![
        Row::new(op, "signals", vec![distinct(&[2, 3, 9])], |x| {
            x[0].max_pool1d(&Pool::new(3).stride(2).padding(1)).sin()
        }),
        Row::new(op, "adaptive", vec![distinct(&[2, 5, 7])], |x| {
            x[0].adaptive_max_pool2d([2, 4]).sin()
        }),
        Row::new(op, "adaptive signals", vec![distinct(&[2, 3, 7])], |x| {
            x[0].adaptive_max_pool1d(3).exp()
        }),
        Row::new(op, "behind pending operations", vec![distinct(&[2, 6, 8])], |x| {
            (2.0 * x[0] + 1.0).sin().max_pool2d(&Pool::new(2)).square()
        }),
        Row::new(op, "adaptive volumes", vec![distinct(&[2, 3, 4, 5])], |x| {
            x[0].adaptive_max_pool3d([2, 1, 3]).sin()
        }),
        Row::new(op, "dilated volumes", vec![distinct(&[1, 5, 4, 5])], |x| {
            x[0].max_pool3d(&VolumePool::new(2).dilation([3, 1, 2]).stride([1, 1, 2])).exp()
        }),
    ];
    for pool in volume_pools() {
        rows.push(Row::new(op, &format!("{pool:?}"), vec![distinct(&[2, 3, 4, 5])], move |x| {
            x[0].max_pool3d(&pool).tanh()
        }));
    }
    for pool in pools() {
        for shape in [&[1, 2, 7, 6][..], &[5, 9], &[6, 4]] {
            let shape = if shape.len() == 2 { vec![2, shape[0], shape[1]] } else { shape.to_vec() };
            rows.push(Row::new(op, &format!("{pool:?}"), vec![distinct(&shape)], move |x| {
                x[0].max_pool2d(&pool).tanh()
            }));
        }
    }
    rows
}

pub(super) fn maps() -> Vec<Row> {
    let op = Op::MapAxis(MapAxis { axis: 0, transposed: false, map: 0 });
    // Map rows with no, one and three entries. Two of the entries are for the same input.
    let map = || AxisMap::new(4, [vec![], vec![(2, 0.5)], vec![(3, 1.0), (0, -2.0), (3, 0.25)]]);
    let mut rows = vec![];
    for (axis, shape) in [(0, &[4, 5][..]), (-1, &[3, 4]), (1, &[2, 4, 3])] {
        rows.push(
            Row::new(op, "", vec![any(shape, 1)], move |x| x[0].map_axis(axis, &map())).linear(),
        );
    }
    for (axis, shape) in [(0, &[3, 5][..]), (-1, &[4, 3]), (1, &[2, 3, 2])] {
        rows.push(
            Row::new(op, "transposed", vec![any(shape, 1)], move |x| {
                x[0].map_axis_transposed(axis, &map())
            })
            .linear(),
        );
    }
    for pool in pools().filter(|pool| pool.dilation == [1, 1]) {
        for pool in [pool, pool.count_include_pad(false)] {
            for shape in [&[1, 2, 7, 6][..], &[2, 5, 9]] {
                let about = format!("average {pool:?}");
                let row =
                    Row::new(op, &about, vec![any(shape, 1)], move |x| x[0].avg_pool2d(&pool));
                rows.push(row.linear());
            }
        }
    }
    for (from, to) in [([5, 7], [2, 4]), ([6, 4], [3, 7]), ([3, 8], [1, 2])] {
        rows.push(
            Row::new(op, "adaptive average", vec![any(&[2, from[0], from[1]], 1)], move |x| {
                x[0].adaptive_avg_pool2d(to)
            })
            .linear(),
        );
    }
    for pool in volume_pools() {
        for pool in [pool, pool.count_include_pad(false)] {
            let about = format!("average {pool:?}");
            let row =
                Row::new(op, &about, vec![any(&[2, 3, 4, 5], 1)], move |x| x[0].avg_pool3d(&pool));
            rows.push(row.linear());
        }
    }
    for size in [[2, 3, 2], [1, 1, 4]] {
        rows.push(
            Row::new(op, "adaptive average of volumes", vec![any(&[2, 3, 4, 5], 1)], move |x| {
                x[0].adaptive_avg_pool3d(size)
            })
            .linear(),
        );
    }
    rows.extend(resampled(op));
    rows.push(
        Row::new(op, "averages of signals", vec![any(&[2, 3, 9], 1)], |x| {
            x[0].avg_pool1d(&Pool::new(3).stride(2).padding(1))
        })
        .linear(),
    );
    rows.push(
        Row::new(op, "adaptive averages of signals", vec![any(&[2, 3, 7], 1)], |x| {
            x[0].adaptive_avg_pool1d(3)
        })
        .linear(),
    );
    rows
}

/// Returns the test rows of padding modes, interpolation and windows, which are linear, too.
fn resampled(op: Op) -> Vec<Row> {
    let mut rows = vec![];
    for mode in [PadMode::Reflect, PadMode::Replicate, PadMode::Circular] {
        let around = [(0, 0), (2, 1), (0, 4)];
        let pad = Row::new(op, &format!("{mode:?}"), vec![any(&[2, 3, 5], 1)], move |x| {
            x[0].pad_mode(&around, mode)
        });
        rows.push(pad.linear());
    }
    for to in [
        Interpolate::size([7, 4]),
        Interpolate::scale(2.0),
        Interpolate::scales([0.7, 1.5]),
        Interpolate::size([7, 4]).bilinear(),
        Interpolate::scales([1.6, 0.5]).bilinear(),
        Interpolate::scale(2.0).align_corners(true),
        Interpolate::size([2, 1]).align_corners(true),
    ] {
        for shape in [&[2, 3, 5][..], &[1, 2, 6, 4]] {
            let row = Row::new(op, &format!("{to:?}"), vec![any(shape, 1)], move |x| {
                x[0].interpolate(&to)
            });
            rows.push(row.linear());
        }
    }
    for (kernel, conv) in [
        ([2, 3], Conv::new()),
        ([3, 2], Conv::new().stride([2, 1]).padding([1, 0])),
        ([2, 2], Conv::new().dilation([1, 3]).padding([0, 2])),
        ([1, 3], Conv { padding: [(2, 0), (0, 1)], ..Conv::new().stride(2) }),
    ] {
        let about = format!("windows {kernel:?} {conv:?}");
        let unfold =
            Row::new(op, &about, vec![any(&[2, 2, 4, 5], 1)], move |x| x[0].unfold(kernel, &conv));
        rows.push(unfold.linear());
        let windows = Tensor::<f64>::zeros_of(&[2, 2, 4, 5]).unfold(kernel, &conv).shape();
        let fold =
            Row::new(op, &about, vec![any(&windows, 1)], move |x| x[0].fold([4, 5], kernel, &conv));
        rows.push(fold.linear());
    }
    rows
}
