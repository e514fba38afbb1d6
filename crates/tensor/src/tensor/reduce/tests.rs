use crate::shapes::{Reduced, reduce};
use crate::tensor::Tensor;
use crate::tensor::{Element, Float, Number};
use crate::testing::{layouts, naive, panics_here};

/// Returns pseudo-random numbers between -1 and 1.
fn noise<T: Number>(shape: &[usize]) -> Tensor<T> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    Tensor::from_fn(shape, |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        T::of((state >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
    })
}

/// Returns all sets of axes of a tensor of this rank, except the empty set, which stands for all axes.
fn subsets(rank: usize) -> impl Iterator<Item = Vec<isize>> {
    (0..1usize << rank)
        .map(move |set| (0..rank as isize).filter(|axis| set >> axis & 1 == 1).collect())
}

/// Returns the elements that are reduced to each result, in row-major order.
fn gathered(x: &Tensor<f64>, reduced: &Reduced) -> Vec<Vec<f64>> {
    let (shape, chosen) = (x.shape(), reduced.chosen);
    naive(&reduced.kept, |kept| {
        let inside: Vec<usize> =
            (0..shape.rank()).map(|axis| if chosen[axis] { shape[axis] } else { 1 }).collect();
        naive(&inside, |at| {
            let index: Vec<usize> = at.iter().zip(kept).map(|(a, k)| a + k).collect();
            x.at(&index)
        })
    })
}

fn assert_close(name: &str, got: &Tensor<f64>, wanted: &[f64]) {
    let got = got.to_vec();
    assert_eq!(got.len(), wanted.len(), "{name}");
    for (g, w) in got.iter().zip(wanted) {
        let same = g == w || (g.is_nan() && w.is_nan());
        assert!(
            same || (g - w).abs() <= 1e-13 * w.abs().max(1.0),
            "{name}: {got:?}, wanted {wanted:?}"
        );
    }
}

fn naive_var(x: &[f64], correction: f64) -> f64 {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (x.len() as f64 - correction).max(0.0)
}

fn check_all_axes(layout: &str, x: &Tensor<f64>) {
    for axes in subsets(x.rank()) {
        let reduced = reduce("test", &x.shape(), &axes).unwrap();
        let groups = gathered(x, &reduced);
        let wanted = |f: &dyn Fn(&[f64]) -> f64| groups.iter().map(|g| f(g)).collect::<Vec<f64>>();
        for keepdim in [false, true] {
            let shape = if keepdim { reduced.kept } else { reduced.dropped };
            let check = |op: &str, got: Tensor<f64>, f: &dyn Fn(&[f64]) -> f64| {
                let name =
                    format!("{op} of {layout} {} over {axes:?}, keepdim {keepdim}", x.shape());
                assert_eq!(got.shape(), shape, "{name}");
                assert_close(&name, &got, &wanted(f));
            };
            check("sum", x.sum(&axes, keepdim), &|g| g.iter().sum());
            check("mean", x.mean(&axes, keepdim), &|g| g.iter().sum::<f64>() / g.len() as f64);
            check("var", x.var(&axes, keepdim, 1), &|g| naive_var(g, 1.0));
            check("var", x.var(&axes, keepdim, 0), &|g| naive_var(g, 0.0));
            check("logsumexp", x.logsumexp(&axes, keepdim), &|g| {
                g.iter().map(|x| x.exp()).sum::<f64>().ln()
            });
            if groups.iter().all(|g| !g.is_empty()) {
                check("max", x.max(&axes, keepdim), &|g| {
                    g.iter().copied().fold(f64::MIN, f64::max)
                });
                check("min", x.min(&axes, keepdim), &|g| {
                    g.iter().copied().fold(f64::MAX, f64::min)
                });
            }
            if let ([axis], true) = (&axes[..], groups.iter().all(|g| !g.is_empty())) {
                let at = |g: &[f64], best: f64| g.iter().position(|&x| x == best).unwrap() as f64;
                let largest = |g: &[f64]| at(g, g.iter().copied().fold(f64::MIN, f64::max));
                let least = |g: &[f64]| at(g, g.iter().copied().fold(f64::MAX, f64::min));
                check("argmax", x.argmax(*axis, keepdim).cast(), &largest);
                check("argmin", x.argmin(axis - x.rank() as isize, keepdim).cast(), &least);
            }
        }
    }
    let all = x.to_vec();
    assert_close("sum_all", &Tensor::scalar_of(x.sum_all()), &[all.iter().sum()]);
    assert_close(
        "mean_all",
        &Tensor::scalar_of(x.mean_all()),
        &[all.iter().sum::<f64>() / all.len() as f64],
    );
}

