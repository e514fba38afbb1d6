"""Writes linalg.safetensors: linear algebra, from PyTorch in f64.

For each case: the operands `CASE/x0`, …, the results `CASE/value` (flattened and joined), and, of the sum of the results
with the weights cos(1), cos(2), …, the gradients `CASE/grad0`, … and the products `CASE/second0`, … of its Hessian with the
directions sin(1), sin(2), … (counted through each operand). Cases whose name ends in `_first` have no second derivative.

Factorisations are unique up to signs. The results do not depend on them: `qr` has a diagonal of R that is positive, and of
eigenvectors and singular vectors the results contain squares and products.
"""

import torch

from store import store

F64 = torch.float64
g = torch.Generator().manual_seed(12)


def randn(*shape):
    return torch.randn(*shape, generator=g, dtype=F64)


def near(*shape):
    """Matrices near the identity: well conditioned."""
    return 0.3 * randn(*shape) + torch.eye(shape[-2], shape[-1], dtype=F64)


def positive(x):
    return x @ x.mT + torch.eye(x.shape[-2], dtype=F64)


def qr(x):
    q, r = torch.linalg.qr(x)
    sign = r.diagonal(dim1=-2, dim2=-1).sign().detach()
    return [q * sign.unsqueeze(-2), r * sign.unsqueeze(-1)]


def eigh(x):
    values, vectors = torch.linalg.eigh((x + x.mT) / 2)
    return [values, vectors.square(), (vectors * values.sin().unsqueeze(-2)) @ vectors.mT]


def svd(x):
    u, s, vh = torch.linalg.svd(x, full_matrices=False)
    return [u.square(), s, vh.square(), (u * s.sin().unsqueeze(-2)) @ vh]


def lu(x):
    return list(torch.linalg.lu(x)[1:])


def tri(upper, unit):
    return lambda a, b: [torch.linalg.solve_triangular(a, b, upper=upper, unitriangular=unit)]


def spread(m, n, values):
    """A matrix with these singular values."""
    u, _ = torch.linalg.qr(randn(m, len(values)))
    v, _ = torch.linalg.qr(randn(n, len(values)))
    return (u * torch.tensor(values, dtype=F64)) @ v.mT


def symmetric(values):
    q, _ = torch.linalg.qr(randn(len(values), len(values)))
    return (q * torch.tensor(values, dtype=F64)) @ q.mT


solve = lambda a, b: [torch.linalg.solve(a, b)]
pinv = lambda a: [torch.linalg.pinv(a)]
lstsq = lambda a, b: [torch.linalg.lstsq(a, b, driver="gelsd").solution]

