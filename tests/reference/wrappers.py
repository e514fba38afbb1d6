"""State dicts of layers whose weight PyTorch computes: weight and spectral normalisation, old and new names.

Writes `wrappers.safetensors` beside this script (f64). For each model, named by `models()`:

* `{model}/state/{name}`: the state dict, after two training steps in training mode.
* `{model}/x`, `{model}/y`: an input, and the output of the model in evaluation mode.

`old_...` are models of `nn.utils.weight_norm` and `nn.utils.spectral_norm`, the others of `nn.utils.parametrizations`.

`wrappers.py FILE` checks the other direction: it loads `{model}/state/...` of FILE, which another program wrote, strictly
into the models of `parametrizations`, and compares their outputs for `{model}/x` of FILE with `{model}/y` of FILE. Exit
status 0 if all agree to 1e-12.
"""

import sys
import warnings

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.utils import parametrizations as new

from store import store

warnings.simplefilter("ignore")


def models():
    """Name: (model, shape of an input)."""
    old = nn.utils

    def both(prefix, weight_norm, spectral_norm):
        return {
            f"{prefix}weight": (weight_norm(nn.Linear(4, 3)), (5, 4)),
            f"{prefix}weight_transposed": (weight_norm(nn.ConvTranspose2d(3, 2, 2), dim=1), (2, 3, 3, 4)),
            f"{prefix}spectral": (spectral_norm(nn.Conv1d(2, 3, 3, padding=1)), (2, 2, 5)),
            f"{prefix}nested": (nn.Sequential(weight_norm(nn.Conv3d(2, 3, 2)), nn.Flatten(),
                                              spectral_norm(nn.Linear(24, 2, bias=False))), (4, 2, 3, 3, 3)),
        }

    return both("", new.weight_norm, new.spectral_norm) | both("old_", old.weight_norm, old.spectral_norm)


def write():
    torch.manual_seed(5)
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    tensors = {}
    for name, (model, shape) in models().items():
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            model(torch.randn(shape)).square().mean().backward()
            optimizer.step()
        x = torch.randn(shape)
        model.eval()
        with torch.no_grad():
            tensors[f"{name}/x"], tensors[f"{name}/y"] = x, model(x)
        for key, value in model.state_dict().items():
            tensors[f"{name}/state/{key}"] = value.clone()
    store(__file__, tensors, {})


def check(path):
    torch.set_default_dtype(torch.float64)
    tensors, compared = load_file(path), 0
    for name, (model, _) in models().items():
        if name.startswith("old_"):
            continue
        prefix = f"{name}/state/"
        state = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        model.load_state_dict(state, strict=True)
        model.eval()
        with torch.no_grad():
            y = model(tensors[f"{name}/x"])
        difference = (y - tensors[f"{name}/y"]).abs().max().item()
        assert difference <= 1e-12, f"{name}: outputs differ by {difference:.3g}"
        compared += 1
    print(f"torch {torch.__version__}: {compared} models loaded strictly, outputs agree to 1e-12")


if __name__ == "__main__":
    check(sys.argv[1]) if len(sys.argv) > 1 else write()
