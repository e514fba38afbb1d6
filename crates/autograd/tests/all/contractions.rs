//! Compares `einsum` and its relatives with PyTorch and with finite differences: values, first and second
//! derivatives. `tests/reference/contractions.py` wrote PyTorch's numbers.

use crate::reference_file::{ReferenceFile, compare_derivatives, ramp};
use wengert_autograd::{Gradcheck, Policy, Tape, Var};
use wengert_tensor::{Philox, Tensor};

type Function = for<'t> fn(&[Var<'t, f64>]) -> Var<'t, f64>;

/// The name of a case, one letter for each input, and the function.
const CASES: &[(&str, &str, Function)] = &[
    ("dot", "uu", |x| x[0].dot(x[1] * x[0])),
    ("outer", "uv", |x| x[0].outer(x[1])),
    ("mv", "mv", |x| x[0].mv(x[1])),
    ("bmm", "xy", |x| x[0].bmm(x[1].t())),
    ("addmm", "kmn", |x| x[0].t().addmm(x[1], x[2], 1.0, 1.0)),
    ("addmm_of", "umn", |x| x[0].narrow(0, 0, 3).addmm(x[1], x[2], 0.5, -2.0)),
    ("addmm_new", "umn", |x| {
        x[0].narrow(0, 0, 3).addmm(x[1], x[2], 0.0, 1.0) + 0.0 * x[0].sum_all()
    }),
    ("addmm_old", "umn", |x| x[0].narrow(0, 0, 3).addmm(x[1], x[2], 3.0, 0.0).sin()),
    ("baddbmm", "sxy", |x| x[0].baddbmm(x[1], x[2].t(), 2.0, 3.0)),
    ("tensordot", "xy", |x| x[0].tensordot(x[1].permute(&[2, 0, 1]), &[0, 2], &[1, 0])),
    ("tensordot_1", "xn", |x| x[0].tensordot(x[1], &[-1], &[0])),
    ("tensordot_0", "un", |x| x[0].tensordot(x[1], &[], &[])),
    ("trace", "k", |x| x[0].trace()),
    ("ndtr", "x", |x| (3.0 * x[0]).ndtr()),
    ("quantiles", "x", |x| x[0].quantiles(1, &[0.1, 0.75, 0.5, 1.0, 0.0], false).sin()),
    ("quantiles_kept", "x", |x| x[0].quantiles(2, &[0.3, 0.9], true).sin()),
    ("roll", "x", |x| x[0].roll([0, 2], [1, -2]).sin()),
    ("roll_twice", "x", |x| x[0].roll([1, 0, 1], [1, 5, 3]).sin()),
];

#[test]
fn contractions_agree_with_pytorch_to_the_second_derivative() {
    let file = ReferenceFile::load("contractions");
    // The names of the cases of `einsum` are their equation, a space, and the inputs.
    let names = file.names().filter_map(|name| name.strip_suffix("/value"));
    let equations: Vec<_> = names.filter_map(|name| name.rsplit_once(' ')).collect();
    assert!(equations.len() > 40);
    for policy in [Policy::Eager, Policy::Fused] {
        let check = |name: &str,
                     inputs: &str,
                     f: &dyn for<'t> Fn(&[Var<'t, f64>]) -> Var<'t, f64>| {
            let tape = Tape::<f64>::new().with_policy(policy);
            let x: Vec<_> = inputs.chars().map(|c| tape.watch(file.get(&c.to_string()))).collect();
            let y = f(&x);
            file.compare(name, "value", &y.value());
            let loss = (y * tape.constant(ramp(&y.shape()))).sum_all();
            let inputs = x.into_iter().enumerate().map(|(i, x)| (i.to_string(), x)).collect();
            compare_derivatives(&file, name, loss, inputs, &());
        };
        for (name, inputs, f) in CASES {
            check(name, inputs, f);
        }
        for (equation, inputs) in &equations {
            check(&format!("{equation} {inputs}"), inputs, &|x| Var::einsum(equation, x));
        }
    }
    // Inputs of no case.
    for letter in "xymnskqpcuvrb".chars() {
        file.get::<f64>(&letter.to_string());
    }
    file.finish();
}

#[test]
fn derivatives_of_contractions_agree_with_finite_differences() {
    let rng = &mut Philox::new(5);
    let mut draw = |shape: &[usize]| Tensor::normal_of(shape, 0.0, 1.0, rng);
    let (m, n, s, x) = (draw(&[2, 3]), draw(&[3, 4]), draw(&[3, 3]), draw(&[2, 1, 3, 2]));
    let (one, u, t) = (m.narrow(0, 0, 1).narrow(1, 0, 2), m.select(1, 0), n.t());
    let cases: [(&str, Vec<&Tensor<f64>>); 7] = [
        ("ij,jk->ki", vec![&m, &n]),
        ("ij,ij,jk->ik", vec![&m, &m, &n]),
        ("ii,ij->j", vec![&s, &n]),
        ("ij,jj,jk,lj->il", vec![&m, &s, &n, &m]),
        ("i...j,jk->...k", vec![&m, &n]),
        ("abcd,dc,ba->c", vec![&x, &m, &one]),
        ("i,ij,kj->kj", vec![&u, &m, &t]),
    ];
    for (equation, inputs) in cases {
        let inputs: Vec<Tensor<f64>> = inputs.into_iter().cloned().collect();
        // With the sine, the second derivative by each operand is other than zero.
        let check = Gradcheck::new().named(equation).order(2);
        check.run(sine_of(equation), &inputs).unwrap();
    }
}

/// Returns the sine of a contraction, as a function on any tape.
fn sine_of(equation: &'static str) -> impl for<'t> Fn(&[Var<'t, f64>]) -> Var<'t, f64> {
    move |x| Var::einsum(equation, x).sin()
}

/// An empty sum is 0, and its operands have zeros as gradients.
#[test]
fn sums_over_no_elements_are_zero() {
    let tape = Tape::<f64>::new();
    let (x, y) = (tape.watch(Tensor::ones_of(&[2, 0])), tape.watch(Tensor::ones_of(&[0, 3])));
    let sum = Var::einsum("ij,jk->ik", &[x, y]);
    assert_eq!(sum.value(), Tensor::zeros_of(&[2, 3]));
    let empty = Var::einsum("ij,ik->kj", &[x, tape.watch(Tensor::ones_of(&[2, 3]))]);
    assert_eq!(empty.shape(), [3, 0]);
    let slopes = (sum.sum_all() + empty.sum_all()).grad(&[x, y]);
    assert_eq!((slopes[0].shape(), slopes[1].shape()), (x.shape(), y.shape()));
}
