"""PyTorch's activations, losses and layers: values, gradients and Hessian products, in float64.

Writes `breadth.safetensors` beside this script. Each case is a function of one or more tensors:

* `{case}/x{i}`: its inputs; `{case}/value`: its result;
* `{case}/seed`: weights w of the shape of the result; `{case}/grad{i}` = d(sum(w * result)) / d(x{i});
* `{case}/v{i}`: a direction; `{case}/hvp{i}` = d(sum over j of sum(grad{j} * v{j})) / d(x{i}), left out
  where `{case}` has no second derivative in PyTorch.

`weights…`, `spectral_…` and `max_norm_…` are tensors that cases have in common. Class numbers and lengths are `{case}/index{i}`, i64.
"""

import math

import torch
import torch.nn.functional as F

from store import store

OUT = {}
GENERATOR = torch.Generator().manual_seed(12)


def uniform(*shape, low=-2.0, high=2.0):
    # Numbers with few digits, so that the file shows what was meant.
    x = torch.rand(shape, generator=GENERATOR, dtype=torch.float64) * (high - low) + low
    return (x * 4096).round() / 4096


def record(case, function, *xs, index=(), second=True):
    assert f"{case}/value" not in OUT, case
    xs = [x.clone().requires_grad_() for x in xs]
    value = function(*xs)
    seed = uniform(*value.shape, low=0.25, high=1.5)
    grads = torch.autograd.grad((value * seed).sum(), xs, create_graph=second)
    assert torch.isfinite(value).all(), case
    OUT[f"{case}/value"], OUT[f"{case}/seed"] = value.detach(), seed
    for i, (x, grad) in enumerate(zip(xs, grads)):
        assert torch.isfinite(grad).all(), case
        OUT[f"{case}/x{i}"] = x.detach()
        OUT[f"{case}/grad{i}"] = torch.zeros_like(x) if grad._is_zerotensor() else grad.detach()
    for i, numbers in enumerate(index):
        OUT[f"{case}/index{i}"] = torch.as_tensor(numbers)
    if not second:
        return
    vs = [uniform(*x.shape, low=-1.0, high=1.0) for x in xs]
    slope = sum((g * v).sum() for g, v in zip(grads, vs))
    if slope.requires_grad:
        hvps = torch.autograd.grad(slope, xs, allow_unused=True)
    else:
        hvps = [None] * len(xs)
    for i, (x, v, hvp) in enumerate(zip(xs, vs, hvps)):
        assert hvp is None or torch.isfinite(hvp).all(), case
        OUT[f"{case}/v{i}"] = v
        OUT[f"{case}/hvp{i}"] = (
            torch.zeros_like(x) if hvp is None or hvp._is_zerotensor() else hvp.detach())


def activations():
    far = torch.tensor([1e4, -1e4, 100.0, -100.0, 40.0, -40.0, 20.0, -20.0, 8.0, -8.0, 1e-8, -1e-8],
                       dtype=torch.float64)
    x = torch.cat([uniform(20, low=-7.0, high=7.0), uniform(16), far])
    kinks = torch.tensor([-3.0, 3.0, 6.0, -1.0, 1.0, -0.5, 0.5, 0.0], dtype=torch.float64)
    of = {
        "relu6": F.relu6,
        "hardtanh": F.hardtanh,
        "hardtanh_of": lambda x: F.hardtanh(x, -0.5, 3.0),
        "threshold": lambda x: F.threshold(x, 0.5, -2.0),
        "leaky_relu": lambda x: F.leaky_relu(x, 0.1),
        "rrelu": F.rrelu,
        "elu": F.elu,
        "elu_of": lambda x: F.elu(x, 2.5),
        "celu": F.celu,
        "celu_of": lambda x: F.celu(x, 0.5),
        "selu": F.selu,
        "scaled_softplus": lambda x: F.softplus(x, 0.5, 3.0),
        "softsign": F.softsign,
        "softshrink": F.softshrink,
        "hardshrink": F.hardshrink,
        "tanhshrink": F.tanhshrink,
        "gelu": F.gelu,
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
        "silu": F.silu,
        "mish": F.mish,
        "hardswish": F.hardswish,
        # The gradient of F.hardsigmoid multiplies by 1/6 in single precision.
        "hardsigmoid": lambda x: F.relu6(x + 3) / 6,
        "log_sigmoid": F.logsigmoid,
    }
    for name, function in of.items():
        # PyTorch has NaN for the second derivative of mish at 1e4.
        record(name, function, x, second=name != "mish")
        record(f"{name}/kinks", function, kinks, second=False)
    record("mish_near", F.mish, x.clamp(-40, 40))
    x = uniform(3, 4, 2)
    record("glu", lambda x: F.glu(x, 1), x)
    record("glu_last", F.glu, x)
    record("softmin", lambda x: F.softmin(x, 1), torch.cat([x, 1e4 * x]))
    record("prelu", F.prelu, uniform(3, 4, 2), uniform(4))
    record("prelu_one", F.prelu, uniform(3, 4), uniform(1))


