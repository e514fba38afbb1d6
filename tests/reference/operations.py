"""PyTorch's scans, reductions, orders, rearrangements and scatters: values and derivatives.

Writes `operations.safetensors` beside this script, in f64. Inputs, under their names:

* `x`, `y` [3, 4, 5]: normal numbers. `zeros` [4, 5]: rows with no, one, two and only zeros.
* `ties` [3, 6]: small integers, many of them equal. `nans` [4, 5]: rows with and without NaN and infinities.
* `sorted` [7], in ascending order. `index` [3, 2, 5]: integers from 0 to 3, some of them twice in a column.

The results, for each name in `CASES`:

* `{name}/value`: the output f of the inputs. `{name}/grad/{i}`: the gradient of `sum(f * ramp)` with respect to
  input i, and `{name}/second/{i}` the gradient of the sum over all inputs of `sum(grad * ramp)`. `ramp` is 0.25,
  0.5, 0.75, 1, ... over the elements in order, and repeats after 16 numbers. What does not depend on an input has the gradient 0.
* `{name}/value` alone for the names in `POSITIONS`, which are integers, and in `VALUES`.
"""

import torch

from store import store

INF = float("inf")


def inputs():
    g = torch.Generator().manual_seed(9)
    nan = float("nan")
    return {
        "x": torch.randn(3, 4, 5, generator=g, dtype=torch.float64),
        "y": torch.randn(3, 4, 5, generator=g, dtype=torch.float64),
        "zeros": torch.tensor(
            [[1.5, -2, 0.5, 3, 1], [2, 0, -1, 4, 0.5], [0, 3, 0, -2, 1.5], [0, 0, 0, 0, 0]], dtype=torch.float64
        ),
        "ties": torch.tensor([[2, 1, 2, 3, 1, 3], [5, 5, 5, 5, 5, 5], [0, -1, 4, -1, 4, 0]], dtype=torch.float64),
        "nans": torch.tensor(
            [[1, nan, 3, nan, 2], [INF, -INF, 0, 1, -1], [-INF, -INF, 5, INF, nan], [4, 3, 2, 1, 0]], dtype=torch.float64
        ),
        "sorted": torch.tensor([-1.5, -0.5, -0.5, 0, 0.25, 1, 2], dtype=torch.float64),
        "index": torch.randint(0, 4, (3, 2, 5), generator=g),
    }


def put(x, y, accumulate):
    rows, columns = torch.tensor([[2], [0]]), torch.tensor([1, 3, 0])
    return x.index_put((rows, columns), y[:2, :3], accumulate)


def scattered(reduce, include_self=True):
    return lambda i: lambda x, y: x.scatter_reduce(1, i, y[:, :2], reduce, include_self=include_self)