CASES = {
    "cholesky": (lambda x: [torch.linalg.cholesky(positive(x))], [randn(2, 3, 4, 4)]),
    "cholesky_large": (lambda x: [torch.linalg.cholesky(positive(x))], [randn(70, 70)]),
    "cholesky_solve": (lambda b, x: [torch.cholesky_solve(b, torch.linalg.cholesky(positive(x)))], [randn(2, 4, 3), randn(2, 4, 4)]),
    "solve": (solve, [near(2, 3, 4, 4), randn(3, 4, 2)]),
    "solve_vector": (lambda a, b: [torch.linalg.solve(a, b.unsqueeze(-1)).squeeze(-1)], [near(2, 5, 5), randn(5)]),
    "solve_large": (solve, [near(60, 60) * 0.5, randn(60, 3)]),
    "lower": (tri(False, False), [near(2, 4, 4), randn(2, 4, 3)]),
    "upper": (tri(True, False), [near(4, 4), randn(2, 4, 3)]),
    "unit_lower": (tri(False, True), [near(2, 4, 4), randn(4, 3)]),
    "unit_upper": (tri(True, True), [near(4, 4), randn(4, 1)]),
    "inverse": (lambda a: [torch.linalg.inv(a)], [near(2, 3, 3, 3)]),
    "det": (lambda a: [torch.linalg.det(a)], [randn(2, 3, 4, 4)]),
    "det_singular_first": (lambda a: [torch.linalg.det(a)], [spread(4, 4, [3.0, 2.0, 1.0])]),
    "slogdet": (lambda a: [torch.linalg.slogdet(a)[1]], [randn(2, 3, 4, 4)]),
    "lu": (lu, [randn(2, 3, 4, 4)]),
    "lu_tall": (lu, [randn(2, 5, 3)]),
    "lu_wide": (lu, [randn(2, 3, 5)]),
    "qr": (qr, [randn(2, 3, 4, 4)]),
    "qr_tall": (qr, [randn(2, 5, 3)]),
    "qr_wide": (qr, [randn(2, 3, 5)]),
    "eigh": (eigh, [randn(2, 3, 4, 4)]),
    "eigh_large": (eigh, [randn(30, 30)]),
    "eigvalsh": (lambda x: [torch.linalg.eigvalsh((x + x.mT) / 2)], [randn(2, 4, 4)]),
    "eigvalsh_repeated_first": (lambda x: [torch.linalg.eigvalsh((x + x.mT) / 2).square().sum()], [symmetric([1.0, 2.0, 2.0, 2.0, 5.0])]),
    "svd": (svd, [randn(2, 3, 4, 4)]),
    "svd_tall": (svd, [randn(2, 5, 3)]),
    "svd_wide": (svd, [randn(2, 3, 5)]),
    "svd_large": (svd, [randn(30, 20)]),
    "svdvals": (lambda x: [torch.linalg.svdvals(x)], [randn(2, 5, 3)]),
    "svdvals_repeated_first": (lambda x: [torch.linalg.svdvals(x).square().sum()], [spread(5, 4, [3.0, 3.0, 1.0, 1.0])]),
    "pinv": (pinv, [near(2, 4, 4)]),
    "pinv_tall": (pinv, [randn(2, 5, 3)]),
    "pinv_wide": (pinv, [randn(3, 5)]),
    "pinv_deficient": (pinv, [spread(5, 4, [3.0, 2.0])]),
    "lstsq_tall": (lstsq, [randn(2, 6, 3), randn(2, 6, 2)]),
    "lstsq_wide": (lstsq, [randn(3, 6), randn(3, 2)]),
    "matrix_exp": (lambda a: [torch.linalg.matrix_exp(a)], [0.7 * randn(2, 3, 4, 4)]),
    "matrix_exp_small": (lambda a: [torch.linalg.matrix_exp(a)], [0.02 * randn(3, 3)]),
    "matrix_exp_large": (lambda a: [torch.linalg.matrix_exp(a)], [4.0 * randn(5, 5)]),
    "matrix_power": (lambda a: [torch.linalg.matrix_power(a, 5)], [0.5 * randn(2, 4, 4)]),
    "matrix_power_negative": (lambda a: [torch.linalg.matrix_power(a, -3)], [near(2, 4, 4)]),
    "cond": (lambda a: [torch.linalg.cond(a)], [randn(2, 5, 3)]),
}

tensors = {}
for name, (function, x) in CASES.items():
    leaves = [t.clone().requires_grad_(True) for t in x]
    value = torch.cat([y.reshape(-1) for y in function(*leaves)])
    loss = (value * torch.arange(1, value.numel() + 1, dtype=F64).cos()).sum()
    gradients = torch.autograd.grad(loss, leaves, create_graph=True)
    for i, (t, gradient) in enumerate(zip(x, gradients)):
        tensors[f"{name}/x{i}"] = t
        tensors[f"{name}/grad{i}"] = gradient.detach()
    tensors[f"{name}/value"] = value.detach()
    if name.endswith("_first"):
        continue
    along = [torch.arange(1, t.numel() + 1, dtype=F64).sin().reshape(t.shape) for t in x]
    product = sum((gradient * d).sum() for gradient, d in zip(gradients, along))
    for i, second in enumerate(torch.autograd.grad(product, leaves)):
        tensors[f"{name}/second{i}"] = second.detach()

store(__file__, tensors, {"cases": " ".join(CASES)})
