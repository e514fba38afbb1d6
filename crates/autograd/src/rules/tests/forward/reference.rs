//! What each operation computes, as plain loops. The match over the operations has no wildcard.

use super::indices;
use crate::graph::{
    ConvOp, IndexOp, Lstm, Normalize, Op, Part, PoolWindows, Random, Reduce, ScanAlong, Softmax,
    Tape, View,
};
use wengert_tensor::{Binary, Conv, Scan, Tensor, Unary, VolumePool, keep_mask, shapes};

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

/// Computes ln |Γ(x)| and its derivative by Lanczos' formula.
fn gamma(x: f64) -> (f64, f64) {
    use std::f64::consts::PI;
    const C: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x <= 0.0 && x.fract() == 0.0 {
        return (f64::INFINITY, if x == 0.0 { -1.0 / x } else { f64::NAN });
    }
    if x < 0.5 {
        let (log, slope) = gamma(1.0 - x);
        return ((PI / (PI * x).sin().abs()).ln() - log, slope - PI / (PI * x).tan());
    }
    let (z, t) = (x - 1.0, x + 6.5);
    let terms = || C[1..].iter().zip(1..).map(|(&c, i)| (c, z + f64::from(i)));
    let a = C[0] + terms().map(|(c, d)| c / d).sum::<f64>();
    let slope_a = -terms().map(|(c, d)| c / (d * d)).sum::<f64>();
    let log = 0.5 * (2.0 * PI).ln() + (z + 0.5) * t.ln() - t + a.ln();
    (log, t.ln() + (z + 0.5) / t - 1.0 + slope_a / a)
}

/// Adds 2000 terms and the integral of the others.
fn polygamma(n: u32, x: f64) -> f64 {
    if n == 0 {
        return gamma(x).1;
    }
    let (order, size) = (n as i32 + 1, (1..=n).map(f64::from).product::<f64>());
    let from = x + 1999.5;
    let rest =
        from.powi(1 - order) / f64::from(n) - f64::from(order) * from.powi(-order - 1) / 24.0;
    let sum = (0..2000).rev().fold(rest, |sum, k| sum + (x + f64::from(k)).powi(-order));
    if n % 2 == 1 { size * sum } else { -size * sum }
}

