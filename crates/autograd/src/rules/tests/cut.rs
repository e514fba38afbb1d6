//! Every variable of a user is a valid target of `grad` and is distinct from other variables: no
//! operation returns its operand. The gradient with respect to a variable must be the effect of adding a
//! small number to it and recomputing the later operations.

use super::{Row, any, every_row, spread, weighted};
use crate::graph::{Op, Tape, Var};
use std::collections::BTreeSet;
use wengert_tensor::{
    AxisMap, Binary, Conv, Interpolate, PadMode, Pool, ScatterReduce, Tensor, Unary, VolumeConv,
    VolumePool,
};

type Method = for<'t> fn(Var<'t, f64>) -> Vec<Var<'t, f64>>;

macro_rules! methods {
    ($($name:ident: |$x:ident| $($y:expr),+;)*) => {
        &[$((stringify!($name), (|$x| vec![$($y),+]) as Method)),*]
    };
}

/// Returns the index of a single element: 0.
fn first() -> Tensor<i64> {
    Tensor::zeros_of(&[1, 1, 1])
}

/// Every method that returns variables, with arguments for which it has as little to do as possible. `x`
/// has the shape [1, 1, 1]. The methods that record one pointwise operation are those of `Unary::ALL` and
/// `Binary::ALL`.
const METHODS: &[(&str, Method)] = methods! {
    powi: |x| x.powi(1), x.powi(0);
    powf: |x| x.powf(1.0), x.powf(0.0);
    square: |x| x.square();
    lerp: |x| x.lerp(x, 0.0), x.lerp(x, 1.0), x.lerp(0.0, x);
    nan_to_num: |x| x.nan_to_num(0.0, None, None);
    clamp_min: |x| x.clamp_min(f64::NEG_INFINITY);
    clamp_max: |x| x.clamp_max(f64::INFINITY);
    clamp: |x| x.clamp(f64::NEG_INFINITY, f64::INFINITY);
    gt: |x| x.gt(0.0).numbers(), x.gt(x).numbers();
    ge: |x| x.ge(0.0).numbers(), x.ge(x).numbers();
    lt: |x| x.lt(0.0).numbers(), x.lt(x).numbers();
    le: |x| x.le(0.0).numbers(), x.le(x).numbers();
    eq: |x| x.eq(0.0).numbers(), x.eq(x).numbers();
    ne: |x| x.ne(0.0).numbers(), x.ne(x).numbers();
    and: |x| x.gt(0).and(x.gt(0)).numbers(), x.gt(0).and(Tensor::from([true])).numbers();
    or: |x| x.gt(0).or(x.gt(0)).numbers(), x.gt(0).or(Tensor::from([true])).numbers();
    xor: |x| x.gt(0).xor(x.gt(0)).numbers(), x.gt(0).xor(Tensor::from([true])).numbers();
    not: |x| x.gt(0).not().numbers();
    any: |x| x.gt(0).any(&[0], true).numbers();
    all: |x| x.gt(0).all(&[0], true).numbers();
    cast: |x| x.gt(0).cast();
    pow: |x| x.pow(x), x.pow(1), x.pow(0), x.pow(1.0);
    maximum: |x| x.maximum(x), x.maximum(f64::NEG_INFINITY);
    minimum: |x| x.minimum(x), x.minimum(f64::INFINITY);
    where_: |x| Var::where_(x.gt(0), x, x), Var::where_(x.gt(0), x, 0), Var::where_(x.le(0), 0, x), Var::where_(Tensor::from([true]), x, x);
    masked_fill: |x| x.masked_fill(x.le(0), 1.0), x.masked_fill(Tensor::from([false]), x), (0.0 * x).masked_fill(x.gt(0), x);
    broadcast_to: |x| x.broadcast_to(&[1, 1, 1]);
    reshape: |x| x.reshape(&[1, 1, 1]), x.reshape(&[-1, 1, 1]);
    flatten: |x| x.flatten(0, 0), x.flatten(0, -1);
    permute: |x| x.permute(&[0, 1, 2]);
    transpose: |x| x.transpose(0, 0);
    t: |x| x.t();
    squeeze: |x| x.squeeze(0), x.squeeze(0).unsqueeze(0);
    unsqueeze: |x| x.unsqueeze(0);
    narrow: |x| x.narrow(0, 0, 1);
    slice: |x| x.slice(0, None, None, 1);
    flip: |x| x.flip(0), x.flip([0, 1]), x.flip(());
    chunk: |x| x.chunk(0, 1)[0];
    pad: |x| x.pad(&[(0, 0); 3], x), x.pad(&[(0, 0); 3], 0.0), x.pad(&[(0, 0); 3], 7.0);
    concat: |x| Var::concat(&[x], 0);
    stack: |x| Var::stack(&[x], 0);
    split: |x| x.split(0, &[1])[0];
    sum: |x| x.sum(&[0], true), x.sum(&[], true), x.sum(&[1], false), x.squeeze(0).sum(&[0], true);
    sum_all: |x| x.sum_all(), x.sum_all().sum_all();
    mean: |x| x.mean(&[0], true), x.mean(&[], true), x.mean(&[1], false);
    mean_all: |x| x.mean_all();
    max: |x| x.max(&[0], true), x.max(&[], true), x.max(&[0], false);
    min: |x| x.min(&[0], true), x.min(&[], true), x.min(&[0], false);
    var: |x| x.var(&[0], true, 0), x.var(&[], true, 0);
    logsumexp: |x| x.logsumexp(&[0], true), x.logsumexp(&[], true), x.logsumexp(&[0], false);
    sum_to: |x| x.sum_to(&[1, 1, 1]);
    std: |x| x.std(&[0], true, 0), x.std(&[], true, 0);
    var_mean: |x| x.var_mean(&[0], true, 0).0, x.var_mean(&[0], true, 0).1;
    norm: |x| x.norm(1.0, &[0], true), x.norm(2.0, &[0], true), x.norm(3.0, &[0], true), x.norm(0.0, &[0], true), x.norm(f64::INFINITY, &[0], true), x.norm(f64::NEG_INFINITY, &[0], true);
    prod: |x| x.prod(&[0], true), x.prod(&[], true), x.prod(&[1], false);
    cumsum: |x| x.cumsum(0);
    cumprod: |x| x.cumprod(0);
    logcumsumexp: |x| x.logcumsumexp(0);
    cummax: |x| x.cummax(0).0;
    cummin: |x| x.cummin(0).0;
    sort: |x| x.sort(0, false).0, x.sort(0, true).0;
    topk: |x| x.topk(0, 1, true).0;
    kthvalue: |x| x.kthvalue(0, 1, true).0;
    median: |x| x.median(0, true).0;
    mode: |x| x.mode(0, true).0;
    quantile: |x| x.quantile(0, 0.5, true);
    quantiles: |x| x.quantiles(0, &[0.5], false);
    max_with_indices: |x| x.max_with_indices(0, true).0;
    min_with_indices: |x| x.min_with_indices(0, true).0;
    select: |x| x.select(0, 0).unsqueeze(0), x.select(0, -1).unsqueeze(0);
    unbind: |x| x.unbind(0)[0].unsqueeze(0);
    roll: |x| x.roll(0, 0), x.roll(0, 1), x.roll((), ());
    repeat: |x| x.repeat([1, 1, 1]);
    tile: |x| x.tile(1);
    expand: |x| x.expand([-1, -1, 1]);
    meshgrid: |x| Var::meshgrid(&[x.reshape(-1)])[0].reshape([1, 1, 1]);
    tril: |x| x.tril(0);
    triu: |x| x.triu(0);
    diagonal: |x| x.diagonal(0, 0, 1).unsqueeze(0);
    diag: |x| x.squeeze(0).diag(0).reshape([1, 1, 1]), x.reshape(-1).diag(0).unsqueeze(0);
    kron: |x| x.kron(x);
    einsum: |x| Var::einsum("ijk->ijk", &[x]), Var::einsum("...", &[x]), Var::einsum("ijk,ijk->ijk", &[x, x]);
    tensordot: |x| x.tensordot(x.reshape(-1), &[2], &[0]).unsqueeze(2);
    trace: |x| x.trace().reshape([1, 1, 1]);
    outer: |x| x.reshape(-1).outer(x.reshape(-1)).unsqueeze(0);
    dot: |x| x.reshape(-1).dot(x.reshape(-1)).reshape([1, 1, 1]);
    mv: |x| x.squeeze(0).mv(x.reshape(-1)).reshape([1, 1, 1]);
    bmm: |x| x.bmm(x);
    addmm: |x| x.squeeze(0).addmm(x.squeeze(0), x.squeeze(0), 1.0, 0.0), x.squeeze(0).addmm(x.squeeze(0), x.squeeze(0), 0.0, 1.0);
    baddbmm: |x| x.baddbmm(x, x, 1.0, 0.0), x.baddbmm(x, x, 0.0, 1.0);
    dropout: |x| x.dropout(0.0), x.dropout(0.5);
    pad_mode: |x| x.pad_mode(&[(0, 0); 3], PadMode::Reflect), x.pad_mode(&[(0, 0); 3], PadMode::Zeros);
    interpolate: |x| x.interpolate(&Interpolate::size(1)), x.interpolate(&Interpolate::scale(1.0).bilinear());
    unfold: |x| x.unfold(1, &Conv::new());
    fold: |x| x.fold([1, 1], 1, &Conv::new());
    log_softmax: |x| x.log_softmax(0);
    layer_norm: |x| x.layer_norm(1, None, None, 1.0), x.layer_norm(3, Some(x), Some(x), 1.0);
    softmax: |x| x.softmax(0);
    map_axis: |x| x.map_axis(0, &AxisMap::new(1, [[(0, 1.0)]]));
    map_axis_transposed: |x| x.map_axis_transposed(0, &AxisMap::new(1, [[(0, 1.0)]]));
    index_select: |x| x.index_select(0, Tensor::from([0i64]));
    gather: |x| x.gather(0, first());
    scatter_add: |x| x.scatter_add(0, first(), 0.0 * x);
    scatter: |x| x.scatter(0, first(), x);
    scatter_reduce: |x| x.scatter_reduce(0, first(), x, ScatterReduce::Max, true), x.scatter_reduce(0, first(), x, ScatterReduce::Product, false);
    index_add: |x| x.index_add(0, Tensor::from([0i64]), 0.0 * x);
    index_put: |x| x.index_put(&[Tensor::from([0i64])], x, false), x.index_put(&[first()], 0.0 * x, true);
    max_pool2d: |x| x.max_pool2d(&Pool::new(1));
    max_pool2d_with_indices: |x| x.max_pool2d_with_indices(&Pool::new(1)).0;
    adaptive_max_pool2d: |x| x.adaptive_max_pool2d(1);
    adaptive_max_pool2d_with_indices: |x| x.adaptive_max_pool2d_with_indices(1).0;
    max_unpool2d: |x| x.max_unpool2d(first(), 1);
    max_pool1d: |x| x.max_pool1d(&Pool::new(1));
    max_pool1d_with_indices: |x| x.max_pool1d_with_indices(&Pool::new(1)).0;
    adaptive_max_pool1d_with_indices: |x| x.adaptive_max_pool1d_with_indices(1).0;
    max_unpool1d: |x| x.max_unpool1d(first(), 1);
    max_pool3d: |x| x.unsqueeze(0).max_pool3d(&VolumePool::new(1)).squeeze(0);
    max_pool3d_with_indices: |x| x.unsqueeze(0).max_pool3d_with_indices(&VolumePool::new(1)).0.squeeze(0);
    adaptive_max_pool3d: |x| x.unsqueeze(0).adaptive_max_pool3d(1).squeeze(0);
    adaptive_max_pool3d_with_indices: |x| x.unsqueeze(0).adaptive_max_pool3d_with_indices(1).0.squeeze(0);
    max_unpool3d: |x| x.unsqueeze(0).max_unpool3d(first().unsqueeze(0), 1).squeeze(0);
    avg_pool3d: |x| x.unsqueeze(0).avg_pool3d(&VolumePool::new(1)).squeeze(0);
    adaptive_avg_pool3d: |x| x.unsqueeze(0).adaptive_avg_pool3d(1).squeeze(0);
    avg_pool2d: |x| x.avg_pool2d(&Pool::new(1));
    avg_pool1d: |x| x.avg_pool1d(&Pool::new(1));
    adaptive_avg_pool2d: |x| x.adaptive_avg_pool2d(1), x.unsqueeze(0).adaptive_avg_pool2d(1);
    adaptive_avg_pool1d: |x| x.adaptive_avg_pool1d(1);
    adaptive_max_pool1d: |x| x.adaptive_max_pool1d(1);
    matmul: |x| x.matmul(x);
    matmul_t: |x| x.matmul_t(x, true, true);
    conv2d: |x| x.unsqueeze(0).conv2d(x.unsqueeze(0), None, &Conv::new());
    conv1d: |x| x.conv1d(x, None, &Conv::new());
    conv3d: |x| x.reshape([1; 5]).conv3d(x.reshape([1; 5]), None, &VolumeConv::new()).reshape([1; 3]);
    conv_transpose3d: |x| x.reshape([1; 5]).conv_transpose3d(x.reshape([1; 5]), None, &VolumeConv::new(), [0; 3]).reshape([1; 3]);
    conv_transpose2d: |x| x.unsqueeze(0).conv_transpose2d(x.unsqueeze(0), None, &Conv::new(), [0, 0]);
    conv_transpose1d: |x| x.conv_transpose1d(x, None, &Conv::new(), 0);
    detach: |x| x.detach();
    operators: |x| x + 0.0, x - 0.0, x * 1.0, x / 1.0, 0.0 + x, 1.0 * x, -x, x + x, x - 2.0 * x, x * x, x / (2.0 * x);
};

