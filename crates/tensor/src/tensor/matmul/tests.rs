use crate::kernels::Philox;
use crate::layout::{Shape, Strides};
use crate::shapes;
use crate::tensor::{Float, Tensor};
use crate::testing::{naive, panics_here};

/// Returns small integers, so that products and sums are exact.
fn numbers(shape: &[usize]) -> Tensor<f64> {
    Tensor::from_fn(shape, |i| ((i * 7919 + shape.len()) % 13) as f64 - 6.0)
}

/// Returns the same numbers in several layouts.
fn layouts(x: &Tensor<f64>) -> Vec<(&'static str, Tensor<f64>)> {
    let mut out = vec![("contiguous", x.clone())];
    let rank = x.rank() as isize;
    if rank >= 2 {
        out.push(("transposed", x.transpose(-1, -2).copied().transpose(-1, -2)));
    }
    if rank >= 3 {
        out.push(("batch last", x.transpose(0, -1).copied().transpose(0, -1)));
    }
    let shape = x.shape();
    // Every second column of a wider tensor, in reverse order.
    let wide: Shape = shape.with(shape.rank() - 1, 2 * shape[shape.rank() - 1] + 1);
    let last = shape.rank() - 1;
    let mut spread = Tensor::<f64>::zeros_of(&wide);
    let (own, row) = (x.to_vec(), shape[last].max(1));
    for (i, &number) in own.iter().enumerate() {
        spread.make_mut()[i / row * wide[last] + wide[last] - 1 - 2 * (i % row)] = number;
    }
    let mut steps = Strides::row_major(&wide);
    steps[last] = -2;
    if x.numel() > 0 {
        // SAFETY: the view starts at column `wide[last] - 1` and goes two columns to the left per index, so
        // its columns lie within `spread`.
        out.push(("backwards", unsafe { spread.view(shape, steps, wide[last] as isize - 1) }));
    }
    out
}

fn check(a: &Tensor<f64>, b: &Tensor<f64>, ta: bool, tb: bool) {
    let shape = shapes::matmul(&a.shape(), &b.shape(), ta, tb).unwrap();
    // Convert the operands to matrices with batch axes.
    let x = if a.rank() == 1 {
        a.unsqueeze(0)
    } else if ta {
        a.transpose(-1, -2)
    } else {
        a.clone()
    };
    let y = if b.rank() == 1 {
        b.unsqueeze(1)
    } else if tb {
        b.transpose(-1, -2)
    } else {
        b.clone()
    };
    let k = x.size(-1);
    let read = |x: &Tensor<f64>, batch: &[usize], i: usize, j: usize| {
        let own = x.shape();
        let lead = batch.len() - (own.rank() - 2);
        let mut index: Vec<usize> =
            batch[lead..].iter().zip(own.iter()).map(|(&i, &n)| i.min(n - 1)).collect();
        index.extend([i, j]);
        x.at(&index)
    };
    let wanted = naive(&shape, |index| {
        let (mut rest, mut i, mut j) = (index, 0, 0);
        if b.rank() > 1 {
            (j, rest) = (rest[rest.len() - 1], &rest[..rest.len() - 1]);
        }
        if a.rank() > 1 {
            (i, rest) = (rest[rest.len() - 1], &rest[..rest.len() - 1]);
        }
        (0..k).map(|p| read(&x, rest, i, p) * read(&y, rest, p, j)).sum::<f64>()
    });
    for (layout_a, a) in layouts(a) {
        for (layout_b, b) in layouts(b) {
            let got = a.matmul_t(&b, ta, tb);
            assert_eq!(got.shape(), shape);
            let name = format!("{}{ta} {layout_a} · {}{tb} {layout_b}", a.shape(), b.shape());
            assert_eq!(got.to_vec(), wanted, "{name}");
            let small = a.cast::<f32>().matmul_t(&b.cast::<f32>(), ta, tb);
            assert_eq!(small.cast::<f64>().to_vec(), wanted, "{name} in f32");
        }
    }
}

#[test]
fn products_of_vectors_and_matrices_agree_with_loops() {
    let shapes: [(&[usize], &[usize]); 9] = [
        (&[5], &[5]),
        (&[4, 5], &[5]),
        (&[5], &[5, 3]),
        (&[4, 5], &[5, 3]),
        (&[1, 1], &[1, 1]),
        (&[33, 70], &[70, 41]),
        (&[4, 0], &[0, 3]),
        (&[0, 4], &[4, 3]),
        (&[0], &[0]),
    ];
    for (a, b) in shapes {
        let (x, y) = (numbers(a), numbers(b));
        check(&x, &y, false, false);
        if a.len() == 2 {
            check(&x.transpose(0, 1).copied(), &y, true, false);
        }
        if b.len() == 2 {
            check(&x, &y.transpose(0, 1).copied(), false, true);
        }
        if a.len() == 2 && b.len() == 2 {
            check(&x.transpose(0, 1).copied(), &y.transpose(0, 1).copied(), true, true);
        }
    }
    // The flags have no effect on vectors.
    check(&numbers(&[5]), &numbers(&[5]), true, true);
}

