use std::time::Instant;
use wengert_autograd::*; use wengert_tensor::*;
fn time(name: &str, per: f64, unit: &str, mut f: impl FnMut()) {
    for _ in 0..5 { f() }
    let mut t: Vec<f64> = Vec::new();
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < 1.0 { let s = Instant::now(); f(); t.push(s.elapsed().as_secs_f64() / per); }
    t.sort_by(f64::total_cmp);
    println!("{name:28} min {:8.2} median {:8.2} {unit}  ({} runs)", t[0], t[t.len() / 2], t.len());
}
fn chain(n: usize, x0: &Tensor, backward: bool) -> f64 {
    let tape = Tape::new();
    let leaf = tape.watch(x0.clone());
    let mut x = leaf;
    for _ in 0..n/2 { x = x * 1.0001 + 0.0001 }
    if backward { x.backward().wrt(leaf).unwrap().item() as f64 } else { x.item() }
}
fn main() {
    let x = Tensor::from_vec(vec![0.5f32], &[1]);
    if std::env::args().any(|a| a == "once") { for _ in 0..20 { std::hint::black_box(chain(10_000, &x, true)); } return }
    if std::env::args().any(|a| a == "million") { let s = Instant::now(); println!("{}", chain(1_000_000, &x, true)); println!("{:?}", s.elapsed()); println!("{}", std::fs::read_to_string("/proc/self/status").unwrap().lines().filter(|l| l.starts_with("VmHWM")).next().unwrap()); return }
    println!("{}", chain(10_000, &x, true));
    time("chain", 1e4*1e-9, "ns/op", || { std::hint::black_box(chain(10_000, &x, true)); });
    if std::env::args().any(|a| a == "c") { return }
    time("forward", 1e4*1e-9, "ns/op", || { std::hint::black_box(chain(10_000, &x, false)); });
    let t = Tensor::full(&[1], 2.0);
    time("tensor scale", 1e-9, "ns/op", || { std::hint::black_box(t.scale(1.5)); });
    let b = Tensor::uniform(&[4<<20], -1.0, 1.0, &mut Philox::new(1));
    time("elementwise", 1e-3, "ms", || {
       let tape = Tape::new(); let v = tape.watch(b.clone()); let l = (v * 1.5 + 0.25).tanh().sum_all();
       std::hint::black_box((l.item(), l.backward().wrt(v).unwrap().at(&[5])));
    });
}
