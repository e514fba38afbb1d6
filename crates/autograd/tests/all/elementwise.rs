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
    fn get(&self, name: &str) -> Tensor<f64> {
        self.0.get(name).unwrap_or_else(|| panic!("{name} is in the file")).cast()
    }

    /// Compares elements. Returns the largest error relative to the size of the element.
    fn compare(&self, name: &str, got: &Tensor<f64>, tolerance: f64, at: &[Tensor<f64>]) -> f64 {
        let mut worst = 0.0f64;
        for (i, (got, want)) in got.to_vec().into_iter().zip(self.get(name).to_vec()).enumerate() {
            let equal = got == want || got.is_nan() && want.is_nan();
            let error = if equal { 0.0 } else { (got - want).abs() / want.abs().max(1.0) };
            let x: Vec<f64> = at.iter().map(|x| x.to_vec()[i]).collect();
            if tolerance == 0.0 && elsewhere(name, &x) {
                continue;
            }
            assert!(error <= tolerance.max(1e-12), "{name} at {x:?}: {got:e}, PyTorch {want:e}");
            worst = worst.max(error);
        }
        worst
    }
}

/// Where PyTorch's result differs on purpose, or is not the mathematical one.
fn elsewhere(name: &str, x: &[f64]) -> bool {
    let (_, rest) = name.split_once('/').expect("edges/…");
    let (function, part) = rest.split_once('/').expect("a part");
    let pole = x[0] < 0.0 && x[0].fract() == 0.0;
    match (function, part) {
        // Near its poles PyTorch's series has the size of 1/ε².
        ("digamma", "grad/x") | ("polygamma_1" | "polygamma_3", _) => pole || x[0].is_infinite(),
        // The function is 0 along x = 0.
        ("xlogy", "grad/y") => x == [0.0, 0.0],
        _ => false,
    }
}

#[test]
fn agree_with_pytorch() {
    let reference = Reference(NamedTensors::load(FILE).unwrap());
    let (mut worst, mut cases) = ([0.0f64; 3], 0);
    for (operands, functions) in [(1, ONE), (2, TWO)] {
        for (name, f) in functions {
            let keys = &["x", "y"][..operands];
            let at: Vec<_> =
                keys.iter().map(|key| reference.get(&format!("{name}/{key}"))).collect();
            let tape = Tape::<f64>::new();
            let x: Vec<_> = at.iter().map(|x| tape.watch(x.clone())).collect();
            let w = tape.constant(reference.get("w"));
            let value = f(x[0], x[operands - 1]);
            let error = reference.compare(&format!("{name}/value"), &value.value(), 1e-12, &at);
            worst[0] = worst[0].max(error);
            let grads = (w * value + 0.0 * x[0] + 0.0 * x[operands - 1]).sum_all().grad(&x);
            let total =
                grads.iter().map(|&g| (w * g + 0.0 * x[0] + 0.0 * x[operands - 1]).sum_all());
            let bends = total.reduce(|a, b| a + b).unwrap().grad(&x);
            for (i, key) in keys.iter().enumerate() {
                let first =
                    reference.compare(&format!("{name}/grad/{key}"), &grads[i].value(), 1e-11, &at);
                let second = reference.compare(
                    &format!("{name}/second/{key}"),
                    &bends[i].value(),
                    1e-10,
                    &at,
                );
                worst = [worst[0], worst[1].max(first), worst[2].max(second)];
            }
            cases += 1;
        }
    }
    assert_eq!(cases, ONE.len() + TWO.len());
    println!(
        "{cases} functions, largest errors of value, gradient and second derivative: {worst:?}"
    );
}

#[test]
fn agree_with_pytorch_at_edges() {
    let reference = Reference(NamedTensors::load(FILE).unwrap());
    for (operands, functions) in [(1, ONE), (2, TWO)] {
        for (name, f) in functions {
            let keys = &["x", "y"][..operands];
            let name = format!("edges/{name}");
            let at: Vec<_> =
                keys.iter().map(|key| reference.get(&format!("{name}/{key}"))).collect();
            let tape = Tape::<f64>::new();
            let x: Vec<_> = at.iter().map(|x| tape.watch(x.clone())).collect();
            let value = f(x[0], x[operands - 1]);
            reference.compare(&format!("{name}/value"), &value.value(), 0.0, &at);
            let signs = |x: Tensor<f64>| {
                x.to_vec().into_iter().map(|x| x == 0.0 && x.is_sign_negative()).collect::<Vec<_>>()
            };
            assert_eq!(
                signs(value.value()),
                signs(reference.get(&format!("{name}/value"))),
                "zeros of {name}"
            );
            if !value.is_active() {
                continue;
            }
            for (g, key) in value.sum_all().grad_or_zero(&x).iter().zip(keys) {
                reference.compare(&format!("{name}/grad/{key}"), &g.value(), 0.0, &at);
            }
        }
    }
}
