//! Distributions of counts.

use crate::constraint::{Constraint, parameters};
use crate::draw::{self, for_each, shape_of_draws};
use crate::family::distribution;
use crate::formulas::{Odds, no_count, within};
use crate::quantity::{Combine, Quantity, fits};
use rand::Rng;
use wengert_autograd::Var;
use wengert_tensor::{Element, Shape, Sizes, Tensor};

distribution! {
    /// The Poisson distribution.
    ///
    /// The support are the numbers k = 0, 1, 2, … The probability is rate^k·exp(-rate) / k!. Draws have no derivative, so there
    /// is no `rsample`, and the entropy has no closed form.
    ///
    /// ```
    /// use wengert::random::Poisson;
    /// use wengert::tensor::{Philox, Tensor};
    /// let counts = Poisson::new(Tensor::from([0.1f32, 5.0, 1e6])).sample((), &mut Philox::new(0));
    /// assert!(counts.to_vec().iter().all(|k| *k >= 0.0 && k.fract() == 0.0));
    /// ```
    Poisson, event 0 {
        /// Returns the rates.
        rate: NonNegative
    }
    check |new| {}
    /// Returns the mean: rate.
    fn mean = rate;
    /// Returns the variance: rate.
    fn variance = rate;
    log_prob |x| within(x, no_count(x), 0.0, |x| x.xlogy(rate) - rate - (x + 1.0).lgamma());
}

impl<P: Quantity> Poisson<P> {
    /// Returns draws, as a tensor of whole numbers without derivatives. The shape of the result is `shape` followed by that of
    /// the parameters; `()` gives one draw for each of them. Numbers above 2²⁴ are rounded in `f32`.
    ///
    /// # Panics
    /// If the result would have too many axes or elements, or if a rate is above 10¹⁹.
    #[track_caller]
    pub fn sample(&self, shape: impl Sizes, rng: &mut (impl Rng + ?Sized)) -> Tensor<P::Float> {
        let shape = shape_of_draws("Poisson: sample", &shape, &self.rate);
        let rates = for_each(&self.rate, &shape);
        if let Some(rate) = rates.iter().find(|&&rate| rate > 1e19) {
            self.rate
                .refuse(format!("Poisson: sample: the rates must not be above 1e19, got {rate}"))
        }
        draw::tensor(&shape, rng.next_u64(), &|i, rng| {
            draw::poisson(rates[i], rng).unwrap_or(f64::NAN)
        })
    }
}

