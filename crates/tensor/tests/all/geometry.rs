//! Compares convolutions and pools of every small geometry with plain loops. Along each axis: all sizes
//! up to 7, kernels, strides and paddings up to 3, dilations up to 2. Groups: 1 and 2.
//!
//! A case has two axes. By default, each geometry of one axis is paired with a few geometries of the
//! other, so that every value of a field (size, kernel, ...) on one axis meets every value of a field on
//! the other. With `WENGERT_GEOMETRY=all` in the environment, each geometry is paired with each. The tests
//! assert the numbers of cases.

use std::collections::HashSet;
use wengert_tensor::axis_maps::average_maps;
use wengert_tensor::{Conv, Float, Pool, Tensor, shapes};

/// The size and the options of a convolution or pool along one axis.
#[derive(Clone, Copy, Debug)]
struct Axis {
    size: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    before: usize,
    after: usize,
    /// The output padding of a transposed convolution.
    more: usize,
}

/// Returns all geometries of an axis. `padding` lists the paddings before and after the image; `more`
/// returns the number of output paddings for a stride.
fn axes(padding: &[(usize, usize)], more: impl Fn(usize) -> usize) -> Vec<Axis> {
    let mut all = Vec::new();
    for size in 1..=7 {
        for kernel in 1..=3 {
            for stride in 1..=3 {
                for dilation in 1..=2 {
                    for &(before, after) in padding {
                        for more in 0..more(stride) {
                            let axis = Axis { size, kernel, stride, dilation, before, after, more };
                            all.push(axis);
                        }
                    }
                }
            }
        }
    }
    all
}

/// The same padding on both sides, from 0 to 3.
const EVEN: [(usize, usize); 4] = [(0, 0), (1, 1), (2, 2), (3, 3)];

fn everything() -> bool {
    std::env::var("WENGERT_GEOMETRY").is_ok_and(|share| share == "all")
}

/// Pairs the geometries of the two axes: each with every one if `all`, otherwise each with `partners`
/// different ones.
fn pairs(axes: &[Axis], all: bool, partners: usize) -> Vec<[Axis; 2]> {
    let n = axes.len();
    // (step, start) of walks through the geometries. The steps are coprime to the number of geometries.
    let steps = [(5, 7), (11, 2), (25, 9), (31, 12)];
    let mut pairs = Vec::new();
    for (i, &first) in axes.iter().enumerate() {
        if all {
            pairs.extend(axes.iter().map(|&second| [first, second]));
        } else {
            let partner = |(step, start): &(usize, usize)| axes[(i * step + start) % n];
            pairs.extend(steps[..partners].iter().map(|walk| [first, partner(walk)]));
        }
    }
    pairs
}

/// The pairs of field values of the first and of the second axis that occurred in a case.
#[derive(Default)]
struct Met(HashSet<[(usize, usize); 2]>);

impl Met {
    fn add(&mut self, pair: &[Axis; 2]) {
        let [first, second] = pair.map(|a| {
            [a.size, a.kernel, a.stride, a.dilation, a.before, a.after, a.more]
                .into_iter()
                .enumerate()
        });
        for one in first {
            self.0.extend(second.clone().map(|other| [one, other]));
        }
    }
}

/// Returns integers between -5 and 5. Sums of their products are exact in any order.
fn numbers<T: Float>(shape: &[usize], seed: usize) -> Tensor<T> {
    let seed = seed as u64;
    Tensor::from_fn(shape, |i| {
        let i = i as u64;
        T::of(((i * 7919 + seed * 104_729 + i / 7) % 11) as f64 - 5.0)
    })
}

/// Counts the windows along an axis by trial.
fn windows(a: &Axis) -> usize {
    let last = (a.kernel - 1) * a.dilation;
    let end = a.before + a.size + a.after;
    (0..end).take_while(|o| o * a.stride + last < end).count()
}

fn conv_of([v, h]: &[Axis; 2], groups: usize) -> Conv {
    Conv {
        stride: [v.stride, h.stride],
        padding: [(v.before, v.after), (h.before, h.after)],
        dilation: [v.dilation, h.dilation],
        groups,
    }
}

/// Returns the number of images, and the numbers of channels per group on the two sides.
fn channels(case: usize) -> [usize; 3] {
    [1 + case % 2, 1 + case % 3, 1 + case / 2 % 4]
}

