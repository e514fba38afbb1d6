//! Benchmarks of the tape: `cargo bench --bench autograd`.
#![allow(clippy::items_after_statements)] // helper functions stand beside the code that calls them

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wengert::autograd::transforms::jvp;
use wengert::autograd::{Policy, Var};
use wengert::prelude::*;

/// Measures the overhead per operation: 10,000 operations on single numbers, forward and backward.
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

/// Measures a pointwise expression on a million numbers with its gradient, fused and eager.
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

/// Measures work of several sizes. The time per element must not depend on the size.
fn growth(c: &mut Criterion) {
    let mut group = c.benchmark_group("growth");
    group.sample_size(10);
    let rng = &mut Philox::new(0);
    for n in [500, 1000, 2000] {
        group.throughput(Throughput::Elements(n as u64));
        let sequence = Tensor::normal(&[n, 8, 32], 0.0, 1.0, rng);
        group.bench_function(format!("a sequence read in {n} steps, backward"), |b| {
            b.iter(|| {
                let tape = Tape::new();
                let x = tape.watch(sequence.clone());
                let parts = (0..n).map(|t| x.narrow(0, t, 1));
                let h = parts.fold(tape.zeros(&[1, 8, 32]), |h, part| (h + part).tanh());
                h.square().sum_all().backward().wrt(x).map(Tensor::sum_all)
            });
        });
        group.bench_function(format!("a sequence read in {n} steps, grad"), |b| {
            b.iter(|| {
                let tape = Tape::new();
                let x = tape.watch(sequence.clone());
                let parts = x.split(0, &vec![1; n]).into_iter();
                let h = parts.fold(tape.zeros(&[1, 8, 32]), |h, part| (h + part).tanh());
                h.square().sum_all().grad(&[x])[0].sum_all().item()
            });
        });
        group.bench_function(format!("{n} steps, each through a view of its own, backward"), |b| {
            b.iter(|| {
                let tape = Tape::new();
                let x = tape.watch(sequence.clone());
                let parts = (0..n).map(|t| x.transpose(0, 1).narrow(1, t, 1));
                let h = parts.fold(tape.zeros(&[8, 1, 32]), |h, part| (h + part).tanh());
                h.square().sum_all().backward().wrt(x).map(Tensor::sum_all)
            });
        });
        group.bench_function(format!("{n} gradients on one tape"), |b| {
            b.iter(|| {
                let tape = Tape::<f32>::new();
                let x = tape.watch(Tensor::ones(&[3]));
                let rows: Vec<_> = (0..n).map(|i| (x * i as f64).tanh().sum_all()).collect();
                rows.iter().map(|row| row.grad(&[x])[0].item()).sum::<f64>()
            });
        });
        let model: Vec<Param> =
            (0..4 * n).map(|_| Param::new(Tensor::normal(&[16], 0.0, 0.1, rng))).collect();
        group.bench_function(format!("{} parameters, backward", 4 * n), |b| {
            b.iter(|| {
                let tape = Tape::new();
                let sum = model.iter().fold(tape.zeros(&[16]), |sum, p| sum + tape.param(p));
                sum.square().sum_all().backward().len()
            });
        });
        group.bench_function(format!("a scope that returns {} values", 8 * n), |b| {
            b.iter(|| {
                let tape = Tape::new();
                let mut h = tape.watch(Tensor::zeros(&[4]));
                let states = tape.scope("rnn", || {
                    let next = |_| {
                        h = (h * 0.5 + 0.1).tanh();
                        h
                    };
                    (0..8 * n).map(next).collect::<Vec<_>>()
                });
                states.len()
            });
        });
    }
    let table = Param::new(Tensor::normal(&[20_000, 64], 0.0, 1.0, rng));
    for n in [50, 100, 200] {
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(format!("{n} look-ups of 8 rows of 20,000, backward"), |b| {
            b.iter(|| {
                let tape = Tape::new();
                let row = |i: usize, t: usize| ((i * 7919 + t * 31) % 20_000) as i64;
                let mut sum = tape.zeros(&[8, 64]);
                for t in 0..n {
                    let index = Tensor::from_fn(&[8], |i| row(i, t));
                    sum = sum + tape.param(&table).index_select(0, &index).tanh();
                }
                sum.square().sum_all().backward().len()
            });
        });
    }
    group.finish();
}

