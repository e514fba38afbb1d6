//! Compares scans, reductions, orders, rearrangements and scatters with PyTorch: values, first and second
//! derivatives. `tests/reference/operations.py` wrote the numbers, and says which they are.

use crate::reference_file::{ReferenceFile, compare_derivatives, ramp};
use wengert_autograd::{Policy, Tape, Var};
use wengert_tensor::{ScatterReduce, Tensor};

const INF: f64 = f64::INFINITY;

type Function = for<'t> fn(&[Var<'t, f64>], &Tensor<i64>) -> Var<'t, f64>;
type Case = (&'static str, &'static [&'static str], Function);

const X: &[&str] = &["x"];
const XY: &[&str] = &["x", "y"];
const ZEROS: &[&str] = &["zeros"];
const TIES: &[&str] = &["ties"];

const CASES: &[Case] = &[
    ("cumsum", X, |x, _| x[0].cumsum(1)),
    ("cumprod", X, |x, _| x[0].cumprod(2)),
    ("cumprod_zeros", ZEROS, |x, _| x[0].cumprod(1)),
    ("logcumsumexp", X, |x, _| x[0].logcumsumexp(0)),
    ("cummax", X, |x, _| x[0].cummax(2).0.sin()),
    ("cummin", TIES, |x, _| x[0].cummin(1).0.sin()),
    ("prod", X, |x, _| x[0].prod(&[1], false)),
    ("prod_all", X, |x, _| x[0].select(0, 0).narrow(0, 0, 2).prod(&[], false)),
    ("prod_zeros", ZEROS, |x, _| x[0].prod(&[1], false)),
    ("std", X, |x, _| x[0].std(&[0, 2], false, 1)),
    ("std_0", X, |x, _| x[0].std(&[1], true, 0)),
    ("var_mean", X, |x, _| Var::stack(&<[_; 2]>::from(x[0].var_mean(&[1], false, 1)), 0)),
    ("norm_0", ZEROS, |x, _| x[0].norm(0.0, &[1], false) + 0.0 * x[0].sum_all()),
    ("norm_1", X, |x, _| x[0].norm(1.0, &[0, 1], false)),
    ("norm_2", X, |x, _| x[0].norm(2.0, &[2], false)),
    ("norm_3", X, |x, _| x[0].norm(3.0, &[1], false)),
    ("norm_1.5", X, |x, _| x[0].norm(1.5, &[], false)),
    ("norm_-2", X, |x, _| x[0].norm(-2.0, &[0], false)),
    ("norm_inf", X, |x, _| x[0].norm(INF, &[1], false)),
    ("norm_-inf", X, |x, _| x[0].norm(-INF, &[1], false)),
    ("sort", X, |x, _| x[0].sort(1, true).0.sin()),
    ("sort_ties", TIES, |x, _| x[0].sort(1, false).0.sin()),
    ("topk", X, |x, _| x[0].topk(1, 2, true).0.sin()),
    ("topk_smallest", X, |x, _| x[0].topk(2, 3, false).0.sin()),
    ("kthvalue", X, |x, _| x[0].kthvalue(1, 3, false).0.sin()),
    ("median", X, |x, _| x[0].median(1, false).0.sin()),
    ("quantile", X, |x, _| x[0].quantile(2, 0.3, false).sin()),
    ("quantile_high", X, |x, _| x[0].quantile(1, 0.9, true).sin()),
    ("max", TIES, |x, _| x[0].max_with_indices(1, false).0.sin()),
    ("min", TIES, |x, _| x[0].min_with_indices(1, true).0.sin()),
    ("select", X, |x, _| x[0].select(1, -1).sin()),
    ("unbind", X, |x, _| x[0].unbind(2)[3].sin()),
    ("roll", X, |x, _| x[0].roll(2, 3).sin()),
    ("flip", X, |x, _| x[0].flip([0, 2]).sin()),
    ("repeat", X, |x, _| x[0].repeat([2, 1, 2, 3]).sin()),
    ("tile", X, |x, _| x[0].tile([2, 1]).sin()),
    ("expand", X, |x, _| x[0].narrow(1, 0, 1).expand([2, -1, 4, -1]).sin()),
    ("tril", X, |x, _| x[0].tril(1).sin()),
    ("triu", X, |x, _| x[0].triu(-1).sin()),
    ("diagonal", X, |x, _| x[0].diagonal(1, 2, 0).sin()),
    ("diagonal_below", X, |x, _| x[0].diagonal(-2, 0, 1).sin()),
    ("diag_matrix", X, |x, _| x[0].select(0, 0).select(0, 0).diag(-2).sin()),
    ("diag", X, |x, _| x[0].select(0, 1).diag(1).sin()),
    ("kron", &["zeros", "x"], |x, _| x[0].narrow(1, 0, 2).kron(x[1].narrow(1, 0, 2))),
    ("meshgrid", XY, |x, _| {
        let lines = [x[0].select(0, 0).select(0, 0), x[1].select(0, 0).select(1, 0)];
        let grid = Var::meshgrid(&lines);
        grid[0] * grid[1]
    }),
    ("index_put", XY, |x, _| put(x, false)),
    ("index_put_added", XY, |x, _| put(x, true)),
    ("index_put_rows", XY, |x, _| {
        x[0].index_put(&[Tensor::from([2i64, 0])], x[1].select(0, 1), true).sin()
    }),
    ("index_add", XY, |x, _| x[0].index_add(1, Tensor::from([3i64, 0, 3, 1]), x[1]).sin()),
    ("scatter", XY, |x, index| x[0].scatter(1, &once(index), x[1]).sin()),
    ("scatter_add", XY, |x, index| x[0].scatter_add(1, index, x[1]).sin()),
    ("scatter_sum", XY, |x, i| x[0].scatter_reduce(1, i, x[1], ScatterReduce::Sum, false)),
    ("scatter_mean", XY, |x, i| x[0].scatter_reduce(1, i, x[1], ScatterReduce::Mean, true)),
    ("scatter_mean_alone", XY, |x, i| x[0].scatter_reduce(1, i, x[1], ScatterReduce::Mean, false)),
    ("scatter_prod", XY, |x, i| x[0].scatter_reduce(1, i, x[1], ScatterReduce::Product, true)),
    ("scatter_prod_alone", XY, |x, i| {
        x[0].scatter_reduce(1, i, x[1], ScatterReduce::Product, false)
    }),
    ("scatter_max", XY, |x, i| x[0].scatter_reduce(1, i, x[1], ScatterReduce::Max, true)),
    ("scatter_min_alone", XY, |x, i| x[0].scatter_reduce(1, i, x[1], ScatterReduce::Min, false)),
];

fn put<'t>(x: &[Var<'t, f64>], accumulate: bool) -> Var<'t, f64> {
    let at = [Tensor::from([[2i64], [0]]), Tensor::from([1i64, 3, 0])];
    let values = x[1].select(2, 0).narrow(0, 0, 2).narrow(1, 0, 3);
    x[0].select(2, 0).index_put(&at, values, accumulate).sin()
}

