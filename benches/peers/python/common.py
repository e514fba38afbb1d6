"""Shared by bench_torch.py / bench_jax.py: deterministic data (bit-identical to the Rust peers'
rust/common), the timing protocol, the JSON line and the `all` driver.
Imports only the standard library and (lazily) numpy, so that the `all` driver stays small:
Linux seeds a child's ru_maxrss with the parent's at exec, so the driver must not import torch."""
import argparse, json, math, os, resource, subprocess, sys, time

WORKLOADS = """mlp_train mlp_tiny_train lenet_train cnn_train resnet20_train lenet_infer1
matmul_256 matmul_512 matmul_1024 matmul_2048 conv3x3 conv3x3_bwd elementwise
exp_16m add_16m sum_16m softmax_4096x1000 layernorm_4096x1024
chain_10k hvp_mlp lstm_train transformer_train embedding_train separable_train""".split()

M16 = 16 * 1024 * 1024
M4 = 4 * 1024 * 1024
X_SEED = 7
MASK = (1 << 64) - 1
C = 0x9E3779B97F4A7C15


def parser(desc, extra_workloads=()):
    p = argparse.ArgumentParser(description=desc)
    p.add_argument("workload", help="all, or one of: " + " ".join(WORKLOADS) + " | extra: " + " ".join(extra_workloads))
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--steps", type=int, default=None, help="at most this many timed steps (default: no limit; 300 where "
                   "there is momentum: later, momentum of dead ReLUs decays into subnormal numbers, which are slow)")
    p.add_argument("--max-secs", type=float, default=5.0, help="at most this long timed (a begun step is finished)")
    p.add_argument("--timeout", type=float, default=300, help="(all) seconds before a workload is given up")
    p.add_argument("--only", default="", help="(all) comma-separated workloads")
    p.add_argument("--arena", action="store_true", help="glibc malloc keeps all memory (MALLOC_MMAP_MAX_=0, no trim): what a caching allocator would give")
    p.add_argument("--no-extra", action="store_true", help="(all) leave out the extra workloads")
    return p


def arena(a):
    """glibc reads these at start-up, so: set them and re-exec, before anything big is imported."""
    e = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 34), "MALLOC_TOP_PAD_": str(64 << 20)}
    if a.arena and any(os.environ.get(k) != v for k, v in e.items()):
        os.environ.update(e)
        os.execv(sys.executable, [sys.executable] + sys.argv)


# ---------------------------------------------------------------- data

def uniform(seed, shape, scale=1.0):
    """splitmix64, uniform in [-scale, scale); same numbers as rust/common uniform()."""
    import numpy as np
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    n = math.prod(shape)
    out = np.empty(n, np.float32)
    s0 = (seed * C + 0x1234567) & MASK
    step = 1 << 18                      # small chunks: keeps the temporaries out of peak RSS
    with np.errstate(over="ignore"):
        for k in range(0, n, step):
            m = min(step, n - k)
            z = (np.arange(k + 1, k + m + 1, dtype=np.uint64) * np.uint64(C)) + np.uint64(s0)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z ^= z >> np.uint64(31)
            u = (z >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)
            out[k:k + m] = (np.float32(2) * u - np.float32(1)) * np.float32(scale)
    return out.reshape(shape)


def labels(n):
    import numpy as np
    s, v = 42, []
    for _ in range(n):
        s = (s * 6364136223846793005 + 1442695040888963407) & MASK
        v.append((s >> 33) % 10)
    return np.array(v, np.int64)


def words(n, length, size=10000):
    """[n, length] numbers below size: rows of a table. Same numbers as rust/common words()."""
    import numpy as np
    return ((uniform(77, (n, length)).astype(np.float64) * 0.5 + 0.5) * size).astype(np.int64)


def one_hot(l):
    import numpy as np
    return np.eye(10, dtype=np.float32)[l]


class Params:
    """Parameter values in order; weights in the PyTorch layout; U(-1/sqrt(fan_in), 1/sqrt(fan_in))."""
    def __init__(self):
        self.next = 1000

    def take(self, shape, fan_in):
        self.next += 1
        return uniform(self.next, shape, float(1.0 / math.sqrt(fan_in)))


def linear(P, i, o):
    return [P.take((o, i), i), P.take((o,), i)]


def conv(P, i, o, k, bias=True):
    f = i * k * k
    return [P.take((o, i, k, k), f)] + ([P.take((o,), f)] if bias else [])


