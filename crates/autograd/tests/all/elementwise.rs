//! Compares functions of each element with PyTorch: values, first and second derivatives, and both at zeros,
//! infinities, NaN and ends of domains. `tests/reference/elementwise.py` writes the numbers.

use crate::reference_file::{ReferenceFile, error_of};
use wengert_autograd::{Tape, Var};
use wengert_tensor::Tensor;

type Function = for<'t> fn(Var<'t, f64>, Var<'t, f64>) -> Var<'t, f64>;

macro_rules! functions {
    ($($name:ident: |$x:ident, $y:ident| $value:expr;)*) => {
        &[$((stringify!($name), (|$x, $y| $value) as Function)),*]
    };
}

const ONE: &[(&str, Function)] = functions! {
    log1p: |x, _y| x.log1p();
    expm1: |x, _y| x.expm1();
    log2: |x, _y| x.log2();
    log10: |x, _y| x.log10();
    rsqrt: |x, _y| x.rsqrt();
    tan: |x, _y| x.tan();
    asin: |x, _y| x.asin();
    acos: |x, _y| x.acos();
    atan: |x, _y| x.atan();
    sinh: |x, _y| x.sinh();
    cosh: |x, _y| x.cosh();
    asinh: |x, _y| x.asinh();
    acosh: |x, _y| x.acosh();
    atanh: |x, _y| x.atanh();
    erfc: |x, _y| x.erfc();
    erfinv: |x, _y| x.erfinv();
    lgamma: |x, _y| x.lgamma();
    digamma: |x, _y| x.digamma();
    polygamma_1: |x, _y| x.polygamma(1);
    polygamma_3: |x, _y| x.polygamma(3);
    floor: |x, _y| x.floor();
    ceil: |x, _y| x.ceil();
    round: |x, _y| x.round();
    trunc: |x, _y| x.trunc();
    frac: |x, _y| x.frac();
    nan_to_num: |x, _y| x.nan_to_num(0.0, None, None);
};

const TWO: &[(&str, Function)] = functions! {
    atan2: |x, y| x.atan2(y);
    hypot: |x, y| x.hypot(y);
    fmod: |x, y| x.fmod(y);
    remainder: |x, y| x.remainder(y);
    copysign: |x, y| x.copysign(y);
    xlogy: |x, y| x.xlogy(y);
    logaddexp: |x, y| x.logaddexp(y);
    lerp: |x, y| x.lerp(y, 0.3);
};

/// Compares the elements of `{case}/{key}` at the operands `at`. Returns what differs by more than the bound.
fn compare(
    file: &ReferenceFile,
    case: &str,
    key: &str,
    got: &Tensor<f64>,
    at: &[Tensor<f64>],
) -> Vec<String> {
    let name = format!("{case}/{key}");
    let bound = if is_trigamma(&name) { 1e-8 } else { file.bound(key) };
    let at: Vec<Vec<f64>> = at.iter().map(Tensor::to_vec).collect();
    let mut wrong = vec![];
    for (i, (got, want)) in got.to_vec().into_iter().zip(file.get(&name).to_vec()).enumerate() {
        let x: Vec<f64> = at.iter().map(|x| x[i]).collect();
        let error = error_of(got, want);
        let signs = got != 0.0 || got.is_sign_negative() == want.is_sign_negative();
        let close = error <= bound && (signs || key != "value");
        if differs(&name, &x) {
            continue;
        }
        if !close {
            wrong.push(format!("{name} at {x:?}: {got:e}, PyTorch {want:e}"));
        } else if !is_trigamma(&name) {
            file.note(key, error);
        }
    }
    file.note_case(case);
    wrong
}

/// PyTorch's trigamma has an error of 1e-9.
fn is_trigamma(name: &str) -> bool {
    let name = name.trim_start_matches("edges/");
    ["digamma/grad/x", "polygamma_1/value", "lgamma/second/x"].contains(&name)
}

/// Where PyTorch's result differs on purpose, or is not the mathematical one.
fn differs(name: &str, x: &[f64]) -> bool {
    let Some((function, part)) = name.strip_prefix("edges/").and_then(|rest| rest.split_once('/'))
    else {
        return false;
    };
    let pole = x[0] < 0.0 && x[0].fract() == 0.0;
    match (function, part) {
        // At its poles the trigamma of PyTorch has the size of 1/ε², and infinities give NaN.
        ("digamma", "grad/x") | ("polygamma_1" | "polygamma_3", _) => pole || x[0].is_infinite(),
        // Outside the domain.
        ("acosh", "grad/x") => x[0] < 1.0,
        // The function is 0 along x = 0.
        ("xlogy", "grad/y") => x == [0.0, 0.0],
        // Without a quotient: PyTorch's derivative is infinite where the result is NaN.
        ("fmod" | "remainder", "grad/y") => x[1] == 0.0 || x[0].is_infinite() || x[1].is_infinite(),
        // ∞ / ∞ in PyTorch.
        ("copysign", "grad/x") => x[0].is_infinite(),
        _ => false,
    }
}

#[test]
fn agree_with_pytorch() {
    let file = ReferenceFile::load("elementwise");
    let mut wrong = vec![];
    for (operands, functions) in [(1, ONE), (2, TWO)] {
        for (name, f) in functions {
            let keys = &["x", "y"][..operands];
            let at: Vec<_> = keys.iter().map(|key| file.get(&format!("{name}/{key}"))).collect();
            let tape = Tape::<f64>::new();
            let x: Vec<_> = at.iter().map(|x| tape.watch(x.clone())).collect();
            let w = tape.constant(file.get("w"));
            let value = f(x[0], x[operands - 1]);
            let none = 0.0 * x[0] + 0.0 * x[operands - 1];
            let grads = (w * value + none).sum_all().grad(&x);
            let total = grads.iter().map(|&g| (w * g + none).sum_all());
            let bends = total.reduce(|a, b| a + b).unwrap().grad(&x);
            wrong.extend(compare(&file, name, "value", &value.value(), &at));
            for (i, key) in keys.iter().enumerate() {
                for (part, list) in [("grad", &grads), ("second", &bends)] {
                    let key = format!("{part}/{key}");
                    wrong.extend(compare(&file, name, &key, &list[i].value(), &at));
                }
            }
            wrong.extend(at_edges(&file, name, keys, *f));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    file.finish();
}

/// Compares at zeros, infinities, NaN and ends of domains.
fn at_edges(file: &ReferenceFile, name: &str, keys: &[&str], f: Function) -> Vec<String> {
    let name = format!("edges/{name}");
    let at: Vec<_> = keys.iter().map(|key| file.get(&format!("{name}/{key}"))).collect();
    let tape = Tape::<f64>::new();
    let x: Vec<_> = at.iter().map(|x| tape.watch(x.clone())).collect();
    let value = f(x[0], x[keys.len() - 1]);
    let mut wrong = compare(file, &name, "value", &value.value(), &at);
    // The derivative of a flat function is zero, at its edges, too.
    for (g, key) in value.sum_all().grad_or_zero(&x).iter().zip(keys) {
        wrong.extend(compare(file, &name, &format!("grad/{key}"), &g.value(), &at));
    }
    wrong
}
