//! Scans, orders, norms and rearrangements of the six layouts, compared with plain loops. Edges: integers, NaN,
//! nothing, many elements.

use crate::kernels::{Scan, scan::LONG};
use crate::tensor::{ScatterReduce, Tensor};
use crate::testing::{layouts, naive, panics_here};

/// Returns the results of `f` for each line along an axis: `f` maps the elements of a line to `count` numbers.
fn lines(x: &Tensor<f64>, axis: usize, count: usize, f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    naive(&x.shape().with(axis, count), |index| {
        let line: Vec<f64> = (0..x.shape()[axis])
            .map(|k| {
                let mut at = index.to_vec();
                at[axis] = k;
                x.at(&at)
            })
            .collect();
        f(&line)[index[axis]]
    })
}

#[track_caller]
fn close(what: &str, got: &Tensor<f64>, wanted: &[f64]) {
    assert_eq!(got.numel(), wanted.len(), "{what}");
    for (i, (a, b)) in got.to_vec().iter().zip(wanted).enumerate() {
        let same = a == b || a.is_nan() && b.is_nan();
        assert!(same || (a - b).abs() <= 1e-12 * b.abs().max(1.0), "{what}, {i}: {a}, not {b}");
    }
}

/// Returns the positions of a line in ascending order, by comparisons of all pairs.
fn order(line: &[f64]) -> Vec<usize> {
    let mut order = vec![0; line.len()];
    for (i, x) in line.iter().enumerate() {
        let before = |(j, y): &(usize, &f64)| *y < x || (*y == x && *j < i);
        order[line.iter().enumerate().filter(before).count()] = i;
    }
    order
}

#[test]
fn scans_and_orders_against_loops() {
    for (name, x) in layouts() {
        let x = x.sin() * 3.0;
        let x = if name == "broadcast" { x.narrow(0, 0, 1).broadcast_to(&x.shape()) } else { x };
        for axis in 0..x.rank() {
            let n = x.shape()[axis];
            let at = axis as isize;
            let run = |f: fn(f64, f64) -> f64, start: f64| {
                move |line: &[f64]| -> Vec<f64> {
                    let mut state = start;
                    let step = |&x: &f64| {
                        state = f(state, x);
                        state
                    };
                    line.iter().map(step).collect()
                }
            };
            close(name, &x.cumsum(at), &lines(&x, axis, n, run(|a, b| a + b, 0.0)));
            close(name, &x.cumprod(at), &lines(&x, axis, n, run(|a, b| a * b, 1.0)));
            let wanted =
                lines(&x, axis, n, run(|a, b| (a.exp() + b.exp()).ln(), f64::NEG_INFINITY));
            close(name, &x.logcumsumexp(at), &wanted);
            close(name, &x.cummax(at).0, &lines(&x, axis, n, run(f64::max, f64::NEG_INFINITY)));
            close(name, &x.cummin(at).0, &lines(&x, axis, n, run(f64::min, f64::INFINITY)));
            let up = lines(&x, axis, n, |line| order(line).iter().map(|&i| line[i]).collect());
            close(name, &x.sort(at, false).0, &up);
            let wanted = lines(&x, axis, n, |line| order(line).iter().map(|&i| i as f64).collect());
            close(name, &x.argsort(at, false).cast(), &wanted);
            let wanted = lines(&x, axis, n, |line| {
                let back: Vec<f64> = line.iter().map(|x| -x).collect();
                order(&back).iter().map(|&i| i as f64).collect()
            });
            close(name, &x.argsort(at, true).cast(), &wanted);
            if n == 0 {
                continue;
            }
            let few = n.min(2);
            close(
                name,
                &x.topk(at, few, false).0,
                &lines(&x, axis, few, |line| order(line).iter().map(|&i| line[i]).collect()),
            );
            let kth = |k: usize| lines(&x, axis, 1, move |line| vec![line[order(line)[k]]]);
            close(name, &x.kthvalue(at, n, true).0, &kth(n - 1));
            close(name, &x.median(at, false).0, &kth((n - 1) / 2));
            close(name, &x.quantile(at, 1.0, false), &kth(n - 1));
            close(name, &x.max_with_indices(at, true).0, &kth(n - 1));
            close(name, &x.min_with_indices(at, false).0, &kth(0));
            let wanted = lines(&x, axis, 1, |line| {
                let times = |x: f64| line.iter().filter(|&&y| y == x).count();
                let most = line.iter().map(|&x| times(x)).max().unwrap();
                let modes = line.iter().copied().filter(|&x| times(x) == most);
                vec![modes.fold(f64::INFINITY, f64::min)]
            });
            close(name, &x.mode(at, false).0, &wanted);
            let norm = |p: f64| {
                lines(&x, axis, 1, move |line| {
                    vec![line.iter().map(|x| x.abs().powf(p)).sum::<f64>().powf(1.0 / p)]
                })
            };
            for p in [1.0, 2.0, 3.5] {
                close(name, &x.norm(p, &[at], false), &norm(p));
            }
            let product = |line: &[f64]| vec![line.iter().product()];
            close(name, &x.prod(&[at], true), &lines(&x, axis, 1, product));
        }
        let all = x.to_vec();
        close(name, &x.prod(&[], false), &[all.iter().product()]);
        let counted = all.iter().filter(|&&x| x != 0.0).count() as f64;
        close(name, &x.count_nonzero(&[], false).cast(), &[counted]);
        close(name, &x.norm(0.0, &[], false), &[counted]);
    }
}