#[test]
fn reductions_of_every_layout_over_every_axes_agree_with_loops() {
    for (layout, x) in layouts() {
        check_all_axes(layout, &x);
    }
    let x = noise::<f64>(&[2, 3, 4, 5]);
    check_all_axes("contiguous", &x);
    check_all_axes("permuted", &x.permute(&[2, 0, 3, 1]));
    check_all_axes("with an axis of one", &x.narrow(1, 1, 1));
}

#[test]
fn sums_of_lengths_around_the_kernel_sizes_are_exact() {
    // Sums of small integers are exact in any order.
    let number = |i: usize| (i % 17 * 7919 % 17) as f64 - 8.0;
    for n in [1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 256, 321, 1000, 1023, 1024, 1025, 5000]
    {
        for (outer, inner) in
            [(1, 1), (5, 1), (33, 1), (70, 1), (1, 2), (1, 31), (1, 32), (3, 3), (40, 5), (2, 65)]
        {
            let x = Tensor::<f64>::from_fn(&[outer, n, inner], number);
            let column = |o: usize, c: usize| (0..n).map(move |j| number((o * n + j) * inner + c));
            let all = || (0..outer).flat_map(|o| (0..inner).map(move |c| (o, c)));
            let sums: Vec<f64> = all().map(|(o, c)| column(o, c).sum()).collect();
            assert_eq!(x.sum(&[1], false).to_vec(), sums, "{outer} {n} {inner}");
            let largest: Vec<f64> =
                all().map(|(o, c)| column(o, c).fold(f64::MIN, f64::max)).collect();
            assert_eq!(x.max(&[1], false).to_vec(), largest, "{outer} {n} {inner}");
            let squares: Vec<f64> =
                all().map(|(o, c)| naive_var(&column(o, c).collect::<Vec<_>>(), 0.0)).collect();
            assert_close("var", &x.var(&[1], false, 0), &squares);
        }
    }
    for (shape, axis) in [
        ([300_000, 3], 0),
        ([3, 300_000], 1),
        ([700, 1500], 0),
        ([700, 1500], 1),
        ([1, 200_001], 1),
    ] {
        let x = Tensor::<i64>::from_fn(&shape, |i| (i as i64 * 7919) % 1013);
        let count = shape[1 - axis];
        let mut sums = vec![0; count];
        let mut largest = vec![0; count];
        for (i, x) in x.to_vec().into_iter().enumerate() {
            let at = if axis == 0 { i % shape[1] } else { i / shape[1] };
            sums[at] += x;
            largest[at] = x.max(largest[at]);
        }
        assert_eq!(x.sum(&[axis as isize], false).to_vec(), sums);
        assert_eq!(x.max(&[axis as isize], false).to_vec(), largest);
        let places = x.argmax(axis as isize, false).to_vec();
        for (i, &place) in places.iter().enumerate() {
            let index = |j: usize| if axis == 0 { [j, i] } else { [i, j] };
            assert_eq!(x.at(&index(place as usize)), largest[i]);
            assert!((0..place as usize).all(|j| x.at(&index(j)) < largest[i]));
        }
    }
}

