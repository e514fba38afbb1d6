"""PyTorch's distributions, derivatives of gamma draws (mpmath), and probabilities of bins (SciPy), in float64.

Writes `distributions.safetensors` beside this script.

Functions of the parameters (PyTorch). The case is `{distribution}/{method}`; the inputs of `log_prob` are the value and the
parameters, those of `kl` the parameters of both distributions:

* `{case}/x{i}`: its inputs; `{case}/value`: its result;
* `{case}/seed`: weights w of the shape of the result; `{case}/grad{i}` = d(sum(w * result)) / d(x{i});
* `{case}/v{i}`: a direction; `{case}/hvp{i}` = d(sum over j of sum(grad{j} * v{j})) / d(x{i}).

PyTorch's trigamma has ten digits, so its lgamma, digamma and polygamma are replaced by those of SciPy.

Classes of the categorical distribution are `{case}/classes`, i64.

Draws of the gamma distribution (mpmath), where F is the distribution function and q the density of y = ln z:

* `implicit/concentration`, `implicit/z` (0 where it is too small), `implicit/y`;
* `implicit/slope` = dy/d(concentration) at a constant F, `implicit/curvature` = (second derivative of F in the concentration) / q;
* `implicit/second` = d²y/d(concentration)² at a constant F, for the first `len(second)` points.

Probabilities (SciPy): `bins/{case}/edges` (increasing), `bins/{case}/probs`: the probability of x <= edges[0], of edges[0] < x <=
edges[1], …, of x > edges[-1]; `bins/{case}/bound`: the value that the chi-squared statistic exceeds with the probability 1e-4.
"""

import mpmath as mp
import numpy as np
import scipy.special as sp
import scipy.stats as st
import torch
import torch.distributions as D

from store import store

OUT = {}
GENERATOR = torch.Generator().manual_seed(3)
F64 = torch.float64


def uniform(*shape, low=-2.0, high=2.0):
    x = torch.rand(shape, generator=GENERATOR, dtype=F64) * (high - low) + low
    return (x * 4096).round() / 4096


def positive(*shape, low=0.25, high=4.0):
    return uniform(*shape, low=low, high=high)


def tensor(*x):
    return torch.tensor(x, dtype=F64)


def record(case, function, *xs, value_is_free=True):
    assert f"{case}/value" not in OUT, case
    xs = [x.clone().requires_grad_() for x in xs]
    value = function(*xs)
    seed = uniform(*value.shape, low=0.25, high=1.5)
    grads = torch.autograd.grad((value * seed).sum(), xs, create_graph=True, allow_unused=True)
    grads = [torch.zeros_like(x) if g is None else g for x, g in zip(xs, grads)]
    assert torch.isfinite(value).all(), (case, value)
    OUT[f"{case}/value"], OUT[f"{case}/seed"] = value.detach(), seed
    for i, (x, grad) in enumerate(zip(xs, grads)):
        assert torch.isfinite(grad).all(), (case, i)
        OUT[f"{case}/x{i}"], OUT[f"{case}/grad{i}"] = x.detach(), grad.detach().clone()
    vs = [uniform(*x.shape, low=-1.0, high=1.0) for x in xs]
    slope = sum((g * v).sum() for g, v in zip(grads, vs))
    hvps = [None] * len(xs)
    if slope.requires_grad:
        hvps = torch.autograd.grad(slope, xs, allow_unused=True)
    for i, (x, v, hvp) in enumerate(zip(xs, vs, hvps)):
        assert hvp is None or torch.isfinite(hvp).all(), (case, i)
        OUT[f"{case}/v{i}"] = v
        OUT[f"{case}/hvp{i}"] = torch.zeros_like(x) if hvp is None else hvp.detach().clone()


def family(name, make, parameters, values, others=None, methods=("mean", "variance", "entropy")):
    record(f"{name}/log_prob", lambda x, *p: make(*p).log_prob(x), values, *parameters)
    for method in methods:
        def of(*p, method=method):
            result = getattr(make(*p), method)
            return result() if callable(result) else result
        record(f"{name}/{method}", of, *parameters)
    if others is not None:
        n = len(parameters)
        record(f"{name}/kl", lambda *p: D.kl_divergence(make(*p[:n]), make(*p[n:])), *parameters, *others)


