//! Methods of variables and methods of tensors with the same name return the same bits: for several memory
//! layouts, in f32 and f64, with both policies.

use wengert_autograd::{Policy, Tape, Var};
use wengert_tensor::{AxisMap, Conv, Float, Interpolate, PadMode, Pool, Tensor};

/// Returns numbers of both signs that need rounding, among them zeros of both signs, small and large ones.
fn numbers<T: Float>(shape: &[usize], seed: usize) -> Tensor<T> {
    let special = [0.0, -0.0, 1.0, -1.0, 1e30, 1e-30, 49.0, 0.1, 1e4, -1e4];
    Tensor::from_fn(shape, |i| {
        let k = (i * 7919 + seed * 104729 + 13) % 1009;
        T::of(if k < special.len() { special[k] } else { k as f64 / 97.3 - 5.2 })
    })
}

/// Returns tensors in these layouts: contiguous, transposed, sliced with an offset and a step, reversed along
/// the first axis, and broadcast.
fn layouts_of<T: Float>(shape: &[usize], seed: usize) -> Vec<(&'static str, Tensor<T>)> {
    let x = numbers::<T>(shape, seed);
    let mut layouts = vec![("contiguous", x.clone())];
    if shape.is_empty() {
        return layouts;
    }
    let order: Vec<isize> = (0..shape.len() as isize).rev().collect();
    let turned: Vec<usize> = shape.iter().rev().copied().collect();
    layouts.push(("transposed", numbers::<T>(&turned, seed + 1).permute(&order)));
    let mut wide = shape.to_vec();
    wide[shape.len() - 1] = 2 * wide[shape.len() - 1] + 3;
    let sliced = numbers::<T>(&wide, seed + 2);
    let last = shape[shape.len() - 1] as isize;
    layouts.push(("sliced", sliced.slice(-1, 2, 2 + 2 * last, 2)));
    layouts.push(("backwards", x.flip(0).contiguous().flip(0)));
    let mut row = shape.to_vec();
    if row[0] > 0 {
        row[0] = 1;
        layouts.push(("repeated", numbers::<T>(&row, seed + 3).broadcast_to(shape)));
    }
    layouts
}

/// Returns the bits of all elements, with the same bits for every NaN.
fn bits<T: Float>(x: &Tensor<T>) -> Vec<u64> {
    let of = |x: T| if x.to().is_nan() { u64::MAX } else { x.to().to_bits() };
    x.to_vec().into_iter().map(of).collect()
}

#[track_caller]
fn assert_same<T: Float>(name: &str, about: &str, tensor: &Tensor<T>, var: &Tensor<T>) {
    assert_eq!(tensor.shape(), var.shape(), "{name} of {about}");
    let (a, b) = (bits(tensor), bits(var));
    if let Some(i) = (0..a.len()).find(|&i| a[i] != b[i]) {
        let (x, y) = (tensor.to_vec()[i].to(), var.to_vec()[i].to());
        panic!("{name} of {about}, element {i}: the tensor's {x:e}, the variable's {y:e}")
    }
}

/// A test that compares each expression on tensors and on variables.
macro_rules! twins {
    ($run:ident on $shapes:expr, $operands:literal: $($name:ident |$($x:ident),+| $y:expr;)*) => {
        #[test]
        fn $run() {
            fn run<T: Float>(compared: &mut usize) { $({
                                fn tensor<T: Float>(x: &[Tensor<T>]) -> Tensor<T> {
                    let mut rest = x.iter();
                    $(let $x = rest.next().expect("as many as named");)+
                    $y
                }
                fn var<'t, T: Float>(x: &[Var<'t, T>]) -> Var<'t, T> {
                    let mut rest = x.iter().copied();
                    $(let $x = rest.next().expect("as many as named");)+
                    $y
                }
                compare::<T>(stringify!($name), $shapes, $operands, tensor, var, compared);
            })* }
            let mut compared = 0;
            run::<f32>(&mut compared);
            run::<f64>(&mut compared);
            assert!(compared > 0);
            println!("{compared} comparisons");
        }
    };
}

