//! Tests the numbers that are drawn: their distribution, their independence, and what they depend on.

use crate::reference_file::ReferenceFile;
use wengert_autograd::Tape;
use wengert_random::{
    Bernoulli, Beta, Binomial, Categorical, Dirichlet, Exponential, Gamma, Geometric, Gumbel,
    Laplace, LogNormal, Normal, Poisson, StudentT, Uniform, multinomial,
};
use wengert_tensor::{Philox, Tensor};

const N: usize = 100_000;

/// Compares the numbers with the probabilities of bins by Pearson's χ², and tests that neighbours are not correlated.
#[track_caller]
fn fits(file: &ReferenceFile, case: &str, draws: &[f64]) {
    let edges = file.get::<f64>(&format!("bins/{case}/edges")).to_vec();
    let probs = file.get::<f64>(&format!("bins/{case}/probs")).to_vec();
    let bound = file.get::<f64>(&format!("bins/{case}/bound")).item();
    let places: Vec<usize> = draws.iter().map(|x| edges.partition_point(|edge| edge < x)).collect();
    let mut counts = vec![0.0; probs.len()];
    for &place in &places {
        counts[place] += 1.0;
    }
    let n = draws.len() as f64;
    let terms = counts.iter().zip(&probs).map(|(count, p)| (count - n * p).powi(2) / (n * p));
    let statistic: f64 = terms.sum();
    assert!(statistic < bound, "{case}: χ² is {statistic}, above {bound}: {counts:?}");

    let mean = places.iter().sum::<usize>() as f64 / n;
    let centred: Vec<f64> = places.iter().map(|&place| place as f64 - mean).collect();
    let variance = centred.iter().map(|x| x * x).sum::<f64>();
    let neighbours = centred.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>();
    let correlation = neighbours / variance * n.sqrt();
    assert!(correlation.abs() < 4.0, "{case}: correlation of neighbours, {correlation} σ");
}

#[test]
fn draws_have_the_distribution_of_scipy() {
    let file = ReferenceFile::load("distributions");
    let mut rng = Philox::new(11);
    let mut tested = Vec::new();
    macro_rules! test {
        ($($case:literal: $distribution:expr;)*) => { $(
            fits(&file, $case, &$distribution.sample([N], &mut rng).to_vec());
            tested.push($case.to_string());
        )* };
    }
    let s = Tensor::<f64>::scalar_of;
    test! {
        "Uniform": Uniform::new(s(-1.0), 2.0);
        "Normal": Normal::new(s(1.0), 2.0);
        "LogNormal": LogNormal::new(s(0.25), 0.5);
        "Laplace": Laplace::new(s(1.0), 2.0);
        "Gumbel": Gumbel::new(s(1.0), 2.0);
        "Exponential": Exponential::new(s(4.0));
        "StudentT": StudentT::new(s(3.0), 1.0, 2.0);
        "StudentTSmall": StudentT::new(s(0.5), 0.0, 1.0);
        "Gamma": Gamma::new(s(2.5), 2.0);
        "GammaHalf": Gamma::new(s(0.5), 1.0);
        "GammaLarge": Gamma::new(s(1e5), 1.0);
        "GammaTiny": Gamma::new(s(1e-3), 1.0);
        "Beta": Beta::new(s(2.0), 0.5);
        "BetaSmall": Beta::new(s(0.05), 0.1);
        "PoissonTiny": Poisson::new(s(1e-3));
        "Poisson": Poisson::new(s(3.5));
        "Poisson20": Poisson::new(s(20.0));
        "PoissonLarge": Poisson::new(s(1e6));
        "Binomial1": Binomial::new(s(1.0), 0.3);
        "Binomial10": Binomial::new(s(10.0), 0.4);
        "Binomial100": Binomial::new(s(100.0), 0.7);
        "BinomialLarge": Binomial::new(s(1e6), 0.25);
        "BinomialRare": Binomial::new(s(1e6), 3e-6);
        "Geometric": Geometric::new(s(0.2));
    }
    let dirichlet = Dirichlet::new(Tensor::<f64>::from([0.5, 1.0, 2.5])).sample([N], &mut rng);
    fits(&file, "DirichletMarginal", &dirichlet.select(1, 0).to_vec());
    tested.push("DirichletMarginal".into());
    tested.sort();
    assert_eq!(
        tested,
        file.group("bins")
            .names()
            .filter_map(|name| Some(name.strip_suffix("/edges")?.to_string()))
            .collect::<Vec<_>>()
    );
}

