"""Learning rates and momenta of PyTorch's schedulers.

Writes `schedules.safetensors` beside this script: `{configuration}/lr`, and `{configuration}/momentum`
if the scheduler cycles it, in f64, one number per step from step 0. The metadata has the arguments
that differ from PyTorch's defaults as JSON. The base rate is 0.1 unless the arguments set it.
"""

import json

import torch
from torch.optim import lr_scheduler as lrs

from store import store

BASE = 0.1
CONFIGS = {
    "step": (lrs.StepLR, 100, dict(step_size=30)),
    "step/gamma": (lrs.StepLR, 60, dict(step_size=7, gamma=0.7)),
    "multi_step": (lrs.MultiStepLR, 100, dict(milestones=[30, 80])),
    "multi_step/gamma": (lrs.MultiStepLR, 30, dict(milestones=[5, 6, 6, 20], gamma=0.3)),
    "exponential": (lrs.ExponentialLR, 60, dict(gamma=0.9)),
    "cosine": (lrs.CosineAnnealingLR, 100, dict(T_max=100)),
    "cosine/beyond": (lrs.CosineAnnealingLR, 60, dict(T_max=13, eta_min=0.01)),
    "linear": (lrs.LinearLR, 12, dict()),
    "linear/down": (lrs.LinearLR, 40, dict(start_factor=0.9, end_factor=0.05, total_iters=30)),
    "constant": (lrs.ConstantLR, 12, dict()),
    "constant/factor": (lrs.ConstantLR, 12, dict(factor=0.7, total_iters=9)),
    "one_cycle": (lrs.OneCycleLR, 100, dict(max_lr=0.1, total_steps=100)),
    "one_cycle/odd": (lrs.OneCycleLR, 37, dict(
        max_lr=0.4, total_steps=37, pct_start=0.21, div_factor=7, final_div_factor=50,
        base_momentum=0.7, max_momentum=0.99)),
    "one_cycle/linear": (lrs.OneCycleLR, 37, dict(
        max_lr=0.4, total_steps=37, pct_start=0.45, anneal_strategy="linear")),
    "one_cycle/three_phase": (lrs.OneCycleLR, 50, dict(
        max_lr=0.4, total_steps=50, three_phase=True)),
    "one_cycle/three_phase_linear": (lrs.OneCycleLR, 41, dict(
        max_lr=0.4, total_steps=41, pct_start=0.37, anneal_strategy="linear", three_phase=True)),
    "one_cycle/keep_momentum": (lrs.OneCycleLR, 20, dict(
        max_lr=0.4, total_steps=20, cycle_momentum=False)),
    "one_cycle/no_rise": (lrs.OneCycleLR, 20, dict(max_lr=0.4, total_steps=20, pct_start=0.0)),
}
# Schedules after a linear warm-up: (steps of the warm-up, configuration of the other schedule).
WARMUPS = {"warmup/cosine": (5, "cosine/beyond"), "warmup/step": (10, "step/gamma")}


def run(make, steps):
    parameter = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([parameter], lr=BASE, momentum=0.5)
    scheduler = make(optimizer)
    rates, momenta = [], []
    for step in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        if step + 1 < steps:
            scheduler.step()
    return [torch.tensor(x, dtype=torch.float64) for x in (rates, momenta)]


def main():
    tensors, metadata = {}, {}
    for name, (kind, steps, arguments) in CONFIGS.items():
        rates, momenta = run(lambda optimizer: kind(optimizer, **arguments), steps)
        tensors[f"{name}/lr"] = rates
        if kind is lrs.OneCycleLR and arguments.get("cycle_momentum", True):
            tensors[f"{name}/momentum"] = momenta
        metadata[name] = json.dumps(arguments, sort_keys=True)
    for name, (steps, other) in WARMUPS.items():
        kind, length, arguments = CONFIGS[other]

        def make(optimizer):
            rise = lrs.LinearLR(optimizer, start_factor=1 / (steps + 1), total_iters=steps)
            after = kind(optimizer, **arguments)
            return lrs.SequentialLR(optimizer, [rise, after], milestones=[steps])

        tensors[f"{name}/lr"] = run(make, steps + length)[0]
        metadata[name] = json.dumps({"steps": steps, "then": other}, sort_keys=True)
    store(__file__, tensors, metadata)


if __name__ == "__main__":
    main()
