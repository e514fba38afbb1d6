"""PyTorch CPU peers.  python bench_torch.py WORKLOAD|all --threads N [--steps S] [--max-secs X]
   [--compile] [--opt default|foreach|fused] [--channels-last] [--thp]"""
import os, sys
import common as cm
from common import Params, uniform, labels, one_hot

EXTRA = ["matmul_256_out", "matmul_512_out", "matmul_1024_out", "matmul_2048_out", "matmul_4096_out",
         "exp_16m_out", "add_16m_out", "mlp_infer128", "lenet_infer64", "resnet20_infer1"]

p = cm.parser(__doc__, EXTRA)
p.add_argument("--compile", action="store_true", help="torch.compile (inductor) on the forward+loss / function")
p.add_argument("--opt", default="default", choices=["default", "foreach", "fused"], help="torch.optim.SGD implementation")
p.add_argument("--thp", action="store_true", help="THP_MEM_ALLOC_ENABLE=1: PyTorch's allocator uses huge pages")
p.add_argument("--channels-last", action="store_true", help="NHWC memory format for the conv workloads")
a = p.parse_args()

variant = "+".join((["compile"] if a.compile else []) + (["channels_last"] if a.channels_last else [])
                   + (["thp"] if a.thp else []) + ([a.opt] if a.opt != "default" else [])) or "eager"
if a.workload == "all":
    pt = (["--compile"] if a.compile else []) + (["--channels-last"] if a.channels_last else []) + \
         (["--thp"] if a.thp else []) + (["--opt", a.opt] if a.opt != "default" else [])
    cm.run_all(a, os.path.abspath(__file__), EXTRA, pt, "torch")
    sys.exit()

cm.arena(a)
for v in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[v] = str(a.threads)
if a.thp:
    os.environ["THP_MEM_ALLOC_ENABLE"] = "1"
if a.compile:
    here = os.path.dirname(os.path.abspath(__file__))
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.join(here, "..", "target", "inductor"))
import torch
import torch.nn as nn
import torch.nn.functional as F
torch.set_num_threads(a.threads)
torch.set_num_interop_threads(1)
BASE = cm.ru_mb()
T = torch.from_numpy
W = a.workload
MF = torch.channels_last if a.channels_last else torch.contiguous_format
comp = (lambda f: torch.compile(f)) if a.compile else (lambda f: f)


def lin(P, i, o):
    m = nn.Linear(i, o)
    w, b = cm.linear(P, i, o)
    with torch.no_grad():
        m.weight.copy_(T(w)); m.bias.copy_(T(b))
    return m