#[test]
fn rearrangements_against_loops() {
    for (name, x) in layouts() {
        let shape = x.shape();
        for axis in 0..x.rank() {
            let (n, at) = (shape[axis], axis as isize);
            for shift in [-7, -1, 0, 2, 9] {
                let from = |i: usize| (i as isize - shift).rem_euclid(n.max(1) as isize) as usize;
                let wanted = lines(&x, axis, n, |line| (0..n).map(|i| line[from(i)]).collect());
                close(name, &x.roll(at, shift), &wanted);
            }
            let wanted = lines(&x, axis, n, |line| line.iter().rev().copied().collect());
            close(name, &x.flip(at), &wanted);
            let mut times = vec![1; x.rank()];
            times[axis] = 3;
            close(name, &x.repeat(&times), &lines(&x, axis, 3 * n, |line| line.repeat(3)));
            for (i, part) in x.unbind(at).into_iter().enumerate() {
                close(name, &part, &lines(&x, axis, 1, |line| vec![line[i]]));
                assert_eq!(part, x.select(at, i as isize - n as isize), "{name}");
            }
        }
        if x.rank() < 2 {
            continue;
        }
        assert_eq!(x.tile(2).shape()[x.rank() - 1], 2 * shape[x.rank() - 1], "{name}");
        for offset in -3..=3 {
            let inside = |i: &[usize], side: isize| {
                let above = i[i.len() - 1] as isize - i[i.len() - 2] as isize;
                (above - offset) * side >= 0
            };
            for (side, got) in [(-1, x.tril(offset)), (1, x.triu(offset))] {
                let of = |i: &[usize]| if inside(i, side) { x.at(i) } else { 0.0 };
                close(name, &got, &naive(&shape, of));
            }
            let got = x.diagonal(offset, 0, -1);
            let wanted = naive(&got.shape(), |i| {
                let k = *i.last().unwrap() as isize;
                let (row, column) = (k - offset.min(0), k + offset.max(0));
                let mut at = i.to_vec();
                at.insert(0, row as usize);
                *at.last_mut().unwrap() = column as usize;
                x.at(&at)
            });
            close(name, &got, &wanted);
            let room = |n: usize, lost: isize| (n as isize - lost).max(0);
            let len = room(shape[0], -offset.min(0)).min(room(shape[x.rank() - 1], offset.max(0)));
            assert_eq!(*got.shape().last().unwrap() as isize, len, "{name}");
            assert!(got.shares_storage(&x), "{name}");
            let square = x.reshape(-1).narrow(0, 0, x.numel().min(4)).diag(offset);
            close(name, &square.diag(offset), &x.to_vec()[..x.numel().min(4)]);
            let others = square.numel() - x.numel().min(4);
            let zeros = square.to_vec().iter().filter(|&&x| x == 0.0).count();
            assert!(zeros >= others, "{name}");
        }
    }
}

