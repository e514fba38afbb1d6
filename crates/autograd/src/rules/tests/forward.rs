//! Checks values against plain loops and the standard library. A rule is compared with differences of
//! its own function, so a function that is wrong in the same way in both would pass those tests. Here
//! every node of every row, and of its gradient, is computed again from its operands, by code that uses
//! no kernel. The match over the operations has no wildcard.

use super::{POLICIES, every_row, weighted};
use crate::graph::{Op, Tape, Var};
use crate::rules::{ConvOp, IndexOp, LogSoftmax, Part, PoolWindows, Random, Reduce, View};
use std::collections::BTreeMap;
use wengert_tensor::{Binary, Conv, Interpolate, PadMode, Pool, Tensor, Unary, keep_mask};

/// Returns every index of a shape, in row-major order.
fn indices(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> + use<'_> {
    (0..shape.iter().product()).map(move |mut position: usize| {
        let mut index = vec![0; shape.len()];
        for (i, &size) in index.iter_mut().zip(shape).rev() {
            (*i, position) = (position % size, position / size);
        }
        index
    })
}

fn position(index: &[usize], shape: &[usize]) -> usize {
    index.iter().zip(shape).fold(0, |at, (&i, &size)| at * size + i)
}

/// Returns the last axes of an index, with 0 for axes of one element in this shape.
fn within(index: &[usize], shape: &[usize]) -> Vec<usize> {
    let index = &index[index.len() - shape.len()..];
    index.iter().zip(shape).map(|(&i, &size)| if size == 1 { 0 } else { i }).collect()
}

fn one_if(yes: bool) -> f64 {
    if yes { 1.0 } else { 0.0 }
}

/// Computes the error function by Simpson's rule with 2000 intervals; the arguments of the rows are small.
fn erf(x: f64) -> f64 {
    let (intervals, f) = (2000, |t: f64| std::f64::consts::FRAC_2_SQRT_PI * (-t * t).exp());
    let width = x / f64::from(intervals);
    let weight = |i| match i {
        0 => 1.0,
        i if i == intervals => 1.0,
        i if i % 2 == 1 => 4.0,
        _ => 2.0,
    };
    (0..=intervals).map(|i| weight(i) * f(f64::from(i) * width)).sum::<f64>() * width / 3.0
}

fn unary(op: Unary, x: f64) -> f64 {
    match op {
        Unary::Neg => -x,
        Unary::Abs => x.abs(),
        Unary::Sign => {
            if x == 0.0 {
                0.0
            } else {
                x.signum()
            }
        }
        Unary::Exp => x.exp(),
        Unary::Ln => x.ln(),
        Unary::Sqrt => x.sqrt(),
        Unary::Recip => 1.0 / x,
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Tanh => x.tanh(),
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Unary::Softplus => (1.0 + x.exp()).ln(),
        Unary::Erf => erf(x),
        Unary::Relu => x.max(0.0),
        Unary::Scale(c) => x * c,
        Unary::Shift(c) => x + c,
        Unary::DivScalar(c) => x / c,
        Unary::ScalarDiv(c) => c / x,
        Unary::Powi(n) => x.powi(n),
        Unary::Powf(p) => x.powf(p),
        Unary::ClampMin(c) => x.max(c),
        Unary::ClampMax(c) => x.min(c),
        Unary::Gt(c) => one_if(x > c),
        Unary::Ge(c) => one_if(x >= c),
        Unary::Lt(c) => one_if(x < c),
        Unary::Le(c) => one_if(x <= c),
        Unary::Eq(c) => one_if(x == c),
        Unary::Ne(c) => one_if(x != c),
    }
}

fn binary(op: Binary, a: f64, b: f64) -> f64 {
    match op {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Pow => a.powf(b),
        Binary::Maximum => a.max(b),
        Binary::Minimum => a.min(b),
        Binary::Gt => one_if(a > b),
        Binary::Ge => one_if(a >= b),
        Binary::Lt => one_if(a < b),
        Binary::Le => one_if(a <= b),
        Binary::Eq => one_if(a == b),
        Binary::Ne => one_if(a != b),
        Binary::Gate => {
            if a == 0.0 {
                b
            } else {
                0.0
            }
        }
    }
}