#[test]
fn batches_of_matrices_broadcast() {
    let shapes: [(&[usize], &[usize]); 12] = [
        (&[2, 4, 5], &[2, 5, 3]),
        (&[2, 4, 5], &[5, 3]),
        (&[2, 4, 5], &[1, 5, 3]),
        (&[2, 3, 1, 5], &[5, 3]),
        (&[4, 5], &[2, 5, 3]),
        (&[2, 1, 4, 5], &[3, 5, 2]),
        (&[3, 4, 5], &[2, 1, 5, 2]),
        (&[2, 4, 5], &[5]),
        (&[5], &[3, 5, 2]),
        (&[0, 4, 5], &[5, 2]),
        (&[2, 0, 4, 5], &[1, 5, 2]),
        (&[1, 2, 2], &[2, 2]),
    ];
    for (a, b) in shapes {
        let (x, y) = (numbers(a), numbers(b));
        check(&x, &y, false, false);
        if a.len() > 1 {
            check(&x.transpose(-1, -2).copied(), &y, true, false);
        }
        if b.len() > 1 {
            check(&x, &y.transpose(-1, -2).copied(), false, true);
        }
    }
    // Many small products are distributed to several threads.
    check(&numbers(&[300, 16, 17]), &numbers(&[300, 17, 16]), false, false);
    // Operands that are broadcast views.
    let (x, y) = (numbers(&[4, 5]), numbers(&[5, 3]));
    let one = x.matmul(&y).to_vec();
    let many = x.broadcast_to(&[6, 4, 5]).matmul(&y.broadcast_to(&[6, 5, 3]));
    assert!(many.to_vec().chunks(12).all(|plane| plane == one));
    let row = numbers(&[5]).broadcast_to(&[4, 5]);
    assert_eq!(row.matmul(&y).to_vec(), row.copied().matmul(&y).to_vec());
}

#[test]
fn products_have_the_shapes_of_numpy() {
    let shape = |a: &[usize], b: &[usize]| shapes::matmul(a, b, false, false).unwrap();
    assert_eq!(shape(&[3], &[3]), []);
    assert_eq!(shape(&[7, 1, 2, 3], &[5, 3, 4]), [7, 5, 2, 4]);
    assert_eq!(shape(&[3], &[5, 3, 4]), [5, 4]);
    assert_eq!(shape(&[5, 2, 3], &[3]), [5, 2]);
    assert_eq!(shapes::matmul(&[3, 2], &[4, 3], true, true).unwrap(), [2, 4]);
}

#[test]
fn panics_name_the_axes_that_differ() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape);
    let fails = |a: &[usize], b: &[usize], message: &str| {
        assert_eq!(shapes::matmul(a, b, false, false).unwrap_err(), message);
    };
    let message = "matmul: inner dimensions differ: [64, 784] · [800, 10] (784 ≠ 800)";
    panics_here(message, || {
        drop(zeros(&[64, 784]).matmul(&zeros(&[800, 10])));
    });
    fails(
        &[64, 784],
        &[10, 784],
        "matmul: inner dimensions differ: [64, 784] · [10, 784] (784 ≠ 10); did you mean b.t()?",
    );
    fails(
        &[3, 5, 4],
        &[3, 7, 4],
        "matmul: inner dimensions differ: [3, 5, 4] · [3, 7, 4] (4 ≠ 7); did you mean b.transpose(-2, -1)?",
    );
    fails(
        &[4, 5],
        &[4],
        "matmul: inner dimensions differ: [4, 5] · [4] (5 ≠ 4); did you mean a.t()?",
    );
    fails(
        &[2, 3],
        &[5, 2],
        "matmul: inner dimensions differ: [2, 3] · [5, 2] (3 ≠ 5); did you mean the product in the other order?",
    );
    let message =
        "matmul: inner dimensions differ: [2, 3]ᵀ · [3, 4] (2 ≠ 3); did you mean a not transposed?";
    panics_here(message, || {
        drop(zeros(&[2, 3]).matmul_t(&zeros(&[3, 4]), true, false));
    });
    let message = "matmul: shapes [2] and [5] do not broadcast: axis -1 has 2 and 5; \
                   these are the batch axes of [2, 3, 4] and [5, 4, 6]";
    panics_here(message, || {
        drop(zeros(&[2, 3, 4]).matmul(&zeros(&[5, 4, 6])));
    });
    let message = "matmul: a scalar has no matrix product: [] · [2, 2]; did you mean `*`?";
    panics_here(message, || drop(zeros(&[]).matmul(&zeros(&[2, 2]))));
}