/// Large inputs are split between threads.
#[test]
fn many_elements_give_the_results_of_few() {
    let number = |i: usize| ((i * 7919) % 100_003) as f64 / 97.0 - 500.0;
    for shape in [&[300_000][..], &[2, 90_000], &[3, 700, 130], &[500, 400]] {
        let x = Tensor::<f64>::from_fn(shape, number);
        for axis in 0..shape.len() {
            let (at, n) = (axis as isize, shape[axis]);
            let rows = x.transpose(at, -1).contiguous().to_vec();
            let back = |of: Vec<f64>| {
                let turned = x.transpose(at, -1).shape();
                Tensor::from_vec(of, turned).transpose(at, -1).contiguous()
            };
            let (mut sums, mut sorted) = (rows.clone(), rows);
            for (sums, sorted) in sums.chunks_mut(n).zip(sorted.chunks_mut(n)) {
                let mut sum = 0.0;
                for x in sums {
                    sum += *x;
                    *x = sum;
                }
                sorted.sort_by(f64::total_cmp);
            }
            // Long lines are summed in blocks, with other roundings.
            let off = (x.cumsum(at) - back(sums)).abs().max(&[], false).item();
            assert!(off <= if n < LONG { 0.0 } else { 1e-7 }, "{shape:?}: {off:e}");
            let (values, positions) = x.sort(at, false);
            assert_eq!(values, back(sorted), "{shape:?}");
            assert_eq!(x.gather(at, &positions), values, "{shape:?}");
            let few = n.min(3);
            assert_eq!(x.topk(at, few, false).0, values.narrow(at, 0, few), "{shape:?}");
            let median = values.narrow(at, (n - 1) / 2, 1);
            assert_eq!(x.median(at, true).0, median, "{shape:?}");
        }
    }
}

#[test]
fn integers_and_booleans() {
    let x = Tensor::from([200u8, 100, 0]);
    assert_eq!(x.cumsum(0).to_vec(), [200i64, 300, 300]);
    assert_eq!(x.cumprod(0).to_vec(), [200i64, 20_000, 0]);
    assert_eq!(x.sort(0, false), (Tensor::from([0u8, 100, 200]), Tensor::from([2i64, 1, 0])));
    assert_eq!(Tensor::from([true, false, true]).cumsum(0).to_vec(), [1i64, 1, 2]);
    let edge = Tensor::from([i64::MAX, i64::MIN, 0, i64::MAX, -1]);
    assert_eq!(edge.argsort(0, false).to_vec(), [1, 4, 2, 0, 3]);
    assert_eq!(edge.median(0, false).0.item(), 0);
    assert_eq!(edge.cummax(0).1.to_vec(), [0, 0, 0, 3, 3]);
    assert_eq!(edge.cummin(0).0.to_vec(), [i64::MAX, i64::MIN, i64::MIN, i64::MIN, i64::MIN]);
    // The product is 0, although the product of the first numbers does not fit.
    assert_eq!(edge.narrow(0, 0, 3).prod(&[], false).item(), 0);
    panics_here("cumprod: a result does not fit i64: cast to f64 first", || drop(edge.cumprod(0)));
    panics_here("prod: a product does not fit i64: cast to f64 first", || {
        drop(edge.narrow(0, 0, 2).prod(&[], false));
    });
    panics_here("cumsum: a result does not fit i64: cast to f64 first", || {
        drop(edge.index_select(0, &Tensor::from([0, 4, 0, 0])).cumsum(0));
    });
    assert!(Tensor::from([0u8, 2]).any(&[], false).item());
    assert!(Tensor::from([f64::NAN, 2.0]).all(&[], false).item());
    assert_eq!(Tensor::<f64>::zeros_of(&[2, 0]).prod(&[1], true), Tensor::from([[1.0], [1.0]]));
}

