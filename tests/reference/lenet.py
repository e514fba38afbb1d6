"""LeNet's first steps on MNIST in PyTorch: initial weights and the loss of each step.

Usage: lenet.py FOLDER, where FOLDER holds the four gz files of MNIST. Writes
`lenet.safetensors` beside this script:

* `conv1.weight`, `conv1.bias`, ... `fc3.bias`: the initial weights, f32; the f64 run starts
  from the same numbers.
* `loss/f32`, `loss/f64` [32]: the loss of each of the first 32 steps. Step i takes the
  training images 64 i to 64 i + 63 in the order of the file, pixels as (b / 255 - 0.1307) / 0.3081.
* metadata: `versions`, `optimizer`.

conv 6 5x5 (padding 2), ReLU, max-pooling 2, conv 16 5x5, ReLU, max-pooling 2, linear 120, ReLU,
linear 84, ReLU, linear 10, cross-entropy; SGD with learning rate 0.05 and momentum 0.9.
"""

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

from store import store

STEPS, BATCH = 32, 64
SGD = dict(lr=0.05, momentum=0.9)


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


def idx(path, header):
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8)[header:]


def main():
    folder = Path(sys.argv[1])
    images = idx(folder / "train-images-idx3-ubyte.gz", 16)[: STEPS * BATCH * 784]
    labels = torch.from_numpy(idx(folder / "train-labels-idx1-ubyte.gz", 8)[: STEPS * BATCH].astype(np.int64))
    pixels = (images.astype(np.float64) / 255 - 0.1307) / 0.3081
    pixels = torch.from_numpy(pixels.reshape(-1, 1, 28, 28))

    torch.manual_seed(1998)
    initial = {name: value.clone() for name, value in LeNet().state_dict().items()}
    tensors = dict(initial)
    for name, dtype in (("f32", torch.float32), ("f64", torch.float64)):
        model = LeNet().to(dtype)
        model.load_state_dict(initial)
        optimizer = torch.optim.SGD(model.parameters(), **SGD)
        losses = []
        for step in range(STEPS):
            batch = slice(step * BATCH, (step + 1) * BATCH)
            loss = F.cross_entropy(model(pixels[batch].to(dtype)), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        tensors[f"loss/{name}"] = torch.tensor(losses, dtype=dtype)
        print(name, losses[0], losses[-1])
    store(__file__, tensors, {"optimizer": json.dumps({"SGD": SGD})})


main()