/// Solves erf y = x by bisection.
fn erfinv(x: f64) -> f64 {
    if x.abs() >= 1.0 {
        return if x.abs() == 1.0 { x * f64::INFINITY } else { f64::NAN };
    }
    let (mut low, mut high) = (-3.0, 3.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if erf(middle) < x { low = middle } else { high = middle }
    }
    0.5 * (low + high)
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
        Unary::Log1p => (1.0 + x).ln(),
        Unary::Expm1 => x.exp() - 1.0,
        Unary::Log2 => x.ln() / 2f64.ln(),
        Unary::Log10 => x.ln() / 10f64.ln(),
        Unary::Sqrt => x.sqrt(),
        Unary::Rsqrt => 1.0 / x.sqrt(),
        Unary::Tan => x.sin() / x.cos(),
        Unary::Asin => x.asin(),
        Unary::Acos => x.acos(),
        Unary::Atan => x.atan(),
        Unary::Sinh => x.sinh(),
        Unary::Cosh => x.cosh(),
        Unary::Asinh => x.asinh(),
        Unary::Acosh => x.acosh(),
        Unary::Atanh => x.atanh(),
        Unary::Erfc => 1.0 - erf(x),
        Unary::Ndtr => 0.5 + 0.5 * erf(x / 2f64.sqrt()),
        Unary::Erfinv => erfinv(x),
        Unary::Lgamma => gamma(x).0,
        Unary::Digamma => gamma(x).1,
        Unary::Polygamma(n) => polygamma(n, x),
        Unary::Floor => x.floor(),
        Unary::Ceil => x.ceil(),
        Unary::Round => x.round_ties_even(),
        Unary::Trunc => x.trunc(),
        Unary::Frac => x.fract(),
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
        Binary::Atan2 => a.atan2(b),
        Binary::Hypot => (a * a + b * b).sqrt(),
        Binary::Fmod => a - (a / b).trunc() * b,
        Binary::Remainder => a - (a / b).floor() * b,
        Binary::Copysign => a.abs() * if b.is_sign_negative() { -1.0 } else { 1.0 },
        Binary::Xlogy => {
            if a == 0.0 {
                0.0
            } else {
                a * b.ln()
            }
        }
        Binary::Logaddexp => (a.exp() + b.exp()).ln(),
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
pub(super) fn reference(
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
    // The axes of an index, from `axis` on, become the one axis that it names.
    let named = |index: &Tensor<i64>, i: &[usize], axis: u8| {
        let (before, i) = i.split_at(axis as usize);
        let (of_index, after) = i.split_at(index.rank());
        [before, &[index.at(of_index) as usize], after].concat()
    };
    let numbers = |id: u32| tape.force_whole(id);
    let parent = |arg: usize| tape.arena.borrow().parents(id)[arg];
    let step = |start: u32, step: i32, i: usize| (start as i64 + i as i64 * step as i64) as usize;
    let values: Vec<f64> = match op {
        Op::Constant | Op::Leaf | Op::Draw(_) | Op::Integer { .. } => return None,
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
                        add(x, &mut sum, &|i| named(&index, i, axis));
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
        Op::Softmax(Softmax::Forward { axis, log }) => each(&|i| {
            let axis = axis as usize;
            let all = (0..shape[axis]).map(|k| x[0].at(&at_axis(i, axis, k)).exp());
            let y = x[0].at(i) - all.sum::<f64>().ln();
            if log { y } else { y.exp() }
        }),
        Op::Softmax(Softmax::Gradient { axis, log }) => each(&|i| {
            let axis = axis as usize;
            let places = (0..shape[axis]).map(|k| at_axis(i, axis, k));
            let (gy, y) = (x[0].at(i), x[1].at(i));
            if log {
                gy - y.exp() * places.map(|at| x[0].at(&at)).sum::<f64>()
            } else {
                y * (gy - places.map(|at| x[0].at(&at) * x[1].at(&at)).sum::<f64>())
            }
        }),
        Op::Normalize(op) => normalized(op, 0, x),
        Op::Lstm(op) => lstm(op, 0, x),
        Op::Scan(ScanAlong { op, axis, reverse }) => each(&|i| {
            let (axis, n) = (axis as usize, shape[axis as usize]);
            let places: Vec<usize> =
                if reverse { (i[axis]..n).rev().collect() } else { (0..=i[axis]).collect() };
            let values = |x: &Tensor<f64>| -> Vec<f64> {
                places.iter().map(|&k| x.at(&at_axis(i, axis, k))).collect()
            };
            match op {
                Scan::Sum => values(&x[0]).iter().sum(),
                Scan::Product => values(&x[0]).iter().product(),
                Scan::LogSumExp => values(&x[0]).iter().map(|x| x.exp()).sum::<f64>().ln(),
                Scan::Linear => {
                    let pairs = values(&x[0]).into_iter().zip(values(&x[1]));
                    pairs.fold(0.0, |state, (factor, summand)| factor * state + summand)
                }
            }
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
                IndexOp::IndexSelect { axis, .. } => each(&|i| x[0].at(&named(&index, i, axis))),
                IndexOp::Gather { axis, .. } => {
                    each(&|i| x[0].at(&at_axis(i, axis as usize, index.at(i) as usize)))
                }
                IndexOp::Pick => each(&|i| x[0].at(&flat(i, &x[0].shape(), index.at(i)))),
                IndexOp::IndexAdd { axis, .. } => {
                    add(&x[0], &mut sum, &|i| named(&index, i, axis));
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
            let rank = shape.len();
            let [operand, result]: [&[usize]; 2] = [&x[0].shape(), shape];
            // The depth, height and width of the operand and of the result. An image has the depth 1.
            let (from, to) = match windows {
                PoolWindows::Sliding(_) | PoolWindows::Adaptive => {
                    let deep = |size: &[usize]| [1, size[rank - 2], size[rank - 1]];
                    (deep(operand), deep(result))
                }
                PoolWindows::Volumes(pool, [h, w]) => {
                    let wide = shapes::pool3d("", &[1, operand[rank - 2], h, w], &pool).unwrap();
                    ([operand[rank - 2], h, w], [wide[1], wide[2], wide[3]])
                }
                PoolWindows::AdaptiveVolumes(size, [h, w]) => ([operand[rank - 2], h, w], size),
            };
            // Returns the indices along an axis that a window covers.
            let covered = |side: usize, o: usize| -> Vec<usize> {
                let (n, m) = (from[side], to[side]);
                let pool: VolumePool = match windows {
                    PoolWindows::Adaptive | PoolWindows::AdaptiveVolumes(..) => {
                        return (o * n / m..((o + 1) * n).div_ceil(m)).collect();
                    }
                    PoolWindows::Sliding(pool) => pool.into(),
                    PoolWindows::Volumes(pool, _) => pool,
                };
                (0..pool.kernel[side])
                    .map(|k| o * pool.stride[side] + k * pool.dilation[side])
                    .filter_map(|at| at.checked_sub(pool.padding[side].0))
                    .filter(|&at| at < n)
                    .collect()
            };
            each(&|i| {
                let place = i[rank - 2] * result[rank - 1] + i[rank - 1];
                let window = [place / (to[1] * to[2]), place / to[2] % to[1], place % to[2]];
                let [deep, high, wide] = [0, 1, 2].map(|side| covered(side, window[side]));
                let mut most = f64::NEG_INFINITY;
                for d in deep {
                    for &h in &high {
                        for &w in &wide {
                            let at = (d * from[1] + h) * from[2] + w;
                            let n = operand[rank - 1];
                            most = most.max(x[0].at(&[&i[..rank - 2], &[at / n, at % n]].concat()));
                        }
                    }
                }
                most
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
        Op::Output(back) => {
            let first = tape.arena.borrow().nodes[(id - back) as usize].op;
            match first {
                Op::Normalize(op) => normalized(op, back as usize, x),
                Op::Lstm(op) => lstm(op, back as usize, x),
                _ => custom(tape, id - back, back, x),
            }
        }
    };
    Some(values)
}

/// The outputs of normalisations, by the formulas of their definitions.
fn normalized(op: Normalize, output: usize, x: &[Tensor<f64>]) -> Vec<f64> {
    let shape = x[0].shape();
    let values: Vec<Vec<f64>> = x.iter().map(Tensor::to_vec).collect();
    match op {
        Normalize::Moments { axes, correction } => {
            let kept: Vec<usize> =
                (0..shape.rank()).map(|i| if axes >> i & 1 == 1 { 1 } else { shape[i] }).collect();
            let mut gathered = vec![vec![]; kept.iter().product()];
            for index in indices(&shape) {
                gathered[position(&within(&index, &kept), &kept)].push(x[0].at(&index));
            }
            let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
            let variance = |x: &[f64]| {
                let squares: f64 = x.iter().map(|y| (y - mean(x)) * (y - mean(x))).sum();
                squares / (x.len() as f64 - f64::from(correction))
            };
            let of = |x: &Vec<f64>| if output == 0 { mean(x) } else { variance(x) };
            gathered.iter().map(of).collect()
        }
        Normalize::Layer { axes, eps } => {
            let n: usize = shape[shape.rank() - axes as usize..].iter().product();
            let mut outputs = [vec![], vec![], vec![]];
            for row in values[0].chunks(n) {
                let mean = row.iter().sum::<f64>() / n as f64;
                let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n as f64;
                let inv = 1.0 / (variance + eps.get()).sqrt();
                outputs[0].extend(row.iter().enumerate().map(|(i, x)| {
                    let weight = values.get(1).map_or(1.0, |w| w[i]);
                    (x - mean) * inv * weight + values.get(2).map_or(0.0, |b| b[i])
                }));
                outputs[1].push(mean);
                outputs[2].push(inv);
            }
            std::mem::take(&mut outputs[output])
        }
        Normalize::LayerGradient { axes } => {
            let n: usize = shape[shape.rank() - axes as usize..].iter().product();
            let mut outputs = [vec![], vec![0.0; n], vec![0.0; n]];
            for (r, (row, gy)) in values[0].chunks(n).zip(values[3].chunks(n)).enumerate() {
                let (mean, inv) = (values[1][r], values[2][r]);
                let normal: Vec<f64> = row.iter().map(|x| (x - mean) * inv).collect();
                let weight = |i: usize| values.get(4).map_or(1.0, |w| w[i]);
                let t: Vec<f64> = (0..n).map(|i| gy[i] * weight(i)).collect();
                let mean_t = t.iter().sum::<f64>() / n as f64;
                let slope = (0..n).map(|i| t[i] * normal[i]).sum::<f64>() / n as f64;
                for i in 0..n {
                    outputs[0].push(inv * (t[i] - mean_t - normal[i] * slope));
                    outputs[1][i] += gy[i] * normal[i];
                    outputs[2][i] += gy[i];
                }
            }
            std::mem::take(&mut outputs[output])
        }
        Normalize::Batch { eps } => {
            let channel = |i: usize| i / shape[2..].iter().product::<usize>() % shape[1];
            let normal = |i: usize| {
                let c = channel(i);
                let weight = values.get(3).map_or(1.0, |w| w[c]);
                let scale = weight / (values[2][c] + eps.get()).sqrt();
                (values[0][i] - values[1][c]) * scale + values.get(4).map_or(0.0, |b| b[c])
            };
            (0..shape.numel()).map(normal).collect()
        }
        Normalize::BatchGradient { eps } => {
            let channel = |i: usize| i / shape[2..].iter().product::<usize>() % shape[1];
            let n = (shape.numel() / shape[1]) as f64;
            let inv = |c: usize| 1.0 / (values[2][c] + eps.get()).sqrt();
            let normal = |i: usize| (values[0][i] - values[1][channel(i)]) * inv(channel(i));
            let (mut gw, mut gb) = (vec![0.0; shape[1]], vec![0.0; shape[1]]);
            for (i, gy) in values[3].iter().enumerate() {
                gw[channel(i)] += gy * normal(i);
                gb[channel(i)] += gy;
            }
            let gx = |i: usize| {
                let c = channel(i);
                let weight = values.get(4).map_or(1.0, |w| w[c]);
                weight * inv(c) * (values[3][i] - gb[c] / n - normal(i) * gw[c] / n)
            };
            let gx = (0..shape.numel()).map(gx).collect();
            [gx, gw, gb][output].clone()
        }
    }
}

/// The outputs of a step of a long short-term memory and of its gradient, one number of the state after the other.
fn lstm(op: Lstm, output: usize, x: &[Tensor<f64>]) -> Vec<f64> {
    let n = x[0].shape().last().unwrap() / 4;
    let values: Vec<Vec<f64>> = x.iter().map(Tensor::to_vec).collect();
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let (mut of_gates, mut of_state) = (vec![0.0; values[0].len()], vec![]);
    for at in 0..values[0].len() / 4 {
        let places = [0, 1, 2, 3].map(|block| at / n * 4 * n + block * n + at % n);
        let numbers = match op {
            Lstm::Step => {
                let [i, f, g, o] = places.map(|place| values[0][place] + values[1][place]);
                let [i, f, g, o] = [sigmoid(i), sigmoid(f), g.tanh(), sigmoid(o)];
                let c = f * values[2][at] + i * g;
                of_state.push([o * c.tanh(), c][output.min(1)]);
                [i, f, g, o]
            }
            Lstm::Gradient => {
                let [i, f, g, o] = places.map(|place| values[0][place]);
                let [c, new, gh, gc] = [1, 2, 3, 4].map(|arg: usize| values[arg][at]);
                let by_new = gc + gh * o * (1.0 - new.tanh().powi(2));
                of_state.push(by_new * f);
                let [by_i, by_f, by_g] = [by_new * g, by_new * c, by_new * i];
                let by_o = gh * new.tanh();
                let slope = |y: f64| y * (1.0 - y);
                [by_i * slope(i), by_f * slope(f), by_g * (1.0 - g * g), by_o * slope(o)]
            }
        };
        for (place, number) in places.into_iter().zip(numbers) {
            of_gates[place] = number;
        }
    }
    match (op, output) {
        (Lstm::Step, 2) | (Lstm::Gradient, 0) => of_gates,
        _ => of_state,
    }
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
