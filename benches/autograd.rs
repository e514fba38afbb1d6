//! The tape: `cargo bench --bench autograd`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wengert::autograd::Policy;
use wengert::prelude::*;

/// What an operation costs besides its arithmetic: 10,000 on single numbers, there and back.
fn scalars(c: &mut Criterion) {
    let mut group = c.benchmark_group("scalars");
    group.throughput(Throughput::Elements(10_000));
    group.bench_function("chain of 10,000, forward and backward", |b| {
        b.iter(|| {
            let tape = Tape::new();
            let x = tape.watch(Tensor::scalar(0.5));
            let y = (0..5000).fold(x, |y, _| y * 1.0001 + 0.0001);
            y.backward().wrt(x).map(Tensor::item)
        });
    });
    group.finish();
}

/// A pointwise expression on a million numbers, with its gradient, in one pass and op by op.
fn pointwise(c: &mut Criterion) {
    let mut group = c.benchmark_group("pointwise");
    group.throughput(Throughput::Elements(1 << 20));
    let numbers = Tensor::normal(&[1 << 20], 0.0, 1.0, &mut Philox::new(1));
    for (name, policy) in [("fused", Policy::Fused), ("eager", Policy::Eager)] {
        group.bench_function(format!("Σ tanh(1.5 x + 0.25)·x, {name}"), |b| {
            b.iter(|| {
                let tape = Tape::new().with_policy(policy);
                let x = tape.watch(numbers.clone());
                let y = ((x * 1.5 + 0.25).tanh() * x).sum_all();
                y.backward()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, scalars, pointwise);
criterion_main!(benches);