fn compare<T: Float>(
    name: &str,
    shapes: &[&[&[usize]]],
    operands: usize,
    tensor: fn(&[Tensor<T>]) -> Tensor<T>,
    var: for<'t> fn(&[Var<'t, T>]) -> Var<'t, T>,
    compared: &mut usize,
) {
    for case in shapes {
        assert_eq!(case.len(), operands, "{name}");
        let layouts: Vec<_> =
            case.iter().enumerate().map(|(i, shape)| layouts_of::<T>(shape, 10 * i)).collect();
        let ways = layouts.iter().map(Vec::len).max().unwrap_or(0);
        for way in 0..ways {
            // Each operand has each of its layouts, together with other layouts of the other operands.
            let chosen: Vec<_> =
                layouts.iter().enumerate().map(|(i, ways)| &ways[(way + i) % ways.len()]).collect();
            let x: Vec<Tensor<T>> = chosen.iter().map(|(_, x)| x.clone()).collect();
            let about = format!("{case:?} {:?}", chosen.iter().map(|c| c.0).collect::<Vec<_>>());
            let wanted = tensor(&x);
            for policy in [Policy::Eager, Policy::Fused] {
                for watched in [false, true] {
                    let tape = Tape::<T>::new().with_policy(policy);
                    let put = |x: &Tensor<T>| {
                        if watched { tape.watch(x.clone()) } else { tape.constant(x.clone()) }
                    };
                    let v: Vec<_> = x.iter().map(put).collect();
                    let about = format!("{about} ({policy:?}, {})", std::any::type_name::<T>());
                    assert_same(name, &about, &wanted, &var(&v).value());
                    *compared += 1;
                }
            }
        }
    }
}

/// A scalar, small and empty shapes, and shapes with more elements than a block of a fused program.
const ANY: &[&[&[usize]]] =
    &[&[&[]], &[&[5]], &[&[3, 5]], &[&[7, 90]], &[&[3, 0, 2]], &[&[2, 3, 130]]];

twins! { functions_of_each_element on ANY, 1:
    abs |x| x.abs();
    sign |x| x.sign();
    exp |x| x.exp();
    ln |x| x.ln();
    sqrt |x| x.sqrt();
    recip |x| x.recip();
    sin |x| x.sin();
    cos |x| x.cos();
    tanh |x| x.tanh();
    sigmoid |x| x.sigmoid();
    softplus |x| x.softplus();
    erf |x| x.erf();
    relu |x| x.relu();
    powi_3 |x| x.powi(3);
    powi_2 |x| x.powi(2);
    powi_0 |x| x.powi(0);
    powi_less |x| x.powi(-2);
    powf |x| x.powf(1.7);
    clamp_min |x| x.clamp_min(0.3);
    clamp_max |x| x.clamp_max(0.3);
    clamp |x| x.clamp(-1.1, 2.3);
    negated |x| -x;
    plus |x| x + 0.1;
    from_left |x| 0.1 + x;
    minus |x| x - 0.1;
    from |x| 0.1 - x;
    times |x| x * 0.1;
    of |x| 0.1 * x;
    by |x| x / 49.0;
    by_tiny |x| x / 1e-310;
    by_large |x| x / 1e39;
    by_zero |x| x / 0.0;
    into |x| 7.3 / x;
    one_into |x| 1.0 / x;
    nothing_into |x| 0.0 / x;
    square |x| x.square();
    whole_power |x| x.pow(3);
    power |x| x.pow(0.5);
    at_least |x| x.maximum(0.1);
    at_most |x| x.minimum(1);
    twice |x| 2 * x;
    less_one |x| x - 1;
    chain |x| ((x * 2.0 + 0.3).sin() / 3.0 - 0.7).tanh() / 0.7;
}

const PAIRS: &[&[&[usize]]] = &[
    &[&[], &[]],
    &[&[3], &[3]],
    &[&[3, 5], &[3, 5]],
    &[&[3, 1], &[5]],
    &[&[], &[4, 60]],
    &[&[2, 1, 130], &[3, 1]],
    &[&[3, 0, 2], &[1, 2]],
];

twins! { functions_of_two_elements on PAIRS, 2:
    add |x, y| x + y;
    sub |x, y| x - y;
    mul |x, y| x * y;
    div |x, y| x / y;
    pow |x, y| x.pow(other(&y));
    maximum |x, y| x.maximum(other(&y));
    minimum |x, y| x.minimum(other(&y));
}

