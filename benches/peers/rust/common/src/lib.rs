//! The harness of the benchmarks: argument parsing, deterministic data, timing, one JSON line as output.
//! It has no dependencies, so that it adds nothing to the dependencies of the measured library.
use std::os::unix::process::CommandExt;
use std::time::Instant;

#[derive(Clone, Debug)]
pub struct Args {
    pub workload: String,
    pub threads: usize,
    /// upper bound on the number of timed steps
    pub steps: usize,
    /// upper bound on the timed seconds (a step that has begun is finished)
    pub max_secs: f64,
    pub backend: String,
    pub rest: Vec<String>,
}

#[repr(C)]
struct Rusage {
    utime: [i64; 2],
    stime: [i64; 2],
    maxrss: i64,
    pad: [i64; 13],
}
extern "C" {
    fn getrusage(who: i32, usage: *mut Rusage) -> i32;
    fn sched_setaffinity(pid: i32, size: usize, mask: *const u64) -> i32;
}

fn rusage() -> Rusage {
    let mut r = Rusage { utime: [0; 2], stime: [0; 2], maxrss: 0, pad: [0; 13] };
    unsafe { getrusage(0, &mut r) };
    r
}

pub fn peak_rss_mb() -> f64 {
    rusage().maxrss as f64 / 1024.0
}

/// User + system time of the whole process, in ms.
fn cpu_ms() -> f64 {
    let r = rusage();
    (r.utime[0] + r.stime[0]) as f64 * 1e3 + (r.utime[1] + r.stime[1]) as f64 / 1e3
}

fn loadavg() -> f64 {
    std::fs::read_to_string("/proc/loadavg")
        .ok()
        .and_then(|s| s.split(' ').next().and_then(|x| x.parse().ok()))
        .unwrap_or(-1.0)
}

/// Limits the whole process to the CPUs 0..n, for libraries without a setting for threads.
pub fn pin_to_first(n: usize) {
    let mask: [u64; 16] = {
        let mut m = [0u64; 16];
        for i in 0..n.min(64) {
            m[0] |= 1 << i;
        }
        m
    };
    unsafe { sched_setaffinity(0, 128, mask.as_ptr()) };
}

/// Parses `BIN WORKLOAD --threads N --steps S [--max-secs X] [--backend B]`, then executes the program again
/// with the environment variables for the number of threads set, for libraries that read them at load time.
pub fn init() -> Args {
    let argv: Vec<String> = std::env::args().collect();
    let mut a = Args {
        workload: String::new(),
        threads: 1,
        steps: 1_000_000,
        max_secs: 5.0,
        backend: String::new(),
        rest: vec![],
    };
    let mut it = argv.iter().skip(1);
    while let Some(s) = it.next() {
        let mut val = || it.next().unwrap_or_else(|| panic!("{s} needs a value")).clone();
        match s.as_str() {
            "--threads" => a.threads = val().parse().expect("threads"),
            "--steps" => a.steps = val().parse().expect("steps"),
            "--max-secs" => a.max_secs = val().parse().expect("max-secs"),
            "--backend" => a.backend = val(),
            _ if a.workload.is_empty() && !s.starts_with("--") => a.workload = s.clone(),
            _ => a.rest.push(s.clone()),
        }
    }
    if a.workload.is_empty() {
        eprintln!(
            "usage: {} WORKLOAD --threads N --steps S [--max-secs X] [--backend B]\nworkloads: {}",
            argv[0],
            WORKLOADS.join(" ")
        );
        std::process::exit(2);
    }
    let n = a.threads.to_string();
    if std::env::var("BENCH_REEXEC").as_deref() != Ok(n.as_str()) {
        let exe = std::env::current_exe().expect("current_exe");
        let mut cmd = std::process::Command::new(exe);
        cmd.args(&argv[1..]).env("BENCH_REEXEC", &n);
        for v in [
            "RAYON_NUM_THREADS",
            "OMP_NUM_THREADS",
            "MKL_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "MATMUL_NUM_THREADS",
        ] {
            cmd.env(v, &n);
        }
        let e = cmd.exec();
        panic!("re-exec failed: {e}");
    }
    a
}