/// Calls `f` for each product of a convolution with three positions: in the images of `from` pixels, in
/// the weight, and in the images of `to` pixels. Along an axis, pixel `i` of the latter belongs to pixel
/// `i·stride + t·dilation - before` of the former and to kernel element `t`.
fn products(
    [v, h]: &[Axis; 2],
    groups: usize,
    [n, c, o]: [usize; 3],
    from: [usize; 2],
    to: [usize; 2],
    mut f: impl FnMut(usize, usize, usize),
) {
    let along = |a: &Axis, from: usize, to: usize| -> Vec<[usize; 3]> {
        let mut all = Vec::new();
        for i in 0..to {
            for t in 0..a.kernel {
                let at = (i * a.stride + t * a.dilation) as i64 - a.before as i64;
                if at >= 0 && at < from as i64 {
                    all.push([at as usize, t, i]);
                }
            }
        }
        all
    };
    let (down, across) = (along(v, from[0], to[0]), along(h, from[1], to[1]));
    for image in 0..n {
        for map in 0..groups * o {
            for channel in 0..c {
                let x = (image * groups + map / o) * c + channel;
                let w = map * c + channel;
                let y = image * groups * o + map;
                for &[row, p, i] in &down {
                    for &[col, q, j] in &across {
                        f(
                            (x * from[0] + row) * from[1] + col,
                            (w * v.kernel + p) * h.kernel + q,
                            (y * to[0] + i) * to[1] + j,
                        );
                    }
                }
            }
        }
    }
}

/// Checks a convolution and its gradients with respect to the input and to the weight.
fn convolution<T: Float>(pair: &[Axis; 2], groups: usize, case: usize) {
    let [v, h] = pair;
    let sizes @ [n, c, o] = channels(case);
    let (size, out, kernel) =
        ([v.size, h.size], pair.each_ref().map(windows), [v.kernel, h.kernel]);
    let conv = conv_of(pair, groups);
    let x = numbers::<T>(&[n, groups * c, size[0], size[1]], case);
    let w = numbers::<T>(&[groups * o, c, kernel[0], kernel[1]], case + 1);
    let gy = numbers::<T>(&[n, groups * o, out[0], out[1]], case + 2);
    let bias = numbers::<T>(&[groups * o], case + 3);
    let bias = case.is_multiple_of(2).then_some(&bias);
    let area = out[0] * out[1];
    let mut y: Vec<f64> = (0..gy.numel())
        .map(|i| bias.map_or(0.0, |bias| bias.at(&[i / area % (groups * o)]).to()))
        .collect();
    let (mut gx, mut gw) = (vec![0.0; x.numel()], vec![0.0; w.numel()]);
    let numbers = |x: &Tensor<T>| -> Vec<f64> { x.to_vec().into_iter().map(T::to).collect() };
    let (xs, ws, gys) = (numbers(&x), numbers(&w), numbers(&gy));
    products(pair, groups, sizes, size, out, |from, tap, to| {
        y[to] += xs[from] * ws[tap];
        gx[from] += gys[to] * ws[tap];
        gw[tap] += xs[from] * gys[to];
    });
    let result = x.conv2d(&w, bias, &conv);
    assert_eq!(result.shape(), gy.shape(), "{pair:?} groups {groups}");
    assert_eq!(numbers(&result), y, "forward {pair:?} groups {groups} channels {sizes:?}");
    let result = gy.conv2d_input(&w, size, &conv);
    assert_eq!(numbers(&result), gx, "input {pair:?} groups {groups} channels {sizes:?}");
    let result = x.conv2d_weight(&gy, kernel, &conv);
    assert_eq!(numbers(&result), gw, "weight {pair:?} groups {groups} channels {sizes:?}");
}

/// The numbers of cases, of refused geometries, and of pairs of field values, for the default share and
/// for all geometries.
const CONVOLUTIONS: [(usize, usize, usize); 2] = [(14_770, 1_358, 576), (443_682, 64_350, 576)];
const TRANSPOSED: [(usize, usize, usize); 2] = [(5_968, 2_096, 676), (751_689, 264_375, 676)];
const POOLS: [(usize, usize, usize); 2] = [(130_490, 123_526, 400), (130_490, 885_574, 400)];

/// The default share has all combinations of paddings before and after the image. The full run has equal
/// paddings only.
#[test]
fn convolutions_and_their_gradients_agree_with_loops() {
    let all = everything();
    let uneven: Vec<_> = (0..=3).flat_map(|a| (0..=3).map(move |b| (a, b))).collect();
    let axes = axes(if all { &EVEN } else { &uneven }, |_| 1);
    let (mut cases, mut refused, mut met) = (0, 0, Met::default());
    for pair in pairs(&axes, all, 4) {
        for groups in 1..=2 {
            let [n, c, o] = channels(cases);
            let fits = pair.iter().all(|axis| windows(axis) > 0);
            let shape = shapes::conv2d(
                &[n, groups * c, pair[0].size, pair[1].size],
                &[groups * o, c, pair[0].kernel, pair[1].kernel],
                None,
                &conv_of(&pair, groups),
            );
            assert_eq!(shape.is_ok(), fits, "{pair:?}: {shape:?}");
            if !fits {
                refused += 1;
                continue;
            }
            convolution::<f32>(&pair, groups, cases);
            if !all {
                convolution::<f64>(&pair, groups, cases);
            }
            met.add(&pair);
            cases += 1;
        }
    }
    println!("convolutions: {cases} cases, {refused} refused, {} pairs of numbers", met.0.len());
    assert_eq!((cases, refused, met.0.len()), CONVOLUTIONS[usize::from(all)]);
}

