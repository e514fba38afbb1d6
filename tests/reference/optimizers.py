"""Trajectories of PyTorch's optimizers on one small regression problem.

Writes `optimizers.safetensors` beside this script:

* `x` [12, 5], `y` [12, 3], `init/{w1,b1,w2,b2}`: the problem, in f64. Every value is a
  float32 number, so the f32 runs start from exactly the same point as the f64 ones.
* `{f32|f64}/{optimizer}/{configuration}/{w1|b1|w2|b2}`: the parameter after every step,
  steps on axis 0 (row 0 is the value after the first step).
* `{f32|f64}/{optimizer}/{configuration}/loss`: the loss before each step.
* metadata: `versions`, `loss`, `steps`, and per configuration its arguments to the
  PyTorch constructor as JSON, defaults included, under the key `{optimizer}/{configuration}`.

loss = mean((tanh(x w1^T + b1) w2^T + b2 - y)^2); full batch, 25 steps.
"""

import json

import torch

from store import store

STEPS = 25
NAMES = ("w1", "b1", "w2", "b2")

# The arguments that differ from PyTorch's defaults. The metadata has all arguments.
CONFIGS = {
    "sgd": (torch.optim.SGD, {
        "plain": dict(lr=0.1),
        "momentum": dict(lr=0.1, momentum=0.9),
        "dampening": dict(lr=0.1, momentum=0.9, dampening=0.1),
        "nesterov": dict(lr=0.1, momentum=0.9, nesterov=True),
        "weight_decay": dict(lr=0.1, weight_decay=0.01),
        "dampening_weight_decay": dict(lr=0.05, momentum=0.8, dampening=0.3, weight_decay=0.05),
        # PyTorch refuses Nesterov's momentum together with dampening.
        "nesterov_weight_decay": dict(lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    }),
    "adagrad": (torch.optim.Adagrad, {
        "default": dict(),
        "lr_decay": dict(lr=0.1, lr_decay=0.1),
        "weight_decay": dict(lr=0.1, weight_decay=0.1),
        "initial_accumulator_value": dict(lr=0.1, initial_accumulator_value=0.5),
        "eps": dict(lr=0.1, eps=0.01),
        "combined": dict(lr=0.2, lr_decay=0.05, weight_decay=0.01,
                         initial_accumulator_value=0.1, eps=1e-6),
    }),
    "adadelta": (torch.optim.Adadelta, {
        "default": dict(),
        "lr": dict(lr=0.5),
        "rho": dict(rho=0.5),
        "eps": dict(eps=1e-3),
        "weight_decay": dict(weight_decay=0.1),
        "combined": dict(lr=0.7, rho=0.8, eps=1e-4, weight_decay=0.01),
    }),
    "adam": (torch.optim.Adam, {
        "default": dict(),
        "lr": dict(lr=0.02),
        "betas": dict(lr=0.03, betas=(0.8, 0.9)),
        "eps": dict(lr=0.05, eps=0.01),
        "weight_decay": dict(lr=0.05, weight_decay=0.1),
        "amsgrad": dict(lr=0.05, betas=(0.5, 0.6), amsgrad=True),
        "amsgrad_weight_decay": dict(lr=0.05, betas=(0.5, 0.6), weight_decay=0.1, amsgrad=True),
    }),
    "adamw": (torch.optim.AdamW, {
        "default": dict(),
        "lr": dict(lr=0.02),
        "betas": dict(lr=0.03, betas=(0.8, 0.9)),
        "weight_decay": dict(lr=0.05, weight_decay=0.1),
        "amsgrad": dict(lr=0.05, betas=(0.5, 0.6), amsgrad=True),
    }),
}

# The arguments that belong to the update rule; the others choose an implementation.
ARGUMENTS = {
    "sgd": ("lr", "momentum", "dampening", "nesterov", "weight_decay"),
    "adagrad": ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"),
    "adadelta": ("lr", "rho", "eps", "weight_decay"),
    "adam": ("lr", "betas", "eps", "weight_decay", "amsgrad"),
    "adamw": ("lr", "betas", "eps", "weight_decay", "amsgrad"),
}


def problem():
    """Inputs, targets and initial parameters: float32 values held in f64."""
    g = torch.Generator().manual_seed(0)

    def uniform(*shape, scale=1.0):
        return ((torch.rand(shape, generator=g) * 2 - 1) * scale).double()

    x, y = uniform(12, 5, scale=2.0), uniform(12, 3, scale=1.5)
    init = dict(w1=uniform(4, 5), b1=uniform(4, scale=0.5),
                w2=uniform(3, 4), b2=uniform(3, scale=0.5))
    return x, y, init


def loss_of(p, x, y):
    prediction = torch.tanh(x @ p["w1"].T + p["b1"]) @ p["w2"].T + p["b2"]
    return ((prediction - y) ** 2).mean()


def trajectory(optimizer, arguments, dtype):
    """The parameters after each step (steps on axis 0), the losses, and the full arguments."""
    x, y, init = problem()
    x, y = x.to(dtype), y.to(dtype)
    p = {n: init[n].to(dtype).requires_grad_() for n in NAMES}
    # foreach=False: a loop over the parameters, which follows the formulas of PyTorch's documentation.
    opt = optimizer([p[n] for n in NAMES], foreach=False, **arguments)
    rows, losses = {n: [] for n in NAMES}, []
    for _ in range(STEPS):
        opt.zero_grad()
        loss = loss_of(p, x, y)
        loss.backward()
        opt.step()
        losses.append(loss.detach())
        for n in NAMES:
            rows[n].append(p[n].detach().clone())
    out = {n: torch.stack(rows[n]) for n in NAMES}
    out["loss"] = torch.stack(losses)
    return out, opt.defaults


def main():
    torch.set_num_threads(1)
    x, y, init = problem()
    tensors = {"x": x, "y": y} | {f"init/{n}": init[n] for n in NAMES}
    metadata = {
        "loss": "mean((tanh(x w1^T + b1) w2^T + b2 - y)^2)",
        "steps": str(STEPS),
    }
    for name, (optimizer, configurations) in CONFIGS.items():
        for configuration, arguments in configurations.items():
            for label, dtype in (("f32", torch.float32), ("f64", torch.float64)):
                out, used = trajectory(optimizer, arguments, dtype)
                for key, value in out.items():
                    tensors[f"{label}/{name}/{configuration}/{key}"] = value
            assert all(torch.isfinite(v).all() for v in out.values())
            # The f32 run must stay close to the f64 run, or it is a poor reference. AdamW drifts most,
            # because its factor 1 - lr * weight_decay is rounded the same way at every step.
            for n in NAMES:
                a, b = (tensors[f"{t}/{name}/{configuration}/{n}"].double() for t in ("f32", "f64"))
                assert (a - b).abs().max() < 2e-6, (name, configuration, n)
            metadata[f"{name}/{configuration}"] = json.dumps(
                {k: used[k] for k in ARGUMENTS[name]}, sort_keys=True)
    store(__file__, tensors, metadata)


if __name__ == "__main__":
    main()
