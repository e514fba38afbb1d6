//! Tests `rsample`: the mean of the derivatives of draws is the derivative of an expectation that is known in closed form.

use wengert_autograd::{Tape, Var};
use wengert_random::{
    Beta, Dirichlet, Exponential, Gamma, Gumbel, Laplace, LogNormal, Normal, StudentT, Uniform,
};
use wengert_tensor::{Philox, Tensor};

const N: usize = 40_000;

type V<'t> = Var<'t, f64>;

/// Compares the derivatives in each parameter: of the mean of `f` of draws, and of its expectation `wanted`. Each parameter has an
/// element for each of `N` draws, so that the derivatives of single draws give the standard error.
#[track_caller]
fn agree(
    what: &str,
    parameters: &[f64],
    f: impl for<'t> Fn(&[V<'t>], &mut Philox) -> V<'t>,
    wanted: impl for<'t> Fn(&[V<'t>]) -> V<'t>,
) {
    let tape = Tape::new();
    let each: Vec<V<'_>> =
        parameters.iter().map(|p| tape.watch(Tensor::full_of([N], *p))).collect();
    let of_draws = f(&each, &mut Philox::new(21)).sum_all().grad_or_zero(&each);
    let single: Vec<V<'_>> = parameters.iter().map(|p| tape.watch(Tensor::scalar_of(*p))).collect();
    let of_mean = wanted(&single).grad_or_zero(&single);
    for (i, (draws, wanted)) in of_draws.iter().zip(of_mean).enumerate() {
        let (draws, wanted) = (draws.value().to_vec(), wanted.item());
        let mean = draws.iter().sum::<f64>() / N as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / N as f64;
        let error = (variance / N as f64).sqrt();
        assert!(
            (mean - wanted).abs() <= 4.5 * error + 1e-9 * wanted.abs(),
            "{what}: parameter {i}: {mean} ± {error}, but the derivative is {wanted}"
        );
    }
}

#[test]
fn derivatives_of_draws_are_those_of_expectations() {
    agree(
        "uniform",
        &[-0.5, 2.0],
        |p, rng| Uniform::new(p[0], p[1]).rsample((), rng).square(),
        |p| (p[0].square() + p[0] * p[1] + p[1].square()) / 3.0,
    );
    agree(
        "normal",
        &[0.5, 2.0],
        |p, rng| Normal::new(p[0], p[1]).rsample((), rng).square(),
        |p| p[0].square() + p[1].square(),
    );
    agree(
        "log-normal",
        &[0.5, 0.3],
        |p, rng| LogNormal::new(p[0], p[1]).rsample((), rng),
        |p| (p[0] + 0.5 * p[1].square()).exp(),
    );
    agree(
        "laplace",
        &[0.5, 2.0],
        |p, rng| Laplace::new(p[0], p[1]).rsample((), rng).square(),
        |p| p[0].square() + 2.0 * p[1].square(),
    );
    agree(
        "gumbel",
        &[0.5, 2.0],
        |p, rng| Gumbel::new(p[0], p[1]).rsample((), rng).square(),
        |p| {
            let law = Gumbel::new(p[0], p[1]);
            law.mean().square() + law.variance()
        },
    );
    agree(
        "exponential",
        &[3.0],
        |p, rng| Exponential::new(p[0]).rsample((), rng).square(),
        |p| 2.0 / p[0].square(),
    );
    for alpha in [0.05, 0.7, 3.0, 50.0, 2000.0] {
        agree(
            "gamma, square",
            &[alpha, 2.0],
            |p, rng| Gamma::new(p[0], p[1]).rsample((), rng).square(),
            |p| p[0] * (p[0] + 1.0) / p[1].square(),
        );
    }
    // The logarithm has no finite draws for much smaller concentrations.
    for alpha in [0.05, 0.7, 3.0, 50.0, 2000.0] {
        agree(
            "gamma, logarithm",
            &[alpha, 2.0],
            |p, rng| Gamma::new(p[0], p[1]).rsample((), rng).ln(),
            |p| p[0].digamma() - p[1].ln(),
        );
    }
    for (a, b) in [(0.05, 0.1), (0.5, 2.0), (30.0, 4.0)] {
        agree(
            "beta",
            &[a, b],
            |p, rng| Beta::new(p[0], p[1]).rsample((), rng).square(),
            |p| {
                let sum = p[0] + p[1];
                p[0] * (p[0] + 1.0) / (sum * (sum + 1.0))
            },
        );
    }
    for (a, b, c) in [(0.05, 0.1, 0.3), (0.5, 2.0, 8.0)] {
        agree(
            "dirichlet",
            &[a, b, c],
            |p, rng| {
                let x = Dirichlet::new(Var::stack(p, 1)).rsample((), rng);
                x.select(1, 0) * x.select(1, 1)
            },
            |p| {
                let sum = p[0] + p[1] + p[2];
                p[0] * p[1] / (sum * (sum + 1.0))
            },
        );
    }
    for df in [0.4, 5.0, 300.0] {
        agree(
            "student",
            &[df, 0.5, 2.0],
            |p, rng| {
                let x = StudentT::new(p[0], p[1], p[2]).rsample((), rng);
                (((x - 0.5) / 2.0).square() / df).log1p()
            },
            expectation_of_student,
        );
    }
}

