//! Compares `log_prob`, moments, entropies and divergences with PyTorch: values, gradients in all inputs, and products with the
//! Hessian.

use crate::file::File;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use wengert_autograd::{Tape, Var};
use wengert_random::{
    Bernoulli, Beta, Binomial, Categorical, Dirichlet, Exponential, Gamma, Geometric, Gumbel,
    Laplace, LogNormal, Normal, Poisson, StudentT, Uniform, kl_divergence,
};
use wengert_tensor::Tensor;

/// The relative errors that are allowed: of values, gradients, and products with the Hessian.
const BOUNDS: [f64; 3] = [1e-12, 1e-10, 1e-8];

type V<'t> = Var<'t, f64>;

struct Comparison {
    file: File,
    done: RefCell<BTreeSet<String>>,
    worst: Cell<[f64; 3]>,
    wrong: RefCell<Vec<String>>,
}

impl Comparison {
    fn close(&self, what: &str, kind: usize, got: &Tensor<f64>, wanted: &Tensor<f64>) {
        assert_eq!(got.shape(), wanted.shape(), "{what}");
        let mut worst = self.worst.get();
        for (i, (a, b)) in got.to_vec().into_iter().zip(wanted.to_vec()).enumerate() {
            let error = (a - b).abs() / b.abs().max(1.0);
            worst[kind] = worst[kind].max(error);
            if error.is_nan() || error > BOUNDS[kind] {
                self.wrong
                    .borrow_mut()
                    .push(format!("{what}: element {i} is {a}, PyTorch has {b}"));
            }
        }
        self.worst.set(worst);
    }

    fn of(&self, case: &str, function: impl for<'t> Fn(&[V<'t>]) -> V<'t>) {
        self.done.borrow_mut().insert(case.to_string());
        let (file, tape) = (&self.file, Tape::new());
        let xs: Vec<V<'_>> = file.list(case, "x").into_iter().map(|x| tape.watch(x)).collect();
        let value = function(&xs);
        self.close(case, 0, &value.value(), file.get(&format!("{case}/value")));
        let seed = tape.constant(file.get(&format!("{case}/seed")).clone());
        let gradients = (value * seed).sum_all().grad_or_zero(&xs);
        for (i, (got, wanted)) in gradients.iter().zip(file.list(case, "grad")).enumerate() {
            self.close(&format!("{case}/grad{i}"), 1, &got.value(), &wanted);
        }
        let (along, wanted) = (file.list(case, "v"), file.list(case, "hvp"));
        let slopes = gradients.iter().zip(along).map(|(g, v)| (*g * tape.constant(v)).sum_all());
        let slope = slopes.reduce(|a, b| a + b).unwrap();
        for (i, (got, wanted)) in slope.grad_or_zero(&xs).iter().zip(wanted).enumerate() {
            self.close(&format!("{case}/hvp{i}"), 2, &got.value(), &wanted);
        }
    }
}

/// Compares `log_prob`, the methods and the divergence of each distribution. The arguments are given as a pattern too.
macro_rules! compare {
    ($all:ident: $($Name:ident($($p:ident),+; $($q:ident),+) $($method:ident)*;)*) => { $(
        compare!(@methods $all, $Name, [$($p),+], ($($p),+), $($method)*);
        $all.of(concat!(stringify!($Name), "/log_prob"), |v| {
            let [x, $($p),+] = *v else { panic!() };
            $Name::new($($p),+).log_prob(x)
        });
        $all.of(concat!(stringify!($Name), "/kl"), |v| {
            let [$($p),+, $($q),+] = *v else { panic!() };
            kl_divergence(&$Name::new($($p),+), &$Name::new($($q),+))
        });
    )* };
    (@methods $all:ident, $Name:ident, $pattern:tt, $args:tt, $($method:ident)*) => { $(
        $all.of(concat!(stringify!($Name), "/", stringify!($method)), |v| {
            let $pattern = *v else { panic!() };
            $Name::new $args.$method()
        });
    )* };
}

/// Compares the functions of distributions of a probability or a logit `p`.
macro_rules! compare_odds {
    ($all:ident, $p:ident: $($case:literal, $Name:ident::$new:ident $args:tt, $at:expr, $($method:ident)*;)*) => { $(
        compare_odds!(@methods $all, $p, $case, $Name::$new $args, $($method)*);
        $all.of(concat!($case, "/log_prob"), |v| { let $p = v[0]; $Name::$new $args.log_prob($at) });
        $all.of(concat!($case, "/kl"), |v| {
            let [first, second] = [0, 1].map(|i| { let $p = v[i]; $Name::$new $args });
            kl_divergence(&first, &second)
        });
    )* };
    (@methods $all:ident, $p:ident, $case:literal, $Name:ident::$new:ident $args:tt, $($method:ident)*) => { $(
        $all.of(concat!($case, "/", stringify!($method)), |v| { let $p = v[0]; $Name::$new $args.$method() });
    )* };
}