/// Each mean and each variance of draws is within 4.5 standard errors of `mean` and `variance`.
#[test]
fn moments_agree_with_the_formulas() {
    let mut rng = Philox::new(5);
    macro_rules! moments {
        ($($distribution:expr;)*) => { $({
            let distribution = $distribution;
            let draws = distribution.sample([N], &mut rng);
            let n = N as f64;
            for i in 0..distribution.batch_shape().numel() {
                let (mean, variance) = (distribution.mean().to_vec()[i], distribution.variance().to_vec()[i]);
                let x = draws.select(1, i as isize).to_vec();
                let centred: Vec<f64> = x.iter().map(|x| (x - mean).powi(2)).collect();
                let average = x.iter().sum::<f64>() / n;
                let spread = centred.iter().sum::<f64>() / n;
                let fourth = centred.iter().map(|x| (x - spread).powi(2)).sum::<f64>() / n;
                let text = stringify!($distribution);
                assert!((average - mean).abs() <= 4.5 * (variance / n).sqrt(), "{text} {i}: {average} {mean}");
                assert!((spread - variance).abs() <= 4.5 * (fourth / n).sqrt(), "{text} {i}: {spread} {variance}");
            }
        })* };
    }
    let [a, b] = [Tensor::<f64>::from([0.3, 2.0, 40.0]), Tensor::<f64>::from([1.5, 0.7, 3.0])];
    let p = Tensor::<f64>::from([0.02, 0.5, 0.9]);
    moments! {
        Uniform::new(-&b, &a);
        Normal::new(&a, &b);
        LogNormal::new(&b, 0.25);
        Laplace::new(&a, &b);
        Gumbel::new(&a, &b);
        Exponential::new(&a);
        StudentT::new(9.0, &a, &b);
        Gamma::new(&a, &b);
        Beta::new(&a, &b);
        Bernoulli::new(&p);
        Bernoulli::from_logits(&b);
        Geometric::new(&p);
        Geometric::from_logits(-&b);
        Poisson::new(&a);
        Binomial::new(Tensor::<f64>::from([1.0, 17.0, 5000.0]), &p);
        Binomial::from_logits(Tensor::<f64>::from([3.0, 40.0, 500.0]), &b);
    }
}

/// Element i depends on the generator and i alone: not on the shape, and not on the parameters of other elements.
#[test]
fn an_element_depends_on_its_position_and_parameters_alone() {
    macro_rules! check {
        ($(|$a:ident, $b:ident| $make:expr;)*) => { $({
            let make = |$a: Tensor<f64>, $b: Tensor<f64>| $make;
            let rng = || Philox::new(9);
            let [one, other] = [0.4, 3.0].map(|x| Tensor::<f64>::scalar_of(x));
            let lone = make(one.clone(), other.clone()).sample([60], &mut rng()).to_vec();
            assert_eq!(make(one.clone(), other.clone()).sample((5, 12), &mut rng()).to_vec(), lone);
            // A longer draw begins with the same numbers, also where several threads share it.
            let long = make(one.clone(), other.clone()).sample([9000], &mut rng()).to_vec();
            assert_eq!(long[..60], lone[..]);
            // The other elements of this batch have other parameters.
            let mixed = Tensor::from_fn(&[60], |i| if i % 3 == 0 { 0.4 } else { 1.0 + i as f64 });
            let batch = make(mixed, other.clone()).sample((), &mut rng()).to_vec();
            for i in (0..60).step_by(3) {
                assert_eq!(batch[i], lone[i], "{}: {i}", stringify!($make));
            }
            // The next draw differs, and so does another seed.
            let mut rng = rng();
            let [first, second] = [0, 1].map(|_| make(one.clone(), other.clone()).sample([60], &mut rng).to_vec());
            assert_eq!(first, lone);
            assert_ne!(second, lone);
        })* };
    }
    check! {
        |a, b| Uniform::new(-a, b);
        |a, b| Normal::new(a, b);
        |a, b| LogNormal::new(a, b);
        |a, b| Laplace::new(a, b);
        |a, b| Gumbel::new(a, b);
        |a, _b| Exponential::new(a);
        |a, b| StudentT::new(a, 0.0, b);
        |a, b| Gamma::new(a, b);
        |a, b| Beta::new(a, b);
        |a, _b| Poisson::new(10.0 * a);
        |a, _b| Binomial::new(50.0, a.minimum(0.75));
        |a, _b| Geometric::new(a.minimum(0.75));
    }
}