class Polygamma(torch.autograd.Function):
    """The derivative of order n + 1 of ln Γ."""

    @staticmethod
    def forward(ctx, x, n):
        ctx.save_for_backward(x)
        ctx.n = n
        numbers = x.detach().numpy()
        return torch.as_tensor(sp.gammaln(numbers) if n < 0 else sp.digamma(numbers) if n == 0 else sp.polygamma(n, numbers))

    @staticmethod
    def backward(ctx, gy):
        (x,) = ctx.saved_tensors
        return gy * Polygamma.apply(x, ctx.n + 1), None


def precise(n):
    return lambda x: Polygamma.apply(x, n)


torch.lgamma = torch.Tensor.lgamma = precise(-1)
torch.digamma = torch.Tensor.digamma = precise(0)


def functions():
    D.Distribution.set_default_validate_args(False)
    real, scale = uniform(3, 1), torch.cat([positive(3), tensor(1e-3, 1e3)])
    pair, pair2 = (real, scale), (uniform(3, 1), torch.cat([positive(3), tensor(2e-3, 500.0)]))
    x = uniform(2, 3, 5, low=-6.0, high=6.0)
    family("Normal", D.Normal, pair, x, pair2)
    family("Laplace", D.Laplace, pair, x, pair2)
    mild = (real, positive(5, low=0.1))
    family("Gumbel", D.Gumbel, mild, x, (uniform(3, 1), positive(5)))
    small = (real, positive(5, low=0.1, high=1.5))
    family("LogNormal", D.LogNormal, small, positive(2, 3, 5, low=0.01, high=9.0), (uniform(3, 1), positive(5)))
    low, high = uniform(3, 1, low=-3.0, high=-1.0), uniform(5, low=1.0, high=3.0)
    family("Uniform", D.Uniform, (low, high), uniform(2, 3, 5, low=-0.9, high=0.9), (low - 0.5, high + 0.25))
    rate = torch.cat([positive(3), tensor(1e-3, 1e3)])
    above = positive(2, 5, low=0.01, high=9.0)
    family("Exponential", D.Exponential, (rate,), above, (rate.flip(0) + 0.125,))
    df = torch.cat([positive(3, low=2.5, high=9.0), tensor(2.0625, 300.0)])
    family("StudentT", D.StudentT, (df, real, positive(5)), x)

    a, b = torch.cat([positive(4), tensor(1e-3, 200.0)]), torch.cat([tensor(0.5, 1e-2, 150.0), positive(3)])
    family("Gamma", D.Gamma, (a, b), positive(2, 6, low=0.01, high=9.0), (positive(6), positive(6)))
    inner = uniform(2, 6, low=0.02, high=0.98)
    family("Beta", D.Beta, (a, b), inner, (positive(6), positive(6)))
    c = torch.stack([positive(4), tensor(0.01, 0.5, 30.0, 1.0)])
    record("Dirichlet/log_prob", lambda x, c: D.Dirichlet(c).log_prob(x / x.sum(-1, keepdim=True)), positive(3, 2, 4), c)
    for method in ["mean", "variance"]:
        record(f"Dirichlet/{method}", lambda c: getattr(D.Dirichlet(c), method), c)
    record("Dirichlet/entropy", lambda c: D.Dirichlet(c).entropy(), c)
    record("Dirichlet/kl", lambda p, q: D.kl_divergence(D.Dirichlet(p), D.Dirichlet(q)), c, positive(2, 4))

    probs, logits = torch.cat([uniform(4, low=0.05, high=0.95), tensor(1e-6, 0.53125)]), tensor(-30.0, -2.0, 0.125, 0.5, 3.0, 5.0)
    probs2, logits2 = uniform(6, low=0.05, high=0.95), uniform(6)

    def discrete(name, by_probs, by_logits, values, methods=("mean", "variance", "entropy")):
        parts = [(f"{name}", by_probs, probs, probs2), (f"{name}Logits", by_logits, logits, logits2)]
        for case, make, p, q in parts:
            record(f"{case}/log_prob", lambda p: make(p).log_prob(values), p)
            for method in methods:
                def of(p, method=method):
                    result = getattr(make(p), method)
                    return result() if callable(result) else result
                record(f"{case}/{method}", of, p)
            record(f"{case}/kl", lambda p, q: D.kl_divergence(make(p), make(q)), p, q)

    discrete("Bernoulli", lambda p: D.Bernoulli(p), lambda p: D.Bernoulli(logits=p), tensor(1, 0, 1, 0, 0, 1))
    geometric = tensor(0, 3, 1, 0, 40, 2)
    # The entropy of PyTorch is not that of mpmath for extreme logits; the tests compare it by mathematics.
    discrete("Geometric", lambda p: D.Geometric(p), lambda p: D.Geometric(logits=p), geometric, ("mean", "variance"))
    record("Geometric/entropy", lambda p: D.Geometric(p).entropy(), probs2)
    count = tensor(9, 9, 9, 9, 9, 9)
    discrete("Binomial", lambda p: D.Binomial(count, p), lambda p: D.Binomial(count, logits=p), tensor(0, 3, 9, 5, 1, 8))
    rates = torch.cat([positive(4), tensor(1e-3, 1e4)])
    record("Poisson/log_prob", lambda r: D.Poisson(r).log_prob(tensor(0, 3, 1, 7, 0, 1e4)), rates)
    record("Poisson/kl", lambda p, q: D.kl_divergence(D.Poisson(p), D.Poisson(q)), rates, positive(6))

    weights, scores = positive(2, 5), uniform(2, 5, low=-9.0, high=9.0)
    weights2, scores2 = positive(2, 5), uniform(2, 5)
    classes = torch.tensor([[0, 4], [3, 2], [1, 1]])
    for case, make, p, q in [
        ("Categorical", lambda p: D.Categorical(p), weights, weights2),
        ("CategoricalLogits", lambda p: D.Categorical(logits=p), scores, scores2),
    ]:
        record(f"{case}/log_prob", lambda p: make(p).log_prob(classes), p)
        OUT[f"{case}/log_prob/classes"] = classes
        record(f"{case}/entropy", lambda p: make(p).entropy(), p)
        record(f"{case}/kl", lambda p, q: D.kl_divergence(make(p), make(q)), p, q)


