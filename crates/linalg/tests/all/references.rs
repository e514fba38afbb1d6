//! Compares with PyTorch: results, gradients and products of the Hessian. `tests/reference/linalg.py` wrote the numbers, and
//! says which they are.

use crate::reference_file::ReferenceFile;
use wengert_autograd::{Policy, Tape, Var};
use wengert_linalg::Linalg;
use wengert_tensor::Tensor;

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
    let file = ReferenceFile::load("linalg");
    for policy in [Policy::Fused, Policy::Eager] {
        for (name, function) in CASES {
            file.note_case(name);
            let check = |part: &str, got: Tensor<f64>| {
                let error = error(&got, &file.get(&format!("{name}/{part}")));
                assert!(error <= file.bound(part), "{name}/{part}: {error:e}");
                file.note(part, error);
            };
            let tape = Tape::new().with_policy(policy);
            let operands = file.list(&format!("{name}/x"));
            let x: Vec<Var<'_, f64>> = operands.into_iter().map(|x| tape.watch(x)).collect();
            let parts: Vec<_> = function(&x).into_iter().map(|y| y.reshape(-1)).collect();
            let y = Var::concat(&parts, 0);
            check("value", y.value());
            let weights = Tensor::from_fn(&[y.numel()], |i| (i as f64 + 1.0).cos());
            let gradients = (y * tape.constant(weights)).sum_all().grad(&x);
            for (i, gradient) in gradients.iter().enumerate() {
                check(&format!("grad{i}"), gradient.value());
            }
            if name.ends_with("_first") {
                continue;
            }
            let along = |g: &Var<'_, f64>| Tensor::from_fn(&g.shape(), |i| (i as f64 + 1.0).sin());
            let products = gradients.iter().map(|g| (*g * tape.constant(along(g))).sum_all());
            let product = products.reduce(|a, b| a + b).unwrap();
            for (i, second) in product.grad(&x).iter().enumerate() {
                check(&format!("second{i}"), second.value());
            }
        }
    }
    file.finish();
}