#[test]
fn the_number_of_threads_does_not_change_bits() {
    let draw = || {
        let rng = &mut Philox::new(4);
        let alpha = Tensor::from_fn(&[20_000], |i| 0.01 + (i % 97) as f64);
        let gamma = Gamma::new(&alpha, 1.0).sample((), rng).to_vec();
        let poisson = Poisson::new(&alpha).sample((), rng).to_vec();
        let classes = Categorical::new(Tensor::<f64>::from([1.0, 2.0, 3.0])).sample([20_000], rng);
        (gamma, poisson, classes)
    };
    let of = |threads| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(draw)
    };
    let one = of(1);
    assert!(one == of(2) && one == of(3) && one == of(7));
}

#[test]
fn extreme_parameters_give_sound_draws() {
    let rng = &mut Philox::new(1);
    let n = [1000];
    let s = Tensor::<f64>::scalar_of;
    let all = |x: Tensor<f64>, ok: &dyn Fn(f64) -> bool| x.to_vec().into_iter().all(ok);
    assert!(all(Bernoulli::new(s(0.0)).sample(n, rng), &|x| x == 0.0));
    assert!(all(Bernoulli::new(s(1.0)).sample(n, rng), &|x| x == 1.0));
    assert!(all(Bernoulli::from_logits(s(-800.0)).sample(n, rng), &|x| x == 0.0));
    assert!(all(Bernoulli::from_logits(s(800.0)).sample(n, rng), &|x| x == 1.0));
    for (count, p, wanted) in
        [(0.0, 0.5, 0.0), (7.0, 0.0, 0.0), (7.0, 1.0, 7.0), (1e6, 1.0, 1e6), (1e6, 0.0, 0.0)]
    {
        assert!(all(Binomial::new(s(count), p).sample(n, rng), &|x| x == wanted), "{count} {p}");
    }
    assert!(all(Poisson::new(s(0.0)).sample(n, rng), &|x| x == 0.0));
    assert!(all(Geometric::new(s(1.0)).sample(n, rng), &|x| x == 0.0));
    assert!(all(Geometric::new(s(1e-300)).sample(n, rng), &|x| x > 1e290));
    // Most of these numbers are too small for f64, or are rounded to 0 or 1.
    assert!(all(Gamma::new(s(1e-6), 1.0).sample(n, rng), &|x| x >= 0.0 && x.is_finite()));
    assert!(all(Beta::new(s(1e-6), 1e-6).sample(n, rng), &|x| x == 0.0 || x == 1.0));
    assert!(all(Beta::new(s(1e8), 1e8).sample(n, rng), &|x| (x - 0.5).abs() < 1e-3));
    let corners = Dirichlet::new(Tensor::<f64>::full_of([4], 1e-5)).sample([3000], rng);
    assert!(all(corners.sum(&[1], false), &|sum| (sum - 1.0).abs() < 1e-12));
    let largest = corners.max(&[1], false).mean(&[0], false).item();
    assert!(largest > 0.99, "each is near a corner: {largest}");
    assert!(all(corners.mean(&[0], false), &|share| (share - 0.25).abs() < 0.04));
    // f32, too.
    let small = Gamma::new(1e-3, 1.0).sample([1000], rng).to_vec();
    assert!(small.iter().all(|x| *x >= 0.0 && x.is_finite()) && small.iter().any(|x| *x > 0.0));
    let below = Uniform::new(1.0, 1.0 + f64::from(f32::EPSILON)).sample([1000], rng);
    assert!(below.to_vec().iter().all(|x| *x == 1.0), "high is excluded");
}

