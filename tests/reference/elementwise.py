"""Functions of each element: values, first and second derivatives, in f64.

Writes `elementwise.safetensors` beside this script. For each function:

* `{name}/x` and, for functions of two elements, `{name}/y`: 40 numbers;
* `{name}/value`, and `{name}/grad/x`, `{name}/grad/y`: the gradient of the sum of w * value;
* `{name}/second/x`, `{name}/second/y`: the gradient of the sum over the gradients g of w * g;
* `w`: the weights, 40 numbers.

At `edges/{name}`: `x`, `y`, `value` and `grad/x`, `grad/y` (with the weights 1) at zeros of both signs, infinities,
NaN, and ends of domains.
"""

import math

import torch

from store import store

ROWS = 40
g = torch.Generator().manual_seed(3)


def uniform(low, high):
    return torch.rand(ROWS, generator=g, dtype=torch.float64) * (high - low) + low


INF, NAN = math.inf, math.nan
EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.5, -2.5, 3.0, -3.0, INF, -INF, NAN]

ONE = {
    "log1p": (torch.log1p, -0.9, 3.0),
    "expm1": (torch.expm1, -3.0, 3.0),
    "log2": (torch.log2, 0.1, 5.0),
    "log10": (torch.log10, 0.1, 5.0),
    "rsqrt": (torch.rsqrt, 0.1, 5.0),
    "tan": (torch.tan, -1.4, 1.4),
    "asin": (torch.asin, -0.95, 0.95),
    "acos": (torch.acos, -0.95, 0.95),
    "atan": (torch.atan, -5.0, 5.0),
    "sinh": (torch.sinh, -4.0, 4.0),
    "cosh": (torch.cosh, -4.0, 4.0),
    "asinh": (torch.asinh, -5.0, 5.0),
    "acosh": (torch.acosh, 1.05, 6.0),
    "atanh": (torch.atanh, -0.95, 0.95),
    "erfc": (torch.erfc, -2.0, 4.0),
    "erfinv": (torch.erfinv, -0.95, 0.95),
    "lgamma": (torch.lgamma, 0.1, 12.0),
    "digamma": (torch.digamma, 0.1, 12.0),
    "polygamma_1": (lambda x: torch.polygamma(1, x), 0.2, 12.0),
    "polygamma_3": (lambda x: torch.polygamma(3, x), 0.4, 12.0),
    "floor": (torch.floor, -3.0, 3.0),
    "ceil": (torch.ceil, -3.0, 3.0),
    "round": (torch.round, -3.0, 3.0),
    "trunc": (torch.trunc, -3.0, 3.0),
    "frac": (torch.frac, -3.0, 3.0),
    "nan_to_num": (torch.nan_to_num, -3.0, 3.0),
}
TWO = {
    "atan2": (torch.atan2, (-2.0, 2.0), (-2.0, 2.0)),
    "hypot": (torch.hypot, (-2.0, 2.0), (-2.0, 2.0)),
    "fmod": (torch.fmod, (-9.0, 9.0), (-2.0, -0.5)),
    "remainder": (torch.remainder, (-9.0, 9.0), (0.5, 2.0)),
    "copysign": (torch.copysign, (-2.0, 2.0), (-2.0, 2.0)),
    "xlogy": (torch.xlogy, (-2.0, 2.0), (0.1, 3.0)),
    "logaddexp": (torch.logaddexp, (-5.0, 5.0), (-5.0, 5.0)),
    "lerp": (lambda x, y: torch.lerp(x, y, 0.3), (-2.0, 2.0), (-2.0, 2.0)),
}

out = {"w": uniform(0.5, 1.5)}


def record(name, f, operands, w, second):
    x = [t.clone().requires_grad_() for t in operands]
    names = ["x", "y"][: len(x)]
    value = f(*x)
    out[f"{name}/value"] = value.detach()
    for key, t in zip(names, operands):
        out[f"{name}/{key}"] = t
    grads = torch.autograd.grad((w * value).sum(), x, create_graph=second, allow_unused=True)
    zero = torch.zeros_like(operands[0])
    for key, grad in zip(names, grads):
        out[f"{name}/grad/{key}"] = zero if grad is None else grad.detach().clone()
    if second:
        total = sum((w * grad).sum() for grad in grads if grad is not None)
        if total.requires_grad:
            bends = torch.autograd.grad(total, x, allow_unused=True)
        else:
            bends = [None] * len(x)
        for key, bend in zip(names, bends):
            out[f"{name}/second/{key}"] = zero if bend is None else bend.detach().clone()


edges = torch.tensor(EDGES, dtype=torch.float64)
for name, (f, low, high) in ONE.items():
    record(name, f, [uniform(low, high)], out["w"], True)
    record(f"edges/{name}", f, [edges], torch.ones(len(EDGES), dtype=torch.float64), False)
first, second = (t.flatten() for t in torch.meshgrid(edges, edges, indexing="ij"))
for name, (f, a, b) in TWO.items():
    record(name, f, [uniform(*a), uniform(*b)], out["w"], True)
    record(f"edges/{name}", f, [first, second], torch.ones(len(first), dtype=torch.float64), False)

out = {key: value.clone() for key, value in out.items()}
store(__file__, out, {})