/// Returns the result of an operation, computed from its operands; `None` for given values.
#[allow(clippy::too_many_lines)] // an arm for each operation
fn reference(
    tape: &Tape<f64>,
    id: u32,
    op: Op,
    x: &[Tensor<f64>],
    shape: &[usize],
) -> Option<Vec<f64>> {
    let each = |f: &dyn Fn(&[usize]) -> f64| indices(shape).map(|i| f(&i)).collect();
    // Adds elements at positions. `place` maps an index of an operand to an index of the result.
    let add = |x: &Tensor<f64>, sum: &mut [f64], place: &dyn Fn(&[usize]) -> Vec<usize>| {
        for index in indices(&x.shape()) {
            sum[position(&place(&index), shape)] += x.at(&index);
        }
    };
    let zeros = || vec![0.0; shape.iter().product()];
    let at_axis = |index: &[usize], axis: usize, to: usize| {
        let mut index = index.to_vec();
        index[axis] = to;
        index
    };
    let numbers = |id: u32| tape.force_whole(id);
    let parent = |arg: usize| tape.arena.borrow().parents(id)[arg];
    let step = |start: u32, step: i32, i: usize| (start as i64 + i as i64 * step as i64) as usize;
    let values: Vec<f64> = match op {
        Op::Constant | Op::Leaf | Op::Draw(_) | Op::Whole { .. } => return None,
        Op::Fill(number) => each(&|_| number),
        Op::Detach => each(&|i| x[0].at(i)),
        Op::Compare(op) => {
            let sides = [numbers(parent(0)), numbers(parent(1))];
            // These integers are small enough for `f64`.
            let at = |x: &Tensor<i64>, i: &[usize]| x.at(&within(i, &x.shape())) as f64;
            each(&|i| binary(op, at(&sides[0], i), at(&sides[1], i)))
        }
        Op::Unary(op) => each(&|i| unary(op, x[0].at(i))),
        Op::Binary(op) => each(&|i| binary(op, x[0].at(i), x[1].at(i))),
        Op::Select => each(&|i| if x[0].at(i) == 0.0 { x[2].at(i) } else { x[1].at(i) }),
        Op::View(View::BroadcastTo) => each(&|i| x[0].at(&within(i, &x[0].shape()))),
        Op::View(View::Reshape) => indices(&x[0].shape()).map(|i| x[0].at(&i)).collect(),
        Op::View(View::Permute(order)) => each(&|i| {
            let mut from = vec![0; i.len()];
            for (to, axis) in order.axes(i.len()).into_iter().enumerate() {
                from[axis as usize] = i[to];
            }
            x[0].at(&from)
        }),
        Op::View(View::Slice { axis, start, step: by }) => {
            let axis = axis as usize;
            each(&|i| x[0].at(&at_axis(i, axis, step(start, by, i[axis]))))
        }
        Op::View(View::Unslice { axis, start, step: by }) => {
            let (axis, mut sum) = (axis as usize, zeros());
            add(&x[0], &mut sum, &|i| at_axis(i, axis, step(start, by, i[axis])));
            sum
        }
        Op::View(View::Concat { axis }) => each(&|i| {
            let (axis, mut at) = (axis as usize, i[axis as usize]);
            for part in x {
                if at < part.shape()[axis] {
                    return part.at(&at_axis(i, axis, at));
                }
                at -= part.shape()[axis];
            }
            unreachable!("the parts add up")
        }),
        Op::Assemble(op) => {
            let (parts, mut sum) = (tape.arena.borrow().parts[op.0 as usize].clone(), zeros());
            for (part, x) in parts.iter().zip(x) {
                match *part {
                    Part::Whole => add(x, &mut sum, &<[usize]>::to_vec),
                    Part::Slice { axis, start, step: by } => add(x, &mut sum, &|i| {
                        at_axis(i, axis as usize, step(start, by, i[axis as usize]))
                    }),
                    Part::Rows { axis, index } => {
                        let index = numbers(index);
                        add(x, &mut sum, &|i| {
                            let axis = axis as usize;
                            at_axis(i, axis, index.at(&[i[axis]]) as usize)
                        });
                    }
                    Part::Elements { axis, index } => {
                        let index = numbers(index);
                        add(x, &mut sum, &|i| at_axis(i, axis as usize, index.at(i) as usize));
                    }
                }
            }
            sum
        }
        Op::Reduce(op) => {
            let mut gathered = vec![vec![]; shape.iter().product()];
            for index in indices(&x[0].shape()) {
                gathered[position(&within(&index, shape), shape)].push(x[0].at(&index));
            }
            let reduced = |x: Vec<f64>| match op {
                Reduce::Sum => x.iter().sum(),
                Reduce::Max => x.into_iter().fold(f64::NEG_INFINITY, f64::max),
                Reduce::Min => x.into_iter().fold(f64::INFINITY, f64::min),
                Reduce::LogSumExp => x.iter().map(|x| x.exp()).sum::<f64>().ln(),
            };
            gathered.into_iter().map(reduced).collect()
        }
        Op::LogSoftmax(LogSoftmax { axis }) => each(&|i| {
            let axis = axis as usize;
            let all = (0..shape[axis]).map(|k| x[0].at(&at_axis(i, axis, k)).exp());
            x[0].at(i) - all.sum::<f64>().ln()
        }),
        Op::MatMul(op) => each(&|i| {
            let n = i.len();
            let read = |x: &Tensor<f64>, transposed: bool, row: usize, column: usize| {
                let (row, column) = if transposed { (column, row) } else { (row, column) };
                let index = [&i[..n - 2], &[row, column]].concat();
                x.at(&within(&index, &x.shape()))
            };
            let inner = x[0].shape()[x[0].rank() - if op.ta { 2 } else { 1 }];
            // `within` reads axes of one element at index 0. `inner` is the size of the inner axis.
            (0..inner)
                .map(|k| read(&x[0], op.ta, i[n - 2], k) * read(&x[1], op.tb, k, i[n - 1]))
                .sum()
        }),
        Op::Conv(op) => {
            let conv = tape.arena.borrow().convs[op.place() as usize];
            let mut sum = zeros();
            let (image, kernel) = match op {
                ConvOp::Forward(_) => (x[0].shape().to_vec(), x[1].shape().to_vec()),
                ConvOp::Input(_) => (shape.to_vec(), x[1].shape().to_vec()),
                ConvOp::Weight(_) => (x[0].shape().to_vec(), shape.to_vec()),
            };
            let out = match op {
                ConvOp::Forward(_) => shape.to_vec(),
                ConvOp::Input(_) => x[0].shape().to_vec(),
                ConvOp::Weight(_) => x[1].shape().to_vec(),
            };
            // Each product of the trilinear form ⟨conv(x, w), y⟩ is added to the requested partial
            // derivative.
            for (x_at, w_at, y_at) in products(&image, &kernel, &out, &conv) {
                match op {
                    ConvOp::Forward(_) => {
                        sum[position(&y_at, shape)] += x[0].at(&x_at) * x[1].at(&w_at);
                    }
                    ConvOp::Input(_) => {
                        sum[position(&x_at, shape)] += x[0].at(&y_at) * x[1].at(&w_at);
                    }
                    ConvOp::Weight(_) => {
                        sum[position(&w_at, shape)] += x[0].at(&x_at) * x[1].at(&y_at);
                    }
                }
            }
            if let (ConvOp::Forward(_), Some(bias)) = (op, x.get(2)) {
                for (i, sum) in indices(shape).zip(&mut sum) {
                    *sum += bias.at(&[i[1]]);
                }
            }
            sum
        }
        Op::Index(op) => {
            let (index, mut sum) = (numbers(parent(1)), zeros());
            // Flattens the last two axes into one.
            let flat = |i: &[usize], of: &[usize], at: i64| {
                let (n, wide) = (i.len(), of[of.len() - 1]);
                [&i[..n - 2], &[at as usize / wide, at as usize % wide]].concat()
            };
            match op {
                IndexOp::IndexSelect { axis, .. } => each(&|i| {
                    let axis = axis as usize;
                    x[0].at(&at_axis(i, axis, index.at(&[i[axis]]) as usize))
                }),
                IndexOp::Gather { axis, .. } => {
                    each(&|i| x[0].at(&at_axis(i, axis as usize, index.at(i) as usize)))
                }
                IndexOp::Pick => each(&|i| x[0].at(&flat(i, &x[0].shape(), index.at(i)))),
                IndexOp::IndexAdd { axis, .. } => {
                    let axis = axis as usize;
                    add(&x[0], &mut sum, &|i| at_axis(i, axis, index.at(&[i[axis]]) as usize));
                    sum
                }
                IndexOp::ScatterAdd { axis, .. } => {
                    add(&x[0], &mut sum, &|i| at_axis(i, axis as usize, index.at(i) as usize));
                    sum
                }
                IndexOp::Unpool => {
                    add(&x[0], &mut sum, &|i| flat(i, shape, index.at(i)));
                    sum
                }
            }
        }
        Op::MaxPool(op) => {
            let windows = tape.arena.borrow().pools[op.windows as usize];
            let (image, rank) = (x[0].shape(), shape.len());
            // Returns the indices along an axis that a window covers.
            let covered = |side: usize, o: usize| -> Vec<usize> {
                let (n, m) = (image[rank - 2 + side], shape[rank - 2 + side]);
                match windows {
                    PoolWindows::Adaptive => (o * n / m..((o + 1) * n).div_ceil(m)).collect(),
                    PoolWindows::Sliding(pool) => (0..pool.kernel[side])
                        .map(|k| o * pool.stride[side] + k * pool.dilation[side])
                        .filter_map(|at| at.checked_sub(pool.padding[side]))
                        .filter(|&at| at < n)
                        .collect(),
                }
            };
            each(&|i| {
                let rows = covered(0, i[rank - 2]).into_iter();
                let pixels =
                    rows.flat_map(|r| covered(1, i[rank - 1]).into_iter().map(move |c| (r, c)));
                let at = |(r, c)| x[0].at(&[&i[..rank - 2], &[r, c]].concat());
                pixels.map(at).fold(f64::NEG_INFINITY, f64::max)
            })
        }
        Op::MapAxis(op) => {
            let map = tape.arena.borrow().maps[op.map as usize].clone();
            let (axis, matrix) = (op.axis as usize, entries(&map));
            each(&|i| {
                let weight = |k: usize| {
                    if op.transposed { matrix[k][i[axis]] } else { matrix[i[axis]][k] }
                };
                let n = x[0].shape()[axis];
                (0..n).map(|k| weight(k) * x[0].at(&at_axis(i, axis, k))).sum()
            })
        }
        Op::Random(Random::Dropout { p, stream }) => {
            let keep = 1.0 - p.get();
            let mask = keep_mask::<f64>(shape, tape.key(), u64::from(stream), keep);
            each(&|i| if mask.at(i) == 0.0 { 0.0 } else { x[0].at(i) / keep })
        }
        Op::Custom(_) => custom(tape, id, 0, x),
        Op::Output(back) => custom(tape, id - back, back, x),
    };
    Some(values)
}