# name, inputs, function
CASES = [
    ("cumsum", ["x"], lambda x: x.cumsum(1)),
    ("cumprod", ["x"], lambda x: x.cumprod(2)),
    ("cumprod_zeros", ["zeros"], lambda x: x.cumprod(1)),
    ("logcumsumexp", ["x"], lambda x: x.logcumsumexp(0)),
    ("cummax", ["x"], lambda x: x.cummax(2)[0].sin()),
    ("cummin", ["ties"], lambda x: x.cummin(1)[0].sin()),
    ("prod", ["x"], lambda x: x.prod(1)),
    ("prod_all", ["x"], lambda x: x[0, :2].prod()),
    ("prod_zeros", ["zeros"], lambda x: x.prod(1)),
    ("std", ["x"], lambda x: x.std((0, 2))),
    ("std_0", ["x"], lambda x: x.std(1, correction=0, keepdim=True)),
    ("var_mean", ["x"], lambda x: torch.stack(torch.var_mean(x, (1,)))),
    ("norm_0", ["zeros"], lambda x: torch.linalg.vector_norm(x, 0, 1) + 0 * x.sum()),
    ("norm_1", ["x"], lambda x: torch.linalg.vector_norm(x, 1, (0, 1))),
    ("norm_2", ["x"], lambda x: torch.linalg.vector_norm(x, 2, 2)),
    ("norm_3", ["x"], lambda x: torch.linalg.vector_norm(x, 3, 1)),
    ("norm_1.5", ["x"], lambda x: torch.linalg.vector_norm(x, 1.5)),
    ("norm_-2", ["x"], lambda x: torch.linalg.vector_norm(x, -2, 0)),
    ("norm_inf", ["x"], lambda x: torch.linalg.vector_norm(x, INF, 1)),
    ("norm_-inf", ["x"], lambda x: torch.linalg.vector_norm(x, -INF, 1)),
    ("sort", ["x"], lambda x: x.sort(1, descending=True)[0].sin()),
    ("sort_ties", ["ties"], lambda x: x.sort(dim=1, stable=True)[0].sin()),
    ("topk", ["x"], lambda x: x.topk(2, 1)[0].sin()),
    ("topk_smallest", ["x"], lambda x: x.topk(3, 2, largest=False)[0].sin()),
    ("kthvalue", ["x"], lambda x: x.kthvalue(3, 1)[0].sin()),
    ("median", ["x"], lambda x: x.median(1)[0].sin()),
    ("quantile", ["x"], lambda x: x.quantile(0.3, 2).sin()),
    ("quantile_high", ["x"], lambda x: x.quantile(0.9, 1, keepdim=True).sin()),
    ("max", ["ties"], lambda x: x.max(1)[0].sin()),
    ("min", ["ties"], lambda x: x.min(1, keepdim=True)[0].sin()),
    ("select", ["x"], lambda x: x.select(1, -1).sin()),
    ("unbind", ["x"], lambda x: x.unbind(2)[3].sin()),
    ("roll", ["x"], lambda x: x.roll(3, 2).sin()),
    ("flip", ["x"], lambda x: x.flip((0, 2)).sin()),
    ("repeat", ["x"], lambda x: x.repeat(2, 1, 2, 3).sin()),
    ("tile", ["x"], lambda x: x.tile((2, 1)).sin()),
    ("expand", ["x"], lambda x: x[:, :1].expand(2, -1, 4, -1).sin()),
    ("tril", ["x"], lambda x: x.tril(1).sin()),
    ("triu", ["x"], lambda x: x.triu(-1).sin()),
    ("diagonal", ["x"], lambda x: x.diagonal(1, 2, 0).sin()),
    ("diagonal_below", ["x"], lambda x: x.diagonal(-2).sin()),
    ("diag_matrix", ["x"], lambda x: x[0, 0].diag(-2).sin()),
    ("diag", ["x"], lambda x: x[1].diag(1).sin()),
    ("kron", ["zeros", "x"], lambda z, x: torch.kron(z[:, :2], x[:, :2])),
    ("meshgrid", ["x", "y"], lambda x, y: torch.mul(*torch.meshgrid(x[0, 0], y[0, :, 0], indexing="ij"))),
    ("index_put", ["x", "y"], lambda x, y: put(x[:, :, 0], y[:, :, 0], False).sin()),
    ("index_put_rows", ["x", "y"], lambda x, y: x.index_put((torch.tensor([2, 0]),), y[1], True).sin()),
    ("index_put_added", ["x", "y"], lambda x, y: put(x[:, :, 0], y[:, :, 0], True).sin()),
    ("index_add", ["x", "y"], lambda x, y: x.index_add(1, torch.tensor([3, 0, 3, 1]), y).sin()),
]
# as above, but the function takes the index first
SCATTERS = [
    ("scatter", lambda i: lambda x, y: x.scatter(1, once(i), y[:, :2]).sin()),
    ("scatter_add", lambda i: lambda x, y: x.scatter_add(1, i, y[:, :2]).sin()),
    ("scatter_sum", scattered("sum", False)),
    ("scatter_mean", scattered("mean")),
    ("scatter_mean_alone", scattered("mean", False)),
    ("scatter_prod", scattered("prod")),
    ("scatter_prod_alone", scattered("prod", False)),
    ("scatter_max", scattered("amax")),
    ("scatter_min_alone", scattered("amin", False)),
]
# name, input, function
POSITIONS = [
    ("sort_up", "ties", lambda x: x.sort(dim=1, stable=True)[1]),
    ("sort_down", "ties", lambda x: x.sort(dim=1, descending=True, stable=True)[1]),
    ("sort_nans", "nans", lambda x: x.sort(dim=1, stable=True)[1]),
    ("argsort_nans", "nans", lambda x: x.argsort(dim=1, descending=True, stable=True)),
    ("topk_at", "x", lambda x: x.topk(3, 1)[1]),
    ("kthvalue_at", "x", lambda x: x.kthvalue(2, 2)[1]),
    ("median_at", "x", lambda x: x.median(2, keepdim=True)[1]),
    ("median_nans", "nans", lambda x: x.median(1)[1]),
    ("mode_at", "ties", lambda x: x.mode(1)[1]),
    ("cummax_at", "ties", lambda x: x.cummax(1)[1]),
    ("cummin_at", "ties", lambda x: x.cummin(1)[1]),
    ("cummax_nans", "nans", lambda x: x.cummax(1)[1]),
    ("cummin_nans", "nans", lambda x: x.cummin(1)[1]),
    ("max_at", "ties", lambda x: x.max(1)[1]),
    ("min_nans", "nans", lambda x: x.min(1)[1]),
    ("nonzero", "zeros", lambda x: x.nonzero()),
    ("count_nonzero", "nans", lambda x: x.count_nonzero(1)),
    ("inverse", "ties", lambda x: x.unique(return_inverse=True)[1]),
    ("counts", "ties", lambda x: x.unique(return_counts=True)[1]),
    ("any", "zeros", lambda x: x.any(1).long()),
    ("all", "nans", lambda x: x.all(1).long()),
    ("searchsorted", "x", lambda x: torch.searchsorted(inputs()["sorted"], x)),
    ("searchsorted_right", "zeros", lambda x: torch.searchsorted(inputs()["sorted"], x, right=True)),
    ("bincount", "index", lambda x: x.flatten().bincount(minlength=6)),
    ("one_hot", "index", lambda x: torch.nn.functional.one_hot(x, 4)),
]
VALUES = [
    ("median_of_nans", "nans", lambda x: x.median(1)[0]),
    ("mode", "ties", lambda x: x.mode(1)[0]),
    ("quantile_nans", "nans", lambda x: x.quantile(0.5, 1)),
    ("unique", "ties", lambda x: x.unique()),
    ("unique_nans", "nans", lambda x: x.unique()),
    ("masked_select", "x", lambda x: x.masked_select(x > 0.5)),
    ("cumsum_nans", "nans", lambda x: x.cumsum(1)),
    ("cumprod_nans", "nans", lambda x: x.cumprod(1)),
    ("logcumsumexp_nans", "nans", lambda x: x.logcumsumexp(1)),
    ("prod_nans", "nans", lambda x: x.prod(1)),
    ("norm_nans", "nans", lambda x: torch.linalg.vector_norm(x, 3, 1)),
    ("linspace", "x", lambda _: torch.linspace(-1, 2, 7, dtype=torch.float64)),
    ("eye", "x", lambda _: torch.eye(3, dtype=torch.float64)),
]


