use super::*;
use crate::testing::{layouts, naive, panics_here};
use crate::{Philox, ScatterReduce};

/// Returns an index tensor with numbers below `size` that is not contiguous.
fn some_indices(shape: &[usize], size: usize) -> Tensor<i64> {
    let mut wide = shape.to_vec();
    wide.push(2);
    let all = Tensor::from_fn(&wide, |i| (i * 7 + i / 5) as i64 % size.max(1) as i64);
    all.narrow(-1, 1, 1).squeeze(-1)
}

fn with(index: &[usize], axis: usize, i: usize) -> Vec<usize> {
    let mut index = index.to_vec();
    index[axis] = i;
    index
}

#[test]
fn index_select_and_its_adjoint_agree_with_loops() {
    for (name, x) in layouts() {
        for axis in 0..x.rank() {
            let size = x.shape()[axis];
            let index = some_indices(&[if size == 0 { 0 } else { 7 }], size);
            let shape = x.shape().with(axis, index.numel());
            let expected =
                naive(&shape, |at| x.at(&with(at, axis, index.at(&[at[axis]]) as usize)));
            let y = x.index_select(axis as isize, &index);
            assert_eq!((y.shape(), y.to_vec()), (shape, expected), "{name}");

            let index = some_indices(&[size], 4);
            let mut expected = Tensor::<f64>::zeros_of(&x.shape().with(axis, 4));
            let places =
                naive(&x.shape(), |at| (with(at, axis, index.at(&[at[axis]]) as usize), x.at(at)));
            let strides = expected.strides();
            for (at, value) in places {
                let flat: isize =
                    at.iter().zip(strides.iter()).map(|(&i, &s)| i as isize * s).sum();
                expected.make_mut()[flat as usize] += value;
            }
            assert_eq!(x.index_add_zeros(axis as isize, &index, 4), expected, "{name}");
        }
    }
}

/// Rows of all widths around the vectors, from sources that repeat, skip and reorder them.
#[test]
fn sums_of_rows_at_an_index_with_several_axes_agree_with_loops() {
    for width in [1, 7, 8, 9, 16, 33, 70] {
        let random =
            |shape: &[usize]| Tensor::<f64>::uniform_of(shape, -1.0, 1.0, &mut Philox::new(1));
        let sources = [
            random(&[2, 5, 3, width]),
            random(&[2, 5, 1, width]).broadcast_to(&[2, 5, 3, width]),
            random(&[2, 1, 1, 1]).broadcast_to(&[2, 5, 3, width]),
            random(&[3, 5, 2, width]).transpose(0, 2),
            random(&[2, 5, 3, 2 * width]).slice(-1, None, None, 2),
            random(&[2, 5, 6, width]).slice(2, None, None, -2),
            random(&[2, 5, 3, width + 1]).narrow(-1, 1, width),
        ];
        for (number, source) in sources.iter().enumerate() {
            for (axis, len) in [(1, 4), (0, 40), (2, 1)] {
                let index_shape = &source.shape()[axis..][..if axis == 2 { 1 } else { 2 }];
                let index = some_indices(index_shape, len.min(11));
                let k = index_shape.len();
                let shape: Vec<usize> =
                    [&source.shape()[..axis], &[len], &source.shape()[axis + k..]].concat();
                let mut expected = Tensor::<f64>::zeros_of(&shape[..]);
                let strides = expected.strides();
                for (at, x) in naive(&source.shape(), |at| (at.to_vec(), source.at(at))) {
                    let row = index.at(&at[axis..axis + k]) as usize;
                    let place = [&at[..axis], &[row], &at[axis + k..]].concat();
                    let flat: usize =
                        place.iter().zip(strides.iter()).map(|(i, &s)| i * s as usize).sum();
                    expected.make_mut()[flat] += x;
                }
                let name = format!("width {width}, source {number}, axis {axis}");
                assert_eq!(source.index_add_zeros(axis as isize, &index, len), expected, "{name}");
                let added = Tensor::zeros_of(&shape[..]).index_add(axis as isize, &index, source);
                assert_eq!(added, expected, "{name}");
                let selected = expected.index_select(axis as isize, &index);
                assert_eq!(selected.shape(), source.shape(), "{name}");
                for (at, x) in naive(&source.shape(), |at| (at.to_vec(), selected.at(at))) {
                    let row = index.at(&at[axis..axis + k]) as usize;
                    assert_eq!(
                        x,
                        expected.at(&[&at[..axis], &[row], &at[axis + k..]].concat()),
                        "{name}"
                    );
                }
            }
        }
    }
}