/// Tests the error bound of `Tensor::sum` on 10⁸ numbers, in both orders in which a kernel can read them.
#[test]
fn the_error_of_a_hundred_million_terms_is_bounded() {
    let n = 100_000_000;
    let mut state = 1u64;
    let x = Tensor::<f32>::from_fn(&[n / 10, 10], |_| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32
    });
    // The elements are multiples of 2⁻²⁴, so their sum is exact in f64.
    let elements = x.as_slice().unwrap();
    let exact: f64 =
        elements.chunks(1000).map(|x| x.iter().map(|&x| f64::from(x)).sum::<f64>()).sum();
    let unit = f64::from(f32::EPSILON) / 2.0;
    let log = (n as f64).log2().ceil();
    let error = (f64::from(x.sum_all()) - exact).abs();
    assert!(error <= (16.0 + log) * unit * exact, "{error}");
    // The measured error is far below the bound.
    assert!(error <= 4.0 * unit * exact, "{error}");
    let by_columns: f64 = x.sum(&[0], false).to_vec().into_iter().map(f64::from).sum();
    assert!((by_columns - exact).abs() <= (40.0 + log) * unit * exact);
    assert!((x.mean_all() - exact / n as f64).abs() < 1e-6);
}

#[test]
fn sums_of_terms_that_cancel_stay_within_the_error_bound() {
    for shape in [[1, 100_003], [100_003, 1], [1000, 70], [70, 1000], [30_000, 3]] {
        let x = noise::<f32>(&shape);
        for axis in 0..2 {
            let got = x.sum(&[axis], false).to_vec();
            let exact = x.cast::<f64>().sum(&[axis], false).to_vec();
            let absolute = Tensor::from_vec(
                x.to_vec().into_iter().map(|x| f64::from(x.abs())).collect(),
                &shape,
            );
            let absolute = absolute.sum(&[axis], false).to_vec();
            let factor =
                (40.0 + (shape[axis as usize] as f64).log2()) * f64::from(f32::EPSILON) / 2.0;
            for ((g, e), a) in got.iter().zip(exact).zip(absolute) {
                assert!((f64::from(*g) - e).abs() <= factor * a);
            }
        }
    }
}

#[test]
fn the_bits_of_sums_do_not_depend_on_the_number_of_threads() {
    fn results<T: Float>(x: &Tensor<T>) -> Vec<Vec<T>> {
        let mut out = vec![vec![x.sum_all(), T::of(x.mean_all())]];
        for axis in 0..2 {
            out.push(x.sum(&[axis], false).to_vec());
            out.push(x.var(&[axis], false, 1).to_vec());
            out.push(x.logsumexp(&[axis], false).to_vec());
        }
        out
    }
    for shape in [[1200, 900], [3, 300_001], [300_001, 3]] {
        let x = noise::<f32>(&shape);
        let runs: Vec<_> = [1, 2, 5]
            .map(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap())
            .iter()
            .map(|pool| pool.install(|| results(&x)))
            .collect();
        assert!(runs.iter().all(|run| *run == runs[0]), "{shape:?}");
    }
}

#[test]
fn reductions_pass_nan_and_infinity() {
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    for at in [0, 1, 40, 63, 64, 99] {
        let mut numbers = noise::<f32>(&[100]).to_vec();
        numbers[at] = nan;
        let row = Tensor::from_slice(&numbers, &[1, 100]);
        let column = Tensor::from_slice(&numbers, &[100, 1]).broadcast_to(&[100, 50]);
        for x in [
            row.sum(&[1], false),
            row.max(&[1], false),
            row.min(&[1], false),
            row.logsumexp(&[1], false),
        ] {
            assert!(x.item().is_nan(), "{at}");
        }
        assert!(column.max(&[0], false).to_vec().iter().all(|x| x.is_nan()));
        assert!(column.min(&[0], false).to_vec().iter().all(|x| x.is_nan()));
        assert_eq!(row.argmax(1, false).item(), at as i64);
        assert_eq!(row.argmin(1, false).item(), at as i64);
        assert_eq!(column.argmax(0, false).to_vec(), [at as i64; 50]);
    }
    let x = Tensor::from([[-inf, -inf], [inf, 0.0], [inf, -inf], [-inf, 3.0], [nan, inf]]);
    let got = x.logsumexp(&[1], false).to_vec();
    assert_eq!(got[..4], [-inf, inf, inf, 3.0]);
    assert!(got[4].is_nan());
    let x = Tensor::from([[1e4f32, 1e4], [-1e4, -1e4]]);
    assert_eq!(x.logsumexp(&[1], false).to_vec(), [1e4 + 2f32.ln(), -1e4 + 2f32.ln()]);
    let ties = Tensor::from([[1.0, 5.0, 5.0], [0.0, -0.0, -1.0], [-inf, -inf, -inf]]);
    assert_eq!(ties.argmax(1, false).to_vec(), [1, 0, 0]);
    assert_eq!(ties.argmin(0, true).to_vec(), [2, 2, 2]);
    assert!(Tensor::from([3.0f32]).var(&[], false, 1).item().is_nan());
    // The mean is large compared with the standard deviation.
    assert_eq!(Tensor::from([1e6f32, 1e6 + 1.0, 1e6 + 2.0]).var(&[], false, 1).item(), 1.0);
}

