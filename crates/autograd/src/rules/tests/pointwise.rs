//! Test rows of the elementwise operations.

use super::{Form, Row, any, spread};
use crate::graph::{Op, Reads, Tape, Var};
use crate::rules::unary::{constant_slope, domain, is_differentiable, reads};
use wengert_tensor::{Binary, Tensor, Unary};

fn form(op: Unary) -> Form {
    match op {
        Unary::Neg | Unary::Scale(_) | Unary::DivScalar(_) => Form::Linear,
        _ => Form::Curved,
    }
}

/// Returns an operation with its constant, and with other constants that its rule treats differently.
fn variants(op: Unary) -> Vec<Unary> {
    match op {
        Unary::Powi(_) => [1, 2, 3, 4, -1, -2].map(Unary::Powi).to_vec(),
        Unary::Powf(_) => [1.7, 0.5, 1.0, 2.0, -0.7].map(Unary::Powf).to_vec(),
        Unary::Polygamma(_) => [0, 1, 2].map(Unary::Polygamma).to_vec(),
        op => vec![op],
    }
}

pub(super) fn unary(op: Unary) -> Vec<Row> {
    let Some(domain) = domain(op) else {
        // The elements include the constants of the comparisons, 0 and ¼, and numbers that round to ±1.
        let quarters = Tensor::from_fn(&[3, 5], |i| (i % 9) as f64 / 4.0 - 1.0);
        stops(&[quarters], move |x| x[0].unary(op));
        return vec![];
    };
    let mut rows = vec![];
    for op in variants(op) {
        // Many elements stay pending and are computed in one pass, few are computed at once.
        for (shape, order) in [(&[3, 5][..], 2), (&[1, 3], 3)] {
            let x = spread(shape, &domain, 1);
            let row = Row::new(Op::Unary(op), "", vec![x], move |x| x[0].unary(op)).order(order);
            rows.push(Row { form: form(op), ..row });
        }
    }
    rows
}

/// Checks an operation through which no gradient flows.
fn stops<F>(inputs: &[Tensor<f64>], f: F)
where
    F: for<'t> Fn(&[Var<'t, f64>]) -> Var<'t, f64>,
{
    let tape = Tape::new();
    let x: Vec<_> = inputs.iter().map(|x| tape.watch(x.clone())).collect();
    let y = f(&x);
    assert!(!y.is_active(), "{y:?}");
    assert!(y.value().to_vec().iter().any(|&y| y != 0.0), "{y:?}");
    let slope = (y * x[0]).sum_all().grad(&x[..1])[0];
    assert_eq!(slope.value().to_vec(), (y + 0.0 * x[0]).sum_to(&x[0].shape()).value().to_vec());
}

/// Returns two operands of these shapes; `None` where the derivative is zero everywhere.
fn operands(op: Binary, a: &[usize], b: &[usize]) -> Option<(Vec<Tensor<f64>>, Form)> {
    use Binary::*;
    // No element of one operand is close to an element of the other.
    let steps = |shape: &[usize], [offset, step]: [usize; 2], first: f64| {
        Tensor::from_fn(shape, |i| first + 0.4 * ((i * step + offset) % 7) as f64)
    };
    let both = |a: &[(f64, f64)], b: &[(f64, f64)], shapes: [&[usize]; 2]| {
        vec![spread(shapes[0], a, 1), spread(shapes[1], b, 2)]
    };
    let far = [(-2.0, 2.0)];
    match op {
        Add | Sub => Some((both(&far, &far, [a, b]), Form::Linear)),
        Mul => Some((both(&far, &far, [a, b]), Form::Bilinear)),
        Div => Some((both(&far, &[(-2.0, -0.6), (0.6, 2.0)], [a, b]), Form::Curved)),
        Pow => Some((both(&[(0.4, 2.0)], &[(-1.5, -0.5), (0.5, 2.5)], [a, b]), Form::Curved)),
        Maximum | Minimum => {
            Some((vec![steps(a, [3, 4], -1.2), steps(b, [2 + b.len(), 2], -1.0)], Form::Curved))
        }
        Atan2 | Hypot => {
            let apart = [(-2.0, -0.6), (0.6, 2.0)];
            Some((both(&apart, &apart, [a, b]), Form::Curved))
        }
        // The quotients are between 2 and 3.
        Fmod | Remainder => {
            Some((both(&[(-5.7, -4.5), (4.5, 5.7)], &[(1.95, 2.1)], [a, b]), Form::Curved))
        }
        Xlogy => Some((both(&far, &[(0.4, 2.0)], [a, b]), Form::Curved)),
        Logaddexp => Some((both(&far, &far, [a, b]), Form::Curved)),
        Gate | Copysign => None, // see `gates` and `copysigns`
        Gt | Ge | Lt | Le | Eq | Ne => None,
    }
}

