"""PyTorch's pooling, borders, interpolation, unfold and fold: values and input gradients.

Writes `pooling.safetensors` beside this script, all in f64. The numbers of an input are
distinct and unordered, so that no maximum is tied:

* `images` [1, 2, 7, 10], `signals` [2, 2, 11], `columns` [1, 12, 12]: for `Fold`.

The results, for each name in the tables below (`max2d/0`, `max2d/1`, ...):

* `{name}/value`: the output. `{name}/grad`: the gradient of `sum(value * ramp)` with respect to the
  input. `{name}/second`: that of `sum(sin(value) * ramp)` gives a gradient g; this is the gradient of
  `sum(g * ramp)`. `ramp` is 0.25, 0.5, 0.75, 1, ... over the elements, and repeats after 16 numbers.

The metadata has for each name the layer as PyTorch prints it.
"""

import torch
from torch import nn

from store import derivatives, ramp, store


def inputs():
    g = torch.Generator().manual_seed(4)

    def distinct(*shape):
        n = torch.Size(shape).numel()
        return (torch.randperm(n, generator=g).double() / n * 4 - 2).reshape(shape)

    return {"images": distinct(1, 2, 7, 10), "signals": distinct(2, 2, 11), "columns": distinct(1, 12, 12)}


IMAGES = {
    "max2d": [
        nn.MaxPool2d(2),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.MaxPool2d((3, 2), stride=(2, 3), padding=(1, 0), ceil_mode=True),
        nn.MaxPool2d(2, stride=1, dilation=(2, 3)),
        nn.MaxPool2d((2, 4), stride=(5, 3), padding=(1, 2), ceil_mode=True),
    ],
    "avg2d": [
        nn.AvgPool2d(2),
        nn.AvgPool2d(3, stride=2, padding=1),
        nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False),
        nn.AvgPool2d((3, 4), stride=(2, 3), padding=(1, 2), ceil_mode=True),
        nn.AvgPool2d((3, 4), stride=(2, 3), padding=(1, 2), ceil_mode=True, count_include_pad=False),
    ],
    "adaptive_max2d": [nn.AdaptiveMaxPool2d((3, 4)), nn.AdaptiveMaxPool2d((1, 12))],
    "adaptive_avg2d": [nn.AdaptiveAvgPool2d((3, 4)), nn.AdaptiveAvgPool2d((9, 3)), nn.AdaptiveAvgPool2d(1)],
    "pad2d": [
        nn.ReflectionPad2d((3, 1, 0, 4)),
        nn.ReplicationPad2d((3, 1, 0, 9)),
        nn.CircularPad2d((3, 1, 0, 7)),
        nn.ZeroPad2d((3, 1, 0, 2)),
    ],
    "nearest": [
        nn.Upsample(scale_factor=2),
        nn.Upsample(size=(5, 23)),
        nn.Upsample(scale_factor=(1.3, 0.6)),
        nn.Upsample(size=(23, 45)),
    ],
    "bilinear": [
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Upsample(size=(5, 23), mode="bilinear"),
        nn.Upsample(scale_factor=(1.3, 0.6), mode="bilinear"),
        nn.Upsample(size=(5, 23), mode="bilinear", align_corners=True),
        nn.Upsample(scale_factor=(1.3, 0.6), mode="bilinear", align_corners=True),
        nn.Upsample(size=(1, 4), mode="bilinear", align_corners=True),
    ],
    "unfold": [nn.Unfold(2), nn.Unfold((3, 2), stride=(2, 3), padding=(1, 2), dilation=(1, 2))],
}
SIGNALS = {
    "max1d": [nn.MaxPool1d(3), nn.MaxPool1d(4, stride=3, padding=2, ceil_mode=True, dilation=2)],
    "avg1d": [nn.AvgPool1d(3), nn.AvgPool1d(4, stride=3, padding=2, ceil_mode=True, count_include_pad=False)],
    "adaptive_max1d": [nn.AdaptiveMaxPool1d(4)],
    "adaptive_avg1d": [nn.AdaptiveAvgPool1d(4)],
}
COLUMNS = {"fold": [nn.Fold((4, 5), 2), nn.Fold((6, 9), (3, 2), stride=(2, 3), padding=(1, 2))]}


def main():
    torch.set_num_threads(1)
    tensors = inputs()
    layers = {}
    for name, table in (("images", IMAGES), ("signals", SIGNALS), ("columns", COLUMNS)):
        for family, members in table.items():
            for i, layer in enumerate(members):
                x = tensors[name].clone().requires_grad_()
                value = layer(x)
                (grad,) = torch.autograd.grad((value * ramp(value.shape)).sum(), x, retain_graph=True)
                _, (second,) = derivatives((value.sin() * ramp(value.shape)).sum(), [x])
                results = {"value": value.detach(), "grad": grad, "second": second}
                tensors |= {f"{family}/{i}/{key}": tensor for key, tensor in results.items()}
                layers[f"{family}/{i}"] = repr(layer)
    store(__file__, tensors, layers)


if __name__ == "__main__":
    main()