pub const WORKLOADS: &[&str] = &[
    "mlp_train",
    "mlp_tiny_train",
    "lenet_train",
    "cnn_train",
    "resnet20_train",
    "lenet_infer1",
    "matmul_256",
    "matmul_512",
    "matmul_1024",
    "matmul_2048",
    "conv3x3",
    "conv3x3_bwd",
    "elementwise",
    "exp_16m",
    "add_16m",
    "sum_16m",
    "softmax_4096x1000",
    "layernorm_4096x1024",
    "chain_10k",
    "hvp_mlp",
    "lstm_train",
    "transformer_train",
    "embedding_train",
    "separable_train",
];

// ---------------------------------------------------------------- deterministic data

/// Returns `n` uniform numbers in [-scale, scale). They are the same for every library.
pub fn uniform(seed: u64, n: usize, scale: f32) -> Vec<f32> {
    let mut s = seed.wrapping_mul(0x9E3779B97F4A7C15).wrapping_add(0x1234567);
    (0..n)
        .map(|_| {
            s = s.wrapping_add(0x9E3779B97F4A7C15);
            let mut z = s;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58476D1CE4E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D049BB133111EB);
            z ^= z >> 31;
            let u = (z >> 40) as f32 / (1u64 << 24) as f32; // [0,1)
            (2.0 * u - 1.0) * scale
        })
        .collect()
}

/// Returns `n` class labels in 0..10.
pub fn labels(n: usize) -> Vec<u32> {
    let mut s = 42u64;
    (0..n)
        .map(|_| {
            s = s.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((s >> 33) % 10) as u32
        })
        .collect()
}

/// Returns `n` numbers below 10,000: rows of a table of words.
pub fn words(n: usize) -> Vec<u32> {
    uniform(77, n, 1.0).into_iter().map(|x| ((f64::from(x) * 0.5 + 0.5) * 10_000.0) as u32).collect()
}

pub fn one_hot(l: &[u32]) -> Vec<f32> {
    let mut v = vec![0f32; l.len() * 10];
    for (i, &c) in l.iter().enumerate() {
        v[i * 10 + c as usize] = 1.0;
    }
    v
}

/// Hands out parameter values in order; weights are in the PyTorch layout ([out, in, ..]).
pub struct Params {
    next: u64,
}
impl Params {
    pub fn new() -> Self {
        Params { next: 1000 }
    }
    /// Returns a weight or bias of `n` numbers, uniform(-1/sqrt(fan_in), 1/sqrt(fan_in)).
    pub fn take(&mut self, n: usize, fan_in: usize) -> Vec<f32> {
        self.next += 1;
        uniform(self.next, n, 1.0 / (fan_in as f32).sqrt())
    }
}
impl Default for Params {
    fn default() -> Self {
        Self::new()
    }
}

/// Transposes a row-major [r, c] matrix.
pub fn transpose(v: &[f32], r: usize, c: usize) -> Vec<f32> {
    let mut o = vec![0f32; r * c];
    for i in 0..r {
        for j in 0..c {
            o[j * r + i] = v[i * c + j];
        }
    }
    o
}

pub const X_SEED: u64 = 7;

// ---------------------------------------------------------------- timing and output

pub struct Peer {
    pub framework: &'static str,
    pub version: &'static str,
    pub build: &'static str,
}

pub struct Extra {
    pub flops: Option<f64>,
    pub ops: Option<f64>,
    pub note: &'static str,
}
impl Extra {
    pub fn none() -> Self {
        Extra { flops: None, ops: None, note: "" }
    }
    pub fn note(note: &'static str) -> Self {
        Extra { flops: None, ops: None, note }
    }
    pub fn flops(f: f64) -> Self {
        Extra { flops: Some(f), ops: None, note: "" }
    }
    pub fn ops(f: f64) -> Self {
        Extra { flops: None, ops: Some(f), note: "" }
    }
}

