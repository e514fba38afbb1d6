//! Tests which parameters and values distributions accept, and the edges of their supports.

use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use wengert_autograd::{Tape, Var};
use wengert_random::{
    Bernoulli, Beta, Binomial, Categorical, Dirichlet, Exponential, Gamma, Geometric, Gumbel,
    Laplace, LogNormal, Normal, Poisson, StudentT, Uniform, kl_divergence, multinomial,
};
use wengert_tensor::{Philox, Tensor};

/// Returns the message of the panic of `f`. The panic is located in this file: at the caller's line.
#[track_caller]
fn message(f: impl FnOnce()) -> String {
    use std::sync::{Mutex, PoisonError};
    static HOOK: Mutex<()> = Mutex::new(());
    let _one = HOOK.lock().unwrap_or_else(PoisonError::into_inner);
    let place = std::sync::Arc::new(Mutex::new(String::new()));
    let seen = place.clone();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        *seen.lock().unwrap() = info.location().map(Location::file).unwrap_or_default().to_string();
    }));
    let result = catch_unwind(AssertUnwindSafe(f));
    std::panic::set_hook(before);
    let error = result.expect_err("this must be refused");
    assert!(
        place.lock().unwrap().ends_with("parameters.rs"),
        "the panic is in {}",
        place.lock().unwrap()
    );
    error
        .downcast_ref::<String>()
        .cloned()
        .unwrap_or_else(|| (*error.downcast_ref::<&str>().unwrap()).into())
}

macro_rules! refuses {
    ($($call:expr => $($part:literal),+;)*) => { $({
        let text = message(|| {
            let _ = $call;
        });
        $( assert!(text.contains($part), "{}: {text:?} does not contain {:?}", stringify!($call), $part); )+
    })* };
}