fn f<'t>(x: Var<'t>, weights: &Tensor) -> Var<'t> {
    let h = x.matmul(x.tape().constant(weights.clone()));
    h.tanh() * h.sin() + h.sigmoid()
}

/// Measures a Jacobian-vector product of a function from 3 to 10,000 numbers: in forward mode, and in reverse
/// mode as the derivative of the vector-Jacobian product with respect to its weights.
fn transforms(c: &mut Criterion) {
    let mut group = c.benchmark_group("transforms");
    let weights = Tensor::normal(&[3, 10_000], 0.0, 1.0, &mut Philox::new(0));
    let at = |_: &Tape| [0.1f32, 0.2, 0.3].map(|x| Tensor::full(&[1, 3], x.into()));
    group.bench_function("10,000 results of 3 numbers, forwards", |b| {
        b.iter(|| {
            let tape = Tape::new();
            let [x, t, _] = at(&tape).map(|x| tape.constant(x));
            jvp(|x| f(x, &weights), x, t).1.sum_all().item()
        });
    });
    group.bench_function("10,000 results of 3 numbers, backwards twice", |b| {
        b.iter(|| {
            let tape = Tape::new();
            let [x, t, _] = at(&tape).map(|x| tape.watch(x));
            let y = f(x, &weights);
            let u = tape.watch(Tensor::zeros(&[1, 10_000]));
            let pulled = y.grad_from(u, &[x])[0];
            (pulled * t).sum_all().grad(&[u])[0].sum_all().item()
        });
    });
    group.finish();
}

/// Measures the gradients of each of 64 samples with respect to the parameters of a perceptron: in one pass
/// over expanded parameters, and one sample after the other. The gradient of the batch is measured for
/// comparison.
fn per_sample(c: &mut Criterion) {
    let mut group = c.benchmark_group("per sample");
    const N: usize = 64;
    group.throughput(Throughput::Elements(N as u64));
    let rng = &mut Philox::new(0);
    let x = Tensor::normal(&[N, 128], 0.0, 1.0, rng);
    let model =
        [&[128, 64][..], &[64, 10]].map(|shape| Param::new(Tensor::normal(shape, 0.0, 0.1, rng)));
    fn loss<'t>(x: Var<'t>, w: &[Var<'t>]) -> Var<'t> {
        x.matmul(w[0]).tanh().matmul(w[1]).logsumexp(&[-1], false).sum_all()
    }
    group.bench_function("one pass over expanded parameters", |b| {
        b.iter(|| {
            let tape = Tape::new();
            let expand = |p: &Param| {
                let shape = [N, p.shape()[0], p.shape()[1]];
                tape.param(p).unsqueeze(0).broadcast_to(shape)
            };
            let w = [expand(&model[0]), expand(&model[1])];
            let x = tape.constant(x.clone()).unsqueeze(1);
            loss(x, &w).grad(&w).iter().map(|g| g.value()).collect::<Vec<_>>()
        });
    });
    group.bench_function("a run for each sample", |b| {
        b.iter(|| {
            let run = |i| {
                let tape = Tape::new();
                let w = [tape.param(&model[0]), tape.param(&model[1])];
                loss(tape.constant(x.narrow(0, i, 1)), &w).backward()
            };
            (0..N).map(run).collect::<Vec<_>>()
        });
    });
    group.bench_function("the gradient of the batch", |b| {
        b.iter(|| {
            let tape = Tape::new();
            let w = [tape.param(&model[0]), tape.param(&model[1])];
            loss(tape.constant(x.clone()), &w).backward()
        });
    });
    group.finish();
}

criterion_group!(benches, scalars, pointwise, growth, transforms, per_sample);
criterion_main!(benches);