/// Converts a reference to an operand: tensors are borrowed, variables are copied.
trait Other {
    type As;
    fn operand(self) -> Self::As;
}
impl<'a, T: Float> Other for &'a &'a Tensor<T> {
    type As = &'a Tensor<T>;
    fn operand(self) -> &'a Tensor<T> {
        self
    }
}
impl<'t, T: Float> Other for &Var<'t, T> {
    type As = Var<'t, T>;
    fn operand(self) -> Var<'t, T> {
        *self
    }
}
fn other<X: Other>(x: X) -> X::As {
    x.operand()
}

const LINES: &[&[&[usize]]] = &[
    &[&[1]],
    &[&[7]],
    &[&[300]],
    &[&[1, 1]],
    &[&[3, 5]],
    &[&[1, 90]],
    &[&[90, 1]],
    &[&[40, 33]],
    &[&[2, 3, 4]],
    &[&[5, 1, 40]],
    &[&[35, 6, 40]],
    &[&[70_001]],
    &[&[300, 120]],
    &[&[1200, 33]],
    &[&[3, 70, 180]],
];

twins! { reductions on LINES, 1:
    sum_all |x| x.sum(&[], false);
    sum_first |x| x.sum(&[0], false);
    sum_first_kept |x| x.sum(&[0], true);
    sum_last |x| x.sum(&[-1], true);
    sum_to |x| x.sum_to(&[1]);
    mean_of_all |x| x.mean(&[], true);
    mean_first |x| x.mean(&[0], false);
    mean_last |x| x.mean(&[-1], true);
    max_first |x| x.max(&[0], true);
    max_last |x| x.max(&[-1], false);
    max_of_all |x| x.max(&[], false);
    min_first |x| x.min(&[0], false);
    min_last |x| x.min(&[-1], true);
    min_of_all |x| x.min(&[], true);
    logsumexp_first |x| x.logsumexp(&[0], true);
    logsumexp_last |x| x.logsumexp(&[-1], false);
    logsumexp_of_all |x| x.logsumexp(&[], false);
    log_softmax_first |x| x.log_softmax(0);
    log_softmax_last |x| x.log_softmax(-1);
    softmax_first |x| x.softmax(0);
    softmax_last |x| x.softmax(-1);
    sum_of_products |x| (x * 0.3 + 1.7).sum(&[0], false);
    mean_of_products |x| (x * 0.3 + 1.7).mean(&[-1], true);
    sum_of_sines |x| (x * 0.3).sin().sum(&[], false);
}

/// Shapes with three axes, for reductions over two of them.
const BLOCKS: &[&[&[usize]]] = &[
    &[&[2, 3, 4]],
    &[&[1, 3, 1]],
    &[&[35, 6, 40]],
    &[&[0, 3, 2]],
    &[&[2, 0, 3]],
    &[&[3, 70, 180]],
];

twins! { reductions_over_two_axes on BLOCKS, 1:
    sum_outer |x| x.sum(&[0, 2], false);
    sum_inner |x| x.sum(&[1, 2], true);
    sum_to |x| x.sum_to(&[x.shape()[1], 1]);
    mean |x| x.mean(&[0, -1], true);
    mean_first |x| x.mean(&[0], true);
    mean_middle |x| x.mean(&[1], false);
    log_softmax |x| x.log_softmax(1);
    sum_of_products |x| (x * 0.3 - 1.7).sum(&[0, 2], true);
}

twins! { sums_into_places on &[&[&[3, 5], &[3, 5]], &[&[2, 90], &[2, 90]]], 2:
    scatter_add |x, y| x.scatter_add(1, &Tensor::from_fn(&[2, 5], |i| (i * i % 3) as i64), other(&y));
}

const IMAGES: &[&[&[usize]]] = &[&[&[2, 4, 6]], &[&[1, 3, 5, 7]], &[&[2, 3, 9, 4]]];