/// Returns other positions, each of which occurs once in a column.
fn once(index: &Tensor<i64>) -> Tensor<i64> {
    let parity = index.to_vec().into_iter().map(|i| i % 2).collect();
    Tensor::from_vec(parity, index.shape()) + Tensor::from([[0i64], [2]])
}

type Positions = fn(&Tensor<f64>) -> Tensor<i64>;
const POSITIONS: &[(&str, &str, Positions)] = &[
    ("sort_up", "ties", |x| x.sort(1, false).1),
    ("sort_down", "ties", |x| x.sort(1, true).1),
    ("sort_nans", "nans", |x| x.sort(1, false).1),
    ("argsort_nans", "nans", |x| x.argsort(1, true)),
    ("topk_at", "x", |x| x.topk(1, 3, true).1),
    ("kthvalue_at", "x", |x| x.kthvalue(2, 2, false).1),
    ("median_at", "x", |x| x.median(2, true).1),
    ("median_nans", "nans", |x| x.median(1, false).1),
    ("mode_at", "ties", |x| x.mode(1, false).1),
    ("cummax_at", "ties", |x| x.cummax(1).1),
    ("cummin_at", "ties", |x| x.cummin(1).1),
    ("cummax_nans", "nans", |x| x.cummax(1).1),
    ("cummin_nans", "nans", |x| x.cummin(1).1),
    ("max_at", "ties", |x| x.max_with_indices(1, false).1),
    ("min_nans", "nans", |x| x.min_with_indices(1, false).1),
    ("nonzero", "zeros", Tensor::nonzero),
    ("count_nonzero", "nans", |x| x.count_nonzero(&[1], false)),
    ("inverse", "ties", |x| x.unique().1),
    ("counts", "ties", |x| x.unique().2),
    ("any", "zeros", |x| x.any(&[1], false).cast()),
    ("all", "nans", |x| x.all(&[1], false).cast()),
    ("searchsorted", "x", |x| edges().searchsorted(x, false)),
    ("searchsorted_right", "zeros", |x| edges().searchsorted(x, true)),
    ("bincount", "index", |x| x.cast::<i64>().bincount(6)),
    ("one_hot", "index", |x| x.cast::<i64>().one_hot(4)),
];