/// Writes methods that are functions of the odds and of the other parameters.
macro_rules! odds_methods {
    ($Name:ident, $params:tt, $x:ident, $($(#[$doc:meta])* fn $method:ident |$odds:ident| $formula:expr;)*) => {
        impl<P: Quantity> $Name<P> { $(
            $(#[$doc])*
            #[track_caller]
            pub fn $method(&self) -> P {
                let logits = self.logits;
                P::apply(&self.parameters(), &|p| {
                    #[allow(unused_variables)] // a formula may need a part of the parameters
                    let $params = *p else { unreachable!("as many as the type has") };
                    let $odds = Odds { x: $x, logits };
                    $formula
                })
            }
        )* }
    };
}

/// Makes a distribution of a probability that is given directly or by its logit, after other parameters.
macro_rules! of_odds {
    (
        $(#[$doc:meta])*
        $Name:ident($Constraint:ident) $(after $(#[$about:meta])* $count:ident: $Count:ident)? {
            $($(#[$method_doc:meta])* fn $method:ident |$odds:ident| $formula:expr;)*
            log_prob |$at:ident, $x:ident| $log_prob:expr;
            draw |$rng:ident, $numbers:ident| $draw:expr;
        }
        [$($Bounds:tt)*] $Out:ty, |$given:ident| $joined:expr
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $Name<P = Tensor> {
            $($count: P,)?
            /// The probability or its logit.
            odds: P,
            logits: bool,
        }

        impl $Name {
            /// Creates the distribution from probabilities of success. The parameters are numbers, tensors or variables, and
            /// broadcast with each other.
            ///
            /// # Panics
            /// If a parameter is out of its range or NaN, or if the shapes do not broadcast. The values of variables are
            /// computed for this check.
            #[track_caller]
            pub fn new<$($Bounds)*>($($count: B,)? probs: A) -> $Name<$Out> {
                let $given = probs;
                let [$($count,)? odds] = parameters(
                    stringify!($Name),
                    [$(stringify!($count),)? "probs"],
                    [$(Constraint::$Count,)? Constraint::$Constraint],
                    &$joined,
                );
                $Name { $($count,)? odds, logits: false }
            }

            /// Creates the distribution from logits ln(p/(1 - p)), which keep the digits of probabilities near 0 and 1.
            ///
            /// # Panics
            /// Under the conditions of [`new`](Self::new). Logits must be finite.
            #[track_caller]
            pub fn from_logits<$($Bounds)*>($($count: B,)? logits: A) -> $Name<$Out> {
                let $given = logits;
                let [$($count,)? odds] = parameters(
                    stringify!($Name),
                    [$(stringify!($count),)? "logits"],
                    [$(Constraint::$Count,)? Constraint::Real],
                    &$joined,
                );
                $Name { $($count,)? odds, logits: true }
            }
        }

        odds_methods! {
            $Name, [$($count,)? x], x, $($(#[$method_doc])* fn $method |$odds| $formula;)*
        }

        impl<P: Quantity> $Name<P> {
            $(
                $(#[$about])*
                pub fn $count(&self) -> P {
                    self.$count.clone()
                }
            )?

            /// Returns the probabilities of success.
            #[track_caller]
            pub fn probs(&self) -> P {
                let logits = self.logits;
                P::apply(std::slice::from_ref(&self.odds), &|p| Odds { x: p[0], logits }.probs())
            }

            /// Returns the shape of the distributions: that of the parameters.
            pub fn batch_shape(&self) -> Shape {
                self.odds.sizes()
            }

            fn parameters(&self) -> Vec<P> {
                vec![$(self.$count.clone(),)? self.odds.clone()]
            }

            /// Returns the logarithm of the probability of `x`, which broadcasts with the parameters. Outside of the
            /// support the result is −∞, and its derivative 0; at NaN it is NaN.
            ///
            /// # Panics
            /// If the shapes do not broadcast.
            #[track_caller]
            pub fn log_prob<X: Combine<P>>(&self, x: X) -> X::Out {
                let given = X::joined(&[x], &self.parameters());
                fits(stringify!($Name), "log_prob", &given[0], &given[1], 0);
                let logits = self.logits;
                <X::Out as Quantity>::apply(&given, &|p| {
                    let [$x, $($count,)? x] = *p else { unreachable!("as many as the type has") };
                    let $at = Odds { x, logits };
                    $log_prob
                })
            }

            /// Returns draws, as a tensor of whole numbers without derivatives. The shape of the result is `shape` followed by
            /// that of the parameters; `()` gives one draw for each of them.
            ///
            /// # Panics
            /// If the result would have too many axes or elements, or a `total_count` is above 10¹⁸.
            #[track_caller]
            pub fn sample(&self, shape: impl Sizes, rng: &mut (impl Rng + ?Sized)) -> Tensor<P::Float> {
                let shape =
                    shape_of_draws(concat!(stringify!($Name), ": sample"), &shape, &self.odds);
                let $numbers = DrawOf {
                    counts: first_of::<P>(&[$(&self.$count)?]).map(|count| for_each(count, &shape)),
                    odds: for_each(&self.odds, &shape),
                    logits: self.logits,
                };
                let counts = $numbers.counts.iter().flatten();
                if let Some(count) = counts.copied().find(|&count| count > MOST_ATTEMPTS) {
                    self.odds.refuse(format!(
                        concat!(stringify!($Name), ": sample: total_count must not be above 1e18, got {}"),
                        count
                    ))
                }
                draw::tensor(&shape, rng.next_u64(), &|i, $rng| {
                    let $numbers = $numbers.at(i);
                    $draw
                })
            }
        }
    };
}

/// The largest number of attempts whose successes can be drawn: they are counted in 64 bits.
const MOST_ATTEMPTS: f64 = 1e18;

fn first_of<'a, P>(list: &[&'a P]) -> Option<&'a P> {
    list.first().copied()
}

/// The parameters of draws.
struct DrawOf {
    counts: Option<Vec<f64>>,
    odds: Vec<f64>,
    logits: bool,
}

/// The parameters of one draw.
struct OneDraw {
    count: f64,
    odds: f64,
    logits: bool,
}

impl DrawOf {
    fn at(&self, i: usize) -> OneDraw {
        let count = self.counts.as_ref().map_or(1.0, |counts| counts[i]);
        OneDraw { count, odds: self.odds[i], logits: self.logits }
    }
}

impl OneDraw {
    fn probability(&self) -> f64 {
        if self.logits { 1.0 / (1.0 + (-self.odds).exp()) } else { self.odds }
    }

    /// Returns ln(1 - p).
    fn log_of_failure(&self) -> f64 {
        if !self.logits {
            return (-self.odds).ln_1p();
        }
        -self.odds.max(0.0) - (-self.odds.abs()).exp().ln_1p()
    }
}

of_odds! {
    /// The Bernoulli distribution: 1 with probability p, else 0.
    ///
    /// Draws have no derivative, so there is no `rsample`.
    ///
    /// ```
    /// use wengert::random::Bernoulli;
    /// use wengert::tensor::{Philox, Tensor};
    /// let coins = Bernoulli::new(Tensor::from([0.0, 0.5, 1.0])).sample([4], &mut Philox::new(0));
    /// assert_eq!(coins.select(1, 0).to_vec(), [0.0; 4]);
    /// assert_eq!(coins.select(1, 2).to_vec(), [1.0; 4]);
    /// let certain = Bernoulli::from_logits(-100.0);
    /// assert_eq!(certain.log_prob(1.0).item(), -100.0);
    /// ```
    Bernoulli(Probability) {
        /// Returns the mean: p.
        fn mean |odds| odds.probs();
        /// Returns the variance: p (1 - p).
        fn variance |odds| odds.probs() * odds.failure();
        /// Returns the entropy in nats: -p ln p - (1 - p) ln(1 - p).
        fn entropy |odds| odds.entropy();
        log_prob |odds, x| {
            let outside = x.ne(0) & x.ne(1) & !x.isnan();
            within(x, outside, 0.0, |x| odds.times_log(x) + odds.times_log_failure(1.0 - x))
        };
        draw |rng, it| if draw::unit(rng) < it.probability() { it.count } else { 0.0 };
    }
    [A: Combine<f64>] A::Out, |odds| A::joined(&[odds], &[])
}

of_odds! {
    /// The geometric distribution: the number of failures before the first success.
    ///
    /// The support are the numbers k = 0, 1, 2, … The probability is (1 - p)^k·p. Draws have no derivative, so there is no
    /// `rsample`.
    ///
    /// ```
    /// use wengert::random::Geometric;
    /// assert_eq!(Geometric::new(0.25).mean().item(), 3.0);
    /// ```
    Geometric(PositiveProbability) {
        /// Returns the mean: (1 - p)/p.
        fn mean |odds| odds.failure() / odds.probs();
        /// Returns the variance: (1 - p)/p².
        fn variance |odds| odds.failure() / odds.probs().square();
        /// Returns the entropy in nats: (-p ln p - (1 - p) ln(1 - p)) / p.
        fn entropy |odds| odds.entropy() / odds.probs();
        log_prob |odds, x| within(x, no_count(x), 0.0, |x| {
            odds.times_log_failure(x) + odds.times_log(0.0 * x + 1.0)
        });
        draw |rng, it| draw::geometric(it.log_of_failure(), rng);
    }
    [A: Combine<f64>] A::Out, |odds| A::joined(&[odds], &[])
}

of_odds! {
    /// The binomial distribution: the number of successes in `total_count` attempts.
    ///
    /// The support are the numbers k = 0, 1, …, n. The probability is n! / (k! (n - k)!)·p^k·(1 - p)^(n - k). Draws have no
    /// derivative, so there is no `rsample`. In `f32` the number of attempts should not exceed 2²⁴.
    ///
    /// ```
    /// use wengert::random::Binomial;
    /// use wengert::tensor::Tensor;
    /// let binomial = Binomial::new(Tensor::from([0.0, 10.0]), 0.3);
    /// assert_eq!(binomial.log_prob(0.0).at(&[0]), 0.0);
    /// ```
    Binomial(Probability) after
    /// Returns the numbers of attempts n.
    total_count: Count {
        /// Returns the mean: np.
        fn mean |odds| total_count * odds.probs();
        /// Returns the variance: np (1 - p).
        fn variance |odds| total_count * odds.probs() * odds.failure();
        log_prob |odds, x| {
            let outside = no_count(x) | x.gt(total_count);
            within(x, outside, 0.0, |x| {
                let rest = total_count - x;
                let ways = (total_count + 1.0).lgamma() - (x + 1.0).lgamma() - (rest + 1.0).lgamma();
                ways + odds.times_log(x) + odds.times_log_failure(rest)
            })
        };
        draw |rng, it| draw::binomial(it.count, it.probability(), rng);
    }
    [B: Combine<A>, A] B::Out, |odds| B::joined(&[total_count], &[odds])
}

/// Attempts above which [`Binomial::entropy`] refuses: it adds this many terms.
const MOST_TERMS: f64 = 1e6;

impl<P: Quantity> Binomial<P> {
    /// Returns the entropy in nats: the sum of -P(k) ln P(k) over k = 0, …, n. Its time and memory grow with the largest n.
    ///
    /// # Panics
    /// If a number of attempts is above 10⁶.
    #[track_caller]
    pub fn entropy(&self) -> P {
        let counts = self.total_count.numbers().to_vec();
        let most = counts.iter().map(|count| count.to()).fold(0.0, f64::max);
        if most > MOST_TERMS {
            self.odds.refuse(format!(
                "Binomial: entropy: it is a sum over all counts, of which there may be at most 1e6; got total_count {most}"
            ))
        }
        let rank = self.odds.sizes().len();
        let mut column = vec![1usize; rank + 1];
        column[0] = most as usize + 1;
        let k = Tensor::from_fn(&column, |k| <P::Float as Element>::of(k as f64));
        let mut given = vec![self.odds.beside(k)];
        given.extend(self.parameters());
        let logits = self.logits;
        P::apply(&given, &|p| {
            let [k, count, x] = *p else { unreachable!("three") };
            // As for Bernoulli: certain outcomes contribute nothing to the derivative, which is infinite there.
            let certain = if logits { x.isnan() } else { x.le(0) | x.ge(1) };
            let odds = Odds { x: x.masked_fill(certain, 0.5), logits };
            let outside = k.gt(count);
            let x = Var::where_(outside, 0, k);
            let rest = count - x;
            let ways = (count + 1.0).lgamma() - (x + 1.0).lgamma() - (rest + 1.0).lgamma();
            let log = ways + odds.times_log(x) + odds.times_log_failure(rest);
            // Impossible counts contribute nothing.
            let none = outside | certain;
            (-(log.exp() * log)).masked_fill(none, 0).sum(&[0], false)
        })
    }
}

/// The parts of the distributions that `kl` compares.
pub trait ByOdds {
    type Of: Quantity;
    fn odds(&self) -> (&Self::Of, bool);
}
macro_rules! by_odds {
    ($($Name:ident)*) => { $(
        impl<P: Quantity> ByOdds for $Name<P> {
            type Of = P;
            fn odds(&self) -> (&P, bool) {
                (&self.odds, self.logits)
            }
        }
    )* };
}
by_odds! { Bernoulli Geometric Binomial }