def resnet20_plan():
    """(name, cin, cout, k, stride) for every conv in forward order."""
    L = [("stem", 3, 16, 3, 1)]
    cin = 16
    for s, w in enumerate((16, 32, 64)):
        for b in range(3):
            st = 2 if (s > 0 and b == 0) else 1
            L.append((f"{s}.{b}.c1", cin, w, 3, st))
            L.append((f"{s}.{b}.c2", w, w, 3, 1))
            if st != 1 or cin != w:
                L.append((f"{s}.{b}.sc", cin, w, 1, st))
            cin = w
    return L


FLOPS = {f"matmul_{n}": 2 * n ** 3 for n in (256, 512, 1024, 2048, 4096)}
FLOPS["conv3x3"] = 2 * 32 * 64 * 64 * 9 * 56 * 56
FLOPS["conv3x3_bwd"] = 3 * FLOPS["conv3x3"]
OPS = {"chain_10k": 10_000, "chain_10k_jit": 10_000}
for _n in (256, 512, 1024, 2048, 4096):
    FLOPS[f"matmul_{_n}_out"] = 2 * _n ** 3


def ru_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# ---------------------------------------------------------------- timing

def measure(a, framework, version, step, base_rss, compile_s=None, extra=None, after=None):
    """step() -> float; the protocol of rust/common measure():
    warm-up >= 2 steps, then until 20 steps or 1 s; then timed steps, at least 3, until
    --steps or --max-secs. The first compiling call (jit) is made before the warm-up."""
    check = []
    if a.steps is None:
        a.steps = 300 if a.workload.endswith("_train") and "tiny" not in a.workload else 1_000_000
    if compile_s is not None:
        t = time.perf_counter()
        check.append(step())
        compile_s = time.perf_counter() - t
    w0, warm = time.perf_counter(), 0
    while warm < 2 or (warm < 20 and time.perf_counter() - w0 < 1.0):
        v = step()
        if len(check) < 5:
            check.append(v)
        warm += 1
    ts, pc = [], time.perf_counter_ns
    c0, t0 = time.process_time(), time.perf_counter()
    while len(ts) < a.steps and (len(ts) < 3 or time.perf_counter() - t0 < a.max_secs):
        s = pc()
        v = step()
        ts.append((pc() - s) / 1e6)
        if len(check) < 5:
            check.append(v)
    cpu = (time.process_time() - c0) * 1e3 / len(ts)   # CPU time per step: less affected by a busy machine
    ts.sort()
    q = lambda f: ts[int(round((len(ts) - 1) * f))]
    med = q(0.5)
    d = dict(framework=framework, version=version, workload=a.workload, threads=a.threads,
             median_ms=round(med, 6), min_ms=round(ts[0], 6), p90_ms=round(q(0.9), 6), cpu_ms=round(cpu, 6),
             arena=a.arena, peak_rss_mb=round(ru_mb(), 1), base_rss_mb=round(base_rss, 1), steps=len(ts), warmup=warm)
    if compile_s is not None:
        d["compile_s"] = round(compile_s, 3)
    if a.workload in FLOPS:
        d["gflops"] = round(FLOPS[a.workload] / med / 1e6, 2)
        d["gflops_best"] = round(FLOPS[a.workload] / ts[0] / 1e6, 2)
    if a.workload in OPS:
        d["ns_per_op"] = round(med * 1e6 / OPS[a.workload], 2)
    d["check"] = [round(float(c), 6) for c in check]
    d["last"] = float(f"{float(v):.6g}")
    d["loadavg"] = round(os.getloadavg()[0], 2)
    if extra:
        d.update(extra)
    if after:
        d.update(after())
    print(json.dumps(d), flush=True)


def run_all(a, script, extra_workloads, passthrough, framework):
    """Each workload in a fresh subprocess; prints the lines."""
    ws = a.only.split(",") if a.only else WORKLOADS + ([] if a.no_extra else list(extra_workloads))
    for w in ws:
        cmd = [sys.executable, script, w, "--threads", str(a.threads),
               "--max-secs", str(a.max_secs)] + ([] if a.steps is None else ["--steps", str(a.steps)]) + (["--arena"] if a.arena else []) + passthrough
        err = None
        try:
            r = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=a.timeout)
            lines = [l for l in r.stdout.splitlines() if l.startswith("{")]
            if r.returncode == 0 and lines:
                print("\n".join(lines), flush=True)
                continue
            err = (r.stderr.strip().splitlines() or ["no output"])[-1][:300]
        except subprocess.TimeoutExpired:
            err = f"timeout {a.timeout} s"
        print(json.dumps(dict(framework=framework, workload=w, threads=a.threads, arena=a.arena, variant=" ".join(passthrough), error=err)), flush=True)