/// Returns the names of public methods of `Var` in the sources that return variables.
fn methods_in_the_sources() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in [
        include_str!("../unary.rs"),
        include_str!("../binary.rs"),
        include_str!("../view.rs"),
        include_str!("../reduce.rs"),
        include_str!("../norms.rs"),
        include_str!("../order.rs"),
        include_str!("../rearrange.rs"),
        include_str!("../scan.rs"),
        include_str!("../random.rs"),
        include_str!("../resample.rs"),
        include_str!("../softmax.rs"),
        include_str!("../map_axis.rs"),
        include_str!("../index.rs"),
        include_str!("../pool.rs"),
        include_str!("../put.rs"),
        include_str!("../matmul.rs"),
        include_str!("../einsum.rs"),
        include_str!("../products.rs"),
        include_str!("../conv.rs"),
        include_str!("../../graph/var.rs"),
        include_str!("../logic.rs"),
    ] {
        let mut rest = source;
        while let Some(at) = rest.find("    pub fn ") {
            rest = &rest[at + "    pub fn ".len()..];
            let name: String =
                rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let signature = &rest[..rest.find('{').unwrap_or(rest.len())];
            let result = signature.rsplit("-> ").next().unwrap_or_default();
            let takes = ["self", "parts: &[Self]", "operands: &[Self]", "condition: impl IntoMask"]
                .iter()
                .any(|it| signature.contains(it));
            if takes && !name.is_empty() && result.contains("Self") {
                found.insert(name);
            }
        }
        // The rows of the macros: `Op as name;`, `Op as name(k: f64);`.
        let blocks = source.split("\nmethods! {").skip(1);
        for block in blocks.chain(source.split("\ncomparisons! {").skip(1)) {
            let rows = block.split("\n}").next().unwrap_or_default();
            for row in rows.lines().map(str::trim).filter(|row| !row.starts_with("///")) {
                let Some((_, name)) = row.split_once(" as ") else { continue };
                let end = |c: char| !(c.is_alphanumeric() || c == '_');
                found.insert(name[..name.find(end).unwrap_or(name.len())].to_string());
            }
        }
    }
    found.remove("");
    found
}