#[test]
fn reductions_over_empty_axes_have_their_documented_values() {
    let none = Tensor::<f32>::zeros_of(&[2, 0, 3]);
    assert_eq!(none.sum(&[1], false).to_vec(), [0.0; 6]);
    assert_eq!(none.sum_all(), 0.0);
    assert!(none.mean(&[1], true).to_vec().iter().all(|x| x.is_nan()) && none.mean_all().is_nan());
    assert!(none.var(&[1], false, 1).to_vec().iter().all(|x| x.is_nan()));
    assert_eq!(none.logsumexp(&[1], false).to_vec(), [f32::NEG_INFINITY; 6]);
    // There are no results, so no largest element is needed.
    assert_eq!(none.max(&[2], false).shape(), [2, 0]);
    assert_eq!(none.argmin(0, true).shape(), [1, 0, 3]);
    assert_eq!(none.sum_to(&[3]).to_vec(), [0.0; 3]);
    assert_eq!(none.max_to(&[1, 0, 3]).shape(), [1, 0, 3]);
}

#[test]
fn reductions_of_integers_agree_with_loops() {
    assert_eq!(Tensor::from([200u8, 100]).sum_all(), 300);
    assert_eq!(Tensor::from(vec![1u8; 1000]).sum(&[], false).item(), 1000i64);
    assert_eq!(Tensor::from([u32::MAX; 3]).sum_all(), 12_884_901_885);
    assert_eq!(Tensor::from([[-5i64, -7], [-9, -6]]).max(&[1], false).to_vec(), [-5, -6]);
    assert_eq!(Tensor::from([3u32, 2, 9]).min(&[], true).to_vec(), [2]);
    assert_eq!(Tensor::from([3u32, 2, 9]).argmax(0, false).item(), 2);
    assert_eq!(Tensor::from([u8::MAX, 0, 7]).min(&[], false).item(), 0);
    assert_eq!(Tensor::from([i64::MIN, i64::MIN + 1]).argmax(0, false).item(), 1);
}

/// Returns elements of this type in layouts that are read in different orders.
fn integer_layouts<T: Element>(f: impl Fn(usize) -> T) -> Vec<Tensor<T>> {
    let x = Tensor::from_fn([3, 4, 5], f);
    vec![
        x.clone(),
        x.permute(&[2, 0, 1]),
        x.slice(1, None, None, -2),
        x.narrow(0, 1, 1).broadcast_to([2, 4, 5]),
        x.narrow(1, 0, 0),
        x.narrow(0, 2, 1).narrow(1, 3, 1).narrow(2, 4, 1).reshape(()),
    ]
}

fn sums_of<T: Element>(f: impl Fn(usize) -> T, number: impl Fn(T) -> i128) {
    for x in integer_layouts(f) {
        let total: i128 = x.to_vec().into_iter().map(&number).sum();
        assert_eq!(i128::from(x.sum_all().to_string().parse::<i64>().unwrap()), total);
        for axes in subsets(x.rank()) {
            let reduced = reduce("test", &x.shape(), &axes).unwrap();
            let wanted = naive(&reduced.kept, |kept| {
                let inside: Vec<usize> = (0..x.rank())
                    .map(|axis| if reduced.chosen[axis] { x.shape()[axis] } else { 1 })
                    .collect();
                let terms = naive(&inside, |at| {
                    let index: Vec<usize> = at.iter().zip(kept).map(|(a, k)| a + k).collect();
                    number(x.at(&index))
                });
                i64::try_from(terms.into_iter().sum::<i128>()).unwrap()
            });
            let sums = x.sum(&axes, false).cast::<i64>();
            assert_eq!((sums.shape(), sums.to_vec()), (reduced.dropped, wanted.clone()));
            assert_eq!(x.sum(&axes, true).cast::<i64>().to_vec(), wanted);
            assert_eq!(x.sum_to(reduced.kept).cast::<i64>().to_vec(), wanted);
        }
    }
}