twins! { axes_and_layouts on IMAGES, 1:
    broadcast_to |x| x.unsqueeze(0).broadcast_to(&[&[2], &x.shape()[..]].concat());
    its_own_shape |x| x.broadcast_to(&x.shape());
    reshape |x| x.reshape(&[-1]);
    flatten |x| x.flatten(-2, -1);
    transpose |x| x.transpose(0, -1);
    t |x| x.t();
    squeeze |x| x.unsqueeze(1).squeeze(1);
    narrow |x| x.narrow(-1, 1, 3);
    flip |x| x.flip(-1);
    first_chunk |x| x.chunk(-1, 3).swap_remove(0);
    last_chunk |x| x.chunk(1, 2).swap_remove(1);
    slice |x| x.slice(-1, None, None, -2);
    pad_mode |x| x.pad_mode(&padding(x.shape().len()), PadMode::Reflect);
    pad_zeros |x| x.pad_mode(&padding(x.shape().len()), PadMode::Zeros);
    pad_around |x| x.pad_mode(&padding(x.shape().len()), PadMode::Circular);
    interpolate |x| x.interpolate(&Interpolate::size([7, 5]).bilinear());
    interpolate_nothing |x| x.interpolate(&Interpolate::scale(1.0));
    interpolate_nearest |x| x.interpolate(&Interpolate::scales([0.7, 1.5]));
    unfold |x| x.unfold(2, &Conv::new().padding(1));
    fold |x| x.unfold(2, &Conv::new()).fold([x.shape()[x.shape().len() - 2], x.shape()[x.shape().len() - 1]], 2, &Conv::new());
    map_axis |x| x.map_axis(-1, &AxisMap::new(x.shape()[x.shape().len() - 1], [vec![(0, 0.3), (1, -1.1)], vec![]]));
    max_pool |x| x.max_pool2d(&Pool::new(2));
    max_pool_with_indices |x| x.max_pool2d_with_indices(&Pool::new(2).stride(1)).0;
    avg_pool |x| x.avg_pool2d(&Pool::new([2, 3]).padding([1, 0]));
    max_pool1d |x| x.max_pool1d(&Pool::new(2));
    avg_pool1d |x| x.avg_pool1d(&Pool::new(2).stride(1));
    adaptive_max1d |x| x.adaptive_max_pool1d(3);
    adaptive_avg1d |x| x.adaptive_avg_pool1d(3);
    adaptive_max_with_indices |x| x.adaptive_max_pool2d_with_indices([2, 3]).0;
    adaptive_max |x| x.adaptive_max_pool2d([2, 3]);
    adaptive_avg |x| x.adaptive_avg_pool2d([2, 3]);
    global_average |x| x.adaptive_avg_pool2d(1);
    own_average |x| x.adaptive_avg_pool2d([x.shape()[x.shape().len() - 2], x.shape()[x.shape().len() - 1]]);
}

fn padding(rank: usize) -> Vec<(usize, usize)> {
    let mut around = vec![(0, 0); rank];
    around[rank - 1] = (2, 1);
    around[rank - 2] = (0, 3);
    around
}

const MATRICES: &[&[&[usize]]] = &[
    &[&[3, 5], &[5, 4]],
    &[&[1, 70], &[70, 33]],
    &[&[2, 3, 4], &[4, 5]],
    &[&[5], &[5]],
    &[&[3, 4], &[4]],
    &[&[2, 1, 3, 4], &[3, 4, 2]],
];

twins! { matrix_products on MATRICES, 2:
    matmul |x, y| x.matmul(other(&y));
}

const PLANES: &[&[&[usize]]] = &[&[&[2, 3, 6, 7], &[4, 3, 3, 2]], &[&[1, 3, 5, 5], &[2, 3, 1, 1]]];

twins! { convolutions on PLANES, 2:
    conv2d |x, w| x.conv2d(other(&w), None, &Conv::new().padding(1));
}

const TRANSPOSED: &[&[&[usize]]] =
    &[&[&[2, 4, 6, 7], &[4, 3, 3, 2]], &[&[1, 3, 5, 5], &[3, 2, 1, 1]]];

twins! { transposed_convolutions on TRANSPOSED, 2:
    plain |x, w| x.conv_transpose2d(other(&w), None, &Conv::new(), [0, 0]);
    strided |x, w| x.conv_transpose2d(other(&w), None, &Conv::new().stride(2), [1, 0]);
}

const SIGNALS: &[&[&[usize]]] =
    &[&[&[2, 3, 9], &[4, 3, 3], &[4]], &[&[1, 3, 50], &[1, 3, 1], &[1]]];

const SIGNALS_BACK: &[&[&[usize]]] =
    &[&[&[2, 4, 9], &[4, 3, 3], &[3]], &[&[1, 3, 50], &[3, 2, 1], &[2]]];