#[test]
fn the_list_of_methods_is_complete() {
    let listed: BTreeSet<String> = METHODS.iter().map(|(name, _)| (*name).to_string()).collect();
    let missing: Vec<_> = methods_in_the_sources().difference(&listed).cloned().collect();
    assert!(missing.is_empty(), "not in METHODS: {missing:?}");
    assert!(METHODS.len() > 60);
}

/// Checks variables, constants and watched values, on tapes with and without history.
#[test]
fn no_method_returns_its_operand() {
    for (name, f) in METHODS {
        for tape in [Tape::<f64>::eval(), Tape::inference()] {
            let value = Tensor::full_of(&[1, 1, 1], 1.0);
            for x in [tape.watch(value.clone()), tape.constant(value)] {
                let x = [x, x + 0.5];
                for x in x {
                    for y in f(x) {
                        assert!(!y.is(x), "{name} returned its operand ({x:?})");
                    }
                }
            }
        }
    }
}

#[test]
fn no_pointwise_operation_returns_its_operand() {
    let tape = Tape::<f64>::eval();
    let x = tape.watch(Tensor::full_of(&[1, 1, 1], 1.0));
    for &op in Unary::ALL {
        assert!(!x.unary(op).is(x), "{op:?}");
    }
    for &op in Binary::ALL {
        assert!(!x.binary(op, x).is(x), "{op:?}");
    }
}