#[test]
fn sums_of_long_rows_keep_signs_of_zero_and_find_wrapped_totals() {
    let x = Tensor::full_of(&[3, 9], -0.0f32);
    let sums = x.index_add_zeros(0, &Tensor::from([0, 2, 2]), 4);
    assert!(sums.to_vec().iter().all(|x| x.to_bits() == 0));
    // The total fits, but not the sum of the first two rows.
    let x = Tensor::from_fn(&[3, 9], |i| [i64::MAX, 1, -1][i / 9]);
    let sums = x.index_add_zeros(0, &Tensor::from([1, 1, 1]), 2);
    assert_eq!(sums.to_vec(), [[0; 9], [i64::MAX; 9]].concat());
    panics_here("index_add: a sum does not fit i64: cast to a wider type first", || {
        drop(x.index_add_zeros(0, &Tensor::from([1, 1, 0]), 2));
    });
}

#[test]
fn gather_and_its_adjoint_agree_with_loops() {
    for (name, x) in layouts() {
        for axis in 0..x.rank() {
            for shorter in [0, 1] {
                let shape: Shape = (x.shape().iter().enumerate())
                    .map(|(d, &n)| {
                        if d == axis {
                            if n == 0 { 0 } else { 6 }
                        } else {
                            n.saturating_sub(shorter)
                        }
                    })
                    .collect();
                let index = some_indices(&shape, x.shape()[axis]);
                let expected = naive(&shape, |at| x.at(&with(at, axis, index.at(at) as usize)));
                let y = x.gather(axis as isize, &index);
                assert_eq!((y.shape(), y.to_vec()), (shape, expected), "{name}");

                let source = Tensor::<f64>::from_fn(&x.shape().with(axis, 8), |i| i as f64 * 0.25);
                let mut expected = x.copied();
                let strides = expected.strides();
                for (at, value) in
                    naive(&shape, |at| (with(at, axis, index.at(at) as usize), source.at(at)))
                {
                    let flat: isize =
                        at.iter().zip(strides.iter()).map(|(&i, &s)| i as isize * s).sum();
                    expected.make_mut()[flat as usize] += value;
                }
                assert_eq!(x.scatter_add(axis as isize, &index, &source), expected, "{name}");
                let zeros = Tensor::zeros_of(&x.shape());
                assert_eq!(
                    source.scatter_add_zeros(axis as isize, &index, &x.shape()),
                    zeros.scatter_add(axis as isize, &index, &source),
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn unslice_puts_a_slice_back() {
    for (name, x) in layouts() {
        for axis in 0..x.rank() {
            let size = x.shape()[axis];
            for (start, step, len) in
                [(0, 1, 1), (1, 1, 1), (0, 2, 2), (1, -1, 2), (0, 1, 0), (2, -2, 2)]
            {
                if shapes::slice_steps(&x.shape(), axis as isize, start, step, len).is_err() {
                    continue;
                }
                let kept =
                    |i: usize| (0..len).any(|k| start as isize + k as isize * step == i as isize);
                let expected = naive(&x.shape(), |at| if kept(at[axis]) { x.at(at) } else { 0.0 });
                let axis = axis as isize;
                let back = x.slice_steps(axis, start, step, len).unslice(axis, start, step, size);
                assert_eq!((back.shape(), back.to_vec()), (x.shape(), expected), "{name}");
            }
        }
    }
    assert_eq!(Tensor::<bool>::ones_of(&[2]).unslice(0, 0, 2, 3).to_vec(), [true, false, true]);
    assert_eq!(Tensor::zeros(&[0, 2]).unslice(0, 5, 3, 3).shape(), [3, 2]);
}

#[test]
fn where_agrees_with_loops() {
    for (name, x) in layouts() {
        let mask = Tensor::from_fn(&x.shape(), |i| i % 3 == 0);
        let y = x.flip_all();
        let expected = naive(&x.shape(), |at| if mask.at(at) { x.at(at) } else { y.at(at) });
        assert_eq!(Tensor::where_(&mask, &x, &y).to_vec(), expected, "{name}");
        let expected = naive(&x.shape(), |at| if mask.at(at) { -1.0 } else { x.at(at) });
        assert_eq!(x.masked_fill(&mask, -1.0).to_vec(), expected, "{name}");
        let all = Tensor::scalar_of(true).broadcast_to(&x.shape());
        assert_eq!(Tensor::where_(&all, &x, &y), x, "{name}");
    }
    let mask = Tensor::from([[true], [false]]);
    let rows = Tensor::where_(&mask, &Tensor::from([1u8, 2, 3]), &Tensor::scalar_of(9u8));
    assert_eq!(rows, Tensor::from([[1, 2, 3], [9, 9, 9]]));
    assert_eq!(Tensor::from([1u8, 2]).masked_fill(&mask, 0), Tensor::from([[0, 0], [1, 2]]));
}

#[test]
fn masked_fill_on_several_threads_agrees_with_loops() {
    let (m, n) = (700, 900);
    let x = Tensor::<i64>::from_fn(&[n, m], |i| i as i64).t();
    let mask = Tensor::from_fn(&[n], |i| i % 2 == 0);
    let y = x.masked_fill(&mask, -1);
    let expected =
        naive(&[m, n], |at| if at[1] % 2 == 0 { -1 } else { (at[1] * m + at[0]) as i64 });
    assert_eq!(y.to_vec(), expected);
}

/// The order of the additions to one place does not depend on the number of threads.
#[test]
fn the_bits_of_reads_and_writes_do_not_depend_on_the_number_of_threads() {
    fn results(x: &Tensor<f32>, rows: &Tensor<i64>) -> Vec<Vec<f32>> {
        let (shape, size) = (x.shape(), 700);
        let index = Tensor::from_fn(shape, |i| (i * 31 % 7919 % size) as i64);
        let zeros = Tensor::zeros([size, shape[1]]);
        let few = x.narrow(0, 0, size);
        let mut out = vec![
            x.index_select(0, rows).to_vec(),
            x.t().index_select(1, rows).to_vec(),
            x.gather(0, &index).to_vec(),
            x.t().gather(1, &index.t()).to_vec(),
            zeros.index_add(0, &rows.fmod(size as i64), x).to_vec(),
            few.t().index_add(1, &rows.fmod(size as i64), &x.t()).to_vec(),
            zeros.scatter_add(0, &index, x).to_vec(),
            zeros.t().scatter_add(1, &index.t(), &x.t()).to_vec(),
            zeros.scatter(0, &index, x).to_vec(),
            zeros.t().scatter(1, &index.t(), &x.t()).to_vec(),
        ];
        for how in
            [ScatterReduce::Sum, ScatterReduce::Product, ScatterReduce::Mean, ScatterReduce::Max]
        {
            out.push(few.scatter_reduce(0, &index, x, how, false).to_vec());
        }
        out
    }
    for shape in [[1000, 300], [200_001, 1]] {
        let x = Tensor::from_fn(&shape, |i| (i as f32 * 0.37).sin() + 1.5);
        let rows = Tensor::from_fn([shape[0]], |i| (i * 31 % 977 % shape[0]) as i64);
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let [one, two, five] =
            [1, 2, 5].map(|threads| pool(threads).install(|| results(&x, &rows)));
        assert!(one == two && one == five, "{shape:?}");
        // The transposed operands give the transposed results.
        for pair in [0, 2, 6, 8] {
            let columns =
                Tensor::from_slice(&one[pair], &[one[pair].len() / shape[1], shape[1]]).t();
            assert_eq!(columns.to_vec(), one[pair + 1], "{shape:?}, {pair}");
        }
    }
}

/// What several threads write is what loops write.
#[test]
fn many_writes_agree_with_loops() {
    let (n, size) = (200_000, 997);
    let index = Tensor::from_fn([n], |i| (i * 7919 % 1_000_003 % size) as i64);
    let x = Tensor::from_fn([n], |i| (i % 5) as f64 - 1.0);
    let (mut sums, mut last, mut counts) = (vec![0.0; size], vec![9.0; size], vec![0; size]);
    for (&i, &x) in index.to_vec().iter().zip(&x.to_vec()) {
        (sums[i as usize], last[i as usize]) = (sums[i as usize] + x, x);
        counts[i as usize] += 1;
    }
    let nines = Tensor::full_of([size], 9.0);
    assert_eq!(Tensor::zeros_of([size]).scatter_add(0, &index, &x).to_vec(), sums);
    assert_eq!(Tensor::zeros_of([size]).index_add(0, &index, &x).to_vec(), sums);
    assert_eq!(nines.scatter(0, &index, &x).to_vec(), last);
    let mean = nines.scatter_reduce(0, &index, &x, ScatterReduce::Mean, false).to_vec();
    for i in 0..size {
        assert_eq!(mean[i], sums[i] / f64::from(counts[i].max(1)));
    }
    // An intermediate sum of integers may overflow, a result may not.
    let large = Tensor::from_fn([n], |i| if i % 4 < 2 { i64::MAX } else { -i64::MAX });
    let place = Tensor::zeros_of([n]);
    assert_eq!(Tensor::zeros_of([1]).index_add(0, &place, &large).to_vec(), [0]);
    assert_eq!(Tensor::zeros_of([1]).scatter_add(0, &place, &large).to_vec(), [0]);
}

impl Tensor<f64> {
    fn flip_all(&self) -> Self {
        (0..self.rank()).fold(self.clone(), |x, axis| x.flip(axis as isize))
    }
}

#[test]
fn panics_name_operation_shape_and_caller() {
    let x = Tensor::zeros(&[2, 3]);
    let index = |numbers: &[i64], shape: &[usize]| Tensor::from_slice(numbers, shape);
    panics_here(
        "index_select: index 3 (number 1 of 2) is out of range 0..3 of axis -1 of shape [2, 3]; \
         negative indices are not allowed",
        || drop(x.index_select(-1, &index(&[0, 3], &[2]))),
    );
    panics_here(
        "index_select: index -1 (number 0 of 1) is out of range 0..2 of axis 0 of shape [2, 3]; \
         negative indices are not allowed",
        || drop(x.index_select(0, &index(&[-1], &[1]))),
    );
    panics_here("index_select: axis 2 is out of range for shape [2, 3]: allowed are -2..2", || {
        drop(x.index_select(2, &index(&[0], &[1])));
    });
    panics_here(
        "index_select: the index must have at least one axis, its shape is []: reshape it to [1]",
        || drop(x.index_select(0, &index(&[0], &[]))),
    );
    panics_here(
        "index_add: the index must have at least one axis, its shape is []: reshape it to [1]",
        || drop(x.index_add_zeros(0, &index(&[0], &[]), 3)),
    );
    panics_here(
        "index_add: expected a source with the axes [1, 3] of the index in place of axis 0 of the result, got [2, 3]",
        || drop(x.index_add_zeros(0, &index(&[0, 0, 0], &[1, 3]), 3)),
    );
    panics_here("index_add: expected 2 indices, the size of axis 0 of shape [2, 3], got 1", || {
        drop(x.index_add_zeros(0, &index(&[0], &[1]), 3));
    });
    panics_here(
        "index_add: index 5 (number 1 of 2) is out of range 0..5 of axis 0 of shape [5, 3]; \
         negative indices are not allowed",
        || drop(x.index_add_zeros(0, &index(&[0, 5], &[2]), 5)),
    );
    panics_here("index_add: axis 2 is out of range for shape [2, 3]: allowed are -2..2", || {
        drop(x.index_add_zeros(2, &index(&[0], &[1]), 1));
    });
    panics_here(
        "gather: an index of shape [3, 1] does not fit shape [2, 3]: it must have as many axes, and only axis 1 may be longer",
        || drop(x.gather(1, &index(&[0, 0, 0], &[3, 1]))),
    );
    panics_here(
        "gather: index 7 (number 0 of 1) is out of range 0..3 of axis 1 of shape [2, 3]; \
         negative indices are not allowed",
        || drop(x.gather(1, &index(&[7], &[1, 1]))),
    );
    panics_here("gather: axis 0 is out of range for shape []: a scalar has no axes", || {
        drop(Tensor::scalar(1.0).gather(0, &index(&[0], &[])));
    });
    panics_here(
        "scatter_add: an index of shape [1] does not fit shape [2, 3]: it must have as many axes, and only axis 0 may be longer",
        || drop(x.scatter_add(0, &index(&[0], &[1]), &x)),
    );
    panics_here(
        "scatter_add: an index of shape [4, 1] does not fit the source of shape [2, 3]: it must have as many axes, none of them longer",
        || drop(x.scatter_add(0, &index(&[0; 4], &[4, 1]), &x)),
    );
    panics_here(
        "scatter_add: index -2 (number 0 of 1) is out of range 0..2 of axis 0 of shape [2, 3]; \
         negative indices are not allowed",
        || drop(x.scatter_add(0, &index(&[-2], &[1, 1]), &x)),
    );
    panics_here("scatter_add: axis 4 is out of range for shape [2, 3]: allowed are -2..2", || {
        drop(x.scatter_add_zeros(4, &index(&[0], &[1, 1]), &[2, 3]));
    });
    panics_here(
        "unslice: 3 indices from 0 in steps of 2 must be distinct and lie within axis 1 of size 4 (shape [2, 3])",
        || drop(x.unslice(1, 0, 2, 4)),
    );
    panics_here("unslice: axis 2 is out of range for shape [2, 3]: allowed are -2..2", || {
        drop(x.unslice(2, 0, 1, 4));
    });
    panics_here(
        "masked_fill: shapes [2] and [2, 3] do not broadcast: axis -1 has 2 and 3 \
         (to align with axis 0, reshape to [2, 1])",
        || {
            drop(x.masked_fill(&Tensor::ones_of(&[2]), 0.0));
        },
    );
    panics_here(
        "where_: shapes [2] and [2, 3] do not broadcast: axis -1 has 2 and 3 \
         (to align with axis 0, reshape to [2, 1]); the first shape is that of the condition",
        || {
            drop(Tensor::where_(&Tensor::ones_of(&[2]), &x, &x));
        },
    );
}

/// Returns the total at each position in `i128`.
fn totals<T: Number + Into<i128>>(before: &[T], added: &[(usize, T)]) -> Vec<i128> {
    let mut totals: Vec<i128> = before.iter().map(|&x| x.into()).collect();
    for &(place, x) in added {
        totals[place] += x.into();
    }
    totals
}

/// Checks `index_add`, `scatter_add` and their in-place forms: they give each total, or panic if a total
/// does not fit the type.
fn adds_exactly<T: Number + Into<i128>>(before: &[T], added: &[(usize, T)]) {
    let wanted: Option<Vec<T>> = totals(before, added).into_iter().map(T::exactly).collect();
    let x = Tensor::from(before.to_vec());
    let index = Tensor::from(added.iter().map(|&(place, _)| place as i64).collect::<Vec<_>>());
    let parts = Tensor::from(added.iter().map(|&(_, part)| part).collect::<Vec<T>>());
    // Along the last axis, and with rows of two elements.
    let twice = |x: &Tensor<T>| Tensor::stack(&[x, x], 1);
    let (wide, wide_parts) = (twice(&x), twice(&parts));
    let rows = |index: &Tensor<i64>| Tensor::stack(&[index, index], 1);
    let runs: [(&str, &dyn Fn() -> Tensor<T>); 4] = [
        ("scatter_add", &|| x.scatter_add(0, &index, &parts)),
        ("scatter_add", &|| wide.scatter_add(0, &rows(&index), &wide_parts).narrow(1, 1, 1)),
        ("index_add", &|| {
            let mut x = x.clone();
            x.index_add_in_place(0, &index, &parts);
            x
        }),
        ("index_add", &|| {
            let mut wide = wide.clone();
            wide.index_add_in_place(0, &index, &wide_parts);
            wide.narrow(1, 0, 1)
        }),
    ];
    for (op, run) in runs {
        if let Some(wanted) = &wanted {
            assert_eq!(run().to_vec(), *wanted, "{op} {before:?} {added:?}");
        } else {
            let text = crate::testing::panic_of(|| drop(run())).message;
            let refusal =
                format!("{op}: a sum does not fit {}: cast to a wider type first", T::DTYPE);
            assert_eq!(text, refusal, "{before:?} {added:?}");
        }
    }
}

#[test]
fn sums_of_integers_at_indices_panic_only_if_a_total_overflows() {
    const MAX: i64 = i64::MAX;
    const MIN: i64 = i64::MIN;
    // An intermediate sum does not fit the type, but the total does.
    adds_exactly(&[MAX, 0], &[(0, 1), (0, -1)]);
    adds_exactly(&[MIN, 5], &[(0, -1), (1, 2), (0, 1)]);
    adds_exactly(&[MAX], &[(0, MAX), (0, MAX), (0, -MAX), (0, -MAX)]);
    adds_exactly(&[MIN], &[(0, MIN), (0, MIN), (0, MAX), (0, MAX), (0, 2)]);
    adds_exactly(&[0, -1], &[(1, MIN), (0, MAX), (1, MAX), (0, 1), (0, MIN), (1, 3)]);
    // The total exceeds the range by one, or wraps around completely.
    adds_exactly(&[MAX, 0], &[(0, 1)]);
    adds_exactly(&[MAX, 0], &[(0, 2), (0, -1)]);
    adds_exactly(&[0, MIN], &[(1, 1), (1, -2)]);
    adds_exactly(&[0], &[(0, MIN), (0, MIN)]);
    adds_exactly(&[0], &[(0, MAX), (0, MAX), (0, 2)]);
    // Sums of unsigned types never decrease, so a sum that left the range stays outside.
    adds_exactly(&[250u8, 0], &[(0, 5), (1, 255)]);
    adds_exactly(&[250u8, 0], &[(0, 5), (0, 1)]);
    adds_exactly(&[200u8], &[(0, 200), (0, 200), (0, 168)]);
    adds_exactly(&[u32::MAX - 1], &[(0, 1)]);
    adds_exactly(&[u32::MAX], &[(0, 1), (0, u32::MAX)]);
    // Random numbers.
    let mut state = 1u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let pick = |n: u64| [MAX, MIN, MAX / 2, MIN / 2, 1, -1, 0][(n % 7) as usize];
    for _ in 0..300 {
        let before = [pick(next()), pick(next()), pick(next())];
        let added: Vec<_> = (0..=next() % 8).map(|_| (next() as usize % 3, pick(next()))).collect();
        adds_exactly(&before, &added);
    }
}

/// Each position gets exactly one number, so there are no intermediate sums.
#[test]
fn adding_to_a_slice_of_integers_is_exact() {
    let mut x = Tensor::from([i64::MAX, i64::MIN, 3]);
    x.slice_add_in_place(0, 0, 1, &Tensor::from([i64::MIN, i64::MAX, -3]));
    assert_eq!(x.to_vec(), [-1, -1, 0]);
    panics_here("slice_add: a sum does not fit i64: cast to a wider type first", || {
        x.slice_add_in_place(0, 1, 1, &Tensor::from([i64::MIN]));
    });
}
