//! Masks: operations on booleans, compared with plain loops.

use crate::common::panics;
use std::f64::consts::PI;
use wengert_autograd::{Index, IntoMask, Mask, Policy, Tape, Var};
use wengert_tensor::{Dtype, Float, Philox, Tensor};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;
const POLICIES: [Policy; 2] = [Policy::Eager, Policy::Fused];

/// Returns every pair of these numbers, as two columns.
fn pairs() -> (Vec<f64>, Vec<f64>) {
    let of = [NAN, -INF, -1.0, -0.0, 0.0, 0.5, INF];
    of.iter().flat_map(|&a| of.iter().map(move |&b| (a, b))).unzip()
}

type Comparison = for<'t> fn(Var<'t>, Var<'t>) -> Mask<'t>;
type WithNumber = for<'t> fn(Var<'t>, f64) -> Mask<'t>;
type OfWholes = for<'t> fn(Index<'t>, Index<'t>) -> Mask<'t>;
type Meaning<X> = fn(X, X) -> bool;
type Row<F, M> = (&'static str, F, M);

#[test]
fn comparisons_agree_with_those_of_plain_numbers() {
    let rows: [Row<(Comparison, WithNumber), Meaning<f32>>; 6] = [
        ("gt", (|a, b| a.gt(b), |a, c| a.gt(c)), |a, b| a > b),
        ("ge", (|a, b| a.ge(b), |a, c| a.ge(c)), |a, b| a >= b),
        ("lt", (|a, b| a.lt(b), |a, c| a.lt(c)), |a, b| a < b),
        ("le", (|a, b| a.le(b), |a, c| a.le(c)), |a, b| a <= b),
        ("eq", (|a, b| a.eq(b), |a, c| a.eq(c)), |a, b| a == b),
        ("ne", (|a, b| a.ne(b), |a, c| a.ne(c)), |a, b| a != b),
    ];
    let (a, b) = pairs();
    // Few elements are computed at once, many stay pending.
    for copies in [1, 3] {
        for policy in POLICIES {
            let tape = Tape::<f32>::new().with_policy(policy);
            let column = |x: &[f64]| {
                let x: Vec<f32> = x.iter().map(|&x| x as f32).collect();
                tape.watch(Tensor::from(x).broadcast_to((copies, a.len())))
            };
            let (x, y) = (column(&a), column(&b));
            for (name, (compare, with_number), meaning) in rows {
                let wanted: Vec<bool> = (0..copies * a.len())
                    .map(|i| meaning(a[i % a.len()] as f32, b[i % b.len()] as f32))
                    .collect();
                assert_eq!(compare(x, y).value().to_vec(), wanted, "{name}");
                for &c in &b[..7] {
                    let wanted: Vec<bool> = (0..copies * a.len())
                        .map(|i| meaning(a[i % a.len()] as f32, c as f32))
                        .collect();
                    assert_eq!(with_number(x, c).value().to_vec(), wanted, "{name} {c}");
                }
            }
        }
    }
}

/// Checks the rule that the documentation states: comparisons with NaN are false, except `ne`.
#[test]
fn every_comparison_with_nan_except_ne_is_false() {
    let tape = Tape::new();
    let x = tape.watch(Tensor::from([f32::NAN]));
    let found = [x.gt(x), x.ge(x), x.lt(x), x.le(x), x.eq(x), x.ne(x)].map(Mask::item);
    assert_eq!(found, [false, false, false, false, false, true]);
    let found = [x.gt(0), x.ge(0), x.lt(0), x.le(0), x.eq(0), x.ne(0)].map(Mask::item);
    assert_eq!(found, [false, false, false, false, false, true]);
    // A NaN therefore selects the second value, and the negation of `gt` is not `le`.
    assert_eq!(Var::where_(x.gt(0), 1, 2).item(), 2.0);
    assert_eq!(Var::where_(!x.gt(0), 1, 2).item(), 1.0);
}

#[test]
fn logical_operations_have_their_truth_tables() {
    let (a, b) = ([false, false, true, true], [false, true, false, true]);
    let and = [false, false, false, true];
    let or = [false, true, true, true];
    let xor = [false, true, true, false];
    let not = [true, true, false, false];
    for policy in POLICIES {
        for copies in [1, 5] {
            let tape = Tape::<f64>::new().with_policy(policy);
            let given = |x: [bool; 4]| Tensor::from(x).broadcast_to((copies, 4));
            let (x, y) = (tape.mask(given(a)), tape.mask(given(b)));
            // The same masks as comparisons, which stay pending.
            let number = |x: [bool; 4]| tape.watch(given(x).cast::<f64>());
            let (u, v) = (number(a).gt(0.5), number(b).gt(0.5));
            for (x, y) in [(x, y), (u, v), (x, v), (u, y)] {
                for found in [x & y, x.and(y), x & given(b), x.and(&given(b)), !(!x | !y)] {
                    assert_eq!(found.value(), given(and));
                }
                for found in [x | y, x.or(y), x | given(b), x.or(&given(b)), !(!x & !y)] {
                    assert_eq!(found.value(), given(or));
                }
                for found in [x ^ y, x.xor(y), x ^ given(b), x.xor(&given(b)), (x | y) & !(x & y)] {
                    assert_eq!(found.value(), given(xor));
                }
                for found in [!x, x.not(), x ^ Tensor::from([true]), x.xor(x | !x)] {
                    assert_eq!(found.value(), given(not));
                }
                // Masks are cast to the numbers 1 and 0.
                let wanted: Vec<f64> =
                    given(xor).to_vec().iter().map(|&x| f64::from(u8::from(x))).collect();
                assert_eq!((x ^ y).cast().value().to_vec(), wanted);
            }
        }
    }
}

#[test]
fn logical_operations_broadcast_masks() {
    for policy in POLICIES {
        let tape = Tape::<f32>::new().with_policy(policy);
        let row = Tensor::from([true, false, true, true, false]);
        let column = Tensor::from([[true], [false], [true]]);
        let (r, c) = (tape.mask(row.clone()), tape.mask(column.clone()));
        let x = Tensor::from_fn(&[2, 3, 5], |i| i as f32);
        let v = tape.watch(x.clone());
        for (name, mask, holds) in [
            ("and", r & c, (|r, c| r && c) as fn(bool, bool) -> bool),
            ("or", c | r, |r, c| r || c),
            ("xor", r ^ c, |r, c| r != c),
        ] {
            assert_eq!(mask.shape(), [3, 5], "{name}");
            let (by, filled) = (mask.value(), v.masked_fill(mask, -1).value());
            let chosen = Var::where_(mask, v, 0).value();
            for (i, j) in (0..3).flat_map(|i| (0..5).map(move |j| (i, j))) {
                let wanted = holds(row.at(&[j]), column.at(&[i, 0]));
                assert_eq!(by.at(&[i, j]), wanted, "{name} {i} {j}");
                for n in 0..2 {
                    let x = x.at(&[n, i, j]);
                    assert_eq!(filled.at(&[n, i, j]), if wanted { -1.0 } else { x });
                    assert_eq!(chosen.at(&[n, i, j]), if wanted { x } else { 0.0 });
                }
            }
        }
        // The condition may have the largest shape, and the selected values may be numbers.
        assert_eq!(Var::where_(r & c, 1, tape.zeros(())).value().to_vec().iter().sum::<f32>(), 6.0);
        assert_eq!(Var::where_(r, 2, 3).value().to_vec(), [2.0, 3.0, 2.0, 2.0, 3.0]);
        assert_eq!(tape.zeros(()).masked_fill(r, 1).shape(), [5]);
    }
}

/// `any` and `all` over every choice of axes, without elements, and with very many elements.
#[test]
fn any_and_all_agree_with_plain_loops() {
    let x = Tensor::from_fn(&[2, 3, 4], |i| i % 5 == 0 || i % 7 == 3);
    for policy in POLICIES {
        let tape = Tape::<f32>::new().with_policy(policy);
        for which in [x.clone(), x.not(), x.or(&x.not()), x.and(&x.not())] {
            let m = tape.mask(which.clone());
            for axes in [&[][..], &[0], &[1], &[2], &[0, 1], &[0, 2], &[-1, 1], &[0, 1, 2]] {
                for keepdim in [false, true] {
                    let at = |axis: usize| {
                        axes.is_empty()
                            || axes.iter().any(|&a: &isize| a.rem_euclid(3) as usize == axis)
                    };
                    let kept: Vec<usize> =
                        (0..3).map(|i| if at(i) { 1 } else { [2, 3, 4][i] }).collect();
                    let (mut any, mut all) =
                        (vec![false; kept.iter().product()], vec![true; kept.iter().product()]);
                    for (i, j, k) in (0..24).map(|i| (i / 12, i / 4 % 3, i % 4)) {
                        let to = (i % kept[0] * kept[1] + j % kept[1]) * kept[2] + k % kept[2];
                        any[to] |= which.at(&[i, j, k]);
                        all[to] &= which.at(&[i, j, k]);
                    }
                    let shape: Vec<usize> = if keepdim {
                        kept.clone()
                    } else {
                        (0..3).filter(|&i| !at(i)).map(|i| kept[i]).collect()
                    };
                    let (found_any, found_all) = (m.any(axes, keepdim), m.all(axes, keepdim));
                    assert_eq!(
                        (&*found_any.shape(), &*found_all.shape()),
                        (&shape[..], &shape[..])
                    );
                    assert_eq!(found_any.value().to_vec(), any, "any {axes:?}");
                    assert_eq!(found_all.value().to_vec(), all, "all {axes:?}");
                }
            }
            let count = which.to_vec().iter().filter(|&&x| x).count();
            assert_eq!((m.count(), m.is_any(), m.is_all()), (count, count > 0, count == 24));
            assert_eq!(m.cast().sum_all().item(), count as f64);
        }
        let nothing = tape.mask(Tensor::from_fn(&[3, 0], |_| true));
        assert_eq!(nothing.any(&[1], false).value().to_vec(), [false; 3]);
        assert_eq!(nothing.all(&[1], false).value().to_vec(), [true; 3]);
        assert_eq!((nothing.count(), nothing.is_any(), nothing.is_all()), (0, false, true));
        // There are more elements than f32 can count exactly: a count in f32 would be rounded.
        let long = Tensor::from_fn(&[1], |_| true).broadcast_to(&[(1 << 24) + 3]);
        assert!(tape.mask(long).all(&[], false).item());
    }
}

#[test]
fn views_of_masks_agree_with_views_of_tensors() {
    let x = Tensor::from_fn(&[2, 3, 4], |i| i % 3 == 0 || i % 7 == 3);
    let index = Tensor::from([2i64, 0, 2]);
    let places = Tensor::from_fn(&[2, 3, 2], |i| (i * 5 % 4) as i64);
    for policy in POLICIES {
        let tape = Tape::<f32>::new().with_policy(policy);
        for m in [tape.mask(x.clone()), tape.watch(x.cast()).gt(0.5)] {
            for (name, wanted, got) in [
                ("reshape", x.reshape((6, -1)), m.reshape((6, -1))),
                ("flatten", x.flatten(1, -1), m.flatten(1, -1)),
                ("permute", x.permute(&[2, 0, 1]), m.permute(&[2, 0, 1])),
                ("transpose", x.transpose(0, -1), m.transpose(0, -1)),
                ("t", x.t(), m.t()),
                ("unsqueeze", x.unsqueeze(-1), m.unsqueeze(-1)),
                ("squeeze", x.narrow(1, 2, 1).squeeze(1), m.narrow(1, 2, 1).squeeze(1)),
                ("slice", x.slice(2, -1, None, -2), m.slice(2, -1, None, -2)),
                ("flip", x.flip(1), m.flip(1)),
                ("broadcast_to", x.broadcast_to((5, 2, 3, 4)), m.broadcast_to((5, 2, 3, 4))),
                ("concat", Tensor::concat(&[&x, &x.not()], 1), Mask::concat(&[m, !m], 1)),
                ("stack", Tensor::stack(&[&x, &x.not()], -1), Mask::stack(&[m, !m], -1)),
                ("index_select", x.index_select(1, &index), m.index_select(1, &index)),
                ("gather", x.gather(2, &places), m.gather(2, &places)),
            ] {
                assert_eq!(got.shape(), wanted.shape(), "{name}");
                assert_eq!(got.value(), wanted, "{name}");
            }
            assert_eq!((m.rank(), m.size(-1), m.numel(), m.dtype()), (3, 4, 24, Dtype::Bool));
        }
    }
}

/// Attention with a causal mask and padding.
#[test]
fn masked_positions_have_no_attention_weight() {
    let (batch, length) = (2, 5);
    let tokens = Tensor::from([[7i64, 3, 9, 0, 0], [4, 4, 4, 4, 0]]);
    let mut rng = Philox::new(1);
    let scores = Tensor::<f64>::normal_of(&[batch, length, length], 0.0, 1.0, &mut rng);
    for policy in POLICIES {
        let tape = Tape::<f64>::new().with_policy(policy);
        let s = tape.watch(scores.clone());
        let place = tape.constant(Tensor::arange_of(0.0, length as f64, 1.0));
        let causal = place.unsqueeze(1).ge(place);
        let there = tape.index(tokens.clone()).ne(0).unsqueeze(1);
        let weights = s.masked_fill(!(causal & there), f64::NEG_INFINITY).softmax(-1);
        let slopes = (weights * s).sum_all().grad(&[s])[0].value();
        let weights = weights.value();
        for (n, i) in (0..batch).flat_map(|n| (0..length).map(move |i| (n, i))) {
            let seen = |j: usize| j <= i && tokens.at(&[n, j]) != 0;
            let e = |j: usize| if seen(j) { scores.at(&[n, i, j]).exp() } else { 0.0 };
            let total: f64 = (0..length).map(e).sum();
            for j in 0..length {
                let got = weights.at(&[n, i, j]);
                assert!((got - e(j) / total).abs() < 1e-14, "{n} {i} {j}: {got}");
                assert_eq!(slopes.at(&[n, i, j]) == 0.0, !seen(j), "{n} {i} {j}");
            }
        }
    }
}

/// Integers are compared exactly, also those that floats cannot represent.
#[test]
fn indices_are_compared_exactly() {
    let large = (1i64 << 53) + 1;
    let a = [-2i64, 0, 3, large, large - 1, i64::MAX, i64::MIN];
    let rows: [Row<OfWholes, Meaning<i64>>; 6] = [
        ("gt", |a, b| a.gt(b), |a, b| a > b),
        ("ge", |a, b| a.ge(b), |a, b| a >= b),
        ("lt", |a, b| a.lt(b), |a, b| a < b),
        ("le", |a, b| a.le(b), |a, b| a <= b),
        ("eq", |a, b| a.eq(b), |a, b| a == b),
        ("ne", |a, b| a.ne(b), |a, b| a != b),
    ];
    for policy in POLICIES {
        let tape = Tape::<f32>::new().with_policy(policy);
        let index = tape.index(Tensor::from(a));
        for (name, compare, meaning) in rows {
            let found = compare(index.unsqueeze(-1), index);
            assert_eq!(found.shape(), [7, 7]);
            let wanted = Tensor::from_fn(&[7, 7], |i| meaning(a[i / 7], a[i % 7]));
            assert_eq!(found.value(), wanted, "{name}");
        }
        assert_eq!(index.eq(large).count(), 1);
        assert_eq!(index.eq(3).value().to_vec(), [false, false, true, false, false, false, false]);
        assert_eq!(index.ge(3usize).count(), 4);
        assert_eq!(index.lt(3u8).count(), 3);
        assert_eq!(index.le(3u32).count(), 4);
        assert_eq!(index.ne(&Tensor::from(a)).count(), 0);
        assert_eq!(index.ne(Tensor::from([[0i64], [1]])).shape(), [2, 7]);
        let x = tape.watch(Tensor::from([[1.0, 5.0, 2.0], [0.0, 1.0, 9.0]]));
        let right = x.argmax(1, false).eq(&Tensor::from([1i64, 0]));
        assert_eq!(right.value().to_vec(), [true, false]);
        assert_eq!(right.cast().mean_all().item(), 0.5);
    }
}

/// A long chain of logic. A fused tape computes many of its operations in one pass.
fn tangle<'t, T: Float>(x: Var<'t, T>, y: Var<'t, T>) -> Var<'t, T> {
    let a = x.gt(y) & x.lt(1) | y.ge(0.25) ^ x.ne(y);
    let b = !a & y.le(x * 0.5) | x.eq(y);
    let c = a.any(&[0], true) & b.not().all(&[1], true).or(a ^ b);
    let z = Var::where_(a & !b, x.square() * y, (x * y).tanh());
    let z = Var::where_(c, z, z.exp()).masked_fill(b, x - y) * 0.5;
    z + (a | b).cast() * x
}

#[test]
fn fused_equals_eager_bit_for_bit() {
    fn run<T: Float>() {
        for shape in [[2, 3], [5, 8], [40, 33]] {
            let mut rng = Philox::new(3);
            let mut draw = || {
                // The elements are multiples of ¼, so that some are equal.
                let x = Tensor::<T>::uniform_of(&shape, -2.0, 2.0, &mut rng);
                Tensor::from_fn(&shape, |i| {
                    T::of((x.at(&[i / shape[1], i % shape[1]]).to() * 4.0).round() / 4.0)
                })
            };
            let (x, y) = (draw(), draw());
            let found = POLICIES.map(|policy| {
                let tape = Tape::<T>::new().with_policy(policy);
                let (x, y) = (tape.watch(x.clone()), tape.watch(y.clone()));
                let z = tangle(x, y);
                let first = z.sum_all().grad(&[x, y]);
                let second = (first[0] * first[1]).sum_all().grad(&[x, y]);
                let all = [z, first[0], first[1], second[0], second[1]];
                all.map(|v| v.value().to_vec().iter().map(|x| x.to().to_bits()).collect::<Vec<_>>())
            });
            assert_eq!(found[0], found[1], "{shape:?}");
        }
    }
    run::<f32>();
    run::<f64>();
}

/// All mask operations work in a shape-only run.
#[test]
fn masks_have_shapes_in_shape_only_runs() {
    let shape = Tape::check(|tape: &Tape| {
        let (x, y) = (tape.input((2, 3)), tape.input((2, 3)));
        let given = tape.mask(Tensor::from([true, false, true]));
        let tokens = tape.index(Tensor::from([[1i64], [0]]));
        let m = (given ^ tokens.ne(0)).unsqueeze(0).transpose(1, 2).squeeze(0).t();
        let m = Mask::stack(&[m, m.flip(0)], 0).narrow(0, 1, 1).reshape((2, 3));
        Var::where_(m, tangle(x, y), 0).masked_fill(Tensor::from([true]), y).shape()
    });
    assert_eq!(shape.unwrap(), [2, 3]);
    let wrong = Tape::check(|tape: &Tape| (tape.input(3).gt(0) & tape.input(4).gt(0)).shape());
    assert!(wrong.unwrap_err().to_string().contains("and: shapes [3] and [4] do not broadcast"));
    let number = Tape::check(|tape: &Tape| tape.input(3).gt(0).value().shape());
    assert!(number.unwrap_err().to_string().contains("a shape-only run has no values"));
}

/// Scopes can return masks and indices, also on a tape for inference.
#[test]
fn masks_leave_scopes_and_run_in_inference() {
    for tape in [Tape::<f32>::new(), Tape::inference()] {
        let x = tape.watch(Tensor::from_fn(&[4, 5], |i| i as f32));
        let (y, m) = tape.scope("choice", || {
            let m = x.gt(3) & x.lt(9);
            (x.masked_fill(m, 0), m)
        });
        assert_eq!((m.count(), y.sum_all().item()), (5, 190.0 - 30.0));
        let index = tape.scope("best", || x.argmax(1, false));
        assert_eq!(index.value().to_vec(), [4; 4]);
    }
}

/// A mask is computed as a variable, but its messages have the name of the method that was called.
#[test]
fn masks_panic_under_the_names_of_their_methods() {
    let tape = Tape::<f32>::new();
    let m = tape.watch(Tensor::ones(&[2, 3])).gt(0);
    let row = tape.watch(Tensor::ones(&[3])).gt(0);
    let none = || Tensor::from([9i64]);
    panics!(m.broadcast_to(&[5]), "broadcast_to: ");
    panics!(m.reshape(&[5]), "reshape: ");
    panics!(m.flatten(0, 7), "flatten: ");
    panics!(m.permute(&[0]), "permute: ");
    panics!(m.transpose(0, 7), "transpose: ");
    panics!(row.t(), "t: ");
    panics!(m.squeeze(0), "squeeze: ");
    panics!(m.unsqueeze(7), "unsqueeze: ");
    panics!(m.narrow(7, 0, 1), "narrow: ");
    panics!(m.narrow(0, 1, 2), "narrow: ");
    panics!(m.slice(7, 0, 1, 1), "slice: ");
    panics!(m.slice(0, 0, 1, 0), "slice: ");
    panics!(m.flip(7), "flip: ");
    panics!(m.size(7), "size: ");
    panics!(Mask::concat(&[m], 7), "concat: ");
    panics!(Mask::concat(&[m, row], 0), "concat: ");
    panics!(Mask::stack(&[m], 7), "stack: ");
    panics!(Mask::stack(&[m, row], 0), "stack: ");
    panics!(m.index_select(7, none()), "index_select: ");
    panics!(m.index_select(0, none()).value(), "index_select: ");
    panics!(m.gather(7, none().unsqueeze(0)), "gather: ");
    panics!(m.gather(0, none()), "gather: ");
    panics!(m.any(&[7], false), "any: ");
    panics!(m.all(&[7], false), "all: ");
    panics!(m.and(Tensor::from([true; 2])), "and: ");
    panics!(m.or(Tensor::from([true; 2])), "or: ");
    panics!(m.xor(Tensor::from([true; 2])), "xor: ");
    panics!(m.item(), "item: ");
}

#[test]
fn masks_are_refused_at_the_callers_line() {
    let (one, other) = (Tape::<f32>::new(), Tape::<f32>::new());
    let (x, y) = (one.watch(Tensor::ones(&[2, 3])), other.watch(Tensor::ones(&[2, 3])));
    let (m, n) = (x.gt(0), y.gt(0));
    panics!(m & n, "and: the variables are on different tapes");
    panics!(m.and(n), "and: the variables are on different tapes");
    panics!(m | n, "or: the variables are on different tapes");
    panics!(m ^ n, "xor: the variables are on different tapes");
    panics!(x.gt(y), "gt: the variables are on different tapes");
    panics!(Var::where_(n, x, x), "where_: the variables are on different tapes");
    panics!(Var::where_(n, x, 0), "where_: the variables are on different tapes");
    panics!(x.masked_fill(n, 0), "masked_fill: the variables are on different tapes");
    panics!(m.into_mask(&other), "mask: the variables are on different tapes");
    panics!(Mask::concat(&[m, n], 0), "concat: the variables are on different tapes");
    panics!(Mask::stack(&[m, n], 0), "stack: the variables are on different tapes");
    panics!(Mask::<f32>::concat(&[], 0), "concat: expected at least one");
    panics!(Mask::<f32>::stack(&[], 0), "stack: expected at least one");
    let (i, j) = (one.index(Tensor::from([0i64])), other.index(Tensor::from([0i64])));
    panics!(i.eq(j), "eq: the variables are on different tapes");
    panics!(i.lt(Tensor::from([0i64, 1])).or(Tensor::from([true; 3])), "or: ", "[2]", "[3]");
    panics!(one.index(Tensor::from([0i64, 1])).lt(Tensor::from([0i64; 3])), "lt: ", "[2]", "[3]");
    panics!(m & Tensor::from([true; 4]), "and: ", "[2, 3]", "[4]");
    panics!(m.or(&Tensor::from([true; 4])), "or: ", "[2, 3]", "[4]");
    panics!(m ^ x.narrow(1, 0, 2).gt(0), "xor: ", "[2, 3]", "[2, 2]");
    panics!(
        Var::<f32>::where_(Tensor::from([true]), 1, 0),
        "where_: ",
        "no operand is on a tape",
        "tape.mask(condition)"
    );
    panics!(m.item(), "item: the tensor must have one element", "[2, 3]");
    panics!(m.any(&[2], false), "any: ", "axis 2", "[2, 3]");
    panics!(m.all(&[0, 0], false), "all: ");
    panics!(m.reshape(7), "reshape", "[2, 3]");
    panics!(m.narrow(0, 1, 5), "narrow", "[2, 3]");
    panics!(m.squeeze(0), "squeeze", "[2, 3]");
}

/// After `backward`, masks can be read under the same conditions as variables.
#[test]
fn masks_can_be_read_after_backward_like_variables() {
    let tape = Tape::<f32>::new();
    let x = tape.watch(Tensor::from_fn(&[4, 5], |i| i as f32));
    let (kept, dropped) = (x.gt(3), x.gt(5));
    assert_eq!(kept.count(), 16);
    let y = Var::where_(kept & dropped, x * PI, 0).sum_all();
    let gradient = y.backward().wrt(x).unwrap().to_vec();
    assert_eq!(gradient.iter().filter(|&&g| g == PI as f32).count(), 14);
    assert_eq!(kept.count(), 16);
    panics!(dropped.count(), "backward() freed this value");
}

#[test]
fn masks_are_printed_with_shape_and_values() {
    let tape = Tape::<f32>::new();
    let text = format!("{:?}", tape.watch(Tensor::from([1.0, -1.0])).gt(0));
    assert!(text.starts_with("Mask(") && text.contains("[2]") && text.contains("true"), "{text}");
    let pending = format!("{:?}", tape.watch(Tensor::ones(&[3, 5])).gt(0));
    assert!(pending.contains("[3, 5]") && pending.contains("pending"), "{pending}");
}
