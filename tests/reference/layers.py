"""PyTorch's convolutional and normalising layers: state dicts, outputs, gradients, training.

Writes `layers.safetensors` beside this script. For each layer, named by `layers()` (f64; all
initial values and inputs are float32 numbers):

* `{layer}/init/{name}`: the initial state dict, with the names and shapes of the layer.
* `{layer}/x` [3, ...]: three batches; `{layer}/weights`: weights of the shape of one output.
* `{layer}/y`, `{layer}/grad/x`, `{layer}/grad/{name}`: the output for the first batch in training
  mode, and the gradients of loss = sum(weights * y).
* `{layer}/second/x`, `{layer}/second/{name}`: the gradients of the sum of the products of all these
  gradients with `ramp` (see `store.py`).
* `{layer}/after/{name}`: the state dict after three steps of p <- p - 0.1 * gradient, one on
  each batch, in training mode.
* `{layer}/eval`: the output for the first batch after these steps, in evaluation mode.

`layers.py FILE` checks the other direction: it loads `{layer}/after/...` of FILE, which another program
wrote, strictly into PyTorch's layers, and compares their outputs for the first batch of
`layers.safetensors` with `{layer}/eval` of FILE. Exit status 0 if all agree to 1e-10.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from store import derivatives, store

RATE = 0.1


def layers():
    """Name: (layer, shape of a batch)."""
    return {
        "conv1d": (nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2), (2, 4, 9)),
        "conv1d_same": (nn.Conv1d(2, 3, 4, padding="same", dilation=3, bias=False), (2, 2, 7)),
        "conv2d": (nn.Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 2)), (2, 2, 6, 5)),
        "conv2d_same": (nn.Conv2d(2, 2, (4, 3), padding="same", dilation=(1, 2)), (2, 2, 5, 4)),
        "conv2d_valid": (nn.Conv2d(1, 4, (2, 5), padding="valid"), (2, 1, 4, 7)),
        "conv2d_depthwise": (nn.Conv2d(3, 6, 3, padding=1, groups=3, bias=False), (2, 3, 4, 3)),
        "conv2d_reflect": (nn.Conv2d(1, 2, 3, padding=(2, 1), padding_mode="reflect"), (2, 1, 4, 3)),
        "conv2d_replicate": (nn.Conv2d(1, 2, (2, 4), padding="same", padding_mode="replicate"), (2, 1, 4, 3)),
        "conv2d_circular": (nn.Conv2d(1, 2, 3, stride=2, padding=(1, 2), padding_mode="circular"), (2, 1, 4, 3)),
        "conv_transpose2d": (nn.ConvTranspose2d(4, 2, (3, 2), stride=(2, 3), padding=(1, 0),
                                                output_padding=(1, 2), groups=2), (2, 4, 3, 2)),
        "conv_transpose2d_dilated": (nn.ConvTranspose2d(2, 3, 2, dilation=(1, 2), bias=False), (2, 2, 2, 3)),
        "batch_norm1d": (nn.BatchNorm1d(3), (6, 3)),
        "batch_norm1d_signals": (nn.BatchNorm1d(2, eps=0.01, momentum=0.3), (3, 2, 5)),
        "batch_norm2d": (nn.BatchNorm2d(3), (3, 3, 2, 4)),
        "batch_norm2d_cumulative": (nn.BatchNorm2d(2, momentum=None), (2, 2, 3, 2)),
        "batch_norm2d_plain": (nn.BatchNorm2d(2, affine=False), (2, 2, 2, 3)),
        "batch_norm2d_untracked": (nn.BatchNorm2d(2, track_running_stats=False), (2, 2, 2, 3)),
        "instance_norm1d": (nn.InstanceNorm1d(2), (2, 2, 5)),
        "instance_norm2d": (nn.InstanceNorm2d(2, affine=True), (2, 2, 3, 2)),
        "instance_norm2d_tracked": (nn.InstanceNorm2d(2, affine=True, track_running_stats=True), (3, 2, 3, 2)),
        "layer_norm": (nn.LayerNorm((3, 4)), (2, 3, 4)),
        "layer_norm_unbiased": (nn.LayerNorm(5, eps=0.1, bias=False), (3, 5)),
        "layer_norm_plain": (nn.LayerNorm(5, elementwise_affine=False), (2, 2, 5)),
        "group_norm": (nn.GroupNorm(2, 6), (2, 6, 2, 3)),
        "group_norm_plain": (nn.GroupNorm(2, 4, affine=False, eps=0.1), (3, 4)),
        "rms_norm": (nn.RMSNorm(5), (3, 5)),
        "rms_norm_eps": (nn.RMSNorm((2, 3), eps=0.1), (2, 2, 3)),
        "local_response_norm": (nn.LocalResponseNorm(3), (2, 4, 3)),
        "local_response_norm_even": (nn.LocalResponseNorm(4, alpha=0.6, beta=0.4, k=2.0), (2, 5, 2, 2)),
        "silu": (nn.SiLU(), (3, 5)),
        "leaky_relu": (nn.LeakyReLU(0.2), (3, 5)),
        "conv3d": (nn.Conv3d(2, 3, (2, 3, 2), stride=(2, 1, 1), padding=(1, 0, 2)), (2, 2, 5, 4, 3)),
        "conv3d_groups": (nn.Conv3d(4, 6, (3, 2, 1), dilation=(1, 2, 1), groups=2, bias=False), (2, 4, 3, 4, 2)),
        "conv3d_same": (nn.Conv3d(2, 2, (4, 3, 2), padding="same", dilation=(1, 1, 2)), (2, 2, 3, 4, 3)),
        "conv3d_reflect": (nn.Conv3d(1, 2, (3, 1, 2), stride=2, padding=(2, 1, 1), padding_mode="reflect"),
                           (2, 1, 4, 3, 3)),
        "conv3d_circular": (nn.Conv3d(1, 2, 2, padding=(1, 0, 2), padding_mode="circular"), (1, 1, 2, 3, 3)),
        "conv_transpose3d": (nn.ConvTranspose3d(4, 2, (3, 2, 1), stride=(2, 1, 3), padding=(1, 0, 0),
                                                output_padding=(1, 0, 2), groups=2), (2, 4, 2, 3, 2)),
        "conv_transpose3d_dilated": (nn.ConvTranspose3d(2, 3, 2, dilation=(3, 1, 2), output_padding=(2, 0, 1),
                                                        bias=False), (1, 2, 2, 2, 3)),
        "batch_norm3d": (nn.BatchNorm3d(3), (2, 3, 3, 2, 4)),
    }


def main():
    torch.set_num_threads(1)
    tensors = {}
    g = torch.Generator().manual_seed(3)

    def uniform(*shape, low=-1.0, high=1.0):
        # The numbers are float32 numbers, so that a run in f32 starts from the same point.
        return (torch.rand(shape, generator=g) * (high - low) + low).double()

    for name, (layer, shape) in layers().items():
        layer = layer.double()
        with torch.no_grad():
            for p in layer.parameters():
                p.copy_(uniform(*p.shape, low=0.2, high=1.2))

        def put(kind, values):
            for key, value in values.items():
                tensors[f"{name}/{kind}/{key}"] = value.detach().clone()

        put("init", layer.state_dict())
        x = uniform(3, *shape, low=-2.0, high=2.0)
        layer.train()
        weights = uniform(*layer(x[0]).shape)
        # Restore the running statistics, which the call has changed.
        layer.load_state_dict({k[len(f"{name}/init/"):]: v for k, v in tensors.items() if k.startswith(f"{name}/init/")})
        tensors |= {f"{name}/x": x, f"{name}/weights": weights}
        for step in range(3):
            batch = x[step].clone().requires_grad_()
            inputs = {"x": batch} | dict(layer.named_parameters())
            y = layer(batch)
            grads, seconds = derivatives((weights * y).sum(), list(inputs.values()))
            if step == 0:
                tensors[f"{name}/y"] = y.detach()
                put("grad", dict(zip(inputs, grads)))
                put("second", dict(zip(inputs, seconds)))
            with torch.no_grad():
                for p, grad in zip(layer.parameters(), grads[1:]):
                    p -= RATE * grad
        put("after", layer.state_dict())
        layer.eval()
        with torch.no_grad():
            tensors[f"{name}/eval"] = layer(x[0])
    store(__file__, tensors, {"rate": str(RATE)})


def check(path):
    torch.set_num_threads(1)
    theirs, ours = load_file(path), load_file(Path(__file__).with_suffix(".safetensors"))
    for name, (layer, _) in layers().items():
        prefix = f"{name}/after/"
        state = {k[len(prefix):]: v for k, v in theirs.items() if k.startswith(prefix)}
        wanted = {k: v.dtype for k, v in layer.double().state_dict().items()}
        assert {k: v.dtype for k, v in state.items()} == wanted, name
        layer.load_state_dict(state, strict=True)
        layer.eval()
        with torch.no_grad():
            y = layer(ours[f"{name}/x"][0])
        difference = (y - theirs[f"{name}/eval"]).abs().max().item()
        # Written so that NaN fails too.
        assert difference <= 1e-10, f"{name}: outputs differ by {difference:.3g}"
    print(f"torch {torch.__version__}: {len(layers())} layers loaded strictly, outputs agree")


if __name__ == "__main__":
    main() if len(sys.argv) == 1 else check(sys.argv[1])