def losses():
    x, y = uniform(4, 5), uniform(4, 5)
    x[3], y[3] = torch.tensor([1e4, -1e4, 0.5, 1.0, -2.0]), torch.tensor([-1e4, 1e4, 1e4, 0.25, 1.0])
    for r in ("mean", "sum", "none"):
        record(f"mse/{r}", lambda a, b: F.mse_loss(a, b, reduction=r), x, y)
        record(f"l1/{r}", lambda a, b: F.l1_loss(a, b, reduction=r), x, y)
        record(f"smooth_l1/{r}", lambda a, b: F.smooth_l1_loss(a, b, reduction=r), x, y)
        record(f"huber/{r}", lambda a, b: F.huber_loss(a, b, reduction=r), x, y)
        record(f"hinge_embedding/{r}", lambda a: F.hinge_embedding_loss(a, SIGNS, reduction=r), x)
        record(f"soft_margin/{r}", lambda a: F.soft_margin_loss(a, SIGNS, reduction=r), x.clamp(-30, 30))
        record(f"margin_ranking/{r}", lambda a, b: F.margin_ranking_loss(a, b, SIGNS, reduction=r), x, y)
    record("smooth_l1_of", lambda a, b: F.smooth_l1_loss(a, b, beta=0.5), x, y)
    record("smooth_l1_zero", lambda a, b: F.smooth_l1_loss(a, b, beta=0.0), x, y)
    record("huber_of", lambda a, b: F.huber_loss(a, b, delta=2.5), x, y)
    record("hinge_embedding_of", lambda a: F.hinge_embedding_loss(a, SIGNS, margin=0.5), x)
    record("margin_ranking_of", lambda a, b: F.margin_ranking_loss(a, b, SIGNS, margin=0.5), x, y)

    p, t = uniform(4, 5, low=0.05, high=0.95), uniform(4, 5, low=0.0, high=1.0)
    t[0] = torch.tensor([0.0, 1.0, 0.0, 1.0, 0.5])
    w, w5 = uniform(4, 5, low=0.5, high=2.0), uniform(5, low=0.5, high=2.0)
    OUT["weights"] = w5.detach().clone()
    OUT["weights_of_all"] = w.detach().clone()
    for r in ("mean", "sum", "none"):
        record(f"bce/{r}", lambda p, t: F.binary_cross_entropy(p, t, reduction=r), p, t)
        record(f"bce_with_logits/{r}", lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction=r), x, t)
        record(f"kl_div/{r}", lambda p, t: F.kl_div(p, t, reduction=r), x, p)
        record(f"kl_div_log/{r}", lambda p, t: F.kl_div(p, t, reduction=r, log_target=True), x, y.clamp(-20, 5))
        record(f"multilabel_soft_margin/{r}",
               lambda x, t: F.multilabel_soft_margin_loss(x, t, reduction=r), x, t)
    record("bce_of", lambda p, t: F.binary_cross_entropy(p, t, weight=w), p, t)
    ends = torch.tensor([0.0, 1.0, 1e-20, 1e-60, 1 - 1e-15], dtype=torch.float64)
    record("bce_ends", lambda p: F.binary_cross_entropy(p, torch.tensor([1., 0., 1., 1., 0.], dtype=p.dtype)),
           ends, second=False)
    record("bce_with_logits_of",
           lambda x, t: F.binary_cross_entropy_with_logits(x, t, weight=w, pos_weight=w5), x, t)
    record("multilabel_soft_margin_of",
           lambda x, t: F.multilabel_soft_margin_loss(x, t, weight=w5), x, t)

    rates = uniform(4, 5, low=0.5, high=4.0)
    counts = torch.tensor([[0., 1., 2., 3., 7.], [1.5, 0.5, 1., 0., 40.], [2., 2., 1., 0., 3.], [9., 1., 5., 0., 2.]],
                          dtype=torch.float64)
    record("poisson_nll", lambda x, n: F.poisson_nll_loss(x, n), y.clamp(-30, 5), counts)
    record("poisson_nll_full", lambda x: F.poisson_nll_loss(x, counts, full=True), y.clamp(-30, 5))
    record("poisson_nll_rates",
           lambda x: F.poisson_nll_loss(x, counts, log_input=False, full=True, eps=1e-3), rates)
    for r in ("mean", "sum", "none"):
        record(f"gaussian_nll/{r}", lambda a, b, v: F.gaussian_nll_loss(a, b, v, reduction=r), x, y, rates)
    small = rates.clone()
    small[0, 0] = 1e-9
    record("gaussian_nll_full", lambda a, b, v: F.gaussian_nll_loss(a, b, v, full=True, eps=1e-2), uniform(4, 5),
           uniform(4, 5), small)
    record("gaussian_nll_one", lambda a, b, v: F.gaussian_nll_loss(a, b, v), x, y, uniform(4, 1, low=0.5, high=2.0))
    record("gaussian_nll_lacks", lambda a, b, v: F.gaussian_nll_loss(a, b, v), x, y, uniform(4, low=0.5, high=2.0))

    classes = torch.tensor([2, 4, 0, 1])
    ignoring = torch.tensor([2, -100, 0, 1])
    pixels = torch.tensor([[1, 0], [2, 2], [0, 3]])
    images = uniform(3, 4, 2)
    w4 = uniform(4, low=0.5, high=2.0)
    OUT["weights_of_four"] = w4.detach().clone()
    for r in ("mean", "sum", "none"):
        record(f"cross_entropy/{r}", lambda x: F.cross_entropy(x, classes, reduction=r), x)
        record(f"cross_entropy_of/{r}", lambda x: F.cross_entropy(
            x, ignoring, weight=w5, ignore_index=-100, label_smoothing=0.1, reduction=r), x)
        record(f"cross_entropy_ignore/{r}", lambda x: F.cross_entropy(x, ignoring, reduction=r), x)
        record(f"cross_entropy_weights/{r}", lambda x: F.cross_entropy(x, classes, weight=w5, reduction=r), x)
        record(f"cross_entropy_smooth/{r}",
               lambda x: F.cross_entropy(x, classes, label_smoothing=0.25, reduction=r), x)
        record(f"cross_entropy_pixels/{r}", lambda x: F.cross_entropy(
            x, pixels, weight=w4, ignore_index=2, label_smoothing=0.1, reduction=r), images)
        record(f"soft_cross_entropy/{r}", lambda x, t: F.cross_entropy(x, t, reduction=r), x, p)
        record(f"soft_cross_entropy_of/{r}", lambda x, t: F.cross_entropy(
            x, t, weight=w5, label_smoothing=0.1, reduction=r), x, p)
        record(f"soft_cross_entropy_pixels/{r}",
               lambda x, t: F.cross_entropy(x, t, weight=w4, reduction=r), images, uniform(3, 4, 2, low=0., high=1.))
        record(f"nll_of/{r}", lambda x: F.nll_loss(x, ignoring, weight=w5, ignore_index=-100, reduction=r), x)
        record(f"nll_pixels/{r}", lambda x: F.nll_loss(x, pixels, ignore_index=3, reduction=r), images)
        record(f"multi_margin/{r}", lambda x: F.multi_margin_loss(x, classes, reduction=r), x, second=False)
        record(f"multi_margin_of/{r}", lambda x: F.multi_margin_loss(
            x, classes, p=2, margin=1.5, weight=w5, reduction=r), x, second=False)
        record(f"multilabel_margin/{r}",
               lambda x: F.multilabel_margin_loss(x, LISTS, reduction=r), x, second=False)
    record("multilabel_margin_one", lambda x: F.multilabel_margin_loss(x, LISTS[0]), x[0], second=False)
    record("cross_entropy_one", lambda x: F.cross_entropy(x, torch.tensor(3), label_smoothing=0.1), x[1])
    record("multi_margin_one", lambda x: F.multi_margin_loss(x, torch.tensor(3)), x[1], second=False)

    a, b, c = uniform(4, 3), uniform(4, 3), uniform(4, 3)
    for r in ("mean", "sum", "none"):
        record(f"cosine_embedding/{r}", lambda a, b: F.cosine_embedding_loss(
            a, b, torch.tensor([1., -1., 1., -1.]), reduction=r), a, b)
        record(f"triplet_margin/{r}", lambda a, b, c: F.triplet_margin_loss(a, b, c, reduction=r), a, b, c)
    record("cosine_embedding_of", lambda a, b: F.cosine_embedding_loss(
        a, b, torch.tensor([1., -1., -1., -1.]), margin=-0.5), 1e4 * a, b)
    record("triplet_margin_of", lambda a, b, c: F.triplet_margin_loss(
        a, b, c, margin=2.5, p=3.0, eps=1e-3, swap=True), a, b, c)
    record("triplet_margin_p1", lambda a, b, c: F.triplet_margin_loss(a, b, c, p=1.0), 1e4 * a, b, c)
    record("triplet_margin_max", lambda a, b, c: F.triplet_margin_loss(a, b, c, p=math.inf, swap=True), a, b, c)
    record("triplet_margin_distance", lambda a, b, c: F.triplet_margin_with_distance_loss(
        a, b, c, distance_function=lambda x, y: ((x - y) ** 4).sum(-1), margin=3.0), a, b, c)

    def info_nce(q, k, symmetric=False, tau=0.07):
        logits = F.normalize(q) @ F.normalize(k).T / tau
        own = torch.arange(len(q))
        loss = F.cross_entropy(logits, own)
        return (loss + F.cross_entropy(logits.T, own)) / 2 if symmetric else loss
    record("info_nce", info_nce, a, b)
    record("info_nce_of", lambda q, k: info_nce(q, k, True, 0.5), a, b)

    def focal(x, t, alpha=0.25, gamma=2.0):
        # torchvision.ops.sigmoid_focal_loss
        q = torch.sigmoid(x)
        loss = F.binary_cross_entropy_with_logits(x, t, reduction="none") * (1 - (q * t + (1 - q) * (1 - t))) ** gamma
        return (loss if alpha is None else (alpha * t + (1 - alpha) * (1 - t)) * loss).mean()
    record("focal", focal, x, t)
    record("focal_of", lambda x, t: focal(x, t, None, 3.0), uniform(4, 5), t)
    record("dice", lambda p, t: (1 - (2 * (p * t).sum((1, 2)) + 0.5) / (p.sum((1, 2)) + t.sum((1, 2)) + 0.5)).mean(),
           uniform(3, 4, 2, low=0.0, high=1.0), uniform(3, 4, 2, low=0.0, high=1.0))

    scores = uniform(9, 4, 5)
    scores[2, 1] = torch.tensor([1e4, -1e4, 0.0, 3.0, -5.0])
    labels = torch.tensor([[1, 1, 2, 4], [3, 0, 0, 0], [4, 3, 4, 3], [0, 0, 0, 0]])
    lengths = [9, 7, 8, 5], [4, 1, 4, 0]
    for r in ("mean", "sum", "none"):
        record(f"ctc/{r}", lambda x: F.ctc_loss(F.log_softmax(x, -1), labels, *map(torch.tensor, lengths), reduction=r),
               scores, second=False)
    others = torch.tensor([[1, 1, 2, 2], [3, 0, 0, 0], [2, 3, 2, 3], [1, 1, 1, 1]])
    record("ctc_of", lambda x: F.ctc_loss(
        F.log_softmax(x, -1), others, torch.tensor([9, 7, 8, 5]), torch.tensor([4, 1, 4, 4]), blank=4,
        zero_infinity=True), scores, second=False)