twins! { transposed_convolutions_of_signals on SIGNALS_BACK, 3:
    plain |x, w, b| x.conv_transpose1d(other(&w), Some(other(&b)), &Conv::new(), 0);
    strided |x, w, b| x.conv_transpose1d(other(&w), Some(other(&b)), &Conv::new().stride(2), 1);
}

twins! { convolutions_of_signals on SIGNALS, 3:
    conv1d |x, w, b| x.conv1d(other(&w), Some(other(&b)), &Conv::new().padding(1));
}

/// Methods with the same name whose operands have other types, such as numbers, masks or indices.
#[test]
#[allow(clippy::too_many_lines)] // a table
fn those_with_other_operands() {
    fn run<T: Float>() {
        for policy in [Policy::Eager, Policy::Fused] {
            for (about, x) in layouts_of::<T>(&[4, 6], 0) {
                let tape = Tape::<T>::new().with_policy(policy);
                let v = tape.watch(x.clone());
                for value in [0.0, -0.0, 7.25, 0.1, 1e9, f64::INFINITY, f64::NEG_INFINITY, f64::NAN]
                {
                    for around in [[(0, 0), (1, 2)], [(2, 0), (0, 1)], [(0, 0), (0, 0)]] {
                        let wanted = x.pad(&around, value);
                        assert_same("pad", about, &wanted, &v.pad(&around, value).value());
                    }
                    let flags = Tensor::from_fn(&[4, 6], |i| i % 3 == 1);
                    let mask = tape.mask(flags.clone());
                    let wanted = x.masked_fill(&flags, value);
                    assert_same("masked_fill", about, &wanted, &v.masked_fill(mask, value).value());
                }
                let flags = Tensor::from_fn(&[4, 6], |i| i % 3 == 1);
                let mask = tape.mask(flags.clone());
                let wanted = Tensor::where_(&flags, &x, &(&x * 2.0));
                assert_same("where_", about, &wanted, &Var::where_(mask, v, v * 2.0).value());
                for axes in [&[][..], &[0], &[-1], &[0, 1]] {
                    for c in [0, 1, 5] {
                        let wanted = x.var(axes, false, c);
                        assert_same("var", about, &wanted, &v.var(axes, false, c).value());
                    }
                }
                assert_same(
                    "sum_all",
                    about,
                    &Tensor::scalar_of(x.sum_all()),
                    &v.sum_all().value(),
                );
                assert_same(
                    "mean_all",
                    about,
                    &Tensor::scalar_of(T::of(x.mean_all())),
                    &v.mean_all().value(),
                );
                let index = Tensor::from([2i64, 0, 2]);
                let wanted = x.index_select(1, &index);
                assert_same("index_select", about, &wanted, &v.index_select(1, &index).value());
                let places = Tensor::from_fn(&[4, 2], |i| (i * 5 % 6) as i64);
                assert_same("gather", about, &x.gather(1, &places), &v.gather(1, &places).value());
                let source = &x.narrow(1, 1, 2);
                let wanted = x.scatter_add(1, &places, source);
                let got = v.scatter_add(1, &places, v.narrow(1, 1, 2));
                assert_same("scatter_add", about, &wanted, &got.value());
                let joined = Tensor::concat(&[&x, &x], 1);
                assert_same("concat", about, &joined, &Var::concat(&[v, v], 1).value());
                assert_same("concat of one", about, &x, &Var::concat(&[v], 0).value());
                let stacked = Tensor::stack(&[&x, &x], 1);
                assert_same("stack", about, &stacked, &Var::stack(&[v, v], 1).value());
                for (a, b) in x.split(1, &[1, 3, 2]).iter().zip(v.split(1, &[1, 3, 2])) {
                    assert_same("split", about, a, &b.value());
                }
                for (c, flags) in [(0.1, x.gt(0.1)), (1.0, x.gt(1.0))] {
                    assert_eq!(flags, v.gt(c).value(), "gt, {about}");
                }
                assert_eq!(x.le(0.1), v.le(0.1).value(), "le, {about}");
                assert_eq!(x.eq(1.0), v.eq(1.0).value(), "eq, {about}");
                assert_eq!(x.ge(1), v.ge(1).value(), "ge, {about}");
                assert_eq!(x.lt(0), v.lt(0).value(), "lt, {about}");
                assert_eq!(x.ne(-1), v.ne(-1).value(), "ne, {about}");
                let (y, u) = (x.flip(1), v.flip(1));
                for (name, a, b) in [
                    ("gt", x.gt(&y), v.gt(u)),
                    ("ge", x.ge(&y), v.ge(u)),
                    ("lt", x.lt(&y), v.lt(u)),
                    ("le", x.le(&y), v.le(u)),
                    ("eq", x.eq(&y), v.eq(u)),
                    ("ne", x.ne(&y), v.ne(u)),
                ] {
                    assert_eq!(a, b.value(), "{name}, {about}");
                    assert_same(name, about, &a.cast(), &b.cast().value());
                }
                let wanted = Tensor::where_(&flags, 0.1, &x);
                assert_same("where_", about, &wanted, &Var::where_(mask, 0.1, v).value());
                let wanted = x.masked_fill(&flags, &y);
                assert_same("masked_fill", about, &wanted, &v.masked_fill(mask, u).value());
                let wanted = x.pad(&[(1, 0), (0, 2)], Tensor::scalar_of(T::of(0.1)));
                let value = tape.full((), 0.1);
                assert_same("pad", about, &wanted, &v.pad(&[(1, 0), (0, 2)], value).value());
                assert_eq!((x.rank(), x.size(-1), x.numel()), (v.rank(), v.size(-1), v.numel()));
                assert_eq!(x.dtype(), v.dtype());
                assert_eq!(x.mean_all().to_bits(), v.mean_all().item().to_bits(), "{about}");
            }
            for (about, x) in layouts_of::<T>(&[35, 6, 40], 5) {
                let tape = Tape::<T>::new().with_policy(policy);
                let v = tape.constant(x.clone());
                for axes in [&[][..], &[0], &[-1], &[1], &[0, 2], &[1, 2]] {
                    let wanted = x.var(axes, true, 1);
                    assert_same("var", about, &wanted, &v.var(axes, true, 1).value());
                }
                assert_same(
                    "sum_all",
                    about,
                    &Tensor::scalar_of(x.sum_all()),
                    &v.sum_all().value(),
                );
                assert_same(
                    "mean_all",
                    about,
                    &Tensor::scalar_of(T::of(x.mean_all())),
                    &v.mean_all().value(),
                );
            }
        }
    }
    run::<f32>();
    run::<f64>();
}

