//! Compares functions of each element with PyTorch: values, first and second derivatives, and both at zeros,
//! infinities, NaN and ends of domains. `tests/reference/elementwise.py` writes the numbers.

use wengert_autograd::{Tape, Var};
use wengert_tensor::{NamedTensors, Tensor};

const FILE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference/elementwise.safetensors");

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

struct Reference(NamedTensors);

impl Reference {
    fn load() -> Self {
        Reference(NamedTensors::load(FILE).unwrap())
    }

    fn get(&self, name: &str) -> Tensor<f64> {
        self.0.get(name).unwrap_or_else(|| panic!("{name} is in the file")).cast()
    }

    /// Compares the elements at the operands `at`. Returns the largest error relative to the size of the
    /// element, or to 1 for smaller elements, and what differs by more than the tolerance.
    fn compare(
        &self,
        name: &str,
        got: &Tensor<f64>,
        tolerance: f64,
        at: &[Tensor<f64>],
    ) -> (f64, Vec<String>) {
        let tolerance = if is_trigamma(name) { 1e-8 } else { tolerance };
        let (mut worst, mut wrong) = (0.0f64, vec![]);
        for (i, (got, want)) in got.to_vec().into_iter().zip(self.get(name).to_vec()).enumerate() {
            let x: Vec<f64> = at.iter().map(|x| x.to_vec()[i]).collect();
            let equal = got == want || got.is_nan() && want.is_nan();
            let error = if equal { 0.0 } else { (got - want).abs() / want.abs().max(1.0) };
            let signs = got != 0.0 || got.is_sign_negative() == want.is_sign_negative();
            let close = error <= tolerance && (signs || !name.ends_with("value"));
            if !close && !differs(name, &x) {
                wrong.push(format!("{name} at {x:?}: {got:e}, PyTorch {want:e}"));
            } else if !is_trigamma(name) && !differs(name, &x) {
                worst = worst.max(error);
            }
        }
        (worst, wrong)
    }
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
    let reference = Reference::load();
    let (mut worst, mut wrong, mut cases) = ([0.0f64; 3], vec![], 0);
    for (operands, functions) in [(1, ONE), (2, TWO)] {
        for (name, f) in functions {
            let keys = &["x", "y"][..operands];
            let at: Vec<_> =
                keys.iter().map(|key| reference.get(&format!("{name}/{key}"))).collect();
            let tape = Tape::<f64>::new();
            let x: Vec<_> = at.iter().map(|x| tape.watch(x.clone())).collect();
            let w = tape.constant(reference.get("w"));
            let value = f(x[0], x[operands - 1]);
            let none = 0.0 * x[0] + 0.0 * x[operands - 1];
            let grads = (w * value + none).sum_all().grad(&x);
            let total = grads.iter().map(|&g| (w * g + none).sum_all());
            let bends = total.reduce(|a, b| a + b).unwrap().grad(&x);
            let mut compare = |order: usize, part: &str, got: Var<'_, f64>, tolerance: f64| {
                let name = format!("{name}/{part}");
                let (error, more) = reference.compare(&name, &got.value(), tolerance, &at);
                worst[order] = worst[order].max(error);
                wrong.extend(more);
            };
            compare(0, "value", value, 1e-12);
            for (i, key) in keys.iter().enumerate() {
                compare(1, &format!("grad/{key}"), grads[i], 1e-11);
                compare(2, &format!("second/{key}"), bends[i], 1e-10);
            }
            cases += 1;
        }
    }
    println!("{cases} functions, largest errors of value, first, second derivative: {worst:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn agree_with_pytorch_at_edges() {
    let reference = Reference::load();
    let mut wrong = vec![];
    for (operands, functions) in [(1, ONE), (2, TWO)] {
        for (name, f) in functions {
            let keys = &["x", "y"][..operands];
            let name = format!("edges/{name}");
            let at: Vec<_> =
                keys.iter().map(|key| reference.get(&format!("{name}/{key}"))).collect();
            let tape = Tape::<f64>::new();
            let x: Vec<_> = at.iter().map(|x| tape.watch(x.clone())).collect();
            let value = f(x[0], x[operands - 1]);
            wrong.extend(reference.compare(&format!("{name}/value"), &value.value(), 1e-12, &at).1);
            if !value.is_active() {
                continue;
            }
            for (g, key) in value.sum_all().grad_or_zero(&x).iter().zip(keys) {
                let name = format!("{name}/grad/{key}");
                wrong.extend(reference.compare(&name, &g.value(), 1e-12, &at).1);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