fn edges() -> Tensor<f64> {
    Tensor::from([-1.5, -0.5, -0.5, 0.0, 0.25, 1.0, 2.0])
}

type Values = fn(&Tensor<f64>) -> Tensor<f64>;
const VALUES: &[(&str, &str, Values)] = &[
    ("median_of_nans", "nans", |x| x.median(1, false).0),
    ("mode", "ties", |x| x.mode(1, false).0),
    ("quantile_nans", "nans", |x| x.quantile(1, 0.5, false)),
    ("unique", "ties", |x| x.unique().0),
    ("unique_nans", "nans", |x| x.unique().0),
    ("masked_select", "x", |x| x.masked_select(&x.gt(0.5))),
    ("cumsum_nans", "nans", |x| x.cumsum(1)),
    ("cumprod_nans", "nans", |x| x.cumprod(1)),
    ("logcumsumexp_nans", "nans", |x| x.logcumsumexp(1)),
    ("prod_nans", "nans", |x| x.prod(&[1], false)),
    ("norm_nans", "nans", |x| x.norm(3.0, &[1], false)),
    ("linspace", "x", |_| Tensor::linspace_of(-1.0, 2.0, 7)),
    ("eye", "x", |_| Tensor::eye_of(3)),
];

#[test]
fn operations_agree_with_pytorch_to_the_second_derivative() {
    let file = ReferenceFile::load("operations");
    for name in ["sorted", "y"] {
        file.get::<f64>(name);
    }
    let index = file.get::<f64>("index").cast::<i64>();
    for policy in [Policy::Eager, Policy::Fused] {
        for (name, inputs, f) in CASES {
            let tape = Tape::<f64>::new().with_policy(policy);
            let x: Vec<_> = inputs.iter().map(|name| tape.watch(file.get(name))).collect();
            let y = f(&x, &index);
            let loss = (y * tape.constant(ramp(&y.shape()))).sum_all();
            file.compare(name, "value", &y.value());
            let inputs = x.into_iter().enumerate().map(|(i, x)| (i.to_string(), x)).collect();
            compare_derivatives(&file, name, loss, inputs, &());
        }
    }
    for (name, of, f) in POSITIONS {
        let (got, wanted) = (f(&file.get(of)), file.get::<f64>(&format!("{name}/value")));
        assert_eq!(got, wanted.cast::<i64>(), "{name}");
        file.note_case(name);
    }
    for (name, of, f) in VALUES {
        file.compare(name, "value", &f(&file.get(of)));
    }
    file.finish();
}