def layers():
    record("bilinear", F.bilinear, uniform(2, 3, 4), uniform(2, 3, 5), uniform(6, 4, 5), uniform(6))
    numbers = torch.tensor([[1, 0, 4], [2, 2, 0]])
    record("embedding", lambda w: F.embedding(numbers, w), uniform(5, 3))
    record("embedding_padding", lambda w: F.embedding(numbers, w, padding_idx=2), uniform(5, 3))
    for mode in ("sum", "mean", "max"):
        record(f"embedding_bag/{mode}", lambda w: F.embedding_bag(numbers, w, mode=mode), uniform(5, 3), second=False)
        record(f"embedding_bag_padding/{mode}", lambda w: F.embedding_bag(numbers, w, mode=mode, padding_idx=2),
               uniform(5, 3), second=False)
        record(f"embedding_bags/{mode}", lambda w: F.embedding_bag(
            torch.tensor([1, 0, 4, 4, 2]), w, torch.tensor([0, 3, 3]), mode=mode), uniform(5, 3), second=False)
    record("pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), uniform(2, 12, 2, 3))
    record("pixel_shuffle_one", lambda x: F.pixel_shuffle(x, 3), uniform(9, 2, 3))
    record("pixel_unshuffle", lambda x: F.pixel_unshuffle(x, 2), uniform(2, 3, 4, 6))
    for n, sides in ((1, (1, 2)), (2, (1, 2, 0, 1)), (3, (1, 2, 0, 1, 2, 1))):
        shape = (2, 3, 4, 5, 3)[:n + 2]
        for mode in ("reflect", "replicate", "circular"):
            record(f"pad{n}/{mode}", lambda x: F.pad(x, sides, mode), uniform(*shape))
        record(f"pad{n}/zeros", lambda x: F.pad(x, sides), uniform(*shape))
        record(f"pad{n}/constant", lambda x: F.pad(x, sides, value=-1.5), uniform(*shape[1:]))
    record("conv_transpose1d", lambda x, w, b: F.conv_transpose1d(
        x, w, b, stride=3, padding=1, output_padding=2, groups=2, dilation=2), uniform(2, 4, 5), uniform(4, 3, 2),
        uniform(6))
    x = uniform(3, 2, 2, 3, 2)
    record("batch_norm3d", lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True), x, uniform(2), uniform(2))
    record("instance_norm3d", lambda x: F.instance_norm(x), x)
    parametrize = torch.nn.utils.parametrizations

    def weight_norm(x, v, g, dim=0):
        # torch._weight_norm has the same values and gradients, and wrong second derivatives.
        weight = v * (g / v.norm(2, 1 - dim, keepdim=True))
        assert (weight - torch._weight_norm(v, g, dim)).abs().max() < 1e-15
        return x @ weight.T
    record("weight_norm", weight_norm, uniform(4, 5), uniform(3, 5), uniform(3, 1))
    record("weight_norm_along", lambda x, v, g: weight_norm(x, v, g, 1), uniform(4, 5), uniform(3, 5), uniform(1, 5))
    linear = torch.nn.Linear(5, 3, dtype=torch.float64)
    weight = uniform(3, 5)
    with torch.no_grad():
        linear.weight.copy_(weight)
    parametrize.spectral_norm(linear)
    u, v = (uniform(n) for n in (3, 5))
    hidden = linear.parametrizations.weight[0]
    u, v = u / u.norm(), v / v.norm()
    OUT["spectral_u"] = u.detach().clone()
    OUT["spectral_v"] = v.detach().clone()

    def spectral(x, w, training):
        hidden._u.copy_(u)
        hidden._v.copy_(v)
        hidden.train(training)
        return x @ hidden(w).T
    record("spectral_norm", lambda x, w: spectral(x, w, True), uniform(4, 5), weight)
    OUT["spectral_u_after"] = hidden._u.detach().clone()
    OUT["spectral_v_after"] = hidden._v.detach().clone()
    record("spectral_norm_eval", lambda x, w: spectral(x, w, False), uniform(4, 5), weight)


