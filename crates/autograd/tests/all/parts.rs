//! Parts of a view, each read through a separate view. The cotangent of each part must be added to the
//! elements of the part.

use wengert_autograd::{Policy, Tape, Var};
use wengert_tensor::Tensor;

type OfVar = for<'t> fn(Var<'t, f64>) -> Var<'t, f64>;
type OfTensor = fn(&Tensor<f64>) -> Tensor<f64>;

/// Returns the name of a function, and the function on variables and on tensors.
macro_rules! both {
    (|$x:ident| $body:expr) => {
        (stringify!($body), |$x| $body, |$x| $body)
    };
}
const ROWS: [i64; 3] = [1, 0, 1];

#[test]
fn gradients_of_parts_of_views_are_right() {
    let views: &[(&str, OfVar, OfTensor)] = &[
        both!(|x| x.transpose(0, 1)),
        both!(|x| x.permute(&[2, 0, 1])),
        both!(|x| x.permute(&[2, 0, 1]).permute(&[2, 0, 1])),
        both!(|x| x.unsqueeze(0)),
        both!(|x| x.unsqueeze(2).transpose(0, 3)),
        both!(|x| x.reshape([12, 6])),
        both!(|x| x.reshape([3, 24])),
        both!(|x| x.reshape([3, 2, 2, 6])),
        both!(|x| x.reshape([1, 3, 1, 4, 6])),
        both!(|x| x.reshape([6, 4, 3])), // the axes have other lengths
        both!(|x| x.reshape([3, 1, 4, 6]).squeeze(1).transpose(1, 2)),
        both!(|x| x.slice(0, None, None, -1)),
        both!(|x| x.slice(2, 5, 0, -2)),
        both!(|x| x.narrow(0, 1, 2).narrow(0, 0, 2)),
        both!(|x| x.slice(2, 1, None, 2).slice(2, None, None, -1)),
        both!(|x| x.narrow(1, 1, 3).transpose(0, 1)),
        both!(|x| x.flatten(0, 1)),
        both!(|x| x.flatten(1, 2)),
        both!(|x| x.reshape([3, 4, 2, 3])),
        both!(|x| x.reshape([3, 4, 3, 2]).flatten(0, 1)),
        both!(|x| x.reshape([9, 8])),
        both!(|x| x.broadcast_to([2, 3, 4, 6])),
        both!(|x| x.narrow(0, 1, 1).broadcast_to([5, 4, 6])),
        both!(|x| x.unsqueeze(1).broadcast_to([3, 5, 4, 6])),
        both!(|x| x.narrow(2, 1, 3).flip(1)),
        both!(|x| x.flip(0).slice(1, 3, 0, -1).flatten(0, 1)),
        both!(|x| x.reshape([1, 72]).narrow(1, 6, 60)),
        both!(|x| x.narrow(0, 0, 1).squeeze(0)),
    ];
    let parts: &[(&str, OfVar, OfTensor)] = &[
        both!(|y| y.narrow(0, 0, 1)),
        both!(|y| y.narrow(1, 1, 1)),
        both!(|y| y.narrow(-1, 1, 1)),
        both!(|y| y.slice(-1, None, None, -2)),
        both!(|y| y.slice(0, None, None, 2).slice(0, None, None, -1)),
        both!(|y| y.narrow(1, 0, 0)),
        both!(|y| y.index_select(1, &Tensor::from(ROWS))),
        both!(|y| y.index_select(-1, &Tensor::from(ROWS))),
        both!(|y| y.narrow(-1, 1, 1)),
        both!(|y| y.narrow(-1, 0, 2)),
        both!(|y| y.narrow(0, 1, 1).narrow(1, 0, 2)),
        both!(|y| y.slice(1, None, None, 2).index_select(1, &Tensor::from([0i64]))),
    ];
    let sizes = [3, 4, 6];
    let mut cases = 0;
    for (view_name, view, view_of) in views {
        // The position in x of each element of the view.
        let places = view_of(&Tensor::from_fn(&sizes, |i| i as f64));
        for (part_name, part, part_of) in parts {
            if places.shape()[0] == 1 && part_name.contains("narrow(0, 1, 1)") {
                continue;
            }
            let places = part_of(&places);
            // Three readers multiply the weights by 1, 2 and 3.
            let weights = Tensor::from_fn(&places.shape(), |i| 1.0 + (i * 7 % 5) as f64);
            let mut wanted = vec![0.5; 72];
            for (place, w) in places.to_vec().into_iter().zip(weights.to_vec()) {
                wanted[place as usize] += w + 2.0 * w + 3.0 * w;
            }
            for policy in [Policy::Eager, Policy::Fused] {
                let tape = Tape::new().with_policy(policy);
                let x = tape.watch(Tensor::ones_of(&sizes));
                let w = tape.constant(weights.clone());
                let mut loss = x.sum_all() * 0.5;
                for scale in [1.0, 2.0, 3.0] {
                    loss = loss + (part(view(x)) * w * scale).sum_all();
                }
                let name = format!("{view_name}, {part_name}, {policy:?}");
                assert_eq!(loss.grad(&[x])[0].value().to_vec(), wanted, "{name}");
                // The gradient is also computed with respect to the view. All paths to x pass the view.
                let y = view(x);
                let through = (part(y) * w * 6.0).sum_all() + (y * 0.0).sum_all();
                let by = through.grad(&[y, x]);
                let of_view = by[0].value();
                assert_eq!(of_view.sum_all(), 6.0 * weights.sum_all(), "{name}");
                let of_x: Vec<f64> = wanted.iter().map(|w| w - 0.5).collect();
                assert_eq!(by[1].value().to_vec(), of_x, "{name}");
                assert_eq!(loss.backward().wrt(x).unwrap().to_vec(), wanted, "{name}");
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 666);
}

/// Parts of a slice along its own axis and along another axis.
#[test]
fn gradients_of_parts_of_one_slice_along_two_axes_are_right() {
    for policy in [Policy::Eager, Policy::Fused] {
        let tape = Tape::<f64>::new().with_policy(policy);
        let x = tape.watch(Tensor::ones_of(&[4, 3]));
        let y = x.narrow(0, 2, 2);
        // Row 2 has the weight 1, and column 1 of rows 2 and 3 has the additional weight 10.
        let loss = 10.0 * y.narrow(1, 1, 1).sum_all() + y.narrow(0, 0, 1).sum_all();
        let wanted = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 11.0, 1.0, 0.0, 10.0, 0.0];
        assert_eq!(loss.grad(&[x])[0].value().to_vec(), wanted);
        assert_eq!(loss.backward().wrt(x).unwrap().to_vec(), wanted);
    }
}

/// Slices that are large enough to be kept until all are there: in all orders, with gaps and common elements, and
/// with other contributions between them.
#[test]
fn gradients_of_large_slices_are_sums_over_the_slices() {
    // What is read, from the first to the last: the axis, the start and the length of a slice, or the whole.
    type Read = (usize, usize, usize);
    const WHOLE: Read = (0, 0, 40);
    let reads: [&[Read]; 12] = [
        &[(1, 0, 5), (1, 5, 5), (1, 10, 5), (1, 15, 5)],
        &[(1, 15, 5), (1, 0, 5), (1, 10, 5), (1, 5, 5)],
        &[(1, 12, 3), (1, 2, 4)],
        &[(1, 17, 3), (1, 0, 2)],
        &[(1, 3, 6), (1, 8, 5), (1, 0, 4)],
        &[(1, 3, 6), (1, 3, 6)],
        &[(1, 3, 6), (1, 4, 2)],
        &[(1, 0, 5), WHOLE, (1, 5, 5)],
        &[WHOLE, (1, 0, 5), (1, 5, 5)],
        &[(1, 0, 5), (1, 7, 5), WHOLE],
        &[(0, 0, 39), (1, 0, 5), (1, 5, 5), (0, 20, 20)],
        &[(1, 4, 6), (1, 10, 0), (1, 10, 3)],
    ];
    let shape = [40, 20];
    let x = Tensor::from_fn(shape, |i| i as f64 / 100.0 - 3.0);
    for reads in reads {
        let tape = Tape::new();
        let watched = tape.watch(x.clone());
        let (numbers, mut expected) = (x.to_vec(), vec![0.0; 800]);
        let mut loss = tape.constant(Tensor::from(0.0));
        for (number, &read) in reads.iter().enumerate() {
            let factor = number as f64 + 2.0;
            let (axis, start, len) = read;
            let part =
                if read == WHOLE { watched } else { watched.narrow(axis as isize, start, len) };
            loss = loss + (factor * part * part).sum_all();
            for (i, sum) in expected.iter_mut().enumerate() {
                let at = [i / 20, i % 20][axis];
                if (start..start + len).contains(&at) {
                    *sum += 2.0 * factor * numbers[i];
                }
            }
        }
        let got = loss.backward().wrt(watched).unwrap().to_vec();
        for (i, (got, expected)) in got.iter().zip(&expected).enumerate() {
            assert!(
                (got - expected).abs() < 1e-12,
                "{reads:?}, element {i}: {got}, not {expected}"
            );
        }
    }
}
