"""PyTorch's einsum, its relatives, operations on several axes or numbers at once, and ndtr: values and derivatives.

Writes `contractions.safetensors` beside this script, in f64. Inputs, under their names, are normal numbers: `x`, `y`
[3, 4, 5], `m` [4, 5], `n` [5, 3], `s` [4, 4], `k` [3, 4], `q` [5, 2], `p` [3, 1], `c` [3, 3, 3], `u` [4], `v` [5], `r` [1, 4], `b` [2, 3, 1, 4].

The results, for each name in `CASES`, as in `operations.py`: `{name}/value`, `{name}/grad/{i}`, `{name}/second/{i}`.
"""

import torch

from operations import derivatives
from store import store

SHAPES = {
    "x": (3, 4, 5), "y": (3, 4, 5), "m": (4, 5), "n": (5, 3), "s": (4, 4), "k": (3, 4), "q": (5, 2), "p": (3, 1),
    "c": (3, 3, 3), "u": (4,), "v": (5,), "r": (1, 4), "b": (2, 3, 1, 4),
}

# equation, inputs
EQUATIONS = [
    ("ij,jk->ik", "mn"), ("ij,kj->ik", "mm"), ("ji,jk->ki", "mm"), ("ij,jk", "mn"), ("kj,ji", "mn"),
    ("bij,bkj->bik", "xy"), ("bij,bik->bjk", "xy"), ("bij,kj->bik", "xm"), ("bij,kj->kbi", "xm"),
    ("ijk,ilk->jil", "xy"), ("ii", "s"), ("ii->i", "s"), ("iij->j", "c"), ("iii->", "c"), ("iii->i", "c"),
    ("iji,kjk->ik", "cc"), ("ij->ji", "m"), ("ij->", "m"), ("ijk->ki", "x"), ("i,j->ij", "uv"), ("i,j->ji", "uv"),
    ("i,i->", "uu"), ("i,i->i", "uu"), ("ij,ij->", "mm"), ("ij,ij->ij", "mm"), ("ij,ij->i", "mm"), ("bij,bij->b", "xy"),
    ("bij,j->bi", "xv"), ("i,ij,j->", "umv"), ("i,ij,j->ij", "umv"), ("ij,jk,kl->il", "mnk"),
    ("bij,ik,jl->bkl", "xsq"), ("...ij,...kj->...ik", "xm"), ("...i,i->...", "xv"), ("...,...->...", "xm"),
    ("i...,i...->...", "xy"), ("...i->i", "x"), ("ij,jk->ik", "ps"), ("ij,kj->k", "rs"), ("bhij,hjk->bhik", "bx"),
    ("b...j,...j", "br"), ("abc,adc,ce,bd->ae", "xyns"), ("ab,bc,cd,de,e->a", "mnkmv"), ("Ab,bC->AC", "mn"),
    ("bA,Ac", "mn"),
]

CASES = [
    ("dot", "uu", lambda a, b: torch.dot(a, b * a)),
    ("outer", "uv", torch.outer),
    ("mv", "mv", torch.mv),
    ("bmm", "xy", lambda x, y: torch.bmm(x, y.mT)),
    ("addmm", "kmn", lambda c, a, b: torch.addmm(c.mT, a, b)),
    ("addmm_of", "umn", lambda c, a, b: torch.addmm(c[:3], a, b, beta=0.5, alpha=-2)),
    ("addmm_new", "umn", lambda c, a, b: torch.addmm(c[:3], a, b, beta=0) + 0 * c.sum()),
    ("addmm_old", "umn", lambda c, a, b: torch.addmm(c[:3], a, b, beta=3, alpha=0).sin()),
    ("baddbmm", "sxy", lambda c, x, y: torch.baddbmm(c, x, y.mT, beta=2, alpha=3)),
    ("tensordot", "xy", lambda x, y: torch.tensordot(x, y.permute(2, 0, 1), dims=([0, 2], [1, 0]))),
    ("tensordot_1", "xn", lambda x, n: torch.tensordot(x, n, dims=1)),
    ("tensordot_0", "un", lambda u, n: torch.tensordot(u, n, dims=0)),
    ("trace", "k", torch.trace),
    ("ndtr", "x", lambda x: torch.special.ndtr(3 * x)),
    ("quantiles", "x", lambda x: torch.quantile(x, torch.tensor([0.1, 0.75, 0.5, 1.0, 0.0], dtype=x.dtype), 1).sin()),
    ("quantiles_kept", "x", lambda x: torch.quantile(x, torch.tensor([0.3, 0.9], dtype=x.dtype), 2, keepdim=True).sin()),
    ("roll", "x", lambda x: x.roll((1, -2), (0, 2)).sin()),
    ("roll_twice", "x", lambda x: x.roll((1, 5, 3), (1, 0, 1)).sin()),
]


def main():
    torch.set_num_threads(1)
    g = torch.Generator().manual_seed(21)
    tensors = {name: torch.randn(shape, generator=g, dtype=torch.float64) for name, shape in SHAPES.items()}
    results = {}
    einsums = [(f"{e} {names}", names, lambda *x, e=e: torch.einsum(e, *x)) for e, names in EQUATIONS]
    for name, names, f in einsums + CASES:
        # Each operand is an input of its own, also if two have the same numbers.
        results[f"{name}/value"], grads, second = derivatives(f, names, tensors)
        for i in range(len(names)):
            results[f"{name}/grad/{i}"], results[f"{name}/second/{i}"] = grads[i], second[i]
    store(__file__, {k: v.detach() + 0 * v.new_ones(v.shape) for k, v in (tensors | results).items()}, {})


if __name__ == "__main__":
    main()
