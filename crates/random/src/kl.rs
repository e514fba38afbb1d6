//! The Kullback–Leibler divergence of two distributions of one family.

use crate::categorical::Categorical;
use crate::discrete::{Bernoulli, Binomial, ByOdds, Geometric, Poisson};
use crate::formulas::{EULER, Odds, log_beta, xlog1py};
use crate::gamma::{Beta, Dirichlet, Gamma};
use crate::location::{Exponential, Gumbel, Laplace, LogNormal, Normal, Uniform};
use crate::quantity::{Combine, Quantity, fits};
use wengert_autograd::{Mask, Var};
use wengert_tensor::Float;

/// Returns the Kullback–Leibler divergence from `q` to `p` in nats: the mean of ln p(x) - ln q(x) for x of `p`. The parameters
/// broadcast. Where `q` excludes values of `p`, the result is ∞.
///
/// ```
/// use wengert::random::{Exponential, kl_divergence};
/// let kl = kl_divergence(&Exponential::new(1.0), &Exponential::new(2.0));
/// assert!((kl.item() - (1.0 - 2f32.ln())).abs() < 1e-6);
/// ```
///
/// # Panics
/// If the shapes do not broadcast, and if binomial distributions have different numbers of attempts.
#[track_caller]
pub fn kl_divergence<P: KlDivergence<Q>, Q>(p: &P, q: &Q) -> P::Out {
    p.kl_divergence(q)
}

/// Pairs of distributions that [`kl_divergence`] accepts.
#[diagnostic::on_unimplemented(
    message = "`kl_divergence` has no formula for `{Self}` and `{Q}`",
    note = "both must be of one family, and StudentT has no formula; estimate it as the mean of p.log_prob(x) - q.log_prob(x) \
         for draws x of p"
)]
pub trait KlDivergence<Q> {
    /// The type of the result.
    type Out: Quantity;

    /// Returns the divergence from `q` to `self`: see [`kl_divergence`].
    fn kl_divergence(&self, q: &Q) -> Self::Out;
}

macro_rules! divergences {
    ($($Name:ident, event $event:literal: [$($p:ident),+; $($q:ident),+] $formula:expr;)*) => { $(
        impl<A: Quantity + Combine<B>, B: Quantity> KlDivergence<$Name<B>> for $Name<A> {
            type Out = A::Out;

            #[track_caller]
            fn kl_divergence(&self, q: &$Name<B>) -> A::Out {
                fn formula<'t, T: Float>(p: &[Var<'t, T>]) -> Var<'t, T> {
                    let [$($p),+, $($q),+] = *p else { unreachable!("the parameters of both") };
                    $formula
                }
                let given = A::joined(&self.parameters(), &q.parameters());
                let (last, of) = (&given[given.len() - 1], concat!("kl_divergence: ", stringify!($Name)));
                fits(of, "the first distribution", &given[0], last, $event);
                <A::Out as Quantity>::apply(&given, &formula)
            }
        }
    )* };
}

/// The divergence of normal distributions.
fn normal<'t, T: Float>(
    pm: Var<'t, T>,
    ps: Var<'t, T>,
    qm: Var<'t, T>,
    qs: Var<'t, T>,
) -> Var<'t, T> {
    let ratio = ps / qs;
    0.5 * (ratio.square() + ((pm - qm) / qs).square() - 1.0) - ratio.ln()
}

divergences! {
    Uniform, event 0: [pl, ph; ql, qh] {
        let outside = ql.gt(pl) | qh.lt(ph);
        ((qh - ql) / (ph - pl)).ln().masked_fill(outside, f64::INFINITY)
    };
    Normal, event 0: [pm, ps; qm, qs] normal(pm, ps, qm, qs);
    LogNormal, event 0: [pm, ps; qm, qs] normal(pm, ps, qm, qs);
    Laplace, event 0: [pm, ps; qm, qs] {
        let distance = (pm - qm).abs();
        let ratio = ps / qs;
        distance / qs + ratio * (-distance / ps).exp() - ratio.ln() - 1.0
    };
    Gumbel, event 0: [pm, ps; qm, qs] {
        let ratio = ps / qs;
        let shift = (pm - qm) / qs;
        shift - ratio.ln() + ratio * EULER + ((1.0 + ratio).lgamma() - shift).exp() - (1.0 + EULER)
    };
    Exponential, event 0: [p; q] {
        let ratio = q / p;
        ratio - 1.0 - ratio.ln()
    };
    Gamma, event 0: [pa, pr; qa, qr] {
        qa * (pr / qr).ln() + (qa.lgamma() - pa.lgamma()) + (pa - qa) * pa.digamma() + (qr - pr) * (pa / pr)
    };
    Beta, event 0: [pa, pb; qa, qb] {
        let (p, q) = (pa + pb, qa + qb);
        log_beta(qa, qb) - log_beta(pa, pb) + (pa - qa) * pa.digamma() + (pb - qb) * pb.digamma()
            + (q - p) * p.digamma()
    };
    Dirichlet, event 1: [p; q] {
        let (sum_p, sum_q) = (p.sum(&[-1], true), q.sum(&[-1], true));
        let terms = q.lgamma() - p.lgamma() + (p - q) * (p.digamma() - sum_p.digamma());
        terms.sum(&[-1], false) + (sum_p.lgamma() - sum_q.lgamma()).squeeze(-1)
    };
    Poisson, event 0: [p; q] p.xlogy(p) - p.xlogy(q) - (p - q);
}