#[test]
fn empty_draws_and_batches_are_empty() {
    let rng = &mut Philox::new(1);
    assert_eq!(Gamma::new(1.0, 1.0).sample([0, 3], rng).shape(), [0, 3]);
    let none = Tensor::<f64>::zeros_of([0]);
    assert_eq!(Beta::new(&none, 1.0).rsample([2], rng).shape(), [2, 0]);
    assert_eq!(Normal::new(&none, 1.0).log_prob(0.0).shape(), [0]);
    assert_eq!(Poisson::new(&none).sample((), rng).shape(), [0]);
    assert_eq!(Categorical::new(Tensor::<f64>::zeros_of([0, 3])).sample([2], rng).shape(), [2, 0]);
    assert_eq!(Binomial::new(&none, 0.5).entropy().shape(), [0]);
    assert_eq!(multinomial(&Tensor::from([[1.0f32, 2.0]]), 0, true, rng).shape(), [1, 0]);
}

/// Returns χ² of the counts.
fn chi_squared(counts: &[f64], probs: &[f64]) -> f64 {
    let n: f64 = counts.iter().sum();
    counts.iter().zip(probs).map(|(count, p)| (count - n * p).powi(2) / (n * p)).sum()
}

#[test]
fn classes_are_drawn_with_their_probabilities() {
    let rng = &mut Philox::new(3);
    let weights = Tensor::<f64>::from([[2.0, 0.0, 1.0, 5.0], [0.25, 0.25, 0.25, 0.0]]);
    let probs = [[0.25, 0.0, 0.125, 0.625], [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.0]];
    let by_weights = Categorical::new(&weights).sample([N], rng);
    let by_logits = Categorical::from_logits(weights.ln()).sample([N], rng);
    let many = multinomial(&weights, N, true, rng).t();
    for drawn in [by_weights, by_logits, many] {
        assert_eq!(drawn.shape(), [N, 2]);
        for (line, probs) in probs.iter().enumerate() {
            let counts = drawn.select(1, line as isize).bincount(4).to_vec();
            let (mut some, mut of) = (vec![], vec![]);
            for (count, p) in counts.iter().zip(probs) {
                if *p == 0.0 {
                    assert_eq!(*count, 0);
                } else {
                    some.push(*count as f64);
                    of.push(*p);
                }
            }
            assert!(chi_squared(&some, &of) < 19.0, "{counts:?}"); // P(χ² > 18.4) = 1e-4 for two degrees
        }
    }
}

#[test]
fn draws_without_replacement_have_the_probabilities_of_successive_draws() {
    let rng = &mut Philox::new(8);
    let w = [1.0, 2.0, 5.0];
    let lines = 60_000;
    let weights = Tensor::<f64>::from(w).broadcast_to([lines, 3]);
    let drawn = multinomial(&weights, 2, false, rng).to_vec();
    let (mut counts, mut probs) = (vec![], vec![]);
    for i in 0..3 {
        for j in (0..3).filter(|&j| j != i) {
            let pairs = drawn.as_chunks::<2>().0.iter();
            counts.push(pairs.filter(|pair| **pair == [i as i64, j as i64]).count() as f64);
            probs.push(w[i] / 8.0 * w[j] / (8.0 - w[i]));
        }
    }
    assert_eq!(counts.iter().sum::<f64>(), lines as f64, "no class is drawn twice");
    assert!(chi_squared(&counts, &probs) < 25.7, "{counts:?}"); // P = 1e-4 for five degrees
}

/// A layer has no generator of its own: it takes that of the tape.
#[test]
fn the_generator_of_a_tape_gives_each_operation_other_numbers() {
    let draw = |seed| {
        let tape = Tape::<f64>::train(&mut Philox::new(seed));
        let normal = Normal::new(tape.watch(Tensor::zeros_of([3])), 1.0);
        [0, 1].map(|_| normal.rsample([2], &mut tape.rng()).value().to_vec())
    };
    let [first, second] = draw(1);
    assert_ne!(first, second);
    assert_eq!(draw(1), [first.clone(), second]);
    assert_ne!(draw(2)[0], first);
    let tape = Tape::<f64>::new();
    let error = tape.catch(|| tape.rng()).unwrap_err();
    assert!(error.message.contains("no key for random numbers"), "{error}");
}
