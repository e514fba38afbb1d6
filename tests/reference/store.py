"""Saves a reference file. The same tensors always give the same bytes."""

import json
import platform
import struct
from pathlib import Path

import torch
from safetensors.torch import save


def versions():
    return f"python {platform.python_version()}, torch {torch.__version__}"


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