/// A method that has nothing to do returns a result that shares the operand's memory.
#[test]
fn methods_without_effect_share_the_memory_of_the_operand() {
    let tape = Tape::<f64>::eval();
    let x = tape.watch(any(&[1, 3, 4], 1));
    for y in [
        x.sum(&[0], true),
        x.max(&[0], true),
        x.logsumexp(&[0], true),
        x.sum_to(&[1, 3, 4]),
        x.broadcast_to(&[1, 3, 4]),
        x.pad(&[(0, 0); 3], 0.0),
        x.dropout(0.0),
        x.pad_mode(&[(0, 0); 3], PadMode::Reflect),
        x.detach(),
    ] {
        assert!(y.value().shares_storage(&x.value()), "{y:?}");
    }
}

type View = for<'t> fn(Var<'t, f64>) -> Var<'t, f64>;

/// Returns ways to compute a variable with these elements from a leaf with other elements. The row's
/// function then reads a view whose parent is also used directly.
fn origins(x: &Tensor<f64>) -> Vec<(&'static str, Tensor<f64>, View)> {
    let mut origins: Vec<(&'static str, Tensor<f64>, View)> = vec![
        ("itself, broadcast to its own shape", x.clone(), |x| x.broadcast_to(&x.shape())),
        ("the sum over an axis of size 1", x.unsqueeze(0), |x| x.sum(&[0], false)),
        ("padded by nothing", x.clone(), |x| x.pad(&vec![(0, 0); x.shape().rank()], 0.0)),
    ];
    if x.rank() >= 2 {
        origins.push(("transposed", x.t().contiguous(), |x| x.t()));
        let last: Vec<isize> = (1..x.rank() as isize).chain([0]).collect();
        origins.push(("permuted", x.permute(&last).contiguous(), |x| {
            let n = x.shape().rank() as isize;
            x.permute(&[n - 1].into_iter().chain(0..n - 1).collect::<Vec<_>>())
        }));
    }
    origins
}