#[test]
fn sums_of_integers_and_booleans_are_exact() {
    sums_of(|i| (i * 37 % 256) as u8, i128::from);
    sums_of(|i| u32::MAX - i as u32 * 11, i128::from);
    sums_of(|i| (i as i64 - 30) * ((1 << 53) + 1), i128::from);
    sums_of(|i| i % 3 == 1, i128::from);
}

#[test]
fn sums_of_integers_beyond_i64_panic() {
    let (large, one) = (i64::MAX, 1);
    // Only the result must fit the type.
    assert_eq!(Tensor::from([large, one, -1, large, -large]).sum_all(), large);
    let x = Tensor::from([[large, one, -1], [large, one, 0]]);
    assert_eq!(x.narrow(0, 0, 1).sum(&[1], false).to_vec(), [large]);
    panics_here("sum_all: a sum does not fit i64: cast to f64 first", || {
        let _ = x.sum_all();
    });
    panics_here("sum: a sum does not fit i64: cast to f64 first", || drop(x.sum(&[1], false)));
    panics_here("sum: a sum does not fit i64: cast to f64 first", || drop(x.sum(&[0], false)));
    panics_here("sum_to: a sum does not fit i64: cast to f64 first", || {
        drop(x.sum_to([1, 3]));
    });
    panics_here("sum: a sum does not fit i64: cast to f64 first", || {
        let _ = x.t().sum_all();
    });
}

#[test]
fn reductions_of_booleans_agree_with_loops() {
    for x in integer_layouts(|i| i * i % 7 == 2) {
        let elements = x.to_vec();
        assert_eq!(x.count(), elements.iter().filter(|&&x| x).count());
        assert_eq!(x.is_any(), elements.iter().any(|&x| x));
        assert_eq!(x.is_all(), elements.iter().all(|&x| x));
        for axes in subsets(x.rank()) {
            let reduced = reduce("test", &x.shape(), &axes).unwrap();
            let groups = gathered(&x.cast(), &reduced);
            let any: Vec<bool> = groups.iter().map(|g| g.contains(&1.0)).collect();
            let all: Vec<bool> = groups.iter().map(|g| !g.contains(&0.0)).collect();
            for keepdim in [false, true] {
                let shape = if keepdim { reduced.kept } else { reduced.dropped };
                let (got_any, got_all) = (x.any(&axes, keepdim), x.all(&axes, keepdim));
                assert_eq!((got_any.shape(), got_any.to_vec()), (shape, any.clone()));
                assert_eq!((got_all.shape(), got_all.to_vec()), (shape, all.clone()));
            }
        }
    }
    let nothing = Tensor::full_of([0, 2], true);
    assert!(nothing.is_all() && !nothing.is_any());
    assert_eq!(nothing.all(&[0], false).to_vec(), [true; 2]);
    assert_eq!(nothing.any(&[0], false).to_vec(), [false; 2]);
    assert_eq!(Tensor::from([true, false, true]).sum_all(), 2);
    panics_here("any: axis 1 is out of range for shape [1]: allowed are -1..1", || {
        drop(Tensor::from([true]).any(&[1], false));
    });
}

#[test]
fn sum_to_agrees_with_sums_over_axes() {
    let x = noise::<f64>(&[2, 3, 4]);
    let targets: [(&[usize], &[isize], bool); 7] = [
        (&[], &[], false),
        (&[4], &[0, 1], false),
        (&[1], &[], true),
        (&[3, 1], &[0, 2], true),
        (&[1, 3, 1], &[0, 2], true),
        (&[2, 1, 1], &[1, 2], true),
        (&[2, 1, 4], &[1], true),
    ];
    for (target, axes, keepdim) in targets {
        for x in [&x, &x.permute(&[1, 2, 0]).copied().permute(&[2, 0, 1])] {
            let got = x.sum_to(target);
            assert_eq!(got.shape(), target);
            assert_close("sum_to", &got, &x.sum(axes, keepdim).to_vec());
            assert_eq!(x.max_to(target).to_vec(), x.max(axes, keepdim).to_vec());
            assert_eq!(x.min_to(target).to_vec(), x.min(axes, keepdim).to_vec());
            assert_close(
                "logsumexp_to",
                &x.logsumexp_to(target),
                &x.logsumexp(axes, keepdim).to_vec(),
            );
        }
    }
    assert!(x.sum_to(&[2, 3, 4]).shares_storage(&x));
    let row = noise::<f64>(&[1, 3]);
    assert_eq!(row.sum_to(&[3]).to_vec(), row.to_vec());
}

