"""What the scripts share: second derivatives, and reference files. The same tensors always give the same bytes."""

import json
import platform
import struct
from pathlib import Path

import torch
from safetensors.torch import save


def versions():
    return f"python {platform.python_version()}, torch {torch.__version__}"


def ramp(shape):
    """0.25, 0.5, 0.75, ... over the elements; repeats after 16 numbers."""
    return (torch.arange(torch.Size(shape).numel()) % 16 + 1).double().reshape(shape) / 4


def derivatives(loss, inputs):
    """The gradients g of the loss, and the gradients of the sum of all ramp(g) * g: products with the Hessian."""
    grads = torch.autograd.grad(loss, inputs, create_graph=True)
    slope = sum((ramp(g.shape) * g).sum() for g in grads)
    seconds = [None] * len(inputs)
    if slope.requires_grad:
        seconds = torch.autograd.grad(slope, inputs, allow_unused=True)
    # Adding zeros makes numbers of PyTorch's symbolic zeros.
    seconds = [torch.zeros_like(x) if s is None else s + torch.zeros_like(x) for x, s in zip(inputs, seconds)]
    return [g.detach() + torch.zeros_like(g) for g in grads], seconds


def store(script, tensors, metadata):
    """Write `tensors` and `metadata` as `script` with the suffix `.safetensors`."""
    metadata = {"versions": versions()} | metadata
    raw = save({k: v.contiguous() for k, v in tensors.items()}, metadata=metadata)
    # Sort the metadata: safetensors keeps it in a hash map, whose order changes from run to run.
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path = Path(script).with_suffix(".safetensors")
    path.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length:])
    print(f"{versions()}: {len(tensors)} tensors, {path.stat().st_size} bytes -> {path.name}")