fn num(x: f64) -> String {
    if x.is_finite() {
        format!("{x:.6}")
    } else {
        "null".into()
    }
}

/// Runs `step`, first as a warm-up and then with timing, and prints the JSON line. `step` returns a number of
/// its result (a loss, or one element). The numbers of the first five calls are printed as "check".
pub fn measure(p: &Peer, a: &Args, e: Extra, mut step: impl FnMut() -> f64) {
    let mut check: Vec<f64> = vec![];
    let base = peak_rss_mb(); // after the inputs and the model were made
    // warm-up: at least 2 steps (1 where a step takes over 3 s), then until 20 steps or 1 s
    let mut c0 = cpu_ms();
    let w0 = Instant::now();
    let mut warm = 0;
    while warm < 1
        || (warm < 2 && w0.elapsed().as_secs_f64() < 3.0)
        || (warm < 20 && w0.elapsed().as_secs_f64() < 1.0)
    {
        let v = step();
        if check.len() < 5 {
            check.push(v);
        }
        warm += 1;
    }
    // at least 3 timed steps; 2 if a step takes over 4 s, 1 if over 7 s; a single step over 12 s is not
    // repeated: its cold time is reported, with "cold":true
    let first_s = w0.elapsed().as_secs_f64() / warm as f64;
    let least = if first_s > 7.0 { 1 } else if first_s > 4.0 { 2 } else { 3 };
    let cold = first_s > 12.0;
    let mut t: Vec<f64> = vec![];
    let mut last = f64::NAN;
    if cold {
        t.push(first_s * 1e3);
        last = check[0];
    } else {
        c0 = cpu_ms();
    }
    let t0 = Instant::now();
    while !cold && t.len() < a.steps && (t.len() < least || t0.elapsed().as_secs_f64() < a.max_secs) {
        let s = Instant::now();
        let v = step();
        t.push(s.elapsed().as_secs_f64() * 1e3);
        last = v;
        if check.len() < 5 {
            check.push(v);
        }
    }
    let cpu = (cpu_ms() - c0) / t.len() as f64; // less affected by a busy machine than wall time
    t.sort_by(|x, y| x.total_cmp(y));
    let q = |f: f64| t[((t.len() - 1) as f64 * f).round() as usize];
    let med = q(0.5);
    let mut s = format!(
        "{{\"framework\":\"{}\",\"version\":\"{}\",\"build\":\"{}\",\"workload\":\"{}\",\"threads\":{},\"median_ms\":{},\"min_ms\":{},\"p90_ms\":{},\"cpu_ms\":{},\"peak_rss_mb\":{:.1},\"base_rss_mb\":{:.1},\"steps\":{},\"warmup\":{}",
        p.framework, p.version, p.build, a.workload, a.threads, num(med), num(t[0]), num(q(0.9)), num(cpu),
        peak_rss_mb(), base, t.len(), warm
    );
    if let Some(f) = e.flops {
        s += &format!(",\"gflops\":{},\"gflops_best\":{}", num(f / med / 1e6), num(f / t[0] / 1e6));
    }
    if let Some(o) = e.ops {
        s += &format!(",\"ns_per_op\":{}", num(med * 1e6 / o));
    }
    let c: Vec<String> = check.iter().map(|x| num(*x)).collect();
    s += &format!(",\"check\":[{}],\"last\":{},\"loadavg\":{}", c.join(","), if last.is_finite() { format!("{last:e}") } else { "null".into() }, loadavg());
    if cold {
        s += ",\"cold\":true";
    }
    if !e.note.is_empty() {
        s += &format!(",\"note\":\"{}\"", e.note);
    }
    s += "}";
    println!("{s}");
}

/// Prints that the library cannot run a workload, and the reason.
pub fn unsupported(p: &Peer, a: &Args, why: &str) {
    println!(
        "{{\"framework\":\"{}\",\"version\":\"{}\",\"build\":\"{}\",\"workload\":\"{}\",\"threads\":{},\"unsupported\":\"{}\"}}",
        p.framework, p.version, p.build, a.workload, a.threads, why
    );
}
