"""PyTorch's losses, softmax and log-softmax: values and input gradients.

Writes `losses.safetensors` beside this script. The inputs, shared by both precisions
(float32 numbers held in f64; cast them before use):

* `input/logits` [8, 5]: ordinary rows, and rows at +-1e4; `input/classes` [8], i64.
* `input/predictions`, `input/targets` [8, 5]: for the squared error.
* `input/binary_logits`, `input/binary_targets` [8, 5]: targets in [0, 1], with both ends.
* `input/row_weights` [8], `input/weights` [8, 5]: the seed of the backward pass where
  there is no reduction, that is grad = d(sum(weights * loss)) / d(input).

The results, for each of `f32` and `f64`:

* `{dtype}/{loss}/{mean|sum|none}/{value|grad}` for `cross_entropy`, `nll_loss` (of
  log-probabilities; its gradient is taken with respect to the logits, through
  log_softmax), `nll_loss_direct` (gradient with respect to the log-probabilities),
  `mse_loss`, `binary_cross_entropy_with_logits`.
* `{dtype}/{softmax|log_softmax}/{value|grad}` over the last axis, seeded with `weights`.
"""

import torch
import torch.nn.functional as F

from store import store

ROWS, CLASSES = 8, 5


def inputs():
    g = torch.Generator().manual_seed(1)

    def uniform(*shape, low=-1.0, high=1.0):
        return (torch.rand(shape, generator=g) * (high - low) + low).double()

    logits = uniform(ROWS, CLASSES, low=-3.0, high=3.0)
    logits[3] = torch.tensor([1e4, -1e4, 0.0, 1.0, -1.0])      # confident and right (class 0)
    logits[4] = torch.tensor([1e4, -1e4, 0.0, 1.0, -1.0])      # confident and wrong (class 1)
    logits[5] = 1e4                                            # every logit large and equal
    logits[6] = torch.tensor([-1e4, -1e4, -9999.0, -1e4, -9998.5])
    logits[7] = 0.0
    binary_logits = uniform(ROWS, CLASSES, low=-4.0, high=4.0)
    binary_logits[3] = torch.tensor([1e4, 1e4, 1e4, 1e4, 1e4])
    binary_logits[4] = -binary_logits[3]
    binary_logits[5] = torch.tensor([0.0, -0.0, 100.0, -100.0, 20.0])
    binary_targets = uniform(ROWS, CLASSES, low=0.0, high=1.0)
    binary_targets[0] = torch.tensor([0.0, 1.0, 0.0, 1.0, 1.0])
    binary_targets[3] = torch.tensor([1.0, 0.0, 0.5, 0.25, 0.75])
    binary_targets[4] = torch.tensor([0.0, 1.0, 0.5, 0.25, 0.75])
    return {
        "logits": logits,
        "classes": torch.tensor([2, 0, 4, 0, 1, 3, 2, 4]),
        "predictions": uniform(ROWS, CLASSES, low=-2.0, high=2.0),
        "targets": uniform(ROWS, CLASSES, low=-2.0, high=2.0),
        "binary_logits": binary_logits,
        "binary_targets": binary_targets,
        "row_weights": uniform(ROWS, low=0.1, high=2.0),
        "weights": uniform(ROWS, CLASSES),
    }


def results(dtype):
    i = {k: v.to(dtype) if v.is_floating_point() else v for k, v in inputs().items()}
    out = {}

    def record(name, function, x, weights=None):
        x = x.clone().requires_grad_()
        value = function(x)
        (grad,) = torch.autograd.grad(value, x, grad_outputs=weights)
        assert torch.isfinite(value).all() and torch.isfinite(grad).all(), name
        out[f"{name}/value"], out[f"{name}/grad"] = value.detach(), grad

    losses = {
        "cross_entropy": (i["logits"], i["row_weights"], lambda x, r: F.cross_entropy(x, i["classes"], reduction=r)),
        "nll_loss": (i["logits"], i["row_weights"], lambda x, r: F.nll_loss(F.log_softmax(x, -1), i["classes"], reduction=r)),
        "nll_loss_direct": (F.log_softmax(i["logits"], -1), i["row_weights"], lambda x, r: F.nll_loss(x, i["classes"], reduction=r)),
        "mse_loss": (i["predictions"], i["weights"], lambda x, r: F.mse_loss(x, i["targets"], reduction=r)),
        "binary_cross_entropy_with_logits": (
            i["binary_logits"], i["weights"],
            lambda x, r: F.binary_cross_entropy_with_logits(x, i["binary_targets"], reduction=r)),
    }
    for name, (x, weights, loss) in losses.items():
        for reduction in ("mean", "sum", "none"):
            seed = weights if reduction == "none" else None
            record(f"{name}/{reduction}", lambda x: loss(x, reduction), x, seed)
    record("softmax", lambda x: F.softmax(x, -1), i["logits"], i["weights"])
    record("log_softmax", lambda x: F.log_softmax(x, -1), i["logits"], i["weights"])
    return out


def main():
    torch.set_num_threads(1)
    tensors = {f"input/{k}": v for k, v in inputs().items()}
    for label, dtype in (("f32", torch.float32), ("f64", torch.float64)):
        tensors |= {f"{label}/{k}": v for k, v in results(dtype).items()}
    store(__file__, tensors, {"none": "grad = d(sum(weights * loss)) / d(input)"})


if __name__ == "__main__":
    main()
