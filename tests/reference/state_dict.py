"""Writes a state dict with PyTorch, an input, and the output of the model for this input.

Writes beside this script `mlp.safetensors` (`0.weight` [5, 6], `0.bias` [5],
`2.weight` [3, 5], `2.bias` [3], f32) and `mlp_io.safetensors` (`input` [4, 6],
`output` [4, 3]). `check_state_dict.py` checks the other direction.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn


def model():
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))


def main():
    torch.manual_seed(2)
    torch.set_num_threads(1)
    here = Path(__file__).parent
    net = model()
    x = torch.randn(4, 6)
    with torch.no_grad():
        y = net(x)
    # Without metadata, as in the files of most PyTorch users.
    save_file(net.state_dict(), here / "mlp.safetensors")
    save_file({"input": x, "output": y}, here / "mlp_io.safetensors")
    for name in ("mlp", "mlp_io"):
        path = here / f"{name}.safetensors"
        path.chmod(0o644)
        print(f"torch {torch.__version__}: {path.stat().st_size} bytes -> {path.name}")


if __name__ == "__main__":
    main()