#[test]
fn panics_name_axis_and_shape() {
    let x = Tensor::zeros(&[2, 3]);
    let axis =
        |op: &str| format!("{op}: axis 2 is out of range for shape [2, 3]: allowed are -2..2");
    panics_here(&axis("sum"), || drop(x.sum(&[2], false)));
    panics_here(&axis("mean"), || drop(x.mean(&[2], false)));
    panics_here(&axis("max"), || drop(x.max(&[2], false)));
    panics_here(&axis("min"), || drop(x.min(&[2], false)));
    panics_here(&axis("var"), || drop(x.var(&[2], false, 1)));
    panics_here(&axis("logsumexp"), || drop(x.logsumexp(&[2], false)));
    panics_here(&axis("argmax"), || drop(x.argmax(2, false)));
    panics_here(&axis("argmin"), || drop(x.argmin(2, false)));
    panics_here("sum: axis -1 is named twice in [1, -1] (shape [2, 3])", || {
        drop(x.sum(&[1, -1], false));
    });
    let none = Tensor::zeros(&[0, 3]);
    let empty = |op: &str| {
        format!("{op}: axis 0 of shape [0, 3] has size 0: {op} of no elements is not defined")
    };
    panics_here(&empty("max"), || drop(none.max(&[0], false)));
    panics_here(&empty("min"), || drop(none.min(&[], false)));
    panics_here(&empty("argmax"), || drop(none.argmax(0, false)));
    panics_here(&empty("argmin"), || drop(none.argmin(0, false)));
    panics_here(&empty("max_to"), || drop(none.max_to(&[1, 3])));
    panics_here(&empty("min_to"), || drop(none.min_to(&[1, 3])));
    let fits = |op: &str| {
        format!(
            "{op}: shape [2, 3] does not reduce to [4]: matched from the last axis, sizes must be equal or 1"
        )
    };
    panics_here(&fits("sum_to"), || drop(x.sum_to(&[4])));
    panics_here(&fits("max_to"), || drop(x.max_to(&[4])));
    panics_here(&fits("min_to"), || drop(x.min_to(&[4])));
    panics_here(&fits("logsumexp_to"), || drop(x.logsumexp_to(&[4])));
}

/// The mean exists even if the sum does not fit `i64`.
#[test]
fn means_of_integers_whose_sum_exceeds_i64_are_right() {
    let max = i64::MAX as f64;
    assert_eq!(Tensor::from([i64::MAX; 3]).mean_all(), max);
    assert_eq!(Tensor::from([i64::MIN; 5]).mean_all(), -max);
    assert_eq!(Tensor::from([i64::MAX, i64::MAX, 0, 0]).mean_all(), max / 2.0);
    assert_eq!(Tensor::from([[i64::MAX, 1], [i64::MAX, 2]]).t().narrow(0, 0, 1).mean_all(), max);
    assert_eq!(Tensor::from([i64::MAX, 1, i64::MIN]).mean_all(), 0.0);
    assert!(Tensor::<i64>::zeros_of(&[0]).mean_all().is_nan());
    // Partial sums do not fit `i64`, but the total does.
    let x = Tensor::from([[i64::MAX, 1], [1, i64::MAX], [-2, i64::MIN]]);
    assert_eq!(x.sum(&[0], false).to_vec(), [i64::MAX - 1, 0]);
    assert_eq!(x.t().sum(&[1], false).to_vec(), [i64::MAX - 1, 0]);
    assert_eq!(x.sum_all(), i64::MAX - 1);
}