def series(alpha, y):
    """-F_a / q and F_aa / q by the power series of F, with digits to spare."""
    z = mp.e**y
    weight, digamma, trigamma = 1 / alpha, mp.digamma(alpha + 1), mp.polygamma(1, alpha + 1)
    slope = curvature = mp.mpf(0)
    n = 1
    while True:
        terms = weight * (digamma - y), weight * ((digamma - y)**2 - trigamma)
        slope, curvature = slope + terms[0], curvature + terms[1]
        if n > z - alpha and weight < mp.mpf(10)**(-mp.mp.dps) * abs(slope) and digamma > y:
            return slope, curvature
        weight *= z / (alpha + n)
        digamma += 1 / (alpha + n)
        trigamma -= 1 / (alpha + n)**2
        n += 1


def implicit():
    mp.mp.dps = 60
    quantiles = [1e-12, 1e-4, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 1 - 1e-4, 1 - 1e-9]
    rows, second = [], []
    alphas = [0.05, 0.5, 1.0, 3.0, 29.0, 31.0, 100.0, 1e-3, 0.01, 0.3, 0.9, 1.5, 10.0, 30.0, 300.0, 1e3, 1e4, 1e5]
    for alpha in alphas:
        for u in quantiles:
            z = float(st.gamma.ppf(u, alpha))
            if z > 1e-290:
                y = mp.log(mp.mpf(z))
            else:
                z, y = 0.0, mp.mpf(float((mp.log(u) + mp.loggamma(alpha + 1)) / alpha))
            a = mp.mpf(alpha)
            slope, curvature = series(a, y)
            rows.append([alpha, z, float(y), float(slope), float(curvature)])
            if len(rows) == len(second) + 1 and alphas.index(alpha) < 7:
                # Independent of the series: derivatives of mpmath's function, and of its inverse.
                def f(a, y):
                    return mp.gammainc(a, 0, mp.e**y, regularized=True)
                density = mp.e**(a * y - mp.e**y) / mp.gamma(a)
                assert abs(-mp.diff(lambda a: f(a, y), a) / density / slope - 1) < 1e-20, (alpha, u)
                at = f(a, y)
                h = mp.mpf(10)**-12 * a
                def root(a):
                    return mp.findroot(lambda v: mp.log(f(a, v)) - mp.log(at), y + slope * (a - mp.mpf(alpha)), tol=1e-90, verify=False)
                mp.mp.dps = 90
                second.append(float((root(a + h) - 2 * y + root(a - h)) / h**2))
                mp.mp.dps = 60
    table = torch.tensor(rows, dtype=F64)
    for i, name in enumerate(["concentration", "z", "y", "slope", "curvature"]):
        OUT[f"implicit/{name}"] = table[:, i].clone()
    OUT["implicit/second"] = torch.tensor(second, dtype=F64)


