"""PyTorch's activations, losses and layers: values, gradients and Hessian products, in float64.

Writes `breadth.safetensors` beside this script. Each case is a function of one or more tensors:

* `{case}/x{i}`: its inputs; `{case}/value`: its result;
* `{case}/seed`: weights w of the shape of the result; `{case}/grad{i}` = d(sum(w * result)) / d(x{i});
* `{case}/v{i}`: a direction; `{case}/hvp{i}` = d(sum over j of sum(grad{j} * v{j})) / d(x{i}), left out
  where `{case}` has no second derivative in PyTorch.

Class numbers and lengths are `{case}/index{i}`, i64.
"""

import math

import torch
import torch.nn.functional as F

from store import store

OUT = {}
GENERATOR = torch.Generator().manual_seed(12)


def uniform(*shape, low=-2.0, high=2.0):
    # Numbers with few digits, so that the file shows what was meant.
    x = torch.rand(shape, generator=GENERATOR, dtype=torch.float64) * (high - low) + low
    return (x * 4096).round() / 4096


def record(case, function, *xs, index=(), second=True):
    assert f"{case}/value" not in OUT, case
    xs = [x.clone().requires_grad_() for x in xs]
    value = function(*xs)
    seed = uniform(*value.shape, low=0.25, high=1.5)
    grads = torch.autograd.grad((value * seed).sum(), xs, create_graph=second)
    assert torch.isfinite(value).all(), case
    OUT[f"{case}/value"], OUT[f"{case}/seed"] = value.detach(), seed
    for i, (x, grad) in enumerate(zip(xs, grads)):
        assert torch.isfinite(grad).all(), case
        OUT[f"{case}/x{i}"], OUT[f"{case}/grad{i}"] = x.detach(), grad.detach()
    for i, numbers in enumerate(index):
        OUT[f"{case}/index{i}"] = torch.as_tensor(numbers)
    if not second:
        return
    vs = [uniform(*x.shape, low=-1.0, high=1.0) for x in xs]
    slope = sum((g * v).sum() for g, v in zip(grads, vs))
    if slope.requires_grad:
        hvps = torch.autograd.grad(slope, xs, allow_unused=True)
    else:
        hvps = [None] * len(xs)
    for i, (x, v, hvp) in enumerate(zip(xs, vs, hvps)):
        OUT[f"{case}/v{i}"] = v
        OUT[f"{case}/hvp{i}"] = torch.zeros_like(x) if hvp is None else hvp.detach()


def activations():
    far = torch.tensor([1e4, -1e4, 100.0, -100.0, 40.0, -40.0, 20.0, -20.0, 8.0, -8.0, 1e-8, -1e-8],
                       dtype=torch.float64)
    x = torch.cat([uniform(20, low=-7.0, high=7.0), uniform(16), far])
    kinks = torch.tensor([-3.0, 3.0, 6.0, -1.0, 1.0, -0.5, 0.5, 0.0], dtype=torch.float64)
    of = {
        "relu6": F.relu6,
        "hardtanh": F.hardtanh,
        "hardtanh_of": lambda x: F.hardtanh(x, -0.5, 3.0),
        "threshold": lambda x: F.threshold(x, 0.5, -2.0),
        "leaky_relu": lambda x: F.leaky_relu(x, 0.1),
        "rrelu": F.rrelu,
        "elu": F.elu,
        "elu_of": lambda x: F.elu(x, 2.5),
        "celu": F.celu,
        "celu_of": lambda x: F.celu(x, 0.5),
        "selu": F.selu,
        "scaled_softplus": lambda x: F.softplus(x, 0.5, 3.0),
        "softsign": F.softsign,
        "softshrink": F.softshrink,
        "hardshrink": F.hardshrink,
        "tanhshrink": F.tanhshrink,
        "gelu": F.gelu,
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
        "silu": F.silu,
        "mish": F.mish,
        "hardswish": F.hardswish,
        "hardsigmoid": F.hardsigmoid,
        "log_sigmoid": F.logsigmoid,
    }
    for name, function in of.items():
        record(name, function, x, second=name != "hardsigmoid")
        record(f"{name}/kinks", function, kinks, second=False)
    x = uniform(3, 4, 2)
    record("glu", lambda x: F.glu(x, 1), x)
    record("glu_last", F.glu, x)
    record("softmin", lambda x: F.softmin(x, 1), torch.cat([x, 1e4 * x]))
    record("prelu", F.prelu, uniform(3, 4, 2), uniform(4))
    record("prelu_one", F.prelu, uniform(3, 4), uniform(1))


def main():
    torch.set_num_threads(1)
    activations()
    store(__file__, OUT, {})


if __name__ == "__main__":
    main()