/// Returns the size of the result of a transposed convolution, 0 if there is no result.
fn spread(a: &Axis) -> usize {
    let last = (a.size - 1) * a.stride + (a.kernel - 1) * a.dilation;
    (last + 1 + a.more).saturating_sub(a.before + a.after)
}

fn transposed<T: Float>(pair: &[Axis; 2], groups: usize, case: usize) {
    let [v, h] = pair;
    // The result has `o` channels per group.
    let sizes @ [n, o, i] = channels(case);
    let (size, out) = ([v.size, h.size], pair.each_ref().map(spread));
    let x = numbers::<T>(&[n, groups * i, size[0], size[1]], case);
    let w = numbers::<T>(&[groups * i, o, v.kernel, h.kernel], case + 1);
    let numbers = |x: &Tensor<T>| -> Vec<f64> { x.to_vec().into_iter().map(T::to).collect() };
    let (xs, ws) = (numbers(&x), numbers(&w));
    let mut y = vec![0.0; n * groups * o * out[0] * out[1]];
    products(pair, groups, sizes, out, size, |to, tap, from| y[to] += xs[from] * ws[tap]);
    let result = x.conv2d_input(&w, out, &conv_of(pair, groups));
    assert_eq!(result.shape(), [n, groups * o, out[0], out[1]], "{pair:?} groups {groups}");
    assert_eq!(numbers(&result), y, "transposed {pair:?} groups {groups} channels {sizes:?}");
}

#[test]
fn transposed_convolutions_agree_with_loops() {
    let all = everything();
    let axes = axes(&EVEN, |stride| stride);
    let (mut cases, mut refused, mut met) = (0, 0, Met::default());
    for (at, pair) in pairs(&axes, all, 4).into_iter().enumerate() {
        // Two numbers of groups for all pairs would be two million cases, so the full run alternates them.
        for groups in if all { 1 + at % 2..2 + at % 2 } else { 1..3 } {
            let [v, h] = &pair;
            let [n, o, i] = channels(cases);
            let fits = spread(v) > 0 && spread(h) > 0;
            let shape = shapes::conv_transpose2d(
                &[n, groups * i, v.size, h.size],
                &[groups * i, o, v.kernel, h.kernel],
                None,
                &conv_of(&pair, groups),
                [v.more, h.more],
            );
            let wanted = fits.then(|| [n, groups * o, spread(v), spread(h)]);
            assert_eq!(shape.ok(), wanted.map(Into::into), "{pair:?}");
            if !fits {
                refused += 1;
                continue;
            }
            transposed::<f32>(&pair, groups, cases);
            if !all {
                transposed::<f64>(&pair, groups, cases);
            }
            met.add(&pair);
            cases += 1;
        }
    }
    println!("transposed: {cases} cases, {refused} refused, {} pairs of numbers", met.0.len());
    assert_eq!((cases, refused, met.0.len()), TRANSPOSED[usize::from(all)]);
}

/// Counts the windows of a pool along an axis. A window ends within the padded axis. With `ceil_mode`, a
/// window may extend beyond the end by less than the stride if it begins before the padding after the
/// image.
fn pool_windows(a: &Axis, ceil_mode: bool) -> usize {
    let last = (a.kernel - 1) * a.dilation;
    let fits = |o: &usize| {
        let (begins, ends) = (o * a.stride, o * a.stride + last + 1);
        let end = a.before + a.size + a.after;
        ends <= end || ceil_mode && ends < end + a.stride && begins < a.before + a.size
    };
    (0..a.before + a.size).take_while(fits).count()
}

/// Returns the elements of window `o` along an axis, and the number of its elements with the padding.
fn window(a: &Axis, o: usize) -> (Vec<usize>, usize) {
    let places = (0..a.kernel).map(|t| o * a.stride + t * a.dilation);
    let padded = places.clone().filter(|&at| at < a.before + a.size + a.after).count();
    let inside = places.filter_map(|at| at.checked_sub(a.before)).filter(|&at| at < a.size);
    (inside.collect(), padded)
}