def bins(case, law, edges):
    edges = np.unique(np.asarray(edges, dtype=float))
    below, above = law.cdf(edges), law.sf(edges)
    inner = np.where(below[1:] < 0.5, below[1:] - below[:-1], above[:-1] - above[1:])
    probs = np.concatenate([below[:1], inner, above[-1:]])
    keep = probs > 2e-4
    assert keep.all(), (case, probs)
    OUT[f"bins/{case}/edges"], OUT[f"bins/{case}/probs"] = torch.tensor(edges), torch.tensor(probs)
    OUT[f"bins/{case}/bound"] = torch.tensor(float(st.chi2.ppf(1 - 1e-4, len(edges))), dtype=F64)


def probabilities():
    quantiles = np.arange(1, 50) / 50
    continuous = {
        "Uniform": st.uniform(-1, 3), "Normal": st.norm(1, 2), "LogNormal": st.lognorm(0.5, scale=np.exp(0.25)),
        "Laplace": st.laplace(1, 2), "Gumbel": st.gumbel_r(1, 2), "Exponential": st.expon(scale=0.25),
        "StudentT": st.t(3, 1, 2), "StudentTSmall": st.t(0.5),
        "Gamma": st.gamma(2.5, scale=0.5), "GammaHalf": st.gamma(0.5), "GammaLarge": st.gamma(1e5),
        "Beta": st.beta(2, 0.5), "BetaSmall": st.beta(0.05, 0.1),
        "DirichletMarginal": st.beta(0.5, 3.5),
    }
    for case, law in continuous.items():
        bins(case, law, law.ppf(quantiles))
    # About half of the draws are too small for f64.
    bins("GammaTiny", st.gamma(1e-3), st.gamma(1e-3).ppf([0.55, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.995, 0.999]))
    discrete = {
        "PoissonTiny": st.poisson(1e-3), "Poisson": st.poisson(3.5), "PoissonLarge": st.poisson(1e6), "Poisson20": st.poisson(20),
        "Binomial1": st.binom(1, 0.3), "Binomial10": st.binom(10, 0.4), "Binomial100": st.binom(100, 0.7),
        "BinomialLarge": st.binom(1000000, 0.25), "BinomialRare": st.binom(1000000, 3e-6), "Geometric": st.geom(0.2, loc=-1),
    }
    for case, law in discrete.items():
        points = np.unique(law.ppf(np.concatenate([quantiles, [0.999]])))
        edges = [e for e in points if law.sf(e) > 2e-4 and law.cdf(e) > 2e-4]
        kept, last = [], 0.0
        for e in edges:
            if law.cdf(e) - last > 2e-4:
                kept.append(e)
                last = law.cdf(e)
        bins(case, law, kept)


functions()
implicit()
probabilities()
store(__file__, {name: numbers.clone() for name, numbers in OUT.items()}, {})