/// The custom operations of the rows.
fn custom(tape: &Tape<f64>, id: u32, output: u32, x: &[Tensor<f64>]) -> Vec<f64> {
    let arena = tape.arena.borrow();
    let Op::Custom(place) = arena.nodes[id as usize].op else {
        unreachable!("an output is that of a custom op")
    };
    let x: Vec<_> = x.iter().map(Tensor::to_vec).collect();
    match (arena.customs[place as usize].op.name(), output) {
        ("sin_cos", 0) => x[0].iter().map(|x| x.sin()).collect(),
        ("sin_cos", 1) => x[0].iter().map(|x| x.cos()).collect(),
        ("mul_add", 0) => (0..x[0].len()).map(|i| x[0][i] * x[1][i] + x[2][i]).collect(),
        other => unreachable!("{other:?} has no row"),
    }
}

/// Returns the matrix of a map, from its results for unit vectors, because its entries are private. This
/// checks only that maps are linear and act along their axis. `METHODS` checks the map of each method.
fn entries(map: &wengert_tensor::AxisMap) -> Vec<Vec<f64>> {
    let unit = |i: usize| Tensor::from_fn(&[map.inputs()], |k| one_if(k == i));
    let columns: Vec<Vec<f64>> =
        (0..map.inputs()).map(|i| unit(i).map_axis(0, map).to_vec()).collect();
    (0..map.outputs()).map(|o| columns.iter().map(|column| column[o]).collect()).collect()
}

