//! Compares with PyTorch: results, gradients and products of the Hessian. `tests/reference/linalg.py` wrote the numbers, and
//! says which they are.

use std::collections::BTreeSet;
use wengert_autograd::{Policy, Tape, Var};
use wengert_linalg::Linalg;
use wengert_tensor::{NamedTensors, Tensor};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference/linalg.safetensors");

type Function = for<'t> fn(&[Var<'t, f64>]) -> Vec<Var<'t, f64>>;

const CASES: &[(&str, Function)] = &[
    ("cholesky", |x| vec![positive(x[0]).cholesky()]),
    ("cholesky_large", |x| vec![positive(x[0]).cholesky()]),
    ("cholesky_solve", |x| vec![x[0].cholesky_solve(positive(x[1]).cholesky(), false)]),
    ("solve", |x| vec![x[0].solve(x[1])]),
    ("solve_vector", |x| vec![x[0].solve(x[1])]),
    ("solve_large", |x| vec![x[0].solve(x[1])]),
    ("lower", |x| vec![x[0].triangular_solve(x[1], false, false)]),
    ("upper", |x| vec![x[0].triangular_solve(x[1], true, false)]),
    ("unit_lower", |x| vec![x[0].triangular_solve(x[1], false, true)]),
    ("unit_upper", |x| vec![x[0].triangular_solve(x[1], true, true)]),
    ("inverse", |x| vec![x[0].inverse()]),
    ("det", |x| vec![x[0].det()]),
    ("det_singular_first", |x| vec![x[0].det()]),
    ("slogdet", |x| vec![x[0].slogdet().1]),
    ("lu", lu),
    ("lu_tall", lu),
    ("lu_wide", lu),
    ("qr", |x| <[_; 2]>::from(x[0].qr()).into()),
    ("qr_tall", |x| <[_; 2]>::from(x[0].qr()).into()),
    ("qr_wide", |x| <[_; 2]>::from(x[0].qr()).into()),
    ("eigh", eigh),
    ("eigh_large", eigh),
    ("eigvalsh", |x| vec![x[0].eigvalsh()]),
    ("eigvalsh_repeated_first", |x| vec![x[0].eigvalsh().square().sum_all()]),
    ("svd", svd),
    ("svd_tall", svd),
    ("svd_wide", svd),
    ("svd_large", svd),
    ("svdvals", |x| vec![x[0].svdvals()]),
    ("svdvals_repeated_first", |x| vec![x[0].svdvals().square().sum_all()]),
    ("pinv", |x| vec![x[0].pinv(None)]),
    ("pinv_tall", |x| vec![x[0].pinv(None)]),
    ("pinv_wide", |x| vec![x[0].pinv(None)]),
    ("pinv_deficient", |x| vec![x[0].pinv(None)]),
    ("lstsq_tall", |x| vec![x[0].lstsq(x[1], None)]),
    ("lstsq_wide", |x| vec![x[0].lstsq(x[1], None)]),
    ("matrix_exp", |x| vec![x[0].matrix_exp()]),
    ("matrix_exp_small", |x| vec![x[0].matrix_exp()]),
    ("matrix_exp_large", |x| vec![x[0].matrix_exp()]),
    ("matrix_power", |x| vec![x[0].matrix_power(5)]),
    ("matrix_power_negative", |x| vec![x[0].matrix_power(-3)]),
    ("cond", |x| vec![x[0].cond()]),
];

fn positive<'t>(x: Var<'t, f64>) -> Var<'t, f64> {
    x.matmul(x.t()) + x.tape().constant(Tensor::eye_of(x.size(-1)))
}

fn lu<'t>(x: &[Var<'t, f64>]) -> Vec<Var<'t, f64>> {
    let (_, l, u) = x[0].lu();
    vec![l, u]
}

fn eigh<'t>(x: &[Var<'t, f64>]) -> Vec<Var<'t, f64>> {
    let (values, v) = x[0].eigh();
    vec![values, v.square(), (v * values.sin().unsqueeze(-2)).matmul(v.t())]
}

fn svd<'t>(x: &[Var<'t, f64>]) -> Vec<Var<'t, f64>> {
    let (u, s, vt) = x[0].svd();
    vec![u.square(), s, vt.square(), (u * s.sin().unsqueeze(-2)).matmul(vt)]
}

/// Returns the largest error, relative to the largest absolute value.
fn error(got: &Tensor<f64>, want: &Tensor<f64>) -> f64 {
    assert_eq!(got.shape(), want.shape());
    crate::largest(&(got - want)) / crate::largest(want).max(1.0)
}

#[test]
fn results_and_derivatives_are_those_of_pytorch() {
    let file = NamedTensors::load(FILE).unwrap();
    let get = |name: &str| -> Tensor<f64> {
        file.get(name).unwrap_or_else(|| panic!("{name} is in the file")).cast()
    };
    let (mut worst, mut wrong) = ([(0.0, ""); 3], vec![]);
    for policy in [Policy::Fused, Policy::Eager] {
        for (name, function) in CASES {
            let mut check = |order: usize, part: String, got: Tensor<f64>| {
                let error = error(&got, &get(&format!("{name}/{part}")));
                if error > worst[order].0 {
                    worst[order] = (error, *name);
                }
                // A condition number of several hundred stands in the derivatives of these cases.
                let tolerance = [1e-12, 1e-10, 1e-8][order];
                if error > tolerance {
                    wrong.push(format!("{name}/{part}: {error:e}"));
                }
            };
            let tape = Tape::new().with_policy(policy);
            let operands = (0..).map_while(|i| file.get(&format!("{name}/x{i}")));
            let x: Vec<Var<'_, f64>> = operands.map(|x| tape.watch(x.cast())).collect();
            let parts: Vec<_> = function(&x).into_iter().map(|y| y.reshape(-1)).collect();
            let y = Var::concat(&parts, 0);
            check(0, "value".into(), y.value());
            let weights = Tensor::from_fn(&[y.numel()], |i| (i as f64 + 1.0).cos());
            let gradients = (y * tape.constant(weights)).sum_all().grad(&x);
            for (i, gradient) in gradients.iter().enumerate() {
                check(1, format!("grad{i}"), gradient.value());
            }
            if name.ends_with("_first") {
                continue;
            }
            let along = |g: &Var<'_, f64>| Tensor::from_fn(&g.shape(), |i| (i as f64 + 1.0).sin());
            let products = gradients.iter().map(|g| (*g * tape.constant(along(g))).sum_all());
            let product = products.reduce(|a, b| a + b).unwrap();
            for (i, second) in product.grad(&x).iter().enumerate() {
                check(2, format!("second{i}"), second.value());
            }
        }
    }
    println!("largest errors: {worst:?}");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_case_of_the_file_is_compared() {
    let file = NamedTensors::load(FILE).unwrap();
    let case = |name: &str| name.split('/').next().unwrap().to_string();
    let in_file: BTreeSet<String> = file.iter().map(|(name, _)| case(name)).collect();
    let here: BTreeSet<String> = CASES.iter().map(|(name, _)| (*name).to_string()).collect();
    assert_eq!(in_file, here);
}