/// The places at which a row's derivative can be cut: each input, and the output.
struct Cut {
    place: usize,
    added: Tensor<f64>,
}

fn loss<'t>(
    row: &Row,
    leaves: &[Var<'t, f64>],
    views: &[View],
    cut: Option<&Cut>,
) -> (Var<'t, f64>, Vec<Var<'t, f64>>) {
    let held: Vec<_> = leaves.iter().zip(views).map(|(&x, view)| view(x)).collect();
    let moved = |v: Var<'t, f64>, place: usize| match cut {
        Some(cut) if cut.place == place => v + v.tape().constant(cut.added.clone()),
        _ => v,
    };
    let moved_inputs: Vec<_> = held.iter().enumerate().map(|(i, &v)| moved(v, i)).collect();
    let y = row.run(&moved_inputs);
    let moved_y = moved(y, held.len());
    // The leaf, the view and the result are each used a second time.
    let by_itself = |v: &Var<'t, f64>| weighted(v.sin());
    let used = leaves.iter().chain(&moved_inputs).map(by_itself).fold(None, |sum, term| {
        Some(match sum {
            Some(sum) => sum + term,
            None => term,
        })
    });
    let loss = weighted(moved_y) + weighted(moved_y.square());
    (used.map_or(loss, |used| loss + used), held.into_iter().chain([y]).collect())
}

fn cut_everywhere(row: &Row) -> usize {
    let mut cuts = 0;
    let all: Vec<_> = row.inputs.iter().map(origins).collect();
    let ways = all.iter().map(Vec::len).max().unwrap_or(0);
    for way in 0..ways {
        let chosen: Vec<_> = all.iter().map(|origins| &origins[way % origins.len()]).collect();
        let views: Vec<View> = chosen.iter().map(|origin| origin.2).collect();
        let tape = Tape::new();
        let leaves: Vec<_> = chosen.iter().map(|origin| tape.watch(origin.1.clone())).collect();
        let (total, held) = loss(row, &leaves, &views, None);
        let slopes = total.grad_or_zero(&held);
        for (at, slope) in slopes.iter().enumerate() {
            let direction = spread(&slope.shape(), &[(-1.0, 1.0)], 40 + at as u64);
            let wanted: f64 = {
                let value = |h: f64| {
                    let tape = Tape::new();
                    let leaves: Vec<_> =
                        chosen.iter().map(|origin| tape.watch(origin.1.clone())).collect();
                    let cut = Cut { place: at, added: &direction * h };
                    loss(row, &leaves, &views, Some(&cut)).0.item()
                };
                let h = 1e-4;
                // Central differences of fourth order: the error of order h² is eliminated.
                (8.0 * (value(h) - value(-h)) - (value(2.0 * h) - value(-2.0 * h))) / (12.0 * h)
            };
            let slope = slope.value();
            let got = super::dot(&slope, &direction);
            let scale: f64 = slope.to_vec().iter().map(|g| g.abs()).sum();
            assert!(
                (got - wanted).abs() <= 1e-7 * scale.max(1.0),
                "{}, inputs {:?}, cut {at}: {got}, by differences {wanted}",
                row.name,
                chosen.iter().map(|origin| origin.0).collect::<Vec<_>>()
            );
            cuts += 1;
        }
    }
    cuts
}