def conv(P, i, o, k, bias=True, **kw):
    m = nn.Conv2d(i, o, k, bias=bias, **kw)
    v = cm.conv(P, i // kw.get("groups", 1), o, k, bias)
    with torch.no_grad():
        m.weight.copy_(T(v[0]))
        if bias:
            m.bias.copy_(T(v[1]))
    return m


def mlp(P):
    return nn.Sequential(lin(P, 784, 512), nn.ReLU(), lin(P, 512, 256), nn.ReLU(), lin(P, 256, 10))


def mlp_tiny(P):
    return nn.Sequential(lin(P, 784, 30), nn.Sigmoid(), lin(P, 30, 10), nn.Sigmoid())


def lenet(P):
    return nn.Sequential(conv(P, 1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
                         conv(P, 6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                         lin(P, 400, 120), nn.ReLU(), lin(P, 120, 84), nn.ReLU(), lin(P, 84, 10))


def cnn(P):
    return nn.Sequential(conv(P, 1, 32, 3), nn.ReLU(), conv(P, 32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), lin(P, 9216, 128), nn.ReLU(), lin(P, 128, 10))


class Block(nn.Module):
    def __init__(self, P, cin, w, st):
        super().__init__()
        self.c1, self.b1 = conv(P, cin, w, 3, False, stride=st, padding=1), nn.BatchNorm2d(w)
        self.c2, self.b2 = conv(P, w, w, 3, False, padding=1), nn.BatchNorm2d(w)
        self.sc = nn.Sequential(conv(P, cin, w, 1, False, stride=st), nn.BatchNorm2d(w)) if st != 1 or cin != w else nn.Identity()

    def forward(self, x):
        y = F.relu(self.b1(self.c1(x)))
        return F.relu(self.b2(self.c2(y)) + self.sc(x))


class ResNet20(nn.Module):
    def __init__(self, P):
        super().__init__()
        self.c, self.b = conv(P, 3, 16, 3, False, padding=1), nn.BatchNorm2d(16)
        bl, cin = [], 16
        for s, w in enumerate((16, 32, 64)):
            for k in range(3):
                bl.append(Block(P, cin, w, 2 if s > 0 and k == 0 else 1))
                cin = w
        self.blocks = nn.Sequential(*bl)
        self.fc = lin(P, 64, 10)

    def forward(self, x):
        x = self.blocks(F.relu(self.b(self.c(x))))
        return self.fc(x.mean((2, 3)))


class LSTM(nn.Module):
    def __init__(self, P):
        super().__init__()
        self.l = nn.LSTM(28, 128, batch_first=True)
        with torch.no_grad():           # PyTorch order and init: w_ih, w_hh, b_ih, b_hh; fan = hidden
            for q, s in ((self.l.weight_ih_l0, (512, 28)), (self.l.weight_hh_l0, (512, 128)),
                         (self.l.bias_ih_l0, (512,)), (self.l.bias_hh_l0, (512,))):
                q.copy_(T(P.take(s, 128)))
        self.fc = lin(P, 128, 10)

    def forward(self, x):
        return self.fc(self.l(x)[0][:, -1])


def transformer(P):
    m = nn.TransformerEncoderLayer(128, 4, 512, dropout=0.0, batch_first=True, norm_first=True)
    s = m.self_attn
    with torch.no_grad():               # norms begin with ones and zeros
        for q, shape, fan in ((s.in_proj_weight, (384, 128), 128), (s.in_proj_bias, (384,), 128),
                              (s.out_proj.weight, (128, 128), 128), (s.out_proj.bias, (128,), 128),
                              (m.linear1.weight, (512, 128), 128), (m.linear1.bias, (512,), 128),
                              (m.linear2.weight, (128, 512), 512), (m.linear2.bias, (128,), 512)):
            q.copy_(T(P.take(shape, fan)))
    return m


class Words(nn.Module):
    def __init__(self, P):
        super().__init__()
        self.e = nn.Embedding(10000, 128)
        with torch.no_grad():
            self.e.weight.copy_(T(P.take((10000, 128), 1)))
        self.fc = lin(P, 128, 10)

    def forward(self, x):
        return self.fc(self.e(x).mean(1))


def separable(P):
    return nn.Sequential(conv(P, 1, 64, 3, False, padding=1), nn.BatchNorm2d(64), nn.ReLU(),
                         conv(P, 64, 64, 3, False, padding=1, groups=64), nn.BatchNorm2d(64), nn.ReLU(),
                         conv(P, 64, 128, 1, False), nn.BatchNorm2d(128), nn.ReLU(),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), lin(P, 128, 10))


def nparams(m):
    return sum(q.numel() for q in m.parameters())


def subnormals(ts):
    return int(sum(((t != 0) & (t.abs() < 1.17549435e-38)).sum().item() for t in ts))


def train(model, x, y, loss_fn, lr, momentum):
    if a.channels_last and x.dim() == 4:
        model, x = model.to(memory_format=MF), x.contiguous(memory_format=MF)
    model.train()
    kw = {} if a.opt == "default" else {a.opt: True}
    opt = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum, **kw)
    f = comp(lambda x, y: loss_fn(model(x), y))

    def step():
        opt.zero_grad()
        loss = f(x, y)
        loss.backward()
        opt.step()
        return loss.item()

    def after():
        bufs = [s["momentum_buffer"] for s in opt.state.values() if s.get("momentum_buffer") is not None]
        return {"n_params": nparams(model), "subnormals": subnormals(bufs + [q.detach() for q in model.parameters()])}
    return step, after


def infer(model, x):
    if a.channels_last and x.dim() == 4:
        model, x = model.to(memory_format=MF), x.contiguous(memory_format=MF)
    model.eval()
    f = comp(model)

    def step():
        with torch.inference_mode() if not a.compile else torch.no_grad():
            return f(x)[0, 0].item()
    return step, None


def X(*shape, seed=cm.X_SEED, scale=1.0):
    return T(uniform(seed, shape, scale))


def build():
    P = Params()
    if W == "mlp_train":
        return train(mlp(P), X(128, 784), T(labels(128)), F.cross_entropy, 0.01, 0.9)
    if W == "mlp_tiny_train":
        return train(mlp_tiny(P), X(10, 784), T(one_hot(labels(10))), F.mse_loss, 0.5, 0.0)
    if W == "lenet_train":
        return train(lenet(P), X(64, 1, 28, 28), T(labels(64)), F.cross_entropy, 0.01, 0.9)
    if W == "cnn_train":
        return train(cnn(P), X(64, 1, 28, 28), T(labels(64)), F.cross_entropy, 0.01, 0.9)
    if W == "resnet20_train":
        return train(ResNet20(P), X(64, 3, 32, 32), T(labels(64)), F.cross_entropy, 0.01, 0.9)
    if W == "lstm_train":
        return train(LSTM(P), X(64, 28, 28), T(labels(64)), F.cross_entropy, 0.01, 0.9)
    if W == "transformer_train":
        return train(transformer(P), X(16, 256, 128), X(16, 256, 128, seed=8), F.mse_loss, 0.01, 0.9)
    if W == "embedding_train":
        return train(Words(P), T(cm.words(64, 128)), T(labels(64)), F.cross_entropy, 0.5, 0.0)
    if W == "separable_train":
        return train(separable(P), X(32, 1, 56, 56), T(labels(32)), F.cross_entropy, 0.01, 0.9)
    if W == "lenet_infer1":
        return infer(lenet(P), X(1, 1, 28, 28))
    if W == "lenet_infer64":
        return infer(lenet(P), X(64, 1, 28, 28))
    if W == "mlp_infer128":
        return infer(mlp(P), X(128, 784))
    if W == "resnet20_infer1":
        return infer(ResNet20(P), X(1, 3, 32, 32))
    if W.startswith("matmul_"):
        n = int(W.split("_")[1])
        A, B = X(n, n), X(n, n, seed=8)
        if W.endswith("_out"):
            O = torch.empty(n, n)

            def step():
                torch.mm(A, B, out=O)
                return O[0, 0].item()
            return step, None
        f = comp(torch.mm)
        return (lambda: f(A, B)[0, 0].item()), None
    if W in ("conv3x3", "conv3x3_bwd"):
        x = X(32, 64, 56, 56).contiguous(memory_format=MF)
        w = X(64, 64, 3, 3, seed=8, scale=1 / 24).contiguous(memory_format=MF)
        f = comp(lambda x, w: F.conv2d(x, w, padding=1))
        if W == "conv3x3":
            def step():
                with torch.no_grad():
                    return f(x, w)[0, 0, 0, 0].item()
            return step, None
        g = X(32, 64, 56, 56, seed=9).contiguous(memory_format=MF)
        x.requires_grad_(); w.requires_grad_()

        def step():
            x.grad = w.grad = None
            f(x, w).backward(g)
            return w.grad[0, 0, 0, 0].item()
        return step, None
    if W == "elementwise":
        x = X(cm.M4).requires_grad_()
        f = comp(lambda x: torch.tanh(x * 1.5 + 0.25).sum())

        def step():
            x.grad = None
            y = f(x)
            y.backward()
            return y.item()
        return step, None
    if W in ("exp_16m", "exp_16m_out"):
        x = X(cm.M16)
        if W.endswith("out"):
            O = torch.empty_like(x)
            return (lambda: torch.exp(x, out=O)[0].item()), None
        f = comp(torch.exp)
        return (lambda: f(x)[0].item()), None
    if W in ("add_16m", "add_16m_out"):
        x, y = X(cm.M16), X(cm.M16, seed=8)
        if W.endswith("out"):
            O = torch.empty_like(x)
            return (lambda: torch.add(x, y, out=O)[0].item()), None
        f = comp(torch.add)
        return (lambda: f(x, y)[0].item()), None
    if W == "sum_16m":
        x = X(cm.M16)
        f = comp(torch.sum)
        return (lambda: f(x).item()), None
    if W == "softmax_4096x1000":
        x = X(4096, 1000)
        f = comp(lambda x: torch.softmax(x, -1))
        return (lambda: f(x)[0, 0].item()), None
    if W == "layernorm_4096x1024":
        x = X(4096, 1024).requires_grad_()
        w, b = torch.ones(1024, requires_grad=True), torch.zeros(1024, requires_grad=True)
        g = X(4096, 1024, seed=9)
        f = comp(lambda x, w, b: F.layer_norm(x, (1024,), w, b))

        def step():
            x.grad = w.grad = b.grad = None
            f(x, w, b).backward(g)
            return w.grad[0].item()
        return step, None
    if W == "chain_10k":
        x0 = torch.tensor([0.5], requires_grad=True)

        def chain(x):
            for _ in range(5000):
                x = x * 1.0001 + 0.0001
            return x
        f = comp(chain)

        def step():
            x0.grad = None
            f(x0).backward()
            return x0.grad.item()
        return step, None
    if W == "hvp_mlp":
        m = mlp_tiny(P)
        x, y = X(10, 784), T(one_hot(labels(10)))
        ps = list(m.parameters())
        vs = [T(uniform(2001 + i, tuple(q.shape))) for i, q in enumerate(ps)]
        if a.compile:
            from torch.func import grad

            def L(ps):
                h = torch.sigmoid(F.linear(x, ps[0], ps[1]))
                return F.mse_loss(torch.sigmoid(F.linear(h, ps[2], ps[3])), y)

            def hvp(ps, vs):
                return grad(lambda q: sum((g * v).sum() for g, v in zip(grad(L)(q), vs)))(ps)
            f, pt, vt = comp(hvp), tuple(q.detach() for q in ps), tuple(vs)
            return (lambda: f(pt, vt)[3][0].item()), None

        def step():
            gs = torch.autograd.grad(F.mse_loss(m(x), y), ps, create_graph=True)
            return torch.autograd.grad(gs, ps, vs)[3][0].item()
        return step, None
    sys.exit(f"unknown workload {W}")


step, after = build()
cm.measure(a, "torch", torch.__version__, step, BASE, compile_s=0 if a.compile else None,
           extra={"variant": variant}, after=after)