#[test]
fn parameters_out_of_range_are_refused_at_the_callers_line() {
    let nan = f64::NAN;
    let bad = || Tensor::from([[1.0f32, 2.0, 3.0], [0.5, -1.0, 1.0]]);
    refuses! {
        Normal::new(0.0, &bad()) => "Normal: scale must be positive and finite, got -1 at position 4 of shape [2, 3]";
        Normal::new(nan, 1.0) => "Normal: loc must be finite, got NaN";
        Normal::new(0.0, nan) => "scale must be positive";
        Normal::new(0.0, f64::INFINITY) => "scale must be positive and finite, got inf";
        LogNormal::new(0.0, 0.0) => "LogNormal: scale must be positive and finite, got 0";
        Laplace::new(0.0, -1.0) => "Laplace: scale";
        Gumbel::new(0.0, -1.0) => "Gumbel: scale";
        Uniform::new(1.0, 1.0) => "Uniform: low must be less than high", "got 1 and 1";
        Uniform::new(2.0, 1.0) => "low must be less than high";
        Uniform::new(-3e38, 3e38) => "high - low finite";
        Uniform::new(nan, 1.0) => "Uniform: low must be finite, got NaN";
        Exponential::new(0.0) => "Exponential: rate must be positive";
        StudentT::new(0.0, 0.0, 1.0) => "StudentT: df must be positive";
        StudentT::new(1.0, 0.0, 0.0) => "StudentT: scale must be positive";
        Gamma::new(0.0, 1.0) => "Gamma: concentration must be positive";
        Gamma::new(1.0, nan) => "Gamma: rate must be positive and finite, got NaN";
        Beta::new(1.0, 0.0) => "Beta: concentration0 must be positive";
        Beta::new(-1.0, 1.0) => "Beta: concentration1 must be positive";
        Dirichlet::new(1.0) => "Dirichlet: concentration must have at least one axis";
        Dirichlet::new(&bad()) => "Dirichlet: concentration must be positive";
        Bernoulli::new(1.5) => "Bernoulli: probs must be from 0 to 1, got 1.5";
        Bernoulli::new(nan) => "Bernoulli: probs must be from 0 to 1, got NaN";
        Bernoulli::from_logits(f64::INFINITY) => "Bernoulli: logits must be finite";
        Geometric::new(0.0) => "Geometric: probs must be above 0 and at most 1";
        Binomial::new(2.5, 0.5) => "Binomial: total_count must be a whole number from 0 on, got 2.5";
        Binomial::new(-1.0, 0.5) => "total_count must be a whole number";
        Binomial::new(3.0, -0.5) => "Binomial: probs must be from 0 to 1";
        Poisson::new(-1.0) => "Poisson: rate must be at least 0 and finite, got -1";
        Categorical::new(&bad()) => "Categorical: probs must be at least 0 and finite, got -1";
        Categorical::new(Tensor::from([[1.0f32, 1.0], [0.0, 0.0]])) => "weight above 0", "distribution 1 of shape [2, 2]";
        Categorical::new(1.0) => "Categorical: the last axis of probs has the classes";
        Categorical::new(Tensor::zeros([2, 0])) => "there must be at least one; got shape [2, 0]";
        Categorical::from_logits(Tensor::from([nan as f32])) => "Categorical: logits must be a number below infinity, got NaN";
        Categorical::from_logits(Tensor::from([f32::NEG_INFINITY])) => "weight above 0";
        Normal::new(Tensor::zeros([2]), Tensor::ones([3])) => "Normal: the shapes", "of loc, scale do not broadcast";
        Normal::new(Tensor::zeros([2]), 1.0).log_prob(Tensor::zeros([3])) => "Normal: log_prob: the shape [3] does not broadcast with the shape [2]";
        Bernoulli::new(Tensor::zeros([2])).log_prob(Tensor::zeros([3])) => "Bernoulli: log_prob: the shape [3]";
        Dirichlet::new(Tensor::ones([3])).log_prob(Tensor::ones([1])) => "Dirichlet: log_prob: the last axis of shape [1]";
        Categorical::new(Tensor::ones([3])).log_prob(&Tensor::from([3])) => "class 3 does not exist: there are 3 classes";
        Categorical::new(Tensor::ones([3])).log_prob(&Tensor::from([-1])) => "class -1 does not exist";
        Categorical::new(Tensor::ones([2, 3])).log_prob(&Tensor::from([0, 0, 0])) => "Categorical: log_prob: the shape [3] of the classes";
        multinomial(&Tensor::from([1.0f32, 0.0]), 2, false, &mut Philox::new(0)) => "2 draws without replacement", "line 0 has 1";
        multinomial(&Tensor::from([1.0f32, -1.0]), 2, true, &mut Philox::new(0)) => "multinomial: weights must be at least 0";
        multinomial(&Tensor::from([0.0f32, 0.0]), 2, true, &mut Philox::new(0)) => "multinomial: weights must have a weight above 0";
        Normal::new(0.0, 1.0).sample([-1], &mut Philox::new(0)) => "Normal: rsample: size -1";
        Poisson::new(1.0).sample([1, 1, 1, 1, 1, 1, 1, 1, 1], &mut Philox::new(0)) => "9";
        Poisson::new(2e19).sample((), &mut Philox::new(0)) => "must not be above 1e19";
        Binomial::new(1e30, 0.5).sample((), &mut Philox::new(0)) => "Binomial: sample: total_count must not be above 1e18, got 1";
        Categorical::new(Tensor::from([3e38f32, 3e38])) => "Categorical: probs must have a weight above 0 and a finite sum";
        kl_divergence(&Binomial::new(3.0, 0.5), &Binomial::new(4.0, 0.5)) => "must have the same total_count";
        kl_divergence(&Normal::new(Tensor::zeros([2]), 1.0), &Normal::new(Tensor::zeros([3]), 1.0)) => "kl_divergence: Normal";
        kl_divergence(&Categorical::new(Tensor::ones([2])), &Categorical::new(Tensor::ones([3]))) => "kl_divergence: Categorical";
        Binomial::new(2e6, 0.5).entropy() => "Binomial: entropy", "2000000";
    }
    let tape = Tape::<f32>::new();
    let x = tape.watch(bad());
    refuses! {
        Gamma::new(x, 1.0) => "Gamma: concentration must be positive and finite, got -1 at position 4";
        Normal::new(tape.watch(Tensor::zeros([2])), tape.watch(Tensor::ones([3]))) => "do not broadcast";
    }
    let error = tape.catch(|| Normal::new(0.0, x)).unwrap_err();
    assert!(error.message.contains("scale must be positive"));
}