/// Returns E ln(1 + ((x - 1/2)/2)²/c) with the constant c = df, by the trapezoidal rule in x = sinh u.
fn expectation_of_student<'t>(p: &[V<'t>]) -> V<'t> {
    let tape = p[0].tape();
    let c = p[0].detach();
    let count = 4001;
    let step = 0.02;
    let u: Tensor<f64> = Tensor::from_fn(&[count], |i| (i as f64 - 2000.0) * step);
    let (x, weight) = (tape.constant(u.sinh()), tape.constant(u.cosh() * step));
    let density = StudentT::new(p[0], p[1], p[2]).log_prob(x).exp();
    let f = (((x - 0.5) / 2.0).square() / c).log1p();
    (density * f * weight).sum_all()
}

#[test]
fn sample_is_rsample_without_derivatives() {
    let tape = Tape::new();
    let alpha = tape.watch(Tensor::<f64>::from([0.3, 4.0]));
    macro_rules! same {
        ($($distribution:expr;)*) => { $({
            let distribution = $distribution;
            let draws = distribution.rsample([5], &mut Philox::new(2));
            assert!(draws.is_active());
            let numbers = distribution.sample([5], &mut Philox::new(2));
            assert_eq!(draws.value(), numbers, "{}", stringify!($distribution));
        })* };
    }
    same! {
        Uniform::new(-alpha, alpha);
        Normal::new(0.0, alpha);
        LogNormal::new(alpha, 1.0);
        Laplace::new(0.0, alpha);
        Gumbel::new(0.0, alpha);
        Exponential::new(alpha);
        Gamma::new(alpha, 2.0);
        Beta::new(alpha, 2.0);
        Dirichlet::new(alpha);
        StudentT::new(alpha, 0.0, 1.0);
    }
}

/// The second derivative of a gamma draw passes through Beta, Dirichlet and the rate.
#[test]
fn second_derivatives_of_expectations() {
    let tape = Tape::new();
    let alpha = tape.watch(Tensor::<f64>::full_of([N], 2.5));
    let x = Gamma::new(alpha, 1.0).rsample((), &mut Philox::new(6));
    let slope = x.square().sum_all().grad(&[alpha])[0];
    let curvature = slope.sum_all().grad(&[alpha])[0].value().to_vec();
    let mean = curvature.iter().sum::<f64>() / N as f64;
    // E z² = α² + α.
    assert!((mean - 2.0).abs() < 0.05, "{mean}");
}
