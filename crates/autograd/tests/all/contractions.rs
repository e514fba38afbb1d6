//! Compares `einsum` and its relatives with PyTorch and with finite differences: values, first and second
//! derivatives. `tests/reference/contractions.py` wrote PyTorch's numbers.

use crate::references::{error, ramp};
use std::collections::BTreeSet;
use wengert_autograd::{Gradcheck, Policy, Tape, Var};
use wengert_tensor::{NamedTensors, Philox, Tensor};

const FILE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference/contractions.safetensors");

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
    let file = NamedTensors::load(FILE).unwrap();
    let get = |name: &str| file.get(name).unwrap().cast::<f64>();
    // The names of the cases of `einsum` are their equation, a space, and the inputs.
    let names = file.names().filter_map(|name| name.strip_suffix("/value"));
    let equations: Vec<_> = names.filter_map(|name| name.rsplit_once(' ')).collect();
    assert!(equations.len() > 40);
    let mut seen: BTreeSet<String> = "xymnskqpcuvrb".chars().map(String::from).collect();
    let mut worst = [0.0f64; 3];
    for policy in [Policy::Eager, Policy::Fused] {
        let mut check = |name: &str, inputs: &str, equation: Option<&str>, f: Option<Function>| {
            let tape = Tape::<f64>::new().with_policy(policy);
            let x: Vec<_> = inputs.chars().map(|c| tape.watch(get(&c.to_string()))).collect();
            let y = match (equation, f) {
                (Some(equation), _) => Var::einsum(equation, &x),
                (None, Some(f)) => f(&x),
                (None, None) => unreachable!(),
            };
            let loss = (y * tape.constant(ramp(&y.shape()))).sum_all();
            let slopes = loss.grad_or_zero(&x);
            let terms = slopes.iter().map(|&g| (g * tape.constant(ramp(&g.shape()))).sum_all());
            let bends = terms.reduce(|a, b| a + b).unwrap().grad_or_zero(&x);
            let mut compared = |kind: usize, name: String, got: &Tensor<f64>| {
                let off = error(&name, got, &get(&name));
                let most = [1e-12, 1e-10, 1e-8][kind];
                assert!(off <= most, "{name}: off by {off:e}: {got}, PyTorch {}", get(&name));
                worst[kind] = worst[kind].max(off);
                seen.insert(name);
            };
            compared(0, format!("{name}/value"), &y.value());
            for i in 0..x.len() {
                compared(1, format!("{name}/grad/{i}"), &slopes[i].value());
                compared(2, format!("{name}/second/{i}"), &bends[i].value());
            }
        };
        for (name, inputs, f) in CASES {
            check(name, inputs, None, Some(*f));
        }
        for (equation, inputs) in &equations {
            check(&format!("{equation} {inputs}"), inputs, Some(equation), None);
        }
    }
    println!("{} cases, largest errors {worst:?}", CASES.len() + equations.len());
    assert_eq!(seen.len(), file.len(), "all of the file");
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
