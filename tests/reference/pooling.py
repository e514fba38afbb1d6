"""PyTorch's pooling, borders, interpolation, unfold and fold: values and input gradients.

Writes `pooling.safetensors` beside this script, all in f64. The numbers of an input are
distinct and unordered, so that no maximum is tied:

* `images` [1, 2, 7, 10], `signals` [2, 2, 11], `volumes` [1, 2, 5, 6, 7], `columns` [1, 12, 12]: for `Fold`.

The results, for each name in the tables below (`max2d/0`, `max2d/1`, ...):

* `{name}/value`: the output. `{name}/grad`: the gradient of `sum(value * ramp)` with respect to the
  input. `{name}/second`: that of `sum(sin(value) * ramp)` gives a gradient g; this is the gradient of
  `sum(g * ramp)`. `ramp` is 0.25, 0.5, 0.75, 1, ... over the elements, and repeats after 16 numbers.
* `{name}/index`: the positions of maxima (`return_indices=True`), i64. `{name}/back` and `{name}/grad_back`: the
  result of max unpooling with them (`output_size` is the size of the input), and the gradient of
  `sum(back * ramp)` with respect to the value. Only where no position occurs twice: PyTorch then keeps one of
  the elements.

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

    return {"images": distinct(1, 2, 7, 10), "signals": distinct(2, 2, 11), "columns": distinct(1, 12, 12),
            "volumes": distinct(1, 2, 5, 6, 7)}


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


VOLUMES = {
    "max3d": [
        nn.MaxPool3d(2),
        nn.MaxPool3d((1, 3, 2), stride=(1, 2, 2), padding=(0, 1, 1)),
        nn.MaxPool3d((3, 2, 4), stride=(2, 3, 5), padding=(1, 0, 2), ceil_mode=True),
        nn.MaxPool3d(2, stride=1, dilation=(3, 1, 2)),
        nn.MaxPool3d((5, 6, 7)),
        nn.MaxPool3d(1, stride=(6, 2, 9)),
    ],
    "avg3d": [
        nn.AvgPool3d(2),
        nn.AvgPool3d((3, 2, 3), stride=(2, 1, 3), padding=(1, 1, 0)),
        nn.AvgPool3d((3, 2, 3), stride=(2, 1, 3), padding=(1, 1, 0), count_include_pad=False),
        nn.AvgPool3d((4, 3, 2), stride=(3, 2, 2), padding=(2, 0, 1), ceil_mode=True),
        nn.AvgPool3d((4, 3, 2), stride=(3, 2, 2), padding=(2, 0, 1), ceil_mode=True, count_include_pad=False),
    ],
    "adaptive_max3d": [nn.AdaptiveMaxPool3d((2, 4, 3)), nn.AdaptiveMaxPool3d((1, 1, 9))],
    "adaptive_avg3d": [nn.AdaptiveAvgPool3d((2, 4, 3)), nn.AdaptiveAvgPool3d((7, 1, 2)), nn.AdaptiveAvgPool3d(1)],
    "pad3d": [
        nn.ReflectionPad3d((3, 1, 0, 4, 2, 0)),
        nn.ReplicationPad3d((3, 1, 0, 9, 1, 2)),
        nn.CircularPad3d((3, 1, 0, 6, 0, 5)),
        nn.ZeroPad3d((3, 1, 0, 2, 1, 0)),
        nn.ConstantPad3d((0, 1, 2, 0, 1, 1), 0.5),
    ],
}
INDICES = {
    "signals": {"indices1d": [nn.MaxPool1d(3, return_indices=True), nn.MaxPool1d(2, 3, 1, return_indices=True)],
                "adaptive_indices1d": [nn.AdaptiveMaxPool1d(4, return_indices=True)]},
    "images": {"indices2d": [nn.MaxPool2d((3, 2), return_indices=True),
                             nn.MaxPool2d((2, 3), stride=(3, 4), padding=(1, 1), return_indices=True)],
               "adaptive_indices2d": [nn.AdaptiveMaxPool2d((3, 5), return_indices=True)]},
    "volumes": {"indices3d": [nn.MaxPool3d((2, 3, 2), return_indices=True),
                              nn.MaxPool3d((2, 1, 3), stride=(3, 2, 4), padding=(1, 0, 1), return_indices=True)],
                "adaptive_indices3d": [nn.AdaptiveMaxPool3d((5, 3, 7), return_indices=True)]},
}


def indices(tensors, layers):
    for name, table in INDICES.items():
        x = tensors[name]
        for family, members in table.items():
            for i, layer in enumerate(members):
                case = f"{family}/{i}"
                value, index = layer(x)
                tensors[f"{case}/value"], tensors[f"{case}/index"] = value, index
                layers[case] = repr(layer)
                if family.startswith("adaptive"):
                    continue
                assert all(len(set(row)) == len(row) for row in index.flatten(0, 1).flatten(1).tolist()), case
                unpool = {3: nn.MaxUnpool1d, 4: nn.MaxUnpool2d, 5: nn.MaxUnpool3d}[x.dim()]
                unpool = unpool(layer.kernel_size, layer.stride, layer.padding)
                value = value.detach().requires_grad_()
                back = unpool(value, index, output_size=x.shape)
                (grad,) = torch.autograd.grad((back * ramp(back.shape)).sum(), value)
                tensors[f"{case}/back"], tensors[f"{case}/grad_back"] = back.detach(), grad


def main():
    torch.set_num_threads(1)
    tensors = inputs()
    layers = {}
    for name, table in (("images", IMAGES), ("signals", SIGNALS), ("columns", COLUMNS), ("volumes", VOLUMES)):
        for family, members in table.items():
            for i, layer in enumerate(members):
                x = tensors[name].clone().requires_grad_()
                value = layer(x)
                (grad,) = torch.autograd.grad((value * ramp(value.shape)).sum(), x, retain_graph=True)
                _, (second,) = derivatives((value.sin() * ramp(value.shape)).sum(), [x])
                results = {"value": value.detach(), "grad": grad, "second": second}
                tensors |= {f"{family}/{i}/{key}": tensor for key, tensor in results.items()}
                layers[f"{family}/{i}"] = repr(layer)
    indices(tensors, layers)
    store(__file__, tensors, layers)


if __name__ == "__main__":
    main()