#[test]
fn numbers_tensors_and_variables_can_be_combined() {
    let tape = Tape::<f64>::new();
    let v = tape.watch(Tensor::from([1.0, 2.0]));
    let t = Tensor::<f64>::from([[1.0], [3.0]]);
    let x: Tensor<f32> = Normal::new(0.0, 1.0).mean();
    assert_eq!(x.rank(), 0);
    let x: Tensor<f64> = Normal::new(&t, Tensor::<f64>::from([1.0, 2.0])).entropy();
    assert_eq!(x.shape(), [2, 2]);
    let x: Var<'_, f64> = Normal::new(&t, v).mean();
    assert_eq!(x.value(), Tensor::from([[1.0, 1.0], [3.0, 3.0]]));
    let x: Var<'_, f64> = StudentT::new(3.0, t.clone(), v).variance();
    assert_eq!(x.shape(), [2, 2]);
    // A value that is a variable makes the result a variable, whatever the parameters are.
    let x: Var<'_, f64> = Normal::new(&t, 1.0).log_prob(v);
    assert_eq!(x.sum_all().grad(&[v])[0].value().to_vec(), [0.0 + 2.0, -1.0 + 1.0]);
    let x: Var<'_, f64> = kl_divergence(&Normal::new(v, 1.0), &Normal::new(&t, 2.0));
    assert_eq!(x.shape(), [2, 2]);
    let x: Tensor<f64> = Gamma::new(v, 1.0).sample([3], &mut Philox::new(0));
    assert_eq!(x.shape(), [3, 2]);
    assert_eq!(Dirichlet::new(t.clone()).batch_shape(), [2]);
    assert_eq!(Categorical::new(&t).batch_shape(), [2]);
    assert_eq!(Bernoulli::from_logits(v).probs().value().to_vec(), v.sigmoid().value().to_vec());
    assert_eq!(Categorical::new(v).probs().value().to_vec(), [1.0 / 3.0, 2.0 / 3.0]);
    assert_eq!(Binomial::new(5.0, v - 1.0).total_count().shape(), [2]);
}

#[test]
fn shape_only_runs_check_shapes_without_numbers() {
    let tape = Tape::<f32>::shapes_only(None);
    let x = tape.input([4, 3]);
    let rng = &mut Philox::new(0);
    assert_eq!(Gamma::new(x, 1.0).rsample([2], rng).shape(), [2, 4, 3]);
    assert_eq!(Normal::new(x, 1.0).log_prob(x).shape(), [4, 3]);
    assert_eq!(Categorical::from_logits(x).entropy().shape(), [4]);
    assert_eq!(Bernoulli::from_logits(x).log_prob(1.0).shape(), [4, 3]);
    assert!(tape.catch(|| Normal::new(x, 1.0).log_prob(Tensor::zeros([2]))).is_err());
}