fn cut_rows(wanted: impl Fn(Op) -> bool) -> usize {
    every_row(wanted).iter().map(cut_everywhere).sum()
}

#[test]
fn derivatives_of_pointwise_operations_by_their_results_are_right() {
    let cuts = cut_rows(|op| matches!(op, Op::Unary(_) | Op::Binary(_) | Op::Select));
    assert!(cuts > 600, "{cuts}");
}

#[test]
fn derivatives_of_views_and_reductions_by_their_results_are_right() {
    let cuts = cut_rows(|op| matches!(op, Op::View(_) | Op::Reduce(_) | Op::Softmax(_)));
    assert!(cuts > 450, "{cuts}");
}

#[test]
fn derivatives_of_index_operations_and_pools_by_their_results_are_right() {
    let cuts = cut_rows(|op| matches!(op, Op::Index(_) | Op::MapAxis(_)));
    assert!(cuts > 1000, "{cuts}");
}

#[test]
fn derivatives_of_all_other_operations_by_their_results_are_right() {
    let elsewhere = |op: &Op| {
        matches!(op, Op::Unary(_) | Op::Binary(_) | Op::Select | Op::View(_) | Op::Reduce(_))
            || matches!(op, Op::Softmax(_) | Op::Index(_) | Op::MapAxis(_))
    };
    let cuts = cut_rows(|op| !elsewhere(&op));
    assert!(cuts > 500, "{cuts}");
}

/// d/ds of Σ s·x treats x as a constant. The result is x and not 2 x, whatever operation made s from x.
#[test]
fn the_gradient_by_a_result_treats_its_operand_as_constant() {
    let x = Tensor::<f64>::from_fn(&[1, 3, 4], |i| 0.1 + 0.3 * i as f64);
    let ways: &[(&str, View)] = &[
        ("sum of an axis of 1", |x| x.sum(&[0], true)),
        ("mean of an axis of 1", |x| x.mean(&[0], true)),
        ("max of an axis of 1", |x| x.max(&[0], true)),
        ("min of an axis of 1", |x| x.min(&[0], true)),
        ("logsumexp of an axis of 1", |x| x.logsumexp(&[0], true)),
        ("broadcast_to its own shape", |x| x.broadcast_to(&[1, 3, 4])),
        ("sum_to its own shape", |x| x.sum_to(&[1, 3, 4])),
        ("pad by nothing", |x| x.pad(&[(0, 0); 3], 0.0)),
        ("pad_mode by nothing", |x| x.pad_mode(&[(0, 0); 3], PadMode::Circular)),
        ("dropout of nothing", |x| x.dropout(0.0)),
        ("dropout in evaluation", |x| x.dropout(0.5)),
        ("reshape", |x| x.reshape(&[1, 3, 4])),
        ("narrow", |x| x.narrow(1, 0, 3)),
        ("concat of one", |x| Var::concat(&[x], 0)),
        ("interpolate", |x| x.interpolate(&Interpolate::size([3, 4]))),
        ("average pools", |x| x.avg_pool2d(&Pool::new(1))),
        ("adaptive average pools", |x| x.adaptive_avg_pool2d([3, 4])),
        ("maximum pools", |x| x.max_pool2d(&Pool::new(1))),
        ("clamp", |x| x.clamp(-1e9, 1e9)),
    ];
    for (name, way) in ways {
        let tape = Tape::eval();
        let x = tape.watch(x.clone());
        let s = way(x);
        let slopes = (s * x).sum_all().grad(&[s, x]);
        assert_eq!(slopes[0].value().to_vec(), x.value().to_vec(), "{name}, by s");
        let both = x.value() * 2.0;
        assert_eq!(slopes[1].value().to_vec(), both.to_vec(), "{name}, by x");
    }
}