/// Returns the test rows of gates with comparisons, as rules use them: the first operand has no derivative.
fn gates() -> Vec<Row> {
    let apart = || vec![spread(&[3, 5], &[(-2.0, -0.3), (0.3, 2.0)], 1), any(&[3, 5], 2)];
    let op = Op::Binary(Binary::Gate);
    vec![
        Row::new(op, "", vec![any(&[3, 5], 1)], |x| {
            let by = x[0].tape().constant(Tensor::from_fn(&[3, 5], |i| (i % 3) as f64));
            by.binary(Binary::Gate, x[0])
        })
        .linear(),
        Row::new(op, "tiny", vec![any(&[3], 1)], |x| {
            x[0].tape().mask(Tensor::from([false, true, false])).gate(x[0])
        })
        .linear(),
        Row::new(op, "by a comparison", apart(), |x| x[0].lt(0.0).gate(x[0] * x[1].exp())),
    ]
}

/// Returns the test rows of `copysign`: the second operand has no derivative.
fn copysigns() -> Vec<Row> {
    let apart = spread(&[3, 5], &[(-2.0, -0.3), (0.3, 2.0)], 1);
    vec![Row::new(Op::Binary(Binary::Copysign), "", vec![apart], |x| {
        let signs = Tensor::from_fn(&[3, 5], |i| (i % 3) as f64 - 1.0);
        x[0].copysign(x[0].tape().constant(signs))
    })]
}

pub(super) fn binary(op: Binary) -> Vec<Row> {
    match op {
        Binary::Gate => return gates(),
        Binary::Copysign => return copysigns(),
        _ => {}
    }
    let shapes: [[&[usize]; 2]; 5] =
        [[&[3, 5], &[3, 5]], [&[3, 1], &[5]], [&[], &[3, 5]], [&[2, 3], &[3]], [&[3], &[3]]];
    let mut rows = vec![];
    for [a, b] in shapes {
        match operands(op, a, b) {
            Some((inputs, form)) => {
                let row = Row::new(Op::Binary(op), "", inputs, move |x| x[0].binary(op, x[1]));
                rows.push(Row { form, ..row });
            }
            None if a != b || a.len() < 2 => {}
            None => {
                // Some elements are equal, so that no comparison is zero everywhere.
                let few =
                    |shape: &[usize], of: usize| Tensor::from_fn(shape, |i| (i % of) as f64 - 1.0);
                stops(&[few(a, 4), few(b, 3)], move |x| x[0].binary(op, x[1]));
            }
        }
    }
    rows
}

pub(super) fn select() -> Vec<Row> {
    fn mask(shape: &[usize]) -> Tensor<bool> {
        Tensor::from_fn(shape, |i| i % 3 != 1)
    }
    let op = Op::Select;
    vec![
        Row::new(op, "", vec![any(&[3, 5], 1), any(&[3, 5], 2)], |x| {
            Var::where_(mask(&[3, 5]), x[0], x[1])
        })
        .linear(),
        Row::new(op, "tiny", vec![any(&[3], 1), any(&[3], 2)], |x| {
            Var::where_(x[0].tape().mask(mask(&[3])), x[0], x[1])
        })
        .linear(),
        Row::new(op, "broadcast", vec![any(&[3, 1], 1), any(&[5], 2)], |x| {
            Var::where_(&mask(&[2, 1, 1]), x[0], x[1])
        })
        .linear(),
        Row::new(op, "masked_fill", vec![any(&[3, 5], 1)], |x| x[0].masked_fill(mask(&[5]), -7.0)),
        Row::new(
            op,
            "by a comparison",
            vec![spread(&[3, 5], &[(-2.0, -0.3), (0.3, 2.0)], 1)],
            |x| Var::where_(x[0].gt(0.0), x[0].exp(), x[0] * x[0]),
        ),
    ]
}

/// `backward` passes the cotangents of tiny values through operations with a constant slope without calling their
/// rules, which `grad` calls.
#[test]
fn a_constant_slope_is_what_the_rule_computes() {
    for op in Unary::ALL.iter().copied().flat_map(variants) {
        let reads_nothing = is_differentiable(op) && reads(op) == Reads::NOTHING;
        assert_eq!(constant_slope(op).is_some(), reads_nothing, "{op:?}");
        for numbers in [vec![0.3], vec![0.3, -1.7, 0.0]] {
            let tape = Tape::<f64>::new();
            let slope = numbers[0];
            let x = tape.watch(Tensor::from(numbers));
            // The cotangents of the operation are not 1. The operand has a cotangent from elsewhere, or none.
            let y = (x + 0.0).unary(op) * slope;
            let sum = (y + x * 0.7).sum_all();
            if !reads_nothing {
                continue;
            }
            let rule = sum.grad(&[x])[0].value();
            let passed = sum.backward().wrt(x).expect("it depends on x").clone();
            assert_eq!(passed.to_vec(), rule.to_vec(), "{op:?}");
        }
    }
}