/// Outside of the support the logarithm is −∞. There the derivative is 0, and elsewhere it is not touched.
#[test]
fn values_outside_of_the_support_have_the_probability_0() {
    let inf = f64::INFINITY;
    macro_rules! edges {
        ($($Name:ident::$new:ident($($p:literal),+): $outside:expr, $inside:expr;)*) => { $({
            let tape = Tape::<f64>::new();
            let outside: &[f64] = &$outside;
            let list: Vec<f64> = outside.iter().copied().chain([$inside, f64::NAN]).collect();
            let n = list.len();
            let x = tape.watch(Tensor::from_slice(&list, [n]));
            let parameters = [$(tape.watch(Tensor::full_of([n], $p))),+];
            let mut of = parameters.iter();
            let log = $Name::$new($({ let _ = $p; *of.next().unwrap() }),+).log_prob(x);
            let got = log.value().to_vec();
            let text = stringify!($Name::$new);
            assert!(got[..n - 2].iter().all(|log| *log == -inf), "{text}: {got:?}");
            assert!(got[n - 2].is_finite() && got[n - 1].is_nan(), "{text}: {got:?}");
            let alone = tape.watch(Tensor::scalar_of($inside));
            let same = $Name::$new($(Tensor::<f64>::scalar_of($p)),+).log_prob(alone);
            assert!((same.item() - got[n - 2]).abs() < 1e-14);
            for (i, of) in [x].into_iter().chain(parameters).enumerate() {
                let slopes = log.narrow(0, 0, n as isize as usize - 1).sum_all().grad_or_zero(&[of])[0].value().to_vec();
                assert!(slopes[..n - 2].iter().all(|slope| *slope == 0.0), "{text}, input {i}: {slopes:?}");
                assert!(slopes[n - 2].is_finite(), "{text}, input {i}: {slopes:?}");
            }
        })* };
    }
    edges! {
        Uniform::new(-1.0, 2.0): [-1.5, 2.0, 3.0, inf, -inf], 0.5;
        LogNormal::new(0.5, 2.0): [0.0, -1.0, -inf], 0.5;
        Exponential::new(2.0): [-1e-300, -1.0, -inf], 0.5;
        Gamma::new(2.0, 3.0): [-1e-300, -1.0, inf, -inf], 0.5;
        Beta::new(2.0, 3.0): [-0.1, 1.1, inf, -inf], 0.5;
        Bernoulli::new(0.25): [0.5, -1.0, 2.0, inf], 1.0;
        Bernoulli::from_logits(0.25): [0.5, -1.0, 2.0, inf], 0.0;
        Geometric::new(0.25): [0.5, -1.0, inf], 3.0;
        Geometric::from_logits(0.25): [0.5, -1.0, inf], 3.0;
        Poisson::new(0.25): [0.5, -1.0, inf], 3.0;
        Binomial::new(4.0, 0.25): [0.5, -1.0, 5.0, inf], 4.0;
        Binomial::from_logits(4.0, 0.25): [0.5, -1.0, 5.0, inf], 4.0;
    }
    let simplex = Dirichlet::new(Tensor::<f64>::from([2.0, 3.0]));
    let tape = Tape::<f64>::new();
    let x = tape.watch(Tensor::from([[0.5, 0.5], [0.5, 0.6], [-0.5, 1.5]]));
    let log = simplex.log_prob(x);
    assert!(log.value().at(&[0]).is_finite());
    assert_eq!(log.value().to_vec()[1..], [-inf, -inf]);
    let slopes = log.sum_all().grad(&[x])[0].value();
    assert!(slopes.to_vec()[..2].iter().all(|slope| *slope > 0.0));
    assert_eq!(slopes.to_vec()[2..], [0.0; 4]);
}