/// The bits are those of a product and a sum. Products that the kernel adds in several steps, batches, and sums
/// that are not contiguous are left to the caller.
#[test]
fn a_product_is_added_to_a_sum() {
    let draw = |shape: &[usize], seed: usize| {
        Tensor::<f64>::from_fn(shape, |i| ((i * 31 + seed) as f64 * 0.7).sin())
    };
    for [m, n, k] in [[1, 1, 1], [3, 5, 2], [40, 130, 64], [7, 9, 256], [128, 4, 30], [2, 3, 0]] {
        for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
            let a = if ta { draw(&[k, m], 1) } else { draw(&[m, k], 1) };
            let b = if tb { draw(&[n, k], 2) } else { draw(&[k, n], 2) };
            let before = draw(&[m, n], 3);
            for (_, a) in layouts(&a) {
                let mut sum = before.clone();
                assert!(sum.matmul_add_in_place(&a, &b, ta, tb));
                let expected = &before + &a.matmul_t(&b, ta, tb);
                assert_eq!(sum, expected, "{m}×{n}×{k}, {ta}, {tb}");
            }
            assert_eq!(before, draw(&[m, n], 3), "another handle keeps its numbers");
        }
    }
    let mut sum = draw(&[3, 4], 0);
    assert!(!sum.matmul_add_in_place(&draw(&[3, 300], 1), &draw(&[300, 4], 2), false, false));
    let mut by_columns = draw(&[4, 3], 0).t();
    assert!(!by_columns.matmul_add_in_place(&draw(&[3, 2], 1), &draw(&[2, 4], 2), false, false));
    assert_eq!((sum, by_columns.t()), (draw(&[3, 4], 0), draw(&[4, 3], 0)));
    let mut batch = draw(&[2, 3, 4], 0);
    assert!(!batch.matmul_add_in_place(&draw(&[2, 3, 2], 1), &draw(&[2, 4], 2), false, false));
}

/// Small products of a batch have a loop of their own. Each product has the bits that it has alone, and the values of plain
/// loops, for every layout of the operands.
#[test]
fn a_small_product_has_the_same_bits_in_a_batch_and_alone() {
    fn agree<T: Float>([m, k, n]: [usize; 3], draw: &mut impl FnMut(&[usize]) -> Tensor<T>) {
        let lefts = [
            draw(&[5, m, k]),
            draw(&[5, k, m]).transpose(1, 2),
            draw(&[m, k, 5]).permute(&[2, 0, 1]),
            draw(&[1, m, k]).broadcast_to([5, m, k]),
            draw(&[9, m, 2 * k]).slice(0, None, None, -2).slice(2, 1, None, 2),
        ];
        let rights = [
            draw(&[5, k, n]),
            draw(&[5, n, k]).transpose(1, 2),
            draw(&[5, k, n + 3]).narrow(2, 2, n),
            draw(&[5, 1, n]).broadcast_to([5, k, n]),
        ];
        for (i, a) in lefts.iter().enumerate() {
            for (j, b) in rights.iter().enumerate() {
                let all = a.matmul(b);
                for at in 0..5 {
                    let name = format!("{m} × {k} × {n}, operands {i} and {j}, product {at}");
                    let (a, b) = (a.select(0, at), b.select(0, at));
                    assert_eq!(all.select(0, at).to_vec(), a.matmul(&b).to_vec(), "{name}");
                }
            }
        }
    }
    let mut rng = Philox::new(2);
    for n in [1, 2, 3, 4, 5, 6, 8, 16] {
        for (m, k) in [
            (1, 1),
            (1, 5),
            (2, 2),
            (3, 3),
            (4, 4),
            (5, 7),
            (8, 8),
            (7, 16),
            (16, 16),
            (17, 4),
            (4, 17),
        ] {
            agree([m, k, n], &mut |shape| Tensor::<f32>::normal_of(shape, 0.0, 1.0, &mut rng));
            agree([m, k, n], &mut |shape| Tensor::<f64>::normal_of(shape, 0.0, 1.0, &mut rng));
        }
    }
}
