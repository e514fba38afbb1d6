"""PyTorch's recurrent layers and cells: state dicts, outputs, last states, gradients.

Writes `recurrent.safetensors` beside this script. For each case, named by `cases()` (f64; all initial
values and inputs are float32 numbers):

* `{case}/init/{name}`: the state dict.
* `{case}/x`: the input. `{case}/h0`, `{case}/c0`: the initial states, if the case has them.
* `{case}/lengths`: the lengths of the sequences, if they differ: the input was packed.
* `{case}/y` (not for cells), `{case}/h`, `{case}/c`: the output and the last states.
* `{case}/weights/y`, `{case}/weights/h`, `{case}/weights/c`: the weights of the loss, which is the sum of
  the products of weights and results.
* `{case}/grad/x`, `{case}/grad/h0`, `{case}/grad/c0`, `{case}/grad/{name}`: the gradients of the loss.
* `{case}/second/...`, with the same names: the gradients of the sum of the products of all these
  gradients with `ramp` (see `store.py`).
"""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from store import derivatives, store

T, N, INPUTS, HIDDEN = 5, 3, 4, 3


def cases():
    """Name: (layer, whether there are initial states, lengths)."""
    return {
        "rnn_tanh": (nn.RNN(INPUTS, HIDDEN), False, None),
        "rnn_relu": (nn.RNN(INPUTS, HIDDEN, num_layers=2, nonlinearity="relu", bidirectional=True), True, None),
        "rnn_plain": (nn.RNN(INPUTS, HIDDEN, bias=False, batch_first=True), True, [4, 1, 5]),
        "lstm": (nn.LSTM(INPUTS, HIDDEN), False, None),
        "lstm_deep": (nn.LSTM(INPUTS, HIDDEN, num_layers=2, bidirectional=True), True, None),
        "lstm_lengths": (nn.LSTM(INPUTS, HIDDEN, num_layers=2, bidirectional=True), True, [2, 5, 3]),
        "lstm_projected": (nn.LSTM(INPUTS, HIDDEN, num_layers=2, proj_size=2, batch_first=True), True, None),
        "lstm_projected_both": (nn.LSTM(INPUTS, HIDDEN, num_layers=2, proj_size=2, bidirectional=True), True, [5, 1, 2]),
        "lstm_plain": (nn.LSTM(INPUTS, HIDDEN, bias=False, batch_first=True, bidirectional=True), False, [3, 4, 4]),
        "gru": (nn.GRU(INPUTS, HIDDEN), False, None),
        "gru_deep": (nn.GRU(INPUTS, HIDDEN, num_layers=3, bidirectional=True, batch_first=True), True, None),
        "gru_lengths": (nn.GRU(INPUTS, HIDDEN, num_layers=2, bidirectional=True), True, [1, 5, 4]),
        "gru_plain": (nn.GRU(INPUTS, HIDDEN, bias=False), True, None),
        "rnn_cell": (nn.RNNCell(INPUTS, HIDDEN), True, None),
        "rnn_cell_relu": (nn.RNNCell(INPUTS, HIDDEN, nonlinearity="relu"), True, None),
        "lstm_cell": (nn.LSTMCell(INPUTS, HIDDEN), True, None),
        "lstm_cell_plain": (nn.LSTMCell(INPUTS, HIDDEN, bias=False), False, None),
        "gru_cell": (nn.GRUCell(INPUTS, HIDDEN), True, None),
    }


def main():
    torch.set_num_threads(1)
    torch.backends.mkldnn.enabled = False
    tensors = {}
    g = torch.Generator().manual_seed(5)

    def uniform(*shape, low=-1.0, high=1.0):
        # The numbers are float32 numbers, so that a run in f32 starts from the same point.
        return (torch.rand(shape, generator=g) * (high - low) + low).double()

    for name, (layer, has_start, lengths) in cases().items():
        layer = layer.double()
        with torch.no_grad():
            for p in layer.parameters():
                p.copy_(uniform(*p.shape))
        cell = isinstance(layer, nn.RNNCellBase)
        lstm = isinstance(layer, (nn.LSTM, nn.LSTMCell))
        first = not cell and layer.batch_first
        shape = (N, INPUTS) if cell else (N, T, INPUTS) if first else (T, N, INPUTS)
        x = uniform(*shape, low=-2.0, high=2.0).requires_grad_()
        inputs = {"x": x}
        if has_start:
            if cell:
                sizes = {"h0": (N, HIDDEN), "c0": (N, HIDDEN)}
            else:
                cells = layer.num_layers * (1 + layer.bidirectional)
                sizes = {"h0": (cells, N, layer.proj_size or HIDDEN), "c0": (cells, N, HIDDEN)}
            for key in ["h0", "c0"][:1 + lstm]:
                inputs[key] = uniform(*sizes[key]).requires_grad_()
        start = None
        if has_start:
            start = (inputs["h0"], inputs["c0"]) if lstm else inputs["h0"]
        if cell:
            results = {}
            state = layer(x, start)
        else:
            read = x
            if lengths:
                read = pack_padded_sequence(x, lengths, batch_first=first, enforce_sorted=False)
            y, state = layer(read, start)
            if lengths:
                y, _ = pad_packed_sequence(y, batch_first=first, total_length=T)
                tensors[f"{name}/lengths"] = torch.tensor(lengths)
            results = {"y": y}
        results |= {"h": state[0], "c": state[1]} if lstm else {"h": state}
        loss = 0.0
        for key, value in results.items():
            weights = uniform(*value.shape)
            tensors |= {f"{name}/{key}": value.detach(), f"{name}/weights/{key}": weights}
            loss = loss + (weights * value).sum()
        for key, value in layer.state_dict().items():
            tensors[f"{name}/init/{key}"] = value.detach().clone()
        tensors |= {f"{name}/{key}": value.detach() for key, value in inputs.items()}
        inputs |= dict(layer.named_parameters())
        for key, grad, second in zip(inputs, *derivatives(loss, list(inputs.values()))):
            tensors |= {f"{name}/grad/{key}": grad, f"{name}/second/{key}": second}
    store(__file__, tensors, {})


if __name__ == "__main__":
    main()
