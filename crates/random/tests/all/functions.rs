//! Compares `log_prob`, moments, entropies and divergences with PyTorch: values, gradients in all inputs, and products with the
//! Hessian.

use crate::reference_file::ReferenceFile;
use wengert_random::{
    Bernoulli, Beta, Binomial, Categorical, Dirichlet, Exponential, Gamma, Geometric, Gumbel,
    Laplace, LogNormal, Normal, Poisson, StudentT, Uniform, kl_divergence,
};
use wengert_tensor::Tensor;

/// Compares `log_prob`, the methods and the divergence of each distribution. The arguments are given as a pattern too.
macro_rules! compare {
    ($all:ident: $($Name:ident($($p:ident),+; $($q:ident),+) $($method:ident)*;)*) => { $(
        compare!(@methods $all, $Name, [$($p),+], ($($p),+), $($method)*);
        $all.compare_function(concat!(stringify!($Name), "/log_prob"), |v| {
            let [x, $($p),+] = *v else { panic!() };
            $Name::new($($p),+).log_prob(x)
        });
        $all.compare_function(concat!(stringify!($Name), "/kl"), |v| {
            let [$($p),+, $($q),+] = *v else { panic!() };
            kl_divergence(&$Name::new($($p),+), &$Name::new($($q),+))
        });
    )* };
    (@methods $all:ident, $Name:ident, $pattern:tt, $args:tt, $($method:ident)*) => { $(
        $all.compare_function(concat!(stringify!($Name), "/", stringify!($method)), |v| {
            let $pattern = *v else { panic!() };
            $Name::new $args.$method()
        });
    )* };
}

/// Compares the functions of distributions of a probability or a logit `p`.
macro_rules! compare_odds {
    ($all:ident, $p:ident: $($case:literal, $Name:ident::$new:ident $args:tt, $at:expr, $($method:ident)*;)*) => { $(
        compare_odds!(@methods $all, $p, $case, $Name::$new $args, $($method)*);
        $all.compare_function(concat!($case, "/log_prob"), |v| { let $p = v[0]; $Name::$new $args.log_prob($at) });
        $all.compare_function(concat!($case, "/kl"), |v| {
            let [first, second] = [0, 1].map(|i| { let $p = v[i]; $Name::$new $args });
            kl_divergence(&first, &second)
        });
    )* };
    (@methods $all:ident, $p:ident, $case:literal, $Name:ident::$new:ident $args:tt, $($method:ident)*) => { $(
        $all.compare_function(concat!($case, "/", stringify!($method)), |v| { let $p = v[0]; $Name::$new $args.$method() });
    )* };
}

#[test]
fn functions_of_parameters_agree_with_pytorch() {
    let all = ReferenceFile::load("distributions");
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
    all.compare_function("StudentT/log_prob", |v| StudentT::new(v[1], v[2], v[3]).log_prob(v[0]));
    let counts = Tensor::from([0.0, 3.0, 1.0, 7.0, 0.0, 1e4]);
    all.compare_function("Poisson/log_prob", |v| Poisson::new(v[0]).log_prob(&counts));
    all.compare_function("Poisson/kl", |v| kl_divergence(&Poisson::new(v[0]), &Poisson::new(v[1])));
    all.compare_function("Dirichlet/log_prob", |v| {
        Dirichlet::new(v[1]).log_prob(v[0] / v[0].sum(&[-1], true))
    });
    all.compare_function("Dirichlet/mean", |v| Dirichlet::new(v[0]).mean());
    all.compare_function("Dirichlet/variance", |v| Dirichlet::new(v[0]).variance());
    all.compare_function("Dirichlet/entropy", |v| Dirichlet::new(v[0]).entropy());
    all.compare_function("Dirichlet/kl", |v| {
        kl_divergence(&Dirichlet::new(v[0]), &Dirichlet::new(v[1]))
    });

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
    all.compare_function("Geometric/entropy", |v| Geometric::new(v[0]).entropy());
    let classes = |case| all.get::<f64>(&format!("{case}/log_prob/classes")).cast::<i64>();
    all.compare_function("Categorical/log_prob", |v| {
        Categorical::new(v[0]).log_prob(&classes("Categorical"))
    });
    all.compare_function("Categorical/entropy", |v| Categorical::new(v[0]).entropy());
    all.compare_function("Categorical/kl", |v| {
        kl_divergence(&Categorical::new(v[0]), &Categorical::new(v[1]))
    });
    all.compare_function("CategoricalLogits/log_prob", |v| {
        Categorical::from_logits(v[0]).log_prob(&classes("CategoricalLogits"))
    });
    all.compare_function("CategoricalLogits/entropy", |v| Categorical::from_logits(v[0]).entropy());
    all.compare_function("CategoricalLogits/kl", |v| {
        kl_divergence(&Categorical::from_logits(v[0]), &Categorical::from_logits(v[1]))
    });

    // The draws and their derivatives have tests of their own.
    for part in ["bins", "implicit"] {
        all.group(part);
    }
    all.finish();
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