def once(index):
    """The index with other positions, each of which occurs once in a column: 0 or 1, then 2 or 3."""
    return index % 2 + torch.tensor([[[0], [2]]])


def ramp(x):
    return ((torch.arange(x.numel()) % 16 + 1).double() / 4).reshape(x.shape)


def derivatives(f, names, tensors):
    x = [tensors[name].clone().requires_grad_() for name in names]
    value = f(*x)
    grads = torch.autograd.grad((value * ramp(value)).sum(), x, create_graph=True, allow_unused=True)
    grads = [torch.zeros_like(x) if g is None else g for x, g in zip(x, grads)]
    total = sum((g * ramp(g)).sum() for g in grads)
    second = [None] * len(x)
    if total.requires_grad:
        second = torch.autograd.grad(total, x, allow_unused=True)
    second = [torch.zeros_like(x) if g is None else g for x, g in zip(x, second)]
    return value.detach(), [g.detach() for g in grads], second


def main():
    torch.set_num_threads(1)
    tensors = inputs()
    results = {}
    cases = CASES + [(name, ["x", "y"], f(tensors["index"])) for name, f in SCATTERS]
    for name, names, f in cases:
        results[f"{name}/value"], grads, second = derivatives(f, names, tensors)
        for i in range(len(names)):
            results[f"{name}/grad/{i}"], results[f"{name}/second/{i}"] = grads[i], second[i]
    for name, of, f in POSITIONS + VALUES:
        results[f"{name}/value"] = f(tensors[of])
    # Some gradients are tensors of zeros without memory; the sums have memory.
    store(__file__, {k: v.detach() + 0 * v.new_ones(v.shape) for k, v in (tensors | results).items()}, {})


if __name__ == "__main__":
    main()