/// Quotients are rounded once. A product with 1/c would be rounded twice, and would be infinite for the
/// smallest c: x/x would not be 1.
#[test]
fn quotients_are_rounded_once() {
    let tape = Tape::<f64>::new();
    for n in 1..1000 {
        let c = f64::from(n);
        let x = tape.constant(Tensor::scalar_of(c));
        assert_eq!((x / c).item(), 1.0, "{n} / {n}");
        assert_eq!((c / x).item(), 1.0, "{n} / {n}");
    }
    for (a, b) in [(1e-310, 1e-310), (49.0, 49.0), (1e300, 1e-8), (5e-324, 5e-324), (1e308, 3e-310)]
    {
        let x = tape.constant(Tensor::scalar_of(a));
        assert_eq!((x / b).item(), a / b);
        let y = tape.constant(Tensor::scalar_of(b));
        assert_eq!((a / y).item(), a / b);
    }
    let single = Tape::<f32>::new();
    for n in 1..1000 {
        let x = single.constant(Tensor::scalar(f64::from(n)));
        assert_eq!((x / f64::from(n)).item(), 1.0, "{n} / {n} in f32");
    }
    let tiny = 1e-39f32;
    let x = single.constant(Tensor::scalar_of(tiny));
    assert_eq!((1e-10 / x).item(), f64::from(1e-10f32 / tiny));
    // The rule divides the cotangent, too.
    let x = tape.watch(Tensor::scalar_of(1e-310));
    assert_eq!((x / 49.0).grad(&[x])[0].item(), 1.0 / 49.0);
}