/// Certain outcomes have exact logarithms and derivatives that are not NaN.
#[test]
fn the_ends_of_parameters_are_exact() {
    let inf = f64::NEG_INFINITY;
    let tape = Tape::<f64>::new();
    let p = tape.watch(Tensor::from([0.0, 0.0, 1.0, 1.0]));
    let coins = Tensor::from([0.0, 1.0, 0.0, 1.0]);
    let log = Bernoulli::new(p).log_prob(&coins);
    assert_eq!(log.value().to_vec(), [0.0, inf, inf, 0.0]);
    let slopes = log.sum_all().grad(&[p])[0].value().to_vec();
    assert_eq!(slopes, [-1.0, f64::INFINITY, inf, 1.0]);
    assert_eq!(Bernoulli::new(p).entropy().value().to_vec(), [0.0; 4]);
    assert!(
        Bernoulli::new(p).entropy().sum_all().grad(&[p])[0]
            .value()
            .to_vec()
            .iter()
            .all(|x| *x == 0.0)
    );
    let log = Binomial::new(3.0, p).log_prob(Tensor::from([0.0, 3.0, 0.0, 3.0]));
    assert_eq!(log.value().to_vec(), [0.0, inf, inf, 0.0]);
    assert_eq!(Binomial::new(0.0, 0.5).log_prob(0.0).item(), 0.0);
    assert_eq!(Binomial::new(3.0, p).entropy().value().to_vec(), [0.0; 4]);
    assert!(
        Binomial::new(3.0, p).entropy().sum_all().grad(&[p])[0]
            .value()
            .to_vec()
            .iter()
            .all(|x| !x.is_nan())
    );
    assert_eq!(
        Poisson::new(Tensor::from([0.0, 0.0])).log_prob(Tensor::from([0.0, 2.0])).to_vec(),
        [0.0, f32::NEG_INFINITY]
    );
    assert_eq!(
        Geometric::new(1.0).log_prob(Tensor::from([0.0, 2.0])).to_vec(),
        [0.0, f32::NEG_INFINITY]
    );
    assert_eq!(Geometric::new(1.0).entropy().item(), 0.0);
    // The ends of the support of Beta: density 0, finite or infinite.
    let ends = |a: f64, b: f64| Beta::new(a, b).log_prob(Tensor::from([0.0, 1.0])).to_vec();
    assert_eq!(ends(1.0, 1.0), [0.0, 0.0]);
    assert_eq!(ends(2.0, 0.5), [f32::NEG_INFINITY, f32::INFINITY]);
    assert_eq!(Gamma::new(1.0, 2.0).log_prob(0.0).item(), 2f32.ln());
    // Weights of 0.
    let w = tape.watch(Tensor::from([1.0, 0.0, 3.0]));
    let entropy = Categorical::new(w).entropy();
    assert!((entropy.item() - (0.75 * (4.0f64 / 3.0).ln() + 0.25 * 4f64.ln())).abs() < 1e-15);
    assert!(entropy.grad(&[w])[0].value().to_vec().iter().all(|x| x.is_finite()));
    let log = Categorical::new(w).log_prob(&Tensor::from([1, 0]));
    assert_eq!(log.value().at(&[0]), inf);
    let s = tape.watch(Tensor::from([0.0, f64::NEG_INFINITY, 1.0]));
    assert!(
        Categorical::from_logits(s).entropy().grad(&[s])[0]
            .value()
            .to_vec()
            .iter()
            .all(|x| x.is_finite())
    );
}

/// Parameters and values of extreme size, against numbers of mpmath.
#[test]
fn logarithms_are_stable_at_extremes() {
    let s = Tensor::<f64>::scalar_of;
    let near = |got: f64, wanted: f64| {
        assert!((got - wanted).abs() <= 1e-13 * wanted.abs(), "{got} {wanted}");
    };
    near(Bernoulli::from_logits(s(-1e4)).log_prob(1.0).item(), -1e4);
    near(Bernoulli::from_logits(s(1e4)).log_prob(0.0).item(), -1e4);
    near(Bernoulli::new(s(1e-20)).log_prob(0.0).item(), -1e-20);
    near(Bernoulli::from_logits(s(-50.0)).variance().item(), (-50f64).exp());
    // (1 + y²/3)^(-2) at 1e200: -4 ln(1e200) + 2 ln 3 + ln Γ(2) - ln Γ(1.5) - ln(3π)/2
    near(StudentT::new(s(3.0), 0.0, 1.0).log_prob(1e200).item(), -1_840.871_738_667_523_8);
    near(Normal::new(s(0.0), 1e-150).log_prob(1e-150).item(), 343.968_825_415_902_2);
    near(Laplace::new(s(0.0), 1.0).log_prob(-1e4).item(), -1e4 - std::f64::consts::LN_2);
    near(Gumbel::new(s(0.0), 1.0).log_prob(1e4).item(), -1e4);
    assert_eq!(Gumbel::new(s(0.0), 1.0).log_prob(-1e4).item(), f64::NEG_INFINITY);
    assert_eq!(StudentT::new(s(1.0), 0.0, 1.0).log_prob(f64::INFINITY).item(), f64::NEG_INFINITY);
    assert!(StudentT::new(s(1.0), 0.0, 1.0).mean().item().is_nan());
    assert_eq!(StudentT::new(s(2.0), 0.0, 1.0).variance().item(), f64::INFINITY);
    assert!(StudentT::new(s(1.0), 0.0, 1.0).variance().item().is_nan());
    assert_eq!(
        kl_divergence(&Uniform::new(0.0, 2.0), &Uniform::new(0.0, 1.0)).item(),
        f32::INFINITY
    );
}