/// Returns the positions in image, kernel and result of every product in a convolution.
fn products(
    image: &[usize],
    kernel: &[usize],
    out: &[usize],
    conv: &Conv,
) -> Vec<(Vec<usize>, Vec<usize>, Vec<usize>)> {
    let mut all = vec![];
    let outputs_per_group = out[1] / conv.groups;
    for y in indices(out) {
        for w in indices(&kernel[1..]) {
            let place = |side: usize| {
                (y[2 + side] * conv.stride[side] + w[1 + side] * conv.dilation[side])
                    .checked_sub(conv.padding[side].0)
                    .filter(|&at| at < image[2 + side])
            };
            let (Some(row), Some(column)) = (place(0), place(1)) else { continue };
            let channel = y[1] / outputs_per_group * kernel[1] + w[0];
            all.push((vec![y[0], channel, row, column], [&y[1..2], &w[..]].concat(), y.clone()));
        }
    }
    all
}

/// Compares a node with the reference, from its operands. No value was requested before.
fn compare(tape: &Tape<f64>, id: u32, name: &str, counts: &mut BTreeMap<String, usize>) {
    let (op, shape, parents) = {
        let arena = tape.arena.borrow();
        let op = arena.nodes[id as usize].op;
        let first = match op {
            Op::Output(back) => id - back,
            _ => id,
        };
        (op, *arena.shape(id), arena.parents(first).to_vec())
    };
    let is_number = |id: u32| tape.arena.borrow().place_of_whole(id).is_none();
    if !is_number(id) {
        return;
    }
    let x: Vec<_> = parents.iter().filter(|&&p| is_number(p)).map(|&p| tape.force(p)).collect();
    let Some(wanted) = reference(tape, id, op, &x, &shape) else { return };
    let got = tape.force(id);
    assert_eq!((got.shape(), got.numel()), (shape, wanted.len()), "{name}: {op:?}");
    // The terms of a sum may cancel: the rounding error depends on the size of the terms.
    let size = x.iter().flat_map(Tensor::to_vec).fold(1.0, |m: f64, x| m.max(x.abs()));
    for (i, (got, wanted)) in got.to_vec().into_iter().zip(wanted).enumerate() {
        let close = (got - wanted).abs() <= 1e-13 * wanted.abs().max(size * size);
        let equal = got == wanted || got.is_nan() && wanted.is_nan();
        let exact = matches!(op, Op::View(_) | Op::Select);
        assert!(
            equal || close && !exact,
            "{name}: {op:?} to {shape:?}, element {i}: {got}, by loops {wanted}"
        );
    }
    *counts.entry(super::kind(op).join(" ")).or_default() += 1;
}