#[test]
fn positions_of_nothing_and_of_zeros() {
    let empty = Tensor::<f64>::zeros_of(&[2, 0]);
    assert_eq!(empty.sort(1, false).1.shape(), [2, 0]);
    assert_eq!(empty.cummax(1).0.shape(), [2, 0]);
    assert_eq!(empty.unique().0.shape(), [0]);
    assert_eq!(empty.nonzero().shape(), [0, 2]);
    // Both zeros are equal, so that they stay in their order.
    assert_eq!(Tensor::from([0.0, -0.0, -1.0, -0.0]).argsort(0, false).to_vec(), [2, 0, 1, 3]);
    assert_eq!(Tensor::scalar(3.0).nonzero().shape(), [1, 0]);
    panics_here(
        "median: axis 1 of shape [2, 0] has size 0: median of no elements is not defined",
        || {
            drop(empty.median(1, false));
        },
    );
}

#[test]
fn writing_at_positions_against_loops() {
    for (name, x) in layouts() {
        if x.rank() < 3 || x.numel() == 0 {
            continue;
        }
        let shape = x.shape();
        let few = [shape[0] - 1, 4, shape[2]];
        let index = Tensor::from_fn(&few, |i| (i * i % shape[1]) as i64);
        let source = Tensor::<f64>::from_fn(&[shape[0], 5, shape[2]], |i| i as f64 + 100.0);
        let mut wanted = x.copied();
        let [mut max, mut sum] = [wanted.copied(), wanted.copied()];
        for at in naive(&few, <[usize]>::to_vec) {
            let to = [at[0], index.at(&at) as usize, at[2]];
            let flat = (to[0] * shape[1] + to[1]) * shape[2] + to[2];
            let s = source.at(&at);
            wanted.make_mut()[flat] = s;
            sum.make_mut()[flat] += s;
            max.make_mut()[flat] = max.to_vec()[flat].max(s);
        }
        assert_eq!(x.scatter(1, &index, &source), wanted, "{name}");
        let reduced = |how| x.scatter_reduce(1, &index, &source, how, true);
        assert_eq!(reduced(ScatterReduce::Sum), sum, "{name}");
        assert_eq!(reduced(ScatterReduce::Max), max, "{name}");
    }
}

#[test]
fn refusals_point_at_the_caller() {
    panics_here(
        "one_hot: index 3 (number 1 of 2) is out of range 0..3 of axis -1 of shape [3]; negative indices are not allowed",
        || {
            drop(Tensor::from([0i64, 3]).one_hot(3));
        },
    );
    panics_here(
        "bincount: index -1 (number 0 of 1) is out of range 0..0 of axis 0 of shape [0]; negative indices are not allowed",
        || {
            drop(Tensor::from([-1i64]).bincount(0));
        },
    );
    let x = Tensor::<f64>::zeros_of(&[2, 3]);
    panics_here(
        "select: index 3 is out of range for axis 1 of shape [2, 3]: allowed are -3..3",
        || {
            drop(x.select(1, 3));
        },
    );
    panics_here("flip: axis -1 is named twice in [1, -1] (shape [2, 3])", || drop(x.flip([1, -1])));
    panics_here("quantile: q must be from 0 to 1, got NaN", || {
        drop(x.quantile(0, f64::NAN, false));
    });
}