/// Returns both as odds, and whether both have logits. If one has a probability, both are probabilities.
fn both<'t, T: Float>(p: Var<'t, T>, q: Var<'t, T>, logits: [bool; 2]) -> [Odds<'t, T>; 2] {
    let odds = [Odds { x: p, logits: logits[0] }, Odds { x: q, logits: logits[1] }];
    if logits[0] == logits[1] {
        return odds;
    }
    odds.map(|odds| Odds { x: odds.probs(), logits: false })
}

/// The divergence of Bernoulli distributions. Terms of the probability 0 are 0.
fn bernoulli<'t, T: Float>(p: Var<'t, T>, q: Var<'t, T>, logits: [bool; 2]) -> Var<'t, T> {
    let [p, q] = both(p, q, logits);
    if p.logits {
        let (success, failure) = (p.probs(), p.failure());
        return success * ((-q.x).softplus() - (-p.x).softplus())
            + failure * (q.x.softplus() - p.x.softplus());
    }
    let (p, q) = (p.x, q.x);
    let failure = 1.0 - p;
    p.xlogy(p) - p.xlogy(q) + xlog1py(failure, -p) - xlog1py(failure, -q)
}

macro_rules! divergences_of_odds {
    ($($Name:ident: |$logits:ident, $p:ident, $q:ident| $formula:expr;)*) => { $(
        impl<A: Quantity + Combine<B>, B: Quantity> KlDivergence<$Name<B>> for $Name<A> {
            type Out = A::Out;

            #[track_caller]
            fn kl_divergence(&self, q: &$Name<B>) -> A::Out {
                let ((p, p_logits), (q, q_logits)) = (self.odds(), q.odds());
                let given = A::joined(std::slice::from_ref(p), std::slice::from_ref(q));
                let of = concat!("kl_divergence: ", stringify!($Name));
                fits(of, "the first distribution", &given[0], &given[1], 0);
                let $logits = [p_logits, q_logits];
                <A::Out as Quantity>::apply(&given, &|given| {
                    let ($p, $q) = (given[0], given[1]);
                    $formula
                })
            }
        }
    )* };
}
divergences_of_odds! {
    Bernoulli: |logits, p, q| bernoulli(p, q, logits);
    // For each attempt that of Bernoulli distributions; there are 1/p attempts on average.
    Geometric: |logits, p, q| bernoulli(p, q, logits) / Odds { x: p, logits: logits[0] }.probs();
}

impl<A: Quantity + Combine<B>, B: Quantity> KlDivergence<Binomial<B>> for Binomial<A> {
    type Out = A::Out;

    #[track_caller]
    fn kl_divergence(&self, q: &Binomial<B>) -> A::Out {
        let ((x, p_logits), (y, q_logits)) = (self.odds(), q.odds());
        let given = A::joined(&[self.total_count(), x.clone()], &[q.total_count(), y.clone()]);
        fits("kl_divergence: Binomial", "the first distribution", &given[0], &given[2], 0);
        let counts =
            [&given[0], &given[2]].map(|count| count.has_numbers().then(|| count.numbers()));
        if let [Some(p), Some(q)] = counts {
            let equal =
                (&p - &q).to_vec().into_iter().all(|difference| difference == Default::default());
            if !equal {
                given[0].refuse(
                    "kl_divergence: Binomial: both distributions must have the same total_count"
                        .into(),
                )
            }
        }
        let logits = [p_logits, q_logits];
        <A::Out as Quantity>::apply(&given, &|given| {
            given[0] * bernoulli(given[1], given[3], logits)
        })
    }
}

/// Returns the logarithms of the probabilities of classes. At classes that `none` excludes they are finite numbers without a
/// meaning.
fn logs_except<'t, T: Float>(x: Var<'t, T>, logits: bool, none: Mask<'t, T>) -> Var<'t, T> {
    if logits {
        return x.log_softmax(-1).masked_fill(none, 0);
    }
    Var::where_(none, 1, x).ln() - x.sum(&[-1], true).ln()
}

impl<A: Quantity + Combine<B>, B: Quantity> KlDivergence<Categorical<B>> for Categorical<A> {
    type Out = A::Out;

    #[track_caller]
    fn kl_divergence(&self, q: &Categorical<B>) -> A::Out {
        let ((x, p_logits), (y, q_logits)) = (self.weights(), q.weights());
        let given = A::joined(std::slice::from_ref(x), std::slice::from_ref(y));
        fits("kl_divergence: Categorical", "the first distribution", &given[0], &given[1], 1);
        <A::Out as Quantity>::apply(&given, &|given| {
            let (p, q) = (given[0], given[1]);
            let none = p.eq(if p_logits { f64::NEG_INFINITY } else { 0.0 });
            let logs =
                [(p, p_logits), (q, q_logits)].map(|(x, logits)| logs_except(x, logits, none));
            let probs = if p_logits { p.softmax(-1) } else { p / p.sum(&[-1], true) };
            let terms = probs * (logs[0] - logs[1]);
            terms.masked_fill(none, 0).sum(&[-1], false)
        })
    }
}