#[test]
fn functions_of_parameters_agree_with_pytorch() {
    let all = Comparison {
        file: File::load(),
        done: RefCell::default(),
        worst: Cell::default(),
        wrong: RefCell::default(),
    };
    compare! { all:
        Normal(a, b; c, d) mean variance entropy;
        Laplace(a, b; c, d) mean variance entropy;
        Gumbel(a, b; c, d) mean variance entropy;
        LogNormal(a, b; c, d) mean variance entropy;
        Uniform(a, b; c, d) mean variance entropy;
        Exponential(a; b) mean variance entropy;
        Gamma(a, b; c, d) mean variance entropy;
        Beta(a, b; c, d) mean variance entropy;
    }
    compare!(@methods all, StudentT, [a, b, c], (a, b, c), mean variance entropy);
    all.of("StudentT/log_prob", |v| StudentT::new(v[1], v[2], v[3]).log_prob(v[0]));
    let counts = Tensor::from([0.0, 3.0, 1.0, 7.0, 0.0, 1e4]);
    all.of("Poisson/log_prob", |v| Poisson::new(v[0]).log_prob(&counts));
    all.of("Poisson/kl", |v| kl_divergence(&Poisson::new(v[0]), &Poisson::new(v[1])));
    all.of("Dirichlet/log_prob", |v| Dirichlet::new(v[1]).log_prob(v[0] / v[0].sum(&[-1], true)));
    all.of("Dirichlet/mean", |v| Dirichlet::new(v[0]).mean());
    all.of("Dirichlet/variance", |v| Dirichlet::new(v[0]).variance());
    all.of("Dirichlet/entropy", |v| Dirichlet::new(v[0]).entropy());
    all.of("Dirichlet/kl", |v| kl_divergence(&Dirichlet::new(v[0]), &Dirichlet::new(v[1])));

    let coins = Tensor::from([1.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    let failures = Tensor::from([0.0, 3.0, 1.0, 0.0, 40.0, 2.0]);
    let successes = Tensor::from([0.0, 3.0, 9.0, 5.0, 1.0, 8.0]);
    compare_odds! { all, p:
        "Bernoulli", Bernoulli::new(p), &coins, mean variance entropy;
        "BernoulliLogits", Bernoulli::from_logits(p), &coins, mean variance entropy;
        "Geometric", Geometric::new(p), &failures, mean variance;
        "GeometricLogits", Geometric::from_logits(p), &failures, mean variance;
        "Binomial", Binomial::new(9.0, p), &successes, mean variance entropy;
        "BinomialLogits", Binomial::from_logits(9.0, p), &successes, mean variance entropy;
    }
    all.of("Geometric/entropy", |v| Geometric::new(v[0]).entropy());
    let classes = all.file.classes("Categorical/log_prob/classes");
    all.of("Categorical/log_prob", |v| Categorical::new(v[0]).log_prob(classes));
    all.of("Categorical/entropy", |v| Categorical::new(v[0]).entropy());
    all.of("Categorical/kl", |v| kl_divergence(&Categorical::new(v[0]), &Categorical::new(v[1])));
    all.of("CategoricalLogits/log_prob", |v| Categorical::from_logits(v[0]).log_prob(classes));
    all.of("CategoricalLogits/entropy", |v| Categorical::from_logits(v[0]).entropy());
    all.of("CategoricalLogits/kl", |v| {
        kl_divergence(&Categorical::from_logits(v[0]), &Categorical::from_logits(v[1]))
    });

    let wanted: BTreeSet<String> = all.file.cases("/value").into_iter().collect();
    assert_eq!(*all.done.borrow(), wanted, "every case of the file is compared");
    let ([value, gradient, product], cases) = (all.worst.get(), wanted.len());
    println!("{cases} cases; largest errors {value:.1e}, {gradient:.1e}, {product:.1e}");
    let wrong = all.wrong.borrow();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The divergence of a probability and a logit is that of two probabilities.
#[test]
fn probabilities_and_logits_can_be_compared() {
    let (p, l) = (Tensor::from([0.25f64]), Tensor::from([0.5f64]));
    let q = l.sigmoid();
    let a = kl_divergence(&Bernoulli::new(&p), &Bernoulli::from_logits(&l));
    let b = kl_divergence(&Bernoulli::new(&p), &Bernoulli::new(&q));
    assert_eq!(a, b);
    let certain = kl_divergence(&Bernoulli::new(1.0), &Bernoulli::new(0.5)).item();
    assert_eq!(certain, std::f32::consts::LN_2);
    assert_eq!(kl_divergence(&Bernoulli::new(0.5), &Bernoulli::new(1.0)).item(), f32::INFINITY);
    let (w, s) = (Tensor::from([1.0f64, 3.0, 0.0]), Tensor::from([0.0f64, 0.5, 1.0]));
    let a = kl_divergence(&Categorical::new(&w), &Categorical::from_logits(&s)).item();
    let b = kl_divergence(&Categorical::new(&w), &Categorical::new(s.exp())).item();
    assert!((a - b).abs() < 1e-15);
    let excluded = kl_divergence(&Categorical::from_logits(&s), &Categorical::new(&w)).item();
    assert_eq!(excluded, f64::INFINITY);
}
