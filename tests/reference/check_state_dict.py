"""python check_state_dict.py FILE INPUT_OUTPUT

Loads FILE, a state dict written by another program, strictly into the model of
`state_dict.py`, and compares that model's output on `input` of INPUT_OUTPUT with `output`
of the same file, which the other program computed. Exit status 0 if they agree to 1e-6.
"""

import sys

import torch
from safetensors.torch import load_file

from state_dict import model

TOLERANCE = 1e-6


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    net = model()
    state, io = load_file(sys.argv[1]), load_file(sys.argv[2])
    wrong = [f"{k}: {v.dtype}" for k, v in state.items() if v.dtype != torch.float32]
    assert not wrong, f"expected float32: {wrong}"
    net.load_state_dict(state, strict=True)
    with torch.no_grad():
        y = net(io["input"])
    assert y.shape == io["output"].shape, (y.shape, io["output"].shape)
    difference = (y - io["output"]).abs().max().item()
    # Written so that NaN fails too.
    assert difference <= TOLERANCE, f"outputs differ by {difference:.3g}"
    print(f"torch {torch.__version__}: loaded strictly, outputs agree to {difference:.3g}")


if __name__ == "__main__":
    main()