#[test]
fn every_node_of_every_row_and_of_its_gradient_has_the_values_of_plain_loops() {
    let (mut counts, mut rows) = (BTreeMap::new(), 0);
    for row in every_row(|_| true) {
        for policy in POLICIES {
            let tape = Tape::new().with_policy(policy);
            let x = row.place(&tape, &vec![true; row.inputs.len()]);
            let y = row.run(&x);
            y.value();
            weighted(y).grad(&x);
            for id in 0..tape.len() as u32 {
                compare(&tape, id, &row.name, &mut counts);
            }
        }
        rows += 1;
    }
    let nodes: usize = counts.values().sum();
    println!("{nodes} nodes of {rows} rows: {counts:?}");
    assert!(rows > 470 && nodes > 8000, "{nodes} nodes of {rows} rows");
    // Of each family and member there must be some nodes. Comparisons are left out: they have no
    // derivative and no row.
    for member in [
        "View BroadcastTo",
        "View Reshape",
        "View Permute",
        "View Slice",
        "View Unslice",
        "View Concat",
        "Assemble Assemble",
        "Reduce Sum",
        "Reduce Max",
        "Reduce Min",
        "Reduce LogSumExp",
        "LogSoftmax LogSoftmax",
        "MatMul MatMul",
        "Conv Forward",
        "Conv Input",
        "Conv Weight",
        "Index IndexSelect",
        "Index IndexAdd",
        "Index Gather",
        "Index ScatterAdd",
        "Index Pick",
        "Index Unpool",
        "MaxPool MaxPool",
        "MapAxis MapAxis",
        "Random Dropout",
        "Custom",
        "Output",
        "Select",
    ] {
        assert!(counts.get(member).is_some_and(|&n| n > 1), "{member}: {counts:?}");
    }
}

/// Comparisons have no derivative and no row. The elements include constants of the operations, ties,
/// zeros and negative numbers.
#[test]
fn every_pointwise_operation_means_what_its_name_says() {
    let (mut counts, quarters) = (BTreeMap::new(), |i: usize, n: usize| (i % n) as f64 / 4.0 - 1.0);
    for policy in POLICIES {
        for n in [3, 60] {
            let tape = Tape::new().with_policy(policy);
            let a = tape.watch(Tensor::from_fn(&[n], |i| quarters(i, 9)));
            let b = tape.watch(Tensor::from_fn(&[n], |i| quarters(i, 7)));
            for &op in Unary::ALL {
                a.unary(op);
            }
            for &op in Binary::ALL {
                a.binary(op, b);
            }
            for id in 0..tape.len() as u32 {
                compare(&tape, id, "pointwise", &mut counts);
            }
        }
    }
    assert_eq!(counts.values().sum::<usize>(), 4 * (Unary::ALL.len() + Binary::ALL.len()));
}

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
fn methods_mean_what_they_say() {
    let inputs = [
        super::any(&[3, 5], 5),
        super::spread(&[3, 5], &[(0.4, 2.0)], 6),
        super::any(&[2, 3, 4, 6], 7),
    ];
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