#[test]
fn the_mean_of_ones_is_one() {
    for n in 1..400 {
        for policy in [Policy::Eager, Policy::Fused] {
            let tape = Tape::<f64>::new().with_policy(policy);
            let ones = tape.watch(Tensor::ones_of(&[n]));
            assert_eq!(ones.mean_all().item(), 1.0, "{n}");
            assert_eq!(ones.mean(&[0], false).item(), 1.0, "{n}");
            assert_eq!((2.0 * ones).mean_all().item(), 2.0, "{n}");
            let single = Tape::<f32>::new().with_policy(policy);
            assert_eq!(single.ones(&[n, 2]).mean(&[0], false).value().to_vec(), [1.0; 2], "{n}");
        }
        if n > 100 {
            continue;
        }
        // The means of pooling windows are 1, too, along both axes.
        for x in [Tensor::<f32>::ones_of(&[1, 2, 2 * n]), Tensor::ones_of(&[1, 3, n + 1])] {
            let pool = Pool::new([1, n]).stride(1);
            assert!(x.avg_pool2d(&pool).to_vec().iter().all(|&y| y == 1.0), "{n}");
            let pool = Pool::new([n, 1]).stride(1);
            assert!(x.t().avg_pool2d(&pool).to_vec().iter().all(|&y| y == 1.0), "{n}");
            assert_eq!(x.adaptive_avg_pool2d([1, 2]).to_vec(), [1.0; 2], "{n}");
            let x = x.cast::<f64>();
            assert!(x.avg_pool2d(&Pool::new([1, n]).stride(1)).to_vec().iter().all(|&y| y == 1.0));
        }
    }
}

#[test]
fn padding_leaves_the_numbers_as_they_are() {
    let tape = Tape::<f64>::new();
    let x = tape.watch(Tensor::from([0.1, 0.2]));
    assert_eq!(x.pad(&[(0, 1)], 1e9).value().to_vec(), [0.1, 0.2, 1e9]);
    let endless = x.pad(&[(1, 1)], f64::NEG_INFINITY);
    assert_eq!(endless.value().to_vec(), [f64::NEG_INFINITY, 0.1, 0.2, f64::NEG_INFINITY]);
    let w = tape.constant(Tensor::from([1.0, 2.0, 3.0, 4.0]));
    assert_eq!((endless.exp() * w).sum_all().grad(&[endless])[0].value().to_vec()[0], 0.0);
    let slope = (x.pad(&[(1, 1)], 1e9) * w).sum_all().grad(&[x])[0];
    assert_eq!(slope.value().to_vec(), [2.0, 3.0]);
}

/// Dropout multiplies by 1/(1 - p) with p in f64, not rounded to f32.
#[test]
fn dropout_divides_by_what_was_given() {
    for p in [0.1, 0.3, 0.5, 0.9, 1e-12] {
        let mut rng = wengert_tensor::Philox::new(4);
        let tape = Tape::<f64>::train(&mut rng);
        let x = tape.watch(Tensor::full_of(&[4000], 3.0));
        let y = x.dropout(p);
        let kept = y.value().to_vec().into_iter().filter(|&y| y != 0.0).collect::<Vec<_>>();
        assert!(!kept.is_empty() && kept.iter().all(|&y| y == 3.0 / (1.0 - p)), "{p}");
        let slope = y.sum_all().grad(&[x])[0].value().to_vec();
        assert!(slope.iter().all(|&g| g == 0.0 || g == 1.0 / (1.0 - p)), "{p}");
    }
}

/// A view of few elements of a large value is copied in the order of the memory. Its sums therefore have the
/// rounding errors of the tensor's sums.
#[test]
fn few_elements_of_a_large_value_are_summed_as_the_tensors() {
    let x = Tensor::<f64>::from_fn(&[3, 4], |i| (i as f64 * 1.7 + 0.3).sin() / 3.0);
    let mut compared = 0;
    for start in 0..3 {
        for policy in [Policy::Eager, Policy::Fused] {
            let tape = Tape::<f64>::new().with_policy(policy);
            let v = tape.watch(x.clone());
            let part = x.t().narrow(0, start, 2);
            let of_v = v.t().narrow(0, start, 2);
            assert_same("sum", "few", &part.sum(&[], false), &of_v.sum_all().value());
            assert_same("mean", "few", &part.mean(&[], false), &of_v.mean_all().value());
            let flipped = part.slice(0, None, None, -1).logsumexp(&[], false);
            let of_v = of_v.slice(0, None, None, -1).logsumexp(&[], false);
            assert_same("logsumexp", "few", &flipped, &of_v.value());
            compared += 1;
        }
    }
    assert_eq!(compared, 6);
}