def volumes():
    record("conv3d", lambda x, w, b: F.conv3d(x, w, b, stride=(2, 1, 3), padding=(1, 0, 2), dilation=(1, 2, 1), groups=2),
           uniform(2, 4, 4, 5, 3), uniform(6, 2, 3, 2, 2), uniform(6))
    record("conv3d_plain", F.conv3d, uniform(1, 2, 3, 4, 3), uniform(3, 2, 2, 3, 1))
    record("conv3d_point", F.conv3d, uniform(2, 2, 3, 2, 2), uniform(3, 2, 1, 1, 1), uniform(3))
    record("conv3d_apart", lambda x, w: F.conv3d(x, w, stride=(4, 3, 2)), uniform(1, 2, 6, 4, 3), uniform(2, 2, 2, 1, 1))
    record("conv3d_flat", lambda x, w, b: F.conv3d(x, w, b, padding=(2, 1, 1)), uniform(2, 2, 1, 2, 2),
           uniform(2, 2, 4, 3, 3), uniform(2))
    record("conv_transpose3d", lambda x, w, b: F.conv_transpose3d(
        x, w, b, stride=(3, 1, 2), padding=(1, 0, 1), output_padding=(2, 0, 1), groups=2, dilation=(2, 1, 1)),
           uniform(2, 4, 3, 2, 2), uniform(4, 3, 2, 2, 3), uniform(6))
    record("conv_transpose3d_wide", lambda x, w: F.conv_transpose3d(
        x, w, output_padding=(2, 0, 1), dilation=(3, 1, 2)), uniform(1, 2, 2, 2, 3), uniform(2, 3, 2, 2, 2))
    record("max_pool3d", lambda x: F.max_pool3d(x ** 2, 2, stride=1, padding=1), uniform(1, 2, 3, 4, 3))
    record("avg_pool3d", lambda x: F.avg_pool3d(x ** 2, (2, 3, 1), padding=(1, 1, 0)), uniform(1, 2, 3, 4, 3))

    def weight_norm(x, v, g):
        weight = v * (g / v.abs())
        assert (weight - torch._weight_norm(v, g, 0)).abs().max() < 1e-15
        return x * weight
    record("weight_norm_vector", weight_norm, uniform(4, 5), uniform(5), uniform(5))
    numbers = torch.tensor([[1, 0, 4], [2, 2, 0]])
    for name, p in (("two", 2.0), ("one", 1.0), ("most", math.inf)):
        table = uniform(5, 3)
        OUT[f"max_norm_{name}"] = table.clone()
        with torch.no_grad():
            F.embedding(numbers, table, max_norm=1.5, norm_type=p)
        record(f"max_norm_{name}_after", lambda w: F.embedding(numbers, w), table)


SIGNS = torch.tensor([[1., -1., 1., 1., -1.]] * 2 + [[-1., -1., 1., -1., 1.]] * 2, dtype=torch.float64)
LISTS = torch.tensor([[3, 0, -1, 1, 2], [1, -1, -1, -1, 0], [0, 1, 2, 3, 4], [-1, 2, 3, 0, 1]])


def main():
    torch.set_num_threads(1)
    activations()
    losses()
    layers()
    volumes()
    store(__file__, OUT, {})


if __name__ == "__main__":
    main()