fn pooled<T: Float>(pair: &[Axis; 2], pool: &Pool, case: usize) {
    let [v, h] = pair;
    let [images, size] = [1 + case % 2, v.size * h.size];
    let out = pair.each_ref().map(|axis| pool_windows(axis, pool.ceil_mode));
    let area = out[0] * out[1];
    let x = numbers::<T>(&[images, 1, v.size, h.size], case);
    let gy = numbers::<T>(&[images, 1, out[0], out[1]], case + 1);
    let numbers = |x: &Tensor<T>| -> Vec<f64> { x.to_vec().into_iter().map(T::to).collect() };
    let (xs, gys) = (numbers(&x), numbers(&gy));
    let (mut maxima, mut positions) = (vec![], vec![]);
    let mut max_gx = vec![0.0; xs.len()];
    let (mut means, mut mean_gx) = (vec![], vec![0.0; xs.len()]);
    for (y, &gy) in gys.iter().enumerate() {
        let (image, at) = (y / area, y % area);
        let (rows, tall) = window(v, at / out[1]);
        let (cols, wide) = window(h, at % out[1]);
        let seen: Vec<usize> =
            rows.iter().flat_map(|row| cols.iter().map(move |col| row * h.size + col)).collect();
        // Equal maxima: the first wins.
        let value = |at: usize| xs[image * size + at];
        let best = seen.iter().copied().reduce(|a, b| if value(b) > value(a) { b } else { a });
        let best = best.unwrap_or_else(|| panic!("{pair:?}: a window without elements"));
        maxima.push(value(best));
        positions.push(best as i64);
        max_gx[image * size + best] += gy;
        let count = if pool.count_include_pad { tall * wide } else { seen.len() } as f64;
        means.push(seen.iter().map(|&at| value(at)).sum::<f64>() / count);
        for &at in &seen {
            mean_gx[image * size + at] += gy / count;
        }
    }
    let (values, found) = x.max_pool2d_with_indices(pool);
    assert_eq!(values.shape(), gy.shape(), "{pair:?} {pool:?}");
    assert_eq!(numbers(&values), maxima, "max {pair:?} {pool:?}");
    assert_eq!(found.to_vec(), positions, "positions {pair:?} {pool:?}");
    let back = gy.max_unpool2d(&found, [v.size, h.size]);
    assert_eq!(numbers(&back), max_gx, "adjoint of max {pair:?} {pool:?}");
    if pool.dilation != [1, 1] {
        return;
    }
    let near = |found: &Tensor<T>, wanted: &[f64], what: &str| {
        assert_eq!(found.numel(), wanted.len(), "{what} {pair:?} {pool:?}");
        for (a, &b) in numbers(found).into_iter().zip(wanted) {
            // A mean or a gradient is a sum of at most 9 terms of numbers up to 5.
            assert!((a - b).abs() <= 100.0 * T::EPSILON, "{what} {pair:?} {pool:?}: {a}, not {b}");
        }
    };
    near(&x.avg_pool2d(pool), &means, "mean");
    let maps = average_maps("avg_pool2d", &x.shape(), pool).unwrap();
    let back = maps.iter().rev().fold(gy, |gy, (axis, map)| gy.map_axis_transposed(*axis, map));
    near(&back, &mean_gx, "adjoint of mean");
}

#[test]
fn pools_and_their_adjoints_agree_with_loops() {
    let all = everything();
    // The padding is at most half the kernel, so at most 1. The full run also tests that larger paddings
    // are refused.
    let axes = axes(if all { &EVEN } else { &EVEN[..2] }, |_| 1);
    let (mut cases, mut refused, mut met) = (0, 0, Met::default());
    for pair in pairs(&axes, true, 0) {
        let [v, h] = &pair;
        for modes in 0..4 {
            let pool = Pool {
                kernel: [v.kernel, h.kernel],
                stride: [v.stride, h.stride],
                padding: [(v.before, v.after), (h.before, h.after)],
                dilation: [v.dilation, h.dilation],
                ceil_mode: modes % 2 == 1,
                count_include_pad: modes / 2 == 1,
            };
            let fits = pair.iter().all(|axis| {
                let seen = || !window(axis, 0).0.is_empty();
                axis.before <= axis.kernel / 2 && pool_windows(axis, pool.ceil_mode) > 0 && seen()
            });
            let shape = shapes::pool2d("max_pool2d", &[1, v.size, h.size], &pool);
            assert_eq!(shape.is_ok(), fits, "{pair:?} {pool:?}: {shape:?}");
            if !fits {
                refused += 1;
                continue;
            }
            pooled::<f32>(&pair, &pool, cases);
            if all || cases.is_multiple_of(4) {
                pooled::<f64>(&pair, &pool, cases);
            }
            met.add(&pair);
            cases += 1;
        }
    }
    println!("pools: {cases} cases, {refused} refused, {} pairs of numbers", met.0.len());
    assert_eq!((cases, refused, met.0.len()), POOLS[usize::from(all)]);
}