/// Long lines are scanned in blocks. Small integers are exact, so that the results are those of a loop.
#[test]
fn scans_of_long_lines_agree_with_loops() {
    for shape in [[LONG + 4099, 1], [1, 3 * LONG - 1], [LONG, 3], [2, LONG + 1]] {
        let x = Tensor::<f64>::from_fn(&shape, |i| (i * 7919 % 11) as f64 - 5.0);
        // Numbers whose running product stays near 1.
        let factors = Tensor::<f64>::from_fn(&shape, |i| if i % 2 == 0 { 1.25 } else { 0.8 });
        let axis = usize::from(shape[1] >= LONG);
        let along = |x: &Tensor<f64>, start: f64, step: &dyn Fn(f64, f64) -> f64| {
            let (x, mut out) = (x.transpose(axis as isize, -1).copied(), vec![]);
            for line in x.to_vec().chunks(shape[axis]) {
                let run = line.iter().scan(start, |y, &x| {
                    *y = step(*y, x);
                    Some(*y)
                });
                out.extend(run);
            }
            Tensor::from_vec(out, x.shape()).transpose(axis as isize, -1)
        };
        let sums = along(&x, 0.0, &|y, x| y + x);
        assert_eq!(x.cumsum(axis as isize), sums, "{shape:?}");
        let whole = x.cast::<i64>().cumsum(axis as isize);
        assert_eq!(whole.cast::<f64>(), sums, "{shape:?}");
        let back = x.flip(axis as isize).scan(Scan::Sum, axis, true, &x);
        assert_eq!(back.flip(axis as isize), sums, "{shape:?}, from the end");
        let products = along(&factors, 1.0, &|y, x| y * x);
        let off = (factors.cumprod(axis as isize) / products - 1.0).abs();
        assert!(off.max(&[], false).item() < 1e-11, "{shape:?}");
    }
}

/// Where the sum of a block would overflow, the line is scanned as a whole.
#[test]
fn scans_of_long_lines_keep_what_a_block_loses() {
    let line = |of: &dyn Fn(usize) -> f64| Tensor::<f64>::from_fn([LONG], of);
    let (first, second) = (LONG - 2, LONG - 1);
    let sums = line(&|i| match i {
        0 => -1.5e308,
        i if i >= first => 1e308,
        _ => 0.0,
    });
    assert_eq!(sums.cumsum(0).to_vec()[first..], [-0.5e308, 0.5e308]);
    let products = line(&|i| match i {
        0 => 1e300,
        i if i >= first => 1e-200,
        _ => 1.0,
    });
    let last = products.cumprod(0).to_vec();
    assert!(
        (last[first] / 1e100 - 1.0).abs() < 1e-12 && (last[second] / 1e-100 - 1.0).abs() < 1e-12
    );
    let zero = line(&|i| if i == 70_000 - LONG / 2 { 0.0 } else { 1.0 }).cumprod(0);
    assert_eq!(zero.sum_all(), (70_000 - LONG / 2) as f64);
    let nan = line(&|i| if i == 9 { f64::NAN } else { 1.0 }).cumsum(0).to_vec();
    assert!(nan[8] == 9.0 && nan[9..].iter().all(|x| x.is_nan()));
    let inf = line(&|i| if i == 9 { f64::INFINITY } else { 1.0 }).cumsum(0).to_vec();
    assert!(nan[8] == 9.0 && inf[9..].iter().all(|x| *x == f64::INFINITY));
    let too_large = Tensor::full_of([LONG], i64::MAX / 1000);
    panics_here("cumsum: a result does not fit i64: cast to f64 first", || {
        drop(too_large.cumsum(0));
    });
}

#[test]
fn the_bits_of_scans_do_not_depend_on_the_number_of_threads() {
    fn results(x: &Tensor<f32>) -> Vec<Vec<f32>> {
        vec![
            x.cumsum(0).to_vec(),
            (x * 0.01 + 1.0).cumprod(0).to_vec(),
            x.logcumsumexp(0).to_vec(),
            x.cumsum(1).to_vec(),
        ]
    }
    for shape in [[300_001, 1], [100_001, 3], [700, 300]] {
        let x = Tensor::from_fn(&shape, |i| (i as f32 * 0.37).sin());
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let [one, two, five] = [1, 2, 5].map(|threads| pool(threads).install(|| results(&x)));
        assert!(one == two && one == five, "{shape:?}");
    }
}
