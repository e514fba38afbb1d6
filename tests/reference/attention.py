"""PyTorch's attention: the function, multi-head attention, transformer layers and stacks.

Writes `attention.safetensors` beside this script. For each case (f64; all initial values and inputs are
float32 numbers):

* `{case}/init/{name}`: the state dict, if the case is a layer.
* `{case}/q`, `{case}/k`, `{case}/v`: the inputs; of a layer with self-attention only `q`; of a decoder `q`
  and the memory `k`.
* `{case}/mask`, `{case}/padding`: masks of ones and zeros (1: true), with the meaning that PyTorch gives
  them there. `{case}/bias`: a mask of numbers.
* `{case}/y`: the result; `{case}/weights`: the weights of the attention, if they were asked for.
* `{case}/seed`: the weights of the loss, which is the sum of their products with the result.
* `{case}/grad/q`, `{case}/grad/k`, `{case}/grad/v`, `{case}/grad/bias`, `{case}/grad/{name}`: the gradients
  of the loss.
* `{case}/second/...`, with the same names: the gradients of the sum of the products of all these
  gradients with `ramp` (see `store.py`).
"""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from store import derivatives, store

N, L, S, E, HEADS = 2, 4, 5, 6, 3


def main():
    torch.set_num_threads(1)
    tensors = {}
    g = torch.Generator().manual_seed(9)

    def uniform(*shape, low=-1.0, high=1.0):
        # The numbers are float32 numbers, so that a run in f32 starts from the same point.
        return (torch.rand(shape, generator=g) * (high - low) + low).double()

    def mask(*shape):
        """A random mask in which no row is true everywhere or nowhere."""
        m = torch.rand(shape, generator=g) < 0.4
        m[..., 0] = False
        m[..., -1] = True
        return m

    def case(name, run, inputs, layer=None, **fixed):
        inputs = {key: value.requires_grad_() for key, value in inputs.items()}
        if layer is not None:
            layer.double().eval()
            with torch.no_grad():
                for p in layer.parameters():
                    p.copy_(uniform(*p.shape))
        # PyTorch's faster implementation has no second derivative.
        with sdpa_kernel(SDPBackend.MATH):
            y = run(*inputs.values())
        y, weights = y if isinstance(y, tuple) else (y, None)
        seed = uniform(*y.shape)
        tensors.update({f"{name}/y": y.detach(), f"{name}/seed": seed})
        if weights is not None:
            tensors[f"{name}/weights"] = weights.detach()
        for key, value in fixed.items():
            tensors[f"{name}/{key}"] = value.double()
        tensors.update({f"{name}/{key}": value.detach() for key, value in inputs.items()})
        if layer is not None:
            params = dict(layer.named_parameters())
            tensors.update({f"{name}/init/{key}": value.detach().clone() for key, value in params.items()})
            inputs |= params
        for key, grad, second in zip(inputs, *derivatives((seed * y).sum(), list(inputs.values()))):
            tensors.update({f"{name}/grad/{key}": grad, f"{name}/second/{key}": second})

    def qkv(*lead, e=E, d=E):
        return {"q": uniform(*lead, L, e), "k": uniform(*lead, S, e), "v": uniform(*lead, S, d)}

    attend = F.scaled_dot_product_attention
    case("plain", attend, qkv(N, HEADS, d=4))
    case("matrices", attend, qkv())
    case("scaled", lambda q, k, v: attend(q, k, v, scale=0.7), qkv(N))
    case("causal", lambda q, k, v: attend(q, k, v, is_causal=True), qkv(N, HEADS))
    m = mask(L, S)
    case("allowed", lambda q, k, v: attend(q, k, v, attn_mask=m), qkv(N, HEADS), mask=m)
    shut = mask(N, 1, L, S)
    shut[1, 0, 2] = False  # this query may attend to nothing
    case("shut", lambda q, k, v: attend(q, k, v, attn_mask=shut), qkv(N, HEADS), mask=shut)
    bias = {"bias": uniform(HEADS, L, S)}
    case("biased", lambda q, k, v, bias: attend(q, k, v, attn_mask=bias), qkv(N, HEADS) | bias)

    def heads(name, layer, inputs, masks=None, **options):
        masks = masks or {}
        given = {"attn_mask": masks.get("mask"), "key_padding_mask": masks.get("padding")}

        def run(q, k=None, v=None):
            k = q if k is None else k
            v = k if v is None else v
            y, weights = layer(q, k, v, **given, **options)
            return (y, weights) if weights is not None else y

        case(name, run, inputs, layer, **masks)

    with_self = lambda *lead: {"q": uniform(*lead, E)}
    heads("heads", nn.MultiheadAttention(E, HEADS), with_self(L, N))
    heads("heads_first", nn.MultiheadAttention(E, HEADS, batch_first=True), with_self(N, L), need_weights=False)
    heads("heads_one", nn.MultiheadAttention(E, 2), with_self(L))
    heads("heads_memory", nn.MultiheadAttention(E, HEADS, batch_first=True),
          {"q": uniform(N, L, E), "k": uniform(N, S, E)}, {"padding": mask(N, S)}, average_attn_weights=False)
    heads("heads_sizes", nn.MultiheadAttention(E, HEADS, kdim=5, vdim=4, batch_first=True),
          {"q": uniform(N, L, E), "k": uniform(N, S, 5), "v": uniform(N, S, 4)}, {"mask": mask(L, S)})
    heads("heads_plain", nn.MultiheadAttention(E, HEADS, bias=False), with_self(L, N),
          {"mask": mask(N * HEADS, L, L), "padding": mask(N, L)}, need_weights=False)

    m = torch.triu(torch.ones(L, L), 1).bool()
    options = dict(dim_feedforward=7, dropout=0.0)
    case("encoder", lambda q: encoder(q, src_mask=m), with_self(L, N),
         encoder := nn.TransformerEncoderLayer(E, HEADS, **options))
    first = dict(options, activation="gelu", norm_first=True, batch_first=True)
    padding = mask(N, L)
    case("encoder_first", lambda q: encoder(q, src_key_padding_mask=padding), with_self(N, L),
         encoder := nn.TransformerEncoderLayer(E, HEADS, **first), padding=padding)
    case("decoder", lambda q, k: decoder(q, k, tgt_mask=m), {"q": uniform(L, N, E), "k": uniform(S, N, E)},
         decoder := nn.TransformerDecoderLayer(E, HEADS, **options))
    padding2 = mask(N, S)
    case("decoder_first", lambda q, k: decoder(q, k, memory_key_padding_mask=padding2),
         {"q": uniform(N, L, E), "k": uniform(N, S, E)},
         decoder := nn.TransformerDecoderLayer(E, HEADS, **first), padding=padding2)
    stack = nn.TransformerEncoder(nn.TransformerEncoderLayer(E, HEADS, **options), 2, nn.LayerNorm(E),
                                  enable_nested_tensor=False)
    case("encoder_stack", lambda q: stack(q), with_self(L, N), stack)
    both = nn.TransformerDecoder(nn.TransformerDecoderLayer(E, HEADS, **options), 2, nn.LayerNorm(E))
    case("decoder_stack", lambda q, k: both(q, k), {"q": uniform(L, N, E), "k": uniform(S, N, E)}, both)
    store(__file__, tensors, {})


if __name__ == "__main__":
    main()
